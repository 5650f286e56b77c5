"""Marker segments: what stands between SOI and EOI, read and written (T.81 Annex B).

A file is a chain of segments: FF, a code, and for most codes a two-byte length (which counts
itself) and as many bytes. Entropy-coded data follow an SOS segment without a length; they end where
the next marker stands that is not a restart marker.

This file knows syntax only: it turns bytes into :class:`Frame`, :class:`ScanHeader`, tables and so
on, and back. What a decoder makes of their sequence is in :mod:`pyjpegml.decoder`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .constants import ZIGZAG
from .errors import JpegFormatError, JpegUnsupportedError
from .huffman import AC, HuffmanTable

SOI, EOI, SOS, DQT, DNL, DRI, DHT, DAC, APP0, APP14, COM = (
    0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xC4, 0xCC, 0xE0, 0xEE, 0xFE,
)  # fmt: skip
SOF0, DHP, EXP = 0xC0, 0xDE, 0xDF

NAMES = {
    SOI: "SOI", EOI: "EOI", SOS: "SOS", DQT: "DQT", DNL: "DNL", DRI: "DRI", DHT: "DHT", DAC: "DAC",
    COM: "COM", 0xC8: "JPG", DHP: "DHP", EXP: "EXP", 0x01: "TEM",
    **{0xC0 + n: f"SOF{n}" for n in (0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15)},
    **{0xD0 + n: f"RST{n}" for n in range(8)},
    **{0xE0 + n: f"APP{n}" for n in range(16)},
    **{0xF0 + n: f"JPG{n}" for n in range(14)},
}  # fmt: skip
"""Mnemonic of each marker code (T.81 Table B.1)."""

PROCESSES = {
    0: "baseline",
    1: "extended sequential",
    2: "progressive",
    3: "lossless",
    5: "hierarchical sequential",
    6: "hierarchical progressive",
    7: "hierarchical lossless",
    9: "arithmetic sequential",
    10: "arithmetic progressive",
    11: "arithmetic lossless",
    13: "hierarchical arithmetic sequential",
    14: "hierarchical arithmetic progressive",
    15: "hierarchical arithmetic lossless",
}
"""Coding process by the number of its SOF marker (T.81 Table B.1)."""


def marker_name(code: int) -> str:
    """``"SOF0"``, ``"APP14"``, or ``"FF02"`` for a reserved code."""
    return NAMES.get(code, f"FF{code:02X}")


@dataclass(frozen=True)
class Segment:
    """A marker and its parameters.

    Attributes
    ----------
    code : int
        Second byte of the marker.
    offset : int
        Byte offset of the marker.
    payload : memoryview
        The parameters, without the length; empty for markers that have none.
    end : int
        Offset of the first byte behind the segment.
    """

    code: int
    offset: int
    payload: memoryview
    end: int

    @property
    def name(self) -> str:
        """Mnemonic of the marker."""
        return marker_name(self.code)

    def error(self, message: str, at: int = 0) -> JpegFormatError:
        """A format error at byte `at` of the payload."""
        return JpegFormatError(message, offset=self.offset + 4 + at, marker=self.name)


def head_size(data: memoryview) -> int:
    """Offset of the data of the first scan, if only whole segments stand before it; else 0."""
    size, position = len(data), 2
    while position + 4 <= size and data[position] == 0xFF:
        code = data[position + 1]
        if code < SOF0 or 0xD0 <= code <= EOI or code == 0xFF:
            break  # a marker without a length, or none
        position += 2 + (data[position + 2] << 8 | data[position + 3])
        if code == SOS:
            return position if position <= size else 0
    return 0


def next_segment(data: memoryview, position: int, warnings: list[str]) -> Segment:
    """The segment at `position`, or behind junk that is skipped with a warning (T.81 B.1.1).

    Raises
    ------
    JpegFormatError
        If the data end first, or the length is wrong.
    """
    size = len(data)
    start = position
    while True:
        while position < size and data[position] != 0xFF:
            position += 1
        marker = position
        while position < size and data[position] == 0xFF:  # fill bytes (T.81 B.1.1.2)
            position += 1
        if position >= size:
            raise JpegFormatError("the data end where a marker should be", offset=size)
        code = data[position]
        position += 1
        if code != 0:  # FF00 is a stuffed byte of entropy-coded data, not a marker
            break
    offset = position - 2
    if marker > start:
        warnings.append(f"{marker - start} bytes that belong to no segment, at byte {start}")
    if code in (SOI, EOI, 0x01) or 0xD0 <= code <= 0xD7:
        return Segment(code, offset, data[position:position], position)
    if position + 2 > size:
        raise JpegFormatError(
            "the data end before the length", offset=size, marker=marker_name(code)
        )
    length = data[position] << 8 | data[position + 1]
    if length < 2:
        raise JpegFormatError(
            f"the length is {length}; it counts itself, so 2 is the least",
            offset=position,
            marker=marker_name(code),
        )
    end = position + length
    if end > size:
        raise JpegFormatError(
            f"the segment ends {end - size} bytes behind the end of the data",
            offset=offset,
            marker=marker_name(code),
        )
    return Segment(code, offset, data[position + 2 : end], end)


def segments(data: bytes | memoryview) -> Iterator[Segment]:
    """All segments from SOI to EOI, entropy-coded data skipped; for tools that list them.

    Ends at EOI, or at the end of the data.

    Examples
    --------
    >>> [segment.name for segment in segments(bytes.fromhex("ffd8 fffe0003 21 ffd9"))]
    ['SOI', 'COM', 'EOI']
    """
    view = memoryview(data)
    position = 0
    while position < len(view):
        segment = next_segment(view, position, [])
        yield segment
        position = segment.end
        if segment.code == EOI:
            return
        if segment.code == SOS:
            position = end_of_scan(view, position)


# a marker that is neither a stuffed FF, nor a fill byte, nor a restart marker
_ENDING = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def end_of_scan(data: memoryview, position: int) -> int:
    """Offset of the marker that ends entropy-coded data (T.81 B.1.1.5), or the data's length."""
    found = _ENDING.search(data, position)
    return found.start() if found else len(data)


