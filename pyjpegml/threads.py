"""Threads, for callers that ask for them.

Kernels release the interpreter's lock, so plain Python threads run them side by side. They live no
longer than the call that uses them: nothing is left for a ``fork`` to break, and none is ever
shared by two calls.
"""

from __future__ import annotations

import _thread
import operator
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

#: Seconds that a thread naps then.
NAP = 5e-5


def check_threads(threads: int | None) -> None:
    """Refuse what is no number of threads."""
    if threads is None:
        return
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise TypeError(f"threads is a number or None, not {threads!r}")
    if operator.index(threads) < 1:
        raise ValueError(f"threads is 1 or more, or None for all useful cores, not {threads}")


def useful_threads(threads: int | None, most: int) -> int:
    """How many threads to use.

    Parameters
    ----------
    threads : int or None
        What the caller allows; None for all cores.
    most : int
        How many would have enough to do.
    """
    if most <= 1 or threads == 1:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(operator.index(threads or cores or 1), most))


class Crew:
    """Some threads that do what the caller does: ``with Crew(4) as crew: crew.all(task)``.

    The caller is one of them. They are started with the block, so that they are awake when first
    needed, and end with it. They are plain threads of the module ``_thread``: whoever starts one
    of ``threading`` waits until it runs, a time in which thousands of pixels could be encoded.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int) -> None:
        self._reports: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None
        self._orders: list[SimpleQueue[Callable[[int], object] | None]] = [
            SimpleQueue() for _ in range(threads - 1)
        ]
        self._present: list[_thread.LockType] = []  # each is locked as long as its thread lives

    def __enter__(self) -> Crew:
        try:
            for k, orders in enumerate(self._orders, 1):
                present = _thread.allocate_lock()
                present.acquire()
                _thread.start_new_thread(self._serve, (k, orders, present))
                self._present.append(present)
        except BaseException:
            self._dismiss()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._error = self._error or error  # nobody is to wait for a thread that has left
        try:
            self._dismiss()
        except BaseException:  # interrupted
            self._dismiss()
            raise

    def _dismiss(self) -> None:
        """Let all threads end, and wait until they have."""
        for orders in self._orders:
            orders.put(None)
        for present in self._present:
            with present:
                pass

    def __len__(self) -> int:
        return 1 + len(self._orders)

    def _serve(
        self, k: int, orders: SimpleQueue[Callable[[int], object] | None], present: _thread.LockType
    ) -> None:
        try:
            while task := orders.get():
                self._do(task, k)
                self._reports.put(None)
        finally:
            present.release()

    def _do(self, task: Callable[[int], object], k: int) -> None:
        try:
            task(k)
        except BaseException as error:
            self._error = self._error or error

    def all(self, task: Callable[[int], object]) -> None:
        """``task(k)`` in thread k, for all of them at the same time, the caller's being 0.

        Returns when all are done, and raises what any of them raised first.
        """
        for orders in self._orders:
            orders.put(task)
        self._do(task, 0)
        for _ in self._orders:
            self._reports.get()
        if self._error is not None:
            raise self._error

    def wait(self, done: threading.Event) -> None:
        """Wait, within a task, for what another one does; not if any has failed."""
        while not done.wait(0.1):
            self.check()

    def get(self, queue: SimpleQueue[T]) -> T:
        """What another one puts, within a task, into a queue; not if any has failed."""
        while True:
            try:
                return queue.get(timeout=0.1)
            except Empty:
                self.check()

    def nap(self) -> None:
        """Let others run, within a task that waits for them; not if any has failed."""
        self.check()
        time.sleep(NAP)

    def check(self) -> None:
        """RuntimeError if a thread of this call has failed, on which others may wait in vain."""
        if self._error is not None:
            raise RuntimeError("another thread of this call has failed")

    def each(self, task: Callable[[int], T], count: int) -> deque[T]:
        """The results of ``task(0)`` to ``task(count - 1)``, which the threads take in turn.

        A task may :meth:`wait` for what one of a lower number does. The first exception is raised
        when the tasks that have begun are over; no others begin then.
        """
        results: dict[int, T] = {}
        numbers = iter(range(count))

        def work(k: int) -> None:
            try:
                for i in numbers:
                    results[i] = task(i)
            finally:
                deque(numbers, maxlen=0)  # after an exception nobody finds another number

        self.all(work)
        return deque(results[i] for i in range(count))
