"""The picture at half size: against what a decoder makes, and its gradient against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import picture as made
from test_quantizer import analysed

from pyjpegml import compress
from pyjpegml.half_size import (
    HALVED,
    SHIFTED,
    STRETCHED,
    STRETCHED_SHIFTED,
    from_half,
    to_half,
)
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import halved
from pyjpegml.quantizer import Quantizer
from pyjpegml.threads import Crew

SIZES = [(176, 208), (177, 208), (176, 203), (171, 205)]


def quantized(image: np.ndarray, subsampling: str, scale: float = 0.3) -> Quantizer:
    sampling = SUBSAMPLINGS[subsampling] if image.ndim == 3 else ((1, 1),)
    problem = analysed(image, sampling)
    quantizer = problem.quantizer(problem.estimator.qtables(scale), True)
    assert quantizer.halves
    return quantizer


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:0", "4:4:4", "grey"])
def test_half_size_is_that_of_the_decoded_picture(size, subsampling):
    """But for the decoder's rounding."""
    image = made("natural", (*size, 3), 4).clip(20, 235)
    if subsampling == "grey":
        image = np.ascontiguousarray(image[:, :, 1])
    quantizer = quantized(image, subsampling)
    descent = quantizer._half_descent()
    channels = descent._channels(descent._components(quantizer.levels))
    decoded = quantizer.pixels(quantizer.levels)
    assert len(channels) == (1 if image.ndim == 2 else 3)
    for c, plane in enumerate(np.atleast_3d(decoded).transpose(2, 0, 1)):
        wanted = halved(np.ascontiguousarray(plane, np.float32))
        found = channels[c]
        assert found.shape == wanted.shape
        assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.6
        assert np.abs(found - wanted)[0].mean() < 0.8  # borders that are halved with zeros
        assert np.abs(found - wanted)[:, 0].mean() < 0.8


def test_flat_blocks_are_rounded_as_a_decoder_rounds_them():
    """So that small errors of flat areas vanish, as they do when decoded."""
    quantizer = quantized(np.full((170, 180, 3), (93, 121, 140), np.uint8), "4:2:0")
    descent = quantizer._half_descent()
    channels = descent._channels(descent._components(quantizer.levels))
    decoded = quantizer.pixels(quantizer.levels)
    for c in range(3):
        np.testing.assert_array_equal(channels[c], decoded[::2, ::2, c])


