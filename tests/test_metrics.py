"""MS-SSIM against an oracle written from its definition, in float64 with SciPy's filters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from pyjpegml import ms_ssim
from pyjpegml.metrics import Reference, luma, psnr, scale_count, scale_weights
from pyjpegml.ssim import WINDOW

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
C1, C2 = 6.5025, 58.5225


def blur(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Valid part of the separable window."""
    rows = correlate1d(x, WINDOW, axis=0)[5:-5]
    return correlate1d(rows, WINDOW, axis=1)[:, 5:-5]


def halve(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    h, w = x.shape
    x = np.pad(x, ((h & 1, 0), (w & 1, 0)))
    return (x[0::2, 0::2] + x[1::2, 0::2] + x[0::2, 1::2] + x[1::2, 1::2]) / 4


def oracle(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """One channel, the textbook form: l and cs from means, variances and covariance."""
    x, y = a.astype(float), b.astype(float)
    missing = [(0, max(11 - n, 0)) for n in x.shape]
    x, y = np.pad(x, missing, mode="edge"), np.pad(y, missing, mode="edge")
    scales = 1
    while scales < 5 and -(-min(x.shape) // 2**scales) >= 11:
        scales += 1
    weights = WEIGHTS[:scales] / WEIGHTS[:scales].sum() * WEIGHTS.sum()
    score = 1.0
    for s in range(scales):
        if s:
            x, y = halve(x), halve(y)
        mx, my = blur(x), blur(y)
        vx, vy, c = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        similarity = (2 * c + C2) / (vx + vy + C2)
        if s == scales - 1:
            similarity *= (2 * mx * my + C1) / (mx**2 + my**2 + C1)
        score *= max(similarity.mean(), 0) ** weights[s]
    return score


def picture(kind: str, h: int, w: int, seed: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (h, w), np.uint8)
    if kind == "flat":
        return np.full((h, w), rng.integers(0, 256), np.uint8)
    ramp = np.add.outer(np.arange(h) * rng.uniform(0, 2), np.arange(w) * rng.uniform(0, 2))
    if kind == "gradient":
        return (ramp % 256).astype(np.uint8)
    return np.clip(128 + 60 * np.sin(ramp / 7) + rng.normal(0, 8, (h, w)), 0, 255).astype(np.uint8)


KINDS = st.sampled_from(["noise", "flat", "gradient", "waves"])


@given(KINDS, KINDS, st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_equals_the_definition(first, second, h, w, seed):
    a, b = picture(first, h, w, seed), picture(second, h, w, seed + 1)
    assert ms_ssim(a, b) == pytest.approx(oracle(a, b), abs=1e-7)


@pytest.mark.parametrize(
    "size", [(161, 161), (161, 400), (257, 163), (530, 1100), (177, 1034), (170, 2083)]
)
def test_five_scales_equal_the_definition(size):
    a = picture("waves", *size, 5)
    for b in (picture("noise", *size, 6), np.roll(a, 1, 0), 255 - a, a // 8 * 8):
        assert ms_ssim(a, b) == pytest.approx(oracle(a, b), abs=1e-7)
        assert Reference(a).score(b, exact=True) == pytest.approx(oracle(a, b), abs=1e-8)


def test_channels_are_scored_apart_and_averaged():
    a = np.stack([picture("waves", 170, 190, i) for i in range(3)], 2)
    b = np.stack([a[:, :, 0], picture("noise", 170, 190, 9), a[:, :, 2] // 16 * 16], 2)
    channels = ms_ssim(a, b, per_channel=True)
    assert channels == pytest.approx([oracle(a[:, :, i], b[:, :, i]) for i in range(3)], abs=1e-8)
    assert channels[0] == 1.0
    assert ms_ssim(a, b) == pytest.approx(channels.mean(), abs=1e-15)


def test_luma_only_is_the_score_of_the_luma_planes():
    a = np.stack([picture("waves", 170, 190, i) for i in range(3)], 2)
    b = a // 32 * 32
    assert ms_ssim(a, b, luma_only=True) == ms_ssim(luma(a), luma(b))
    grey = a[:, :, 0]
    assert ms_ssim(grey, b[:, :, 0], luma_only=True) == ms_ssim(grey, b[:, :, 0])


@given(KINDS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_equal_pictures_score_one_and_order_does_not_matter(kind, h, w, seed):
    a, b = picture(kind, h, w, seed), picture("noise", h, w, seed + 1)
    assert ms_ssim(a, a) == 1.0
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-7)
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(a.T, b.T), abs=1e-7)


def test_scales_are_dropped_below_161_pixels_and_weights_renormalised():
    assert [scale_count(n, 999) for n in (1, 11, 20, 21, 40, 41, 80, 81, 160, 161)] == [
        1, 1, 1, 2, 2, 3, 3, 4, 4, 5,
    ]  # fmt: skip
    for scales in range(1, 6):
        assert scale_weights(scales).sum() == pytest.approx(1.0001, abs=1e-15)


def test_the_score_means_the_same_on_both_sides_of_the_boundary():
    """The same distortion, seen through 4 and 5 scales: no jump that would change a decision."""
    a = picture("waves", 400, 400, 3)
    b = np.clip(a + np.random.default_rng(1).normal(0, 6, a.shape), 0, 255).astype(np.uint8)
    four, five = ms_ssim(a[:160, :160], b[:160, :160]), ms_ssim(a[:161, :161], b[:161, :161])
    assert abs(np.log((1 - four) / (1 - five))) < 0.35
    assert four < 1
    assert five < 1


def test_grey_pictures_may_have_an_axis_for_their_channel():
    a, b = picture("waves", 30, 40, 1), picture("noise", 30, 40, 2)
    assert ms_ssim(a, b[:, :, None]) == ms_ssim(a, b)


def test_a_reference_is_reused_without_change():
    a, b = picture("waves", 100, 120, 1), picture("noise", 100, 120, 2)
    reference = Reference(a)
    first = reference.score(b)
    assert reference.score(a) == 1.0
    assert reference.score(b) == first == ms_ssim(a, b)


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), ValueError),
        (np.zeros((4, 4)), np.zeros((4, 4)), TypeError),
        (np.zeros((4, 4), np.uint16), np.zeros((4, 4), np.uint16), TypeError),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), ValueError),
        (np.zeros(4, np.uint8), np.zeros(4, np.uint8), ValueError),
    ],
)
def test_what_is_no_pair_of_pictures_is_refused(a, b, error):
    with pytest.raises(error):
        ms_ssim(a, b)


def test_psnr():
    a = np.zeros((8, 8), np.uint8)
    assert psnr(a, a) == float("inf")
    assert psnr(a, a + 1) == pytest.approx(20 * np.log10(255))


def test_threads_do_not_share_scratch():
    a = picture("waves", 300, 500, 1)
    others = [picture("waves", 300, 500, seed) for seed in range(2, 6)]
    reference = Reference(a)
    wanted = [reference.score(b) for b in others]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(reference.score, others * 8)) == wanted * 8
