"""Writes a JPEG file of any process from its content: slow, in plain Python, from T.81's figures.

What is written is decided by the caller down to the last slot; the writer decides nothing but where
tables must stand: before the first scan that needs them, and again whenever they change.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from . import arithmetic, huffman, traits
from .huffman import Mcu, Symbol, Units
from .stream import ZIGZAG, Frame, HuffmanTable, Part, Scan, Stream
from .tables import Coding

SOI, EOI, SOS, DQT, DNL, DRI, DHT, DAC, COM = (
    0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xC4, 0xCC, 0xFE,
)  # fmt: skip

JFIF = b"JFIF\0\1\2\0\0\1\0\1\0\0"
"""Parameters of a JFIF APP0 marker: version 1.2, no density, no thumbnail (T.871)."""


@dataclass(frozen=True)
class Layout:
    """What else stands in a file, none of it changes the content.

    Attributes
    ----------
    jfif : bool
        A JFIF marker behind SOI.
    adobe : int, optional
        An Adobe marker with this transform.
    dnl : bool
        The height is 0 in the frame header, and defined behind the first scan.
    one_segment : bool
        Tables that are needed at the same time share a segment.
    wide_qtables : bool
        Quantization tables of 16 bits even where 8 suffice; not in 8-bit baseline files.
    frame_last : bool
        The frame header stands directly before the first scan, behind the tables.
    segments : tuple of (int, int, bytes)
        Other segments: before which marker segment (counted from the first that may have one before
        it, modulo their number), marker code, parameters.
    fill : tuple of (int, int)
        Fill bytes: before which marker behind SOI (modulo their number), how many.
    trailing : bytes
        Behind EOI.
    """

    jfif: bool = False
    adobe: int | None = None
    dnl: bool = False
    one_segment: bool = False
    wide_qtables: bool = False
    frame_last: bool = False
    segments: tuple[tuple[int, int, bytes], ...] = ()
    fill: tuple[tuple[int, int], ...] = ()
    trailing: bytes = b""


@dataclass(frozen=True)
class Content:
    """What is coded.

    Attributes
    ----------
    units : tuple of arrays
        Of each component, padded to whole MCUs (T.81 A.2.4): (rows, columns, 8, 8) coefficients in
        natural order, or (rows, columns) samples.
    qtables : mapping of (scan, slot) to (8, 8) array
        Quantization tables in force from that scan on.
    """

    units: tuple[npt.NDArray[np.int64], ...]
    qtables: Mapping[tuple[int, int], npt.NDArray[np.uint16]] = field(default_factory=dict)


def segment(code: int, payload: bytes) -> bytes:
    """A marker segment (T.81 B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload


def frame_header(frame: Frame, height: int) -> bytes:
    """SOF (T.81 Figure B.3)."""
    payload = struct.pack(">BHHB", frame.precision, height, frame.width, len(frame.components))
    for c in frame.components:
        payload += bytes([c.identifier, c.h << 4 | c.v, c.table])
    return segment(0xC0 + frame.sof, payload)


def scan_header(frame: Frame, scan: Scan) -> bytes:
    """SOS (T.81 Figure B.4)."""
    payload = bytes([len(scan.components)])
    for i, (dc, ac) in zip(scan.components, scan.slots, strict=True):
        payload += bytes([frame.components[i].identifier, dc << 4 | ac])
    end = 0 if frame.lossless else scan.end
    return segment(SOS, payload + bytes([scan.start, end, scan.high << 4 | scan.low]))


def quantization_table(slot: int, table: npt.NDArray[np.uint16], wide: bool) -> bytes:
    """A table of DQT (T.81 Figure B.6), of 16 bits if it must or should be."""
    steps = [int(table.flat[k]) for k in ZIGZAG]
    if wide or max(steps) > 255:
        return struct.pack(">B64H", 0x10 | slot, *steps)
    return struct.pack(">B64B", slot, *steps)


def huffman_table(table_class: int, slot: int, table: HuffmanTable) -> bytes:
    """A table of DHT (T.81 Figure B.7)."""
    return bytes([table_class << 4 | slot, *table.bits]) + table.symbols


def unit_lists(frame: Frame, content: Content) -> Units:
    """Units as lists of integers, blocks in zigzag order."""
    if frame.lossless:
        return [plane.tolist() for plane in content.units]
    return [
        plane.reshape(*plane.shape[:2], 64)[:, :, list(ZIGZAG)].tolist() for plane in content.units
    ]


def scan_symbols(frame: Frame, scan: Scan, units: Units) -> list[list[Symbol]]:
    """Symbols of each restart interval of a Huffman-coded scan."""
    procedure: Callable[[Scan, Units, Sequence[Mcu]], Iterator[Symbol]]
    if frame.lossless:
        procedure = partial(huffman.lossless, frame)
    elif scan.start == 0:
        procedure = huffman.dc_and_ac if scan.high == 0 else huffman.dc_refinement
    else:
        procedure = huffman.ac_first if scan.high == 0 else huffman.ac_refinement
    return [list(procedure(scan, units, interval)) for interval in huffman.intervals(frame, scan)]


Tallies = dict[tuple[int, int], Counter[int]]  # of symbols, by class and slot


def tally(symbols: Iterable[Symbol]) -> Tallies:
    """How often each symbol of each table comes."""
    tallies: Tallies = {}
    for (table_class, slot, symbol), count in Counter(s[:3] for s in symbols).items():
        if symbol is not None:
            tallies.setdefault((table_class, slot), Counter())[symbol] = count
    return tallies


def entropy_parts(intervals: Sequence[bytes]) -> Iterable[Part]:
    """Restart intervals, and the markers between them (T.81 B.2.1)."""
    for i, data in enumerate(intervals):
        if i:
            yield Part(f"RST{(i - 1) % 8}", bytes([0xFF, 0xD0 + (i - 1) % 8]))
        yield Part("ECS", data)


class Writer:
    """Parts of one file."""

    def __init__(
        self,
        frame: Frame,
        scans: Sequence[Scan],
        content: Content,
        coding: Coding,
        layout: Layout,
    ) -> None:
        self.frame = frame
        self.scans = scans
        self.content = content
        self.coding = coding
        self.layout = layout
        self.units = unit_lists(frame, content)
        self.parts: list[Part] = []
        self.traits: set[str] = set()

    def write(self) -> tuple[Part, ...]:
        """All parts, in order."""
        symbols = [
            [] if self.frame.arithmetic else scan_symbols(self.frame, scan, self.units)
            for scan in self.scans
        ]
        tables = self._huffman_tables(symbols)
        self.parts.append(Part("SOI", b"\xff\xd8"))
        if self.layout.jfif:
            self.parts.append(Part("APP0", segment(0xE0, JFIF)))
        if self.layout.adobe is not None:
            adobe = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, self.layout.adobe)
            self.parts.append(Part("APP14", segment(0xEE, adobe)))
        in_force: dict[tuple[int, int], HuffmanTable] = {}
        conditioning: dict[tuple[int, int], int] = {}
        restart_interval = 0
        header = Part(
            f"SOF{self.frame.sof}",
            frame_header(self.frame, 0 if self.layout.dnl else self.frame.height),
        )
        for number, scan in enumerate(self.scans):
            if number == 0 and not self.layout.frame_last:
                self.parts.append(header)
            self._tables(
                "DQT",
                DQT,
                [
                    quantization_table(slot, table, self.layout.wide_qtables)
                    for (at, slot), table in self.content.qtables.items()
                    if at == number
                ],
            )
            changed = {k: t for k, t in tables[number].items() if in_force.get(k) != t}
            self._tables("DHT", DHT, [huffman_table(*k, t) for k, t in changed.items()])
            in_force.update(changed)
            changes = {k: v for k, v in scan.conditioning.items() if conditioning.get(k) != v}
            self._tables("DAC", DAC, [bytes([c << 4 | s, v]) for (c, s), v in changes.items()])
            conditioning.update(changes)
            if scan.restart_interval != restart_interval:
                restart_interval = scan.restart_interval
                self.parts.append(Part("DRI", segment(DRI, struct.pack(">H", restart_interval))))
            if number == 0 and self.layout.frame_last:
                self.parts.append(header)
            self.parts.append(Part("SOS", scan_header(self.frame, scan)))
            if self.frame.arithmetic:
                data = [
                    arithmetic.encode(scan, self.units, interval)
                    for interval in huffman.intervals(self.frame, scan)
                ]
            else:
                codes = {key: table.codes() for key, table in tables[number].items()}
                data = [huffman.encode(interval, codes) for interval in symbols[number]]
                coded = list(chain.from_iterable(symbols[number]))
                self.traits.update(traits.of_codes(scan, coded, codes))
            self.parts += entropy_parts(data)
            if number == 0 and self.layout.dnl:
                self.parts.append(Part("DNL", segment(DNL, struct.pack(">H", self.frame.height))))
        self.parts.append(Part("EOI", b"\xff\xd9"))
        self._decorate()
        return tuple(self.parts)

    def _huffman_tables(
        self, symbols: Sequence[Sequence[Sequence[Symbol]]]
    ) -> list[dict[tuple[int, int], HuffmanTable]]:
        """The tables of each scan, by class and slot."""
        counts = [tally(chain.from_iterable(intervals)) for intervals in symbols]
        pool: Tallies = {}
        for count in counts:
            for key, frequencies in count.items():
                pool.setdefault(key, Counter()).update(frequencies)
        made = {key: self.coding.table(*key, frequencies) for key, frequencies in pool.items()}
        return [
            {
                key: made[key] if self.coding.shared else self.coding.table(*key, frequencies)
                for key, frequencies in count.items()
            }
            for count in counts
        ]

    def _tables(self, name: str, code: int, tables: Sequence[bytes]) -> None:
        """Table definitions in one segment, or in one each (T.81 B.2.4)."""
        for payload in [b"".join(tables)] if tables and self.layout.one_segment else tables:
            self.parts.append(Part(name, segment(code, payload)))

    def _decorate(self) -> None:
        """Insert other segments, fill bytes, and what follows EOI."""
        for where, code, payload in self.layout.segments:
            name = "COM" if code == COM else f"APP{code - 0xE0}"
            # not before SOI and JFIF, and DNL comes directly behind the scan (T.81 B.2.5)
            places = [
                i
                for i, part in enumerate(self.parts)
                if (part.has_length or part.name == "EOI") and part.name != "DNL"
            ]
            if self.layout.jfif:
                places = places[1:]
            self.parts.insert(places[where % len(places)], Part(name, segment(code, payload)))
        for where, count in self.layout.fill:
            places = [i for i, p in enumerate(self.parts) if p.name not in ("SOI", "ECS", "fill")]
            self.parts.insert(places[where % len(places)], Part("fill", b"\xff" * count))
        if self.layout.trailing:
            self.parts.append(Part("trailing", self.layout.trailing))