@dataclass(frozen=True)
class FrameComponent:
    """A component as SOF describes it: id, sampling factors, quantization table slot."""

    identifier: int
    h: int
    v: int
    table: int


@dataclass(frozen=True)
class Frame:
    """Frame header (T.81 B.2.2).

    Attributes
    ----------
    sof : int
        Number of the SOF marker, 0 for baseline.
    precision : int
        Bits of a sample.
    height, width : int
        A height of 0 is defined by a DNL segment behind the first scan.
    components : tuple of FrameComponent
    """

    sof: int
    precision: int
    height: int
    width: int
    components: tuple[FrameComponent, ...]

    @property
    def process(self) -> str:
        """Coding process, such as ``"baseline"``."""
        return PROCESSES[self.sof]


def is_frame(code: int) -> bool:
    """Whether a marker is one of the SOFs."""
    return 0xC0 <= code <= 0xCF and code not in (DHT, 0xC8, DAC)


def parse_frame(segment: Segment) -> Frame:
    """SOF (T.81 B.2.2)."""
    payload = segment.payload
    if len(payload) < 6:
        raise segment.error(f"a frame header has at least 6 bytes, not {len(payload)}")
    precision, height, width, count = struct.unpack(">BHHB", payload[:6])
    if len(payload) < 6 + 3 * count:
        raise segment.error(
            f"{count} components need {6 + 3 * count} bytes, there are {len(payload)}"
        )
    if width == 0:
        raise segment.error("the width is 0; 1 to 65535 are possible", 3)
    if count == 0:
        raise segment.error("there are no components", 5)
    components = []
    for i in range(count):
        identifier, factors, table = payload[6 + 3 * i : 9 + 3 * i]
        h, v = factors >> 4, factors & 15
        if not (1 <= h <= 4 and 1 <= v <= 4):
            raise segment.error(f"sampling factors are 1 to 4, not {h}x{v}", 7 + 3 * i)
        if table > 3:
            raise segment.error(f"quantization tables are 0 to 3, not {table}", 8 + 3 * i)
        components.append(FrameComponent(identifier, h, v, table))
    if len({c.identifier for c in components}) != count:
        raise segment.error("two components have the same identifier", 6)
    return Frame(segment.code - SOF0, precision, height, width, tuple(components))


@dataclass(frozen=True)
class ScanHeader:
    """Scan header (T.81 B.2.3).

    Attributes
    ----------
    components : tuple of (identifier, DC table, AC table)
    start, end : int
        Spectral selection.
    high, low : int
        Successive approximation.
    """

    components: tuple[tuple[int, int, int], ...]
    start: int
    end: int
    high: int
    low: int


