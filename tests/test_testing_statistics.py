"""What the testing kit generates: all that it lists, in few examples, whatever the seed."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

from pyjpegml.testing import (
    FAULTS,
    FEATURES,
    PROCESSES,
    TRAITS,
    Corrupted,
    Stream,
    corrupted,
    jpeg_streams,
    long_runs,
    streams,
)

Value = Stream | Corrupted

GENERATE = settings(database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
DAMAGED = corrupted(jpeg_streams(max_size=16))


def names_of(value: Value) -> frozenset[str]:
    if isinstance(value, Corrupted):
        return frozenset(fault.name for fault in value.faults)
    return value.features | value.traits


def count(strategy: st.SearchStrategy[Value], examples: int, number: int = 0) -> Counter[str]:
    """How many examples have which names."""
    seen: Counter[str] = Counter()

    @seed(number)
    @settings(GENERATE, max_examples=examples)
    @given(strategy)
    def look(value: Value) -> None:
        seen.update(names_of(value))

    look()
    return seen


def count_streams(times: int, number: int = 0) -> Counter[str]:
    """The same of streams of all processes, and of long runs."""
    seen = count(long_runs(), 30 * times, number)
    for process in PROCESSES:
        examples = 450 if process == "lossless" else 150  # it has fifteen precisions
        seen += count(jpeg_streams([process], 24, complete=False), examples * times, number)
    return seen


def seek(strategy: st.SearchStrategy[Value], name: str) -> None:
    """Find an example with this name, or fail."""
    options = settings(GENERATE, max_examples=5000)
    find(strategy, lambda value: name in names_of(value), settings=options, random=Random(0))


def test_every_feature_and_trait_is_generated() -> None:
    """In some thousand streams; what another version of Hypothesis misses there is sought."""
    seen = count_streams(1)
    assert set(seen) <= {*FEATURES, *TRAITS}
    for name in (*FEATURES, *TRAITS):
        if not seen[name]:
            of_runs = "EOB" in name or "end-of-band" in name
            seek(long_runs() if of_runs else jpeg_streams(max_size=24, complete=False), name)


def test_every_fault_is_generated() -> None:
    seen = count(DAMAGED, 300)
    assert set(seen) <= set(FAULTS)
    for name in FAULTS:
        if not seen[name]:  # few streams can have it
            seek(corrupted(jpeg_streams(max_size=16), faults=[name]), name)


@pytest.mark.long
@pytest.mark.parametrize("number", range(5))
def test_more_examples_miss_nothing(number: int) -> None:
    seen = count_streams(6, number) + count(DAMAGED, 3000, number)
    assert not {*FEATURES, *TRAITS, *FAULTS} - set(seen), sorted(seen.items())


def test_hypothesis_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """``pytest --hypothesis-show-statistics`` shows it."""
    events: list[str] = []
    monkeypatch.setattr(streams, "event", events.append)

    @settings(GENERATE, max_examples=20)
    @given(jpeg_streams(max_size=16))
    def look(stream: Stream) -> None:
        assert set(events) == names_of(stream)
        events.clear()

    look()
