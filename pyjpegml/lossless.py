"""The lossless process: predict a sample, code what is left (T.81 Annex H).

No transform and no quantization here. Each sample is predicted from neighbours that the decoder has
already, and the difference, modulo 2**16, is Huffman-coded as the DC differences of the other
processes are (H.1.2.2). Of the sample x the neighbours are called::

    c b
    a x

and the scan header says which of seven predictors (Table H.1) makes the guess::

    1  a        3  c            5  a + ((b - c) >> 1)      7  (a + b) >> 1
    2  b        4  a + b - c    6  b + ((a - c) >> 1)

(0 is no prediction, which belongs to hierarchical files.) Where neighbours are missing, there are
rules (H.1.2.1): the first line of the picture, and of each restart interval, is predicted from the
left, its first sample is guessed as half of the range; the first sample of all other lines is
predicted from above.

*Point transform* (H.1.2.1): all of this is done with samples whose lowest Pt bits have been shifted
out. They come back as zeros.

*Categories* go to 16 here. Differences of category 16 are all the same number, 32768, so no raw
bits follow its code (Table H.2).

*Data unit* is the word of T.81 for what an MCU is made of: a block elsewhere, here one sample.
Otherwise an MCU is the same: H x V data units of each component if the scan is interleaved, else
one (A.2). Lines and columns that whole MCUs have beyond a component's edges are not part of the
picture, and nothing is predicted from them.

*Passes.* :func:`decode_differences` reads a scan and leaves the differences where the samples will
be; :func:`undifference` turns them into samples, in place, component by component. Predictors 2 and
3 look at the line above only, which makes vector code; 1, 4 and 5 leave a running sum, one addition
a sample; with 6 and 7 each sample waits for three operations on the one before.

Arrays: all components lie in one flat uint16 array, each with lines of whole MCUs
(:class:`SampleGeometry`). The plan of a scan has the fields of :mod:`pyjpegml.scan`, in data units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .bitio import refill
from .coefficients import Plane
from .errors import JpegFormatError
from .huffman import LOOK_AHEAD
from .scan import (
    ACROSS,
    BAD_CATEGORY,
    BAD_CODE,
    BIT,
    COLUMN,
    DC_SLOT,
    ENDED_EARLY,
    INTERVAL,
    LEFT,
    MCU,
    OFFSET,
    OK,
    ROW,
    STRIDE,
    UNREAD,
    H,
    V,
)

#: Fields of a cursor: where the next sample of this data unit of the MCU goes, how far that moves
#: from one MCU to the next, and the Huffman table slot.
POSITION, STEP, SLOT = 0, 1, 2
CURSOR_FIELDS = 3


class SampleGeometry:
    """Sizes of a lossless picture's components: data units are samples (T.81 A.1.1, A.2.4).

    Parameters
    ----------
    width, height : int
        Of the picture, 1 to 65535.
    sampling : sequence of (H, V)
        Sampling factors of each component, 1 to 4.

    Attributes
    ----------
    planes : tuple of Plane
        As in :class:`pyjpegml.coefficients.Geometry`, with samples for blocks.
    h_max, v_max : int
        Largest sampling factors.
    mcus_across, mcus_down : int
        MCUs of an interleaved scan.
    size : int
        Samples of all components.
    """

    def __init__(self, width: int, height: int, sampling: Sequence[tuple[int, int]]) -> None:
        if len(sampling) == 1:
            sampling = [(1, 1)]  # one component is never interleaved: its factors mean nothing
        self.width = width
        self.height = height
        self.h_max = max(h for h, _ in sampling)
        self.v_max = max(v for _, v in sampling)
        self.mcus_across = -(-width // self.h_max)
        self.mcus_down = -(-height // self.v_max)
        planes = []
        self.size = 0
        for h, v in sampling:
            across, down = -(-width * h // self.h_max), -(-height * v // self.v_max)
            plane = Plane(
                h=h, v=v, width=across, height=down, across=across, down=down,
                stride=self.mcus_across * h, rows=self.mcus_down * v, offset=self.size,
            )  # fmt: skip
            planes.append(plane)
            self.size += plane.stride * plane.rows
        self.planes = tuple(planes)

    def view(self, samples: npt.NDArray[np.uint16], component: int) -> npt.NDArray[np.uint16]:
        """One component's array in the flat one: (rows, stride), lines of whole MCUs."""
        plane = self.planes[component]
        size = plane.stride * plane.rows
        return samples[plane.offset : plane.offset + size].reshape(plane.rows, plane.stride)

    def scan_plan(
        self, components: Sequence[int], slots: Sequence[int]
    ) -> tuple[npt.NDArray[np.int64], int, int]:
        """Plan of a scan (fields: :mod:`pyjpegml.scan`), and how many MCUs it has across and down.

        Parameters
        ----------
        components : sequence of int
            Indexes, in the order of the scan.
        slots : sequence of int
            Huffman table of each of them, 0 to 3.
        """
        planes = [self.planes[i] for i in components]
        alone = len(planes) == 1
        rows = []
        for component, plane, slot in zip(components, planes, slots, strict=True):
            h, v = (1, 1) if alone else (plane.h, plane.v)
            for row, column in np.ndindex(v, h):
                fields = [0] * scan.PLAN_FIELDS
                fields[scan.COMPONENT] = component
                fields[OFFSET], fields[STRIDE] = plane.offset, plane.stride
                fields[ACROSS], fields[scan.DOWN] = plane.across, plane.down
                fields[H], fields[V], fields[COLUMN], fields[ROW] = h, v, column, row
                fields[DC_SLOT] = slot
                rows.append(fields)
        plan = np.array(rows, np.int64)
        if alone:
            return plan, planes[0].across, planes[0].down
        return plan, self.mcus_across, self.mcus_down


