"""Time, compared fairly: A B A B ... in one process, the best of many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

Call = Callable[[], Any]

#: Seconds that a turn lasts at least, in as many calls as it takes: the first one of a turn finds
#: the caches full of what another program has left there, and would decide for small pictures.
TURN = 0.02


def once(call: Call) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def best(calls: Mapping[str, Call], budget: float, least: int = 2) -> dict[str, float]:
    """Shortest time of each call, in seconds.

    They take turns (TURN), for `budget` seconds and at least `least` times; the first turn, in
    which things are compiled or read, is not the only one then.
    """
    shortest = dict.fromkeys(calls, math.inf)
    end = time.perf_counter() + budget
    rounds = 0
    while rounds < least or time.perf_counter() < end:
        for name, call in calls.items():
            turn = time.perf_counter() + TURN
            while time.perf_counter() < turn:
                shortest[name] = min(shortest[name], once(call))
        rounds += 1
    return shortest
