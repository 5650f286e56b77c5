"""Sound scan scripts of any kind, for several test files."""

from __future__ import annotations

from hypothesis import strategies as st

from pyjpegml.scripts import Sampling, Scan, interleaved


@st.composite
def _passes(draw: st.DrawFn, component: int, first: int, last: int, depth: int) -> list[Scan]:
    """Scans of a part of a component's AC, in order: any bands, refined in any others."""
    scans = []
    for low in range(depth, -1, -1):
        edges = draw(st.sets(st.integers(first, last), max_size=3))
        starts = sorted({first} | edges)
        ends = [start - 1 for start in starts[1:]] + [last]
        high = 0 if low == depth else low + 1
        bands = [Scan((component,), *band, high, low) for band in zip(starts, ends, strict=True)]
        scans += draw(st.permutations(bands))
    return scans


@st.composite
def sound_scripts(draw: st.DrawFn, sampling: Sampling, deepest: int = 3) -> list[Scan]:
    """Scripts that send all bits: DC together or not, AC in bands of their own depths."""
    every = range(len(sampling))
    groups = interleaved(every, sampling)
    if draw(st.booleans()):
        groups = [(i,) for i in every]
    lines: list[list[Scan]] = []
    script = []
    for group in groups:
        depth = draw(st.integers(0, deepest))
        script.append(Scan(group, 0, 0, 0, depth))
        lines.append([Scan(group, 0, 0, low + 1, low) for low in range(depth - 1, -1, -1)])
    for i in every:
        border = draw(st.integers(1, 63))
        for first, last in ((1, border), (border + 1, 63)):
            if first <= last:
                lines.append(draw(_passes(i, first, last, draw(st.integers(0, deepest)))))
    while lines := [line for line in lines if line]:  # each in its order, together in any
        script.append(draw(st.sampled_from(lines)).pop(0))
    return script
