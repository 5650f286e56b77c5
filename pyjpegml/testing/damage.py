"""The named faults: how a sound stream is damaged, and what a decoder may make of it.

Each fault is a function of a stream and of one of its parts, registered with the parts that it can
be applied to. Verdicts are those of T.81, not of any decoder:

- ``"error"``: the standard forbids it, and the picture depends on it. An error (or a warning, from
  decoders that always return a picture) has to come.
- ``"same"``: nothing that the picture depends on has changed. A decoder gives the same content,
  with a warning or without.
- ``"any"``: it may be noticed or not; a decoder raises an error or returns some picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from .stream import Stream


@dataclass(frozen=True)
class Edit:
    """Bytes `start` to `stop` of a file are replaced by others."""

    start: int
    stop: int
    data: bytes


@dataclass(frozen=True)
class Damage:
    """A fault that is about to be made: edits in ascending order, what it is, and the verdict."""

    edits: tuple[Edit, ...]
    detail: str
    verdict: str


Make = Callable[[st.DrawFn, Stream, int], Damage]


@dataclass(frozen=True)
class Kind:
    """A named fault: to which parts of a stream it applies, and the damage that it does there."""

    places: Callable[[Stream], Sequence[int]]
    make: Make


KINDS: dict[str, Kind] = {}
"""All faults by name."""


def fault(name: str, places: Callable[[Stream], Iterable[int]]) -> Callable[[Make], Make]:
    """Register a fault under its name."""

    def register(make: Make) -> Make:
        KINDS[name] = Kind(lambda stream: list(places(stream)), make)
        return make

    return register


# --- places ---------------------------------------------------------------------------------------


def named(*names: str) -> Callable[[Stream], list[int]]:
    """Parts of these names; ``"SOF"`` and ``"RST"`` stand for all of theirs."""

    def places(stream: Stream) -> list[int]:
        return [i for i, p in enumerate(stream.parts) if p.name in names or p.name[:3] in names]

    return places


def when(
    condition: Callable[[Stream], bool], places: Callable[[Stream], Iterable[int]]
) -> Callable[[Stream], Iterable[int]]:
    """Places in streams of a kind, none in others."""
    return lambda stream: places(stream) if condition(stream) else ()


def is_huffman(stream: Stream) -> bool:
    """Whether codes are Huffman's."""
    return not stream.frame.arithmetic


def interleaved(stream: Stream) -> bool:
    """Whether components share a scan."""
    return any(len(scan.components) > 1 for scan in stream.scans)


def is_arithmetic(stream: Stream) -> bool:
    """Whether the entropy coder is the arithmetic one."""
    return stream.frame.arithmetic


def has_height(stream: Stream) -> bool:
    """Whether the frame header says the height."""
    return not any(p.name == "DNL" for p in stream.parts)


def entropy_coded(stream: Stream) -> list[int]:
    """Restart intervals that are not empty."""
    return [i for i, p in enumerate(stream.parts) if p.name == "ECS" and p.data]


def with_length(stream: Stream) -> list[int]:
    """Marker segments with parameters."""
    return [i for i, p in enumerate(stream.parts) if p.has_length]


def between_segments(stream: Stream) -> list[int]:
    """Markers before which other bytes may be put: all but SOI, RST, and DNL."""
    return [
        i
        for i, p in enumerate(stream.parts)
        if (p.has_length and p.name != "DNL") or p.name == "EOI"
    ]


# --- edits ----------------------------------------------------------------------------------------


def span_of(stream: Stream, i: int) -> tuple[int, int]:
    """Where a part starts and ends."""
    return stream.offsets[i], stream.offsets[i] + len(stream.parts[i].data)


def start_of(stream: Stream, i: int) -> tuple[int, bool]:
    """Offset of a marker or of its fill bytes, and whether entropy-coded data stand before it."""
    while stream.parts[i - 1].name == "fill":
        i -= 1
    return stream.offsets[i], stream.parts[i - 1].name == "ECS"


def replace_part(stream: Stream, i: int, data: bytes) -> tuple[Edit, ...]:
    """A part becomes other bytes."""
    return (Edit(*span_of(stream, i), data),)


def set_bytes(stream: Stream, i: int, at: int, *values: int) -> tuple[Edit, ...]:
    """Bytes of a part change."""
    start = stream.offsets[i] + at
    return (Edit(start, start + len(values), bytes(values)),)


def scan_number(stream: Stream, i: int) -> int:
    """Which scan an SOS part belongs to."""
    return sum(p.name == "SOS" for p in stream.parts[:i])


def last_of(stream: Stream, *names: str) -> int:
    """The last part of one of these names."""
    return max(i for i, p in enumerate(stream.parts) if p.name in names)


def span_of_scan(stream: Stream, i: int) -> tuple[int, int]:
    """Where a scan starts and ends: SOS and its entropy-coded data."""
    end = i + 1
    while stream.parts[end].name in ("ECS", "fill") or stream.parts[end].name.startswith("RST"):
        end += 1
    while stream.parts[end - 1].name == "fill":
        end -= 1  # they belong to the next marker
    return stream.offsets[i], stream.offsets[end]
