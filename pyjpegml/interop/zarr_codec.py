"""A codec for zarr 3, which finds it by its entry point.

::

    import zarr
    from pyjpegml.interop.zarr_codec import JpegCodec

    photos = zarr.create_array(
        "photos.zarr", shape=(1000, 480, 640, 3), chunks=(1, 480, 640, 3), dtype="uint8",
        serializer=JpegCodec(ms_ssim=0.99), compressors=None,
    )
    photos[0] = image

Chunks are what :mod:`~pyjpegml.interop.chunks` says. Reading needs pyjpegml to be installed, and no
import of it. Several chunks are coded at once, each in a thread.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from zarr.abc.codec import ArrayBytesCodec

from . import chunks

#: By what zarr's metadata name the codec.
NAME = "pyjpegml"


@dataclass(frozen=True)
class JpegCodec(ArrayBytesCodec):  # type: ignore[misc]  # zarr is not seen by the type checker
    """Chunks as JPEGs.

    Attributes
    ----------
    ms_ssim : float
        What each chunk meets.
    effort : str
        As for :func:`pyjpegml.compress`.

    Raises
    ------
    ValueError
        If there is no such target or effort.
    """

    ms_ssim: float = 0.99
    effort: str = "normal"

    is_fixed_size = False

    def __post_init__(self) -> None:
        chunks.check_settings(self.ms_ssim, self.effort)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> JpegCodec:
        """The codec that zarr's metadata describe."""
        if data["name"] != NAME:
            raise ValueError(f"{data['name']} is another codec: this is {NAME}")
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """What zarr's metadata say of the codec."""
        return {"name": NAME, "configuration": {"ms_ssim": self.ms_ssim, "effort": self.effort}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse an array whose chunks are no pictures; each is looked at again as it is coded."""
        chunks.check_dtype(dtype.to_native_dtype())
        chunks.picture_shape(getattr(chunk_grid, "chunk_shape", shape))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Not known beforehand."""
        raise NotImplementedError

    def _encode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        data = chunks.encode_chunk(chunk_data.as_numpy_array(), self.ms_ssim, self.effort)
        return chunk_spec.prototype.buffer.from_bytes(data)

    def _decode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        chunk = chunks.decode_chunk(chunk_data.to_bytes(), chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)

    async def _encode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)
