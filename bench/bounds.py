"""What the machine can do at best, measured: the bounds that stand beside our figures.

*Memory*: the speed of a copy far larger than the caches, and what the first touch of new memory
costs (the kernel finds a page and clears it). *Clock*: a chain of shifts and exclusive ors, each of
which takes one cycle and waits for the one before. *Arithmetic*: polynomials of many numbers, with
nothing but independent fused multiply-adds in single precision, on numbers in the fastest cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from kernels import DEGREE, chain, polynomials
from report import number, table
from timing import best

MEGABYTE = 1 << 20


class Bounds(NamedTuple):
    """Of one core.

    Attributes
    ----------
    clock : float
        Cycles a second.
    copy : float
        Bytes that a copy reads or writes, a second.
    fault : float
        Seconds for a byte of new memory, touched for the first time.
    flops : float
        Single-precision operations a second; a fused multiply-add is two.
    """

    clock: float
    copy: float
    fault: float
    flops: float


def measure(budget: float) -> Bounds:
    """All bounds, `budget` seconds each."""
    source = np.ones(256 * MEGABYTE, np.uint8)
    target = np.ones_like(source)
    numbers = np.linspace(0, 1, 2048, dtype=np.float32)
    out = np.empty_like(numbers)
    steps, repeats = 1_000_000, 2000

    def touch() -> None:
        np.empty(64 * MEGABYTE, np.uint8)[::4096] = 1

    def shortest(call: Callable[..., object], *arguments: object) -> float:
        [seconds] = best({"": lambda: call(*arguments)}, budget).values()
        return seconds

    return Bounds(
        clock=6 * steps / shortest(chain, steps),
        copy=2 * source.size / shortest(np.copyto, target, source),
        fault=shortest(touch) / (64 * MEGABYTE),
        flops=2 * DEGREE * numbers.size * repeats / shortest(polynomials, numbers, repeats, out),
    )


def report(bounds: Bounds) -> list[str]:
    """A table of the bounds."""
    return table(
        ["one core", ""],
        [
            ["clock", f"{number(bounds.clock / 1e9)} GHz"],
            ["memory copy, bytes read and written", f"{number(bounds.copy / 1e9)} GB/s"],
            ["new memory, touched for the first time", f"{number(1e9 * bounds.fault)} ns/byte"],
            ["single-precision arithmetic", f"{number(bounds.flops / 1e9)} GFLOP/s"],
            ["the same, a cycle", f"{number(bounds.flops / bounds.clock)} FLOP"],
        ],
    )
