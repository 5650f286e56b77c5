"""Levels that are only remembered, in a fraction of their memory: most of them are zero.

The closed loop (:mod:`pyjpegml.closed_loop`) goes back to levels that it had before. Of each block
a mask is kept, bit k for coefficient k in natural order, and the levels that are not zero, block
after block: at a bit a pixel that is less than a fifth of the levels themselves.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .bit_planes import lowest, ones_of, without_lowest
from .simd import vector_function
from .threads import Crew

#: Parts that threads take in turn, and the least blocks of one.
PARTS, LEAST_BLOCKS = 16, 1024


@vector_function
def _nonzero(levels, position) -> int:
    """Which of the 64 levels from `position` on are not zero."""
    return levels.load(64, position).differs(0).mask()


@kernel
def find_masks(levels, masks):
    """Which levels of each block are not zero; returns how many.

    Parameters
    ----------
    levels : (64 n,) int16
    masks : (n,) uint64
        Result.
    """
    total = 0
    for block in range(masks.size):
        mask = np.uint64(_nonzero(levels, 64 * block))
        masks[block] = mask
        total += ones_of(mask)
    return total


@kernel
def gather(levels, masks, values):
    """The levels that are not zero, in order.

    Parameters
    ----------
    levels : (64 n,) int16
    masks : (n,) uint64
        From :func:`find_masks`.
    values : (number of bits in `masks`,) int16
        Result.
    """
    place = 0
    for block in range(masks.size):
        mask = masks[block]
        while mask != 0:
            values[place] = levels[64 * block + lowest(mask)]
            mask = without_lowest(mask)
            place += 1


@kernel
def count(masks):
    """How many levels of blocks are not zero.

    Parameters
    ----------
    masks : (n,) uint64

    Returns
    -------
    int
    """
    total = 0
    for block in range(masks.size):
        total += ones_of(masks[block])
    return total


@kernel
def scatter(masks, values, levels):
    """The inverse of :func:`gather`.

    Parameters
    ----------
    masks, values
        As there.
    levels : (64 n,) int16
        Zeros; changed.
    """
    place = 0
    for block in range(masks.size):
        mask = masks[block]
        while mask != 0:
            levels[64 * block + lowest(mask)] = values[place]
            mask = without_lowest(mask)
            place += 1


class Packed:
    """Levels, remembered.

    Parameters
    ----------
    levels : (64 n,) int16
    crew : Crew
        Its threads share the work.

    Examples
    --------
    >>> levels = np.zeros(128, np.int16)
    >>> levels[[3, 70]] = 5, -7
    >>> np.array_equal(Packed(levels, Crew(1)).levels(), levels)
    True
    """

    def __init__(self, levels: npt.NDArray[np.int16], crew: Crew) -> None:
        blocks = levels.size // 64
        parts = min(max(blocks // LEAST_BLOCKS, 1), PARTS)
        self._crew = crew
        self._parts = list(pairwise(blocks * k // parts for k in range(parts + 1)))
        self._masks = np.empty(blocks, np.uint64)

        def find(k: int) -> int:
            first, last = self._parts[k]
            return int(find_masks(levels[64 * first : 64 * last], self._masks[first:last]))

        sizes = crew.each(find, parts)
        self._places = list(pairwise(accumulate(sizes, initial=0)))
        self._values = np.empty(self._places[-1][1], np.int16)

        def pack(k: int) -> None:
            (first, last), (begin, end) = self._parts[k], self._places[k]
            gather(levels[64 * first : 64 * last], self._masks[first:last], self._values[begin:end])

        crew.each(pack, parts)

    def levels(self) -> npt.NDArray[np.int16]:
        """The levels, in new memory."""
        levels = np.zeros(64 * len(self._masks), np.int16)

        def unpack(k: int) -> None:
            (first, last), (begin, end) = self._parts[k], self._places[k]
            scatter(
                self._masks[first:last], self._values[begin:end], levels[64 * first : 64 * last]
            )

        self._crew.each(unpack, len(self._parts))
        return levels

    def part(self, begin: int, end: int) -> npt.NDArray[np.int16]:
        """The levels of the blocks from `begin` up to `end`, (64 (end - begin),), in new memory."""
        levels = np.zeros(64 * (end - begin), np.int16)
        for (first, last), (place, _) in zip(self._parts, self._places, strict=True):
            low, high = max(first, begin), min(last, end)
            if low < high:
                place += count(self._masks[first:low])
                scatter(
                    self._masks[low:high], self._values[place:],
                    levels[64 * (low - begin) : 64 * (high - begin)],
                )  # fmt: skip
        return levels

    def overlay(self, levels: npt.NDArray[np.int16], chosen: npt.NDArray[np.bool_]) -> None:
        """Exchange the chosen blocks, of (n,), of other levels for those that are remembered."""

        def exchange(k: int) -> None:
            (first, last), (begin, end) = self._parts[k], self._places[k]
            part = np.zeros(64 * (last - first), np.int16)
            scatter(self._masks[first:last], self._values[begin:end], part)
            blocks = levels[64 * first : 64 * last].reshape(-1, 64)
            blocks[chosen[first:last]] = part.reshape(-1, 64)[chosen[first:last]]

        self._crew.each(exchange, len(self._parts))

    def same(self, other: Packed) -> bool:
        """Whether they are the same levels."""
        return np.array_equal(self._masks, other._masks) and np.array_equal(
            self._values, other._values
        )
