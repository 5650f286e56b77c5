"""Threads: what they return, what they raise, and that none of them is left behind."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from pyjpegml import threads


@pytest.fixture(autouse=True)
def _none_left() -> None:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_numbers_of_threads() -> None:
    assert threads.useful_threads(3, 100) == 3
    assert threads.useful_threads(3, 2) == 2
    assert threads.useful_threads(1, 0) == 1
    assert threads.useful_threads(None, 10**6) >= 1
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            threads.check_threads(wrong)
    for wrong in (True, 1.0, "2"):
        with pytest.raises(TypeError, match="a number or None"):
            threads.check_threads(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_returns_results_in_order(count: int) -> None:
    def task(i: int) -> int:
        time.sleep(0.001 * (i % 3))
        return i * i

    with threads.Crew(count) as crew:
        assert list(crew.each(task, 20)) == [i * i for i in range(20)]
        assert list(crew.each(task, 0)) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_raises_and_begins_no_more(count: int) -> None:
    """The others are held in their tasks until one has failed, and then come back for more."""
    begun = []

    def task(i: int) -> None:
        begun.append(i)
        if i == 2:
            raise KeyError(i)
        if i > 2:
            with suppress(RuntimeError):
                crew_.wait(threading.Event())

    with pytest.raises(KeyError), threads.Crew(count) as crew_:
        crew_.each(task, 1000)
    assert len(begun) <= 3 + count - 1


def test_nobody_waits_for_a_task_that_failed() -> None:
    done = [threading.Event() for _ in range(3)]

    def task(i: int) -> None:
        if i == 0:
            time.sleep(0.02)
            raise KeyError(i)
        crew_.wait(done[i - 1])

    with pytest.raises(KeyError), threads.Crew(3) as crew_:
        crew_.each(task, 3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_crew_does_everything_at_the_same_time(count: int) -> None:
    together = threading.Barrier(count)
    names = set()

    def task(k: int) -> None:
        together.wait(timeout=3600)
        names.add((k, threading.get_ident()))

    with threads.Crew(count) as crew:
        assert len(crew) == count
        for _ in range(3):
            crew.all(task)
    assert sorted(k for k, _ in names) == list(range(count))
    assert (0, threading.get_ident()) in names


@pytest.mark.parametrize("who", [0, 1, 2])
def test_crew_raises_what_any_of_them_raises(who: int) -> None:
    def task(k: int) -> None:
        if k == who:
            raise KeyError(k)

    with pytest.raises(KeyError), threads.Crew(3) as crew:
        crew.all(task)


def test_interrupted_caller_leaves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def task(k: int) -> None:
        if k == 0:
            raise KeyboardInterrupt
        time.sleep(0.02)
        done.append(k)

    with pytest.raises(KeyboardInterrupt), threads.Crew(3) as crew:
        crew.all(task)
    assert sorted(done) == [1, 2]
