"""Exif: the orientation tag, read from bytes that may be anything, changed, and written.

Exif data are a TIFF file in an APP1 segment behind ``Exif 00 00`` (CIPA DC-008 4.7.2): a header
``II 2A 00`` or ``MM 00 2A`` that says the byte order, the offset of a first directory, and there
12 bytes for each entry: tag, type, count, and the value or its offset. An MPF index is built the
same way (:mod:`pyjpegml.containers`).

Nothing here raises on any bytes, follows an offset out of them or goes in circles: of the chain of
directories two are read, and one that the first names. What is wrong is told beside the value, as
*problems*.

*Changes* are made in place, because nobody but its maker knows where a camera's own data point to:
no byte of Exif data ever moves.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .segments import APP1, LARGEST_PAYLOAD, Problems

Buffer = bytes | bytearray | memoryview

SIGNATURE = b"Exif\0\0"

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION = 0x0112, 0x011A, 0x011B
_EXIF_DIRECTORY, _WIDTH, _HEIGHT = 0x8769, 0xA002, 0xA003
_THUMBNAIL, _THUMBNAIL_SIZE, _STRIPS, _STRIP_SIZES = 0x0201, 0x0202, 0x0111, 0x0117
_SHORT, _LONG, _RATIONAL = 3, 4, 5


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF file (TIFF 6.0 section 2).

    Attributes
    ----------
    order : str
        ``"<"`` or ``">"``, as :mod:`struct` has it.
    entries : dict of int to tuple
        By tag: type, count, and where the four bytes lie that hold the value, or its offset.
    next : int
        Where the four bytes lie that hold the offset of the next directory; 0 if there are none.
    """

    order: str = "<"
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    next: int = 0

    def number(self, tiff: Buffer, tag: int) -> int | None:
        """The value of an entry that is one SHORT or LONG; None if there is no such entry."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        if kind not in (_SHORT, _LONG) or count != 1:
            return None
        value: int = struct.unpack_from(self.order + ("H" if kind == _SHORT else "I"), tiff, at)[0]
        return value


def first_directory(tiff: Buffer) -> tuple[Directory, list[str]]:
    """The first directory, as far as there is one, and what is wrong with it.

    Of entries with the same tag the first counts.
    """
    if len(tiff) < 8:
        return Directory(), [f"the TIFF header has 8 bytes, there are {len(tiff)}"]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if order is None:
        found = bytes(tiff[:4]).hex(" ")
        return Directory(), [f"it starts with {found}; 49 49 2a 00 or 4d 4d 00 2a is a TIFF header"]
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    return _directory(tiff, order, start)


def _directory(tiff: Buffer, order: str, start: int) -> tuple[Directory, list[str]]:
    """The directory at an offset, as far as there is one."""
    if start + 2 > len(tiff):
        return Directory(order), [f"the directory lies at byte {start} of {len(tiff)}"]
    (count,) = struct.unpack_from(order + "H", tiff, start)
    fitting = min(count, (len(tiff) - start - 2) // 12)
    problems = []
    if fitting < count:
        problems.append(f"the directory says {count} entries, and there are {fitting}")
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start + 2, start + 2 + 12 * fitting, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", tiff, at)
        entries.setdefault(tag, (kind, number, at + 8))
    following = start + 2 + 12 * count
    return Directory(order, entries, following if following + 4 <= len(tiff) else 0), problems


def orientation(tiff: memoryview) -> tuple[int, list[str]]:
    """Orientation of a picture, 1 to 8, and what is wrong (CIPA DC-008 4.6.5, tag 0x0112).

    1 is upright, and stands for everything that is missing or makes no sense. A LONG counts, as it
    does for Pillow and OpenCV, but not for browsers.
    """
    directory, problems = first_directory(tiff)
    if _ORIENTATION not in directory.entries:
        return 1, problems
    kind, count, _ = directory.entries[_ORIENTATION]
    if kind != _SHORT or count != 1:
        problems.append(
            f"the orientation is of type {kind}, {count} values; it should be of type 3, one value"
        )
    value = directory.number(tiff, _ORIENTATION)
    if value is None:
        return 1, problems
    if not 1 <= value <= 8:
        problems.append(f"the orientation is {value}; 1 to 8 are possible")
        return 1, problems
    return value, problems


def exif_parts(segments: Sequence[memoryview]) -> tuple[list[memoryview], Problems]:
    """The segments that make up the Exif data, in order, and what is wrong, by segment.

    There should be one. Some programs split longer data; a segment that starts with no TIFF header
    goes on with the data before it, as ExifTool and Pillow have it.
    """
    parts = list(segments[:1])
    problems: Problems = []
    for i, segment in enumerate(segments[1:], 1):
        if bytes(segment[:4]) in (b"II*\0", b"MM\0*"):
            problems.append((i, "there are Exif data already; these do not count"))
        else:
            problems.append((i, "this segment is taken to go on with the Exif data before it"))
            parts.append(segment)
    return parts, problems


def exif_segment(exif: bytes) -> tuple[int, bytes]:
    """Code and payload of the segment that holds Exif data (CIPA DC-008 4.7.2).

    Raises
    ------
    ValueError
        If they are longer than the 65527 bytes that one segment holds; Exif data are not split.
    """
    most = LARGEST_PAYLOAD - len(SIGNATURE)
    if len(exif) > most:
        raise ValueError(f"Exif data have at most {most} bytes, not {len(exif)}")
    return APP1, SIGNATURE + exif


def orientation_exif(value: int) -> bytes:
    """Exif data that say an orientation, 1 to 8, and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)


