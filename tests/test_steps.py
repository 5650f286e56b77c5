"""Steps by what each would lose and cost."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from helpers import picture as made
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import compress
from pyjpegml.assembly import assemble
from pyjpegml.encoder import analyse, quantize_all
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.knobs import Start
from pyjpegml.metrics import Reference
from pyjpegml.reconstruction import reconstruct
from pyjpegml.scale_search import COARSEST, FINEST, add_sampling_loss, candidate
from pyjpegml.steps import (
    BLUR,
    CATEGORIES,
    COARSER,
    FINER,
    LEAST_STEP,
    Steps,
    bits_of,
    blurred,
    shaped,
    try_ac_steps,
    try_dc_steps,
)
from pyjpegml.tables import ROUNDING, Estimator, closed_form_qtables


def estimator_of(image: np.ndarray, subsampling: str = "4:2:0") -> Estimator:
    geometry, coefficients = analyse(image, SUBSAMPLINGS.get(subsampling, ((1, 1),)))
    return Estimator(Reference(image), geometry, coefficients)


def entropy(values: list[int]) -> float:
    """Bits of the categories of some values, and behind them."""
    sizes = [abs(value).bit_length() for value in values]
    total = sum(n * math.log2(len(sizes) / n) for n in Counter(sizes).values())
    return total + sum(sizes)


def random_blocks(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A coefficient times 8, and its sensitivities, in n blocks."""
    rng = np.random.default_rng(seed)
    values = np.rint(rng.laplace(0, 10.0 ** rng.uniform(0, 3.5), n)).clip(-32768, 32767)
    return values.astype(np.int16), rng.uniform(0.01, 2, n).astype(np.float32)


@given(st.integers(1, 50), st.integers(0, 2**32), st.sampled_from([0.0, 0.3]))
def test_ac_by_hand(n: int, seed: int, attenuation: float) -> None:
    values, weights = random_blocks(n, seed)
    tried = np.array([LEAST_STEP, 0.5, 1, 1.5, 2, 7, 20, 255, 1e9], np.float32)
    losses, counts = np.empty(len(tried)), np.zeros((len(tried), CATEGORIES), np.int64)
    sizes = np.abs(values, dtype=np.float32) / 8
    try_ac_steps(
        sizes.copy(), weights.copy(), np.float32(attenuation), tried, np.float32(ROUNDING), counts,
        losses,
    )  # fmt: skip
    for step, loss, cost in zip(tried.tolist(), losses, bits_of(counts), strict=True):
        levels = np.floor(sizes / step + ROUNDING + 1e-6)
        others = np.floor(sizes / step + ROUNDING - 1e-6)
        if (levels != others).any():  # a tie, in which one or the other is right
            continue
        errors = sizes - levels * step
        expected = (weights * errors * (errors + attenuation * sizes)).sum()
        assert loss == pytest.approx(expected, rel=1e-4, abs=1e-2)
        assert cost == pytest.approx(entropy(levels.astype(int).tolist()), abs=1e-6)


@given(st.integers(1, 50), st.integers(0, 2**32))
def test_dc_by_hand(n: int, seed: int) -> None:
    """Differences of levels that are rounded to the nearest."""
    values, weights = random_blocks(n, seed)
    neighbors, _ = random_blocks(n, seed + 1)
    tried = np.array([LEAST_STEP, 1, 3, 16, 255], np.float32)
    losses, counts = np.empty(len(tried)), np.zeros((len(tried), CATEGORIES), np.int64)
    try_dc_steps(values, neighbors, weights, np.float32(0), tried, counts, losses)
    for step, loss, cost in zip(tried.tolist(), losses, bits_of(counts), strict=True):
        levels, others = (np.floor(v / 8 / step + 0.5).astype(int) for v in (values, neighbors))
        assert loss == pytest.approx((weights * (values / 8 - levels * step) ** 2).sum(), rel=1e-4)
        assert cost == pytest.approx(entropy((levels - others).tolist()), abs=1e-6)


def test_extreme_coefficients_stay_inside_the_categories() -> None:
    ends = np.array([-32768, 32767], np.int16)
    counts, least = np.zeros((1, CATEGORIES), np.int64), np.array([LEAST_STEP], np.float32)
    ones = np.ones(2, np.float32)
    try_dc_steps(ends, ends[::-1].copy(), ones, np.float32(0), least, counts, np.empty(1))
    assert counts[0, -1] == counts.sum() == 2


def test_fine_steps_are_those_of_the_closed_form() -> None:
    """Where all coefficients are large against steps, nothing can be gained."""
    image = np.random.default_rng(1).integers(0, 256, (160, 160), np.uint8)
    estimator = estimator_of(image, "grey")
    scale = 8 * math.sqrt(float(np.median(estimator.mean_weights[0])))
    (shape,) = Steps(estimator, scale, 0.5).at(scale).shapes
    assert np.abs(shape[1:]).max() < 0.15
    assert abs(shape.mean()) < 0.05  # a seventh of the distance of two steps that are tried


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "grey"])
def test_steps_are_the_best_ones(photo: np.ndarray, subsampling: str) -> None:
    """At the price, up to what smoothing takes, and by the curves that they were chosen from."""
    image = np.ascontiguousarray(photo[:, :, 1]) if subsampling == "grey" else photo
    found = Steps(estimator_of(image, subsampling), 0.3)
    price = math.log(2) / 6 * 0.3**2 / (image.shape[0] * image.shape[1])
    usual = chosen = least = 0.0
    for losses, bits, shape in zip(found.losses, found.bits, found.at(0.3).shapes, strict=True):
        costs = losses + price * bits
        place = (2 * shape / math.log(2) + FINER).clip(0, FINER + COARSER)
        x = np.arange(FINER + COARSER + 1)
        chosen += sum(float(np.interp(p, x, row)) for p, row in zip(place, costs, strict=True))
        usual += costs[:, FINER].sum()
        least += costs.min(1).sum()
    assert least <= chosen < usual
    assert chosen - least < 0.5 * (usual - least)


