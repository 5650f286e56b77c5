"""Hypothesis strategies for damaged streams: a valid one plus named faults.

What a fault is stands in :mod:`pyjpegml.testing.damage`, what each one does in
:mod:`~pyjpegml.testing.damage_bytes` and :mod:`~pyjpegml.testing.damage_headers`; here they are
drawn and applied.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from . import damage_bytes, damage_headers  # noqa: F401 -- each registers its faults
from .damage import ANY, ERROR, KINDS, SAME, Edit
from .stream import Stream
from .streams import jpeg_streams

FAULTS = tuple(KINDS)
"""Names of all faults."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file.

    Attributes
    ----------
    name : str
        One of :data:`FAULTS`.
    offset : int
        First byte of the damaged file that differs for it.
    part : str
        Part of the sound file in which it is: a marker, or ``"ECS"`` in entropy-coded data.
    detail : str
        For people.
    verdict : str
        ``"error"``, ``"same"`` or ``"any"``: see :mod:`pyjpegml.testing.damage`.
    """

    name: str
    offset: int
    part: str
    detail: str
    verdict: str


@dataclass(frozen=True, eq=False, repr=False)
class Corrupted:
    """A damaged file.

    Attributes
    ----------
    data : bytes
        The file.
    faults : tuple of Fault
        What is wrong with it, in the order of their offsets.
    stream : Stream
        The sound file that it was.
    """

    data: bytes
    faults: tuple[Fault, ...]
    stream: Stream

    @property
    def fault(self) -> Fault:
        """The first fault."""
        return self.faults[0]

    @property
    def verdict(self) -> str:
        """What a decoder may make of all faults together.

        One that needs an error need not be reached if there are others.
        """
        verdicts = {fault.verdict for fault in self.faults}
        if verdicts == {SAME}:
            return SAME
        return ERROR if verdicts == {ERROR} else ANY

    def text(self) -> str:
        """Faults and the sound stream, for people."""
        lines = [
            f"{fault.name} in {fault.part} at byte {fault.offset}: {fault.detail} "
            f"(verdict: {fault.verdict})"
            for fault in self.faults
        ]
        shown = self.data[:200].hex(" ") + (" ..." if len(self.data) > 200 else "")
        return "\n".join(
            [*lines, f"{len(self.data)} bytes: {shown}", "it was:", self.stream.text()]
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis prints of a failing example."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        return f"<Corrupted\n{self.text()}>"


@st.composite
def corrupted(
    draw: st.DrawFn,
    streams: st.SearchStrategy[Stream] | None = None,
    faults: Collection[str] = FAULTS,
    max_faults: int = 1,
) -> Corrupted:
    """Damaged JPEG files: valid ones with one or several named faults.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.
    streams : strategy of Stream, optional
        What is damaged; :func:`jpeg_streams` of small pictures without it.
    faults : collection of str
        Names of :data:`FAULTS` that may come. Faults that a stream cannot have are passed over.
    max_faults : int
        How many there may be in a file.

    Returns
    -------
    strategy of Corrupted

    Raises
    ------
    ValueError
        At the first example: of a fault that does not exist.

    Examples
    --------
    >>> from hypothesis import find
    >>> damaged = find(corrupted(faults=["missing EOI"]), lambda damaged: True)
    >>> damaged.fault.part, damaged.verdict, damaged.data == damaged.stream.data[:-2]
    ('EOI', 'same', True)
    """
    unknown = sorted(set(faults) - set(KINDS))
    if unknown:
        raise ValueError(f"no such fault: {unknown[0]!r}; there are {', '.join(KINDS)}")
    stream = draw(jpeg_streams(max_size=24) if streams is None else streams)
    possible = {name: places for name in faults if (places := KINDS[name].places(stream))}
    assume(possible)
    edits: list[Edit] = []
    found: list[Fault] = []
    for _ in range(draw(st.integers(1, max_faults))):
        name = draw(st.sampled_from(list(possible)))
        part = draw(st.sampled_from(possible[name]))
        damage = KINDS[name].make(draw, stream, part)
        if any(a.start <= b.stop and b.start <= a.stop for a in damage.edits for b in edits):
            continue  # it would touch another fault
        start = damage.edits[0].start
        at = bisect_right(stream.offsets, start) - 1
        found.append(Fault(name, start, stream.parts[at].name, damage.detail, damage.verdict))
        edits += damage.edits
    return Corrupted(*_apply(stream, edits, found), stream)


def _apply(
    stream: Stream, edits: list[Edit], faults: list[Fault]
) -> tuple[bytes, tuple[Fault, ...]]:
    """The edited file, and the faults with offsets in it."""
    data = stream.data
    for edit in sorted(edits, key=lambda edit: -edit.start):
        data = data[: edit.start] + edit.data + data[edit.stop :]
    moved = []
    for fault in sorted(faults, key=lambda fault: fault.offset):
        grown = sum(
            len(edit.data) - (edit.stop - edit.start)
            for edit in edits
            if edit.stop <= fault.offset and edit.start < fault.offset
        )
        moved.append(
            Fault(fault.name, fault.offset + grown, fault.part, fault.detail, fault.verdict)
        )
    return data, tuple(moved)