def _put(tiff: bytearray, directory: Directory, tag: int, value: int) -> None:
    """Change an entry that is one SHORT or LONG; others stay as they are."""
    if directory.number(tiff, tag) is not None:
        kind, _, at = directory.entries[tag]
        struct.pack_into(directory.order + ("H" if kind == _SHORT else "I"), tiff, at, value)


def with_orientation(exif: bytes, value: int) -> bytes:
    """The same Exif data with another orientation, if they say one at all."""
    changed = bytearray(exif)
    _put(changed, first_directory(exif)[0], _ORIENTATION, value)
    return bytes(changed)


def with_size(exif: bytes, width: int, height: int) -> bytes:
    """The same Exif data with another size of the picture, if they say one (CIPA DC-008 4.6.5).

    It stands in the directory of Exif's own tags, as PixelXDimension and PixelYDimension.
    """
    first, _ = first_directory(exif)
    start = first.number(exif, _EXIF_DIRECTORY)
    if start is None:
        return exif
    directory, _ = _directory(exif, first.order, start)
    changed = bytearray(exif)
    _put(changed, directory, _WIDTH, width)
    _put(changed, directory, _HEIGHT, height)
    return bytes(changed)


def with_sides_exchanged(exif: bytes) -> bytes:
    """The same Exif data with the resolutions of width and height exchanged, if they say both.

    Each is a RATIONAL, of which the entry holds the offset (CIPA DC-008 4.6.5).
    """
    first, _ = first_directory(exif)
    x, y = (first.entries.get(tag, (0, 0, 0)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if x[:2] != (_RATIONAL, 1) or y[:2] != (_RATIONAL, 1):
        return exif
    changed = bytearray(exif)
    changed[x[2] : x[2] + 4], changed[y[2] : y[2] + 4] = (
        exif[y[2] : y[2] + 4], exif[x[2] : x[2] + 4],
    )  # fmt: skip
    return bytes(changed)


def without_thumbnail(exif: bytes) -> bytes:
    """The same Exif data without the picture that the second directory holds (CIPA DC-008 4.5.8).

    The directory is taken out of the chain. The thumbnail's bytes are cut off if nothing stands
    behind them, and else set to zero.
    """
    first, _ = first_directory(exif)
    if not first.next:
        return exif
    (start,) = struct.unpack_from(first.order + "I", exif, first.next)
    if start == 0:
        return exif
    changed = bytearray(exif)
    struct.pack_into(first.order + "I", changed, first.next, 0)
    directory, _ = _directory(exif, first.order, start)
    for place, size in ((_THUMBNAIL, _THUMBNAIL_SIZE), (_STRIPS, _STRIP_SIZES)):
        begin, length = directory.number(exif, place), directory.number(exif, size)
        if begin is None or length is None or not 8 <= begin < len(changed):
            continue
        if begin + length >= len(changed):
            del changed[begin:]
        else:
            changed[begin : begin + length] = bytes(length)
    return bytes(changed)


def changed_segments(
    segments: Sequence[memoryview], change: Callable[[bytes], bytes]
) -> list[bytes]:
    """Payloads of the segments of a file whose Exif data are changed, cut where they were.

    Parameters
    ----------
    segments : sequence of memoryview
        What stands behind the signature, in file order.
    change : callable
        Gives Exif data that are no longer than the given ones.
    """
    parts, _ = exif_parts(segments)
    data = change(b"".join(parts))
    payloads = []
    for segment in segments:
        if any(segment is part for part in parts):
            piece, data = data[: len(segment)], data[len(segment) :]
        else:
            piece = bytes(segment)
        payloads.append(SIGNATURE + piece)
    return payloads
