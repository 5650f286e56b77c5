"""The teacher and the trees: orthogonal runs, records that go on, arrays equal to scikit-learn."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from helpers import picture as made
from PIL import Image

from pyjpegml import Options, cli, compress, predictor
from pyjpegml.knobs import KNOBS
from pyjpegml.predictor import INPUTS, OUTPUTS, Model, load
from pyjpegml.training import first, fit, teacher, train_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Six small photographs, of each one crop at its own size and one target."""
    for seed in range(6):
        pixels = made("natural", (160 + 8 * seed, 208, 3), seed)
        Image.fromarray(pixels).save(tmp_path / f"{seed}.png")
    (tmp_path / "notes.txt").write_text("no photograph")
    monkeypatch.setattr(teacher, "ZOOMS", ((1.0, 208),))
    monkeypatch.setattr(teacher, "TARGETS", 1)
    monkeypatch.setattr(first, "ZOOMS", ((1.0, 208),))
    monkeypatch.setattr(first, "TARGETS", 2)
    monkeypatch.setattr(fit, "MOST_ITERATIONS", 4)
    return tmp_path


def test_runs_are_orthogonal():
    signs = teacher._HADAMARD
    assert signs.shape == (len(KNOBS) + 1, len(KNOBS))
    np.testing.assert_array_equal(signs.T @ signs, 8 * np.eye(len(KNOBS)))
    np.testing.assert_array_equal(signs.sum(0), 0)


def test_cases_are_the_same_each_time(folder):
    for path in teacher.photographs(folder):
        (case,) = teacher.cases_of(path)
        assert [case] == teacher.cases_of(path)
        left, top, right, bottom = case.box
        image = teacher.picture_of(case, teacher.read_rgb(path))
        assert image.shape == (bottom - top, right - left, 3)
        low, high = teacher.LOSSES
        assert low <= round(1 - case.target, 6) <= high
    assert len(teacher.photographs(folder)) == 6


def test_a_response_is_read_from_eight_runs():
    rng = np.random.default_rng(0)
    slopes = rng.normal(0, 0.01, len(KNOBS))
    amplitudes = np.array(teacher.AMPLITUDES)
    knobs = teacher._HADAMARD * amplitudes
    found, rise = fit._response(knobs, 5.0 + knobs @ slopes + 0.004, 5.0)
    np.testing.assert_allclose(found, slopes, atol=1e-9)
    assert rise == pytest.approx(0.004)
    broken = np.where(np.arange(8) < 2, np.nan, 5.0)
    assert fit._response(knobs, broken, 5.0) is None


def test_curvatures_are_found_from_rises():
    rng = np.random.default_rng(1)
    truth = np.array([0.5, 0.05, 0.2])
    amplitudes = np.array([0.1, 0.4, 0.2]) * rng.uniform(0.5, 1.5, (4000, 3))
    rises = (amplitudes**2 @ truth) / 2 + rng.normal(0, 0.005, 4000)
    np.testing.assert_allclose(fit._curvatures(amplitudes, rises), truth, rtol=0.25)


@pytest.mark.parametrize("jit", [True, False])
def test_trees_predict_as_scikit_learn(jit, monkeypatch):
    if not jit:
        monkeypatch.setattr(predictor, "walk_trees", predictor.walk_trees.py_func)
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(300, len(INPUTS)))
    boosters = {}
    for number, output in enumerate(OUTPUTS):
        label = inputs[:, number] + np.sin(3 * inputs[:, -1]) + rng.normal(0, 0.1, 300)
        boosters[output] = fit._booster(output, 12).fit(inputs, label)
    model = Model(fit.arrays_of(boosters, inputs))
    fresh = np.concatenate([rng.normal(size=(40, len(INPUTS))), inputs[:10]])
    found = np.array([list(model.predict(row).values()) for row in fresh])
    expected = np.stack([boosters[output].predict(fresh) for output in OUTPUTS], 1)
    assert expected.std() > 0.3
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_trees_of_errors_grow_with_the_target():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(200, len(INPUTS)))
    label = -inputs[:, -1] - inputs[:, -2] + rng.normal(0, 0.1, 200)  # the opposite is true
    booster = fit._booster("rounded_loss", 20).fit(inputs, label)
    line = np.repeat(inputs[:1], 50, 0)
    line[:, -2:] = np.linspace(-3, 3, 50)[:, None]
    assert (np.diff(booster.predict(line)) >= 0).all()


def test_first_encodes_are_those_of_fast(folder):
    """What trees learn is what `fast` and the closed loop score first, without a model."""
    path = folder / "0.png"
    ((image, losses),) = first.crops_of(teacher.read_rgb(path))
    rows = first.first_encodes(path)
    assert len(rows) > 0
    loss_of = INPUTS.index("loss")
    for loss in losses:
        expected = {row[-2] for row in rows if np.isclose(row[loss_of], np.log(loss))}
        loops = {row[-1] for row in rows if np.isclose(row[loss_of], np.log(loss))}
        for effort, found in (("fast", expected), ("normal", loops)):
            seen = []
            options = Options(progress=seen.append, max_encodes=3)
            compress(image, ms_ssim=1 - loss, effort=effort, model=False, options=options)
            error = np.log(seen[0].loss / loss)
            assert min(abs(error - other) for other in found) < 0.03, effort


def test_records_go_on_where_they_stopped(folder):
    records = folder / "records.jsonl"
    begun = teacher.teach(folder, records, seconds=1e-9)  # one case is begun before time is up
    assert len(begun) == len(teacher.load(records)) == 1
    with records.open("a") as file:
        file.write('{"name": "cut o')
    assert len(teacher.load(records)) == 1
    whole = teacher.teach(folder, records)
    assert {record["name"] for record in whole} == {f"{i}.png" for i in range(6)}
    assert json.dumps(teacher.load(records)[0]) == json.dumps(begun[0])
    size = records.stat().st_size
    data = train_folder(folder, records)
    assert records.stat().st_size == size  # nothing was left to search for
    assert data == train_folder(folder, records)
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    facts = json.loads(str(arrays["facts"]))
    assert facts["photographs"] == 6
    assert set(facts["cross-validation"]) >= set(OUTPUTS)


def test_command(folder, capsys):
    output = folder / "own.npz"
    assert cli.main(["train", str(folder), "--output", str(output)]) == 0
    assert load(output).facts["facts"].shape == ()
    assert (folder / "own.npz.jsonl").exists()
    empty = folder / "empty"
    empty.mkdir()
    assert cli.main(["train", str(empty), "--output", str(folder / "none.npz")]) == 2
    assert "photographs or more; 0 tell of" in capsys.readouterr().err
    assert cli.main(["train", str(folder / "missing")]) != 0
    assert "is not a directory" in capsys.readouterr().err
