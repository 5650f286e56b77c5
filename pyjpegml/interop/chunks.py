"""Chunks of arrays as JPEGs, for :mod:`~pyjpegml.interop.zarr_codec` and numcodecs.

A chunk is one picture: uint8, (h, w) grey or (h, w, 3) RGB, with any number of axes of length 1
before it, as those of a series of pictures. A last axis of 3 behind two others is that of RGB.

It comes back changed, but never by more than was allowed: each chunk meets its MS-SSIM by itself,
and one that no lossy JPEG of 8 bits can hold that well becomes a lossless JPEG.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyjpegml.decoder import decode
from pyjpegml.encoder import encode
from pyjpegml.rate import SCHEDULES, check_target, compress

#: Of a picture.
MOST_PIXELS_A_SIDE = 65535


def check_settings(ms_ssim: float, effort: str) -> None:
    """Refuse what ``compress`` would; raises ValueError or TypeError."""
    check_target(ms_ssim)
    if effort not in SCHEDULES:
        raise ValueError(f"effort is one of {', '.join(SCHEDULES)}, not {effort!r}")


def picture_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the picture in a chunk of this shape.

    Raises
    ------
    ValueError
        If it is none, or one of more than 65,535 pixels a side.

    Examples
    --------
    >>> picture_shape((1, 480, 640)), picture_shape((480, 640, 3))
    ((480, 640), (480, 640, 3))
    """
    axes = 3 if len(shape) > 2 and shape[-1] == 3 else 2
    picture = shape[-axes:]
    if len(picture) < 2 or math.prod(shape) != math.prod(picture):
        raise ValueError(
            f"chunks of {shape} are no pictures: (h, w) and (h, w, 3) are, with axes of length 1 "
            "before them"
        )
    if not all(1 <= side <= MOST_PIXELS_A_SIDE for side in picture[:2]):
        raise ValueError(f"chunks of {shape} have no side of 1 to {MOST_PIXELS_A_SIDE} pixels")
    return picture


def check_dtype(dtype: np.dtype[np.generic]) -> None:
    """Refuse anything but uint8."""
    if dtype != np.uint8:
        raise ValueError(f"chunks are uint8, not {dtype}")


def encode_chunk(chunk: npt.NDArray[np.generic], ms_ssim: float, effort: str) -> bytes:
    """A JPEG from which a chunk comes back with this MS-SSIM at least.

    Parameters
    ----------
    chunk : uint8
        Of a shape that :func:`picture_shape` takes.
    ms_ssim : float
    effort : str

    Raises
    ------
    ValueError
        If it is no picture.
    """
    check_dtype(chunk.dtype)
    picture = np.ascontiguousarray(chunk).reshape(picture_shape(chunk.shape))
    result = compress(picture, ms_ssim=ms_ssim, effort=effort)
    return result.data if result.met else encode(picture, lossless=True)


def decode_chunk(data: bytes, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
    """The chunk in a JPEG.

    Parameters
    ----------
    data : bytes
    shape : tuple of int, optional
        Of the chunk; that of the picture if it is not known.

    Raises
    ------
    ValueError
        If the picture is of another shape; a JpegError if it cannot be decoded.
    """
    pixels = decode(data)
    check_dtype(pixels.dtype)
    if shape is None:
        return pixels
    if pixels.shape != picture_shape(shape):
        raise ValueError(f"the JPEG holds {pixels.shape}, and a chunk of {shape} was expected")
    return pixels.reshape(shape)