def color_model(frame: Frame, jfif: bool, adobe: int | None) -> str:
    """What the components mean, by the conventions of libjpeg-turbo 3.

    JFIF goes before Adobe; without either, three components are YCbCr, unless their identifiers are
    the letters R, G, B, or the process is lossless.
    """
    count = len(frame.components)
    if count == 1:
        return "grey"
    if count == 3:
        if jfif:
            return "YCbCr"
        if adobe is not None:
            return "RGB" if adobe == 0 else "YCbCr"
        letters = bytes(c.identifier for c in frame.components) == b"RGB"
        return "RGB" if letters or frame.lossless else "YCbCr"
    if count == 4:
        return "CMYK" if adobe in (None, 0) else "YCCK"
    return "unknown"


def precisions_reached(scans: Sequence[Scan], component: int) -> npt.NDArray[np.int64]:
    """Al of the last scan of each of a component's 64 coefficients, natural order; 63 if none."""
    low = np.full(64, 63)
    for scan in scans:
        if component in scan.components:
            low[list(ZIGZAG[scan.start : scan.end + 1])] = scan.low
    return low


def reached(frame: Frame, scans: Sequence[Scan], content: Content) -> list[npt.NDArray[np.int64]]:
    """Units of each component as far as the scans tell them, cropped to the picture."""
    told = []
    for i, plane in enumerate(content.units):
        down, across = frame.unit_size(i)
        known = plane[:down, :across]
        if frame.lossless:
            [low] = [scan.low for scan in scans if i in scan.components]
            told.append(known >> low << low)
            continue
        lows = precisions_reached(scans, i).reshape(8, 8)
        cut = np.sign(known) * (np.abs(known) >> lows << lows)
        dc = known[:, :, 0, 0] >> lows[0, 0]
        cut[:, :, 0, 0] = dc << lows[0, 0] if lows[0, 0] < 63 else 0
        told.append(cut)
    return told


