"""Decoders by name, and the process in which one of them works for :mod:`~pyjpegml.testing.guards`.

A decoder takes the bytes of a file and returns an array: (h, w), or (h, w, components) as RGB, or
as inks in the way that the file stores them. What it raises means that it refuses the file.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Decode = Callable[[bytes], Array]


def _pyjpegml() -> tuple[Decode, str]:
    from pyjpegml import JpegError, __version__, decode, read_header

    from .sets import examples
    from .streams import jpeg_streams

    def run(data: bytes) -> Array:
        try:
            pixels: Array = decode(data)
            if pixels.ndim == 3 and pixels.shape[2] == 4:
                header = read_header(data)
                if header.metadata.adobe is not None:  # whose inks are shown inverted
                    pixels = ((1 << header.precision) - 1) - pixels
            return pixels
        except JpegError:
            raise
        except Exception as error:
            raise CrashError(f"{type(error).__name__}: {error}") from error

    for _, stream in examples(jpeg_streams(complete=False), 60):
        run(stream.data)  # kernels are compiled before the clock runs
    checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
    return run, f"{__version__}, bounds checked" if checked else __version__


def _pillow() -> tuple[Decode, str]:
    from PIL import Image, __version__

    def run(data: bytes) -> Array:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            pixels = np.asarray(picture)
            return 255 - pixels if picture.mode == "CMYK" else pixels  # it shows them inverted

    return run, __version__


def _simplejpeg() -> tuple[Decode, str]:
    import simplejpeg

    def run(data: bytes) -> Array:
        stored = simplejpeg.decode_jpeg_header(data)[2].upper()
        space = {"GRAY": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(stored, "RGB")
        pixels: Array = simplejpeg.decode_jpeg(data, colorspace=space)
        return pixels

    return run, version("simplejpeg")


def _opencv() -> tuple[Decode, str]:
    import cv2

    def run(data: bytes) -> Array:
        if not data:
            raise ValueError("no data")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise ValueError("imdecode returned None")
        shown: Array = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
        return shown

    return run, cv2.__version__


def _imagecodecs() -> tuple[Decode, str]:
    import imagecodecs

    def run(data: bytes) -> Array:
        pixels: Array = imagecodecs.jpeg8_decode(data)
        return pixels

    return run, f"{imagecodecs.__version__}, {imagecodecs.jpeg8_version()}"


NAMES: dict[str, Callable[[], tuple[Decode, str]]] = {
    "pyjpegml": _pyjpegml,
    "pillow": _pillow,
    "simplejpeg": _simplejpeg,
    "opencv": _opencv,
    "imagecodecs": _imagecodecs,
}
"""Decoders that need no template, and what makes them: the function, and the version."""


class CrashError(Exception):
    """A decoder failed in a way that it never should."""


def check_name(name: str) -> None:
    """Refuse what is neither one of :data:`NAMES` nor a template of a command.

    Raises
    ------
    ValueError
        Which says what would be accepted.
    """
    if name not in NAMES and "{in}" not in name:
        raise ValueError(
            f"no such decoder: {name!r}; there are {', '.join(NAMES)}, or a command with {{in}} "
            "for the name of the file (and {out} for that of the picture, a PNM or PNG file, "
            "which else is its standard output)"
        )


def _command(template: str) -> tuple[Decode, str]:
    """A decoder that is a program.

    Its picture counts if it can be read whole, whatever the exit code: djpeg's is 2 with warnings.
    """
    folder = Path(tempfile.gettempdir())  # which the guard has made, and removes
    source, target = folder / "in.jpg", folder / "out"
    command = template.replace("{in}", str(source)).replace("{out}", str(target))

    def run(data: bytes) -> Array:
        source.write_bytes(data)
        target.unlink(missing_ok=True)
        done = subprocess.run(command, shell=True, capture_output=True, check=False)
        if done.returncode < 0 or done.returncode > 128:  # of the shell, or of what it ran
            signal = -done.returncode if done.returncode < 0 else done.returncode - 128
            raise CrashError(f"signal {signal}")
        output = target.read_bytes() if target.exists() else done.stdout
        complaint = done.stderr.decode(errors="replace").strip().replace(str(source), "{in}")
        try:
            return read_picture(output)
        except ValueError as error:
            raise ValueError(complaint or f"exit code {done.returncode}, {error}") from error

    return run, "a command"


def read_picture(data: bytes) -> Array:
    """A PGM or PPM file, with whatever maximum; or another format, by Pillow.

    Raises
    ------
    ValueError
        If it is none, or not there whole.
    """
    if data[:2] not in (b"P5", b"P6"):
        from PIL import Image

        try:
            with Image.open(io.BytesIO(data)) as picture:
                return np.asarray(picture)
        except OSError as error:
            raise ValueError(f"the output is no picture: {error}") from error
    fields: list[int] = []
    at = 2
    while len(fields) < 3:
        end = at + 1
        while data[end : end + 1].isdigit():
            end += 1
        fields.append(int(data[at:end]))
        at = end
    width, height, largest = fields
    kind = np.dtype(">u2" if largest > 255 else "u1")
    shape = (height, width) if data[:2] == b"P5" else (height, width, 3)
    size = int(np.prod(shape)) * kind.itemsize
    if len(data) < at + 1 + size:
        raise ValueError(f"the output has {len(data)} bytes and needs {at + 1 + size}")
    samples = np.frombuffer(data, kind, int(np.prod(shape)), at + 1)
    return samples.reshape(shape).astype(kind.newbyteorder("="))


def serve(name: str, requests: Connection, answers: Connection, megabytes: int) -> None:
    """Decode what comes, until there is no more."""
    import resource

    def processor_time() -> float:
        used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    decode, made_by = NAMES[name]() if name in NAMES else _command(name)
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    answers.send(("ready", made_by))
    while True:
        try:
            data = requests.recv_bytes()
        except EOFError:
            return
        began = processor_time()
        try:
            answer: tuple[str, Any] = ("image", np.ascontiguousarray(decode(data)))
        except CrashError as error:
            answer = ("crashed", str(error))
        except Exception as error:
            answer = ("refused", f"{type(error).__name__}: {error}")
        answers.send((*answer, processor_time() - began))


if __name__ == "__main__":
    _, _name, _requests, _answers, _megabytes = sys.argv
    serve(
        _name,
        Connection(int(_requests), writable=False),
        Connection(int(_answers), readable=False),
        int(_megabytes),
    )
