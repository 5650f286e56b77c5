"""Kernels of several threads that write to the same memory."""

from __future__ import annotations

import threading

import numpy as np

from pyjpegml._jit import kernel
from pyjpegml.locks import announce, lock, unlock, wait_for_news


@kernel
def add_often(numbers, counts, times):
    """Add to three sums in a way that loses some if others come between."""
    for _ in range(times):
        lock(numbers)
        for i in range(counts.size):
            counts[i] = counts[i] + 1 if counts[i] == counts[0] - (i > 0) else -(10**9)
        announce(numbers)
        unlock(numbers)
    return counts[0]


@kernel
def look(numbers, known, patience):
    return 1 if wait_for_news(numbers, known, patience) else 0


def test_one_thread_at_a_time() -> None:
    """No addition is lost, and nobody sees the sums half changed."""
    numbers, counts, times = np.zeros(16, np.int64), np.zeros(3, np.int64), 20_000
    add_often(numbers, counts, 0)
    threads = [threading.Thread(target=add_often, args=(numbers, counts, times)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.tolist() == [4 * times] * 3
    assert numbers[8] == 4 * times
    assert numbers[0] == 0


def test_waiting_ends_with_news_or_patience() -> None:
    numbers = np.zeros(16, np.int64)
    assert look(numbers, 0, 100) == 0
    seen: list[int] = []
    waiting = threading.Thread(target=lambda: seen.append(look(numbers, 0, 10**10)))
    waiting.start()
    add_often(numbers, np.zeros(3, np.int64), 1)
    waiting.join(60)
    assert seen == [1]
