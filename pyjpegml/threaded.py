"""The decoding of one scan by several threads: who does what.

There is always something to do for a thread that comes (:func:`_choose`)::

    free  ->  decoding  ->  decoded  ->  joined  ->  transforming  ->  transformed  ->  free
                                                                            |
                                                          rows of pixels that can be painted

It paints rows whose samples are complete, transforms a stretch that has been joined into the ring
of samples, joins the next one, or decodes one more (:mod:`pyjpegml.stretches`) into a *slot* that
is free. No thread waits for a certain other one as long as there is any of that, so it does little
harm if one is held up for a while. They agree under a lock (:mod:`pyjpegml.locks`), all of it in
one kernel, :func:`take_part`.

*Errors.* A thread that guesses meets errors while it reads nonsense, and tries the next bit. If
anything else is wrong, the whole picture is left to the decoder with one thread, which says what.

*Shared memory.* What the lock guards are the fields of :class:`Shared.whole`, the phases of slots,
and what is known. All else of a slot belongs to the thread that has a task there; of the one that
has been joined last, to the thread that joins the next.

*Room.* A stretch is transformed if the ring has room for its rows behind those that are still to be
painted. The oldest one always gets it in the end: the ring holds a stretch for each thread and one
more, and rows that are ready are painted if there is nothing better to do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .coefficients import Geometry
from .color import copy_row
from .huffman import DecodingTables
from .locks import PATIENCE, announce, let_in, lock, unlock, wait_for_news
from .scan import BIT, LEFT, MCU, READ_PREDICTIONS, READER_FIELDS
from .stretches import (
    BROKEN,
    ENDLESS,
    copy_reader,
    decode_stretch,
    meet,
    transform_stretch,
)
from .strips import ACROSS, DOWN, SLACK, Layout, V, paint_rows, repeat_borders
from .threads import Crew

#: Pixels of a stretch, roughly: enough to be worth the joining, little enough for the cache; for
#: small pictures fewer, so that each thread has some.
MOST_PIXELS, LEAST_PIXELS, TURNS = 1 << 17, 1 << 15, 4
#: How much shorter the last stretches may be.
SHORTEST = 8
#: Slots for each thread: one that is decoded, and one that waits to be joined or is transformed.
SLOTS = 2
#: Pixels that are painted in one go.
PAINT_PIXELS = 1 << 16
#: MCUs at the beginning of a stretch whose places are recorded, and that a decoder may be led on.
WINDOW = 128
# fields of a slot's row of Shared.slots: what has been done; whether the stretch knows where it is;
# the MCUs that it may have, and the bit where it ends; MCUs decoded, and why it ended; the first
# MCU that is right, and its number in the picture
PHASE, EXACT, MOST, STOP, COUNT, STATUS, FIRST, NUMBER = range(8)
SLOT_FIELDS = 16  # two lines of the cache

# phases of a slot, in order
FREE, DECODING, DECODED, JOINED, READY, TRANSFORMING, TRANSFORMED = range(7)

# fields of Shared.whole. What does not change: MCUs of the picture, of a row and of an interval;
# its size and how it is painted; bits of the data; MCUs that a stretch should have, and that it may
# have; rows of MCUs in the ring of samples.
(
    MCUS, MCUS_ACROSS, RESTART, HEIGHT, WIDTH, COLOR, END, WANTED, CAPACITY, STRIPS,
) = range(10)  # fmt: skip
# What does: 256 times the bits of an MCU, of late; numbers of the stretches that are the next to be
# begun, joined and transformed; whether one is being joined; the bit, or with restart intervals the
# MCU, where the last one begun ends; MCUs whose samples are in the ring, without a gap; rows of
# pixels that may be painted, and the next to be; stretches that were guessed rightly, and in vain;
# how it went
(
    MCU_BITS, BEGUN, KNOWN, KEPT, JOINING, NEXT, TRANSFORMED_MCUS, PAINTABLE, PAINT, MET, MISSED,
    FAILED,
) = range(10, 22)  # fmt: skip
WHOLE_FIELDS = 22

# what a thread does
WAIT, DECODE, JOIN, TRANSFORM, PAINT_ROWS, OVER = range(6)

#: Tasks after which a kernel returns, so that a call can be interrupted.
CALL_TASKS = 1024


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
    numbers : (16,) int64
        The lock, and the news.
    whole : (WHOLE_FIELDS,) int64
        See above, as for `slots`.
    painting : (2, threads) int64
        Rows that each thread is painting, from and to; large numbers if it is not.
    known : (READER_FIELDS,) int64
        The reader behind all that has been joined.
    slots : (slots, SLOT_FIELDS) int64
    readers : (slots, READER_FIELDS) int64
    offsets : (slots, READER_FIELDS) int64
        From READ_PREDICTIONS on, what the predictions of a stretch lack.
    starts : (slots, WINDOW + 1, READER_FIELDS) int64
        See :func:`decode_stretch`.
    coefficients : (slots, 64 * blocks) int16
    extents : (slots, blocks) uint8
    tails : (threads, n) uint8
        For the last rows that a thread paints.
    layout : (n, LAYOUT_FIELDS) int64
    painters : (threads, n, LAYOUT_FIELDS) int64
    qtables : (n, 64) int32
    samples : (n,) uint8
    out : (n,) uint8
        As for :func:`pyjpegml.strips.paint_rows`.
    """

    numbers: npt.NDArray[np.int64]
    whole: npt.NDArray[np.int64]
    painting: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int64]
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


