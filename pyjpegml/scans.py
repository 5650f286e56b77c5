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

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import arithmetic, lossless, markers, progressive, scan
from .bitio import PADDING
from .coded import Coded
from .coefficients import Geometry
from .errors import JpegError, JpegFormatError, JpegLimitError, without_calls
from .header import Stream
from .huffman import AC, STANDARD_TABLES, HuffmanTable, decoding_tables
from .lossless import SampleGeometry
from .markers import Frame, FrameComponent, ScanHeader, Segment
from .progression import Progression
from .scan import READER_FIELDS
from .threads import Crew

Band = tuple[int, int, int, int]
Decoder = Callable[
    [npt.NDArray[np.int64], int, int, npt.NDArray[np.int64], int],
    int,
]


#: Most scans that a picture may have unless the caller allows more; and blocks that all of them
#: together may go over: so many, and so many times those of the picture.
MAX_SCANS, LEAST_WORK, PASSES = 500, 1 << 27, 64
#: Where decisions need no bits a block may cost that much more; a byte of data pays for so much.
ARITHMETIC_COST, BYTE_WORTH = 32, 64


@dataclass
class Tally:
    """MCUs of scans: how many there should be, and how many are sound."""

    mcus: int = 0
    sound: int = 0


class ScanReader(ABC):
    """What all processes have in common: from scan to scan, and from interval to interval.

    Parameters
    ----------
    stream : Stream
        Has walked to the first scan header.
    max_scans : int
    problems : list of JpegFormatError or None
        Where what is wrong with entropy-coded data is put; without it, it is raised.
    crew : Crew
        Its threads decode scans of different components at the same time.

    Attributes
    ----------
    frame : Frame
    tally : Tally
    reached : list of (int, int)
        The first MCU and the last one that the data reach, of each restart interval of the scan
        before, if there is a list of problems.
    """

    def __init__(
        self,
        stream: Stream,
        max_scans: int,
        problems: list[JpegFormatError] | None,
        crew: Crew,
    ) -> None:
        assert stream.frame is not None
        self.stream, self.frame, self.problems = stream, stream.frame, problems
        self.max_scans, self.crew = max_scans, crew
        self.tally = Tally()
        self.reached: list[tuple[int, int]] = []
        self.complete = [False] * len(stream.frame.components)
        self._waiting: list[tuple[list[int], Callable[[], None]]] = []

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
            try:
                self.stream.position = self._read(sos, markers.parse_scan(sos))
                following = self._next_scan()
            except JpegError as error:
                self._decode_waiting()  # what is wrong in one of them stands before this
                if self.problems is None or count == 1 or not isinstance(error, JpegFormatError):
                    raise
                self.problems.append(without_calls(error))
                break
            if following is None:
                break
            sos = following
        self._decode_waiting()
        self._warn_of_missing()

    def _warn_of_missing(self) -> None:
        """Tell what no scan has sent."""
        for component, complete in zip(self.frame.components, self.complete, strict=True):
            if not complete:
                self._tell(
                    JpegFormatError(
                        f"component {component.identifier} has no scan",
                        offset=min(self.stream.position, len(self.stream.data)),
                    )
                )

    @abstractmethod
    def _read(self, sos: Segment, header: ScanHeader) -> int:
        """Decode a scan, now or later; returns the offset of the marker that ends it."""

    def _decode_waiting(self) -> None:
        """Decode the scans that wait, each when those before it of the same components are done.

        Of several that are wrong, the first is told, as one thread would.
        """
        done = [threading.Event() for _ in self._waiting]
        errors: list[JpegError | None] = [None] * len(self._waiting)

        def task(i: int) -> None:
            chosen, decode = self._waiting[i]
            for before in range(i):
                if set(chosen) & set(self._waiting[before][0]):
                    self.crew.wait(done[before])
            if not any(errors[:i]):
                try:
                    decode()
                except JpegError as error:
                    errors[i] = error
            done[i].set()

        if self._waiting:
            self.crew.each(task, len(self._waiting))
            self._waiting = []  # they refer to this object, and it to them
        for error in filter(None, errors):
            raise error

    def _decode(
        self,
        chosen: list[int],
        decode: Decoder,
        coded: Coded,
        restart: int,
        mcus: int,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """Decode a scan, whole; or see what can be had of it."""
        self.tally.mcus += mcus
        self.stream.warnings += coded.surplus()
        if self.problems is not None:
            self._salvage(decode, coded, restart, mcus)
            finish()
            return
        if error := coded.misnumbered():
            raise error

        def whole() -> None:
            reader = np.zeros(READER_FIELDS, np.int64)
            there = min(mcus, coded.found * restart) if restart else mcus
            status = decode(coded.ends, restart, there, reader, there)
            if status != scan.OK:
                raise coded.broken(status, reader, mcus, int(reader[scan.INTERVAL]))
            if error := coded.incomplete():
                raise error
            self._warn_of_unread(coded, int(reader[scan.UNREAD]))
            finish()

        if len(self.crew) > 1:
            self._waiting.append((chosen, whole))
        else:
            whole()
        self.tally.sound += mcus

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
        parts = [self.frame.components[i] for i in chosen]
        if len(chosen) > 1 and sum(part.h * part.v for part in parts) > 10:
            raise sos.error("an MCU has more than 10 data units")
        return chosen

    def _next_scan(self) -> Segment | None:
        """The next scan header; None at the end of the image."""
        stream = self.stream
        while True:
            if stream.is_over:
                stream.warnings.append("the data end without an EOI marker")
                return None
            try:
                segment = stream.next()
            except JpegFormatError as error:
                if self._has_all():
                    stream.warnings.append(f"behind the last scan: {error}")
                else:
                    self._tell(error)
                return None
            if segment.code == markers.EOI:
                return None
            if segment.code == markers.SOS:
                return segment

    def _has_all(self) -> bool:
        """Whether no further scan is needed."""
        return all(self.complete)

    def _tell(self, problem: JpegFormatError) -> None:
        """Put down a problem, or raise it."""
        if self.problems is None:
            raise problem
        self.problems.append(without_calls(problem))

    def _salvage(self, decode: Decoder, coded: Coded, restart: int, mcus: int) -> None:
        """Decode each interval by itself, and put down what is wrong with any.

        Where an interval is lost behind a sound one, libjpeg-turbo notices when it lacks bits, and
        has made an MCU of zeros by then; so do we, with Huffman codes.
        """
        assert self.problems is not None
        self.reached = []
        ends, found = coded.placed()
        if len(found) < coded.intervals:
            lost = coded.intervals - len(found)
            self.problems.append(
                JpegFormatError(
                    f"{lost} of {coded.intervals} restart intervals are missing",
                    offset=coded.end,
                    marker="SOS",
                )
            )

        def attempt(interval: int) -> tuple[int, npt.NDArray[np.int64]]:
            reader = np.zeros(READER_FIELDS, np.int64)
            first = interval * restart
            end = min(first + restart, mcus) if restart else mcus
            reader[scan.MCU] = first
            # zeros stand for what is missing, and not the next interval
            behind = coded.plain[ends[interval] : ends[interval] + PADDING]
            following = behind.copy()
            behind[:] = 0
            status = decode(ends, restart, mcus, reader, end)
            behind[:] = following
            self.tally.sound += int(reader[scan.MCU]) - first
            self.reached.append((first, min(int(reader[scan.MCU]), end - 1)))
            return status, reader

        for interval, i in found.items():
            status, reader = attempt(interval)
            if status != scan.OK:
                self.problems.append(coded.broken(status, reader, mcus, i))
                continue
            self._warn_of_unread(coded, int(reader[scan.UNREAD]))
            lost = interval + 1 < coded.intervals and interval + 1 not in found
            if lost and self.frame.sof in (0, 1, 2):
                attempt(interval + 1)

    def _warn_of_unread(self, coded: Coded, count: int) -> None:
        """Tell of bytes that stand behind the last MCU of an interval."""
        if count > 0:
            self.stream.warnings.append(
                f"{count} bytes of entropy-coded data that no MCU needs, in the scan that ends at "
                f"byte {coded.end}"
            )


class Scans(ScanReader):
    """Coefficients of a picture, filled scan by scan.

    Parameters
    ----------
    stream, max_scans, problems, crew
        As for :class:`ScanReader`.
    first : Segment
        The first scan header.

    Attributes
    ----------
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Quantized.
    qtables : list of (8, 8) uint16 or None
        Of each component that has had a scan.
    progression : Progression or None
        How much a progressive picture's scans have sent.
    last_row : int
        Last row of MCUs of the picture that the data of the last scan reach.
    """

    def __init__(
        self,
        stream: Stream,
        first: Segment,
        max_scans: int,
        problems: list[JpegFormatError] | None,
        crew: Crew,
    ) -> None:
        super().__init__(stream, max_scans, problems, crew)
        frame = self.frame
        self.geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
        self.coefficients = np.zeros(self.geometry.size, np.int16)
        self.extents = np.empty(self.geometry.size // 64, np.uint8)
        self.qtables: list[npt.NDArray[np.uint16] | None] = [None] * len(frame.components)
        blocks = self.geometry.size // 64
        self.work = max(LEAST_WORK, PASSES * blocks) * max(1, max_scans // MAX_SCANS)
        progressive = frame.sof in (2, 10)
        self.progression = Progression(len(frame.components)) if progressive else None
        self.last_row = self.geometry.mcus_down - 1
        self.masks = np.zeros(blocks if frame.sof == 2 else 0, np.uint64)
        self._read_all(first)

    def component_qtables(self) -> list[npt.NDArray[np.uint16]]:
        """The quantization table of each component; that of one without a scan does not matter."""
        return [np.ones((8, 8), np.uint16) if t is None else t for t in self.qtables]

    def _read(self, sos: Segment, header: ScanHeader) -> int:
        """Decode a scan; returns the offset of the marker that ends it."""
        chosen = self._components(sos, header)
        for i in chosen:
            self._take_qtable(sos, i, self.frame.components[i])
        slots = [(dc, ac) for _, dc, ac in header.components]
        plan = self.geometry.scan_plan(slots, chosen)
        mcus_across, mcus_down = self.geometry.scan_size(chosen)
        mcus = mcus_across * mcus_down
        restart = self.stream.restart_interval
        intervals = -(-mcus // restart) if restart else 1
        coded = Coded(self.stream.data, sos.end, intervals)
        work = blocks = mcus * len(plan)
        if self.frame.sof in (9, 10):
            work = max(blocks, ARITHMETIC_COST * blocks - BYTE_WORTH * (coded.end - sos.end))
        self.work -= work
        if self.work < 0:
            raise JpegLimitError(
                f"the scans go over the {self.geometry.size // 64} blocks of this picture too many "
                "times; a larger max_scans allows more",
                offset=sos.offset,
                marker=sos.name,
            )
        decode = self._decoder(sos, header, chosen, plan, mcus_across, coded)
        self._decode(chosen, decode, coded, restart, mcus)
        if self.problems is not None:
            row, v = self.reached[-1][1] // mcus_across, self.frame.components[chosen[0]].v
            self.last_row = row // v if len(chosen) == 1 else row
        return coded.end

    def _has_all(self) -> bool:
        if self.progression is None:
            return super()._has_all()
        return not self.progression.coef_bits.any()

    def _warn_of_missing(self) -> None:
        if self.progression is None:
            super()._warn_of_missing()
        elif (self.progression.coef_bits != 0).any():
            self.stream.warnings.append(
                f"the scans stop early: of {(self.progression.coef_bits != 0).sum()} of "
                f"{self.progression.coef_bits.size} coefficients some bits are missing"
            )

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
        coded: Coded,
    ) -> Decoder:
        """What decodes this scan: a function of ends, restart interval, MCUs that are there, the
        reader, and where to stop.
        """
        if self.frame.sof in (9, 10):
            return self._arithmetic_decoder(sos, header, chosen, plan, mcus_across, coded)
        if self.progression is not None:
            return self._progressive_decoder(sos, header, chosen, plan, mcus_across, coded.plain)
        self._begin_sequential(sos, header, chosen)
        slots = {int(slot) for slot in plan[:, [scan.DC_SLOT, scan.AC_SLOT]].ravel()}
        coding = decoding_tables(used_tables(self.stream, sos, slots))

        def decode(
            ends: npt.NDArray[np.int64],
            restart: int,
            mcus: int,
            reader: npt.NDArray[np.int64],
            last: int,
        ) -> int:
            status: int = scan.decode_scan(
                coded.plain, ends, restart, mcus, last, plan, mcus_across, scan.PLACES, *coding,
                reader, self.coefficients, self.extents,
            )  # fmt: skip
            return status

        return decode

    def _begin_sequential(self, sos: Segment, header: ScanHeader, chosen: list[int]) -> None:
        """See that the components have had no scan yet."""
        for i in chosen:
            mark_complete(self.complete, i, sos, self.frame)
        if (header.start, header.end, header.high, header.low) != (0, 63, 0, 0):
            self.stream.warnings.append(
                "the scan header of a sequential scan should say 0, 63, 0, 0"
            )

    def _begin_progressive(self, sos: Segment, header: ScanHeader, chosen: list[int]) -> Band:
        """See that the scan may follow those before."""
        assert self.progression is not None
        band = header.start, header.end, header.high, header.low
        try:
            self.stream.warnings += self.progression.begin(chosen, *band)
        except JpegFormatError as error:
            raise sos.error(error.reason) from None
        return band

    def _arithmetic_decoder(
        self,
        sos: Segment,
        header: ScanHeader,
        chosen: list[int],
        plan: npt.NDArray[np.int64],
        mcus_across: int,
        coded: Coded,
    ) -> Decoder:
        """As :meth:`_decoder`, for an arithmetic-coded scan (T.81 Annex D)."""
        band = None
        if self.progression is None:
            self._begin_sequential(sos, header, chosen)
        else:
            band = self._begin_progressive(sos, header, chosen)
        conditioning = dict(self.stream.conditioning)

        def decode(
            ends: npt.NDArray[np.int64],
            restart: int,
            mcus: int,
            reader: npt.NDArray[np.int64],
            last: int,
        ) -> int:
            return arithmetic.decode_scan(
                coded.plain, ends, restart, mcus, plan, mcus_across, band, conditioning, reader,
                self.coefficients, last,
            )  # fmt: skip

        return decode

    def _progressive_decoder(
        self,
        sos: Segment,
        header: ScanHeader,
        chosen: list[int],
        plan: npt.NDArray[np.int64],
        mcus_across: int,
        plain: npt.NDArray[np.uint8],
    ) -> Decoder:
        """As :meth:`_decoder`, for a progressive scan (T.81 Annex G)."""
        band = self._begin_progressive(sos, header, chosen)
        slots = plan[:, scan.AC_SLOT if header.start else scan.DC_SLOT]
        refines_dc = header.start == 0 and header.high > 0
        tables = used_tables(self.stream, sos, () if refines_dc else {int(s) for s in slots})

        def decode(
            ends: npt.NDArray[np.int64],
            restart: int,
            mcus: int,
            reader: npt.NDArray[np.int64],
            last: int,
        ) -> int:
            return progressive.decode_scan(
                plain, ends, restart, mcus, plan, mcus_across, band, tables, reader,
                self.coefficients, self.masks, last,
            )  # fmt: skip

        return decode


class LosslessScans(ScanReader):
    """Samples of a lossless picture, filled scan by scan (T.81 Annex H).

    Parameters
    ----------
    stream, first, max_scans, problems, crew
        As for :class:`Scans`.

    Attributes
    ----------
    geometry : SampleGeometry
    samples : (geometry.size,) uint16
        Of all components, before the point transform is undone.
    shifts : list of int
        Point transform of each component.
    """

    def __init__(
        self,
        stream: Stream,
        first: Segment,
        max_scans: int,
        problems: list[JpegFormatError] | None,
        crew: Crew,
    ) -> None:
        super().__init__(stream, max_scans, problems, crew)
        frame = self.frame
        self.geometry = SampleGeometry(
            frame.width, frame.height, [(c.h, c.v) for c in frame.components]
        )
        self.samples = np.zeros(self.geometry.size, np.uint16)
        self.shifts = [0] * len(frame.components)
        self._read_all(first)

    def _read(self, sos: Segment, header: ScanHeader) -> int:
        chosen = self._components(sos, header)
        predictor, shift, frame = header.start, header.low, self.frame
        if not 1 <= predictor <= 7:
            raise sos.error(f"predictors of a lossless scan are 1 to 7, not {predictor}")
        if shift >= frame.precision:
            raise sos.error(
                f"a point transform of {shift} leaves nothing of {frame.precision} bits"
            )
        for i in chosen:
            mark_complete(self.complete, i, sos, frame)
            self.shifts[i] = shift
        slots = [dc for _, dc, _ in header.components]
        plan, mcus_across, mcus_down = self.geometry.scan_plan(chosen, slots)
        coding = decoding_tables(
            used_tables(self.stream, sos, [int(unit[scan.DC_SLOT]) for unit in plan])
        )
        restart, mcus = self.stream.restart_interval, mcus_across * mcus_down
        coded = Coded(self.stream.data, sos.end, -(-mcus // restart) if restart else 1)
        cursors = np.zeros((len(plan), lossless.CURSOR_FIELDS), np.int64)
        rows = [self.geometry.planes[i].v if len(chosen) > 1 else 1 for i in chosen]
        try:
            lines = [lossless.restart_lines(restart, mcus_across, v) for v in rows]
        except JpegFormatError as error:
            raise sos.error(error.reason) from None

        def decode(
            ends: npt.NDArray[np.int64],
            restart: int,
            mcus: int,
            reader: npt.NDArray[np.int64],
            last: int,
        ) -> int:
            status: int = lossless.decode_differences(
                coded.plain, ends, restart, last, plan, mcus_across, *coding, cursors, reader,
                self.samples,
            )  # fmt: skip
            return status

        def finish() -> None:
            for i, v, interval in zip(chosen, rows, lines, strict=True):
                plane, view = self.geometry.planes[i], self.geometry.view(self.samples, i)
                grey = 1 << (frame.precision - shift - 1)
                lossless.undifference(view, plane.width, plane.height, predictor, interval, grey)
                if self.problems is not None:
                    missing = np.ones(len(view), np.bool_)
                    for first, last in self.reached:
                        missing[first // mcus_across * v : (last // mcus_across + 1) * v] = False
                    view[missing] = grey

        self._decode(chosen, decode, coded, restart, mcus, finish)
        return coded.end


def mark_complete(complete: list[bool], i: int, sos: Segment, frame: Frame) -> None:
    """Note that a component has its scan, of which it may have one."""
    if complete[i]:
        raise sos.error(
            f"component {frame.components[i].identifier} has a second scan; it may have one"
        )
    complete[i] = True


def used_tables(stream: Stream, sos: Segment, slots: Iterable[int]) -> dict[int, HuffmanTable]:
    """The Huffman tables that a scan may use, which has to use those of some slots.

    Files without any are taken to mean the standard ones, as frames of Motion JPEG do.
    """
    tables = dict(stream.huffman_tables)
    for slot in slots:
        if slot in tables:
            continue
        kind = "AC" if slot >= AC else "DC"
        if slot not in STANDARD_TABLES or stream.huffman_tables:
            raise sos.error(f"{kind} Huffman table {slot % AC} is used, but not defined")
        tables[slot] = STANDARD_TABLES[slot]
    if not stream.huffman_tables:
        stream.warnings.append("there are no Huffman tables; the standard ones are taken")
    return tables
