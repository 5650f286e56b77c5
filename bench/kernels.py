"""Kernels of the benchmarks: the machine's bounds, and inner parts of the codec by themselves.

Numba is imported here, before any kernel is called: the store of object code names what it keeps by
the sources of pyjpegml, which these are not among, and is not asked once Numba is there.
"""

from __future__ import annotations

import numba  # noqa: F401
import numpy as np

from pyjpegml._jit import kernel, summing
from pyjpegml.scan import AC_SLOT, COMPONENT, DC_SLOT
from pyjpegml.symbols import (
    BATCH_BLOCKS,
    PREDICTIONS,
    _block_entries,
    _level,
    _write_bits,
)

#: Of the polynomials: so many fused multiply-adds for one load and one store.
DEGREE = 32


@kernel
def chain(steps):
    """`steps` times six operations, each of which needs the result of the one before."""
    x = np.uint64(88172645463325252)
    for _ in range(steps):
        x ^= x << np.uint64(13)
        x ^= x >> np.uint64(7)
        x ^= x << np.uint64(17)
    return x


@summing
def polynomials(numbers, repeats, out):
    """A polynomial of degree DEGREE of each number, `repeats` times."""
    for r in range(repeats):
        first = np.float32(r)
        for i in range(numbers.size):
            x = numbers[i]
            value = first
            for _ in range(DEGREE):
                value = value * x + np.float32(0.75)
            out[i] = value


@kernel
def put_entries(blocks, masks, plan, coding, writer, entries, spans):
    """Entries of all blocks (:mod:`pyjpegml.symbols`), in batches as the encoder has them.

    Batch i goes to ``entries[spans[i, 0]]`` and on, ``spans[i, 1]`` in all; there is room for what
    :func:`put_bits` rounds up to. Returns the number of batches.
    """
    symbols, values = coding.symbols, coding.values
    state, indices, places, large = writer.state, writer.indices, writer.places, writer.large
    state[PREDICTIONS:] = 0
    batch, start, block = 0, 0, 0
    while block < masks.size - 1:
        target = entries[start:]
        p = 0
        for _ in range(min(BATCH_BLOCKS // plan.shape[0], (masks.size - block) // plan.shape[0])):
            for b in range(plan.shape[0]):
                component = PREDICTIONS + plan[b, COMPONENT]
                p = _block_entries(
                    blocks, masks, block, state[component], plan[b, DC_SLOT], plan[b, AC_SLOT],
                    symbols, values, indices, places, large, target, p,
                )  # fmt: skip
                state[component] = _level(blocks, 64 * block)
                block += 1
        spans[batch, 0], spans[batch, 1] = start, p
        start += (p & ~15) + 16
        batch += 1
    return batch


@kernel
def put_bits(entries, spans, batches, raw, state):
    """Bits of the entries from :func:`put_entries`, which are used up."""
    state[:PREDICTIONS] = 0
    for batch in range(batches):
        _write_bits(entries[spans[batch, 0] :], spans[batch, 1], raw, state)
