"""Hypothesis strategy for end-of-band runs of any length: pictures of thousands of empty blocks.

A run goes over up to 32,767 blocks (T.81 Table G.1), far more than the streams of
:func:`~pyjpegml.testing.jpeg_streams` have. Nearly all blocks are empty here, so that a file of
40,000 of them is written in a second.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from hypothesis import strategies as st

from .stream import ZIGZAG, Component, Frame, Scan, Stream, ceil_div
from .streams import told
from .traits import LONGEST_RUN
from .writer import Content, write_stream

MOST_BLOCKS = 40_000
"""Of a picture, but for those that complete its last row."""

LONGEST_SIDE = 65535 // 8
"""Blocks along a side, at most (T.81 B.2.2)."""


def _lengths(size: int) -> st.SearchStrategy[int]:
    """Runs of a category (T.81 Table G.1), or behind the last one the longest."""
    if 1 << size > LONGEST_RUN:
        return st.just(LONGEST_RUN)
    return st.integers(1 << size, (2 << size) - 1)


@st.composite
def long_runs(draw: st.DrawFn) -> Stream:
    """Grey progressive files with end-of-band runs of 1 to 32,767 blocks.

    Between two blocks with something in their band lie as many empty ones as a run has that was
    drawn, all categories EOB0 to EOB14 alike. Values of several bits are refined within runs.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.

    Returns
    -------
    strategy of Stream

    Examples
    --------
    >>> from hypothesis import find
    >>> stream = find(long_runs(), lambda stream: "EOB2" in stream.traits)
    >>> stream.coefficients[0].shape[1] >= 4  # blocks, of which so many are a run
    True
    """
    run = st.tuples(
        st.integers(0, 15).flatmap(_lengths),
        st.integers(1, 63),  # where the block behind it has a value, and which
        st.sampled_from([1, -1, 2, -3, 7]),
    )
    runs = draw(st.lists(run, min_size=1, max_size=8))
    ends = list(accumulate(length + 1 for length, *_ in runs))
    runs = [r for r, end in zip(runs, ends, strict=True) if end <= MOST_BLOCKS]
    total = ends[len(runs) - 1] - 1  # the last run ends with the picture
    down = draw(st.integers(1, LONGEST_SIDE))
    down = min(max(down, ceil_div(total, LONGEST_SIDE)), total)
    across = ceil_div(total, down)
    blocks = np.zeros((down * across, 64), np.int64)
    for (_, k, value), end in zip(runs[:-1], ends, strict=False):
        blocks[end - 1, ZIGZAG[k]] = value
    bands = [(1, 63)]
    if draw(st.booleans()):
        last = draw(st.integers(1, 62))
        bands = [(1, last), (last + 1, 63)]
    low = draw(st.integers(0, 3))
    scans = [Scan((0,), ((0, 0),), end=0)]
    for high in range(low, -1, -1):
        scans += [
            Scan((0,), ((0, 0),), start, end, 0 if high == low else high + 1, high)
            for start, end in bands
        ]
    frame = Frame("progressive", 8, 8 * across, 8 * down, (Component(1),))
    content = Content((blocks.reshape(down, across, 8, 8),), {(0, 0): np.ones((8, 8), np.uint16)})
    return told(write_stream(frame, scans, content))