def restart_lines(restart_interval: int, mcus_across: int, v: int) -> int:
    """Lines of a component in a restart interval, which has whole rows of MCUs (T.81 Table B.7).

    Parameters
    ----------
    restart_interval : int
        In MCUs; 0 for none.
    mcus_across : int
        MCUs in a row of the scan.
    v : int
        Lines of the component in a row of MCUs: its sampling factor V if the scan is interleaved,
        else 1.

    Raises
    ------
    JpegFormatError
        If the interval ends within a row.
    """
    if restart_interval % mcus_across:
        raise JpegFormatError(
            f"the restart interval of a lossless scan is a multiple of the {mcus_across} MCUs in a "
            f"row, not {restart_interval}"
        )
    return restart_interval // mcus_across * v


@inlined
def _read_difference(accumulator, n, position, data, look_up, slot, tail, tail_start):
    """One difference (T.81 H.2.2, Figure F.12): the reader's state, value modulo 2**16, status.

    There must be LOOK_AHEAD bits. If they hold the code and all raw bits, no others are used; else
    there is a refill first, which leaves 25 bits at least. So one refill outside is enough for
    three differences.
    """
    entry = np.int64(look_up[slot][accumulator >> np.uint64(64 - LOOK_AHEAD)])
    used = entry & 63
    if used != 0:
        return accumulator << np.uint64(used), n - used, position, entry >> 16, OK
    accumulator, n, position = refill(accumulator, n, position, data)
    if entry == 0:
        # look_up has 0 only for bits from the slot's first in `tail` on
        entry = np.int64(tail[tail_start[slot] + np.int64(accumulator >> np.uint64(48))])
    length, size = entry >> 24, (entry >> 16) & 255
    status, constant = OK, 0
    if size >= 16 or entry == 0:
        status = BAD_CODE if entry == 0 else OK if size == 16 else BAD_CATEGORY
        size, constant = 0, 1 << 15
    used = length + size
    value = np.int64(accumulator >> np.uint64(1) >> np.uint64(63 - used)) & ((1 << size) - 1)
    if value < (1 << size) >> 1:
        value += (-1 << size) + 1
    return accumulator << np.uint64(used), n - used, position, value + constant, status


