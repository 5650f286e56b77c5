"""Trellis quantization: of all levels a block could have, those that cost least in loss and bits.

Rounding every coefficient to the nearest level makes the smallest error, not the best file: a lone
1 behind a long run of zeros costs ten bits, and may matter less than what ten bits buy elsewhere.
With sensitivities W (:mod:`pyjpegml.sensitivity`), code lengths of the Huffman tables and the price
of a bit lambda, the best levels minimise ::

    sum over coefficients of  W (target - level * step)^2  +  lambda * bits

(Crouse and Ramchandran 1997; "trellis", because it is the shortest path through a graph). This is
also where the file adapts to the picture: in textured blocks W is small, and much becomes zero.

*AC.* A symbol is made of a run of zeros and the size of the level that ends it (T.81 F.1.2.2), so a
block's cost is a sum over pairs of neighbouring nonzero levels: dynamic programming along the
zigzag path finds the best block exactly. Levels of one size cost the same bits, so at most two of
a coefficient are worth looking at: the nearest, and the largest of one size less. Everything is
counted relative to the block of zeros, whose cost is 0.

*Ends of blocks.* In a sequential scan each block that does not end with its last coefficient has an
end-of-block symbol. A progressive scan gives one symbol to a whole run of such ends
(T.81 G.1.2.2): an empty block inside a run is nearly free, one that breaks it is not. Which blocks
are empty is then the second path to find, through the blocks (:func:`choose_blocks`).

*DC* is coded as a difference to the block before, so its levels are a path through all blocks
(:func:`choose_dc`, the Viterbi algorithm).

Arrays: a component's blocks are (rows, stride, 64) in natural order, of which the first (down,
across) are real. Prices are lambda times bits, float32: by AC symbol, raw bits included; by DC
size, raw bits included.
"""

from __future__ import annotations

import numpy as np

from ._jit import inlined, kernel, summing
from .bit_planes import band_mask, lowest, without_lowest
from .constants import ZIGZAG
from .scan import END_OF_BLOCK, ZERO_RUN
from .simd import vector_function
from .symbols import size_of

#: Where each coefficient of a block in natural order is on the zigzag path.
_PLACES = tuple(int(place) for place in np.argsort(ZIGZAG))
#: Levels of DC that are tried: the nearest and its two neighbours.
DC_CHOICES = 3
#: Blocks that are remembered as possible starts of a run of empty blocks.
STARTS = 32
#: Enough for the root of any float32, if the first value is the number itself.
HERON_STEPS = 72
#: Categories of runs of ends of blocks (T.81 Table G.1).
RUN_SIZES = 15


@vector_function
def _nonzero(levels, position) -> int:
    """Which of the 64 levels from `position` on are not zero, as bits in zigzag order."""
    return levels.load(64, position).shuffle(ZIGZAG).differs(0).mask()


@vector_function
def _clear(levels, position, band):
    """Zeros for those of the 64 levels from `position` on that the mask `band` has."""
    block = levels.load(64, position).shuffle(ZIGZAG)
    levels.store(band.from_mask(64).select(block & 0, block).shuffle(_PLACES), position)


@summing
def _round(target, steps, sizes, nearest):
    """Magnitudes of a block, and the levels nearest to them."""
    for k in range(64):
        sizes[k] = abs(target[k])
    for k in range(64):
        nearest[k] = np.int32(min(sizes[k] / steps[k] + np.float32(0.5), np.float32(1023.0)))


@summing
def _weigh(weights, energy, sizes, sensitivity, zero):
    """Sensitivities, and the loss of zeros."""
    a, b, c, d, e, f = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for k in range(64):
        sensitivity[k] = (
            a * energy[0, k] + b * energy[1, k] + c * energy[2, k]
            + d * energy[3, k] + e * energy[4, k] + f * energy[5, k]
        )  # fmt: skip
    for k in range(64):
        zero[k] = sensitivity[k] * sizes[k] * sizes[k]


@inlined
def _weigh_dc(weights, energy):
    """Sensitivity of DC alone."""
    total = weights[0] * energy[0, 0]
    for term in range(1, 6):
        total += weights[term] * energy[term, 0]
    return total


