"""Pictures of other formats for the command line: samples and metadata, by way of Pillow.

::

    file ─ Pillow ─┬─ samples (8 or 16 bits) ─ alpha onto a background ─┬─ Picture
                   └─ Exif, ICC profile, XMP, density ──────────────────┘

What a JPEG cannot hold is refused: what is lost should be lost by a decision. So alpha needs a
background, and several frames or pages have to be taken apart.

*16 bits.* Pillow cuts colours of 16 bits down to 8, and tells nobody. Its unpackers take the more
significant byte of each sample, by the byte order that they are told; told the wrong one, they take
the other byte. Both readings together are the samples.

*Orientation.* Pixels stay as they are stored, and Exif data that say how they lie go with them.
Pillow turns TIFF files itself, and takes what they say of it out of their tags and XMP.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import exif as exif_data
from .files import FileError
from .jfif import Jfif
from .metadata import Metadata

if TYPE_CHECKING:
    from PIL import Image

#: uint8 or uint16.
Samples = npt.NDArray[Any]

_PNG = b"\x89PNG\r\n\x1a\n"

#: Header of PGM and PPM files: width, height, greatest level, one white space.
_PNM = re.compile(rb"P[56]" + 3 * rb"(?:\s|#[^\n]*\n)+(\d+)" + rb"\s")

#: Tags of a TIFF file that Exif has in its first directory too (CIPA DC-008 4.6.4), and Windows'.
_SHARED_TAGS = (
    0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013E, 0x013F, 0x8298,
    0x4746, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
)  # fmt: skip
_EXIF_DIRECTORY, _GPS_DIRECTORY, _MAKER_NOTE = 0x8769, 0x8825, 0x927C
_PLANAR_CONFIGURATION, _BITS_PER_SAMPLE, _ORIENTATION = 0x011C, 0x0102, 0x0112

#: The unpacker that takes the less significant byte of each sample instead of the other.
_OTHER_BYTE = {
    f"{colors};16{order}": f"{colors};16{other}"
    for colors in ("RGB", "RGBX", "RGBA", "CMYK")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}

#: Colour space of ICC profiles (ICC.1 7.2.6) that fit pictures.
_SPACES = {"grey": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}


@dataclass(frozen=True)
class Picture:
    """A picture and what is said of it.

    Attributes
    ----------
    samples : (h, w), (h, w, 3) or (h, w, 4) uint8 or uint16 array
        Grey, RGB, or CMYK with 0 for no ink.
    maximum : int
        The level of white, or of full ink.
    metadata : Metadata
        As a JPEG holds them.
    lost : tuple of str
        What the file has besides, and `metadata` does not.
    """

    samples: Samples
    maximum: int
    metadata: Metadata
    lost: tuple[str, ...] = ()

    @property
    def color(self) -> str:
        """``"grey"``, ``"RGB"`` or ``"CMYK"``."""
        return color_of(self.samples)

    def scaled(self, bits: int = 8) -> Samples:
        """The samples with so many bits: at full range, rounded to the nearest level."""
        wanted = (1 << bits) - 1
        if self.maximum == wanted:
            return self.samples
        levels = self.samples.astype(np.uint32)
        levels *= wanted
        levels += self.maximum // 2
        levels //= self.maximum
        return levels.astype(np.uint8 if bits <= 8 else np.uint16)


def color_of(samples: Samples) -> str:
    """``"grey"``, ``"RGB"`` or ``"CMYK"``, by the number of channels."""
    return {1: "grey", 3: "RGB", 4: "CMYK"}[(*samples.shape, 1)[2]]


def read_picture(
    name: str, data: bytes, background: tuple[int, int, int] | None = None, keep: bool = True
) -> Picture:
    """The picture in a file of any format that Pillow reads.

    Parameters
    ----------
    name : str
        For error messages.
    data : bytes
    background : (r, g, b), optional
        Colour, 0 to 255, on which a picture with alpha is put.
    keep : bool
        Take all metadata along, or only those by which the picture looks as it does.

    Raises
    ------
    FileError
        If it is nothing that Pillow can read, or nothing that a JPEG can hold.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters about the picture is looked at below
        image = _opened(name, data)
        samples, alpha, maximum = _channels(name, image, data)
        if alpha is not None:
            if background is None:
                what = "a transparent colour" if "transparency" in image.info else "alpha"
                raise FileError(
                    name,
                    f"it has {what}, which a JPEG cannot hold: say with --background white, black "
                    "or #rrggbb on what to put it",
                )
            samples = flattened(samples, alpha, maximum, background)
        try:
            metadata, lost = _metadata(image, color_of(samples), keep)
        except ValueError as error:
            raise FileError(
                name, f"its metadata do not fit into a JPEG: {error}; --metadata strip drops them"
            ) from error
    return Picture(samples, maximum, metadata, lost)


