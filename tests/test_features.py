"""Features: named, finite, the same each time, and u and v change places in a transposed picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyjpegml import features as module
from pyjpegml.features import NAMES, features, transposed
from pyjpegml.metrics import Reference
from pyjpegml.scale_search import add_sampling_loss, candidate

SUBSAMPLINGS = ("4:2:0", "4:2:2", "4:4:0", "4:4:4")


def features_of(image, subsampling="4:2:0"):
    reference = Reference(image)
    plan = candidate(image, reference, subsampling)
    add_sampling_loss(plan, image, reference)
    return features(plan)


def textured(height, width, seed=0):
    """Edges, flat areas and noise, different in x and y."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = 60 * np.sin(x / 3)[..., None] * (y > height // 3)[..., None] + np.stack([x, y, x], 2)
    noise = rng.normal(0, 8, (height, width, 3)) * (x > width // 2)[..., None]
    return (90 + waves + noise).clip(0, 255).astype(np.uint8)


images = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: st.one_of(
        arrays(np.uint8, (*size, 3)),
        st.integers(0, 255).map(lambda level: np.full((*size, 3), level, np.uint8)),
    )
)


@settings(max_examples=25, deadline=None)
@given(images, st.sampled_from(SUBSAMPLINGS))
def test_finite_and_the_same_each_time(image, subsampling):
    first = features_of(image, subsampling)
    assert first.shape == (len(NAMES),)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, features_of(image, subsampling))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_transposition_swaps_u_and_v(subsampling):
    """But for bits, which are counted in zigzag order and with DC from the left; and up to the
    rounding of the DCT and of downsampling, which begin with rows."""
    image = textured(200, 136)
    turned = {"4:2:2": "4:4:0", "4:4:0": "4:2:2"}.get(subsampling, subsampling)
    expected = transposed(features_of(image, subsampling))
    got = features_of(np.ascontiguousarray(image.transpose(1, 0, 2)), turned)
    bits = np.array([name.startswith("bits") for name in NAMES])
    np.testing.assert_allclose(got[~bits], expected[~bits], rtol=0, atol=0.05)
    assert abs(expected - features_of(image, subsampling)).max() > 0.5  # it is not symmetric


def test_the_sample_is_symmetric(monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 40)
    image = textured(200, 136)
    expected = transposed(features_of(image))
    got = features_of(np.ascontiguousarray(image.transpose(1, 0, 2)))
    chosen = [NAMES.index(name) for name in ("Y_1", "Y_u", "Y_v", "W_5", "V_2", "Cb_1", "gradient")]
    np.testing.assert_allclose(got[chosen], expected[chosen], rtol=0, atol=0.02)


def test_what_they_stand_for():
    values = dict(zip(NAMES, features_of(np.full((64, 128, 3), 90, np.uint8)), strict=True))
    assert values["size"] == 13
    assert (values["across"], values["down"], values["flat_1"]) == (1, 1, 1)
    rows = np.zeros((64, 64, 3), np.uint8)
    rows[::2] = 200  # horizontal edges: energy where u = 0
    values = dict(zip(NAMES, features_of(rows, "4:4:4"), strict=True))
    assert values["Y_v"] > 5 > -4 > values["Y_u"]
    assert (values["across"], values["down"], values["flat_4"]) == (0, 0, 0)
    noisy = textured(128, 128) // 2 + np.random.default_rng(0).integers(0, 40, (128, 128, 1))
    plain, noise = features_of(textured(128, 128)), features_of(noisy.astype(np.uint8))
    assert noise[NAMES.index("noise")] > plain[NAMES.index("noise")] + 1.5
