"""Trellis quantization against exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyjpegml import trellis
from pyjpegml.constants import ZIGZAG


def size_of(value: int) -> int:
    return int(abs(value)).bit_length()


def price_of_block(levels: np.ndarray, prices: np.ndarray, first: int, last: int) -> float:
    """Prices of a block's AC symbols in zigzag order (T.81 F.1.2.2), its end included."""
    run, total = 0, 0.0
    for k in range(first, last + 1):
        if levels[k] == 0:
            run += 1
            continue
        total += prices[0xF0] * (run // 16) + prices[run % 16 * 16 + size_of(levels[k])]
        run = 0
    return total + (prices[0] if run else 0.0)


def random_prices(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    prices = rng.uniform(0.2, 2.0, 256).astype(np.float32)
    least = np.array([np.inf, *(prices[s::16].min() for s in range(1, 16))], np.float32)
    return prices, least


def run_choose_ac(target, weights, energy, steps, first, last, prices, least):
    """One block; `energy` and `steps` in zigzag order; costs, end and zigzag levels out."""
    costs, ends = np.empty((1, 1), np.float32), np.empty((1, 1), np.uint8)
    levels, dc = np.zeros((1, 1, 64), np.int16), np.empty((1, 1, 2), np.float32)
    places = np.argsort(ZIGZAG)
    trellis.choose_ac(
        target.reshape(1, 1, 64), weights.reshape(1, 1, 6), energy[:, places].copy(), steps[places],
        ZIGZAG, first, last, prices, least, 1, 1, np.empty(64, np.int16),
        np.empty((5, 64), np.float32), np.empty((3, 64), np.int64),
        np.empty((16, 64), np.float32), dc, costs, ends, levels,
    )  # fmt: skip
    assert dc[0, 0, 0] == target[0]
    assert dc[0, 0, 1] == pytest.approx(weights @ energy[:, 0], rel=1e-6)
    return float(costs[0, 0]), int(ends[0, 0]), levels[0, 0, ZIGZAG]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("first", "last"), [(1, 7), (3, 9), (57, 63)])
def test_no_other_block_is_cheaper(seed, first, last):
    """All combinations of the candidates: nearest, largest of one size less, zero."""
    rng = np.random.default_rng(seed)
    prices, least = random_prices(rng)
    weights = rng.uniform(0.1, 1, 6).astype(np.float32)
    energy = rng.uniform(0.01, 0.2, (6, 64)).astype(np.float32)
    steps = rng.uniform(0.5, 3, 64).astype(np.float32)
    target = rng.normal(0, 3, 64).astype(np.float32)
    zigzagged, sensitivity = target[ZIGZAG], weights @ energy

    def loss(k: int, level: int) -> float:
        return float(sensitivity[k]) * (abs(float(zigzagged[k])) - level * float(steps[k])) ** 2

    choices = []
    for k in range(first, last + 1):
        nearest = int(abs(zigzagged[k]) / steps[k] + np.float32(0.5))
        values = [0]
        if nearest:
            pair = [nearest, (1 << (size_of(nearest) - 1)) - 1]
            # what cannot even pay for the cheapest symbol of its size is not tried
            if any(v and loss(k, v) - loss(k, 0) + least[size_of(v)] < 0 for v in pair):
                values += [v for v in pair if v]
        choices.append(values)
    best = np.inf
    for combination in itertools.product(*choices):
        if any(combination):
            levels = np.zeros(64, int)
            levels[first : last + 1] = combination
            change = sum(loss(k, levels[k]) - loss(k, 0) for k in range(first, last + 1))
            best = min(best, change + price_of_block(levels, prices, first, last))
    cost, end, levels = run_choose_ac(target, weights, energy, steps, first, last, prices, least)
    if best == np.inf:
        assert cost == 0
        assert not levels.any()
        return
    change = sum(loss(k, abs(levels[k])) - loss(k, 0) for k in range(first, last + 1))
    total = change + price_of_block(levels, prices, first, last)
    assert total == pytest.approx(best, rel=1e-5, abs=1e-5)
    assert cost == pytest.approx(min(total - end * prices[0], 0), rel=1e-5, abs=1e-5)
    assert end == (levels[last] == 0)
    assert np.all((levels == 0) | (np.sign(levels) == np.sign(zigzagged)))


@pytest.mark.parametrize("seed", range(60))
def test_no_other_choice_of_empty_blocks_is_cheaper(seed):
    rng = np.random.default_rng(seed)
    down, across = 2, 5
    costs = rng.uniform(-4, 0.5, (down, across)).clip(max=0).astype(np.float32)
    ends = rng.integers(0, 2, (down, across)).astype(np.uint8)
    runs = np.cumsum(rng.uniform(0, 1.5, trellis.RUN_SIZES + 1)).astype(np.float32)
    runs[-1] = runs[:-1].max()
    levels = np.ones((down, across, 64), np.int16)
    trellis.choose_blocks(
        costs, ends, runs, 1, 63, np.empty(trellis.STARTS, np.int64),
        np.empty(trellis.STARTS, np.float32), np.empty((down, across), np.int64), levels,
    )  # fmt: skip

    def total(kept: np.ndarray) -> float:
        value, length = 0.0, 0
        for cost, end, keep in zip(costs.ravel(), ends.ravel(), kept, strict=True):
            if keep:
                value += cost + (runs[length.bit_length() - 1] if length else 0)
                length = int(end)
            else:
                length += 1
        return value + (runs[length.bit_length() - 1] if length else 0)

    kept = levels[:, :, 1:].any(2).ravel()
    assert levels[:, :, 0].all()
    best = min(
        total(np.array(choice))
        for choice in itertools.product(
            *([False, True] if c < 0 else [False] for c in costs.ravel())
        )
    )
    assert total(kept) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("h", "v"), [(1, 1), (2, 2)])