@kernel
def decode_differences(
    data, ends, restart_interval, mcus, plan, mcus_across, look_up, tail, tail_start, cursors,
    reader, samples,
):  # fmt: skip
    """Decode the differences of a lossless scan (T.81 H.2.2, E.2.4).

    Parameters
    ----------
    data : (>= last end + bitio.PADDING,) uint8
        Bytes without stuffing, as :func:`pyjpegml.bitio.destuff` leaves them.
    ends : (intervals,) int64
        End of each interval in `data`, not decreasing.
    restart_interval : int
        In MCUs; 0 for none.
    mcus : int
        How many there are in all `intervals`; those of the scan, or less.
    plan : (data units of an MCU, PLAN_FIELDS) int64
    mcus_across : int
        MCUs in a row of the scan.
    look_up, tail, tail_start
        :class:`pyjpegml.huffman.DecodingTables`, with a table in each slot that the plan names.
    cursors : (data units of an MCU, CURSOR_FIELDS) int64
        Scratch.
    reader : (READER_FIELDS,) int64
        Zeros, or the number of an MCU that starts an interval in its field MCU. Afterwards it says
        how far the reader has come; see :mod:`pyjpegml.scan`.
    samples : (n,) uint16
        The differences are written, modulo 2**16.

    Returns
    -------
    int
        OK, ENDED_EARLY, BAD_CODE or BAD_CATEGORY.

    Notes
    -----
    Bounds: MCU number m lies in row ``m // mcus_across``, and `samples` has whole MCUs. Before each
    MCU the reader has consumed at most `end` bytes, so its position is at most ``end + 8``; an MCU
    has 4 x 4 x 4 data units at most and consumes 64 * 31 bits = 248 bytes at most, and refilling
    looks 8 bytes ahead: all within PADDING.
    """
    units = plan.shape[0]
    while reader[MCU] < mcus:
        if reader[LEFT] == 0:
            interval = reader[MCU] // restart_interval if restart_interval > 0 else 0
            reader[INTERVAL] = interval
            reader[BIT] = 8 * ends[interval - 1] if interval > 0 else 0
            reader[LEFT] = mcus - reader[MCU]
            if restart_interval > 0:
                reader[LEFT] = min(reader[LEFT], restart_interval)
        end = 8 * ends[reader[INTERVAL]]
        accumulator, n, position = refill(np.uint64(0), 0, np.uint64(reader[BIT] >> 3), data)
        accumulator <<= np.uint64(reader[BIT] & 7)
        n -= reader[BIT] & 7
        mcu_row = reader[MCU] // mcus_across
        column = reader[MCU] - mcu_row * mcus_across
        for unit in range(units):
            row = mcu_row * plan[unit, V] + plan[unit, ROW]
            first = plan[unit, OFFSET] + row * plan[unit, STRIDE]
            cursors[unit, POSITION] = first + column * plan[unit, H] + plan[unit, COLUMN]
            cursors[unit, STEP] = plan[unit, H]
            cursors[unit, SLOT] = plan[unit, DC_SLOT]
        run = min(mcus_across - column, reader[LEFT])
        since_refill = 3  # the first difference refills what was shifted out
        for _ in range(run):
            status = OK
            for unit in range(units):
                if since_refill == 3:
                    accumulator, n, position = refill(accumulator, n, position, data)
                    since_refill = 0
                since_refill += 1
                accumulator, n, position, difference, failed = _read_difference(
                    accumulator, n, position, data, look_up, cursors[unit, SLOT], tail, tail_start
                )
                if failed != OK:
                    status = failed
                target = cursors[unit, POSITION]
                samples[np.uint64(target)] = difference
                cursors[unit, POSITION] = target + cursors[unit, STEP]
            if 8 * np.int64(position) - (n & 63) > end:
                status = ENDED_EARLY
            if status != OK:
                reader[BIT] = 8 * np.int64(position) - (n & 63)
                return status
            reader[MCU] += 1
        reader[BIT] = 8 * np.int64(position) - (n & 63)
        reader[LEFT] -= run
        if reader[LEFT] == 0:
            reader[UNREAD] += (end - reader[BIT]) >> 3
    return OK


@kernel
def undifference(samples, width, height, predictor, interval, start):
    """Turn the differences of a component into its samples (T.81 H.1.2.1, H.2.1), in place.

    Parameters
    ----------
    samples : (>= height, >= width) uint16
        Differences; afterwards samples without the point transform.
    width, height : int
        Samples that are part of the picture.
    predictor : int
        0 to 7.
    interval : int
        Lines of this component in a restart interval (:func:`restart_lines`); 0 for no restarts.
    start : int
        Prediction of the first sample: ``2 ** (precision - Pt - 1)``.
    """
    if predictor == 0:
        return
    for y in range(height):
        line = samples[y]
        if y == 0 or (interval > 0 and y % interval == 0):
            value = np.int64(start)
            for x in range(width):
                value = (value + np.int64(line[x])) & 0xFFFF
                line[x] = value
            continue
        above = samples[y - 1]
        value = (np.int64(line[0]) + np.int64(above[0])) & 0xFFFF
        line[0] = value
        # views from x = 1 on: no index is negative
        d, b, c = line[1:width], above[1:width], above[: width - 1]
        if predictor == 1:
            for x in range(d.size):
                value = (value + np.int64(d[x])) & 0xFFFF
                d[x] = value
        elif predictor == 2:
            for x in range(d.size):
                d[x] = (np.int64(d[x]) + np.int64(b[x])) & 0xFFFF
        elif predictor == 3:
            for x in range(d.size):
                d[x] = (np.int64(d[x]) + np.int64(c[x])) & 0xFFFF
        elif predictor == 4:  # a - c is a running sum
            value -= np.int64(above[0])
            for x in range(d.size):
                value += np.int64(d[x])
                d[x] = (value + np.int64(b[x])) & 0xFFFF
        elif predictor == 5:
            for x in range(d.size):
                value += np.int64(d[x]) + ((np.int64(b[x]) - np.int64(c[x])) >> 1)
                d[x] = value & 0xFFFF
        elif predictor == 6:
            for x in range(d.size):
                value = (np.int64(d[x]) + np.int64(b[x]) + ((value - np.int64(c[x])) >> 1)) & 0xFFFF
                d[x] = value
        else:
            for x in range(d.size):
                value = (np.int64(d[x]) + ((value + np.int64(b[x])) >> 1)) & 0xFFFF
                d[x] = value
