"""The gradient of MS-SSIM against finite differences of the true metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml.coefficients import Geometry
from pyjpegml.descent import Descent
from pyjpegml.gradient import aim, fold
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference
from pyjpegml.planes import component_planes
from pyjpegml.quantizer import BASIS
from pyjpegml.sensitivity import basis_energy, block_weights, halving_offset
from pyjpegml.strips import YCBCR, picture


def damaged(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Smoothed and made noisy: both kinds of error."""
    rng = np.random.default_rng(seed)
    smooth = image.astype(float)
    smooth[1:-1, 1:-1] = (smooth[:-2, 1:-1] + smooth[2:, 1:-1] + 2 * smooth[1:-1, 1:-1]) / 4
    return np.clip(np.rint(smooth + rng.normal(0, 4, image.shape)), 8, 247).astype(np.uint8)


def descent(image: np.ndarray, other: np.ndarray, subsampling: str = "4:4:4") -> Descent:
    factors = SUBSAMPLINGS[subsampling] if image.ndim == 3 else [(1, 1)]
    geometry = Geometry(image.shape[1], image.shape[0], factors)
    reference = Reference(image)
    found = Descent(reference, geometry, block_weights(reference, geometry), reference.crew)
    found.at(other)
    return found


@pytest.mark.parametrize("size", [(176, 192), (163, 201), (45, 60), (11, 12)])
def test_derivative_of_grey_pixels(size):
    """Central differences in random directions; along e and y, where the terms are largest."""
    image = np.ascontiguousarray(made("natural", (*size, 3), 2)[:, :, 1]).clip(10, 245)
    other = damaged(image)
    reference = Reference(image)
    found = descent(image, other)
    assert found.score == pytest.approx(reference.score(other), abs=2e-6)
    gradient = found.gradients[0][: size[0], : size[1]]
    rng = np.random.default_rng(1)
    sign = np.sign(gradient)
    for direction in (
        sign, np.sign(other.astype(int) - image), sign * rng.integers(0, 2, size),
        sign * (np.indices(size).sum(0) % 2),
    ):  # fmt: skip
        step = direction.astype(int)
        up = reference.score((other + step).astype(np.uint8), exact=True)
        down = reference.score((other - step).astype(np.uint8), exact=True)
        measured = (down - up) / 2
        assert measured == pytest.approx(float((gradient * step).sum()), rel=0.02)


def test_derivative_by_position_not_only_in_sum():
    """Single bands of rows and columns, borders included."""
    image = np.ascontiguousarray(made("natural", (170, 181, 3), 4)[:, :, 0]).clip(10, 245)
    other = damaged(image, 3)
    reference = Reference(image)
    gradient = descent(image, other).gradients[0][:170, :181]
    for rows, columns in (
        (slice(0, 6), slice(0, 181)), (slice(164, 170), slice(0, 181)),
        (slice(0, 170), slice(0, 5)), (slice(0, 170), slice(176, 181)),
        (slice(80, 90), slice(60, 90)),
    ):  # fmt: skip
        step = np.zeros((170, 181), int)
        step[rows, columns] = np.sign(gradient[rows, columns])
        up = reference.score((other + step).astype(np.uint8), exact=True)
        down = reference.score((other - step).astype(np.uint8), exact=True)
        assert (down - up) / 2 == pytest.approx(float((gradient * step).sum()), rel=0.03)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0"])
def test_derivative_of_the_samples_of_each_component(subsampling):
    image = made("natural", (180, 197, 3), 6).clip(30, 225)
    geometry = Geometry(197, 180, SUBSAMPLINGS[subsampling])
    reference = Reference(image)
    rng = np.random.default_rng(2)
    planes = [
        np.clip(np.rint(plane + rng.normal(0, 3, plane.shape)), 20, 235).astype(np.uint8)
        for plane in component_planes(image, geometry)
    ]
    other = picture(geometry, planes, YCBCR)
    gradients = descent(image, other, subsampling).gradients
    for i, gradient in enumerate(gradients):
        gradient = gradient[:, : planes[i].shape[1]]
        step = 4 * np.sign(gradient).astype(int)
        scores = []
        for sign in (1, -1):
            changed = list(planes)
            changed[i] = (planes[i] + sign * step).astype(np.uint8)
            scores.append(reference.score(picture(geometry, changed, YCBCR), exact=True))
        predicted = float((gradient * step).sum())
        assert (scores[1] - scores[0]) / 2 == pytest.approx(predicted, rel=0.06)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("odd", [0, 1])
