"""The learned predictor: its file is checked, trees are walked, tables follow the target."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import picture as made
from hypothesis import given, settings
from hypothesis import strategies as st

from pyjpegml import Options, compress, predictor
from pyjpegml.features import NAMES
from pyjpegml.knobs import FURTHEST, KNOBS
from pyjpegml.metrics import Reference
from pyjpegml.predictor import INPUTS, OUTPUTS, SHIPPED, Model, choose_model, load, walk_trees
from pyjpegml.scale_search import add_sampling_loss, candidate


def small_model(**changes):
    """Two trees: one of two leaves for the first output, one leaf for the last."""
    arrays = {
        "version": np.array(predictor.VERSION),
        "inputs": np.array(INPUTS),
        "outputs": np.array(OUTPUTS),
        "low": np.full(len(INPUTS), -1e3),
        "high": np.full(len(INPUTS), 1e3),
        "baselines": np.linspace(0, 1, len(OUTPUTS)),
        "roots": np.array([0, 3], np.int32),
        "output_of": np.array([0, len(OUTPUTS) - 1], np.int32),
        "feature": np.array([2, -1, -1, -1], np.int32),
        "threshold": np.array([0.5, 0, 0, 0]),
        "right": np.array([2, 0, 0, 0], np.int32),
        "value": np.array([0, 10.0, 20.0, 5.0]),
    }
    return arrays | changes


def plan_of(image, subsampling="4:2:0"):
    reference = Reference(image)
    plan = candidate(image, reference, subsampling)
    add_sampling_loss(plan, image, reference)
    return plan


def test_walk():
    model = Model(small_model())
    inputs = np.zeros(len(INPUTS))
    for value, leaf in ((0.5, 10), (np.nextafter(0.5, 1), 20)):  # not above the threshold: left
        inputs[2] = value
        found = model.predict(inputs)
        assert found[OUTPUTS[0]] == leaf
        assert found[OUTPUTS[-1]] == 1 + 5
        assert found[OUTPUTS[1]] == model.predict(inputs)[OUTPUTS[1]] == 1 / (len(OUTPUTS) - 1)


def test_a_walk_tells_how_far_it_went():
    a = small_model()
    out = np.zeros(len(OUTPUTS))
    assert walk_trees(
        np.zeros(len(INPUTS)), a["feature"], a["threshold"], a["right"], a["value"], a["roots"],
        a["output_of"], out,
    ) == 1  # fmt: skip


BROKEN = {
    "a cycle": {"right": np.array([0, 0, 0, 0], np.int32)},
    "a way back": {"feature": np.array([2, 2, -1, -1], np.int32),
                   "right": np.array([2, 1, 0, 0], np.int32)},
    "a child beyond the end": {"right": np.array([4, 0, 0, 0], np.int32)},
    "a last node that asks": {"feature": np.array([2, -1, -1, 1], np.int32)},
    "a feature that is none": {"feature": np.array([len(INPUTS), -1, -1, -1], np.int32)},
    "a feature below -1": {"feature": np.array([-2, -1, -1, -1], np.int32)},
    "a root beyond the end": {"roots": np.array([0, 4], np.int32)},
    "an output that is none": {"output_of": np.array([0, len(OUTPUTS)], np.int32)},
    "NaN in a leaf": {"value": np.array([0, np.nan, 0, 0])},
    "an infinite threshold": {"threshold": np.array([np.inf, 0, 0, 0])},
    "NaN in a range": {"low": np.full(len(INPUTS), np.nan)},
    "a range upside down": {"low": np.full(len(INPUTS), 2e3)},
    "a short array": {"value": np.zeros(3)},
    "an array of two dimensions": {"value": np.zeros((2, 2))},
    "an array of another type": {"threshold": np.zeros(4, np.float32)},
    "a type of objects": {"inputs": np.array(INPUTS, object)},
    "another version": {"version": np.array(0)},
    "a version that is no number": {"version": np.array("1")},
    "other features": {"inputs": np.array(INPUTS[::-1])},
    "other outputs": {"outputs": np.array(("q", *OUTPUTS[1:]))},
    "too many nodes": {name: np.full(predictor.MOST_NODES + 1, fill) for name, fill in
                       (("feature", np.int32(-1)), ("threshold", 0.0), ("right", np.int32(0)),
                        ("value", 0.0))},
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_models_are_refused(name, tmp_path):
    Model(small_model())
    with pytest.raises(ValueError, match=r"'|version|at most|behind"):
        Model(small_model(**BROKEN[name]))
    path = tmp_path / "model.npz"
    np.savez(path, **small_model(**BROKEN[name]))
    with pytest.raises(ValueError, match=r"model\.npz is not a usable model: "):
        load(path)


@pytest.mark.parametrize("name", sorted(set(small_model()) - {"version"}))
def test_a_missing_array_is_named(name):
    arrays = small_model()
    del arrays[name]
    with pytest.raises(ValueError, match=f"'{name}', which is missing"):
        Model(arrays)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_arrays_are_refused_or_walked_to_an_end(data):
    """The contract of Model: what it takes can be walked from any input, within bounds."""
    nodes = data.draw(st.integers(0, 6))
    small = st.integers(-3, 9)

    def draw(count, of, kind):
        return np.array(data.draw(st.lists(of, min_size=count, max_size=count)), kind)

    trees = data.draw(st.integers(0, 3))
    numbers = st.floats(allow_nan=True, allow_infinity=True)
    arrays = small_model(
        roots=draw(trees, small, np.int32), output_of=draw(trees, small, np.int32),
        feature=draw(nodes, small, np.int32), right=draw(nodes, small, np.int32),
        threshold=draw(nodes, numbers, np.float64), value=draw(nodes, numbers, np.float64),
    )  # fmt: skip
    try:
        model = Model(arrays)
    except ValueError:
        return
    found = model.predict(draw(len(INPUTS), numbers, np.float64))
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY", bytes(100)])
def test_files_that_are_none(data, tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"m\.npz is not a usable model"):
        load(path)


def test_files_that_would_be_too_large(tmp_path):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("value.npy", bytes(predictor.MOST_BYTES + 1))
    with pytest.raises(ValueError, match="at most"):
        load(path)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, **small_model(facts=np.array([{}], object)))
    with pytest.raises(ValueError, match=r"m\.npz is not a usable model"):
        load(path)


def test_which_model(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    np.savez(path, **small_model())
    assert choose_model(False) is None
    shipped = choose_model(None)
    assert shipped is choose_model(True) is choose_model(SHIPPED)
    assert choose_model(str(path)) is choose_model(path) is not shipped
    monkeypatch.setenv(predictor.ENVIRONMENT, str(path))
    assert choose_model(None) is choose_model(path)
    assert choose_model(False) is None
    with pytest.raises(FileNotFoundError):
        compress(np.zeros((8, 8, 3), np.uint8), model=tmp_path / "none.npz")


def test_the_shipped_model_is_small_and_open():
    assert SHIPPED.stat().st_size <= 300_000
    assert {"facts", "version"} <= set(choose_model(None).facts)


def test_pictures_unlike_all_training_start_as_without_a_model():
    model = choose_model(None)
    plan = plan_of(np.zeros((64, 64, 3), np.uint8))
    assert model.start(plan, 0.01) is None
    image = np.zeros((64, 64, 3), np.uint8)
    assert compress(image, effort="fast").data == compress(image, effort="fast", model=False).data


def test_larger_pictures_are_covered_and_no_others():
    model = Model(small_model(low=np.zeros(len(INPUTS)), high=np.ones(len(INPUTS))))
    middle = np.full(len(INPUTS), 0.5)
    assert model.covers(middle)
    for number, name in enumerate(INPUTS):
        for value, covered in ((-0.24, True), (1.24, True), (-0.26, False), (1.26, name == "size")):
            values = middle.copy()
            values[number] = value
            assert model.covers(values) is covered, (name, value)


def test_a_start_shapes_rounded_files(tmp_path):
    baselines = np.zeros(len(OUTPUTS))
    baselines[OUTPUTS.index("rounded_dc")] = 0.5
    for name in ("rounded_loss", "loop_loss"):
        baselines[OUTPUTS.index(name)] = predictor.SLOPE * np.log(0.01)
    path = tmp_path / "m.npz"
    np.savez(path, **small_model(baselines=baselines, value=np.zeros(4)))
    image = made("natural", (160, 200, 3), 1)
    plain = compress(image, effort="fast", model=False)
    shaped = compress(image, effort="fast", model=path)
    assert shaped.met
    finer = np.log(shaped.qtables[0] / plain.qtables[0])
    assert finer[0, 0] > np.median(finer) + 0.25


def test_a_model_spares_the_loop_its_first_score(monkeypatch):
    monkeypatch.setattr(choose_model(None), "covers", lambda inputs: True)
    image = made("natural", (160, 200, 3), 1)
    names: dict[bool, list[str]] = {}
    for model in (True, False):
        names[model] = []
        options = Options(progress=lambda step, seen=names[model]: seen.append(step.name))
        compress(image, model=None if model else False, options=options)
    assert names[True][0] == "trellis"
    assert names[False][0] == "first levels"


def drawing():
    """Black lines on white, and flat boxes, as of a screen."""
    image = np.full((240, 320, 3), 255, np.uint8)
    image[::20] = image[:, ::32] = 0
    image[40:100, 64:160] = (60, 90, 200)
    image[120:200:2, 170:300:2] = 0
    return image


def test_drawings_are_unlike_photographs():
    """They begin as without a model."""
    plan = plan_of(drawing(), "4:4:4")
    model = choose_model(None)
    assert model.start(plan, 0.01) is None
    seen = [
        compress(drawing(), effort="fast", ms_ssim=0.99, model=model).data
        for model in (None, False)
    ]
    assert seen[0] == seen[1]


def test_scales_grow_with_the_loss(monkeypatch):
    """The sum of prior and trees: coarser for every lower target."""
    model = choose_model(None)
    monkeypatch.setattr(model, "covers", lambda inputs: True)
    for seed in range(3):
        plan = plan_of(made("natural", (160, 200, 3), seed))
        previous = 0.0
        for loss in np.geomspace(plan.floor * 1.02 + 1e-5, 0.2, 40):
            plan.begin(None)
            plan.begin(model.start(plan, loss), loss)
            scale = plan.scale_for(loss)
            assert scale >= previous * 0.995  # the solver stops within three thousandths
            previous = scale


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=len(NAMES), max_size=len(NAMES)))
def test_starts_are_sane_whatever_the_features(values):
    model = choose_model(None)
    plan = plan_of(PICTURE)
    plan.features = np.array(values)
    margin = predictor.MARGIN * (model.high - model.low)
    low, high = (
        (side + m)[: len(NAMES)] for side, m in ((model.low, -margin), (model.high, margin))
    )
    outside = (plan.features < low) | (plan.features > high)
    if outside.any() and not outside[NAMES.index("size")]:
        assert model.start(plan, 0.01) is None
    plan.features = np.clip(plan.features, low, high)
    plan.floor = 0.004
    assert model.start(plan, 0.3) is None
    start = model.start(plan, 0.01)
    assert start is not None
    assert start.knobs.shape == (len(KNOBS),)
    assert abs(start.knobs).max() <= FURTHEST
    assert abs(start.loss) <= predictor.LARGEST_ERROR
    assert abs(start.loop - predictor.LOOP_MARGIN) <= predictor.LARGEST_ERROR
    plan.begin(start)
    for table in plan.qtables(0.5):
        assert 1 <= table.min() <= table.max() <= 255


PICTURE = made("natural", (48, 64, 3), 1)


def test_without_compiler():
    """The same prediction as plain Python."""
    code = """
import numpy as np
from pyjpegml.predictor import INPUTS, choose_model
model = choose_model(None)
middle = (model.low + model.high) / 2
print(sorted(model.predict(middle).items()))
"""
    root = Path(__file__).parent.parent
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        ).stdout
        for disabled in ("0", "1")
    ]  # fmt: skip
    assert outputs[0] == outputs[1] != ""
