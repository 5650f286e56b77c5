"""Compile every kernel ahead of its first use, so that no later call waits for it.

Numba compiles a kernel for the types of its arguments. So the public functions are called here
with everything that changes those types: grey and RGB, data that can be written and data
that cannot, and pictures small and large, which the metric reckons in different precisions.
"""

from __future__ import annotations

import math

import numpy as np

from . import markers
from .decoder import decode
from .encoder import encode
from .header import SUBSAMPLINGS
from .metrics import SMALL, ms_ssim
from .rate import compress


def warmup() -> None:
    """Compile all kernels, or load them from the cache (:func:`pyjpegml._jit.cache_directory`)."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(96, 160, (48, 80, 3), np.uint8)
    for image in (rgb, np.ascontiguousarray(rgb[:, :, 1])):
        frozen = image.copy()
        frozen.flags.writeable = False
        for subsampling in SUBSAMPLINGS:
            for optimize in (False, True):
                data = encode(image, subsampling=subsampling, optimize=optimize, restart_interval=2)
                decoded = decode(data)
                decode(bytearray(data))
                encode(frozen, subsampling=subsampling, optimize=optimize)
        for original in (image, frozen):
            ms_ssim(original, decoded)
            ms_ssim(decoded, original)
            ms_ssim(original, decoded, luma_only=True)
            compress(original, ms_ssim=0.95)
    side = math.isqrt(SMALL) + 1
    large = rng.integers(96, 160, (side, side, 3), np.uint8)
    for image in (large, np.ascontiguousarray(large[:, :, 1])):
        ms_ssim(image, image + np.uint8(90))  # falls back from single to double precision
        compress(image, ms_ssim=0.95)
    decode(_without_ycbcr(encode(rgb, subsampling="4:4:4")))


def _without_ycbcr(data: bytes) -> bytes:
    """A file of ours with Adobe's marker for "components are R, G, B" in place of JFIF's."""
    adobe = markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    return data[:2] + adobe + data[2 + len(markers.jfif_bytes()) :]