@inlined
def _painted(shared):
    """Rows before which all are painted."""
    row = shared.whole[PAINT]
    for first in shared.painting[0]:
        row = min(row, first)
    return row


@inlined
def _rows_down(layout):
    """Rows of pixels in a row of MCUs, and how many of them wait for the next one."""
    rows, lag = 0, 0
    for part in layout:
        rows = max(rows, 8 * part[V])
        lag = max(lag, part[DOWN] - 1)
    return rows, lag


@inlined
def _begin_stretch(shared):
    """Begin one more stretch, if there is a slot and something to read; its slot, or -1."""
    whole, known = shared.whole, shared.known
    n = whole[BEGUN]
    slot = n % shared.slots.shape[0]
    fields, reader = shared.slots[slot], shared.readers[slot]
    exact = n == whole[KNOWN]
    left = whole[MCUS] - known[MCU]
    if fields[PHASE] != FREE or left == 0 or (exact and whole[JOINING]):
        return -1
    place = whole[NEXT]
    if exact:
        place = known[MCU] if whole[RESTART] > 0 else known[BIT]
        copy_reader(known, reader)
        before = (n - 1) % shared.slots.shape[0]
        if shared.slots[before, PHASE] == JOINED:
            shared.slots[before, PHASE] = READY  # nothing more is added to it
    threads = shared.painting.shape[1]
    if whole[RESTART] > 0:
        if not exact:
            if place % whole[RESTART] != 0 or place >= whole[MCUS]:
                return -1
            _begin(reader, 0, place, 0)
        size = min(whole[WANTED], (whole[MCUS] - place + 2 * threads - 1) // (2 * threads))
        end = (place + size + whole[RESTART] - 1) // whole[RESTART] * whole[RESTART]
        end = min(min(end, whole[MCUS]), place + whole[CAPACITY])
        fields[MOST], fields[STOP], fields[NUMBER] = end - place, ENDLESS, place
        whole[NEXT] = end
    else:
        if not exact:
            if place >= whole[END]:
                return -1
            _begin(reader, place, 0, ENDLESS)
        most = whole[MCU_BITS] * whole[WANTED] >> 8
        # shorter ones at the end, so that no thread waits long; but long enough to fall into step
        size = (whole[END] - place + 2 * threads - 1) // (2 * threads)
        size = max(min(most, size), most // SHORTEST, 1)
        fields[MOST], fields[STOP] = min(left, whole[CAPACITY]), place + size
        whole[NEXT] = max(place + size, whole[NEXT])
    fields[PHASE], fields[EXACT], fields[FIRST] = DECODING, exact or whole[RESTART] > 0, 0
    if exact:
        fields[NUMBER] = known[MCU]
    for i in range(READER_FIELDS):
        shared.offsets[slot, i] = 0
    whole[BEGUN] = n + 1
    return slot


@inlined
def _take_rows(k, rows, shared):
    """Rows for thread k to paint, at most so many; the first one."""
    whole, first = shared.whole, shared.whole[PAINT]
    whole[PAINT] = min(first + rows, whole[PAINTABLE])
    shared.painting[0, k], shared.painting[1, k] = first, whole[PAINT]
    return first


@inlined
def _choose(k, shared):
    """What thread k does next, and a slot or a row; under the lock."""
    whole, slots = shared.whole, shared.slots
    if whole[FAILED] or _painted(shared) == whole[HEIGHT]:
        return OVER, 0
    rows = whole[PAINTABLE] - whole[PAINT]
    chunk = max(1, PAINT_PIXELS // whole[WIDTH])
    if rows >= chunk or (rows > 0 and whole[PAINTABLE] == whole[HEIGHT]):
        return PAINT_ROWS, _take_rows(k, chunk, shared)
    for n in range(whole[KEPT], whole[KNOWN]):
        slot = n % slots.shape[0]
        if slots[slot, PHASE] == READY:
            last = slots[slot, NUMBER] + slots[slot, COUNT] - slots[slot, FIRST] - 1
            # rows above those that are painted next are read once more
            first = max(0, _painted(shared) - 2) // _rows_down(shared.layout)[0]
            if last // whole[MCUS_ACROSS] - first < whole[STRIPS]:
                slots[slot, PHASE] = TRANSFORMING
                return TRANSFORM, slot
            break
    if whole[BEGUN] - whole[KNOWN] < shared.painting.shape[1]:  # one for each thread, if it comes
        slot = _begin_stretch(shared)
        if slot >= 0:
            return DECODE, slot
    slot = whole[KNOWN] % slots.shape[0]
    left = shared.known[MCU] < whole[MCUS]
    if (
        left
        and whole[KNOWN] < whole[BEGUN]
        and not whole[JOINING]
        and slots[slot, PHASE] == DECODED
    ):
        whole[JOINING] = True
        return JOIN, slot
    slot = _begin_stretch(shared)
    if slot >= 0:
        return DECODE, slot
    if rows > 0:
        return PAINT_ROWS, _take_rows(k, rows, shared)
    return WAIT, 0


@inlined
def _decode(slot, source, shared):
    fields, whole = shared.slots[slot], shared.whole
    fields[COUNT], fields[STATUS] = decode_stretch(
        source.data, source.ends, whole[RESTART], whole[MCUS], source.plan, source.places,
        source.look_up, source.tail, source.tail_start, shared.readers[slot],
        shared.coefficients[slot], shared.extents[slot], shared.layout,
        fields[MOST], fields[STOP], shared.starts[slot],
    )  # fmt: skip


@inlined
def _join(slot, source, shared):
    """Find out where a stretch that was guessed goes on; decode it again if it nowhere does.

    The one before is right, and ends or is led on to it.
    """
    whole, fields = shared.whole, shared.slots[slot]
    if fields[EXACT]:
        whole[FAILED] |= fields[NUMBER] != shared.known[MCU]
        return
    before = (slot - 1) % shared.slots.shape[0]
    known, reader, starts = shared.slots[before], shared.readers[before], shared.starts[slot]
    window = starts.shape[0] - 1
    recorded = min(fields[COUNT], window)
    known[COUNT], which = meet(
        source.data, source.ends, whole[MCUS], source.plan, source.places,
        source.look_up, source.tail, source.tail_start, reader,
        shared.coefficients[before], shared.extents[before], shared.layout,
        known[COUNT], min(known[COUNT], whole[CAPACITY]) + window, starts, recorded,
    )  # fmt: skip
    mcu = known[NUMBER] + known[COUNT] - known[FIRST]
    whole[FAILED] |= which == BROKEN
    if which >= 0:
        whole[MET] += 1
        fields[FIRST], fields[NUMBER] = which, mcu
        # who guesses where MCUs begin may take the bits that fill the last byte for some
        fields[COUNT] = min(fields[COUNT], which + whole[MCUS] - mcu)
        for i in range(which, min(fields[COUNT], recorded)):
            whole[FAILED] |= starts[i, BIT] < 0  # it met an error and made up what follows
        for i in range(READ_PREDICTIONS, READER_FIELDS):
            shared.offsets[slot, i] = reader[i] + shared.offsets[before, i] - starts[which, i]
        return
    whole[MISSED] += 1
    for i in range(READER_FIELDS):
        shared.readers[slot, i] = reader[i] + shared.offsets[before, i]
    shared.readers[slot, MCU], shared.readers[slot, LEFT] = mcu, whole[MCUS] - mcu
    fields[EXACT], fields[NUMBER] = True, mcu
    fields[MOST] = min(fields[MOST], whole[MCUS] - mcu)
    _decode(slot, source, shared)


@inlined
def _transform(slot, shared):
    """Samples of what is right."""
    fields = shared.slots[slot]
    first, count = fields[FIRST], fields[COUNT]
    transform_stretch(
        shared.coefficients[slot], shared.extents[slot], shared.qtables, shared.layout,
        first, count - first, fields[NUMBER], shared.whole[MCUS_ACROSS], shared.offsets[slot],
        shared.samples,
    )  # fmt: skip


@inlined
def _paint(k, first, shared):
    """Rows of pixels from `first` on.

    The last ones by way of a buffer, because what is written beyond them may be another's.
    """
    whole, tail, out = shared.whole, shared.tails[k], shared.out
    width, color = whole[WIDTH], whole[COLOR]
    last = shared.painting[1, k]
    size = out.size // whole[HEIGHT]
    middle = max(first, last - (tail.size - SLACK) // size)
    paint_rows(
        shared.samples, shared.painters[k], first, last, 0, width, color, out, 0, middle, tail
    )
    start, left = middle * size, (last - middle) * size
    vectors = left - left % 64
    copy_row(tail, 0, vectors, out, start)
    for i in range(vectors, left):
        out[start + i] = tail[i]


@inlined
def _joined(slot, shared):
    """A stretch has been joined, and all up to its end is known; under the lock."""
    whole, known, slots = shared.whole, shared.known, shared.slots
    fields, reader = slots[slot], shared.readers[slot]
    done = fields[NUMBER] + fields[COUNT] - fields[FIRST]
    bits = (reader[BIT] - known[BIT]) << 8
    whole[MCU_BITS] = max(256, bits // max(1, done - known[MCU]))
    for i in range(READER_FIELDS):
        known[i] = reader[i] + shared.offsets[slot, i]
    known[MCU] = done
    if whole[RESTART] == 0:
        known[LEFT] = whole[MCUS] - done
    whole[FAILED] |= bool(fields[EXACT]) and fields[STATUS] != scan.OK
    before = (slot - 1) % slots.shape[0]
    if slots[before, PHASE] == JOINED:
        slots[before, PHASE] = READY
    fields[PHASE] = READY if done == whole[MCUS] else JOINED
    whole[KNOWN] += 1
    whole[JOINING] = False


@inlined
def _transformed(shared):
    """Free slots in order, and say which rows have all samples now; under the lock."""
    whole, slots, layout = shared.whole, shared.slots, shared.layout
    before = whole[TRANSFORMED_MCUS] // whole[MCUS_ACROSS]
    while slots[whole[KEPT] % slots.shape[0], PHASE] == TRANSFORMED:
        fields = slots[whole[KEPT] % slots.shape[0]]
        whole[TRANSFORMED_MCUS] = fields[NUMBER] + fields[COUNT] - fields[FIRST]
        fields[PHASE] = FREE
        whole[KEPT] += 1
    row = whole[TRANSFORMED_MCUS] // whole[MCUS_ACROSS]
    for part in layout:
        if part[ACROSS] == 2:
            repeat_borders(shared.samples, part, 8 * before * part[V], 8 * row * part[V])
    rows_down, lag = _rows_down(layout)
    done = whole[TRANSFORMED_MCUS] == whole[MCUS]
    whole[PAINTABLE] = whole[HEIGHT] if done else max(0, rows_down * row - lag)


@inlined
def _finish(k, task, place, shared):
    """Write down what thread k has done; under the lock."""
    if task == DECODE:
        shared.slots[place, PHASE] = DECODED
    elif task == JOIN:
        _joined(place, shared)
    elif task == TRANSFORM:
        shared.slots[place, PHASE] = TRANSFORMED
        _transformed(shared)
    elif task == PAINT_ROWS:
        shared.painting[0, k] = ENDLESS


@kernel
def take_part(k, source, shared, patience):
    """What thread k can do for the picture.

    Parameters
    ----------
    k : int
    source : Source
    shared : Shared
    patience : int
        How often it looks whether there is news (:func:`pyjpegml.locks.wait_for_news`).

    Returns
    -------
    int
        1 if all is done. Else 0, and it is to be called again: it has waited long, or run long.
    """
    numbers = shared.numbers
    task, place = WAIT, 0
    for _ in range(CALL_TASKS):
        lock(numbers, k + 1)
        _finish(k, task, place, shared)
        waited = task == WAIT
        task, place = _choose(k, shared)
        if not waited or task != WAIT:  # else threads that wait would wake each other
            announce(numbers)
        news = numbers[8]
        unlock(numbers)
        if task == DECODE:
            _decode(place, source, shared)
        elif task == JOIN:
            _join(place, source, shared)
        elif task == TRANSFORM:
            _transform(place, shared)
        elif task == PAINT_ROWS:
            _paint(k, place, shared)
        elif task == OVER:
            return 1
        elif not wait_for_news(numbers, news, patience):
            return 0
    lock(numbers, k + 1)
    _finish(k, task, place, shared)
    announce(numbers)
    unlock(numbers)
    return 0


class Threaded:
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
        slots = SLOTS * threads
        pixels = geometry.height * geometry.width // (TURNS * threads)
        pixels = min(max(pixels, LEAST_PIXELS), MOST_PIXELS)
        wanted = max(1, pixels // (64 * geometry.h_max * geometry.v_max))
        room = 2 * wanted + WINDOW
        # room for a stretch of each thread, and for the rows that are painted meanwhile
        strips = (threads + 1) * (-(-room // geometry.mcus_across) + 2) + 2
        strips = min(strips, geometry.mcus_down)
        layout = Layout(geometry, strips, room, threads)
        # as many rows as a step of 64 pixels may reach into
        tail = (1 + 63 // geometry.width) * (out.size // geometry.height)
        whole = np.zeros(WHOLE_FIELDS, np.int64)
        end = 8 * int(ends[-1])
        whole[: MCU_BITS + 1] = (
            geometry.mcus, geometry.mcus_across, restart_interval, geometry.height, geometry.width,
            color, end, wanted, 2 * wanted, strips, max(256, (end << 8) // geometry.mcus),
        )  # fmt: skip
        self.source = Source(data, ends, layout.chunk_plan(plan), scan.PLACES, *tables)
        self.shared = Shared(
            np.zeros(16, np.int64),
            whole,
            np.full((2, threads), ENDLESS),
            np.zeros(READER_FIELDS, np.int64),
            np.zeros((slots, SLOT_FIELDS), np.int64),
            np.zeros((slots, READER_FIELDS), np.int64),
            np.zeros((slots, READER_FIELDS), np.int64),
            np.zeros((slots, WINDOW + 1, READER_FIELDS), np.int64),
            np.empty((slots, 64 * layout.blocks), np.int16),
            np.empty((slots, layout.blocks), np.uint8),
            np.empty((threads, tail + SLACK), np.uint8),
            layout.fields,
            np.stack(layout.painters),
            qtables,
            np.empty(layout.samples, np.uint8),
            out,
        )

    def run(self) -> bool:
        """Decode; False if anything was wrong, and the pixels are not to be used."""
        self.crew.all(self._take_part)
        return not self.shared.whole[FAILED]

    def _take_part(self, k: int) -> None:
        try:
            while not take_part(k, self.source, self.shared, PATIENCE):
                self.crew.nap()
        except BaseException:
            self.shared.whole[FAILED] = True
            let_in(self.shared.numbers, k + 1)
            raise
