"""The original's pixels in a page: PNG, because a browser opens it and nothing is lost.

The writer is the format's smallest sensible one (ISO/IEC 15948): one Paeth-filtered stream, which
NumPy makes in one go, as every sample is predicted from samples that are known beforehand.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

#: Sides of the part that is kept of a picture whose PNG would be too large, in this order.
SIDES = (2048, 1536, 1024, 768, 512)


@dataclass(frozen=True)
class Original:
    """As much of the original as a page holds.

    Attributes
    ----------
    png : bytes
    left, top, width, height : int
        Which part of the picture it is.
    """

    png: bytes
    left: int
    top: int
    width: int
    height: int


def original_of(pixels: Pixels, most: int) -> Original:
    """The whole picture, or a part around its middle if that would take more than `most` bytes.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    most : int
        Bytes; the smallest of SIDES is taken however many it needs.
    """
    height, width = pixels.shape[:2]
    if pixels.size <= 4 * most:  # photographs need a quarter of their samples' bytes at least
        png = png_bytes(pixels)
        if len(png) <= most:
            return Original(png, 0, 0, width, height)
    for side in SIDES:
        w, h = min(side, width), min(side, height)
        left, top = (width - w) // 2 & ~15, (height - h) // 2 & ~15  # on borders of 4:2:0's MCUs
        png = png_bytes(pixels[top : top + h, left : left + w])
        if len(png) <= most:
            break
    return Original(png, left, top, w, h)


def png_bytes(pixels: Pixels) -> bytes:
    r"""A PNG file of 8 bits.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8

    Examples
    --------
    >>> png_bytes(np.zeros((2, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width = pixels.shape[:2]
    samples = pixels.reshape(height, width, -1).astype(np.int16)
    around = np.pad(samples, ((1, 0), (1, 0), (0, 0)))
    left, above, corner = around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    estimate = left + above - corner
    to_left, to_above, to_corner = (abs(estimate - near) for near in (left, above, corner))
    predicted = np.where(
        (to_left <= to_above) & (to_left <= to_corner),
        left,
        np.where(to_above <= to_corner, above, corner),
    )
    rows = np.full((height, 1 + samples[0].size), 4, np.uint8)  # 4: Paeth
    rows[:, 1:] = (samples - predicted).astype(np.uint8).reshape(height, -1)
    kind = 2 if samples.shape[2] == 3 else 0
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    body = zlib.compress(rows.tobytes())
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
