"""Arithmetic-coded scans: the QM decoder and its models (T.81 Annex D, F.1.4, F.2.4, G.1.3, G.2).

*Decisions.* An arithmetic coder knows no codes, only binary decisions. The data of a restart
interval are one long binary fraction, and each decision narrows the interval in which it lies::

    0                                          A - Qe                 A
    |------- the more probable symbol ------------|---- the other ----|
                                   ^ C, the fraction behind what was subtracted so far

Qe estimates how probable the less probable symbol is. If C lies in the upper part, that part
becomes the interval, and its start is taken off C. When A falls below 0x8000, A and C are doubled
until it no longer is; that shifts new bits of the data into C (D.2.6). Since there is no product in
``A - Qe``, the lower part may be the smaller one; then the two symbols change places (D.1.1.1).

*Statistics.* The estimate, and which symbol it is about, are the state of a *bin*; whenever A and C
are doubled the bin steps to another row of Table D.3. Each decision of a block has a bin of its
own, so that the coder learns: is the DC difference zero, after a difference that was small, or
large, or negative (F.1.4.4.1); does the block end at place k of the zigzag path (F.1.4.4.2); how
many bits has a value (Tables F.4, F.5). Components with the same slot share their bins. At the
start of a scan and at restarts all of them are empty again.

*Conditioning.* A DAC segment says which DC differences count as small (L and U), and up to which k
AC coefficients are low (Kx); they have categories of their own (B.2.4.3).

*Four kinds of scans.* A block has DC and AC, or in a progressive file one of them; a first scan of
those codes the same decisions for them as a sequential scan does, of values without their lowest
bits. So :func:`decode_first` serves sequential files too. A refinement sends one bit more of each
value (G.1.3): :func:`decode_refinement`.

*Registers.* Both are kept at the high end of 64 bits, A of 17 bits in the highest ones, and C with
bits of the data still to come below, so that one comparison, one count of leading zeros and two
shifts make up most of a decision, and bytes are fetched about once in six bytes.

*The end of the data.* An encoder takes the roundest fraction of the last interval, and leaves out
the zero bytes at its end, however many (D.1.8): a decoder reads zeros there, without end. So it
cannot see for sure that an interval was cut: whatever bytes are left, with zeros behind them, are
just what an encoder would write for some picture. But that picture is an unlikely one. A decision
for the lower part leaves C as it is, but for the doubling: when the last byte has been used up, C
is 0, which may go on for ever, as at the end of a flat picture. One for the upper part with n bits
made up, though, finds a fraction so round in an interval so small by a chance of 2**-n only, and
leaves C with 16 bits below. So data are taken to be missing, be it at a marker or at the end of the
file, where C is not 0 with more than :data:`SPARE` bits made up; and all that would not be the same
with any bytes in place of the zeros (:func:`_certain`) does not count as sound then. Data that lack
their last six bytes or less may pass, and by bad luck those whose rest makes C 0 soon.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .constants import ZIGZAG
from .huffman import AC, TABLE_SLOTS
from .scan import (
    BAD_CODE,
    BIT,
    COMPONENT,
    ENDED_EARLY,
    INTERVAL,
    LEFT,
    MCU,
    OK,
    READ_PREDICTIONS,
    UNREAD,
    block_start,
    wrapped,
)
from .simd import vector_function

#: Conditioning where no DAC says another: L = 0 and U = 1 for DC, Kx = 5 for AC (T.81 F.1.4.4.1.4,
#: F.1.4.4.2.1), as DAC has them.
DEFAULT_DC, DEFAULT_AC = 0x10, 5

# Qe, next row behind the less and the more probable symbol, and whether the first of them turns the
# meaning of the bin (T.81 Table D.3)
_ROWS = (
    (0x5A1D, 1, 1, 1), (0x2586, 14, 2, 0), (0x1114, 16, 3, 0), (0x080B, 18, 4, 0),
    (0x03D8, 20, 5, 0), (0x01DA, 23, 6, 0), (0x00E5, 25, 7, 0), (0x006F, 28, 8, 0),
    (0x0036, 30, 9, 0), (0x001A, 33, 10, 0), (0x000D, 35, 11, 0), (0x0006, 9, 12, 0),
    (0x0003, 10, 13, 0), (0x0001, 12, 13, 0), (0x5A7F, 15, 15, 1), (0x3F25, 36, 16, 0),
    (0x2CF2, 38, 17, 0), (0x207C, 39, 18, 0), (0x17B9, 40, 19, 0), (0x1182, 42, 20, 0),
    (0x0CEF, 43, 21, 0), (0x09A1, 45, 22, 0), (0x072F, 46, 23, 0), (0x055C, 48, 24, 0),
    (0x0406, 49, 25, 0), (0x0303, 51, 26, 0), (0x0240, 52, 27, 0), (0x01B1, 54, 28, 0),
    (0x0144, 56, 29, 0), (0x00F5, 57, 30, 0), (0x00B7, 59, 31, 0), (0x008A, 60, 32, 0),
    (0x0068, 62, 33, 0), (0x004E, 63, 34, 0), (0x003B, 32, 35, 0), (0x002C, 33, 9, 0),
    (0x5AE1, 37, 37, 1), (0x484C, 64, 38, 0), (0x3A0D, 65, 39, 0), (0x2EF1, 67, 40, 0),
    (0x261F, 68, 41, 0), (0x1F33, 69, 42, 0), (0x19A8, 70, 43, 0), (0x1518, 72, 44, 0),
    (0x1177, 73, 45, 0), (0x0E74, 74, 46, 0), (0x0BFB, 75, 47, 0), (0x09F8, 77, 48, 0),
    (0x0861, 78, 49, 0), (0x0706, 79, 50, 0), (0x05CD, 48, 51, 0), (0x04DE, 50, 52, 0),
    (0x040F, 50, 53, 0), (0x0363, 51, 54, 0), (0x02D4, 52, 55, 0), (0x025C, 53, 56, 0),
    (0x01F8, 54, 57, 0), (0x01A4, 55, 58, 0), (0x0160, 56, 59, 0), (0x0125, 57, 60, 0),
    (0x00F6, 58, 61, 0), (0x00CB, 59, 62, 0), (0x00AB, 61, 63, 0), (0x008F, 61, 32, 0),
    (0x5B12, 65, 65, 1), (0x4D04, 80, 66, 0), (0x412C, 81, 67, 0), (0x37D8, 82, 68, 0),
    (0x2FE8, 83, 69, 0), (0x293C, 84, 70, 0), (0x2379, 86, 71, 0), (0x1EDF, 87, 72, 0),
    (0x1AA9, 87, 73, 0), (0x174E, 72, 74, 0), (0x1424, 72, 75, 0), (0x119C, 74, 76, 0),
    (0x0F6B, 74, 77, 0), (0x0D51, 75, 78, 0), (0x0BB6, 77, 79, 0), (0x0A40, 77, 48, 0),
    (0x5832, 80, 81, 1), (0x4D1C, 88, 82, 0), (0x438E, 89, 83, 0), (0x3BDD, 90, 84, 0),
    (0x34EE, 91, 85, 0), (0x2EAE, 92, 86, 0), (0x299A, 93, 87, 0), (0x2516, 86, 71, 0),
    (0x5570, 88, 89, 1), (0x4CA9, 95, 90, 0), (0x44D9, 96, 91, 0), (0x3E22, 97, 92, 0),
    (0x3824, 99, 93, 0), (0x32B4, 99, 94, 0), (0x2E17, 93, 86, 0), (0x56A8, 95, 96, 1),
    (0x4F46, 101, 97, 0), (0x47E5, 102, 98, 0), (0x41CF, 103, 99, 0), (0x3C3D, 104, 100, 0),
    (0x375E, 99, 93, 0), (0x5231, 105, 102, 0), (0x4C0F, 106, 103, 0), (0x4639, 107, 104, 0),
    (0x415E, 103, 99, 0), (0x5627, 105, 106, 1), (0x50E7, 108, 107, 0), (0x4B85, 109, 103, 0),
    (0x5597, 110, 109, 0), (0x504F, 111, 107, 0), (0x5A10, 110, 111, 1), (0x5522, 112, 109, 0),
    (0x59EB, 112, 111, 1),
)  # fmt: skip

#: Where A and C stand in 64 bits: a whole interval of 0x10000 is 2**63.
POINT = 47

# the smallest A that is not doubled, and Qe in an entry of the table below
_HALF = np.uint64(0x8000 << POINT)
_QE = np.uint64(0x7FFF << POINT)

#: State of a bin that always holds both symbols equally probable (T.81 F.1.4.4.2, G.1.3.1).
EVEN = 2 * len(_ROWS)


def _estimation() -> npt.NDArray[np.uint64]:
    """Table D.3 by the state of a bin, twice the row plus the more probable symbol.

    An entry has Qe from bit POINT on, the state behind the more probable symbol in bits 8 to 15,
    and that behind the other one in bits 0 to 7.
    """
    table = np.empty(EVEN + 1, np.uint64)
    for row, (qe, less, more, switch) in enumerate(_ROWS):
        for symbol in (0, 1):
            states = 2 * more + symbol, 2 * less + (symbol ^ switch)
            table[2 * row + symbol] = qe << POINT | states[0] << 8 | states[1]
    table[EVEN] = _ROWS[0][0] << POINT | EVEN << 8 | EVEN
    table.flags.writeable = False
    return table


ESTIMATION = _estimation()

#: Bits that may be made up behind the end of an interval before data are taken to be missing: 16
#: of C, and 32, so that it is a chance of one in 2**32 that they are not.
SPARE = 48

#: Bins are in one array, 256 for each table slot, of which DC uses 49 and AC 245. Behind them are
#: the one that stays EVEN, and a note: whether a decision says that data are missing.
EVEN_BIN, MISSING = TABLE_SLOTS << 8, (TABLE_SLOTS << 8) + 1
BINS = MISSING + 1

# bins of a slot (T.81 Tables F.4, F.5): of magnitude categories above the first, and how far behind
# each the bin for its bits is
_DC_X1, _AC_LOW, _AC_HIGH, _BITS = 20, 189, 217, 14


# --- the coder ------------------------------------------------------------------------------------


@vector_function
def _load_word(data, position) -> int:
    """Eight bytes as a number, the first byte the highest."""
    return data.load(1, position, 64).swap_bytes()


@vector_function
def _leading_zeros(value) -> int:
    """Zero bits above the highest one; 64 for 0."""
    return value.leading_zeros()


@inlined
def _is_missing(c, n, position, end):
    """Whether C says that there were more data behind the end."""
    return c != np.uint64(0) and 8 * (position - end) - n > SPARE


@inlined
def _fetch(c, n, position, source):
    """Put six or seven bytes behind the `n` bits at the head of C; zeros behind the end (D.2.6).

    Bytes are loaded only from positions before `end`, and behind it `data` has PADDING.
    """
    data, end, _, bins = source
    if position < end:
        word = np.uint64(_load_word(data, position))
        beyond = np.uint64(8 * max(0, position + 8 - end))
        c |= word >> beyond << beyond >> np.uint64(n)
    elif _is_missing(c, n, position, end):
        bins[MISSING] = 1
    count = (63 - n) >> 3
    return c, n + 8 * count, position + count


@inlined
def _decide(coder, source, i):
    """Decode a decision with bin `i` (T.81 Figures D.16 to D.20): the coder's state, and 0 or 1.

    A and C are as in T.81 times 2**POINT. C < A holds before and after, whatever the data are; so
    A is not 0, and at least 1 of 17 bits stays. `n` counts the bits of C, the highest of 64 and
    those to come included; 17 are needed.
    """
    a, c, n, position = coder
    _, _, estimation, bins = source
    state = bins[i]
    entry = estimation[np.uint64(state)]
    qe = entry & _QE
    a -= qe
    decision = np.int64(state & np.uint8(1))
    lower = c < a
    if not lower or a < _HALF:
        smaller = a < qe  # the lower part is: the symbols have changed places
        if lower == smaller:
            decision ^= 1
            bins[i] = entry & np.uint64(0xFF)
        else:
            bins[i] = entry >> np.uint64(8) & np.uint64(0xFF)
        if not lower:
            c -= a
            a = qe
        shift = _leading_zeros(a) - 1
        a <<= np.uint64(shift)
        c <<= np.uint64(shift)
        n -= shift
        if n < 17:
            c, n, position = _fetch(c, n, position, source)
    return (a, c, n, position), decision


@inlined
def _open(data, ends, restart_interval, mcus, estimation, bins, contexts, reader):
    """Start the interval that the reader's MCU begins (T.81 E.2.4, D.2.7).

    Returns the coder's state and its source.
    """
    interval = reader[MCU] // restart_interval if restart_interval > 0 else 0
    reader[INTERVAL] = interval
    reader[LEFT] = mcus - reader[MCU]
    if restart_interval > 0:
        reader[LEFT] = min(reader[LEFT], restart_interval)
    reader[READ_PREDICTIONS:] = 0
    contexts[:] = 0
    bins[:] = 0
    bins[EVEN_BIN] = EVEN
    start = ends[interval - 1] if interval > 0 else 0
    source = data, ends[interval], estimation, bins
    c, n, position = _fetch(np.uint64(0), 1, start, source)
    return (np.uint64(1 << 63), c, n, position), source


@inlined
def _certain(coder, end):
    """Whether the decisions so far are the same whatever might follow behind the end.

    Of the bits of C, zeros were taken for those from `there` on. Were they all ones, C would still
    have to be within the interval.
    """
    a, c, n, position = coder
    if position <= end:
        return True
    there = n - 8 * (position - end)
    return there > 0 and c + (np.uint64(1) << np.uint64(64 - there)) <= a


@inlined
def _judge(coder, source, status):
    """The status of a block whose decisions have, or may have, reached the end."""
    _, c, n, position = coder
    _, end, _, bins = source
    if status != OK:
        return status if _certain(coder, end) else ENDED_EARLY
    missing = bins[MISSING] != 0 or _is_missing(c, n, position, end)
    return ENDED_EARLY if missing else OK


@inlined
def _close(coder, end, done, reader):
    """Note where reading stopped, `done` MCUs further on in the interval."""
    _, _, n, position = coder
    reader[BIT] = min(8 * position - (n - 17), 8 * end)
    reader[MCU] += done
    reader[LEFT] -= done
    if reader[LEFT] == 0:
        reader[UNREAD] += end - ((reader[BIT] + 7) >> 3)


# --- values ---------------------------------------------------------------------------------------


@inlined
def _magnitude(coder, source, first, x1, x2):
    """Magnitude of a value that is not zero (T.81 Figures F.23, F.24).

    `first`, `x1` and `x2` are the bins of its first categories; those of further ones follow `x2`.
    Returns the coder's state and the magnitude, 1 to 32768, or 0 if there are more than 15 bits.
    """
    coder, more = _decide(coder, source, first)
    if more == 0:
        return coder, 1
    coder, more = _decide(coder, source, x1)
    if more == 0:
        return coder, 2
    category, i = 2, x2
    coder, more = _decide(coder, source, i)
    while more != 0:
        category <<= 1
        if category == 0x8000:
            return coder, 0
        i += np.uint64(1)
        coder, more = _decide(coder, source, i)
    value, bit = category, category >> 1
    while bit > 0:
        coder, more = _decide(coder, source, i + np.uint64(_BITS))
        if more != 0:
            value |= bit
        bit >>= 1
    return coder, value + 1


@inlined
def _difference(coder, source, area, context, bounds):
    """A DC difference (T.81 F.1.4.1, F.1.4.4.1, Figures F.19 to F.22).

    Returns the coder's state, the difference, its context for the next one (0, or 4 to 16 for small
    and large ones of either sign), and a status.
    """
    coder, nonzero = _decide(coder, source, area + np.uint64(context))
    if nonzero == 0:
        return coder, 0, 0, OK
    coder, negative = _decide(coder, source, area + np.uint64(context + 1))
    first = area + np.uint64(context + 2 + negative)
    x1 = area + np.uint64(_DC_X1)
    coder, magnitude = _magnitude(coder, source, first, x1, x1 + np.uint64(1))
    if magnitude == 0:
        return coder, 0, 0, BAD_CODE
    context = 0
    if magnitude > (1 << (bounds & 15)) >> 1:
        context = 4 + 4 * negative
        if magnitude > 1 << (bounds >> 4):
            context += 8
    return coder, -magnitude if negative != 0 else magnitude, context, OK


@inlined
def _band(coder, source, area, low, first_k, last_k, shift, zigzag, coefficients, start):
    """AC coefficients of a block (T.81 F.1.4.2, F.1.4.4.2, Figure F.20).

    Returns the coder's state and a status.
    """
    k = first_k
    while k <= last_k:
        i = area + np.uint64(3 * k - 3)
        coder, ended = _decide(coder, source, i)
        if ended != 0:
            break
        coder, nonzero = _decide(coder, source, i + np.uint64(1))
        while nonzero == 0:
            if k == last_k:
                return coder, BAD_CODE
            k += 1
            i += np.uint64(3)
            coder, nonzero = _decide(coder, source, i + np.uint64(1))
        coder, negative = _decide(coder, source, np.uint64(EVEN_BIN))
        x1 = i + np.uint64(2)
        x2 = area + np.uint64(_AC_LOW if k <= low else _AC_HIGH)
        coder, magnitude = _magnitude(coder, source, x1, x1, x2)
        if magnitude == 0:
            return coder, BAD_CODE
        value = -magnitude if negative != 0 else magnitude
        coefficients[start + np.uint64(zigzag[np.uint64(k)])] = wrapped(value << shift)
        k += 1
    return coder, OK


_PATH = [int(place) for place in ZIGZAG]


@vector_function
def _nonzero(coefficients, start) -> int:
    """Which coefficients of a block are not zero: bit k for place k of the zigzag path."""
    return coefficients.load(64, start).shuffle(_PATH).differs(0).mask()


@inlined
def _refine_band(coder, source, area, first_k, last_k, shift, zigzag, coefficients, start):
    """The next bit of a block's AC coefficients (T.81 G.1.3.3, Figures G.10, G.11).

    Returns the coder's state and a status.
    """
    known = np.uint64(_nonzero(coefficients, start)) & ~np.uint64(1)
    # where the block ended so far: up to there no end is coded
    known_end = last_k - _leading_zeros(known << np.uint64(63 - last_k))
    k = first_k
    while k <= last_k:
        i = area + np.uint64(3 * k - 3)
        if k > known_end:
            coder, ended = _decide(coder, source, i)
            if ended != 0:
                break
        while True:
            place = start + np.uint64(zigzag[np.uint64(k)])
            if known >> np.uint64(k) & np.uint64(1) != 0:
                coder, bit = _decide(coder, source, i + np.uint64(2))
                value = np.int64(coefficients[place])
                coefficients[place] = wrapped(value + (((value >> 63 | 1) << shift) & -bit))
                break
            coder, nonzero = _decide(coder, source, i + np.uint64(1))
            if nonzero != 0:
                coder, negative = _decide(coder, source, np.uint64(EVEN_BIN))
                coefficients[place] = (1 - 2 * negative) << shift
                break
            if k == last_k:
                return coder, BAD_CODE
            k += 1
            i += np.uint64(3)
        k += 1
    return coder, OK


# --- scans ----------------------------------------------------------------------------------------


@kernel
def decode_first(
    data, ends, restart_interval, mcus, last, plan, mcus_across, first_k, last_k, shift,
    conditioning, estimation, zigzag, bins, contexts, reader, coefficients,
):  # fmt: skip
    """A sequential scan, or a first one of DC or of a band of AC (T.81 F.2.4, G.2).

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, plan, mcus_across, reader, coefficients
        As for :func:`decode_scan`.
    first_k, last_k : int
        Which coefficients: from 0 to 63, 0 to 0, or a band from 1 to 63 at most.
    shift : int
        Lowest bits that are not sent.
    conditioning : (TABLE_SLOTS,) int64
        By slot, as DAC has it.
    estimation : (EVEN + 1,) uint64
        The array ESTIMATION.
    zigzag : (64,) uint8
    bins : (BINS,) uint8
        Scratch: statistics.
    contexts : (4,) int64
        Scratch: of each component's last DC difference.

    Notes
    -----
    Bounds: bins hold states of `estimation` only, from 0 to EVEN. Numbers of bins within a slot are
    at most 16 + 3 and 20 + 14 + 14 for DC; for AC 3 * 62 + 2 and 217 + 13 + 14, as at most 14
    categories follow the second. Slots are below TABLE_SLOTS, and components below 4. A coefficient
    is stored at k <= last_k only, and each decision of a block has its place: at most 63 * 33.
    """
    while reader[MCU] < last:
        coder, source = _open(
            data, ends, restart_interval, mcus, estimation, bins, contexts, reader
        )
        end = source[1]
        count = min(last - reader[MCU], reader[LEFT])
        row, column = reader[MCU] // mcus_across, reader[MCU] % mcus_across
        sound = 0
        for done in range(count):
            for b in range(plan.shape[0]):
                block = plan[b]
                start, _ = block_start(block, row, column)
                status = OK
                if first_k == 0:
                    slot, component = block[scan.DC_SLOT], block[COMPONENT]
                    coder, difference, contexts[component], status = _difference(
                        coder, source, np.uint64(slot << 8), contexts[component], conditioning[slot]
                    )
                    if status == OK:
                        prediction = READ_PREDICTIONS + component
                        reader[prediction] += difference
                        coefficients[start] = wrapped(reader[prediction] << shift)
                if last_k > 0 and status == OK:
                    slot = block[scan.AC_SLOT]
                    coder, status = _band(
                        coder, source, np.uint64(slot << 8), conditioning[slot],
                        max(first_k, 1), last_k, shift, zigzag, coefficients, np.uint64(start),
                    )  # fmt: skip
                if coder[3] > end or status != OK:
                    status = _judge(coder, source, status)
                    if status != OK:
                        _close(coder, end, sound, reader)
                        return status
            if coder[3] <= end or _certain(coder, end):
                sound = done + 1
            column += 1
            if column == mcus_across:
                column = 0
                row += 1
        _close(coder, end, count, reader)
    return OK


@kernel
def decode_refinement(
    data, ends, restart_interval, mcus, last, plan, mcus_across, first_k, last_k, shift,
    conditioning, estimation, zigzag, bins, contexts, reader, coefficients,
):  # fmt: skip
    """A refinement of DC (T.81 G.1.3.1) or of a band of AC (G.1.3.3).

    Parameters
    ----------
    data, ends, restart_interval, mcus, last, plan, mcus_across, reader, coefficients
        As for :func:`decode_scan`.
    first_k, last_k : int
        0 and 0, or a band from 1 to 63 at most.
    shift : int
        Which bit.
    conditioning, estimation, zigzag, bins, contexts
        As for :func:`decode_first`; neither conditioning nor contexts matter.

    Notes
    -----
    Bounds: as for :func:`decode_first`, where `_nonzero` loads one whole block.
    """
    while reader[MCU] < last:
        coder, source = _open(
            data, ends, restart_interval, mcus, estimation, bins, contexts, reader
        )
        end = source[1]
        count = min(last - reader[MCU], reader[LEFT])
        row, column = reader[MCU] // mcus_across, reader[MCU] % mcus_across
        sound = 0
        for done in range(count):
            for b in range(plan.shape[0]):
                block = plan[b]
                start, _ = block_start(block, row, column)
                status = OK
                if first_k == 0:
                    coder, bit = _decide(coder, source, np.uint64(EVEN_BIN))
                    coefficients[start] |= bit << shift
                else:
                    coder, status = _refine_band(
                        coder, source, np.uint64(block[scan.AC_SLOT] << 8),
                        first_k, last_k, shift, zigzag, coefficients, np.uint64(start),
                    )  # fmt: skip
                if coder[3] > end or status != OK:
                    status = _judge(coder, source, status)
                    if status != OK:
                        _close(coder, end, sound, reader)
                        return status
            if coder[3] <= end or _certain(coder, end):
                sound = done + 1
            column += 1
            if column == mcus_across:
                column = 0
                row += 1
        _close(coder, end, count, reader)
    return OK


def decode_scan(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    restart_interval: int,
    mcus: int,
    plan: npt.NDArray[np.int64],
    mcus_across: int,
    band: tuple[int, int, int, int] | None,
    conditioning: Mapping[int, int],
    reader: npt.NDArray[np.int64],
    coefficients: npt.NDArray[np.int16],
    last: int | None = None,
) -> int:
    """Decode an arithmetic-coded scan, or some of its restart intervals.

    Parameters
    ----------
    data : (>= last end + bitio.PADDING,) uint8
        Bytes without stuffing, as :func:`pyjpegml.bitio.destuff` leaves them.
    ends : (intervals,) int64
        End of each interval in `data`, not decreasing.
    restart_interval : int
        In MCUs; 0 for none.
    mcus : int
        How many there are in all `intervals`.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        Where the blocks lie in `coefficients` (:mod:`pyjpegml.scan`); of four components at most.
    mcus_across : int
        In a row of the scan.
    band : (start, end, high, low), optional
        Parameters that :meth:`pyjpegml.progressive.Progression.begin` has accepted; None for a
        sequential scan.
    conditioning : mapping of int to int
        By slot, DC 0 to 3 and AC 4 to 7, as :func:`pyjpegml.markers.parse_conditioning` gives it;
        where a slot is not there, T.81's default.
    reader : (READER_FIELDS,) int64
        Zeros at the start, but for MCU, the first of a restart interval: there it begins.
    coefficients : (n,) int16
        Zeros before the first scan of all.
    last : int, optional
        Stop before that MCU, which is the first of an interval, or `mcus`; all if not given.

    Returns
    -------
    int
        OK; BAD_CODE: more coefficients than the band has, or a value of more than 15 bits; or
        ENDED_EARLY. The reader says where; the MCUs before are sound.
    """
    start, end, high, low = band or (0, 63, 0, 0)
    by_slot = np.array([DEFAULT_DC] * AC + [DEFAULT_AC] * AC, np.int64)
    for slot, value in conditioning.items():
        by_slot[slot] = value
    decode = decode_refinement if high else decode_first
    return int(
        decode(
            data, ends, restart_interval, mcus, mcus if last is None else last, plan,
            mcus_across, start, end, low, by_slot, ESTIMATION, ZIGZAG,
            np.empty(BINS, np.uint8), np.empty(4, np.int64), reader, coefficients,
        )
    )  # fmt: skip