@kernel
def choose_ac(
    targets, weights, energy, steps, zigzag, first, last, prices, least, down, across,
    nearest, scratch, nodes, runs, dc, costs, ends, levels,
):  # fmt: skip
    """The best levels of a band of AC coefficients, of every block, given that it is not empty.

    Parameters
    ----------
    targets : (rows, stride, 64) float32
        Coefficients to come near to.
    weights : (down, across, 6) float32
        The picture's part of the sensitivities (:func:`pyjpegml.sensitivity.block_weights`).
    energy : (6, 64) float32
        The patterns' part.
    steps : (64,) float32
        Quantization table.
    zigzag : (64,) uint8
    first, last : int
        The band, 1 to 63.
    prices : (256,) float32
        By symbol. That of END_OF_BLOCK is what the end of a block costs on average.
    least : (16,) float32
        The lowest price of each size, over all runs; of size 0, infinite.
    down, across : int
        Real blocks.
    nearest : (64,) int16
    scratch : (5, 64) float32
    nodes : (3, 64) int64
    runs : (16, 64) float32
        Scratch.
    dc : (down, across, 2) float32
        Result: target and sensitivity of DC, for :func:`choose_dc`.
    costs : (down, across) float32
        Result: what the best block that is not empty costs relative to the empty one, but for its
        end; at most 0, which stands for an empty block.
    ends : (down, across) uint8
        Result: 1 if an end of block follows.
    levels : (rows, stride, 64) int16
        Result; only the band is written.

    Notes
    -----
    Bounds: sizes are limited to 10 bits, so symbols are below 256. A block has at most 63 nodes
    besides the first one, which stands for its start. Loads and stores: 64 levels of a real block.

    A path is looked for backwards from the last node, and given up where no earlier node can be
    better: `least_gain` is the smallest of a node and all before it.
    """
    sizes, sensitivity, zero, gain = scratch[0], scratch[1], scratch[2], scratch[3]
    least_gain = scratch[4]
    place, level_of, before = nodes[0], nodes[1], nodes[2]
    for size in range(16):  # behind runs of any length
        for run in range(64):
            runs[size, run] = np.float32(run >> 4) * prices[ZERO_RUN]
            runs[size, run] += prices[((run & 15) << 4) + size]
    band = band_mask(first, last)
    for row in range(down):
        for column in range(across):
            target, out = targets[row, column], levels[row, column]
            _clear(levels, 64 * (row * levels.shape[1] + column), band)
            costs[row, column], ends[row, column] = np.float32(0.0), 1
            _round(target, steps, sizes, nearest)
            mask = np.uint64(_nonzero(nearest, 0)) & band
            dc[row, column, 0] = target[0]
            dc[row, column, 1] = _weigh_dc(weights[row, column], energy)
            if mask == 0:
                continue
            _weigh(weights[row, column], energy, sizes, sensitivity, zero)
            count = 1
            place[0], gain[0], least_gain[0] = first - 1, np.float32(0.0), np.float32(0.0)
            best, best_node = np.float32(0.0), 0
            while mask != 0:
                k = lowest(mask)
                mask = without_lowest(mask)
                at = zigzag[k]
                level = np.int64(nearest[at])
                step = steps[at]
                size = size_of(level)
                error = sizes[at] - np.float32(level) * step
                change = sensitivity[at] * error * error - zero[at]
                lower = (1 << (size - 1)) - 1
                error = sizes[at] - np.float32(lower) * step
                lower_change = sensitivity[at] * error * error - zero[at]
                bound = min(change + least[size], lower_change + least[size - 1])
                if bound >= 0:
                    continue
                found, found_node, found_level = np.float32(np.inf), 0, 0
                for node in range(count - 1, -1, -1):
                    if least_gain[node] + bound >= found:
                        break
                    run = k - place[node] - 1
                    cost = gain[node] + change + runs[size, run]
                    if cost < found:
                        found, found_node, found_level = cost, node, level
                    if lower > 0:
                        cost = gain[node] + lower_change + runs[size - 1, run]
                        if cost < found:
                            found, found_node, found_level = cost, node, lower
                place[count], gain[count], level_of[count] = k, found, found_level
                least_gain[count] = min(least_gain[count - 1], found)
                before[count] = found_node
                if k < last:
                    found += prices[END_OF_BLOCK]
                if best_node == 0 or found < best:
                    best, best_node = found, count
                count += 1
            costs[row, column] = min(gain[best_node], np.float32(0.0))
            ends[row, column] = 1 if place[best_node] < last else 0
            while best_node > 0:
                at = zigzag[place[best_node]]
                level = level_of[best_node]
                out[at] = level if target[at] >= 0 else -level
                best_node = before[best_node]


@kernel
def drop_blocks(costs, ends, price, first, last, levels):
    """Empty the blocks that are not worth their symbols, where each end of block costs the same.

    Parameters
    ----------
    costs, ends : (down, across) float32, uint8
        From :func:`choose_ac`.
    price : float32
        Of an end of block, which an empty block has too.
    first, last : int
        The band.
    levels : (rows, stride, 64) int16
        Changed.
    """
    band = band_mask(first, last)
    for row in range(costs.shape[0]):
        for column in range(costs.shape[1]):
            if costs[row, column] + np.float32(ends[row, column]) * price >= price:
                _clear(levels, 64 * (row * levels.shape[1] + column), band)