def test_inks_are_halved_too():
    image = np.concatenate([made("natural", (180, 170, 3), k)[:, :, :2] // 2 for k in (1, 2)], 2)
    problem = analysed(image, ((1, 1),) * 4)
    quantizer = problem.quantizer(problem.estimator.qtables(0.3), True)
    descent = quantizer._half_descent()
    channels = descent._channels(descent._components(quantizer.levels))
    decoded = quantizer.pixels(quantizer.levels)
    for c in range(4):
        wanted = halved(np.ascontiguousarray(decoded[:, :, c], np.float32))
        assert np.abs(channels[c] - wanted).mean() < 0.6


@pytest.mark.parametrize("across", [HALVED, STRETCHED, SHIFTED, STRETCHED_SHIFTED])
@pytest.mark.parametrize("down", [HALVED, STRETCHED, SHIFTED, STRETCHED_SHIFTED])
def test_back_is_the_transpose(across, down):
    """<half(x), g> = <x, half'(g)> for any x and g."""
    rng = np.random.default_rng(1)
    height, width = 7, 9
    full = {HALVED: 2, STRETCHED: 1, SHIFTED: 2, STRETCHED_SHIFTED: 1}
    rows = full[down] * height - (down == SHIFTED)
    columns = full[across] * width - (across == SHIFTED)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    g = rng.normal(size=(height, width)).astype(np.float32)
    half = x
    if down == HALVED:
        half = (half[0::2] + half[1::2]) / 2
    if across == HALVED:
        half = (half[:, 0::2] + half[:, 1::2]) / 2
    out = np.empty((height, width), np.float32)
    line = np.empty(half.shape[1], np.float32)
    to_half(np.ascontiguousarray(half), across, down, 0, height, line, out)
    back = np.full((rows + 3, columns + 2), np.nan, np.float32)
    line = np.empty(width + 1, np.float32)
    from_half(g, across, down, columns, rows, 0, 4, line, back)
    from_half(g, across, down, columns, rows, 4, rows + 3, line, back)
    assert not back[rows:].any()
    assert not back[:, columns:].any()
    assert float((out * g).sum()) == pytest.approx(float((x * back[:rows, :columns]).sum()), 1e-4)


@pytest.mark.parametrize("size", [(176, 208), (171, 205)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:2:2"])
def test_the_gradient_is_that_of_the_coarse_loss(size, subsampling):
    """Differences of the loss at half size, with steps of 1 and levels a step apart."""
    image = made("natural", (*size, 3), 2).clip(30, 225)
    problem = analysed(image, SUBSAMPLINGS[subsampling])
    quantizer = problem.quantizer([np.ones((8, 8), np.uint16)] * 3, True)
    rng = np.random.default_rng(3)
    levels = quantizer.levels + rng.integers(-6, 7, quantizer.levels.shape).astype(np.int16)
    descent = quantizer._half_descent()
    memory = np.empty(quantizer.geometry.size, np.float32)
    looked = descent.look(levels, memory)
    assert looked.coarse == pytest.approx(descent.losses(levels).coarse, rel=1e-3)
    for i, plane in enumerate(quantizer.geometry.planes):
        view = quantizer.geometry.view(memory, i)[: plane.down]
        samples = view.reshape(plane.down, 8, plane.stride, 8)
        basis = quantizer_basis()
        by_coefficient = np.einsum("ua,rasb,vb->rsuv", basis, samples, basis)
        for u, v in ((0, 0), (0, 1), (1, 1), (2, 0)):
            # all blocks at once, each downhill, by half of its own noise
            direction = np.sign(by_coefficient[:, : plane.across, u, v]).astype(np.int16)
            slope = np.abs(by_coefficient[:, : plane.across, u, v]).sum()
            losses = []
            for sign in (1, -1):
                other = levels.copy()
                blocks = quantizer.geometry.view(other, i)
                blocks[: plane.down, : plane.across, 8 * u + v] += sign * direction
                losses.append(descent.losses(other).coarse)
            assert (losses[0] - losses[1]) / 2 == pytest.approx(slope, rel=0.03)


def quantizer_basis() -> np.ndarray:
    x = np.arange(8)
    basis = np.cos((2 * x + 1) * x[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


def test_the_finest_scale_loses_what_the_form_says():
    quantizer = quantized(made("natural", (176, 208, 3), 5), "4:2:0")
    descent = quantizer._half_descent()
    losses = descent.losses(quantizer.levels)
    wanted = descent._rounding
    for i, plane in enumerate(quantizer.geometry.planes):
        levels = quantizer.geometry.view(quantizer.levels, i)[: plane.down, : plane.across]
        originals = quantizer.geometry.view(quantizer._coefficients, i)
        error = levels * quantizer._steps[i] - originals[: plane.down, : plane.across] / 8
        form = quantizer._original[i][:, :, 0] * (error**2 @ quantizer._energies[i][0])
        wanted += form.sum()
    assert losses.fine == pytest.approx(wanted, rel=1e-4)
    assert 0 < descent._rounding < 0.5 * losses.fine


def test_coarse_and_fine_loss_are_nearly_the_true_one():
    """And with what one set of levels has told, that of other levels is nearly exact."""
    quantizer = quantized(made("natural", (304, 336, 3), 5), "4:2:0", 0.5)
    score = quantizer.reference.quick_score
    price = 0.02 / (304 * 336)
    trust = 1.0
    for number, factor in enumerate((1, 1.2, 1.4)):
        quantizer.keep(quantizer.trellis(factor * price))
        losses = quantizer.half_losses(quantizer.levels)
        loss = 1 - score(quantizer.pixels(quantizer.levels))
        assert losses.total(losses.foreseen_trust()) == pytest.approx(loss, rel=0.12)
        if number:
            assert losses.total(trust) == pytest.approx(loss, rel=0.02)
        trust = losses.trust(loss)
        assert losses.total(trust) == pytest.approx(loss, rel=1e-6)


def test_memory_that_is_kept_changes_nothing():
    """Looks and losses of one quantizer after the other, and of fresh ones."""
    image = made("natural", (195, 240, 3), 5)
    used = quantized(image, "4:2:0", 0.3)
    first = used.half_losses(used.levels)
    used.rescale(quantized(image, "4:2:0", 0.5).qtables)
    price = 0.02 / (195 * 240)
    used.keep(used.trellis(price, used.levels))
    fresh = quantized(image, "4:2:0", 0.5)
    fresh.keep(used.levels.copy())
    assert used.half_losses(used.levels) == fresh.half_losses(fresh.levels) != first
    for number in range(2):
        assert used.half_look(1.1) == fresh.half_look(1.1)
        assert used.looked
        np.testing.assert_array_equal(used._targets, fresh._targets)
        used.aim(1.2 + number)
        fresh.aim(1.2 + number)
        used.keep(used.trellis(2 * price, used.levels.copy()))
        fresh.keep(fresh.trellis(2 * price))
        np.testing.assert_array_equal(used.levels, fresh.levels)
        used.pixels(used.levels)  # which gives the memory back
    with pytest.raises(AssertionError):
        used.rescale(fresh.qtables)


def test_threads_change_nothing():
    image = made("natural", (400, 300, 3), 5)
    one = quantized(image, "4:2:0")
    looked, targets = one.half_look(1.1), one._targets.copy()
    with Crew(3) as crew:
        three = quantized(image, "4:2:0")
        three.reference.crew = crew
        three._each = crew.each
        assert three.half_look(1.1) == looked
        np.testing.assert_array_equal(three._targets, targets)


@pytest.mark.parametrize("size", [(161, 161), (163, 240), (240, 162)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_smallest_pictures_that_have_all_scales(size, channels):
    image = made("natural", (*size, 3), 6)
    if channels == 1:
        image = np.ascontiguousarray(image[:, :, 1])
    result = compress(image, ms_ssim=0.98)
    assert result.met
    estimated = [name for name, _, _ in result.steps if "estimated" in name]
    assert estimated
    assert 0 < len(result.steps) - len(estimated) <= result.encodes
