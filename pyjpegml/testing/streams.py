"""Hypothesis strategies for JPEG streams: legal files of every shape that T.81 allows.

Everything shrinks: to fewer and simpler scans, to one component, to a picture of one pixel, and
coefficients to a few or none. Dense coefficients come from a seed, cut to a window of those that
are not zero, so that they shrink as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import assume, event
from hypothesis import strategies as st

from .content import coefficients, inverse_dct, samples
from .parameters import groups, qtables, sampling_factors, sampling_features, scan_scripts
from .stream import PROCESSES, Component, Frame, Scan, Stream
from .tables import AC, DC, Coding
from .writer import COM, Content, Layout, component_tables, is_complete, reached, write_stream

FEATURES = {
    "12 bits": "samples of 12 bits in a process with a DCT",
    "16-bit tables": "quantization tables of 16 bits (with 8-bit samples beyond T.81, but common)",
    "any identifiers": "component identifiers other than 1, 2, 3 or the letters R, G, B",
    "changed qtables": "a slot that gets a new quantization table between scans",
    "cut short": "a progressive file that ends before the last bits of all coefficients",
    "DAC": "conditioning of arithmetic tables",
    "DNL": "the height is defined behind the first scan",
    "far out of range": "coefficients cut so short that samples lie far beyond white or black",
    "fill bytes": "FF bytes before markers",
    "fractional sampling": "sampling factors that do not divide the largest one",
    "larger chroma": "a first component that is not the largest one",
    "multiple scans": "a sequential or lossless file of more than one scan",
    "odd codes": "Huffman tables that are not made for their data",
    "other segments": "APPn and COM segments anywhere",
    "restarts": "restart intervals, which may change from scan to scan",
    "trailing bytes": "bytes behind EOI",
}
"""Names of what is unusual about a stream, and what they mean."""


def _precisions(process: str) -> tuple[int, ...]:
    if process == "lossless":
        return (8, *range(2, 8), *range(9, 17))
    return (8,) if process == "baseline" else (8, 12)


@st.composite
def _layouts(draw: st.DrawFn, frame: Frame, without: Collection[str]) -> Layout:
    """Markers of colour, and what else stands in a file."""
    count = len(frame.components)
    some = st.integers(0, 3).map(lambda n: n == 3)
    segments: list[tuple[int, int, bytes]] = []
    fill: list[tuple[int, int]] = []
    if "other segments" not in without and draw(some):
        code = st.sampled_from([COM, 0xE2, 0xE3, 0xEF])
        segments = draw(
            st.lists(
                st.tuples(st.integers(0, 40), code, st.binary(max_size=20)), min_size=1, max_size=3
            )
        )
    if "fill bytes" not in without and draw(some):
        fill = draw(
            st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4)), min_size=1, max_size=4)
        )
    trailing = b""
    if "trailing bytes" not in without and draw(some):
        trailing = draw(st.binary(min_size=1, max_size=12) | st.just(b"\xff\xd8\xff\xd9"))
    return Layout(
        jfif=count in (1, 3) and draw(st.booleans()),
        adobe=draw(st.sampled_from({3: [None, 0, 1], 4: [None, 0, 2]}.get(count, [None]))),
        dnl="DNL" not in without and draw(some),
        one_segment=draw(st.booleans()),
        wide_qtables="16-bit tables" not in without and frame.precision == 12 and draw(some),
        frame_last=draw(st.booleans()),
        segments=tuple(segments),
        fill=tuple(fill),
        trailing=trailing,
    )


@st.composite
def _scans(
    draw: st.DrawFn, frame: Frame, complete: bool, without: Collection[str]
) -> tuple[Scan, ...]:
    """All scans of a frame."""
    factors = [(c.h, c.v) for c in frame.components]
    script: Sequence[tuple[tuple[int, ...], int, int, int, int]]
    if frame.progressive:
        script = draw(scan_scripts(factors, complete))
    elif "multiple scans" in without:
        script = [(tuple(range(len(factors))), 0, 63, 0, 0)]
    else:
        script = [(group, 0, 63, 0, 0) for group in draw(groups(factors))]
    slot = st.integers(0, 1 if frame.process == "baseline" else 3)
    usual_interval = 0
    if "restarts" not in without and draw(st.booleans()):
        usual_interval = draw(st.integers(1, 3) | st.integers(1, 200))
    eob_limit = draw(st.sampled_from([0x7FFF, 0x7FFF, 1, 2, 5])) if frame.progressive else 0x7FFF
    scans: list[Scan] = []
    for group, start, end, high, low in script:
        if frame.lossless:
            start = draw(st.integers(1, 7))
            low = draw(st.integers(0, frame.precision - 1)) if draw(st.booleans()) else 0
            high = end = 0
        codes_dc = frame.lossless or (start == 0 and (high == 0))
        codes_ac = not frame.lossless and end > 0
        slots = tuple((draw(slot) if codes_dc else 0, draw(slot) if codes_ac else 0) for _ in group)
        interval = 0
        if usual_interval:
            interval = draw(st.sampled_from([usual_interval, usual_interval, 0, 1]))
            if frame.lossless:  # whole rows of MCUs (T.81 H.1.1)
                across = frame.unit_size(group[0])[1] if len(group) == 1 else frame.mcu_size()[1]
                interval *= across
        conditioning: dict[tuple[int, int], int] = {}
        if frame.arithmetic and "DAC" not in without and draw(st.integers(0, 2)) == 2:
            for dc, ac in slots:
                if codes_dc:
                    lower = draw(st.integers(0, 15))
                    conditioning[DC, dc] = 16 * draw(st.integers(lower, 15)) + lower
                if codes_ac:
                    conditioning[AC, ac] = draw(st.integers(1, 63))
        if scans:  # what was said before holds until it is said anew
            conditioning = {**scans[-1].conditioning, **conditioning}
        scans.append(Scan(group, slots, start, end, high, low, interval, conditioning, eob_limit))
    return tuple(scans)


@st.composite
def _content(
    draw: st.DrawFn, frame: Frame, scans: Sequence[Scan], without: Collection[str]
) -> Content:
    """Coefficients and their tables, or samples."""
    count = range(len(frame.components))
    sizes = [frame.padded_size(i) for i in count]
    if frame.lossless:
        return Content(draw(samples(sizes, frame.precision)))
    largest = 255
    if "16-bit tables" not in without and frame.process != "baseline" and draw(st.booleans()):
        largest = 4000
    changing = (
        not frame.progressive
        and len(scans) > 1
        and "changed qtables" not in without
        and draw(st.booleans())
    )
    tables: dict[tuple[int, int], npt.NDArray[np.uint16]] = {}
    of_component: dict[int, npt.NDArray[np.uint16]] = {}
    for number, scan in enumerate(scans):
        for i in scan.components:
            slot = frame.components[i].table
            defined = [n for n, s in tables if s == slot]
            if i in of_component:
                continue
            if not defined or (changing and number not in defined):
                tables[number, slot] = draw(qtables(largest))
                defined.append(number)
            of_component[i] = tables[max(defined), slot]
    units = draw(coefficients(sizes, [of_component[i] for i in count], frame.precision))
    return Content(units, tables)


def _features(
    frame: Frame, scans: Sequence[Scan], content: Content, coding: Coding, layout: Layout
) -> set[str]:
    """Which of :data:`FEATURES` a stream has."""
    identifiers = tuple(c.identifier for c in frame.components)
    usual = tuple(range(1, len(identifiers) + 1))
    tables = content.qtables
    wide = layout.wide_qtables or any(int(table.max()) > 255 for table in tables.values())
    present = {
        "12 bits": frame.precision == 12 and not frame.lossless,
        "16-bit tables": wide and not frame.lossless,
        "any identifiers": identifiers != usual and bytes(identifiers) != b"RGB",
        "changed qtables": len({slot for _, slot in tables}) < len(tables),
        "cut short": not is_complete(frame, scans),
        "DAC": any(scan.conditioning for scan in scans),
        "DNL": layout.dnl,
        "far out of range": not is_complete(frame, scans) and _is_far_out(frame, scans, content),
        "fill bytes": bool(layout.fill),
        "multiple scans": not frame.progressive and len(scans) > 1,
        "odd codes": coding.kind not in ("optimal", "standard") and not frame.arithmetic,
        "other segments": bool(layout.segments),
        "restarts": any(scan.restart_interval for scan in scans),
        "trailing bytes": bool(layout.trailing),
    }
    factors = [(c.h, c.v) for c in frame.components]
    return {name for name, there in present.items() if there} | sampling_features(factors)


def _is_far_out(frame: Frame, scans: Sequence[Scan], content: Content) -> bool:
    """Whether samples lie more than the whole range outside of it: there decoders wrap around."""
    half = 1 << (frame.precision - 1)
    told = zip(reached(frame, scans, content), component_tables(frame, scans, content), strict=True)
    return any(np.abs(inverse_dct(units * table)).max() >= 3 * half for units, table in told)


@st.composite
def jpeg_streams(
    draw: st.DrawFn,
    processes: Collection[str] = tuple(PROCESSES),
    max_size: int = 48,
    components: Collection[int] = (1, 2, 3, 4),
    precisions: Collection[int] = tuple(range(2, 17)),
    complete: bool = True,
    without: Collection[str] = (),
) -> Stream:
    """Valid JPEG files and their exact content.

    Parameters
    ----------
    draw
        Given by Hypothesis; not an argument of callers.
    processes : collection of str
        Coding processes, of :data:`~pyjpegml.testing.PROCESSES`.
    max_size : int
        Largest width and height.
    components : collection of int
        How many components there may be, 1 to 4.
    precisions : collection of int
        Bits of a sample; those that a process does not have are passed over.
    complete : bool
        Whether progressive files hold all bits of all coefficients; if not, some stop early.
    without : collection of str
        Names of :data:`~pyjpegml.testing.FEATURES` that must not come.

    Returns
    -------
    strategy of Stream

    Raises
    ------
    ValueError
        At the first example: of a process or a feature that does not exist, or if no process has
        the precisions.

    Examples
    --------
    >>> from hypothesis import find
    >>> stream = find(jpeg_streams(processes=["progressive"]), lambda stream: True)
    >>> stream.frame.width, stream.coefficients[0].shape, stream.color_model
    (1, (1, 1, 8, 8), 'grey')
    """
    _check("process", processes, PROCESSES)
    _check("feature", without, FEATURES)
    process, precision = _process(draw, processes, precisions, without)
    count = draw(st.sampled_from(sorted(components)))
    factors = draw(sampling_factors(count, without))
    if "multiple scans" in without and count > 1:
        assume(sum(h * v for h, v in factors) <= 10)
    identifiers = draw(_identifiers(count, without))
    size = st.integers(1, min(16, max_size)) | st.integers(1, max_size)
    slot = st.integers(0, 3)
    frame = Frame(
        process,
        precision,
        draw(size),
        draw(size),
        tuple(
            Component(identifier, h, v, 0 if process == "lossless" else draw(slot))
            for identifier, (h, v) in zip(identifiers, factors, strict=True)
        ),
    )
    scans = draw(_scans(frame, complete or "cut short" in without, without))
    content = draw(_content(frame, scans, without))
    layout = draw(_layouts(frame, without))
    coding = Coding() if frame.arithmetic else draw(_codings("odd codes" not in without))
    features = _features(frame, scans, content, coding, layout)
    assume("far out of range" not in features or "far out of range" not in without)
    return told(write_stream(frame, scans, content, coding, layout, features))


def told(stream: Stream) -> Stream:
    """The same stream, counted: ``pytest --hypothesis-show-statistics`` shows what came."""
    for what in sorted(stream.features | stream.traits):
        event(what)
    return stream


def _check(what: str, given: Collection[str], known: Mapping[str, object]) -> None:
    wrong = sorted(set(given) - set(known))
    if wrong:
        raise ValueError(f"no such {what}: {wrong[0]!r}; there are {', '.join(known)}")


def _process(
    draw: st.DrawFn,
    processes: Collection[str],
    precisions: Collection[int],
    without: Collection[str],
) -> tuple[str, int]:
    """A process and a precision that it has."""
    possible = {
        process: [
            p
            for p in _precisions(process)
            if p in precisions and (process == "lossless" or p == 8 or "12 bits" not in without)
        ]
        for process in PROCESSES
        if process in processes
    }
    possible = {process: have for process, have in possible.items() if have}
    if not possible:
        raise ValueError(f"none of {list(processes)} has samples of {sorted(precisions)} bits")
    process = draw(st.sampled_from(list(possible)))
    return process, draw(st.sampled_from(possible[process]))


def _identifiers(count: int, without: Collection[str]) -> st.SearchStrategy[Sequence[int]]:
    kinds: list[st.SearchStrategy[Sequence[int]]] = [st.just(range(1, count + 1))]
    if count == 3:
        kinds.append(st.just(b"RGB"))
    if "any identifiers" not in without:
        kinds.append(st.just(range(count)))
        kinds.append(st.lists(st.integers(0, 255), min_size=count, max_size=count, unique=True))
    return st.one_of(kinds)


@st.composite
def _codings(draw: st.DrawFn, odd: bool) -> Coding:
    kinds = ["optimal", "standard", *(["skewed", "flat", "any"] if odd else [])]
    kind = draw(st.sampled_from(kinds))
    shared = draw(st.booleans())
    if kind in ("optimal", "standard"):
        return Coding(kind, shared=shared)
    return Coding(
        kind,
        length=draw(st.integers(1, 16)),
        unused=draw(st.integers(0, 40)),
        seed=draw(st.integers(0, 255)),
        shared=shared,
    )
