"""JFIF's markers and Adobe's: version, density, thumbnails, colour transform.

JFIF (ITU-T T.871) says in APP0 how far the pixels are apart, and may hold a thumbnail; JFXX
segments behind it hold thumbnails in other forms. Adobe's APP14 (Adobe Technical Note 5116) says
how colours were transformed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral

from .markers import APP0, APP14
from .segments import Problems, last_counts

JFIF = b"JFIF\0"
JFXX = b"JFXX\0"
ADOBE = b"Adobe"


@dataclass(frozen=True)
class Thumbnail:
    """A small version of the picture in a JFIF or JFXX segment (ITU-T T.871 10.1 to 10.5).

    Attributes
    ----------
    kind : str
        ``"RGB"``: three bytes for each pixel; ``"palette"``: 256 RGB colours, then one byte for
        each pixel; ``"JPEG"``: a whole JPEG.
    width, height : int or None
        None for a JPEG, which says its own.
    data : bytes
    """

    kind: str
    width: int | None
    height: int | None
    data: bytes


@dataclass(frozen=True)
class Jfif:
    """A JFIF marker (ITU-T T.871 10.1).

    Attributes
    ----------
    version : (int, int)
        ``(1, 2)`` is 1.02.
    unit : int
        Of the density: 1 for dots an inch, 2 for dots a centimetre, 0 for none: then it is an
        aspect ratio.
    density : (int, int)
        Horizontal, vertical.
    """

    version: tuple[int, int]
    unit: int
    density: tuple[int, int]


@dataclass(frozen=True)
class Adobe:
    """An Adobe marker.

    Attributes
    ----------
    version, flags0, flags1 : int
        Of Adobe's DCT filters; of no use to a decoder.
    transform : int
        0 for RGB or CMYK, 1 for YCbCr, 2 for YCCK.
    """

    version: int
    flags0: int
    flags1: int
    transform: int


def parse_jfif(
    segments: Sequence[memoryview],
) -> tuple[Jfif | None, list[Thumbnail], Problems]:
    """Version, density and thumbnail of the last whole JFIF marker (ITU-T T.871 10.1).

    A marker that is too short counts for nothing, and bytes behind the thumbnail are ignored.
    """
    problems: Problems = [
        (i, f"the marker has at least 9 bytes behind its signature, not {len(segment)}")
        for i, segment in enumerate(segments)
        if len(segment) < 9
    ]
    whole = [i for i, segment in enumerate(segments) if len(segment) >= 9]
    if not whole:
        return None, [], problems
    problems += last_counts(segments)
    last = whole[-1]
    major, minor, unit, x, y, width, height = struct.unpack_from(">BBBHHBB", segments[last])
    if major != 1:
        problems.append((last, f"the version is {major}.{minor:02}; 1.00 to 1.02 are known"))
    if unit > 2:
        problems.append((last, f"the unit of the density is {unit}; 0 to 2 are known"))
    if x == 0 or y == 0:
        problems.append((last, f"the density is {x}x{y}; 1 is the least"))
    thumbnails: list[Thumbnail] = []
    if width and height:
        problem = _add_thumbnail(thumbnails, "RGB", width, height, segments[last][9:])
        problems += [(last, text) for text in problem]
    return Jfif((major, minor), unit, (x, y)), thumbnails, problems


def _add_thumbnail(
    thumbnails: list[Thumbnail], name: str, width: int, height: int, data: memoryview
) -> list[str]:
    """Append a thumbnail, or say what is wrong with it."""
    size = 3 * width * height if name == "RGB" else 768 + width * height
    if len(data) < size:
        return [f"the thumbnail of {width}x{height} needs {size} bytes, there are {len(data)}"]
    thumbnails.append(Thumbnail(name, width, height, bytes(data[:size])))
    return []


def parse_jfxx(segments: Sequence[memoryview]) -> tuple[list[Thumbnail], Problems]:
    """The thumbnails of JFXX segments (ITU-T T.871 10.2 to 10.5)."""
    thumbnails: list[Thumbnail] = []
    problems: Problems = []
    for i, segment in enumerate(segments):
        code = segment[0] if len(segment) else None
        if code == 0x10:
            thumbnails.append(Thumbnail("JPEG", None, None, bytes(segment[1:])))
        elif code in (0x11, 0x13) and len(segment) >= 3:
            name = "palette" if code == 0x11 else "RGB"
            problem = _add_thumbnail(thumbnails, name, segment[1], segment[2], segment[3:])
            problems += [(i, text) for text in problem]
        else:
            start = bytes(segment[:3]).hex(" ") or "nothing"
            problems.append((i, f"no thumbnail starts with {start}; 10, 11 and 13 are known"))
    return thumbnails, problems


def parse_adobe(segments: Sequence[memoryview]) -> tuple[Adobe | None, Problems]:
    """The last whole Adobe marker (Adobe Technical Note 5116, section 18)."""
    problems: Problems = [
        (i, f"the marker has at least 7 bytes behind its signature, not {len(segment)}")
        for i, segment in enumerate(segments)
        if len(segment) < 7
    ]
    whole = [segment for segment in segments if len(segment) >= 7]
    if not whole:
        return None, problems
    return Adobe(*struct.unpack_from(">HHHB", whole[-1])), problems + last_counts(segments)


def jfif_segment(jfif: Jfif) -> tuple[int, bytes]:
    """Code and payload of JFIF's marker, without a thumbnail (ITU-T T.871 10.1).

    Raises
    ------
    ValueError
        If a density is not 1 to 65535, its unit not 0 to 2, or the version not of two bytes.
    """
    if not all(_whole(number, 0, 255) for number in jfif.version):
        raise ValueError(f"a version of JFIF is two whole numbers up to 255, not {jfif.version}")
    if not _whole(jfif.unit, 0, 2) or not all(_whole(n, 1, 65535) for n in jfif.density):
        raise ValueError(
            "a density is a whole number from 1 to 65535 and its unit 0, 1 or 2; these are "
            f"{jfif.density[0]}x{jfif.density[1]} and {jfif.unit}"
        )
    return APP0, JFIF + struct.pack(">BBBHHBB", *jfif.version, jfif.unit, *jfif.density, 0, 0)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, Integral) and low <= int(value) <= high


def sound(jfif: Jfif) -> Jfif:
    """The same, with square pixels of no stated size in place of a density that makes no sense."""
    if jfif.unit > 2 or 0 in jfif.density:
        return replace(jfif, unit=0, density=(1, 1))
    return jfif


def adobe_segment(adobe: Adobe) -> tuple[int, bytes]:
    """Code and payload of Adobe's marker (Adobe Technical Note 5116, section 18).

    Raises
    ------
    ValueError
        If a field is negative or too large.
    """
    fields = adobe.version, adobe.flags0, adobe.flags1, adobe.transform
    if not all(_whole(n, 0, 65535) for n in fields) or adobe.transform > 255:
        raise ValueError(f"fields of an Adobe marker are 0 to 65535, the transform to 255: {adobe}")
    return APP14, ADOBE + struct.pack(">HHHB", *fields)
