"""Files: bytes and pictures in, bytes and pictures out, for the command line.

The library itself takes and returns bytes and arrays; what touches a disk or a pipe is here.

*Reading.* ``-`` is standard input. A JPEG is known by its first two bytes and decoded by
:mod:`pyjpegml.decoder`; everything else goes through imageio and its Pillow plugin. A picture that
an 8-bit JPEG of grey or RGB cannot hold as it is (alpha, 16 bits, several frames, CMYK) is refused:
what is lost should be lost by a decision.

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
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import JpegFormatError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Standard input or output on the command line, and how messages name them.
DASH, STDIN, STDOUT = "-", "<stdin>", "<stdout>"

#: Names that promise a JPEG.
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")

_PNG = b"\x89PNG\r\n\x1a\n"


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


@dataclass(frozen=True)
class Picture:
    """Pixels of a file, and what else in it changes how they look.

    Attributes
    ----------
    pixels : (h, w) or (h, w, 3) uint8 array
    orientation : int
        Of Exif, 1 to 8; 1 is upright.
    has_icc_profile : bool
    """

    pixels: npt.NDArray[np.uint8]
    orientation: int = 1
    has_icc_profile: bool = False


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
        raise FileError(shown_input(name), _reason(error)) from error


def is_jpeg(data: bytes) -> bool:
    """Whether the data start as a JPEG does (T.81 B.2.1)."""
    return data[:2] == b"\xff\xd8"


def read_picture(name: str, data: bytes) -> Picture:
    """The picture in the bytes of an image file of any format.

    Parameters
    ----------
    name : str
        For error messages.
    data : bytes

    Raises
    ------
    JpegError
        If the data are a JPEG that cannot be decoded.
    FileError
        If they are nothing that imageio can read, or no 8-bit grey or RGB picture.
    """
    return read_jpeg(data) if is_jpeg(data) else _read_with_imageio(name, data)


def read_jpeg(data: bytes) -> Picture:
    """The picture in a JPEG; raises :class:`JpegError` if it cannot be decoded, or is none."""
    from .decoder import decode

    return Picture(decode(data, threads=None), *jpeg_metadata(data))


def _read_with_imageio(name: str, data: bytes) -> Picture:
    imageio = _imageio(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters about the picture is looked at below
        try:
            with imageio.v3.imopen(data, "r", plugin="pillow") as file:
                count = file.properties(index=...).n_images
                pixels = file.read(index=0)
                metadata = file.metadata(index=0, exclude_applied=False)
        except Exception as error:  # decoders of other formats raise whatever they like
            why = f"the image cannot be read: {error}"
            if isinstance(error.__cause__, imageio.core.request.InitializationError):
                why = "no image in a format that imageio can read"
            raise FileError(name, why) from error
    if count > 1:
        raise FileError(
            name,
            f"it holds {count} pictures (an animation, or pages), and a JPEG holds one: extract "
            "one first, for example with: magick 'IN[0]' OUT.png",
        )
    pixels = _eight_bits(name, pixels, _bits_per_sample(data, metadata), metadata)
    return Picture(pixels, metadata.get("Orientation", 1), bool(metadata.get("icc_profile")))


def _eight_bits(
    name: str, pixels: npt.NDArray[Any], bits: int, metadata: dict[str, Any]
) -> npt.NDArray[np.uint8]:
    """The pixels as uint8, if they are 8-bit grey or RGB (or black and white) without alpha."""
    mode = metadata["mode"]
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or pixels.shape[2:] == (2,):
        transparent = "an alpha channel"
    elif "transparency" in metadata:
        transparent = "a transparent colour"
    else:
        transparent = ""
    if transparent:
        raise FileError(
            name,
            f"it has {transparent}, which a JPEG cannot hold: flatten it onto a background first, "
            "for example with: magick IN -background white -alpha remove -alpha off OUT.png",
        )
    if pixels.dtype.kind == "f":
        raise FileError(
            name,
            f"its samples are {pixels.dtype}, and those of a JPEG 8-bit integers: scale them to "
            "0..255, round them, and save as uint8",
        )
    if bits > 8 or pixels.dtype.itemsize > 1:
        raise FileError(
            name,
            f"its samples have {max(bits, 8 * pixels.dtype.itemsize)} bits, and those of a JPEG 8: "
            "convert it first, for example with: magick IN -depth 8 OUT.png",
        )
    if mode not in ("1", "L", "P", "RGB"):
        raise FileError(
            name,
            f"its colour model is {mode}; grey and RGB can be read: convert it first, for example "
            "with: magick IN -colorspace sRGB OUT.png",
        )
    black_and_white = pixels.dtype.kind == "b"
    return pixels.astype("uint8") * (255 if black_and_white else 1)


def _bits_per_sample(data: bytes, metadata: dict[str, Any]) -> int:
    """Bits of a sample in the file: Pillow cuts 16-bit colour down to 8 without a word.

    PNG says it in IHDR, PGM and PPM by their greatest level (the third number of the header), TIFF
    in a tag. Other formats count as 8.
    """
    if data.startswith(_PNG):
        return data[24]
    if data[:2] in (b"P5", b"P6"):
        lines = (line.split(b"#")[0] for line in data[:4096].split(b"\n"))
        numbers = b" ".join(lines).split()[1:4]
        return int(numbers[2]).bit_length()
    bits = metadata.get("BitsPerSample", 8)
    return max(bits) if isinstance(bits, tuple) else int(bits)


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
        raise FileError(shown_output(name), _reason(error)) from error


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


def picture_bytes(name: str, pixels: npt.NDArray[np.uint8], suffix: str) -> bytes:
    """A picture in the format that goes with a file name's suffix, such as ``.png``.

    Lossless where the format leaves a choice (WebP); refused if the pixels do not come back.

    Parameters
    ----------
    name : str
        For error messages.
    pixels : (h, w) or (h, w, 3) uint8
    suffix : str
        With its dot.
    """
    import numpy as np

    imageio = _imageio(name)
    try:
        data: bytes = imageio.v3.imwrite(
            "<bytes>", pixels, plugin="pillow", extension=suffix.lower(), lossless=True
        )
    except Exception as error:  # encoders of other formats raise whatever they like
        why = f"imageio cannot write this picture as {suffix}: {error}"
        if isinstance(error.__cause__, imageio.core.request.InitializationError):
            why = (
                f"imageio writes no {suffix} files; .png, .tiff, .bmp, .ppm, .webp are some it does"
            )
        raise FileError(name, why) from error
    try:
        back = np.asarray(imageio.v3.imread(data, plugin="pillow", extension=suffix.lower()))
    except Exception:  # a format that is written only, such as PDF
        back = np.empty(0, np.uint8)
    if back.shape == (*pixels.shape[:2], 3) and pixels.ndim == 2:
        back = back[:, :, 0] if (back == back[:, :, :1]).all() else back
    if not np.array_equal(back, pixels):
        raise FileError(
            name, f"{suffix} does not hold these pixels as they are; .png, .tiff and .bmp do"
        )
    return data


def _imageio(name: str) -> Any:
    """The package imageio with its version 3 interface; it is an extra."""
    try:
        import imageio.core.request
        import imageio.v3
    except ImportError:
        raise FileError(
            name, "formats other than JPEG need imageio: pip install 'pyjpegml[cli]'"
        ) from None
    return imageio


def _reason(error: OSError) -> str:
    """The system's words for an error, without its number and the file's name."""
    return error.strerror or str(error)
