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

from ._jit import inlined, kernel
from .scan import END_OF_BLOCK, ZERO_RUN, category

#: Levels of DC that are tried: the nearest and its two neighbours.
DC_CHOICES = 3
#: Blocks that are remembered as possible starts of a run of empty blocks.
STARTS = 32
#: Categories of runs of ends of blocks (T.81 Table G.1).
RUN_SIZES = 15


@inlined
def _price_run(run, size, prices):
    """Price of a level of some size behind a run of zeros."""
    return np.float32(run >> 4) * prices[ZERO_RUN] + prices[((run & 15) << 4) + size]


@kernel
def _weigh(target, weights, energy, zigzag, sizes, sensitivity, zero):
    """Magnitudes, sensitivities and the loss of zeros, in zigzag order."""
    a, b, c, d, e, f = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for k in range(64):
        sizes[k] = abs(target[zigzag[k]])
    for k in range(64):
        sensitivity[k] = (
            a * energy[0, k] + b * energy[1, k] + c * energy[2, k]
            + d * energy[3, k] + e * energy[4, k] + f * energy[5, k]
        )  # fmt: skip
        zero[k] = sensitivity[k] * sizes[k] * sizes[k]


@kernel
def choose_ac(
    targets, weights, energy, steps, zigzag, first, last, prices, least, down, across,
    scratch, nodes, costs, ends, levels,
):  # fmt: skip
    """The best levels of a band of AC coefficients, of every block, given that it is not empty.

    Parameters
    ----------
    targets : (rows, stride, 64) float32
        Coefficients to come near to.
    weights : (down, across, 6) float32
        The picture's part of the sensitivities (:func:`pyjpegml.sensitivity.block_weights`).
    energy : (6, 64) float32
        The patterns' part, in zigzag order.
    steps : (64,) float32
        Quantization table, in zigzag order.
    zigzag : (64,) uint8
    first, last : int
        The band, 1 to 63.
    prices : (256,) float32
        By symbol. That of END_OF_BLOCK is what the end of a block costs on average.
    least : (16,) float32
        The lowest price of each size, over all runs; of size 0, infinite.
    down, across : int
        Real blocks.
    scratch : (4, 64) float32
    nodes : (3, 64) int64
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
    besides the first one, which stands for its start.
    """
    sizes, sensitivity, zero, gain = scratch[0], scratch[1], scratch[2], scratch[3]
    place, level_of, before = nodes[0], nodes[1], nodes[2]
    for row in range(down):
        for column in range(across):
            target, out = targets[row, column], levels[row, column]
            _weigh(target, weights[row, column], energy, zigzag, sizes, sensitivity, zero)
            count = 1
            place[0], gain[0] = first - 1, np.float32(0.0)
            best, best_node = np.float32(0.0), 0
            for k in range(first, last + 1):
                step = steps[k]
                level = min(np.int64(sizes[k] / step + np.float32(0.5)), 1023)
                out[zigzag[k]] = 0
                if level == 0:
                    continue
                size = category(level)
                error = sizes[k] - np.float32(level) * step
                change = sensitivity[k] * error * error - zero[k]
                lower = (1 << (size - 1)) - 1
                error = sizes[k] - np.float32(lower) * step
                lower_change = sensitivity[k] * error * error - zero[k]
                if change + least[size] >= 0 and lower_change + least[size - 1] >= 0:
                    continue
                found, found_node, found_level = np.float32(np.inf), 0, 0
                for node in range(count - 1, -1, -1):
                    run = k - place[node] - 1
                    cost = gain[node] + change + _price_run(run, size, prices)
                    if cost < found:
                        found, found_node, found_level = cost, node, level
                    if lower > 0:
                        cost = gain[node] + lower_change + _price_run(run, size - 1, prices)
                        if cost < found:
                            found, found_node, found_level = cost, node, lower
                place[count], gain[count], level_of[count] = k, found, found_level
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
def drop_blocks(costs, ends, price, zigzag, first, last, levels):
    """Empty the blocks that are not worth their symbols, where each end of block costs the same.

    Parameters
    ----------
    costs, ends : (down, across) float32, uint8
        From :func:`choose_ac`.
    price : float32
        Of an end of block, which an empty block has too.
    zigzag, first, last
        The band.
    levels : (rows, stride, 64) int16
        Changed.
    """
    for row in range(costs.shape[0]):
        for column in range(costs.shape[1]):
            if costs[row, column] + np.float32(ends[row, column]) * price >= price:
                for k in range(first, last + 1):
                    levels[row, column, zigzag[k]] = 0


