"""Bit planes: blocks as masks of 64 bits, one for each bit of their coefficients.

Progressive scans ask, of all coefficients of a band at once: which are there without the lowest
``a`` bits, which become so with one bit more, and what is that bit (T.81 G.1.2)? Bit k of a mask
stands for the coefficient at place k of the zigzag path, and a CPU counts and finds bits in one
instruction; so the answers are kept as masks, made in one pass over the blocks:

- ``nonzero[a]``: abs(coefficient) >> a is not 0,
- ``ones[a]``: bit a of abs(coefficient),
- ``negative``: the sign.

A refinement from a + 1 to a then needs no coefficient: ``nonzero[a + 1]`` have been sent before
(their bits of ``ones[a]`` correct them), and ``nonzero[a] & ~nonzero[a + 1]`` are new.

Bit 0, DC's, says nothing: the point transform of DC is another one (G.1.2.1), and its scans look at
the values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .coefficients import Geometry
from .constants import ZIGZAG
from .simd import vector_function


class BitPlanes(NamedTuple):
    """The real blocks of one component, row after row; see the head of this module.

    ``nonzero`` and ``ones`` (levels, blocks) uint64; ``negative`` (blocks,) uint64.
    """

    nonzero: npt.NDArray[np.uint64]
    ones: npt.NDArray[np.uint64]
    negative: npt.NDArray[np.uint64]


def bit_planes(
    geometry: Geometry, quantized: npt.NDArray[np.int16], component: int, levels: int
) -> BitPlanes:
    """Bit planes of a component.

    Parameters
    ----------
    geometry : Geometry
    quantized : (geometry.size,) int16
        Above -32768, which has no abs of 16 bits.
    component : int
    levels : int
        How many: for levels 0 to ``levels - 1``, at least 1 and at most 15.
    """
    plane = geometry.planes[component]
    blocks = plane.across * plane.down
    made = BitPlanes(
        np.empty((levels, blocks), np.uint64),
        np.empty((levels, blocks), np.uint64),
        np.empty(blocks, np.uint64),
    )
    find_planes(geometry.view(quantized, component), plane.across, plane.down, *made)
    return made


@vector_function
def _find_signs(coefficients, start, negative, block):
    """The mask of negative coefficients of a block."""
    levels = coefficients.load(64, start).shuffle(ZIGZAG)
    negative.store((levels >> 15).differs(0).mask(), block)


@vector_function
def _find_level(coefficients, start, level, nonzero, ones, place):
    """The masks of one level of a block."""
    levels = coefficients.load(64, start).shuffle(ZIGZAG)
    rest = levels.maximum(-levels) >> level.trunc(16).shuffle([0] * 64)
    nonzero.store(rest.differs(0).mask(), place)
    ones.store((rest & 1).differs(0).mask(), place)


@kernel
def find_planes(coefficients, across, down, nonzero, ones, negative):
    """Fill :class:`BitPlanes`.

    Parameters
    ----------
    coefficients : (rows, stride, 64) int16
        Natural order.
    across, down : int
        Real blocks: at most stride and rows, so that each load is a block's 64 numbers.
    nonzero, ones : (levels, across * down) uint64
    negative : (across * down,) uint64
    """
    blocks = across * down
    for row in range(down):
        for column in range(across):
            block = row * across + column
            start = (row * coefficients.shape[1] + column) * 64
            _find_signs(coefficients, start, negative, block)
            for level in range(nonzero.shape[0]):
                _find_level(coefficients, start, level, nonzero, ones, level * blocks + block)


@vector_function
def _find_nonzero(coefficients, start, level, nonzero, place):
    """The mask of one level of a block."""
    levels = coefficients.load(64, start).shuffle(ZIGZAG)
    rest = levels.maximum(-levels) >> level.trunc(16).shuffle([0] * 64)
    nonzero.store(rest.differs(0).mask(), place)


@kernel
def find_nonzero(coefficients, across, first, last, nonzero):
    """Fill ``nonzero`` of :class:`BitPlanes` alone, in the rows of blocks `first` to `last`.

    Parameters
    ----------
    coefficients, across
        As for :func:`find_planes`.
    first, last : int
        Rows of real blocks.
    nonzero : (levels, blocks) uint64
    """
    blocks = nonzero.shape[1]
    for row in range(first, last):
        for column in range(across):
            block = row * across + column
            start = (row * coefficients.shape[1] + column) * 64
            for level in range(nonzero.shape[0]):
                _find_nonzero(coefficients, start, level, nonzero, level * blocks + block)


@vector_function
def ones_of(mask) -> int:
    """How many bits of a mask are set."""
    return mask.ones()


@vector_function
def lowest(mask) -> int:
    """Index of the lowest bit that is set; 64 if none is."""
    return mask.trailing_zeros()


@inlined
def without_lowest(mask):
    """The mask without the lowest bit that is set; 0 stays 0."""
    return mask & (mask - np.uint64(1))


@inlined
def band_mask(first, last):
    """The bits from `first` to `last`."""
    top = np.uint64(1) << np.uint64(last)
    return top + (top - np.uint64(1)) - ((np.uint64(1) << np.uint64(first)) - np.uint64(1))


@kernel
def count_ones(masks, first, last):
    """How many bits from `first` to `last` are set in all masks.

    Parameters
    ----------
    masks : (n,) uint64
    first, last : int
    """
    band = band_mask(first, last)
    total = 0
    for mask in masks:
        total += ones_of(mask & band)
    return total
