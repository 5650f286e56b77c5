"""A plugin for ``imageio.v3``.

::

    import imageio.v3 as iio
    from pyjpegml.interop.imageio_plugin import register

    register()
    half = iio.imread("photo.jpg", plugin="pyjpegml", scale=2)
    iio.imwrite("small.jpg", image, plugin="pyjpegml", ms_ssim=0.99)

imageio looks for plugins in a table of its own, in which :func:`register` puts this one, behind all
others: without ``plugin=`` it is asked last. A JPEG holds one picture; the other images that a file
may hold (MPO, Ultra HDR) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt
from imageio.config import known_plugins
from imageio.config.plugins import PluginConfig
from imageio.core.request import URI_BYTES, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3

import pyjpegml
from pyjpegml.files import JPEG_SUFFIXES, is_jpeg

#: By what imageio knows the plugin.
NAME = "pyjpegml"

#: Options of ``write`` that ask for ``compress``.
TARGETS = frozenset({"ms_ssim", "max_bytes"})


def register() -> None:
    """Let imageio know the plugin; a second time changes nothing."""
    known_plugins[NAME] = PluginConfig(
        name=NAME, class_name="JpegPlugin", module_name=__name__, install_name=NAME
    )


class JpegPlugin(PluginV3):  # type: ignore[misc]  # imageio is not seen by the type checker
    """One JPEG that is read or written.

    Parameters
    ----------
    request : imageio.core.Request
        What is to be opened; the plugin owns it from then on.

    Raises
    ------
    InitializationError
        If it is no JPEG, or is to be written under a name that promises another format.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._data: bytes | None = None
        self._written = False
        if request.mode.io_mode == IOMode.read:
            if not is_jpeg(request.firstbytes):
                raise InitializationError("it is no JPEG: it does not begin with SOI (ff d8)")
        elif request.extension is not None and request.extension not in JPEG_SUFFIXES:
            raise InitializationError(
                f"{request.extension} files are no JPEGs; {', '.join(JPEG_SUFFIXES)} are"
            )

    @property
    def _bytes(self) -> bytes:
        """The file, which is read when it is first asked for."""
        if self._data is None:
            self._data = self.request.get_file().read()
        return self._data

    def read(self, *, index: int | EllipsisType | None = 0, **options: Any) -> npt.NDArray[Any]:
        """The pixels.

        Parameters
        ----------
        index : 0, None or ...
            There is one picture; ``...`` puts it into a batch of one.
        **options
            Of :func:`pyjpegml.decode`, such as ``scale``, ``region`` or ``color``.

        Raises
        ------
        ValueError
            If there is no picture of this index.
        JpegError
            If it cannot be decoded.
        """
        batch = _is_batch(index)
        pixels = pyjpegml.decode(self._bytes, **options)
        return pixels[np.newaxis] if batch else pixels

    def iter(self, **options: Any) -> Iterator[npt.NDArray[Any]]:
        """The one picture; `options` as for :meth:`read`."""
        yield self.read(**options)

    def write(
        self,
        ndimage: npt.ArrayLike | list[npt.ArrayLike],
        *,
        is_batch: bool = False,
        **options: Any,
    ) -> bytes | None:
        """Encode a picture and write it.

        Parameters
        ----------
        ndimage : array, or list of one
            As :func:`pyjpegml.encode` takes it; with `is_batch` along an axis of length 1.
        is_batch : bool
            Whether an array has such an axis; lists always have.
        **options
            Of :func:`pyjpegml.encode`; or of :func:`pyjpegml.compress`, if `ms_ssim` or `max_bytes`
            is among them.

        Returns
        -------
        bytes or None
            The file, if it was opened as ``"<bytes>"``.

        Raises
        ------
        ValueError
            If there are several pictures, or one has been written.
        """
        if is_batch or isinstance(ndimage, list):
            count = len(ndimage)  # type: ignore[arg-type]
            if count != 1:
                raise ValueError(f"a JPEG holds one picture, and there are {count}")
            ndimage = ndimage[0]  # type: ignore[index]
        if self._written:
            raise ValueError("a JPEG holds one picture, and one has been written")
        if TARGETS & options.keys():
            data = pyjpegml.compress(ndimage, **options).data
        else:
            data = pyjpegml.encode(ndimage, **options)
        self.request.get_file().write(data)
        self._written = True
        return data if self.request._uri_type == URI_BYTES else None

    def properties(self, index: int | EllipsisType | None = 0) -> ImageProperties:
        """Shape and type of what :meth:`read` returns without options; found in the header.

        Parameters
        ----------
        index : 0, None or ...
            As for :meth:`read`.
        """
        batch = _is_batch(index)
        header = pyjpegml.read_header(self._bytes)
        shape: tuple[int, ...] = (header.height, header.width)
        if header.height == 0:  # it stands behind the first scan (DNL)
            shape = pyjpegml.decode(self._bytes).shape[:2]
        if len(header.components) > 1:
            shape += (len(header.components),)
        return ImageProperties(
            shape=(1, *shape) if batch else shape,
            dtype=np.dtype(np.uint8 if header.precision == 8 else np.uint16),
            n_images=1 if batch else None,
            is_batch=batch,
        )

    def metadata(
        self, index: int | EllipsisType | None = 0, exclude_applied: bool = True
    ) -> dict[str, Any]:
        """What the file says of itself; what it does not say is left out.

        Parameters
        ----------
        index : 0, None or ...
            As for :meth:`read`.
        exclude_applied : bool
            Nothing is applied unless it is asked for: the same either way.

        Returns
        -------
        dict
            ``process``, ``precision``, ``subsampling``, ``color`` and ``quality`` of the frame;
            ``exif``, ``icc`` and ``xmp`` as bytes, ``orientation``, ``jfif`` and ``comments``, as
            :class:`pyjpegml.Metadata` has them.
        """
        _is_batch(index)
        header = pyjpegml.read_header(self._bytes)
        facts = {
            name: getattr(header, name)
            for name in ("process", "precision", "subsampling", "color", "quality")
        }
        if header.metadata.exif is not None:
            facts["orientation"] = header.metadata.orientation
        for name in ("exif", "icc", "xmp", "jfif", "comments"):
            facts[name] = getattr(header.metadata, name)
        return {name: fact for name, fact in facts.items() if fact not in (None, ())}


def _is_batch(index: int | EllipsisType | None) -> bool:
    """Whether all pictures are asked for; raises ValueError if it is another than the first."""
    if index not in (0, None, ...):
        raise ValueError(f"a JPEG holds one picture, and index {index} is not 0")
    return index is ...