@inlined
def _price_ends(start, block, ends, run_prices):
    """Price of the ends of blocks from a block that is not empty (-1: none) to the next one."""
    length = block - start - 1
    if start >= 0:
        length += np.int64(ends[start // ends.shape[1], start % ends.shape[1]])
    if length <= 0:
        return np.float32(0.0)
    return run_prices[min(category(length) - 1, RUN_SIZES - 1)]


@kernel
def choose_blocks(costs, ends, run_prices, zigzag, first, last, starts, start_costs, path, levels):
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
    zigzag, first, last
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
    better again, and when there are STARTS later ones.
    """
    down, across = costs.shape
    count = 1
    starts[0], start_costs[0] = -1, np.float32(0.0)
    for row in range(down):
        for column in range(across):
            path[row, column] = -2
            if costs[row, column] >= 0:
                continue
            block = row * across + column
            found, found_start = np.float32(np.inf), -1
            for i in range(count - 1, -1, -1):
                cost = start_costs[i] + _price_ends(starts[i], block, ends, run_prices)
                if cost < found:
                    found, found_start = cost, starts[i]
            found += costs[row, column]
            path[row, column] = found_start
            kept = 0
            for i in range(count):
                if start_costs[i] < found + run_prices[RUN_SIZES] and i > count - STARTS:
                    starts[kept], start_costs[kept] = starts[i], start_costs[i]
                    kept += 1
            starts[kept], start_costs[kept] = block, found
            count = kept + 1
    found, kept_block = np.float32(np.inf), -1
    for i in range(count):
        cost = start_costs[i] + _price_ends(starts[i], down * across, ends, run_prices)
        if cost < found:
            found, kept_block = cost, starts[i]
    for block in range(down * across - 1, -1, -1):
        row, column = block // across, block % across
        if block == kept_block:
            kept_block = path[row, column]
        else:
            for k in range(first, last + 1):
                levels[row, column, zigzag[k]] = 0


@kernel
def choose_dc(
    targets, weights, energy, step, prices, h, v, down, across, costs, path, levels
):  # fmt: skip
    """The best DC levels: the cheapest path through all blocks in the order of an interleaved scan.

    Parameters
    ----------
    targets : (rows, stride, 64) float32
    weights : (down, across, 6) float32
    energy : (6,) float32
        Of DC.
    step : float32
    prices : (16,) float32
        By size of the difference, raw bits included.
    h, v : int
        Blocks of an MCU.
    down, across : int
        Real blocks.
    costs : (2, DC_CHOICES) float32
        Scratch.
    path : (rows * stride, DC_CHOICES) int8
        Scratch.
    levels : (rows, stride, 64) int16
        DC is written.
    """
    rows, stride = targets.shape[0], targets.shape[1]
    middle, done = 0, 0
    old, new = costs[0], costs[1]
    for mcu_row in range(rows // v):
        for mcu_column in range(stride // h):
            for row in range(mcu_row * v, min(mcu_row * v + v, down)):
                for column in range(mcu_column * h, min(mcu_column * h + h, across)):
                    target = targets[row, column, 0]
                    level = np.int64(np.floor(target / step + np.float32(0.5)))
                    level = min(max(level, -1022), 1022)
                    weight = np.float32(0.0)
                    for s in range(6):
                        weight += weights[row, column, s] * energy[s]
                    for c in range(DC_CHOICES):
                        value = level + c - 1
                        error = target - np.float32(value) * step
                        found, choice = np.float32(np.inf), 0
                        if done == 0:
                            found = prices[category(value)]
                        else:
                            for p in range(DC_CHOICES):
                                cost = old[p] + prices[category(value - middle - p + 1)]
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
    for mcu_row in range(rows // v - 1, -1, -1):
        for mcu_column in range(stride // h - 1, -1, -1):
            for row in range(min(mcu_row * v + v, down) - 1, mcu_row * v - 1, -1):
                for column in range(min(mcu_column * h + h, across) - 1, mcu_column * h - 1, -1):
                    done -= 1
                    levels[row, column, 0] += choice - 1
                    choice = path[done, choice]


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
    """
    raw, ends = 0, 0
    for row in range(down):
        for column in range(across):
            block = levels[row, column]
            run = 0
            for k in range(first, last + 1):
                level = np.int64(block[zigzag[k]])
                if level == 0:
                    run += 1
                    continue
                if ends > 0:
                    size = category(ends) - 1
                    counts[size << 4] += 1
                    raw += size
                    ends = 0
                counts[ZERO_RUN] += run >> 4
                size = category(level)
                counts[((run & 15) << 4) + size] += 1
                raw += size
                run = 0
            if run > 0:
                if runs_of_ends:
                    ends += 1
                    if ends == 32767:
                        counts[14 << 4] += 1
                        raw += 14
                        ends = 0
                else:
                    counts[END_OF_BLOCK] += 1
    if ends > 0:
        size = category(ends) - 1
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
                    size = category(value - before)
                    counts[size] += 1
                    raw += size
                    before = value
    return raw
