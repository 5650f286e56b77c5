"""From quantized coefficients to a file (T.81 B.2): nothing more is lost here.

::

    SOI ─ APPn, COM ─ DQT ─ SOF ─┬─ DHT, DRI, SOS, coded data ─ ... ─ EOI

:func:`assemble` is the one place that makes a file of coefficients: those that rate control tries,
those that were read from another file, those that somebody gives. Optimal Huffman tables take two
passes over the coefficients, one that counts symbols and one that codes them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import markers, scan, symbols
from .arguments import check_progressive, restart_mcus
from .coefficients import Geometry
from .heads import file_head, huffman_segments
from .huffman import AC, STANDARD_TABLES, TABLE_SLOTS, HuffmanTable, optimal_table
from .pieces import PIECE_BLOCKS, buffers
from .progressive_encoder import encode_scans
from .scan_search import best_script
from .scripts import Scan, check_script, usual_script
from .threads import Crew

#: What :func:`assemble` takes as `progressive`.
Progressive = bool | str | Sequence[Scan]

#: Huffman tables, DC and AC, of Y, Cb, Cr and K.
HUFFMAN_SLOTS = ((0, 0), (1, 1), (1, 1), (0, 0))


def assemble(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.uint16]],
    *,
    optimize: bool | str = True,
    progressive: Progressive = False,
    restart_interval: int = 0,
    restart_rows: int = 0,
    components: Sequence[markers.FrameComponent] | None = None,
    precision: int = 8,
    slots: Sequence[tuple[int, int]] | None = HUFFMAN_SLOTS,
    segments: bytes | None = None,
    crew: Crew | None = None,
) -> bytes:
    """A file of quantized coefficients (T.81 B.2.1), which loses nothing more.

    A sequential one is baseline if that can hold them (8 bits a sample, steps of at most 255), else
    extended sequential. There is one scan, or as many as blocks of an MCU need, of which one holds
    ten. Components that have equal quantization tables share one.

    Parameters
    ----------
    geometry : Geometry
    quantized : (geometry.size,) int16
    qtables : sequence of (8, 8) uint16
        Of each component.
    optimize : bool or "scans"
        Huffman tables made for these coefficients, instead of Annex K's, which are for 8 bits.
        Progressive files always have such. ``"scans"``: and of sequential files as many scans as
        make it smallest (:func:`cheapest_groups`), whatever `slots` says, where that is smaller.
    progressive : bool, "search" or sequence of Scan
        As for :func:`pyjpegml.encode`.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    restart_rows : int
        The same in rows of MCUs of each scan; 0 for none.
    components : sequence of FrameComponent, optional
        Identifiers and sampling factors, which agree with the geometry's; by default it has the
        factors, and identifiers count from 1. Slots of tables are chosen here.
    precision : int
        Bits of a sample, 8 or 12.
    slots : sequence of (DC, AC) or None
        Huffman tables of each component; by default 0 for luma and 1 for chroma. None for the two
        of each kind that serve these coefficients best (:func:`cheapest_slots`), which are optimal.
    segments : bytes, optional
        APPn and COM segments; by default JFIF's.
    crew : Crew, optional
        Its threads share progressive scans.
    """
    progressive = check_progressive(progressive)
    if components is None:
        factors = enumerate(geometry.sampling, 1)
        components = [markers.FrameComponent(i, h, v, 0) for i, (h, v) in factors]
    if progressive is not False:
        frame = markers.Frame(2, precision, geometry.height, geometry.width, tuple(components))
        scans = encode_scans(
            geometry, quantized,
            _script(progressive, geometry, quantized, restart_interval, restart_rows),
            restart_interval=restart_interval, restart_rows=restart_rows,
            identifiers=[c.identifier for c in components], crew=crew,
        )  # fmt: skip
        return b"".join([*file_head(frame, qtables, segments), *scans, b"\xff\xd9"])
    write = functools.partial(
        _sequential_scans, geometry, quantized, components, restart_interval, restart_rows
    )
    body = write(scan_groups(geometry), slots, bool(optimize))
    if optimize == "scans":
        groups = cheapest_groups(geometry, quantized, restart_interval, restart_rows)
        # which zeros will be stuffed is not foreseen: that it is no larger is seen when it is there
        body = min(body, write(groups, None, True), key=lambda parts: sum(map(len, parts)))
    narrow = max(int(table.max()) for table in qtables) <= 255
    frame = markers.Frame(
        0 if precision == 8 and narrow else 1,
        precision, geometry.height, geometry.width, tuple(components),
    )  # fmt: skip
    return b"".join([*file_head(frame, qtables, segments), *body, b"\xff\xd9"])


def _sequential_scans(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    components: Sequence[markers.FrameComponent],
    restart_interval: int,
    restart_rows: int,
    groups: Sequence[Sequence[int]],
    slots: Sequence[tuple[int, int]] | None,
    optimize: bool,
) -> list[bytes]:
    """DHT, DRI, SOS and coded data of sequential scans of groups of components.

    All else is as for :func:`assemble`.
    """
    body: list[bytes] = []
    valid = 0
    for chosen in groups:
        own = [slots[i] for i in chosen] if slots else [(k, k) for k in range(len(chosen))]
        plan = geometry.scan_plan(own, chosen)
        interval = restart_mcus(restart_interval, restart_rows, geometry.scan_size(chosen)[0])
        if optimize:
            counts = count_scan(geometry, quantized, plan, interval, chosen)
            if slots is None:
                own = cheapest_slots(counts, len(chosen))
                counts = merged_counts(counts, own)
                plan = geometry.scan_plan(own, chosen)
            tables = {slot: optimal_table(counts[slot]) for slot in used_slots(plan)}
        else:
            tables = {slot: STANDARD_TABLES[slot] for slot in used_slots(plan)}
        body.append(huffman_segments(tables))
        if interval != valid:
            body.append(markers.restart_interval_bytes(interval))
            valid = interval
        scanned = [(components[i].identifier, *pair) for i, pair in zip(chosen, own, strict=True)]
        body.append(markers.scan_bytes(scanned))
        body += encode_scan(geometry, quantized, plan, tables, interval, chosen)
    return body


def _script(
    progressive: Progressive,
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    restart_interval: int,
    restart_rows: int,
) -> Sequence[Scan]:
    """The scans that the argument `progressive` of :func:`encode` asks for, if it is not False."""
    if isinstance(progressive, bool):
        return usual_script(geometry.sampling)
    if isinstance(progressive, str):
        return best_script(geometry, quantized, restart_interval, restart_rows)
    return check_script(progressive, geometry.sampling)


def cheapest_slots(counts: npt.NDArray[np.int64], components: int) -> list[tuple[int, int]]:
    """Which components of a scan should share Huffman tables, two of each kind at most.

    Parameters
    ----------
    counts : (8, 256) int64
        Symbols of each component, as if the k-th had tables k of its own.
    components : int
    """
    slots = []
    for first in (0, AC):
        bits = functools.cache(
            lambda group, first=first: _coded_bits(counts[[first + k for k in group]].sum(0))
        )
        ways = [(0, *rest) for rest in itertools.product((0, 1), repeat=components - 1)]
        groups = [
            [tuple(k for k in range(components) if way[k] == slot) for slot in (0, 1)]
            for way in ways
        ]
        costs = [sum(bits(group) for group in pair if group) for pair in groups]
        slots.append(ways[costs.index(min(costs))])
    return list(zip(*slots, strict=True))


def _coded_bits(counts: npt.NDArray[np.int64]) -> int:
    """Bits of the codes of some symbols with their optimal table, and of its DHT segment."""
    table = optimal_table(counts)
    symbols_of_table = np.frombuffer(table.symbols, np.uint8)
    coded = int(counts[symbols_of_table] @ np.array(table.code_lengths()))
    return coded + 8 * (symbols.SEGMENT_HEAD + 16 + len(table.symbols))


def merged_counts(
    counts: npt.NDArray[np.int64], slots: Sequence[tuple[int, int]]
) -> npt.NDArray[np.int64]:
    """Symbols by table slot, of those by component, (8, 256) int64."""
    merged = np.zeros_like(counts)
    for k, (dc, ac) in enumerate(slots):
        merged[dc] += counts[k]
        merged[AC + ac] += counts[AC + k]
    return merged


def cheapest_groups(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    restart_interval: int = 0,
    restart_rows: int = 0,
) -> list[list[int]]:
    """Which components should share a scan: all, all but the first, or none.

    A scan of its own costs a header, and gives tables of its own; and there luma of 4:2:0 comes row
    by row, and not in squares of four, so that the DC before is that of a neighbour.

    Parameters
    ----------
    geometry, quantized, restart_interval, restart_rows
        As for :func:`assemble`.
    """
    every = list(range(len(geometry.planes)))
    ways = [scan_groups(geometry), [every[:1], *scan_groups(geometry, every[1:])]]
    ways.append([[i] for i in every])
    costs = []
    for groups in ways:
        cost = 0
        for chosen in groups:
            plan = geometry.scan_plan([(k, k) for k in range(len(chosen))], chosen)
            interval = restart_mcus(restart_interval, restart_rows, geometry.scan_size(chosen)[0])
            counts = count_scan(geometry, quantized, plan, interval, chosen)
            sizes = np.arange(256)
            cost += int((counts[:AC] @ sizes).sum() + (counts[AC:] @ (sizes & 15)).sum())
            merged = merged_counts(counts, cheapest_slots(counts, len(chosen)))
            cost += sum(_coded_bits(row) for row in merged if row.any())
            cost += 8 * len(markers.scan_bytes([(0, 0, 0)] * len(chosen)))
        costs.append(cost)
    return ways[costs.index(min(costs))]


def scan_groups(geometry: Geometry, components: Sequence[int] | None = None) -> list[list[int]]:
    """Which components share a scan: all, unless an MCU would have more than ten blocks (B.2.3).

    Parameters
    ----------
    geometry : Geometry
    components : sequence of int, optional
        Those that are to have scans; all by default.
    """
    groups: list[list[int]] = []
    blocks = 0
    for i in range(len(geometry.planes)) if components is None else components:
        size = geometry.planes[i].h * geometry.planes[i].v
        if not groups or blocks + size > 10:
            groups.append([])
            blocks = 0
        groups[-1].append(i)
        blocks += size
    return groups


def count_scan(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    plan: npt.NDArray[np.int64],
    restart_interval: int = 0,
    chosen: Sequence[int] | None = None,
) -> npt.NDArray[np.int64]:
    """How often a scan has each Huffman symbol, (8, 256) int64 by table slot.

    Parameters
    ----------
    geometry, quantized, restart_interval
        As for :func:`assemble`.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        Of the scan.
    chosen : sequence of int, optional
        Components of the scan; all by default.
    """
    across, down = geometry.scan_size(range(len(geometry.planes)) if chosen is None else chosen)
    counts = np.zeros((TABLE_SLOTS, 256), np.int64)
    state = np.zeros(symbols.STATE_FIELDS, np.int64)
    step = max(1, PIECE_BLOCKS // len(plan))
    blocks, masks = buffers(min(step, across * down) * len(plan))
    for first in range(0, across * down, step):
        last = min(first + step, across * down)
        symbols.order_blocks(quantized, plan, across, first, last, blocks, masks)
        symbols.count_symbols(blocks, masks, 0, last - first, restart_interval, plan, state, counts)
    return counts


def used_slots(plan: npt.NDArray[np.int64]) -> list[int]:
    """The slots of Huffman tables that a plan names."""
    return sorted({int(slot) for slot in plan[:, [scan.DC_SLOT, scan.AC_SLOT]].ravel()})


def encode_scan(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    plan: npt.NDArray[np.int64],
    tables: dict[int, HuffmanTable],
    restart_interval: int = 0,
    chosen: Sequence[int] | None = None,
) -> list[bytes]:
    """Entropy-coded data of a scan, in pieces (T.81 F.1.2).

    Parameters
    ----------
    geometry, quantized, plan, restart_interval, chosen
        As for :func:`count_scan`.
    tables : dict
        By slot; with a code for every symbol that occurs.
    """
    across, down = geometry.scan_size(range(len(geometry.planes)) if chosen is None else chosen)
    coding = symbols.coding_tables(tables)
    step = max(1, PIECE_BLOCKS // len(plan))
    blocks, masks = buffers(min(step, across * down) * len(plan))
    writer = symbols.new_writer(min(step, across * down) * len(plan))
    pieces = []
    for first in range(0, across * down, step):
        last = min(first + step, across * down)
        symbols.order_blocks(quantized, plan, across, first, last, blocks, masks)
        written = symbols.encode_blocks(
            blocks, masks, 0, last - first, across * down, restart_interval, plan, coding,
            writer,
        )  # fmt: skip
        pieces.append(writer.out[:written].tobytes())
    return pieces