@inlined
def _price_ends(start, block, run_prices):
    """Price of the ends of blocks from a block that is not empty to the next one.

    `start` is twice the number of the first one (-1: none), and 1 more if it has an end.
    """
    length = block - (start >> 1) - 1 + (start & 1)
    if length <= 0:
        return np.float32(0.0)
    return run_prices[min(size_of(length) - 1, RUN_SIZES - 1)]


@kernel
def choose_blocks(costs, ends, run_prices, first, last, starts, start_costs, path, levels):
    """Empty the blocks that are not worth breaking a run of ends of blocks (T.81 G.1.2.2).

    A run of n ends costs one symbol, of the size of n, and is begun by each block that is not empty
    (its own end is the first, if it has one). The cheapest path through all blocks, from one that
    is kept to the next.

    Parameters
    ----------
    costs, ends : (down, across) float32, uint8
        From :func:`choose_ac`.
    run_prices : (RUN_SIZES + 1,) float32
        Of a run of 2**k to 2**(k + 1) - 1 ends, raw bits included; then the highest of them. Runs
        end at 2**15 - 1, and longer ones are paid as if they were that long.
    first, last : int
        The band.
    starts : (STARTS,) int64
    start_costs : (STARTS,) float32
    path : (down, across) int64
        Scratch.
    levels : (rows, stride, 64) int16
        Changed.

    Notes
    -----
    A start is forgotten when a later one is cheaper by the price of any run, for it can never be
    better again, and when there are STARTS later ones. Costs are those beyond the last start's, so
    that they stay small, and so precise, however many blocks there are.
    """
    down, across = costs.shape
    count = 1
    band = band_mask(first, last)
    starts[0], start_costs[0] = -2, np.float32(0.0)
    for row in range(down):
        for column in range(across):
            path[row, column] = -2
            if costs[row, column] >= 0:
                continue
            block = row * across + column
            found, found_start = np.float32(np.inf), -1
            for i in range(count - 1, -1, -1):
                cost = start_costs[i] + _price_ends(starts[i], block, run_prices)
                if cost < found:
                    found, found_start = cost, starts[i] >> 1
            found += costs[row, column]
            path[row, column] = found_start
            kept = 0
            for i in range(count):
                if start_costs[i] < found + run_prices[RUN_SIZES] and i > count - STARTS:
                    starts[kept], start_costs[kept] = starts[i], start_costs[i] - found
                    kept += 1
            starts[kept] = 2 * block + np.int64(ends[row, column])
            start_costs[kept] = np.float32(0.0)
            count = kept + 1
    found, kept_block = np.float32(np.inf), -1
    for i in range(count):
        cost = start_costs[i] + _price_ends(starts[i], down * across, run_prices)
        if cost < found:
            found, kept_block = cost, starts[i] >> 1
    for row in range(down - 1, -1, -1):
        for column in range(across - 1, -1, -1):
            if row * across + column == kept_block:
                kept_block = path[row, column]
            else:
                _clear(levels, 64 * (row * levels.shape[1] + column), band)


@inlined
def _nearest_dc(dc, step):
    """The level nearest to the target of DC."""
    return min(max(np.int64(np.floor(dc[0] / step + np.float32(0.5))), -1022), 1022)


@kernel
def choose_dc(dc, step, prices, h, v, first, last, across, costs, path, levels):
    """The best DC levels: the cheapest path through blocks in the order of an interleaved scan.

    Parameters
    ----------
    dc : (down, across, 2) float32
        Target and sensitivity of each real block (:func:`choose_ac`).
    step : float32
    prices : (16,) float32
        By size of the difference, raw bits included.
    h, v : int
        Blocks of an MCU.
    first, last : int
        Rows of MCUs that the path goes through. What comes before is taken to have the levels
        nearest to its targets.
    across : int
        MCUs in a row.
    costs : (2, DC_CHOICES) float32
        Scratch.
    path : (blocks of these MCUs, DC_CHOICES) int8
        Scratch.
    levels : (rows, stride, 64) int16
        DC is written.
    """
    down, columns = dc.shape[0], dc.shape[1]
    middle, done = 0, 0
    if first > 0:
        middle = _nearest_dc(dc[first * v - 1, columns - 1], step)
    old, new = costs[0], costs[1]
    for mcu_row in range(first, last):
        for mcu_column in range(across):
            for row in range(mcu_row * v, min(mcu_row * v + v, down)):
                for column in range(mcu_column * h, min(mcu_column * h + h, columns)):
                    target, weight = dc[row, column, 0], dc[row, column, 1]
                    level = _nearest_dc(dc[row, column], step)
                    for c in range(DC_CHOICES):
                        value = level + c - 1
                        error = target - np.float32(value) * step
                        found, choice = np.float32(np.inf), 0
                        if done == 0:
                            found = prices[size_of(value - middle)]
                        else:
                            for p in range(DC_CHOICES):
                                cost = old[p] + prices[size_of(value - middle - p + 1)]
                                if cost < found:
                                    found, choice = cost, p
                        new[c] = found + weight * error * error
                        path[done, c] = choice
                    smallest = min(new[0], min(new[1], new[2]))
                    for c in range(DC_CHOICES):  # sums stay small, and so precise
                        old[c] = new[c] - smallest
                    levels[row, column, 0] = level
                    middle = level
                    done += 1
    choice = 0
    for c in range(DC_CHOICES):
        if old[c] < old[choice]:
            choice = c
    for mcu_row in range(last - 1, first - 1, -1):
        for mcu_column in range(across - 1, -1, -1):
            for row in range(min(mcu_row * v + v, down) - 1, mcu_row * v - 1, -1):
                for column in range(min(mcu_column * h + h, columns) - 1, mcu_column * h - 1, -1):
                    done -= 1
                    levels[row, column, 0] += choice - 1
                    choice = path[done, choice]


