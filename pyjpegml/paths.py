"""Pictures from files and into files, by path: a convenience around the codec, which knows bytes.

::

    from pyjpegml.paths import read, write

    write("small.jpg", read("large.jpg", scale=2), quality=85)

A file is mapped into memory, not copied, and written as a whole or not at all
(:mod:`pyjpegml.files`).
"""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from . import files
from .decoder import decode
from .encoder import encode


def read(path: str | os.PathLike[str], **options: Any) -> npt.NDArray[np.generic]:
    """The pixels of a JPEG file.

    Parameters
    ----------
    path : path
    **options
        Of :func:`pyjpegml.decode`.

    Raises
    ------
    OSError
        If the file cannot be read.
    JpegError
        If it cannot be decoded.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return decode(b"", **options)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return decode(data, **options)


def write(path: str | os.PathLike[str], image: npt.ArrayLike | bytes, **options: Any) -> int:
    """Make a JPEG file, or replace it; returns its size in bytes.

    Parameters
    ----------
    path : path
    image : array or bytes
        Pixels, or a JPEG that is ready, such as ``compress(...).data``.
    **options
        Of :func:`pyjpegml.encode`; a JPEG takes none.

    Raises
    ------
    FileError
        If the file cannot be written.
    TypeError, ValueError
        As :func:`pyjpegml.encode`.
    """
    if isinstance(image, bytes):
        if options:
            raise TypeError(f"bytes are written as they are: {', '.join(options)} cannot be heeded")
        data = image
    else:
        data = encode(image, **options)
    files.write_bytes(os.path.abspath(path), data)
    return len(data)