def flattened(
    samples: Samples,
    alpha: Samples,
    maximum: int,
    background: tuple[int, int, int],
) -> Samples:
    """A picture in front of a colour, each pixel by its share (Porter and Duff 1984, *over*).

    Parameters
    ----------
    samples : (h, w) or (h, w, 3)
        Not multiplied by alpha. Grey becomes RGB if the background is no grey.
    alpha : (h, w)
        0 where only the background is seen, `maximum` where it is not.
    maximum : int
        255 or 65535.
    background : (r, g, b)
        0 to 255.
    """
    colors = np.array(background, np.uint32) * (maximum // 255)
    if samples.ndim == 2 and len(set(background)) == 1:
        colors = colors[0]
    elif samples.ndim == 2:
        samples = np.dstack([samples] * 3)
    share = alpha.astype(np.uint32)
    if samples.ndim == 3:
        share = share[:, :, None]
    # at most 65535 * 65535 + 32767: below 2^32
    levels = (samples * share + colors * (maximum - share) + maximum // 2) // maximum
    return levels.astype(samples.dtype)


# --- samples --------------------------------------------------------------------------------------


def _opened(name: str, data: bytes, unpackers: dict[str, str] | None = None) -> Image.Image:
    """The one image in a file, loaded.

    Parameters
    ----------
    name, data
        As for :func:`read_picture`.
    unpackers : dict, optional
        By which of its unpackers Pillow is to replace others.
    """
    pillow = _pillow(name)
    try:
        image = pillow.open(BytesIO(data))
        count = getattr(image, "n_frames", 1)
        if count == 1:
            if unpackers is not None:
                image.tile = [
                    tile._replace(args=_replaced(tile.args, unpackers)) for tile in image.tile
                ]
            transposed = getattr(image, "tag_v2", {}).get(_ORIENTATION, 1) > 4
            image.load()
            if transposed:  # which Pillow has just undone, but for what is said of the sides
                for key in {"dpi", "resolution"} & image.info.keys():
                    image.info[key] = image.info[key][::-1]
    except pillow.UnidentifiedImageError as error:
        raise FileError(name, "no image in a format that Pillow can read") from error
    except Exception as error:  # decoders of other formats raise whatever they like
        raise FileError(name, f"the image cannot be read: {error}") from error
    if count > 1:
        raise FileError(
            name,
            f"it holds {count} pictures (an animation, or pages), and a JPEG holds one: extract "
            "one first, for example with: magick 'IN[0]' OUT.png",
        )
    loaded: Image.Image = image
    return loaded


def _replaced(arguments: Any, unpackers: dict[str, str]) -> Any:
    """Arguments of one of Pillow's decoders, of which the unpacker is the first or the only one."""
    if isinstance(arguments, str):
        return unpackers[arguments]
    return (unpackers[arguments[0]], *arguments[1:])


def _channels(name: str, image: Image.Image, data: bytes) -> tuple[Samples, Samples | None, int]:
    """Samples of grey, RGB or CMYK, alpha if there is one, and the greatest level."""
    mode, bits = image.mode, _bits_per_sample(image, data)
    if mode in ("P", "PA"):
        clear = mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
    if header := _PNM.match(data):
        samples, maximum = _pnm_samples(name, data, header, image)
    elif mode.startswith("I;16"):
        samples, maximum = np.asarray(image).astype(np.uint16), (1 << bits) - 1
    elif mode in ("RGB", "RGBA", "CMYK") and bits == 16:
        samples, maximum = _deep_samples(name, image, data), 65535
    elif mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK") and bits <= 8:
        samples, maximum = np.asarray(image), 255
        if mode == "1":
            samples = samples.astype(np.uint8) * np.uint8(255)
    elif mode in ("F", "I"):
        raise FileError(
            name,
            f"its samples are {np.asarray(image).dtype}, and those of a picture unsigned integers "
            "of at most 16 bits: scale them, round them, and save as uint8 or uint16",
        )
    else:
        raise FileError(
            name,
            f"its colour model is {mode} of {bits} bits; grey, RGB and CMYK can be read: convert "
            "it first, for example with: magick IN -colorspace sRGB OUT.png",
        )
    if image.mode != "CMYK" and samples.shape[2:] in ((2,), (4,)):
        colors = samples[:, :, :-1]
        return (
            np.ascontiguousarray(colors[:, :, 0] if colors.shape[2] == 1 else colors),
            samples[:, :, -1],
            maximum,
        )
    if mode not in ("P", "PA") and "transparency" in image.info:
        return samples, _keyed(image, data, samples, maximum), maximum
    return samples, None, maximum


def _bits_per_sample(image: Image.Image, data: bytes) -> int:
    """Bits of a sample in the file: PNG says it in IHDR, TIFF in a tag; other formats have 8."""
    if data.startswith(_PNG):
        return data[24]
    tags = getattr(image, "tag_v2", {})
    return int(max(tags.get(_BITS_PER_SAMPLE, (8,))))


def _pnm_samples(
    name: str, data: bytes, header: re.Match[bytes], image: Image.Image
) -> tuple[Samples, int]:
    """Samples of PGM and PPM files, two bytes each if the greatest level is above 255."""
    width, height, maximum = (int(number) for number in header.groups())
    if maximum <= 255:
        return np.asarray(image), 255
    shape = (height, width, 3)[: 2 if data[:2] == b"P5" else 3]
    samples = np.frombuffer(data, ">u2", int(np.prod(shape)), header.end()).reshape(shape)
    if int(samples.max()) > maximum:
        raise FileError(
            name, f"the image cannot be read: a level of {samples.max()} is above white, {maximum}"
        )
    return samples.astype(np.uint16), maximum


def _deep_samples(name: str, image: Image.Image, data: bytes) -> Samples:
    """Samples of 16-bit colours in a PNG or TIFF file (see the head of this module)."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR_CONFIGURATION) == 2:
        raise FileError(
            name, "its 16-bit samples lie in separate planes, which is not read: save it in one"
        )
    if data.startswith(_PNG) and data[25] == 4:  # grey and alpha: two samples are four bytes
        both = np.asarray(_opened(name, data, {"LA;16B": "RGBA"})).astype(np.uint16)
        return both[:, :, 0::2] << 8 | both[:, :, 1::2]
    try:
        low = np.asarray(_opened(name, data, _OTHER_BYTE))
    except FileError as error:
        raise FileError(
            name, "its 16-bit samples are stored in a way that is not read: save it as PNG"
        ) from error
    samples: Samples = np.asarray(image).astype(np.uint16) << 8 | low
    return samples


def _keyed(image: Image.Image, data: bytes, samples: Samples, maximum: int) -> Samples:
    """Alpha of a picture in which one colour is transparent (PNG 11.3.2.1)."""
    key = image.info["transparency"]
    if data.startswith(_PNG) and data[24] in (2, 4):  # Pillow spreads levels, but not this one
        key *= 255 // ((1 << data[24]) - 1)
    same = samples == np.array(key)
    if samples.ndim == 3:
        same = same.all(2)
    return np.where(same, 0, maximum).astype(samples.dtype)


# --- writing --------------------------------------------------------------------------------------


def picture_bytes(name: str, samples: Samples, suffix: str) -> bytes:
    """A picture in the format that goes with a file name's suffix, such as ``.png``.

    Lossless where the format leaves a choice (WebP); refused if the samples do not come back.

    Parameters
    ----------
    name : str
        For error messages.
    samples : (h, w), (h, w, 3) or (h, w, 4) uint8 or uint16
        Grey, RGB, or CMYK with 0 for no ink.
    suffix : str
        With its dot.
    """
    pillow = _pillow(name)
    format = pillow.registered_extensions().get(suffix.lower())
    if format not in pillow.SAVE:
        raise FileError(
            name,
            f"Pillow writes no {suffix} files; .png, .tiff, .bmp, .ppm, .webp are some it does",
        )
    height, width = samples.shape[:2]
    file = BytesIO()
    try:
        if color_of(samples) == "CMYK":
            image = pillow.frombytes("CMYK", (width, height), samples.tobytes())
        else:
            image = pillow.fromarray(samples)
        image.save(file, format, lossless=True)
    except Exception as error:  # encoders of other formats raise whatever they like
        raise FileError(name, f"Pillow cannot write this picture as {suffix}: {error}") from error
    try:
        back = np.asarray(pillow.open(file))
    except Exception:  # a format that is written only, such as PDF
        back = np.empty(0, np.uint8)
    if back.shape == (height, width, 3) and samples.ndim == 2:
        back = back[:, :, 0] if (back == back[:, :, :1]).all() else back
    if not np.array_equal(back, samples):
        raise FileError(
            name, f"{suffix} does not hold these pixels as they are; .png, .tiff and .bmp do"
        )
    return file.getvalue()


def _pillow(name: str) -> Any:
    """Pillow's module of images; the package is an extra."""
    try:
        from PIL import Image
    except ImportError:
        raise FileError(
            name, "formats other than JPEG need Pillow: pip install 'pyjpegml[cli]'"
        ) from None
    return Image


# --- metadata -------------------------------------------------------------------------------------


def _metadata(image: Image.Image, color: str, keep: bool) -> tuple[Metadata, tuple[str, ...]]:
    """Exif, ICC profile, XMP and density of an image, and what else there is that is not kept."""
    jfif = _density(image)
    exif, xmp = _exif(image), _bytes(image.info.get("xmp"))
    if not keep:
        turned = 1 if exif is None else exif_data.orientation(memoryview(exif))[0]
        exif, xmp = None if turned == 1 else exif_data.orientation_exif(turned), None
    icc = _bytes(image.info.get("icc_profile"))
    if icc is not None and icc[16:20] != _SPACES[color]:
        space = icc[16:20].decode("latin-1").strip()
        lost = (f"an ICC profile of {space} colours",)
        return Metadata.made_of(jfif=jfif, exif=exif, xmp=xmp), lost
    return Metadata.made_of(jfif=jfif, exif=exif, xmp=xmp, icc=icc), ()


def _density(image: Image.Image) -> Jfif | None:
    """How far the pixels are apart, in the unit in which whole numbers are nearest.

    PNG counts pixels a metre, of which 11811 are 300 an inch.
    """
    info = image.info
    said = info.get("dpi") or info.get("aspect") or info.get("resolution") or (1, 1)
    said = [float(number) for number in said]
    if said == [1, 1]:  # Pillow's word for a TIFF file that does not say
        return None
    ways = [(0, said)]
    if "dpi" in info:
        ways = [(1, said), (2, [number / 2.54 for number in said])]
    ways = [(unit, way) for unit, way in ways if all(0.5 < n < 65535.5 for n in way)]
    if not ways:
        return None
    unit, (x, y) = min(ways, key=lambda way: max(abs(round(n) / n - 1) for n in way[1]))
    return Jfif((1, 1), unit, (round(x), round(y)))


def _bytes(text: bytes | str | None) -> bytes | None:
    """What an image says of itself, or None if that is nothing."""
    return (text.encode() if isinstance(text, str) else text) or None


def _exif(image: Image.Image) -> bytes | None:
    """Exif data, byte for byte; those of a TIFF file are made of its tags."""
    if image.format == "TIFF":
        return _exif_of_tiff(image)
    exif = _bytes(image.info.get("exif"))
    if exif is None and "Raw profile type exif" in image.info:  # as ImageMagick writes it into PNG
        digits = image.info["Raw profile type exif"].split("\n", 3)[3]
        exif = bytes.fromhex(digits)
    return exif and exif.removeprefix(exif_data.SIGNATURE)


def _exif_of_tiff(image: Image.Image) -> bytes | None:
    """The tags of a TIFF file that are not about how it is stored.

    Makers' notes are left out: they may say where in their own file something lies.
    """
    from PIL import Image

    tags = image.getexif()
    kept = Image.Exif()
    for tag in _SHARED_TAGS:
        if tag in tags:
            kept[tag] = tags[tag]
    for directory in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        entries = tags.get_ifd(directory)
        if kept_entries := {tag: v for tag, v in entries.items() if tag != _MAKER_NOTE}:
            kept[directory] = kept_entries
    return kept.tobytes().removeprefix(exif_data.SIGNATURE) if kept else None
