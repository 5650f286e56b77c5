"""Forecasts of the loss: sums against plain loops, forecasts against the true metric."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made
from test_quantizer import analysed

from pyjpegml.forecast import Change, weigh_change
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.quantizer import Quantizer


def test_sums_are_those_of_the_formula():
    rng = np.random.default_rng(1)
    shape = (2, 3, 64)
    before, after = rng.integers(-3, 4, (2, *shape)).astype(np.int16)
    after[0, 0] = before[0, 0]
    after[rng.random(shape) < 0.3] = 0
    targets = rng.normal(0, 30, shape).astype(np.float32)
    originals = rng.integers(-300, 300, shape).astype(np.int16)
    steps, plain = rng.uniform(3, 20, 64).astype(np.float32), rng.random(64).astype(np.float32)
    weights = rng.random((2, 2, 6)).astype(np.float32)  # the third column is padding
    energy = (1 + rng.random((6, 64))).astype(np.float32)
    damping = 1.3
    found = weigh_change(
        before, after, targets, originals, steps, weights, energy, plain, np.float32(damping)
    )
    slope = dropped = moved = 0.0
    for row, column, k in np.ndindex(2, 2, 64):
        place = row, column, k
        sensitivity = float(weights[row, column] @ energy[:, k])
        value, step = float(before[place] * steps[k]), float(steps[k])
        change = (int(after[place]) - int(before[place])) * step
        gradient = 2 * damping * sensitivity * (value - targets[place])  # of loss and floor
        slope += (gradient - 2 * plain[k] * (value - originals[place] / 8)) * change
        square = (sensitivity - plain[k]) * change**2
        if after[place] == 0:
            dropped += square
        else:
            moved += square
    assert found == pytest.approx((slope, dropped, moved), rel=1e-4)


def looked_at(image: np.ndarray, subsampling: str, scale: float) -> tuple[Quantizer, float, float]:
    """A quantizer whose targets follow the gradient, its loss, and a price."""
    problem = analysed(image, SUBSAMPLINGS[subsampling])
    quantizer = problem.quantizer(problem.estimator.qtables(scale), True)
    price = 0.08 * scale**2 / (image.shape[0] * image.shape[1])
    quantizer.keep(quantizer.trellis(price))
    for damping in (1.1, 1.7):
        loss = quantizer.look()
        quantizer.aim(damping)
        if damping < 1.5:
            quantizer.keep(quantizer.trellis(price))
    return quantizer, loss, price


def true_loss(quantizer: Quantizer, levels: np.ndarray) -> float:
    return 1 - quantizer.reference.score(quantizer.pixels(levels), exact=True)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_one_stiffness_holds_for_all_prices(subsampling):
    """What the levels of one price tell is enough for those of others, within two percent."""
    quantizer, loss, price = looked_at(made("natural", (180, 200, 3), 2), subsampling, 0.5)
    levels = quantizer.trellis(price)
    change = quantizer.change(levels)
    stiffness = (true_loss(quantizer, levels) - loss - change.slope - change.dropped) / change.moved
    assert 1.2 < stiffness < 4
    for factor in (0.7, 1.3):
        levels = quantizer.trellis(factor * price)
        change = quantizer.change(levels)
        forecast = loss + change.slope + change.dropped + stiffness * change.moved
        assert forecast == pytest.approx(true_loss(quantizer, levels), rel=0.02)


def test_equal_levels_change_nothing():
    quantizer, _, _ = looked_at(made("natural", (60, 70, 3), 3), "4:2:0", 0.5)
    assert quantizer.change(quantizer.levels.copy()) == Change(0.0, 0.0, 0.0)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_a_sample_has_the_levels_of_the_whole(subsampling):
    """But for DC, whose path begins with each strip, and empty blocks, whose runs do."""
    quantizer, _, price = looked_at(made("natural", (700, 90, 3), 4), subsampling, 0.5)
    levels = quantizer.trellis(price)
    part = quantizer.sampled_trellis(price, np.zeros_like(levels))
    strips = quantizer._sampled_strips()
    assert len(strips) > 3
    for i, first, last in strips:
        across = quantizer.geometry.planes[i].across
        ours, theirs = (
            quantizer.geometry.view(array, i)[first:last, :across] for array in (part, levels)
        )
        assert (ours == theirs).all(2).mean() > 0.95
    some, every = quantizer.change(part, sampled=True), quantizer.change(levels)
    np.testing.assert_allclose(some, every, rtol=0.3)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_coherence_is_the_ratio_of_its_definition(subsampling):
    """Of all blocks of a small picture; the targets are then where the gradient was."""
    quantizer, _, _ = looked_at(made("natural", (90, 100, 3), 5), subsampling, 0.5)
    quantizer.look()
    found = quantizer.coherence()
    quantizer.aim(1.7)
    squares = products = 0.0
    for i, plane in enumerate(quantizer.geometry.planes):
        steps, damping = quantizer.qtables[i].reshape(64).astype(float), 1.7
        view = quantizer.geometry.view
        for row, column in np.ndindex(plane.down, plane.across):
            value = view(quantizer.levels, i)[row, column] * steps
            sensitivity = quantizer._weights[i][row, column] @ quantizer._energies[i]
            needed = damping * (value - view(quantizer._targets, i)[row, column])
            error = value - view(quantizer._coefficients, i)[row, column] / 8
            squares += float((sensitivity * needed**2).sum())
            products += float((sensitivity * needed * error).sum())
    assert found == pytest.approx(squares / products, rel=1e-3)
