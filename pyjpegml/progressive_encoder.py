"""The progressive encoder: from coefficients and a script to scans (T.81 Annex G).

::

    coefficients ─ bit_planes ─ progressive_symbols ─ records and counts ─ shared_tables ─ bytes

All scans become symbols first, and these become bits when the counts of all have shown which scans
are to share a Huffman table. Records need four bytes a symbol, besides coefficients and bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import markers
from .arguments import restart_mcus
from .bit_planes import BitPlanes, bit_planes, count_ones
from .coefficients import Geometry
from .constants import ZIGZAG
from .huffman import AC
from .progressive_symbols import (
    BATCH,
    RAW,
    ROWS,
    ac_first,
    ac_refinement,
    dc_first,
    dc_refinement,
    fill_codes,
    write_records,
)
from .scripts import Scan, check_script, usual_script
from .shared_tables import Slots, share_tables
from .threads import Crew

#: The largest DC, so that differences have at most 15 bits.
LARGEST_DC = 1 << 14


@dataclass(frozen=True)
class Coded:
    """A scan as symbols.

    Attributes
    ----------
    scan : Scan
    records : (n,) uint32
        See :mod:`pyjpegml.progressive_symbols`.
    ends : (intervals,) int64
        How many of them there are at the end of each restart interval.
    counts : (ROWS, 256) int64
        Of its symbols.
    """

    scan: Scan
    records: npt.NDArray[np.uint32]
    ends: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of the counts that want a table; a refinement of DC has none."""
        if self.scan.Ss > 0:
            return (0,)
        return self.scan.components if self.scan.Ah == 0 else ()


def encode_scans(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    script: Sequence[Scan] | None = None,
    *,
    restart_interval: int = 0,
    restart_rows: int = 0,
    identifiers: Sequence[int] | None = None,
    crew: Crew | None = None,
) -> list[bytes]:
    """All scans of a progressive picture.

    Parameters
    ----------
    geometry : Geometry
        Of at most four components.
    quantized : (geometry.size,) int16
        AC from -32767, DC from -16384 to 16383: more than any legal picture has.
    script : sequence of Scan, optional
        :func:`pyjpegml.scripts.usual_script` if not given.
    restart_interval : int
        In MCUs of each scan (blocks, if it has one component); 0 for none.
    restart_rows : int
        The same in rows of MCUs, of which scans have different ones (T.81 A.2.2); 0 for none.
    identifiers : sequence of int, optional
        Of the frame's components; 1, 2, 3, ... if not given.
    crew : Crew, optional
        Its threads share the scans.

    Returns
    -------
    list of bytes
        What follows the frame header, without EOI.

    Raises
    ------
    ValueError
        If the script is not sound (:func:`pyjpegml.scripts.check_script`), coefficients are too
        large, or the rows have more MCUs than a restart interval can.
    """
    script = usual_script(geometry.sampling) if script is None else script
    script = check_script(script, geometry.sampling)
    check_coefficients(geometry, quantized)
    names = range(1, 5) if identifiers is None else identifiers
    each_of = (Crew(1) if crew is None else crew).each
    levels = levels_of(script, len(geometry.planes))
    planes = each_of(lambda i: bit_planes(geometry, quantized, i, levels[i]), len(levels))
    intervals = [
        restart_mcus(restart_interval, restart_rows, geometry.scan_size(scan.components)[0])
        for scan in script
    ]
    coded = each_of(
        lambda i: symbols_of_scan(geometry, quantized, script[i], intervals[i], planes),
        len(script),
    )
    classes = _slots(coded, 0), _slots(coded, AC)

    def written(i: int) -> bytes:
        codes = np.zeros(256 * (RAW + 1), np.uint32)
        slots = classes[script[i].Ss > 0]
        for row, table in zip(coded[i].rows, slots.uses[i], strict=True):
            fill_codes(*slots.tables[table].arrays(), 256 * row, codes)
        return bytes_of_scan(coded[i], codes)

    data = each_of(written, len(script))
    parts: list[bytes] = []
    for i, each in enumerate(coded):
        if intervals[i] != (intervals[i - 1] if i else 0):
            parts.append(markers.restart_interval_bytes(intervals[i]))
        if any(slots.lacks(i) for slots in classes):
            tables = b"".join(slots.fill(i) for slots in classes)
            parts.append(markers.segment_bytes(markers.DHT, tables))
        slots = classes[each.scan.Ss > 0]
        held = [slots.slot(table) for table in slots.uses[i]]
        parts += [_header(each.scan, held, names), data[i]]
    return parts


