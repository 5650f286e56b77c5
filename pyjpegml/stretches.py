"""A sequential scan decoded by several threads, though every bit depends on the one before.

Huffman codes say where they end, not where they begin. Yet a decoder that starts at any bit soon
falls into step: it reads nonsense for a while, and then by chance meets a place where a code really
begins, in the right block of an MCU; from there on it reads what it should (Klein and Wiseman,
*Parallel Huffman decoding with applications to JPEG files*, 2003). On photographs that takes some
MCUs as a rule, some hundred at worst. So the data are cut into *stretches*, of some hundred
thousand pixels each, which threads decode side by side::

    stretch 0   |===========>~~|            knows where it is
    stretch 1                |....==========>~~|           guesses
    stretch 2                             |..==========>                ...

and record where their MCUs began. Stretches are *joined* in order: the decoder of the one before is
led on, ``~~``, until it comes to a bit at which this one began an MCU too. All that was decoded
from there on is right, except for two things it could not know: the number of its MCUs, which only
matters now, and the DC predictions, whose error is the same for all of a component's blocks and is
added. If the two do not meet, this one is decoded again from where the one before ended.

With restart intervals nothing is guessed: stretches begin with an interval.

What is done when, and by which thread, is decided in :mod:`pyjpegml.threaded`.

*Memory.* A stretch lies in a buffer of its own as one long row of MCUs: MCU m, block row v and
column i of a component is block ``BLOCKS + v * CHUNK_STRIDE + m * H + i``. Blocks are made zero
just before they are decoded, when they come into the cache. Rows of samples lie in a ring
(:class:`pyjpegml.strips.Layout`).
"""

from __future__ import annotations

from . import scan
from ._jit import inlined, kernel
from .scan import BIT, LEFT, READ_PREDICTIONS, decode_mcus
from .simd import vector_function
from .strips import BLOCKS, CHUNK_STRIDE, ROWS, SAMPLES, STRIDE, H, V, transform_blocks

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
def copy_reader(source, target):
    """Make a reader what another one is."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def decode_stretch(
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start,
    reader, coefficients, extents, layout, most, stop, starts,
):  # fmt: skip
    """Decode MCUs until one ends at bit `stop` or behind it, or there are `most`.

    Parameters
    ----------
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start
        As for :func:`pyjpegml.scan.decode_mcus`.
    reader : (READER_FIELDS,) int64
        Where to begin; more LEFT than there are MCUs says that it is a guess.
    coefficients, extents, layout
        With room for `most` MCUs in a row, of which nothing is kept.
    most, stop : int
    starts : (n, READER_FIELDS) int64
        If it is a guess, the reader before each of the first MCUs; a BIT of -1 where there was
        none. The last row is scratch.

    Returns
    -------
    count : int
        MCUs that are decoded; the reader is behind them.
    status : int
        Why it ended: OK, or as :func:`pyjpegml.scan.decode_mcus`.
    """
    last = starts.shape[0] - 1
    recorded = last if reader[LEFT] > mcus else 0
    m = 0
    while m < most and reader[BIT] < stop:
        run = 1 if m < recorded else min(STEP, most - m)
        before = starts[min(m, last)]
        copy_reader(reader, before)
        clear_stretch(coefficients, layout, m, m + run)
        status = decode_mcus(
            data, ends, restart_interval, mcus, plan, 0, m, m + run, places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        if status != scan.OK:
            copy_reader(before, reader)
            if m >= recorded or status == scan.ENDED_EARLY:
                return m, status
            before[BIT] = -1
            reader[BIT] += 1
        m += run
    return m, scan.OK


@kernel
def meet(
    data, ends, mcus, plan, places, look_up, tail, tail_start,
    reader, coefficients, extents, layout, first, last, starts, count,
):  # fmt: skip
    """Lead a decoder on until it comes to where another one began an MCU.

    Parameters
    ----------
    data, ends, mcus, plan, places, look_up, tail, tail_start, reader, coefficients, extents, layout
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
        clear_stretch(coefficients, layout, first, first + 1)
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
            done += run
