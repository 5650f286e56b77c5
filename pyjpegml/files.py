"""Files: bytes and pictures in, bytes and pictures out, for the command line.

The library itself takes and returns bytes and arrays; what touches a disk or a pipe is here.

*Reading.* ``-`` is standard input. A JPEG is known by its first two bytes and decoded by
:mod:`pyjpegml.decoder`; everything else goes through Pillow (:mod:`pyjpegml.pictures`).

*Writing.* ``-`` is standard output. A file is written under a temporary name (with ``.tmp`` in it)
in the same directory, synced, and renamed: at every moment the old file or the new one is there,
whole, under its name, and nothing else stays behind after an error. A new file has the permissions
that the umask leaves, a replaced one keeps its own. A symbolic link stays, and what it points to is
replaced. What is no regular file (``/dev/null``, a named pipe) is written to directly.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import JpegFormatError

if TYPE_CHECKING:
    from .pictures import Picture

#: Standard input or output on the command line, and how messages name them.
DASH, STDIN, STDOUT = "-", "<stdin>", "<stdout>"

#: Names that promise a JPEG.
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


class FileError(Exception):
    """A file cannot be read or written, or holds no picture that a JPEG can hold.

    Parameters
    ----------
    name : str
        The file, as on the command line.
    message : str
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message
        super().__init__(f"{name}: {message}")


def shown_input(name: str) -> str:
    """How messages name an input."""
    return STDIN if name == DASH else name


def shown_output(name: str) -> str:
    """How messages name an output."""
    return STDOUT if name == DASH else name


# --- reading -------------------------------------------------------------------------------------


def read_bytes(name: str) -> bytes:
    """All bytes of a file, or of standard input if the name is ``-``.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == DASH else Path(name).read_bytes()
    except OSError as error:
        raise FileError(shown_input(name), reason(error)) from error


def is_jpeg(data: bytes) -> bool:
    """Whether the data start as a JPEG does (T.81 B.2.1)."""
    return data[:2] == b"\xff\xd8"


def read_picture(
    name: str, data: bytes, background: tuple[int, int, int] | None = None, keep: bool = True
) -> Picture:
    """The picture in the bytes of an image file of any format.

    Parameters
    ----------
    name, data, background, keep
        As for :func:`pyjpegml.pictures.read_picture`.

    Raises
    ------
    JpegError
        If the data are a JPEG that cannot be decoded.
    FileError
        If they are nothing that Pillow can read, or no picture of grey, RGB or CMYK.
    """
    if is_jpeg(data):
        return read_jpeg(name, data, keep)
    from . import pictures

    return pictures.read_picture(name, data, background, keep)


def read_jpeg(name: str, data: bytes, keep: bool = True) -> Picture:
    """The picture in a JPEG; raises :class:`JpegError` if it cannot be decoded, or is none.

    Other images in the file, and what is said of them, are left out.
    """
    from .decoder import decode
    from .header import read_header
    from .metadata import appearance
    from .pictures import Picture

    header = read_header(data)
    samples = decode(data, threads=None)
    if samples.shape[2:] == (2,):
        raise FileError(name, "it has 2 components; grey, RGB and CMYK can be read")
    metadata = header.metadata
    lost = tuple(sorted({f"another image ({image.kind})" for image in metadata.images}))
    metadata = metadata.of_first_image() if keep else appearance(metadata)
    return Picture(samples, (1 << header.precision) - 1, metadata, lost)


def jpeg_metadata(data: bytes) -> tuple[int, bool]:
    """Exif orientation of a JPEG (1 if it says none), and whether it has an ICC profile.

    Examples
    --------
    >>> jpeg_metadata(bytes.fromhex("ffd8 ffd9"))
    (1, False)
    """
    from . import markers
    from .metadata import Metadata

    seen = []
    with suppress(JpegFormatError):  # the decoder is the one to complain
        for segment in markers.segments(data):
            if segment.code == markers.SOS:
                break
            seen.append(segment)
    metadata = Metadata.of(seen)
    return metadata.orientation, bool(metadata.contents("ICC profile"))


# --- writing -------------------------------------------------------------------------------------


def check_output(name: str, inputs: Sequence[str]) -> None:
    """See what speaks against writing to `name`, before any work is done for it.

    Parameters
    ----------
    name : str
        File to write, or ``-``.
    inputs : sequence of str
        Files that are read, and must stay as they are.

    Raises
    ------
    ValueError
        If it is one of the inputs, or standard output and that a terminal.
    FileError
        If it is a directory, or lies in none.
    """
    if name == DASH:
        if sys.stdout.isatty():
            raise ValueError("it is a terminal, and the data are binary: redirect it")
        return
    target = os.path.realpath(name)
    for other in inputs:
        if other != DASH and _same_file(target, other):
            raise ValueError("it is also read, and would be overwritten: name another file")
    if os.path.isdir(target):
        raise FileError(name, "it is a directory: name a file")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileError(name, "there is no such directory")


def _same_file(target: str, other: str) -> bool:
    try:
        return os.path.samefile(target, other)
    except OSError:  # one of them does not exist
        return False


def write_bytes(name: str, data: bytes) -> None:
    """Write a whole file, or nothing (see the head of this module); ``-`` is standard output.

    Raises
    ------
    FileError
        If it cannot be written.
    BrokenPipeError
        If nobody reads standard output any more.
    """
    try:
        if name == DASH:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif _is_special(name):
            Path(name).write_bytes(data)
        else:
            _replace(os.path.realpath(name), data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(shown_output(name), reason(error)) from error


def _is_special(name: str) -> bool:
    """Whether there is something under this name that is no regular file: a device, a pipe."""
    try:
        return not stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return False


def _replace(target: str, data: bytes) -> None:
    """Write `data` under a temporary name, and rename it to `target`."""
    temporary = os.path.join(os.path.dirname(target), f".pyjpegml-{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)  # less the umask
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def reason(error: Exception) -> str:
    """The system's words for an error, without its number and the file's name."""
    return getattr(error, "strerror", None) or str(error)