def parse_scan(segment: Segment) -> ScanHeader:
    """SOS (T.81 B.2.3)."""
    payload = segment.payload
    count = payload[0] if len(payload) else 0
    if not 1 <= count <= 4:
        raise segment.error(f"a scan has 1 to 4 components, not {count}")
    if len(payload) < 4 + 2 * count:
        raise segment.error(
            f"{count} components need {4 + 2 * count} bytes, there are {len(payload)}"
        )
    components = []
    for i in range(count):
        identifier, tables = payload[1 + 2 * i : 3 + 2 * i]
        if tables >> 4 > 3 or tables & 15 > 3:
            raise segment.error(
                f"entropy-coding tables are 0 to 3, not {tables >> 4} and {tables & 15}", 2 + 2 * i
            )
        components.append((identifier, tables >> 4, tables & 15))
    start, end, approximation = payload[1 + 2 * count : 4 + 2 * count]
    return ScanHeader(tuple(components), start, end, approximation >> 4, approximation & 15)


def parse_qtables(segment: Segment) -> dict[int, npt.NDArray[np.uint16]]:
    """DQT (T.81 B.2.4.1): tables by slot, (8, 8) uint16 in natural order."""
    payload, position = segment.payload, 0
    tables = {}
    while position < len(payload):
        wide, slot = payload[position] >> 4, payload[position] & 15
        if wide > 1 or slot > 3:
            raise segment.error(
                f"table precision is 0 or 1 and its slot 0 to 3, not {wide} and {slot}", position
            )
        size = 64 << wide
        steps = payload[position + 1 : position + 1 + size]
        if len(steps) < size:
            raise segment.error(f"a table needs {size} bytes, there are {len(steps)}", position + 1)
        table = np.empty(64, np.uint16)
        table[ZIGZAG] = np.frombuffer(steps, ">u2" if wide else np.uint8)
        if not table.all():
            raise segment.error(f"table {slot} has a step of 0; 1 is the least", position + 1)
        tables[slot] = table.reshape(8, 8)
        position += 1 + size
    return tables


def parse_huffman_tables(segment: Segment) -> dict[int, HuffmanTable]:
    """DHT (T.81 B.2.4.2): tables by slot, DC 0 to 3 and AC 4 to 7."""
    payload, position = segment.payload, 0
    tables = {}
    while position < len(payload):
        kind, slot = payload[position] >> 4, payload[position] & 15
        if kind > 1 or slot > 3:
            raise segment.error(
                f"table class is 0 or 1 and its slot 0 to 3, not {kind} and {slot}", position
            )
        bits = tuple(payload[position + 1 : position + 17])
        symbols = bytes(payload[position + 17 : position + 17 + sum(bits)])
        if len(bits) < 16 or len(symbols) < sum(bits):
            raise segment.error(f"the segment ends within table {slot}", position)
        try:
            tables[AC * kind + slot] = HuffmanTable(bits, symbols)
        except JpegFormatError as error:
            raise segment.error(str(error), position) from None
        position += 17 + sum(bits)
    return tables


def parse_conditioning(segment: Segment) -> dict[int, int]:
    """DAC (T.81 B.2.4.3): conditioning of arithmetic tables by slot, DC 0 to 3 and AC 4 to 7.

    A value is 16 U + L for DC and Kx for AC.
    """
    payload = segment.payload
    if len(payload) % 2:
        raise segment.error(f"tables have 2 bytes each, and there are {len(payload)}")
    conditioning = {}
    for position in range(0, len(payload), 2):
        kind, slot = payload[position] >> 4, payload[position] & 15
        value = payload[position + 1]
        if kind > 1 or slot > 3:
            raise segment.error(
                f"table class is 0 or 1 and its slot 0 to 3, not {kind} and {slot}", position
            )
        if kind == 0 and value & 15 > value >> 4:
            raise segment.error(
                f"L of DC table {slot} is at most U, not {value & 15} with U = {value >> 4}",
                position + 1,
            )
        if kind == 1 and not 1 <= value <= 63:
            raise segment.error(f"Kx of AC table {slot} is 1 to 63, not {value}", position + 1)
        conditioning[AC * kind + slot] = value
    return conditioning


#: Codes of the segments of which :func:`unneeded` knows.
SIZED = frozenset({DRI, DNL, SOS, *(code for code in range(SOF0, SOF0 + 16) if is_frame(code))})


def unneeded(segment: Segment) -> int:
    """How many bytes of a segment stand behind what it holds: SOF, SOS, DRI or DNL, whose sizes are
    told by no more than their first bytes.
    """
    payload, needed = segment.payload, 2
    if is_frame(segment.code):
        needed = 6 + 3 * payload[5] if len(payload) > 5 else 6
    elif segment.code == SOS:
        needed = 4 + 2 * payload[0] if len(payload) > 0 else 4
    return max(0, len(payload) - needed)


