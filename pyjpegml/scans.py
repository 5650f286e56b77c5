"""The scans of a picture, whatever they hold and in whichever order, into stored coefficients.

A baseline file with one scan is decoded strip by strip (:mod:`pyjpegml.strips`). Everything else
needs all coefficients of the picture before the first pixel: components in scans of their own, and
progressive files, whose scans each bring some coefficients of all blocks, or some of their bits
(T.81 A.2.3, B.2.3, G.1). :class:`Scans` walks from scan header to scan header and has each scan's
data decoded, by the process of the frame, into one flat array
(:class:`pyjpegml.coefficients.Geometry`).

*Tables* may change between scans. A component's quantization table is the one that is valid when
its first scan begins, as libjpeg has it; Huffman tables are those that are valid at each scan.

*Damage.* If there is a list for problems, they are put there, and decoding goes on at the next
restart marker: its number, modulo 8, says how many intervals are lost. Otherwise they are raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import markers, scan
from .coded import Coded
from .coefficients import Geometry
from .errors import JpegFormatError, JpegLimitError
from .header import Stream
from .huffman import AC, STANDARD_TABLES, HuffmanTable, decoding_tables
from .markers import FrameComponent, ScanHeader, Segment
from .scan import READER_FIELDS

Decoder = Callable[
    [npt.NDArray[np.int64], int, int, npt.NDArray[np.int64], int],
    int,
]


#: Most scans that a picture may have unless the caller allows more; and blocks that all of them
#: together may go over: so many, and so many times those of the picture.
MAX_SCANS, LEAST_WORK, PASSES = 500, 1 << 27, 64


@dataclass
class Tally:
    """MCUs of scans: how many there should be, and how many are sound."""

    mcus: int = 0
    sound: int = 0


class Scans:
    """Coefficients of a picture, filled scan by scan.

    Parameters
    ----------
    stream : Stream
        Has walked to the first scan header.
    first : Segment
        That header.
    max_scans : int
    problems : list of JpegFormatError, optional
        Where what is wrong with entropy-coded data is put; without it, it is raised.

    Attributes
    ----------
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Quantized.
    qtables : list of (8, 8) uint16 or None
        Of each component that has had a scan.
    tally : Tally
    """

    def __init__(
        self,
        stream: Stream,
        first: Segment,
        max_scans: int,
        problems: list[JpegFormatError] | None = None,
    ) -> None:
        frame = stream.frame
        assert frame is not None
        self.stream, self.frame, self.problems = stream, frame, problems
        self.max_scans = max_scans
        self.geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
        self.coefficients = np.zeros(self.geometry.size, np.int16)
        self.extents = np.empty(self.geometry.size // 64, np.uint8)
        self.qtables: list[npt.NDArray[np.uint16] | None] = [None] * len(frame.components)
        blocks = self.geometry.size // 64
        self.work = max(LEAST_WORK, PASSES * blocks) * max(1, max_scans // MAX_SCANS)
        self.complete = [False] * len(frame.components)
        self.tally = Tally()
        self._read_all(first)

    def _read_all(self, sos: Segment) -> None:
        """From scan to scan, to the end of the image."""
        count = 0
        while True:
            count += 1
            if count > self.max_scans:
                raise JpegLimitError(
                    f"there are more scans than max_scans allows, {self.max_scans}",
                    offset=sos.offset,
                    marker=sos.name,
                )
            self.stream.position = self._read(sos, markers.parse_scan(sos))
            following = self._next_scan()
            if following is None:
                return
            sos = following

    def component_qtables(self) -> list[npt.NDArray[np.uint16]]:
        """The quantization table of each component; that of one without a scan does not matter."""
        return [np.ones((8, 8), np.uint16) if t is None else t for t in self.qtables]

    def _next_scan(self) -> Segment | None:
        """The next scan header; None at the end of the image."""
        stream = self.stream
        while True:
            if stream.position >= len(stream.data):
                stream.warnings.append("the data end without an EOI marker")
                return None
            try:
                segment = stream.next()
            except JpegFormatError as error:
                stream.warnings.append(f"behind the last scan: {error}")
                return None
            if segment.code == markers.EOI:
                return None
            if segment.code == markers.SOS:
                return segment

    def _components(self, sos: Segment, header: ScanHeader) -> list[int]:
        """Which components of the frame a scan has (T.81 B.2.3)."""
        identifiers = [c.identifier for c in self.frame.components]
        chosen = []
        for identifier, _, _ in header.components:
            if identifier not in identifiers:
                raise sos.error(f"component {identifier} of the scan is none of the frame's")
            chosen.append(identifiers.index(identifier))
        if len(set(chosen)) < len(chosen):
            raise sos.error("a component stands twice in the scan header")
        planes = [self.geometry.planes[i] for i in chosen]
        if len(chosen) > 1 and sum(plane.h * plane.v for plane in planes) > 10:
            raise sos.error("an MCU has more than 10 blocks")
        return chosen

    def _read(self, sos: Segment, header: ScanHeader) -> int:
        """Decode a scan; returns the offset of the marker that ends it."""
        chosen = self._components(sos, header)
        for i in chosen:
            self._take_qtable(sos, i, self.frame.components[i])
        slots = [(dc, ac) for _, dc, ac in header.components]
        plan = self.geometry.scan_plan(slots, chosen)
        mcus_across, mcus_down = self.geometry.scan_size(chosen)
        mcus = mcus_across * mcus_down
        self.work -= mcus * len(plan)
        if self.work < 0:
            raise JpegLimitError(
                f"the scans go over the {self.geometry.size // 64} blocks of this picture too many "
                "times; a larger max_scans allows more",
                offset=sos.offset,
                marker=sos.name,
            )
        restart = self.stream.restart_interval
        intervals = -(-mcus // restart) if restart else 1
        coded = Coded(self.stream.data, sos.end, intervals)
        decode = self._decoder(sos, header, chosen, plan, mcus_across, coded.plain)
        self.tally.mcus += mcus
        if self.problems is None:
            if error := coded.misnumbered():
                raise error
            reader = np.zeros(READER_FIELDS, np.int64)
            there = min(mcus, coded.found * restart) if restart else mcus
            status = decode(coded.ends, restart, there, reader, there)
            if status != scan.OK:
                raise coded.broken(status, reader, mcus, int(reader[scan.INTERVAL]))
            if error := coded.miscounted():
                raise error
            self.tally.sound += mcus
        else:
            self._salvage(decode, coded, restart, mcus)
        return coded.end

    def _take_qtable(self, sos: Segment, i: int, component: FrameComponent) -> None:
        """The quantization table of a component, at its first scan."""
        if self.qtables[i] is None:
            if component.table not in self.stream.qtables:
                raise sos.error(f"quantization table {component.table} is used, but not defined")
            self.qtables[i] = self.stream.qtables[component.table]

    def _decoder(
        self,
        sos: Segment,
        header: ScanHeader,
        chosen: list[int],
        plan: npt.NDArray[np.int64],
        mcus_across: int,
        plain: npt.NDArray[np.uint8],
    ) -> Decoder:
        """What decodes this scan: a function of ends, restart interval, MCUs that are there, the
        reader, and where to stop.
        """
        for i in chosen:
            if self.complete[i]:
                raise sos.error(
                    f"component {self.frame.components[i].identifier} has a second scan; in a "
                    "sequential file it has one"
                )
            self.complete[i] = True
        if (header.start, header.end, header.high, header.low) != (0, 63, 0, 0):
            self.stream.warnings.append(
                "the scan header of a sequential scan should say 0, 63, 0, 0"
            )
        tables = used_tables(self.stream, sos, plan)
        coding = decoding_tables(tables)

        def decode(
            ends: npt.NDArray[np.int64],
            restart: int,
            mcus: int,
            reader: npt.NDArray[np.int64],
            last: int,
        ) -> int:
            status: int = scan.decode_scan(
                plain, ends, restart, mcus, last, plan, mcus_across, scan.PLACES, *coding,
                reader, self.coefficients, self.extents,
            )  # fmt: skip
            return status

        return decode

    def _salvage(self, decode: Decoder, coded: Coded, restart: int, mcus: int) -> None:
        """Decode each interval by itself, and put down what is wrong with any."""
        assert self.problems is not None
        ends, lost = coded.placed()
        if lost:
            self.problems.append(
                JpegFormatError(
                    f"{len(lost)} of {coded.intervals} restart intervals are missing",
                    offset=coded.end,
                    marker="SOS",
                )
            )
        for interval in range(coded.intervals):
            if interval in lost:
                continue
            reader = np.zeros(READER_FIELDS, np.int64)
            first = interval * restart
            last = min(first + restart, mcus) if restart else mcus
            reader[scan.MCU] = first
            status = decode(ends, restart, mcus, reader, last)
            self.tally.sound += int(reader[scan.MCU]) - first
            if status != scan.OK:
                self.problems.append(coded.broken(status, reader, mcus, interval))


def used_tables(
    stream: Stream, sos: Segment, plan: npt.NDArray[np.int64]
) -> dict[int, HuffmanTable]:
    """The Huffman tables that a sequential scan uses.

    Files without any are taken to mean the standard ones, as frames of Motion JPEG do.
    """
    tables = dict(stream.huffman_tables)
    for block in plan:
        for slot in (int(block[scan.DC_SLOT]), int(block[scan.AC_SLOT])):
            if slot in tables:
                continue
            kind = "AC" if slot >= AC else "DC"
            if slot not in STANDARD_TABLES or stream.huffman_tables:
                raise sos.error(f"{kind} Huffman table {slot % AC} is used, but not defined")
            tables[slot] = STANDARD_TABLES[slot]
    if not stream.huffman_tables:
        stream.warnings.append("there are no Huffman tables; the standard ones are taken")
    return tables
