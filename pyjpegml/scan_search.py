"""The scan script that makes a picture's progressive file smallest.

Which scans are best depends on the picture: smooth ones want one band of AC for all, others a table
of their own for each of the lowest frequencies; and to send the lowest bits of coefficients in
refinements pays where many are small. mozjpeg (2014) tries some of both by coding them. Here
nothing is coded: scans of AC depend on nothing but coefficients, so the size of each possible one
is counted, and dynamic programming finds the best of all combinations.

*What is possible.* The path from place 1 to 63 is cut into segments (:data:`EDGES`). A first scan
with any Al from 0 to :data:`DEEPEST`, and a refinement of any of the bits below, may have any
number of neighbouring segments for its band. Different parts of the path may have different depths.

*Symbols.* All bands of one level are counted in one pass over the blocks (:func:`count_bands`). A
coefficient's symbol is told by the zeros before it, and so by where the one before it is; only the
first coefficient of a band counts from where the band begins. So symbols are counted by the
segments of the coefficient and of the one before, and those that a coefficient has as the first
behind each edge apart; those of a band are sums of these.

*Ends of blocks.* A run of blocks is long if many neighbours have nothing in the band. Let bit b of
a long number say that block b has none; ANDing it with itself, shifted by one, two, four... tells
where there are two, four, eight such blocks in a row, and so how many runs there are of 2**n blocks
or more, which is all that EOBn asks for (:func:`_count_runs`).

*Tables.* What symbols cost in their optimal code is known without making it
(:func:`pyjpegml.shared_tables.coded_bits`). Scans share tables, but which ones is known only when
they have been chosen: so they are chosen several times, with a part only of what tables cost
(:data:`TABLE_PARTS`), and the choice that comes to the least is taken.

*Restart intervals* end runs of blocks, and each costs a marker and bits that fill a byte in every
scan: where they are short, few scans are best.

Costs are in bits. Of the bytes, one in 256 is taken to be stuffed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .arguments import restart_mcus
from .bit_planes import find_nonzero, lowest, ones_of, without_lowest
from .coefficients import Geometry
from .constants import ZIGZAG
from .progressive_encoder import symbols_of_scan
from .scan import ZERO_RUN
from .scripts import Scan, interleaved
from .shared_tables import TABLE_HEAD, TREES, coded_bits, shared_bits
from .symbols import size_of
from .threads import Crew

#: Where segments begin on the zigzag path; behind the last one it ends.
EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 21, 28, 36, 64)

#: Segment of each place of the path; DC's has no meaning.
_SEGMENT_OF = np.searchsorted(EDGES, np.arange(64), "right") - 1

#: The largest Al of first scans.
DEEPEST = 3
DEEPEST_DC = 1

#: Deeper levels are not tried behind one that costs so many times what the best does.
HOPELESS = 1.003

#: Parts of the cost of a table that are tried.
TABLE_PARTS = (1.0, 0.6, 0.3)

#: Fewer blocks than this are not worth a thread.
THREAD_BLOCKS = 4096

#: Bits of a scan header of one component (T.81 B.2.3), and of each other component.
HEADER_BITS, COMPONENT_BITS = 80, 16

#: Bits that a restart marker costs, with those that fill the byte before it, 3.5 in the mean.
RESTART_BITS = 19.5

#: What a scan's costs are made of; the header belongs to the raw bits.
RAW_BITS, CODES, TABLES = 0, 1, 2

#: Bits to write for a bit to send: one byte in 256 is FF, and a zero is stuffed behind it.
STUFFED = 257 / 256


@kernel
def count_bands(
    coefficients, across, zigzag, before, nonzero, shift, first, last, edges, segment_of,
    inside, leading, filled, ended, corrections,
):  # fmt: skip
    """Count the symbols of all bands in scans of one level.

    Parameters
    ----------
    coefficients : (rows, stride, 64) int16
        Natural order.
    across : int
        Real blocks across.
    zigzag : (64,) uint8
    before, nonzero : (blocks,) uint64
        Coefficients that have been sent before, and those that are sent now or have been: bit
        planes of the level above and this one, or zeros and this one for a first scan.
    shift : int
        The level.
    first, last : int
        Blocks that are counted.
    edges : (segments + 1,) int64
    segment_of : (64,) int64
        Of each place; -1 for DC.
    inside : (segments, segments, 256) int32
        Zeros; of coefficients of segment j whose predecessor is in segment i.
    leading : (segments, segments, 256) int32
        Zeros; of coefficients of segment j that are the first behind the beginning of segment a.
    filled, ended : (segments, words) uint64
        Zeros; bit b, the lowest first, is set if block b has a coefficient in the segment, and one
        at its last place.
    corrections : (segments,) int64
        Zeros; of coefficients that have been sent before.

    Notes
    -----
    Every place from 1 to 63 belongs to a segment; symbols are below 256, as in
    :mod:`pyjpegml.progressive_symbols`.
    """
    one = np.uint64(1)
    row, column = first // across, first % across
    for block in range(first, last):
        found = nonzero[block] & ~before[block] & ~one
        zeros = ~nonzero[block]
        word, bit = block >> 6, one << np.uint64(block & 63)
        behind, segment = np.uint64(0), -1  # bits up to the predecessor, and its segment
        while found != 0:
            k = lowest(found)
            below = (one << np.uint64(k)) - one
            found = without_lowest(found)
            own = segment_of[k]
            value = np.int64(coefficients[row, column, zigzag[k]])
            size = size_of(abs(value) >> shift)
            if segment >= 0:
                run = ones_of(zeros & below & ~behind)
                if run > 15:
                    inside[segment, own, ZERO_RUN] += run >> 4
                inside[segment, own, (run & 15) << 4 | size] += 1
            if own > segment:
                for start in range(segment + 1, own + 1):
                    skipped = (one << np.uint64(edges[start])) - one
                    run = ones_of(zeros & below & ~skipped)
                    if run > 15:
                        leading[start, own, ZERO_RUN] += run >> 4
                    leading[start, own, (run & 15) << 4 | size] += 1
                filled[own, word] |= bit
            if k + 1 == edges[own + 1]:
                ended[own, word] |= bit
            segment = own
            behind = below | one << np.uint64(k)
        history = before[block] & ~one
        while history != 0:
            corrections[segment_of[lowest(history)]] += 1
            history = without_lowest(history)
        column += 1
        if column == across:
            column = 0
            row += 1


@inlined
def _shifted(words, w, shift):
    """Word w of a long number shifted down by a power of two; beyond its end there are zeros."""
    low = w + (shift >> 6)
    if shift >= 64:
        return words[low] if low < words.size else np.uint64(0)
    upper = words[w + 1] if w + 1 < words.size else np.uint64(0)
    return words[w] >> np.uint64(shift) | upper << np.uint64(64 - shift)


@inlined
def _count_runs(filled, ended, begins, blocks, counts, starts, empty, windows, joined):
    """Count the ends of blocks of a band (T.81 G.1.2.2, Figure G.3).

    A block is a part of a run unless it is `ended`, its last coefficient being the band's. A run
    starts with a block that is `filled`, or behind one that is ended, or where a restart interval
    begins. It has 2**n blocks or more if the 2**n - 1 behind its start are empty, and begin none.

    Parameters
    ----------
    filled, ended, begins : (words,) uint64
    blocks : int
    counts : (256,) int64
        EOBn added to symbols ``16 * n``. Runs of more than 32767 blocks count as one.
    starts, empty, windows, joined : (words,) uint64
        Scratch.
    """
    everything = ~np.uint64(0)
    previous = np.uint64(1)
    total = 0
    for w in range(filled.size):
        inside = everything
        if w == blocks >> 6:
            inside = (np.uint64(1) << np.uint64(blocks & 63)) - np.uint64(1)
        empty[w] = ~filled[w] & ~begins[w] & inside
        after = ended[w] << np.uint64(1) | previous
        previous = ended[w] >> np.uint64(63)
        starts[w] = ~ended[w] & (filled[w] | after | begins[w]) & inside
        windows[w] = everything
        total += ones_of(starts[w])
    n = 0
    while total > 0 and n < 14:
        longer = 0
        for w in range(filled.size):
            joined[w] = empty[w] & windows[w]
        for w in range(filled.size):
            windows[w] &= _shifted(joined, w, 1 << n)
            longer += ones_of(starts[w] & windows[w])
        counts[n << 4] += total - longer
        total = longer
        n += 1
    counts[n << 4] += total


@inlined
def _raw_bits(counts):
    """Raw bits behind symbols of AC: the size of a value, or n of EOBn."""
    bits = 0
    for symbol in range(256):
        size = symbol & 15
        if size == 0 and symbol != ZERO_RUN:
            size = symbol >> 4
        bits += counts[symbol] * size
    return bits


@kernel
def add_predecessors(inside):
    """Add up the symbols that :func:`count_bands` has counted `inside`, (segments, segments, 256):
    after that, those of coefficients of segment j whose predecessor is in segment i or behind.
    """
    for e in range(inside.shape[0]):
        for a in range(e - 1, -1, -1):
            for symbol in range(256):
                inside[a, e, symbol] += inside[a + 1, e, symbol]


@kernel
def cost_bands(
    inside, leading, filled, ended, corrections, begins, header, blocks, a,
    counts, sums, words, trees, costs,
):  # fmt: skip
    """What the scan of each band costs that begins with a segment.

    Parameters
    ----------
    inside
        Of :func:`add_predecessors`.
    filled, ended, corrections
        Of :func:`count_bands`.
    leading : (segments, segments, 256) int32
        Of :func:`count_bands`; changed to the counts of the symbols of the band from segment a to
        e, ends of blocks included.
    begins : (words,) uint64
        Blocks with which restart intervals begin.
    header : float
        Bits that any scan costs.
    blocks : int
    a : int
        The segment.
    counts, sums : (256,) int64
    words : (5, words) uint64
    trees : (TREES,) int64
        Scratch.
    costs : (3, segments, segments) float64
        Written: for the band from segment a to e, bits of header and raw bits, of codes, and of the
        table.
    """
    sums[:] = 0
    words[0] = 0
    raw = 0
    for e in range(a, filled.shape[0]):
        for symbol in range(256):
            sums[symbol] += inside[a, e, symbol] + leading[a, e, symbol]
            counts[symbol] = sums[symbol]
        for w in range(filled.shape[1]):
            words[0, w] |= filled[e, w]
        _count_runs(
            words[0], ended[e], begins, blocks, counts, words[1], words[2], words[3], words[4]
        )
        raw += corrections[e]
        coded, symbols = coded_bits(counts, trees)
        costs[RAW_BITS, a, e] = header + STUFFED * (raw + _raw_bits(counts))
        costs[CODES, a, e] = STUFFED * coded
        costs[TABLES, a, e] = 8 * (TABLE_HEAD + symbols)
        for symbol in range(256):
            leading[a, e, symbol] = counts[symbol]


@kernel
def cut_bands(costs, cuts):
    """The best way to cut each range of segments into bands.

    Parameters
    ----------
    costs : (segments, segments) float64
        Of the band from segment a to e; changed to the cost of the range from a to e, cut.
    cuts : (segments, segments) int64
        Written: the segment where the last band of the range begins.
    """
    segments = costs.shape[0]
    for a in range(segments):
        for e in range(a, segments):
            cuts[a, e] = a
            for cut in range(a + 1, e + 1):  # rows below this one have not been changed yet
                cost = costs[a, cut - 1] + costs[cut, e]
                if cost < costs[a, e]:
                    costs[a, e], cuts[a, e] = cost, cut


#: A range of segments, the first and the last.
Range = tuple[int, int]

#: A scan, its raw bits and its header, and the counts of its symbols.
Choice = tuple[Scan, float, npt.NDArray[np.int32]]


class Cuts:
    """The best ways to cut ranges of segments.

    Parameters
    ----------
    costs : (segments, segments) float64
        Of each range, not cut.

    Attributes
    ----------
    costs : (segments, segments) float64
        Of each range, cut in the best way.
    """

    def __init__(self, costs: npt.NDArray[np.float64]) -> None:
        self.costs = costs.copy()
        self._cuts = np.empty(costs.shape, np.int64)
        cut_bands(self.costs, self._cuts)

    def parts(self, first: int, last: int) -> list[Range]:
        """The parts of a range."""
        found: list[Range] = []
        while last >= first:
            cut = int(self._cuts[first, last])
            found.insert(0, (cut, last))
            last = cut - 1
        return found


@dataclass(frozen=True)
class Level:
    """All scans of one component from one level to the next, or first scans of a level.

    Attributes
    ----------
    costs : (3, segments, segments) float64
        Of :func:`cost_bands`; infinite where the first segment is behind the last.
    counts : (segments, segments, 256) int32
        Of the symbols of each band.
    """

    costs: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int32]

    def least(self) -> float:
        """The least that all coefficients cost."""
        return float(self.cuts(1.0).costs[0, -1])

    def cuts(self, part: float) -> Cuts:
        """How to cut ranges into bands, if a table costs that part of what it does."""
        return Cuts(self.costs[RAW_BITS] + self.costs[CODES] + part * self.costs[TABLES])


def count_level(
    coefficients: npt.NDArray[np.int16],
    across: int,
    before: npt.NDArray[np.uint64],
    nonzero: npt.NDArray[np.uint64],
    shift: int,
    crew: Crew,
    interval: int = 0,
) -> Level:
    """All bands of a level.

    Parameters
    ----------
    coefficients, across, before, nonzero, shift
        As for :func:`count_bands`.
    crew : Crew
        Its threads share the blocks.
    interval : int
        Blocks of a restart interval, 0 for none.
    """
    segments, words = len(EDGES) - 1, -(-nonzero.size // 64)
    parts = len(crew) if nonzero.size >= THREAD_BLOCKS else 1
    pairs = np.zeros((parts, 2, segments, segments, 256), np.int32)
    filled, ended = np.zeros((2, segments, words), np.uint64)
    corrections = np.zeros((parts, segments), np.int64)

    def count(part: int) -> None:  # whole words of blocks
        first, last = (min(64 * (words * k // parts), nonzero.size) for k in (part, part + 1))
        count_bands(
            coefficients, across, ZIGZAG, before, nonzero, shift, first, last, np.array(EDGES),
            _SEGMENT_OF, *pairs[part], filled, ended, corrections[part],
        )  # fmt: skip

    crew.each(count, parts)
    inside, leading = pairs[0] if parts == 1 else pairs.sum(0, dtype=np.int32)
    begins = np.zeros(64 * words, np.uint8)
    if interval:
        begins[: nonzero.size : interval] = 1
    header = HEADER_BITS + RESTART_BITS * max(0, int(begins.sum()) - 1)
    costs = np.full((3, segments, segments), np.inf)
    bits = np.packbits(begins, bitorder="little").view("<u8")
    corrected = corrections.sum(0)
    add_predecessors(inside)

    def cost(a: int) -> None:
        cost_bands(
            inside, leading, filled, ended, corrected, bits, header, nonzero.size, a,
            *np.empty((2, 256), np.int64), np.empty((5, words), np.uint64),
            np.empty(TREES, np.int64), costs,
        )  # fmt: skip

    if parts > 1:
        crew.each(cost, segments)
    else:
        for a in range(segments):
            cost(a)
    return Level(costs, leading)


@dataclass(frozen=True)
class Component:
    """All scans of AC of one component.

    Attributes
    ----------
    number : int
        Of the component.
    first, refined : list of Level
        First scans by their Al, and refinements by theirs: of one level less.
    """

    number: int
    first: list[Level]
    refined: list[Level]

    def best(self, part: float) -> list[Choice]:
        """The best scans, if a table costs that part of what it does."""
        first = [level.cuts(part) for level in self.first]
        refined = [level.cuts(part) for level in self.refined]
        whole = np.cumsum(
            [np.zeros_like(first[0].costs), *(cuts.costs for cuts in refined)], axis=0
        )
        by_depth = whole + [cuts.costs for cuts in first]
        depths = by_depth.argmin(axis=0)
        last = len(EDGES) - 2
        ranges = [(a, e, int(depths[a, e])) for a, e in Cuts(by_depth.min(axis=0)).parts(0, last)]
        chosen = [
            self._choice(self.first[low], band, 0, low)
            for a, e, low in ranges
            for band in first[low].parts(a, e)
        ]
        for low in reversed(range(len(refined))):
            chosen += [
                self._choice(self.refined[low], band, low + 1, low)
                for a, e in _joined([(a, e) for a, e, depth in ranges if depth > low])
                for band in refined[low].parts(a, e)
            ]
        return chosen

    def _choice(self, level: Level, band: Range, high: int, low: int) -> Choice:
        a, e = band
        scan = Scan((self.number,), EDGES[a], EDGES[e + 1] - 1, high, low)
        return scan, float(level.costs[RAW_BITS, a, e]), level.counts[a, e]


def count_component(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    number: int,
    crew: Crew,
    interval: int = 0,
) -> Component:
    """All scans of a component that may be of use.

    Parameters
    ----------
    geometry, quantized
        As for :func:`best_script`.
    number : int
        Of the component.
    crew : Crew
    interval : int
        Blocks of a restart interval, 0 for none.
    """
    plane = geometry.planes[number]
    where = geometry.view(quantized, number), plane.across
    nonzero = np.empty((DEEPEST + 1, plane.down * plane.across), np.uint64)

    def find(part: int) -> None:
        first, last = (plane.down * k // len(crew) for k in (part, part + 1))
        find_nonzero(*where, first, last, nonzero)

    crew.each(find, len(crew))
    nothing = np.zeros(nonzero.shape[1], np.uint64)
    first, refined = [count_level(*where, nothing, nonzero[0], 0, crew, interval)], []
    refining, cheapest = 0.0, first[0].least()
    for low in range(1, DEEPEST + 1):
        if nonzero[low].max() <= 1:  # no AC
            break
        first.append(count_level(*where, nothing, nonzero[low], low, crew, interval))
        refined.append(count_level(*where, nonzero[low], nonzero[low - 1], low - 1, crew, interval))
        refining += refined[-1].least()
        cost = first[-1].least() + refining
        if cost > HOPELESS * cheapest:
            break
        cheapest = min(cheapest, cost)
    return Component(number, first, refined)


def _joined(ranges: list[Range]) -> list[Range]:
    """Ranges, neighbours made one."""
    found: list[Range] = []
    for a, e in ranges:
        if found and found[-1][1] == a - 1:
            a = found.pop()[0]
        found.append((a, e))
    return found


def _best_dc(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    interval: Callable[[Sequence[int]], int],
    crew: Crew,
) -> list[Scan]:
    """The best scans of DC: all components together, chroma together, or each by itself."""
    every = tuple(range(len(geometry.planes)))
    groupings = {tuple(interleaved(every, geometry.sampling)), tuple((i,) for i in every)}
    if len(every) > 2:
        groupings.add((every[:1], *interleaved(every[1:], geometry.sampling)))
    alone = {group for groups in groupings for group in groups}
    scans = sorted((group, low) for group in alone for low in range(DEEPEST_DC + 1))

    def symbols(number: int) -> tuple[npt.NDArray[np.int64], int, int]:
        """Counts, blocks, and restart markers."""
        group, low = scans[number]
        scan = Scan(group, 0, 0, 0, low)
        coded = symbols_of_scan(geometry, quantized, scan, interval(group), ())
        counts = np.array([coded.counts[row] for row in coded.rows])
        return counts, coded.records.size, coded.ends.size - 1

    counted = dict(zip(scans, crew.each(symbols, len(scans)), strict=True))
    best, cheapest = np.inf, []
    for groups in sorted(groupings):
        for low in range(DEEPEST_DC + 1):
            first = [Scan(group, 0, 0, 0, low) for group in groups]
            counts = np.concatenate([counted[group, low][0] for group in groups])
            headers: float = sum(
                HEADER_BITS + COMPONENT_BITS * (len(group) - 1) for group in groups
            )
            headers += RESTART_BITS * sum(counted[group, low][2] for group in groups)
            blocks = sum(counted[group, low][1] for group in groups)
            bits = shared_bits(counts) + int((counts * np.arange(256)).sum())
            cost = (bits + low * blocks) * STUFFED + (1 + low) * headers
            if cost < best:
                refined = [
                    Scan(group, 0, 0, a + 1, a) for a in reversed(range(low)) for group in groups
                ]
                best, cheapest = cost, first + refined
    return cheapest


def best_script(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    restart_interval: int = 0,
    restart_rows: int = 0,
    crew: Crew | None = None,
) -> tuple[Scan, ...]:
    """The script that makes the smallest file of these coefficients, of all that are searched.

    Parameters
    ----------
    geometry : Geometry
        Of at most four components.
    quantized : (geometry.size,) int16
    restart_interval, restart_rows : int
        As for :func:`pyjpegml.progressive_encoder.encode_scans`.
    crew : Crew, optional
        Its threads share the work.
    """
    threads = Crew(1) if crew is None else crew

    def interval(chosen: Sequence[int]) -> int:
        return restart_mcus(restart_interval, restart_rows, geometry.scan_size(chosen)[0])

    components = [
        count_component(geometry, quantized, i, threads, interval((i,)))
        for i in range(len(geometry.planes))
    ]
    best, cheapest = np.inf, []
    for part in TABLE_PARTS:
        chosen = [choice for component in components for choice in component.best(part)]
        counts = np.array([counts for _, _, counts in chosen], np.int64)
        cost = sum(bits for _, bits, _ in chosen) + STUFFED * shared_bits(counts)
        if cost < best:
            best, cheapest = cost, [scan for scan, _, _ in chosen]
    ordered = sorted(cheapest, key=lambda scan: (scan.Ah > 0, -scan.Ah, scan.components, scan.Ss))
    return (*_best_dc(geometry, quantized, interval, threads), *ordered)