def test_no_other_path_of_dc_is_cheaper(seed, h, v):
    rng = np.random.default_rng(seed)
    rows, stride, down, across = 2, 4, 2, 3  # the last column is of dummies
    dc = rng.normal(0, 20, (down, across, 2)).astype(np.float32)
    dc[:, :, 1] = rng.uniform(0.01, 0.2, (down, across))
    prices = np.cumsum(rng.uniform(0, 2, 16)).astype(np.float32)
    step = np.float32(3.0)
    levels = np.zeros((rows, stride, 64), np.int16)
    trellis.choose_dc(
        dc, step, prices, h, v, 0, rows // v, stride // h,
        np.empty((2, trellis.DC_CHOICES), np.float32),
        np.empty((rows * stride, trellis.DC_CHOICES), np.int8), levels,
    )  # fmt: skip
    order = [
        (y * v + j, x * h + i)
        for y in range(rows // v) for x in range(stride // h) for j in range(v) for i in range(h)
        if y * v + j < down and x * h + i < across
    ]  # fmt: skip

    def total(path: tuple[int, ...]) -> float:
        value, before = 0.0, 0
        for (row, column), level in zip(order, path, strict=True):
            error = dc[row, column, 0] - level * step
            value += float(dc[row, column, 1]) * error**2
            value += prices[size_of(level - before)]
            before = level
        return value

    nearest = [int(np.floor(dc[(*p, 0)] / step + 0.5)) for p in order]
    best = min(total(path) for path in itertools.product(*([n - 1, n, n + 1] for n in nearest)))
    chosen = tuple(int(levels[(*p, 0)]) for p in order)
    assert total(chosen) == pytest.approx(best, rel=1e-5)


def test_levels_are_within_what_baseline_files_can_hold():
    """Hostile targets: the largest there can be, with the finest table."""
    prices, least = random_prices(np.random.default_rng(0))
    target = np.full(64, 1e9, np.float32)
    one = np.ones(6, np.float32)
    _, _, levels = run_choose_ac(
        target, one, np.ones((6, 64), np.float32), np.ones(64, np.float32), 1, 63, prices, least
    )
    assert levels[1:].max() == 1023


def test_blocks_that_are_too_large_shrink_and_no_others():
    rng = np.random.default_rng(5)
    steps = rng.integers(1, 40, 64).astype(np.float32)
    levels = rng.integers(-60, 61, (3, 5, 64)).astype(np.int16)
    levels[:, ::2] //= 20
    before = levels.copy()
    longest = 1400.0
    trellis.restrain(levels, steps, np.float32(longest), 1, 3, 4)  # not the first row, nor the last
    lengths = np.linalg.norm(before * steps, axis=2)
    assert (lengths > longest).any()
    assert (lengths <= longest).any()
    wanted = before.copy()
    for row, column in np.ndindex(3, 5):
        length = lengths[row, column]
        if row >= 1 and column < 4 and length > longest:
            wanted[row, column] = np.trunc(before[row, column] * (longest / length))
    assert np.array_equal(levels, wanted)
    assert (np.linalg.norm(levels * steps, axis=2)[1:, :4] <= longest).all()