def check_coefficients(geometry: Geometry, quantized: npt.NDArray[np.int16]) -> None:
    """Refuse what has no symbols."""
    dc = quantized[::64]
    if dc.min() < -LARGEST_DC or dc.max() >= LARGEST_DC:
        raise ValueError(
            f"DC coefficients are {-LARGEST_DC} to {LARGEST_DC - 1}; these are {dc.min()} to "
            f"{dc.max()}"
        )
    if quantized.min() == -(1 << 15):
        raise ValueError("AC coefficients are -32767 to 32767; there is one of -32768")


def _header(scan: Scan, slots: Sequence[int], names: Sequence[int]) -> bytes:
    """SOS (T.81 B.2.3)."""
    shift = AC if scan.Ss == 0 else 0  # tables of DC are named in the upper four bits
    chosen = [
        bytes([names[i], slot << shift])
        for i, slot in zip(scan.components, slots or [0] * len(scan.components), strict=True)
    ]
    tail = bytes([scan.Ss, scan.Se, scan.Ah << 4 | scan.Al])
    return markers.segment_bytes(markers.SOS, bytes([len(chosen)]) + b"".join(chosen) + tail)


def levels_of(script: Sequence[Scan], components: int) -> list[int]:
    """How many bit planes the scans of AC of each component need."""
    return [
        1 + max((max(s.Ah, s.Al) for s in script if s.Ss > 0 and s.components == (i,)), default=0)
        for i in range(components)
    ]


def symbols_of_scan(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    scan: Scan,
    restart_interval: int,
    planes: Sequence[BitPlanes],
) -> Coded:
    """Symbols of one scan."""
    mcus_across, mcus_down = geometry.scan_size(scan.components)
    mcus = mcus_across * mcus_down
    ends = np.empty(-(-mcus // restart_interval) if restart_interval else 1, np.int64)
    counts = np.zeros((ROWS, 256), np.int64)
    if scan.Ss == 0:
        plan = geometry.scan_plan([(0, 0)] * len(scan.components), scan.components)
        records = np.empty(mcus * len(plan), np.uint32)
        where = quantized, plan, mcus_across, mcus, restart_interval, scan.Al
        if scan.Ah == 0:
            count = dc_first(*where, np.empty(ROWS, np.int64), records, counts, ends)
        else:
            count = dc_refinement(*where, records, ends)
        return Coded(scan, records[:count], ends, counts)
    (i,) = scan.components
    nonzero, ones, negative = planes[i]
    band = scan.Ss, scan.Se
    records = np.empty(2 * count_ones(nonzero[scan.Al], *band) + 8 * mcus, np.uint32)
    if scan.Ah == 0:
        count = ac_first(
            geometry.view(quantized, i), geometry.planes[i].across, ZIGZAG, nonzero[scan.Al],
            *band, scan.Al, restart_interval, records, counts, ends,
        )  # fmt: skip
    else:
        count = ac_refinement(
            nonzero[scan.Ah], nonzero[scan.Al], ones[scan.Al], negative,
            *band, restart_interval, records, counts, ends,
        )  # fmt: skip
    return Coded(scan, records[:count], ends, counts)


def _slots(coded: Sequence[Coded], first: int) -> Slots:
    """Tables of one class, and their slots: those of DC from 0 on, those of AC from AC on."""
    users = [
        (i, row)
        for i, each in enumerate(coded)
        if (each.scan.Ss > 0) == (first == AC)
        for row in each.rows
    ]
    groups, tables = share_tables(np.array([coded[i].counts[row] for i, row in users]))
    uses: list[list[int]] = [[] for _ in coded]
    for (i, _), group in zip(users, groups, strict=True):
        uses[i].append(group)
    return Slots(first, uses, tables)


def bytes_of_scan(coded: Coded, codes: npt.NDArray[np.uint32]) -> bytes:
    """Entropy-coded data of a scan.

    A record becomes four bytes at most, which stuffing may double; an interval ends with bits that
    fill a byte, which may be stuffed too, and a marker.
    """
    raw = np.empty(4 * BATCH + 16, np.uint8)
    out = np.empty(8 * coded.records.size + 4 * coded.ends.size + 64, np.uint8)
    written = write_records(coded.records, coded.ends, codes, raw, out)
    return out[:written].tobytes()
