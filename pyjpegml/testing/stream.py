"""What a test stream is: its file, cut into named parts, and the exact content behind them; and
what a damaged one is.

A :class:`Stream` holds a complete JPEG file together with everything a decoder should find in it,
so that a decoder can be judged without a second decoder. The file is kept as a chain of
:class:`Part`: marker segments, restart intervals, fill bytes. Faults are made by editing parts
(:mod:`pyjpegml.testing.faults`).

Nothing in :mod:`pyjpegml.testing` imports the codec (but for the processes in which
:mod:`~pyjpegml.testing.decoders` runs it): what it says is said a second time, straight
from ITU-T T.81.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

PROCESSES = {
    "baseline": 0,
    "extended sequential": 1,
    "progressive": 2,
    "lossless": 3,
    "arithmetic sequential": 9,
    "arithmetic progressive": 10,
}
"""Coding processes that can be written, and the number of their SOF marker (T.81 Table B.1)."""


ERROR, SAME, ANY = "error", "same", "any"
"""Verdicts on damaged files, see :mod:`pyjpegml.testing.damage`."""


def ceil_div(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


def _zigzag() -> tuple[int, ...]:
    """Diagonals, walked upwards if row + column is even, else downwards (Figure A.6)."""
    places = [(v, u) for v in range(8) for u in range(8)]
    places.sort(key=lambda p: (sum(p), p[1] if sum(p) % 2 == 0 else p[0]))
    return tuple(8 * v + u for v, u in places)


ZIGZAG = _zigzag()
"""Natural index, 8 row + column, of each zigzag position (T.81 Figure A.6)."""


@dataclass(frozen=True)
class Component:
    """A component of a frame: identifier, sampling factors, slot of its quantization table."""

    identifier: int
    h: int = 1
    v: int = 1
    table: int = 0


@dataclass(frozen=True)
class Frame:
    """Parameters of a frame (T.81 B.2.2).

    Attributes
    ----------
    process : str
        One of :data:`PROCESSES`.
    precision : int
        Bits of a sample.
    width, height : int
        Of the picture.
    components : tuple of Component
    """

    process: str
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]

    @property
    def sof(self) -> int:
        """Number of the SOF marker."""
        return PROCESSES[self.process]

    @property
    def lossless(self) -> bool:
        """Whether samples are coded and not coefficients."""
        return self.process == "lossless"

    @property
    def progressive(self) -> bool:
        """Whether coefficients come in several scans."""
        return self.process.endswith("progressive")

    @property
    def arithmetic(self) -> bool:
        """Whether the entropy coder is the arithmetic one."""
        return self.process.startswith("arithmetic")

    @property
    def data_unit(self) -> int:
        """Samples along a side of a data unit: 8 of a block, 1 in a lossless process."""
        return 1 if self.lossless else 8

    @property
    def h_max(self) -> int:
        """Largest horizontal sampling factor."""
        return max(c.h for c in self.components)

    @property
    def v_max(self) -> int:
        """Largest vertical sampling factor."""
        return max(c.v for c in self.components)

    def sample_size(self, i: int) -> tuple[int, int]:
        """Rows and columns of component `i` (T.81 A.1.1)."""
        c = self.components[i]
        return ceil_div(self.height * c.v, self.v_max), ceil_div(self.width * c.h, self.h_max)

    def unit_size(self, i: int) -> tuple[int, int]:
        """Data units of component `i`, down and across, that hold its samples."""
        rows, columns = self.sample_size(i)
        return ceil_div(rows, self.data_unit), ceil_div(columns, self.data_unit)

    def mcu_size(self) -> tuple[int, int]:
        """MCUs of an interleaved scan, down and across (T.81 A.2.3).

        The same for every choice of components, as sampling factors are relative to the largest of
        the frame.
        """
        return (
            ceil_div(self.height, self.data_unit * self.v_max),
            ceil_div(self.width, self.data_unit * self.h_max),
        )

    def padded_size(self, i: int) -> tuple[int, int]:
        """Data units of component `i` with those that complete the last MCUs (T.81 A.2.4)."""
        down, across = self.mcu_size()
        return down * self.components[i].v, across * self.components[i].h


@dataclass(frozen=True)
class HuffmanTable:
    """A Huffman table as DHT gives it (T.81 B.2.4.2).

    Attributes
    ----------
    bits : tuple of int
        Number of codes of each length, 1 to 16.
    symbols : bytes
        In the order of their codes.
    """

    bits: tuple[int, ...]
    symbols: bytes

    def codes(self) -> dict[int, str]:
        """Code of each symbol, as a string of 0 and 1 (T.81 Figures C.1 to C.3)."""
        codes = {}
        code, k = 0, 0
        for length, count in enumerate(self.bits, 1):
            for _ in range(count):
                codes[self.symbols[k]] = format(code, f"0{length}b")
                code += 1
                k += 1
            code <<= 1
        return codes


@dataclass(frozen=True)
class Scan:
    """Parameters of a scan (T.81 B.2.3).

    Attributes
    ----------
    components : tuple of int
        Indices into the frame's components.
    slots : tuple of (int, int)
        DC and AC table of each component.
    start, end : int
        Spectral selection; in a lossless scan `start` is the predictor.
    high, low : int
        Successive approximation; in a lossless scan `low` is the point transform.
    restart_interval : int
        In MCUs; 0 if there are no restart markers.
    conditioning : mapping of (class, slot) to int
        What DAC says of arithmetic tables; class 0 is DC (16 U + L), 1 is AC (Kx).
    eob_limit : int
        Longest end-of-band run that the writer makes.
    """

    components: tuple[int, ...]
    slots: tuple[tuple[int, int], ...]
    start: int = 0
    end: int = 63
    high: int = 0
    low: int = 0
    restart_interval: int = 0
    conditioning: Mapping[tuple[int, int], int] = field(default_factory=dict)
    eob_limit: int = 0x7FFF


@dataclass(frozen=True)
class Part:
    """A piece of a file.

    Attributes
    ----------
    name : str
        Of the marker, or ``"ECS"`` (entropy-coded data of one restart interval), ``"fill"`` (FF
        bytes before a marker), ``"trailing"`` (bytes behind EOI).
    data : bytes
    """

    name: str
    data: bytes

    @property
    def has_length(self) -> bool:
        """Whether it is a marker segment with parameters."""
        return not self.name.startswith("RST") and self.name not in (
            "SOI", "EOI", "ECS", "fill", "trailing",
        )  # fmt: skip

    def text(self) -> str:
        """A line for people."""
        shown = self.data[4:] if self.has_length else self.data
        hexes = shown[:24].hex(" ") + (" ..." if len(shown) > 24 else "")
        return f"{self.name:8} {len(self.data):5} bytes  {hexes}".rstrip()

    def tables(self) -> list[int]:
        """Offsets of the tables in a DHT or DQT segment (T.81 B.2.4.1, B.2.4.2); else none."""
        found, at = [], 4
        while self.name in ("DHT", "DQT") and at < len(self.data):
            found.append(at)
            if self.name == "DHT":
                at += 17 + sum(self.data[at + 1 : at + 17])
            else:
                at += 129 if self.data[at] >> 4 else 65
        return found

    def tables_text(self) -> list[str]:
        """Tables in a DHT or DQT segment, for people: codes by length, steps in zigzag order."""
        lines = []
        for at in self.tables():
            kind, slot = self.data[at] >> 4, self.data[at] & 15
            if self.name == "DQT":
                steps = np.frombuffer(self.data, ">u2" if kind else "u1", 64, at + 1).tolist()
                shown = f"all {steps[0]}" if len(set(steps)) == 1 else " ".join(map(str, steps))
                lines.append(f"steps of slot {slot}: {shown}")
                continue
            bits = self.data[at + 1 : at + 17]
            symbols = iter(self.data[at + 17 :])
            codes = [
                f"{length} bits: " + " ".join(f"{next(symbols):02x}" for _ in range(count))
                for length, count in enumerate(bits, 1)
                if count
            ]
            lines.append(f"codes of {'AC' if kind else 'DC'} slot {slot}: {'; '.join(codes)}")
        return lines


@dataclass(frozen=True, eq=False, repr=False)
class Stream:
    """A JPEG file and its exact content.

    Attributes
    ----------
    frame : Frame
    scans : tuple of Scan
    parts : tuple of Part
        The file in pieces.
    qtables : tuple of (8, 8) uint16 arrays
        Of each component, natural order; empty for lossless files.
    coefficients : tuple of (blocks down, blocks across, 8, 8) int16 arrays
        Quantized coefficients of each component as they are after the last scan, natural order,
        blocks that hold samples of the picture only; empty for lossless files.
    samples : tuple of (rows, columns) uint16 arrays
        Of each component, in lossless files; else empty.
    color_model : str
        What the components mean to a decoder that follows libjpeg's conventions: ``"grey"``,
        ``"YCbCr"``, ``"RGB"``, ``"CMYK"``, ``"YCCK"``, or ``"unknown"``.
    jfif : bool
        Whether a JFIF marker is there.
    adobe : int or None
        Transform of Adobe's marker, None if it is not there.
    complete : bool
        False for a progressive file whose scans stop before the last bit.
    features : frozenset of str
        What is unusual about it, see :data:`pyjpegml.testing.FEATURES`.
    traits : frozenset of str
        What it asks of a decoder, see :data:`pyjpegml.testing.TRAITS`.
    """

    frame: Frame
    scans: tuple[Scan, ...]
    parts: tuple[Part, ...]
    qtables: tuple[npt.NDArray[np.uint16], ...]
    coefficients: tuple[npt.NDArray[np.int16], ...]
    samples: tuple[npt.NDArray[np.uint16], ...]
    color_model: str
    jfif: bool
    adobe: int | None
    complete: bool
    features: frozenset[str]
    traits: frozenset[str]

    @cached_property
    def data(self) -> bytes:
        """The file."""
        return b"".join(part.data for part in self.parts)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Byte offset of each part."""
        return tuple(accumulate((len(part.data) for part in self.parts), initial=0))[:-1]

    def find(self, *names: str) -> Iterator[tuple[int, Part]]:
        """Offset and part of all parts of these names, in order."""
        for offset, part in zip(self.offsets, self.parts, strict=True):
            if part.name in names:
                yield offset, part

    def text(self, blocks: int = 4) -> str:
        """The stream for people: frame, scans, parts, and the first blocks that are not zero.

        Parameters
        ----------
        blocks : int
            How many blocks to show of each component.
        """
        frame = self.frame
        factors = ",".join(f"{c.h}x{c.v}" for c in frame.components)
        lines = [
            f"{frame.process}, {frame.precision} bits, {frame.width}x{frame.height}, "
            f"{factors}, {self.color_model}, {len(self.data)} bytes"
        ]
        if self.features:
            lines.append("features: " + ", ".join(sorted(self.features)))
        for scan in self.scans:
            lines.append(
                f"scan of {scan.components}: Ss={scan.start} Se={scan.end} Ah={scan.high} "
                f"Al={scan.low}, restart interval {scan.restart_interval}"
            )
        for offset, part in zip(self.offsets, self.parts, strict=True):
            lines.append(f"{offset:6} {part.text()}")
            lines += [f"       {line}" for line in part.tables_text()]
        for i, plane in enumerate(self.coefficients):
            lines.append(f"component {i}: {plane.shape[0]}x{plane.shape[1]} blocks")
            places = np.argwhere(plane.any(axis=(2, 3)))
            for row, column in places[:blocks]:
                lines += [f"block ({row}, {column}):", str(plane[row, column])]
            if len(places) > blocks:
                lines.append(f"and {len(places) - blocks} more that are not zero")
        for i, rows in enumerate(self.samples):
            lines += [f"component {i}: {rows.shape[0]}x{rows.shape[1]} samples", str(rows)]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis prints of a failing example."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        return f"<Stream\n{self.text()}>"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file.

    Attributes
    ----------
    name : str
        One of :data:`pyjpegml.testing.FAULTS`.
    offset : int
        First byte of the damaged file that differs for it.
    part : str
        Part of the sound file in which it is: a marker, or ``"ECS"`` in entropy-coded data.
    detail : str
        For people.
    verdict : str
        ``"error"``, ``"same"`` or ``"any"``: see :mod:`pyjpegml.testing.damage`.
    """

    name: str
    offset: int
    part: str
    detail: str
    verdict: str


@dataclass(frozen=True, eq=False, repr=False)
class Corrupted:
    """A damaged file.

    Attributes
    ----------
    data : bytes
        The file.
    faults : tuple of Fault
        What is wrong with it, in the order of their offsets.
    stream : Stream
        The sound file that it was.
    """

    data: bytes
    faults: tuple[Fault, ...]
    stream: Stream

    @property
    def fault(self) -> Fault:
        """The first fault."""
        return self.faults[0]

    @property
    def verdict(self) -> str:
        """What a decoder may make of all faults together.

        One that needs an error need not be reached if there are others.
        """
        verdicts = {fault.verdict for fault in self.faults}
        if verdicts == {SAME}:
            return SAME
        return ERROR if verdicts == {ERROR} else ANY

    def text(self) -> str:
        """Faults and the sound stream, for people."""
        lines = [
            f"{fault.name} in {fault.part} at byte {fault.offset}: {fault.detail} "
            f"(verdict: {fault.verdict})"
            for fault in self.faults
        ]
        shown = self.data[:200].hex(" ") + (" ..." if len(self.data) > 200 else "")
        return "\n".join(
            [*lines, f"{len(self.data)} bytes: {shown}", "it was:", self.stream.text()]
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis prints of a failing example."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        return f"<Corrupted\n{self.text()}>"


@dataclass(frozen=True)
class Segments:
    """Metadata as segments of a file, and what is in them.

    Attributes
    ----------
    segments : tuple of (int, bytes)
        Marker code and parameters of each, in order.
    orientation : int
        1 to 8, as Exif says; 1 without.
    exif, icc, xmp : bytes or None
        A TIFF file, a profile (put together of its chunks), a packet.
    comments : tuple of bytes
    density : (int, int, int) or None
        Unit, horizontal and vertical density of a JFIF marker.
    """

    segments: tuple[tuple[int, bytes], ...]
    orientation: int = 1
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    comments: tuple[bytes, ...] = ()
    density: tuple[int, int, int] | None = None

    def inserted(self, data: bytes) -> bytes:
        """A file with these segments behind its SOI.

        Parameters
        ----------
        data : bytes
            A JPEG that has no JFIF marker, if these have one.
        """
        parts = [
            struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload
            for code, payload in self.segments
        ]
        return data[:2] + b"".join(parts) + data[2:]
