"""A format for Pillow, beside its own JPEG, which stays what it is.

::

    from PIL import Image
    from pyjpegml.interop.pillow_plugin import register

    register()
    image.save("small.jpg", "PYJPEGML", ms_ssim=0.99)
    with Image.open("twelve_bits.jpg", formats=["PYJPEGML"]) as image:
        ...

``Image.open`` asks Pillow's own JPEG first, and this one if that refuses, as it does files of 12
bits; lossless ones it opens and cannot read, so that ``formats`` is needed. Grey of more than 8
bits becomes ``"I;16"``, levels as they are; Pillow has no colours of so many bits, so they are
refused.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile

import pyjpegml
from pyjpegml.exif import SIGNATURE
from pyjpegml.files import is_jpeg
from pyjpegml.jfif import Jfif

#: By what Pillow knows the format.
FORMAT = "PYJPEGML"

#: Options of ``save`` that are metadata, and ones that ask for ``compress``.
METADATA = ("dpi", "exif", "icc_profile", "xmp", "comment")
TARGETS = frozenset({"ms_ssim", "max_bytes"})

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def register() -> None:
    """Let Pillow know the format; a second time changes nothing."""
    if FORMAT not in Image.OPEN:
        Image.preinit()  # Pillow's own JPEG is to be asked first
        Image.register_open(FORMAT, JpegImageFile, is_jpeg)
        Image.register_save(FORMAT, _save)
        Image.register_mime(FORMAT, "image/jpeg")


class JpegImageFile(ImageFile.ImageFile):
    """A JPEG that Pillow has opened; its pixels are decoded when they are first asked for."""

    format = FORMAT
    format_description = "JPEG (pyjpegml)"

    def _open(self) -> None:
        """Read the header; SyntaxError is what tells Pillow that it is no such file."""
        assert self.fp is not None
        self._data = self.fp.read()
        try:
            header = pyjpegml.read_header(self._data)
        except pyjpegml.JpegError as error:
            raise SyntaxError(str(error)) from error
        count, bits = len(header.components), header.precision
        if count not in _MODES or (count > 1 and bits > 8) or bits < 8 or header.height == 0:
            raise SyntaxError(
                f"{count} components of {bits} bits, {header.width} x {header.height} pixels: "
                "grey of 8 to 16 bits, RGB and CMYK of 8 can be read, of a height that stands in "
                "the header"
            )
        self._size = header.width, header.height
        self._mode = _MODES[count] if bits == 8 else "I;16"
        self.tile = [ImageFile._Tile("raw", (0, 0, *self._size), 0, self._mode)]
        found = header.metadata
        exif = found.exif and SIGNATURE + found.exif
        comment = found.comments[0] if found.comments else None
        facts = {"exif": exif, "icc_profile": found.icc, "xmp": found.xmp, "comment": comment}
        self.info |= {name: fact for name, fact in facts.items() if fact is not None}
        if found.jfif is not None and found.jfif.unit:
            scale = 1 if found.jfif.unit == 1 else 2.54
            self.info["dpi"] = tuple(scale * number for number in found.jfif.density)

    def load(self) -> Any:
        """Decode, if that is not done; OSError is what Pillow raises for broken files."""
        if self.tile:
            try:
                pixels = pyjpegml.decode(self._data)
            except pyjpegml.JpegError as error:
                raise OSError(str(error)) from error
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = BytesIO(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Nothing lies in front of the pixels."""


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write a picture: options are those of ``encode`` or ``compress``, and metadata."""
    options: dict[str, Any] = dict(image.encoderinfo)
    parts = {name: options.pop(name, None) for name in METADATA}
    if image.mode not in ("L", "RGB", "CMYK", "I;16"):
        raise OSError(f"cannot write mode {image.mode} as {FORMAT}: convert it to L, RGB or CMYK")
    pixels = np.asarray(image)
    if image.mode == "CMYK":
        options.setdefault("color", "CMYK")
    exif = parts["exif"]
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    density = parts["dpi"] and Jfif((1, 1), 1, tuple(round(number) for number in parts["dpi"]))
    comments = [] if parts["comment"] is None else [parts["comment"]]
    metadata = pyjpegml.Metadata.made_of(
        jfif=density,
        exif=exif and exif.removeprefix(SIGNATURE),
        xmp=parts["xmp"],
        icc=parts["icc_profile"],
        comments=comments,
    )
    if metadata.segments:
        options["metadata"] = metadata
    if TARGETS & options.keys():
        file.write(pyjpegml.compress(pixels, **options).data)
    else:
        file.write(pyjpegml.encode(pixels, **options))