def test_the_loss_is_the_estimators() -> None:
    estimator = estimator_of(made("natural", (240, 240, 3), 4))
    found = Steps(estimator, 0.25)
    losses = []
    for scale in np.geomspace(0.1, 0.6, 12):
        choice = found.at(scale)
        tables = closed_form_qtables(shaped(estimator.mean_weights, choice.shapes), scale)
        assert choice.loss == pytest.approx(estimator.loss(tables), rel=0.08)
        losses.append(choice.loss)
    assert losses == sorted(losses)


def test_shapes_are_blurred_but_for_dc() -> None:
    shape = np.zeros(64)
    shape[0] = 1.0
    np.testing.assert_array_equal(blurred(shape), shape)
    shape[27] = 1.0
    table = blurred(shape).reshape(8, 8)
    assert table[3, 3] == pytest.approx(1 - 4 * BLUR)
    assert table[2, 3] == table[3, 4] == pytest.approx(BLUR)
    np.testing.assert_allclose(blurred(np.full(64, 0.7)), 0.7)


def size_and_loss(
    image: np.ndarray, subsampling: str, budget: float, by_steps: bool
) -> tuple[int, float]:
    """Of rounded coefficients, about at a budget."""
    reference = Reference(image)
    plan = candidate(image, reference, subsampling)
    add_sampling_loss(plan, image, reference)
    for _ in range(4):
        if not plan.trials:
            plan.begin(Start(np.zeros(7)), budget if by_steps else None)
        scale = plan.scale_for(budget)
        qtables = plan.qtables(scale)
        levels = quantize_all(plan.geometry, plan.coefficients, qtables, ROUNDING)
        pixels = reconstruct(plan.geometry, levels, qtables, reference.crew)
        plan.trials.append((scale, 1 - reference.score(pixels)))
    return len(assemble(plan.geometry, levels, qtables)), plan.trials[-1][1]


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_files_are_smaller(photo: np.ndarray, subsampling: str) -> None:
    """Than with the closed form, at the same loss."""
    plain, plain_loss = size_and_loss(photo, subsampling, 0.01, False)
    ours, loss = size_and_loss(photo, subsampling, 0.01, True)
    assert loss == pytest.approx(plain_loss, rel=0.02)
    assert ours < 0.98 * plain


@pytest.mark.parametrize("kind", ["black", "white", "noise", "lines"])
def test_any_picture(kind: str) -> None:
    """Nothing to quantize, or nothing that could be spared: tables are legal, the target is met."""
    image = np.zeros((64, 72, 3), np.uint8)
    if kind == "white":
        image += 255
    if kind == "noise":
        image = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    if kind == "lines":
        image[::8] = 255
    result = compress(image, effort="fast", ms_ssim=0.95)
    assert result.met
    for table in result.qtables:
        assert 1 <= table.min() <= table.max() <= 255


def content(kind: str) -> tuple[np.ndarray, str | None]:
    """Pictures with hardly anything to quantize, and how they are meant."""
    two = np.zeros((80, 100, 3), np.uint8)
    two[:, 50:] = 255
    return {
        "flat": (np.full((64, 72, 3), 77, np.uint8), None),
        "pixel": (np.array([[[200, 90, 30]]], np.uint8), None),
        "grey": (made("natural", (20, 20, 3), 1)[:, :, 0].copy(), None),
        "two": (two, None),
        "ink": (np.full((40, 40, 4), 50, np.uint8), "CMYK"),
        "natural": (made("natural", (64, 64, 3), 1), None),
    }[kind]


CONTENTS = ("flat", "pixel", "grey", "two", "ink", "natural")


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("budget", [1e-9, 1e-4, 0.01, 0.1, 0.5])
def test_the_finest_and_the_coarsest_tables_stay_what_they_are(kind: str, budget: float) -> None:
    """All steps 1, and all 255, whatever the shape: a search ends with them."""
    image, _ = content(kind)
    name = "grey" if image.ndim == 2 else "4:4:4"
    plan = candidate(image, Reference(image), name)
    plan.begin(Start(np.zeros(7)), budget)
    assert all(table.max() == 1 for table in plan.qtables(FINEST))
    assert all(table.min() == 255 for table in plan.qtables(COARSEST))
    assert plan.shapes is not None
    assert all(np.abs(shape).max() < (FINER + COARSER) / 2 for shape in plan.shapes)


@pytest.mark.parametrize("kind", CONTENTS)
def test_files_of_any_content_meet_what_finest_tables_meet(kind: str) -> None:
    image, color = content(kind)
    for target in (0.5, 0.9, 0.99, 0.999, 0.9999):
        result = compress(image, effort="fast", ms_ssim=target, color=color)
        assert result.met or (target > 0.99 and all(t.max() == 1 for t in result.qtables))
