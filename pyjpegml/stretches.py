"""A sequential scan decoded by several threads, though every bit depends on the one before.

Huffman codes say where they end, not where they begin. Yet a decoder that starts at any bit soon
falls into step: it reads nonsense for a while, and then by chance meets a place where a code really
begins, in the right block of an MCU; from there on it reads what it should (Klein and Wiseman,
*Parallel Huffman decoding with applications to JPEG files*, 2003). On photographs that takes some
MCUs as a rule, some hundred at worst. So in each *round* every thread decodes a *stretch* of the
data::

    thread 0   |===========>~~|            knows where it is
    thread 1                |....==========>~~|           guesses
    thread 2                             |..==========>                ...

and records where its MCUs began. At the end of the round thread 0's decoder is led on, ``~~``,
until it comes to a bit at which thread 1 began an MCU too. All that thread 1 decoded from there on
is right, except for two things it could not know: the number of its MCUs, which only matters now,
and the DC predictions, whose error is the same for all of a component's blocks and is added. If the
two do not meet, the stretch is thrown away, and the next round begins where thread 0 ended.

With restart intervals nothing is guessed: stretches begin with an interval.

*A round of the pipeline.* Each thread paints its share of the rows whose samples are complete,
transforms the stretch that it decoded in the round before into the ring of samples, and decodes the
next stretch. Then, while all others wait, thread 0 joins the stretches (:meth:`Rounds._join`).

*Errors.* A thread that guesses meets errors while it reads nonsense, and tries the next bit. If
anything else is wrong, the whole picture is left to the decoder with one thread, which says what.

*Memory.* A stretch lies in the buffer of its thread as one long row of MCUs: MCU m, block row v and
column i of a component is block ``BLOCKS + v * CHUNK_STRIDE + m * H + i``. It is made zero again
where it is transformed or thrown away. Rows of samples lie in a ring
(:class:`pyjpegml.strips.Layout`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .coefficients import Geometry
from .huffman import DecodingTables
from .scan import BIT, LEFT, MCU, READ_PREDICTIONS, READER_FIELDS, decode_mcus
from .simd import vector_function
from .strips import (
    ACROSS,
    BLOCKS,
    CHUNK_STRIDE,
    DOWN,
    ROWS,
    SAMPLES,
    SLACK,
    STRIDE,
    H,
    Layout,
    V,
    paint_rows,
    repeat_borders,
    transform_blocks,
)
from .threads import Crew

#: Pixels of a stretch, roughly: enough to be worth a round, little enough for the cache; for small
#: pictures fewer, so that there are some rounds.
MOST_PIXELS, LEAST_PIXELS, ROUNDS = 1 << 19, 1 << 16, 4
#: MCUs at the beginning of a stretch whose places are recorded, and that a decoder may be led on.
WINDOW = 512
#: MCUs behind those that are decoded at once.
STEP = 16
#: MCUs that a decoder which does not know where it is may have in front of it.
ENDLESS = 1 << 60

#: What :func:`meet` returns if two decoders do not come together, and if data are wrong.
APART, BROKEN = -1, -2


@vector_function
def _clear(coefficients, position):
    """Make a block zero."""
    coefficients.store(coefficients.load(64, position) & 0, position)


@kernel
def clear_stretch(coefficients, layout, start, end):
    """Make the MCUs from `start` to `end` of a buffer zero.

    Parameters
    ----------
    coefficients : (n,) int16
    layout : (n, LAYOUT_FIELDS) int64
    start, end : int
        At most as many as CHUNK_STRIDE has room for.
    """
    for c in range(layout.shape[0]):
        part = layout[c]
        for v in range(part[V]):
            first = part[BLOCKS] + v * part[CHUNK_STRIDE]
            for block in range(first + start * part[H], first + end * part[H]):
                _clear(coefficients, 64 * block)


@inlined
def _copy(source, target):
    for i in range(source.size):
        target[i] = source[i]


@kernel
def decode_stretch(
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start,
    reader, coefficients, extents, most, stop, starts,
):  # fmt: skip
    """Decode MCUs until one ends at bit `stop` or behind it, or there are `most`.

    Parameters
    ----------
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start
        As for :func:`pyjpegml.scan.decode_mcus`.
    reader : (READER_FIELDS,) int64
        Where to begin; more LEFT than there are MCUs says that it is a guess.
    coefficients, extents
        Zeros, with room for `most` MCUs in a row.
    most, stop : int
    starts : (n, READER_FIELDS) int64
        If it is a guess, the reader before each of the first MCUs; a BIT of -1 where there was
        none. The last row is scratch.

    Returns
    -------
    count : int
        MCUs that are decoded; the reader is behind them.
    touched : int
        MCUs that are not zero any more; up to STEP beyond.
    status : int
        Why it ended: OK, or as :func:`pyjpegml.scan.decode_mcus`.
    """
    last = starts.shape[0] - 1
    recorded = last if reader[LEFT] > mcus else 0
    m = 0
    while m < most and reader[BIT] < stop:
        run = 1 if m < recorded else min(STEP, most - m)
        before = starts[min(m, last)]
        _copy(reader, before)
        status = decode_mcus(
            data, ends, restart_interval, mcus, plan, 0, m, m + run, places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        if status != scan.OK:
            _copy(before, reader)
            if m >= recorded or status == scan.ENDED_EARLY:
                return m, m + run, status
            before[BIT] = -1
            reader[BIT] += 1
        m += run
    return m, m, scan.OK


@kernel
def meet(
    data, ends, mcus, plan, places, look_up, tail, tail_start,
    reader, coefficients, extents, first, last, starts, count,
):  # fmt: skip
    """Lead a decoder on until it comes to where another one began an MCU.

    Parameters
    ----------
    data, ends, mcus, plan, places, look_up, tail, tail_start, reader, coefficients, extents
        As for :func:`decode_stretch`, of the decoder that knows where it is.
    first, last : int
        Columns of its buffer that are free.
    starts : (n, READER_FIELDS) int64
    count : int
        Of the other one; how many of them there are.

    Returns
    -------
    column : int
        First column that is still free.
    which : int
        Number of the start that they have in common, or APART or BROKEN.
    """
    i = 0
    while True:
        while i < count and starts[i, BIT] < reader[BIT]:
            i += 1
        if i == count:
            return first, APART
        if starts[i, BIT] == reader[BIT]:
            return first, i
        if first == last or reader[LEFT] == 0:
            return first, APART
        status = decode_mcus(
            data, ends, 0, mcus, plan, 0, first, first + 1, places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        first += 1
        if status != scan.OK:
            return first, BROKEN


@kernel
def transform_stretch(
    coefficients, extents, qtables, layout, first, count, mcu, mcus_across, offsets, samples
):
    """Inverse DCT of a stretch, into the ring of samples.

    Parameters
    ----------
    coefficients : (n,) int16
        Zeros on return.
    extents : (n / 64,) uint8
    qtables : (n, 64) int32
    layout : (n, LAYOUT_FIELDS) int64
    first, count : int
        MCUs in the buffer.
    mcu : int
        Number of the first one in the picture, whose MCUs they all are.
    mcus_across : int
    offsets : (READER_FIELDS,) int64
        From READ_PREDICTIONS on: what is added to the DC coefficients of a component, modulo 2**16.
    samples : (n,) uint8

    Notes
    -----
    Loads: 64 coefficients of blocks of the stretch. Stores: 8 or 32 samples of the blocks' own.
    """
    for c in range(layout.shape[0]):
        part, offset = layout[c], offsets[READ_PREDICTIONS + c]
        done = 0
        while done < count:
            row, column = (mcu + done) // mcus_across, (mcu + done) % mcus_across
            run = min(mcus_across - column, count - done)
            for v in range(part[V]):
                block = part[BLOCKS] + v * part[CHUNK_STRIDE] + (first + done) * part[H]
                if offset != 0:
                    for i in range(64 * block, 64 * (block + run * part[H]), 64):
                        coefficients[i] += offset
                top = part[SAMPLES] + 8 * (row * part[V] + v) % part[ROWS] * part[STRIDE]
                transform_blocks(
                    coefficients, extents, qtables[c], block, run * part[H],
                    samples, top + 8 * column * part[H], part[STRIDE],
                )  # fmt: skip
                for i in range(block, block + run * part[H]):
                    _clear(coefficients, 64 * i)
            done += run


class Stretch:
    """A thread's part of a round, and its buffers.

    Parameters
    ----------
    layout : Layout
    tail : int
        Bytes of the last rows that a thread paints.
    """

    def __init__(self, layout: Layout, tail: int) -> None:
        self.tail = np.empty(tail + SLACK, np.uint8)
        self.reader = np.zeros(READER_FIELDS, np.int64)
        self.coefficients = np.zeros(64 * layout.blocks, np.int16)
        self.extents = np.zeros(layout.blocks, np.uint8)
        self.starts = np.zeros((WINDOW + 1, READER_FIELDS), np.int64)
        self.touched = 0  # MCUs of the buffer that are not zero
        self.most = 0  # MCUs that it may have; 0 if there is nothing for it to do
        self.stop = 0  # bit
        self.count = 0  # MCUs decoded
        self.status = scan.OK
        self.first = 0  # of them that is right,
        self.mcu = 0  # its number in the picture,
        self.offsets = np.zeros(READER_FIELDS, np.int64)  # and what its predictions lack

    def begin(self, reader: npt.NDArray[np.int64], most: int, stop: int) -> None:
        """Say what is to be decoded next."""
        self.reader[:] = reader
        self.most, self.stop = most, stop


class Rounds:
    """The decoding of one picture by several threads.

    Parameters
    ----------
    data, ends : arrays
        As for :func:`pyjpegml.scan.decode_mcus`; as many intervals as there should be.
    restart_interval : int
    geometry : Geometry
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        For any buffer.
    tables : DecodingTables
    qtables : (n, 64) int32
    color : int
    out : (n,) uint8
        As for :func:`pyjpegml.strips.paint_rows`.
    crew : Crew
    """

    def __init__(
        self,
        data: npt.NDArray[np.uint8],
        ends: npt.NDArray[np.int64],
        restart_interval: int,
        geometry: Geometry,
        plan: npt.NDArray[np.int64],
        tables: DecodingTables,
        qtables: npt.NDArray[np.int32],
        color: int,
        out: npt.NDArray[np.uint8],
        crew: Crew,
    ) -> None:
        threads, self.crew = len(crew), crew
        self.geometry, self.qtables, self.color, self.out = geometry, qtables, color, out
        self.restart_interval = restart_interval
        pixels = geometry.height * geometry.width // (ROUNDS * threads)
        pixels = min(max(pixels, LEAST_PIXELS), MOST_PIXELS)
        self.wanted = max(1, pixels // (64 * geometry.h_max * geometry.v_max))
        self.capacity = 2 * self.wanted
        room = self.capacity + WINDOW
        # rows of two rounds are in use at a time, and rounds need not end with rows
        rows = 2 * -(-threads * room // geometry.mcus_across) + 4
        self.layout = Layout(geometry, min(rows, geometry.mcus_down), room, threads)
        self.samples = np.empty(self.layout.samples, np.uint8)
        # as many rows as a step of 64 pixels may reach into
        tail = (1 + 63 // geometry.width) * ((out.size - SLACK) // geometry.height)
        self.stretches = [Stretch(self.layout, tail) for _ in range(threads)]
        self.source = data, ends
        self.rest = self.layout.chunk_plan(plan), scan.PLACES, *tables
        self.end = 8 * int(ends[-1])
        self.reader = np.zeros(READER_FIELDS, np.int64)  # of all that is known to be right
        self.mcu_bits = self.end / geometry.mcus  # of late
        self.transformed = 0  # MCUs whose samples are in the ring
        self.painted = self.ready = 0  # rows of pixels
        self.failed = self.finished = False
        self._share()

    def run(self) -> bool:
        """Decode; False if anything was wrong, and the pixels are not to be used."""
        while not self.finished:
            self.crew.all(self._round)
            self._join()
        return not self.failed

    def _round(self, k: int) -> None:
        """Thread k's part of a round."""
        self._paint(k)
        self._transform(self.stretches[k])
        self._decode(self.stretches[k])

    def _paint(self, k: int) -> None:
        """Thread k's share of rows.

        The last ones by way of a buffer, because what is written beyond them is another's share.
        """
        rows, threads = self.ready - self.painted, len(self.stretches)
        first, last = (self.painted + rows * i // threads for i in (k, k + 1))
        fields, tail = self.layout.painters[k], self.stretches[k].tail
        size = (self.out.size - SLACK) // self.geometry.height
        middle = max(first, last - (tail.size - SLACK) // size)
        width, samples = self.geometry.width, self.samples
        paint_rows(samples, fields, first, middle, 0, width, self.color, self.out, 0)
        paint_rows(samples, fields, middle, last, 0, width, self.color, tail, middle)
        self.out[middle * size : last * size] = tail[: (last - middle) * size]

    def _transform(self, stretch: Stretch) -> None:
        """Samples of what is right, and zeros for all that has been touched."""
        fields, first, count = self.layout.fields, stretch.first, stretch.count
        clear_stretch(stretch.coefficients, fields, 0, first)
        clear_stretch(stretch.coefficients, fields, count, stretch.touched)
        if count > first:
            transform_stretch(
                stretch.coefficients, stretch.extents, self.qtables, fields, first, count - first,
                stretch.mcu, self.geometry.mcus_across, stretch.offsets, self.samples,
            )  # fmt: skip

    def _decode(self, stretch: Stretch) -> None:
        stretch.first = stretch.count = stretch.touched = 0
        if stretch.most > 0:
            stretch.count, stretch.touched, stretch.status = decode_stretch(
                *self.source, self.restart_interval, self.geometry.mcus, *self.rest,
                stretch.reader, stretch.coefficients, stretch.extents,
                stretch.most, stretch.stop, stretch.starts,
            )  # fmt: skip

    def _join(self) -> None:
        """Between two rounds, while all threads wait: what is right, and what is next."""
        self._advance()
        head = self.stretches[0]
        if head.most > 0:
            last = self._chain()[-1]
            done = last.mcu + last.count - last.first
            bits = int(last.reader[BIT] - self.reader[BIT])
            self.mcu_bits = max(1.0, bits / max(1, done - int(self.reader[MCU])))
            self.reader[:] = last.reader + last.offsets
            self.reader[MCU] = done
            if self.restart_interval == 0:
                self.reader[LEFT] = self.geometry.mcus - done
            self.failed |= head.status != scan.OK
        self._share()
        self.finished = self.failed or self.painted == self.geometry.height

    def _advance(self) -> None:
        """Count the rows that have been painted, and those whose samples are there now."""
        geometry, layout = self.geometry, self.layout
        before, row = (n // geometry.mcus_across for n in (self.transformed, int(self.reader[MCU])))
        for part in layout.fields:
            if part[ACROSS] == 2:
                repeat_borders(self.samples, part, 8 * before * part[V], 8 * row * part[V])
        self.transformed = int(self.reader[MCU])
        self.painted = self.ready
        # the last row waits for the next strip if there are rows to be made between the two
        lag = max(int(part[DOWN]) for part in layout.fields) - 1
        ready = max(0, 8 * geometry.v_max * row - lag)
        self.ready = geometry.height if row == geometry.mcus_down else ready

    def _chain(self) -> list[Stretch]:
        """The stretches that are right; all others are to be forgotten."""
        head, *others = self.stretches
        head.first, head.mcu = 0, int(self.reader[MCU])
        chain = [head]
        for stretch in others:
            stretch.first = stretch.count
        for stretch in others:
            if stretch.most == 0 or not self._follows(chain[-1], stretch):
                break
            chain.append(stretch)
            # who guesses where MCUs begin may take the bits that fill the last byte for some
            most = self.geometry.mcus - stretch.mcu
            stretch.count = min(stretch.count, stretch.first + most)
        return chain

    def _follows(self, known: Stretch, stretch: Stretch) -> bool:
        """Whether a stretch goes on where another one, which is right, ends or is led on to."""
        if self.restart_interval:
            stretch.first, stretch.mcu = 0, known.mcu + known.count
            begun = int(stretch.reader[MCU]) - stretch.count
            return stretch.mcu == begun and stretch.status == scan.OK
        recorded = min(stretch.count, WINDOW)
        known.count, which = meet(
            *self.source, self.geometry.mcus, *self.rest,
            known.reader, known.coefficients, known.extents,
            known.count, min(known.count, self.capacity) + WINDOW, stretch.starts, recorded,
        )  # fmt: skip
        known.touched = max(known.touched, known.count)
        if which < 0:
            self.failed |= which == BROKEN
            return False
        stretch.first, stretch.mcu = which, known.mcu + known.count - known.first
        predictions = slice(READ_PREDICTIONS, None)
        stretch.offsets[predictions] = (known.reader + known.offsets - stretch.starts[which])[
            predictions
        ]
        return True

    def _share(self) -> None:
        """Say what each thread decodes in the next round."""
        mcus, done, count = self.geometry.mcus, int(self.reader[MCU]), len(self.stretches)
        left = mcus - done
        reader = self.reader
        if self.restart_interval:
            # each ends where an interval does, and the next one begins
            size = min(self.wanted, -(-left // count))
            ends = [-(-(done + (k + 1) * size) // self.restart_interval) for k in range(count)]
            ends = [min(end * self.restart_interval, mcus) for end in ends]
            for stretch, first, end in zip(self.stretches, [done, *ends], ends, strict=False):
                stretch.begin(reader, min(end - first, self.capacity), ENDLESS)
                reader = np.zeros(READER_FIELDS, np.int64)
                reader[MCU] = end
            return
        bit = int(reader[BIT])
        size = max(1, min(int(self.mcu_bits * self.wanted), -(-(self.end - bit) // count)))
        for stretch in self.stretches:
            most = min(left, self.capacity) if bit < self.end else 0
            stretch.begin(reader, most, bit + size)
            bit += size
            reader = np.zeros(READER_FIELDS, np.int64)
            reader[BIT], reader[LEFT] = bit, ENDLESS
