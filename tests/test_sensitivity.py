"""The quadratic form against the true metric: perturb coefficients, compare predicted with measured."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference, scale_count
from pyjpegml.sensitivity import (
    basis_energy,
    block_bands,
    block_weights,
    halving_offset,
    sampling_attenuation,
    spread,
)
from pyjpegml.ssim import C1, C2, WINDOW


def natural(h: int, w: int, seed: int = 0) -> np.ndarray:
    return made("natural", (h, w, 3), seed)


def cosine(k: int) -> np.ndarray:
    """The orthonormal pattern of natural index k."""
    x = np.arange(8)
    one = [
        np.cos((2 * x + 1) * f * np.pi / 16) / 2 / (np.sqrt(2) if f == 0 else 1) for f in range(8)
    ]
    return np.outer(one[k // 8], one[k % 8])


@pytest.mark.parametrize("k", [0, 1, 8, 9, 27, 63])
def test_energy_of_a_pattern_by_brute_force(k):
    """Halve and filter a picture that holds one pattern, and sum over all windows."""
    for phase in (0, 8):
        plane = np.zeros((400, 400))
        plane[160:168, 160 + phase : 168 + phase] = cosine(k)
        got = []
        for s in range(5):
            if s:
                plane = (
                    plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]
                ) / 4

            def blur(z):
                z = np.apply_along_axis(np.convolve, 0, z, WINDOW)
                return np.apply_along_axis(np.convolve, 1, z, WINDOW)

            variance = blur(plane**2) - blur(plane) ** 2
            got.append(variance.sum() * 4**s)
        wanted = basis_energy()[:5, k]
        # scale 4 is an average over phases; the finer ones do not depend on a phase of 8
        assert got[:4] == pytest.approx(wanted[:4], rel=2e-3, abs=1e-9)


def test_sensitivities_of_blocks_are_a_product_of_matrices():
    rng = np.random.default_rng(2)
    weights, energy = rng.random((5, 6), np.float32), rng.random((6, 64), np.float32)
    out = np.empty((5, 64), np.float32)
    spread(weights, energy, out)
    np.testing.assert_allclose(out, weights @ energy, rtol=1e-5)


def test_a_pattern_at_half_size_has_four_times_the_energy_where_nothing_is_lost():
    full, half = basis_energy(1, 1)[:, 0], basis_energy(2, 2)[:, 0]
    assert np.all(half[:3] > full[:3])
    assert half[5] == pytest.approx(16 * full[5], rel=0.35)


def test_bands_sum_to_what_each_block_has_of_windows():
    for size, scale in ((64, 0), (163, 1), (161, 4), (500, 3), (11, 0)):
        blocks = -(-size // 8)
        first, band = block_bands(size, blocks, scale)
        n = size
        for _ in range(scale):
            n = (n + 1) // 2
        windows = n - 10
        full = np.zeros((blocks, windows + band.shape[1]))
        for b in range(blocks):
            full[b, first[b] : first[b] + band.shape[1]] = band[b]
        assert not full[:, windows:].any()
        middle = full.sum(1)[2:-2] if blocks > 40 else full.sum(1)
        assert middle.max() <= WINDOW.sum() + 1e-12
        if blocks > 40:
            assert middle[10:-10] == pytest.approx(WINDOW.sum(), abs=1e-9)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "4:2:2"])
@pytest.mark.parametrize("size", [(200, 232), (171, 205), (170, 207)])
def test_predicts_the_loss_of_random_errors(subsampling, size):
    """Errors are put on planes in float, so that nothing is rounded but the final pixels."""
    from pyjpegml.planes import component_planes
    from pyjpegml.strips import YCBCR, picture

    image = natural(*size)
    geometry = Geometry(size[1], size[0], SUBSAMPLINGS[subsampling])
    reference = Reference(image)
    planes = component_planes(image, geometry)
    base = 1 - reference.score(picture(geometry, planes, YCBCR))
    weights = block_weights(reference, geometry)
    rng = np.random.default_rng(7)
    for i, plane in enumerate(geometry.planes):
        across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
        energy = basis_energy(across, down, 5, (halving_offset(size[1]), halving_offset(size[0])))
        for ks in ([1, 8, 9], [18, 27]):
            errors = np.zeros((plane.down, plane.across, 64))
            errors[:, :, ks] = rng.choice([-14, 14], (plane.down, plane.across, len(ks)))
            patterns = np.stack([cosine(k) for k in range(64)]).reshape(64, 8, 8)
            pixels = np.tensordot(errors, patterns, 1).transpose(0, 2, 1, 3)
            pixels = pixels.reshape(8 * plane.down, 8 * plane.across)
            changed = list(planes)
            changed[i] = np.clip(np.rint(planes[i] + pixels), 0, 255).astype(np.uint8)
            measured = 1 - reference.score(picture(geometry, changed, YCBCR)) - base
            predicted = float((weights[i] @ energy * errors**2).sum())
            assert measured == pytest.approx(predicted, rel=0.15)


def test_transposing_the_picture_transposes_the_weights():
    image = natural(96, 120)
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    a = block_weights(Reference(image), Geometry(120, 96, SUBSAMPLINGS["4:2:0"]))
    b = block_weights(Reference(turned), Geometry(96, 120, SUBSAMPLINGS["4:2:0"]))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y.transpose(1, 0, 2), rtol=1e-4)
    np.testing.assert_allclose(
        basis_energy(2, 1).reshape(6, 8, 8), basis_energy(1, 2).reshape(6, 8, 8).transpose(0, 2, 1)
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (8, 8), (17, 40), (100, 12)])
def test_small_pictures_have_finite_positive_weights(size):
    for image in (natural(*size), natural(*size)[:, :, 0], np.zeros((*size, 3), np.uint8)):
        factors = SUBSAMPLINGS["4:2:0"] if image.ndim == 3 else [(1, 1)]
        geometry = Geometry(size[1], size[0], factors)
        image = np.ascontiguousarray(image)
        scales = scale_count(*size)
        for plane, v in zip(
            geometry.planes, block_weights(Reference(image), geometry), strict=True
        ):
            w = v @ basis_energy(geometry.h_max // plane.h, geometry.v_max // plane.v, scales)
            assert w.shape == (plane.down, plane.across, 64)
            assert np.isfinite(w).all()
            assert w.min() > 0


def test_attenuation_is_none_at_full_size_and_grows_with_frequency():
    assert not sampling_attenuation(1, 1).any()
    lost = sampling_attenuation(2, 2).reshape(8, 8)
    assert lost[0, 0] == pytest.approx(0, abs=1e-6)
    assert np.all(np.diff(lost, axis=0) > 0)
    assert np.all(np.diff(lost, axis=1) > 0)


@pytest.mark.parametrize("size", [(45, 61), (170, 1300), (33, 2200)])
def test_maps_are_banded_products_over_tiles_of_windows(size):
    """The fused kernel against whole matrices: rows @ (1 / (2 v + C)) @ columns."""
    image = natural(*size)[:, :, 0].copy()
    reference = Reference(image)
    (got,) = block_weights(reference, Geometry(size[1], size[0], [(1, 1)]))
    for s, (scale, weight) in enumerate(zip(reference.channels[0], reference.weights, strict=True)):
        down, across = scale.windows
        by_row = scale.statistics.transpose(2, 1, 0, 3).reshape(2, down, -1)[:, :, :across]
        mean, variance = by_row.astype(float)
        bands = []
        for n, windows in zip(size, (down, across), strict=True):
            first, band = block_bands(n, -(-n // 8), s)
            full = np.zeros((len(first), windows + band.shape[1]))
            for b in range(len(first)):
                full[b, first[b] : first[b] + band.shape[1]] = band[b]
            bands.append(full[:, :windows])
        terms = [(s, 1 / (2 * variance + C2))]
        if s == len(reference.weights) - 1:
            terms.append((5, 1 / (2 * mean**2 + C1)))
        for term, inverse in terms:
            wanted = weight / (down * across) / 4**s * (bands[0] @ inverse @ bands[1].T)
            np.testing.assert_allclose(got[:, :, term], wanted, rtol=2e-6, atol=1e-15)
