"""Kernels of several threads that write to the same memory."""

from __future__ import annotations

import threading

import numpy as np

from pyjpegml._jit import kernel
from pyjpegml.locks import announce, let_in, lock, unlock, wait_for_news


@kernel
def add_often(numbers, counts, times):
    """Add to three sums in a way that loses some if others come between."""
    for _ in range(times):
        lock(numbers, 1)
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


@kernel
def lock_only(numbers, owner):
    lock(numbers, owner)


def test_a_lock_that_was_left_is_opened_for_its_owner() -> None:
    numbers, counts = np.zeros(16, np.int64), np.zeros(3, np.int64)
    add_often(numbers, counts, 0)  # compiles
    lock_only(numbers, 3)
    waiting = threading.Thread(target=add_often, args=(numbers, counts, 1), daemon=True)
    waiting.start()
    let_in(numbers, 2)
    waiting.join(0.2)
    assert waiting.is_alive()
    let_in(numbers, 3)
    waiting.join(3600)
    assert counts.tolist() == [1] * 3
    assert not numbers[:2].any()


def test_waiting_ends_with_news_or_patience() -> None:
    numbers, counts = np.zeros(16, np.int64), np.zeros(3, np.int64)
    add_often(numbers, counts, 0)  # compiles
    assert look(numbers, 0, 100) == 0
    seen: list[int] = []
    waiting = threading.Thread(target=lambda: seen.append(look(numbers, 0, 2**62)))
    waiting.start()
    add_often(numbers, counts, 1)
    waiting.join(3600)
    assert seen == [1]
