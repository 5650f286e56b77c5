"""The floor under the sensitivities: what it is, and what it does to textures."""

from __future__ import annotations

import numpy as np

from pyjpegml import compress, decode, visibility
from pyjpegml.visibility import LEAST, floors


def test_floors_are_parts_of_the_means():
    luma = np.arange(1, 25, dtype=np.float64).reshape(2, 2, 6)
    found = floors([luma, 3 * luma])
    np.testing.assert_allclose(found[0], LEAST * luma.reshape(4, 6).mean(0), rtol=1e-6)
    np.testing.assert_allclose(found[1], 3 * found[0], rtol=1e-6)
    assert found[0].dtype == np.float32


def test_textures_beside_smooth_areas_keep_more_of_their_contrast(monkeypatch):
    """A coarse texture on one half, a faint one on the other, which MS-SSIM weighs far more."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(192, 192))
    image = (128 + np.where(np.arange(192) < 96, 40, 3) * noise).clip(0, 255).astype(np.uint8)

    def error_of_the_texture() -> float:
        result = compress(image, ms_ssim=0.99)
        assert result.met
        shown = decode(result.data).astype(np.float64)
        return float(((shown - image)[:, :96] ** 2).mean())

    with_floor = error_of_the_texture()
    monkeypatch.setattr(visibility, "LEAST", np.zeros(6))
    assert with_floor < error_of_the_texture()