def is_complete(frame: Frame, scans: Sequence[Scan]) -> bool:
    """Whether the scans tell every bit of every coefficient."""
    return frame.lossless or not any(
        precisions_reached(scans, i).any() for i in range(len(frame.components))
    )


def write_stream(
    frame: Frame,
    scans: Sequence[Scan],
    content: Content,
    coding: Coding | None = None,
    layout: Layout | None = None,
    features: Iterable[str] = (),
) -> Stream:
    """Write a file, and say what is in it.

    Parameters
    ----------
    frame : Frame
    scans : sequence of Scan
    content : Content
    coding : Coding, optional
        How Huffman tables are chosen; optimal ones without it.
    layout : Layout, optional
        What else stands in the file.
    features : iterable of str
        Passed through.

    Returns
    -------
    Stream
    """
    layout = layout or Layout()
    writer = Writer(frame, scans, content, coding or Coding(), layout)
    parts = writer.write()
    told = reached(frame, scans, content)
    color = color_model(frame, layout.jfif, layout.adobe)
    return Stream(
        frame=frame,
        scans=tuple(scans),
        parts=parts,
        qtables=() if frame.lossless else component_tables(frame, scans, content),
        coefficients=() if frame.lossless else tuple(plane.astype(np.int16) for plane in told),
        samples=tuple(plane.astype(np.uint16) for plane in told) if frame.lossless else (),
        color_model=color,
        jfif=layout.jfif,
        adobe=layout.adobe,
        complete=is_complete(frame, scans),
        features=frozenset(features),
        traits=frozenset({*writer.traits, *traits.of_stream(frame, scans, parts, color)}),
    )


def component_tables(
    frame: Frame, scans: Sequence[Scan], content: Content
) -> tuple[npt.NDArray[np.uint16], ...]:
    """The quantization table in force at the first scan of each component."""
    tables = []
    for i, c in enumerate(frame.components):
        first = min(n for n, scan in enumerate(scans) if i in scan.components)
        at = max(n for n, slot in content.qtables if slot == c.table and n <= first)
        tables.append(content.qtables[at, c.table])
    return tuple(tables)