def test_folding_is_the_transpose_of_the_triangle_filter(size, odd):
    wide = 2 * size - odd
    up = np.zeros((wide, size))  # libjpeg's h2v1 "fancy" upsampling
    for j in range(wide):
        near, far = j // 2, j // 2 + (1 if j % 2 else -1)
        if size <= 2:
            up[j, near] = 1
        else:
            up[j, near] += 0.75
            up[j, min(max(far, 0), size - 1)] += 0.25
    gradient = np.random.default_rng(size).normal(size=(3, wide)).astype(np.float32)
    line = np.empty(100, np.float32)
    for array, across, down in ((gradient, 2, 1), (gradient.T.copy(), 1, 2)):
        rows, columns = (3, size) if across == 2 else (size, 3)
        out = np.zeros((rows, columns), np.float32)
        fold(
            array, np.float32(1), np.float32(0), across, down, columns, rows, 0, rows,
            line[: array.shape[1] + 1], out,
        )  # fmt: skip
        if down == 2:
            out = out.T
        np.testing.assert_allclose(out, gradient @ up, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("finest_is_alone", [False, True])
def test_targets_move_to_the_minimum_of_each_parabola(finest_is_alone):
    rng = np.random.default_rng(8)
    down, across = 2, 3
    gradient = rng.normal(size=(8 * down, 8 * across)).astype(np.float32)
    levels = rng.integers(-5, 6, (down, across + 1, 64)).astype(np.int16)
    steps = rng.uniform(1, 9, 64).astype(np.float32)
    weights = rng.uniform(0.5, 1, (down, across, 6)).astype(np.float32)
    energy = rng.uniform(0.5, 1, (6, 64)).astype(np.float32)
    plain = rng.uniform(0.1, 1, 64).astype(np.float32)
    originals = rng.integers(-200, 201, (down, across + 1, 64)).astype(np.int16)
    alone = energy[0] / 3 if finest_is_alone else np.zeros(64, np.float32)
    targets = np.zeros((down, across + 1, 64), np.float32)
    aim(
        gradient, levels, steps, weights, energy, plain, alone, originals, BASIS, BASIS.T.copy(), 0, down,
        across, np.empty((8, 8 * across), np.float32), np.empty(64, np.float32), targets,
    )  # fmt: skip
    assert not targets[:, across].any()
    np.testing.assert_allclose(BASIS @ BASIS.T, np.eye(8), atol=1e-6)
    assert BASIS[0, 0] == pytest.approx(math.sqrt(1 / 8))
    for row in range(down):
        for column in range(across):
            block = gradient[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            by_coefficient = (BASIS @ block @ BASIS.T).ravel()
            value = levels[row, column] * steps
            form = plain + weights[row, column, 0] * alone
            slope = by_coefficient + 2 * form * (value - originals[row, column] / 8)
            wanted = value - slope / (2 * weights[row, column] @ energy)
            np.testing.assert_allclose(targets[row, column], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(176, 200), (171, 205)])
def test_weights_at_the_original_are_those_of_the_sensitivities(size):
    """Two ways to the same number: bands over windows, and what windows give back to pixels."""
    image = made("natural", (*size, 3), 1)
    geometry = Geometry(size[1], size[0], SUBSAMPLINGS["4:2:0"])
    reference = Reference(image)
    known = block_weights(reference, geometry)
    found = Descent(reference, geometry, known, reference.crew)
    found.at(image)
    assert found.score == pytest.approx(1, abs=1e-6)
    offsets = halving_offset(size[1]), halving_offset(size[0])
    for i, plane in enumerate(geometry.planes):
        energy = basis_energy(geometry.h_max // plane.h, geometry.v_max // plane.v, 5, offsets)
        np.testing.assert_allclose(found.weights[i] @ energy, known[i] @ energy, rtol=1e-3)
        assert np.abs(found.gradients[i]).max() < 1e-9


def test_lost_texture_masks_nothing():
    """Where the reconstruction is smooth, weights are up to twice those of the original."""
    rng = np.random.default_rng(4)
    image = np.clip(rng.normal(128, 30, (192, 192)), 0, 255).astype(np.uint8)
    reference = Reference(image)
    geometry = Geometry(192, 192, [(1, 1)])
    known = block_weights(reference, geometry)
    found = Descent(reference, geometry, known, reference.crew)
    found.at(np.full_like(image, 128))
    ratio = found.weights[0][4:-4, 4:-4, 0] / known[0][4:-4, 4:-4, 0]
    assert ratio.min() > 1  # divided by the mean of cs, which is small
