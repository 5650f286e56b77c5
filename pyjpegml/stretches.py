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
next stretch. Then, while all others wait, thread 0 joins the stretches (:func:`join`).

*Waiting.* A stretch should stay in the cache of its core, so rounds are short, and a wake-up by the
operating system would cost as much as a tenth of one; so would the interpreter's lock, which two
threads that come back from kernels want at the same time. So each thread does all of its rounds in
one kernel (:func:`take_part`), and waits there (:func:`pyjpegml.threads.wait_for`).

*What is shared.* The state of the whole (:class:`Shared`) lies in arrays, with a row for each
thread; between two announcements each row has one thread that writes.

*Errors.* A thread that guesses meets errors while it reads nonsense, and tries the next bit. If
anything else is wrong, the whole picture is left to the decoder with one thread, which says what.

*Memory.* A stretch lies in the buffer of its thread as one long row of MCUs: MCU m, block row v and
column i of a component is block ``BLOCKS + v * CHUNK_STRIDE + m * H + i``. It is made zero again
where it is transformed or thrown away. Rows of samples lie in a ring
(:class:`pyjpegml.strips.Layout`).
"""

from __future__ import annotations

from typing import NamedTuple

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
from .threads import PATIENCE, Crew, announce, wait_for

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

# fields of a thread's row of Shared.parts: the round that it is in, and whether its part of that is
# done; the MCUs that its stretch may have, or 0 if there is nothing for it to do, and the bit where
# it ends; MCUs decoded, MCUs of the buffer that are not zero, and why it ended; the first MCU that
# is right, and its number in the picture
ROUND, WAITING, MOST, STOP, COUNT, TOUCHED, STATUS, FIRST, NUMBER = range(9)
PART_FIELDS = 16  # two lines of the cache

# fields of Shared.whole. What does not change: MCUs of the picture, of a row and of an interval;
# its size and how it is painted; bits of the data; MCUs that a stretch should have, and that it may
# have. What does: 256 times the bits of an MCU, of late; MCUs whose samples are in the ring; rows
# that are painted, and that may be; stretches begun and those that were right; how it went
(
    MCUS, MCUS_ACROSS, RESTART, HEIGHT, WIDTH, COLOR, END, WANTED, CAPACITY,
    MCU_BITS, TRANSFORMED, PAINTED, READY, BEGUN, JOINED, FAILED, FINISHED,
) = range(17)  # fmt: skip

#: Rounds after which a kernel returns, so that a call can be interrupted.
CALL_ROUNDS = 64


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


class Source(NamedTuple):
    """The data of the scan and how they are coded; see :func:`pyjpegml.scan.decode_mcus`.

    ``data``, ``ends``, ``plan``, ``places``, ``look_up``, ``tail``, ``tail_start`` are its
    arguments, the plan being one for a thread's buffer.
    """

    data: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    plan: npt.NDArray[np.int64]
    places: npt.NDArray[np.uint8]
    look_up: npt.NDArray[np.int32]
    tail: npt.NDArray[np.int32]
    tail_start: npt.NDArray[np.int64]


class Shared(NamedTuple):
    """What the threads have in common; n are the components.

    Attributes
    ----------
    whole : (17,) int64
        See above, as for `parts`.
    parts : (threads, PART_FIELDS) int64
    rounds : (threads, 8) int64
        Its first column is announced: the last round whose part is done; of thread 0, the last one
        after which stretches have been joined.
    readers : (threads + 1, READER_FIELDS) int64
        Of the stretches; the last one is that of all that is known to be right.
    offsets : (threads, READER_FIELDS) int64
        From READ_PREDICTIONS on, what the predictions of a stretch lack.
    starts : (threads, WINDOW + 1, READER_FIELDS) int64
        See :func:`decode_stretch`.
    coefficients : (threads, 64 * blocks) int16
    extents : (threads, blocks) uint8
    tails : (threads, n) uint8
        For the last rows that a thread paints.
    layout : (n, LAYOUT_FIELDS) int64
    painters : (threads, n, LAYOUT_FIELDS) int64
    qtables : (n, 64) int32
    samples : (n,) uint8
    out : (n,) uint8
        As for :func:`pyjpegml.strips.paint_rows`.
    """

    whole: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int64]
    rounds: npt.NDArray[np.int64]
    readers: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    coefficients: npt.NDArray[np.int16]
    extents: npt.NDArray[np.uint8]
    tails: npt.NDArray[np.uint8]
    layout: npt.NDArray[np.int64]
    painters: npt.NDArray[np.int64]
    qtables: npt.NDArray[np.int32]
    samples: npt.NDArray[np.uint8]
    out: npt.NDArray[np.uint8]


@inlined
def _begin(reader, bit, mcu, left):
    """A reader at a place where nothing has been read before."""
    for i in range(reader.size):
        reader[i] = 0
    reader[BIT], reader[MCU], reader[LEFT] = bit, mcu, left


@kernel
def share(shared):
    """Say what each thread decodes in the next round."""
    whole, parts, readers = shared.whole, shared.parts, shared.readers
    threads = parts.shape[0]
    known = readers[threads]
    left = whole[MCUS] - known[MCU]
    _copy(known, readers[0])
    if whole[RESTART] > 0:
        # each ends where an interval does, and the next one begins
        size = min(whole[WANTED], (left + threads - 1) // threads)
        first = known[MCU]
        for k in range(threads):
            if k > 0:
                _begin(readers[k], 0, first, 0)
            end = known[MCU] + (k + 1) * size
            end = (end + whole[RESTART] - 1) // whole[RESTART] * whole[RESTART]
            end = min(end, whole[MCUS])
            parts[k, MOST], parts[k, STOP] = min(end - first, whole[CAPACITY]), ENDLESS
            first = end
    else:
        bit = known[BIT]
        most = min(left, whole[CAPACITY]) if bit < whole[END] else 0
        size = min(whole[MCU_BITS] * whole[WANTED] >> 8, (whole[END] - bit + threads - 1) // threads)
        for k in range(threads):
            if k > 0:
                _begin(readers[k], bit, 0, ENDLESS)
            bit += max(1, size)
            parts[k, MOST], parts[k, STOP] = most, bit
    for k in range(threads):
        whole[BEGUN] += parts[k, MOST] > 0


@inlined
def _paint(k, shared):
    """Thread k's share of the rows that are ready.

    The last ones by way of a buffer, because what is written beyond them is another's share.
    """
    whole, tail, out = shared.whole, shared.tails[k], shared.out
    threads, width, color = shared.parts.shape[0], whole[WIDTH], whole[COLOR]
    rows = whole[READY] - whole[PAINTED]
    first = whole[PAINTED] + rows * k // threads
    last = whole[PAINTED] + rows * (k + 1) // threads
    size = (out.size - SLACK) // whole[HEIGHT]
    middle = max(first, last - (tail.size - SLACK) // size)
    paint_rows(shared.samples, shared.painters[k], first, middle, width, color, out, 0)
    paint_rows(shared.samples, shared.painters[k], middle, last, width, color, tail, middle)
    start = middle * size
    for i in range((last - middle) * size):
        out[start + i] = tail[i]


@inlined
def _transform(k, shared):
    """Samples of what is right, and zeros for all that has been touched."""
    part, coefficients = shared.parts[k], shared.coefficients[k]
    first, count = part[FIRST], part[COUNT]
    clear_stretch(coefficients, shared.layout, 0, first)
    clear_stretch(coefficients, shared.layout, count, part[TOUCHED])
    if count > first:
        transform_stretch(
            coefficients, shared.extents[k], shared.qtables, shared.layout, first, count - first,
            part[NUMBER], shared.whole[MCUS_ACROSS], shared.offsets[k], shared.samples,
        )  # fmt: skip
    part[FIRST] = part[COUNT] = part[TOUCHED] = 0


@inlined
def _decode(k, source, shared):
    part, whole = shared.parts[k], shared.whole
    if part[MOST] > 0:
        part[COUNT], part[TOUCHED], part[STATUS] = decode_stretch(
            source.data, source.ends, whole[RESTART], whole[MCUS], source.plan, source.places,
            source.look_up, source.tail, source.tail_start, shared.readers[k],
            shared.coefficients[k], shared.extents[k], part[MOST], part[STOP], shared.starts[k],
        )  # fmt: skip


@inlined
def _follows(before, k, source, shared):
    """Whether stretch k goes on where stretch `before`, which is right, ends or is led on to."""
    whole, known, part = shared.whole, shared.parts[before], shared.parts[k]
    if whole[RESTART] > 0:
        part[FIRST], part[NUMBER] = 0, known[NUMBER] + known[COUNT]
        begun = shared.readers[k, MCU] - part[COUNT]
        return part[NUMBER] == begun and part[STATUS] == scan.OK
    window = shared.starts.shape[1] - 1
    known[COUNT], which = meet(
        source.data, source.ends, whole[MCUS], source.plan, source.places,
        source.look_up, source.tail, source.tail_start, shared.readers[before],
        shared.coefficients[before], shared.extents[before],
        known[COUNT], min(known[COUNT], whole[CAPACITY]) + window,
        shared.starts[k], min(part[COUNT], window),
    )  # fmt: skip
    known[TOUCHED] = max(known[TOUCHED], known[COUNT])
    if which < 0:
        whole[FAILED] |= which == BROKEN
        return False
    part[FIRST], part[NUMBER] = which, known[NUMBER] + known[COUNT] - known[FIRST]
    for i in range(READ_PREDICTIONS, READER_FIELDS):
        lacking = shared.readers[before, i] + shared.offsets[before, i] - shared.starts[k, which, i]
        shared.offsets[k, i] = lacking
    return True


@inlined
def _chain(source, shared):
    """How many stretches are right; all others are to be forgotten."""
    whole, parts = shared.whole, shared.parts
    parts[0, FIRST], parts[0, NUMBER] = 0, shared.readers[parts.shape[0], MCU]
    for k in range(1, parts.shape[0]):
        parts[k, FIRST] = parts[k, COUNT]
    for k in range(1, parts.shape[0]):
        if parts[k, MOST] == 0 or not _follows(k - 1, k, source, shared):
            parts[k, FIRST] = parts[k, COUNT]
            return k
        # who guesses where MCUs begin may take the bits that fill the last byte for some
        most = whole[MCUS] - parts[k, NUMBER]
        parts[k, COUNT] = min(parts[k, COUNT], parts[k, FIRST] + most)
    return parts.shape[0]


@inlined
def _advance(shared):
    """Count the rows that have been painted, and those whose samples are there now."""
    whole, layout = shared.whole, shared.layout
    mcu = shared.readers[shared.parts.shape[0], MCU]
    before, row = whole[TRANSFORMED] // whole[MCUS_ACROSS], mcu // whole[MCUS_ACROSS]
    rows_down, lag = 0, 0  # rows of pixels in a row of MCUs; how many wait for the next one
    for part in layout:
        rows_down = max(rows_down, 8 * part[V])
        lag = max(lag, part[DOWN] - 1)
        if part[ACROSS] == 2:
            repeat_borders(shared.samples, part, 8 * before * part[V], 8 * row * part[V])
    whole[TRANSFORMED] = mcu
    whole[PAINTED] = whole[READY]
    done = mcu == whole[MCUS]
    whole[READY] = whole[HEIGHT] if done else max(0, rows_down * row - lag)


@kernel
def join(source, shared):
    """Between two rounds, while all threads wait: what is right, and what is next."""
    whole, parts = shared.whole, shared.parts
    _advance(shared)
    if parts[0, MOST] > 0:
        known = shared.readers[parts.shape[0]]
        joined = _chain(source, shared)
        whole[JOINED] += joined
        last, reader = parts[joined - 1], shared.readers[joined - 1]
        done = last[NUMBER] + last[COUNT] - last[FIRST]
        bits = (reader[BIT] - known[BIT]) << 8
        whole[MCU_BITS] = max(256, bits // max(1, done - known[MCU]))
        for i in range(READER_FIELDS):
            known[i] = reader[i] + shared.offsets[joined - 1, i]
        known[MCU] = done
        if whole[RESTART] == 0:
            known[LEFT] = whole[MCUS] - done
        whole[FAILED] |= parts[0, STATUS] != scan.OK
    share(shared)
    whole[FINISHED] = whole[FAILED] | (whole[PAINTED] == whole[HEIGHT])


@kernel
def take_part(k, source, shared, patience):
    """Thread k's part of the rounds.

    Parameters
    ----------
    k : int
    source : Source
    shared : Shared
    patience : int
        How often it looks whether others are done (:func:`pyjpegml.threads.wait_for`).

    Returns
    -------
    int
        1 if it is over. Else 0, and it is to be called again: it has waited long, or run long.
    """
    part, rounds, threads = shared.parts[k], shared.rounds, shared.parts.shape[0]
    for _ in range(CALL_ROUNDS):
        if not part[WAITING]:
            _paint(k, shared)
            _transform(k, shared)
            _decode(k, source, shared)
            part[WAITING] = True
            if k > 0:
                announce(rounds, 8 * k, part[ROUND])
        if k == 0:
            for other in range(1, threads):
                if not wait_for(rounds, 8 * other, part[ROUND], patience):
                    return 0
            join(source, shared)
            announce(rounds, 0, part[ROUND])
        elif not wait_for(rounds, 0, part[ROUND], patience):
            return 0
        part[WAITING] = False
        part[ROUND] += 1
        if shared.whole[FINISHED]:
            return 1
    return 0


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
        pixels = geometry.height * geometry.width // (ROUNDS * threads)
        pixels = min(max(pixels, LEAST_PIXELS), MOST_PIXELS)
        wanted = max(1, pixels // (64 * geometry.h_max * geometry.v_max))
        room = 2 * wanted + WINDOW
        # rows of two rounds are in use at a time, and rounds need not end with rows
        rows = 2 * -(-threads * room // geometry.mcus_across) + 4
        layout = Layout(geometry, min(rows, geometry.mcus_down), room, threads)
        # as many rows as a step of 64 pixels may reach into
        tail = (1 + 63 // geometry.width) * ((out.size - SLACK) // geometry.height)
        whole = np.zeros(FINISHED + 1, np.int64)
        end = 8 * int(ends[-1])
        whole[: MCU_BITS + 1] = (
            geometry.mcus, geometry.mcus_across, restart_interval, geometry.height, geometry.width,
            color, end, wanted, 2 * wanted, max(256, (end << 8) // geometry.mcus),
        )  # fmt: skip
        self.source = Source(data, ends, layout.chunk_plan(plan), scan.PLACES, *tables)
        self.shared = Shared(
            whole,
            np.zeros((threads, PART_FIELDS), np.int64),
            np.zeros((threads, 8), np.int64),
            np.zeros((threads + 1, READER_FIELDS), np.int64),
            np.zeros((threads, READER_FIELDS), np.int64),
            np.zeros((threads, WINDOW + 1, READER_FIELDS), np.int64),
            np.zeros((threads, 64 * layout.blocks), np.int16),
            np.zeros((threads, layout.blocks), np.uint8),
            np.empty((threads, tail + SLACK), np.uint8),
            layout.fields,
            np.stack(layout.painters),
            qtables,
            np.empty(layout.samples, np.uint8),
            out,
        )
        self.shared.parts[:, ROUND] = 1
        share(self.shared)

    def run(self) -> bool:
        """Decode; False if anything was wrong, and the pixels are not to be used."""
        self.crew.all(self._take_part)
        return not self.shared.whole[FAILED]

    def _take_part(self, k: int) -> None:
        while not take_part(k, self.source, self.shared, PATIENCE):
            self.crew.nap()
