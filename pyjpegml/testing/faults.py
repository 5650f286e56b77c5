"""Hypothesis strategies for damaged streams: a valid one plus named faults.

What a fault is stands in :mod:`pyjpegml.testing.damage`, what each one does in
:mod:`~pyjpegml.testing.damage_bytes` and :mod:`~pyjpegml.testing.damage_headers`; here they are
drawn and applied.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection

from hypothesis import assume
from hypothesis import strategies as st

from . import damage_bytes, damage_headers  # noqa: F401 -- each registers its faults
from .damage import KINDS, Edit
from .stream import Corrupted, Fault, Stream
from .streams import jpeg_streams

FAULTS = tuple(KINDS)
"""Names of all faults."""


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