def parse_restart_interval(segment: Segment) -> int:
    """DRI (T.81 B.2.4.4): MCUs between restart markers, 0 for none."""
    if len(segment.payload) < 2:
        raise segment.error(f"a restart interval has 2 bytes, not {len(segment.payload)}")
    return segment.payload[0] << 8 | segment.payload[1]


def parse_height(segment: Segment) -> int:
    """DNL (T.81 B.2.5): the number of lines, 1 to 65535."""
    if len(segment.payload) < 2:
        raise segment.error(f"a number of lines has 2 bytes, not {len(segment.payload)}")
    height = segment.payload[0] << 8 | segment.payload[1]
    if height == 0:
        raise segment.error("the number of lines is 0; 1 to 65535 are possible")
    return height


def is_jfif(segment: Segment) -> bool:
    """Whether an APP0 segment is JFIF's, all of it (ITU-T T.871 10.1)."""
    payload = segment.payload
    return segment.code == APP0 and len(payload) >= 14 and bytes(payload[:5]) == b"JFIF\0"


def adobe_transform(segment: Segment) -> int | None:
    """The colour transform of an Adobe APP14 segment: 0, 1 or 2; None if it is not Adobe's."""
    payload = segment.payload
    if segment.code == APP14 and len(payload) >= 12 and bytes(payload[:5]) == b"Adobe":
        return payload[11]
    return None


# --- writing -------------------------------------------------------------------------------------


def segment_bytes(code: int, payload: bytes) -> bytes:
    """A whole segment (T.81 B.1.1.4).

    Raises
    ------
    ValueError
        If the payload is longer than the 65533 bytes that a length can say.
    """
    if len(payload) > 65533:
        raise ValueError(
            f"a {marker_name(code)} segment holds at most 65533 bytes, not {len(payload)}"
        )
    return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload


def jfif_bytes() -> bytes:
    """APP0 of JFIF 1.01, square pixels, no thumbnail (ITU-T T.871 10.1)."""
    return segment_bytes(APP0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, 0, 1, 1, 0, 0))


def adobe_bytes(transform: int) -> bytes:
    """APP14 of Adobe: 0 for RGB or CMYK, 1 for YCbCr, 2 for YCCK (Adobe Technical Note 5116)."""
    return segment_bytes(APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def qtable_bytes(slot: int, table: npt.NDArray[np.uint16]) -> bytes:
    """DQT of one table (T.81 B.2.4.1), in 8 bits if its steps allow."""
    steps = table.reshape(64)[ZIGZAG]
    if steps.max() > 255:
        return segment_bytes(DQT, bytes([0x10 | slot]) + steps.astype(">u2").tobytes())
    return segment_bytes(DQT, bytes([slot]) + steps.astype(np.uint8).tobytes())


def huffman_table_bytes(slot: int, table: HuffmanTable) -> bytes:
    """DHT of one table (T.81 B.2.4.2)."""
    kind, number = divmod(slot, AC)
    return segment_bytes(DHT, bytes([kind << 4 | number, *table.bits]) + table.symbols)


def frame_bytes(frame: Frame) -> bytes:
    """SOF (T.81 B.2.2)."""
    head = struct.pack(">BHHB", frame.precision, frame.height, frame.width, len(frame.components))
    body = b"".join(bytes([c.identifier, c.h << 4 | c.v, c.table]) for c in frame.components)
    return segment_bytes(SOF0 + frame.sof, head + body)


def restart_interval_bytes(interval: int) -> bytes:
    """DRI (T.81 B.2.4.4)."""
    return segment_bytes(DRI, struct.pack(">H", interval))


def scan_bytes(
    components: Sequence[tuple[int, int, int]], start: int = 0, end: int = 63, low: int = 0
) -> bytes:
    """SOS of a sequential or lossless scan (T.81 B.2.3).

    Parameters
    ----------
    components : sequence of (identifier, DC table, AC table)
    start, end : int
        Spectral selection; in a lossless scan predictor and 0.
    low : int
        Point transform of a lossless scan.
    """
    body = b"".join(bytes([identifier, dc << 4 | ac]) for identifier, dc, ac in components)
    return segment_bytes(SOS, bytes([len(components)]) + body + bytes([start, end, low]))


def unsupported_frame(frame: Frame, segment: Segment) -> JpegUnsupportedError:
    """The error that names a coding process which this version cannot decode."""
    return JpegUnsupportedError(
        f"{frame.process} coding (SOF{frame.sof}, {frame.precision} bits) is not supported; "
        "sequential, progressive and lossless coding (SOF0 to SOF3, SOF9, SOF10) are",
        offset=segment.offset,
        marker=segment.name,
    )
