"""A codec for numcodecs, and so for arrays in zarr's format 2; found by its entry point.

::

    import zarr
    from pyjpegml.interop.numcodecs_codec import JpegCodec

    photo = zarr.create_array(
        "photo.zarr", shape=(480, 640, 3), chunks=(240, 320, 3), dtype="uint8", zarr_format=2,
        compressors=JpegCodec(ms_ssim=0.99),
    )

Chunks are what :mod:`~pyjpegml.interop.chunks` says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ndarray_copy

from . import chunks


class JpegCodec(Codec):  # type: ignore[misc]  # numcodecs is not seen by the type checker
    """Chunks as JPEGs.

    Parameters
    ----------
    ms_ssim : float
        What each chunk meets.
    effort : str
        As for :func:`pyjpegml.compress`.
    """

    codec_id = "pyjpegml"

    def __init__(self, ms_ssim: float = 0.99, effort: str = "normal") -> None:
        chunks.check_settings(ms_ssim, effort)
        self.ms_ssim, self.effort = ms_ssim, effort

    def encode(self, buf: Any) -> bytes:
        """A JPEG of a chunk."""
        return chunks.encode_chunk(np.asarray(buf), self.ms_ssim, self.effort)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The chunk in a JPEG, in `out` if that is given."""
        return ndarray_copy(chunks.decode_chunk(ensure_bytes(buf)), out)