@summing
def _square(block, steps):
    """Square of the length of a block, dequantized."""
    total = np.float32(0.0)
    for k in range(64):
        value = np.float32(block[k]) * steps[k]
        total += value * value
    return total


@kernel
def restrain(levels, steps, longest, first, last, across):
    """Shrink the blocks that have got too large: as vectors, to a length or a little less.

    Parameters
    ----------
    levels : (rows, stride, 64) int16
        Changed.
    steps : (64,) float32
    longest : float32
    first, last : int
        Rows of blocks.
    across : int
    """
    for row in range(first, last):
        for column in range(across):
            times = _square(levels[row, column], steps) / (longest * longest)
            if times > 1:
                root = (
                    times  # by Heron's method, from above: a function of a library is none of ours
                )
                for _ in range(HERON_STEPS):
                    root = np.float32(0.5) * (root + times / root)
                for k in range(64):  # towards zero
                    levels[row, column, k] = np.int16(np.float32(levels[row, column, k]) / root)


@kernel
def count_ac(levels, zigzag, first, last, down, across, runs_of_ends, counts):
    """Symbols of a scan of one component and one band, not interleaved.

    Parameters
    ----------
    levels : (rows, stride, 64) int16
    zigzag : (64,) uint8
    first, last : int
    down, across : int
    runs_of_ends : bool
        Whether ends of blocks are joined to runs, as in progressive scans.
    counts : (256,) int64
        Added to.

    Returns
    -------
    int
        Raw bits.

    Notes
    -----
    Loads: 64 levels of a real block.
    """
    raw, ends = 0, 0
    band = band_mask(first, last)
    for row in range(down):
        for column in range(across):
            block = levels[row, column]
            mask = np.uint64(_nonzero(levels, 64 * (row * levels.shape[1] + column))) & band
            if mask != 0 and ends > 0:
                size = size_of(ends) - 1
                counts[size << 4] += 1
                raw += size
                ends = 0
            before = first - 1
            while mask != 0:
                k = lowest(mask)
                mask = without_lowest(mask)
                run = k - before - 1
                before = k
                if run > 15:
                    counts[ZERO_RUN] += run >> 4
                size = size_of(np.int64(block[zigzag[k]]))
                counts[((run & 15) << 4) + size] += 1
                raw += size
            if before < last:
                if runs_of_ends:
                    ends += 1
                    if ends == 32767:
                        counts[14 << 4] += 1
                        raw += 14
                        ends = 0
                else:
                    counts[END_OF_BLOCK] += 1
    if ends > 0:
        size = size_of(ends) - 1
        counts[size << 4] += 1
        raw += size
    return raw


@kernel
def count_dc(levels, h, v, down, across, counts):
    """Symbols of DC of one component, in the order of an interleaved scan; returns raw bits.

    Parameters
    ----------
    levels : (rows, stride, 64) int16
    h, v, down, across : int
    counts : (256,) int64
        Added to.
    """
    raw, before = 0, 0
    for mcu_row in range(levels.shape[0] // v):
        for mcu_column in range(levels.shape[1] // h):
            for row in range(mcu_row * v, min(mcu_row * v + v, down)):
                for column in range(mcu_column * h, min(mcu_column * h + h, across)):
                    value = np.int64(levels[row, column, 0])
                    size = size_of(value - before)
                    counts[size] += 1
                    raw += size
                    before = value
    return raw
