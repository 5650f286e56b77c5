"""Hypothesis strategies for JPEG streams: legal files of every shape that T.81 allows.

Everything shrinks: to fewer and simpler scans, to one component, to a picture of one pixel, and
coefficients to a few or none. Dense coefficients come from a seed, cut to a window of those that
are not zero, so that they shrink as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import assume
from hypothesis import strategies as st

from .stream import PROCESSES, ZIGZAG, Component, Frame, Scan, Stream
from .tables import AC, DC, Coding
from .writer import COM, Content, Layout, is_complete, write_stream

FEATURES = {
    "12 bits": "samples of 12 bits in a process with a DCT",
    "16-bit tables": "quantization tables of 16 bits (with 8-bit samples beyond T.81, but common)",
    "any identifiers": "component identifiers other than 1, 2, 3 or the letters R, G, B",
    "changed qtables": "a slot that gets a new quantization table between scans",
    "cut short": "a progressive file that ends before the last bits of all coefficients",
    "DAC": "conditioning of arithmetic tables",
    "DNL": "the height is defined behind the first scan",
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


# --- parameters -----------------------------------------------------------------------------------


@st.composite
def sampling_factors(
    draw: st.DrawFn, components: int, without: Collection[str] = ()
) -> tuple[tuple[int, int], ...]:
    """(H, V) of each component, 1 to 4: none, usual ones, or any.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    components : int
        How many.
    without : collection of str
        Features that must not come.
    """
    one = (1, 1)
    usual = st.sampled_from([(2, 2), (2, 1), (1, 2), (4, 1), (4, 2)])
    factor = st.tuples(st.integers(1, 4), st.integers(1, 4))
    kinds = [
        st.just((one,) * components),
        usual.map(lambda luma: (luma, *[one] * (components - 1))),
        st.tuples(*[factor] * components),
    ]
    factors = draw(st.one_of(kinds))
    assume(not set(without) & sampling_features(factors))
    return factors


def sampling_features(factors: Sequence[tuple[int, int]]) -> set[str]:
    """Which features these sampling factors have."""
    h_max, v_max = (max(pair[axis] for pair in factors) for axis in (0, 1))
    features = set()
    if any(h_max % h or v_max % v for h, v in factors):
        features.add("fractional sampling")
    if factors[0] != (h_max, v_max):
        features.add("larger chroma")
    return features


@st.composite
def qtables(draw: st.DrawFn, largest: int = 255) -> npt.NDArray[np.uint16]:
    """A quantization table: one step for all, or steps that grow, or any.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest : int
        Largest step.
    """
    steps = st.integers(1, largest)
    step = draw(steps)
    kind = draw(st.sampled_from(["same", "growing", "any"]))
    if kind == "same":
        table = np.full(64, step)
    elif kind == "growing":
        slope = draw(st.integers(0, 8))
        table = np.empty(64, np.int64)
        table[list(ZIGZAG)] = np.minimum(step + slope * np.arange(64), largest)
    else:
        seed = draw(st.integers(0, 2**16))
        table = np.random.default_rng(seed).integers(1, step, 64, endpoint=True)
    return table.astype(np.uint16).reshape(8, 8)


@st.composite
def groups(draw: st.DrawFn, factors: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Components that share a scan: in the order of the frame, 10 blocks an MCU at most (B.2.3).

    Parameters
    ----------
    draw
        Given by Hypothesis.
    factors : sequence of (H, V)
        Of all components.
    """
    sizes = [h * v for h, v in factors]
    cuts = [0]
    for i in range(1, len(sizes)):
        if sum(sizes[cuts[-1] : i + 1]) > 10 or draw(st.integers(0, 3)) == 3:
            cuts.append(i)
    parts = [tuple(range(a, b)) for a, b in zip(cuts, [*cuts[1:], len(sizes)], strict=True)]
    return draw(st.permutations(parts)) if len(parts) > 1 else parts


@dataclass(frozen=True)
class _Pass:
    """A scan of a progressive script."""

    components: tuple[int, ...]
    start: int
    end: int
    high: int
    low: int


@st.composite
def scan_scripts(
    draw: st.DrawFn, factors: Sequence[tuple[int, int]], complete: bool = True
) -> list[tuple[tuple[int, ...], int, int, int, int]]:
    """A progressive script (T.81 G.1.1.1): (components, Ss, Se, Ah, Al) of each scan.

    Every scan makes others possible: the first one of DC those of AC bands, each one the next bit
    of its band, whole or in two parts. They come in any order.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    factors : sequence of (H, V)
        Of all components.
    complete : bool
        Whether all bits of all coefficients come.
    """
    lows = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 13])
    cut = st.integers(0, 7).map(lambda n: n == 7)
    pending = []
    for group in draw(groups(factors)):
        pending.append(_Pass(group, 0, 0, 0, draw(lows)))
    script: list[_Pass] = []
    while pending:
        now = pending.pop(draw(st.integers(0, len(pending) - 1)) if len(pending) > 1 else 0)
        script.append(now)
        if now.start == 0 and now.high == 0:
            for i in now.components:
                low = draw(lows)
                bands = [(1, 63)]
                if draw(st.booleans()):
                    middle = draw(st.integers(1, 62))
                    bands = [(1, middle), (middle + 1, 63)]
                pending += [_Pass((i,), start, end, 0, low) for start, end in bands]
        if now.low:
            following = [(now.components, now.start, now.end)]
            if now.start < now.end and draw(cut):
                middle = draw(st.integers(now.start, now.end - 1))
                following = [
                    (now.components, now.start, middle),
                    (now.components, middle + 1, now.end),
                ]
            elif len(now.components) > 1 and draw(cut):
                following = [((i,), 0, 0) for i in now.components]
            pending += [_Pass(*band, now.low, now.low - 1) for band in following]
    if not complete:
        kept = draw(st.integers(1, len(script)))
        while {i for p in script[:kept] for i in p.components} != set(range(len(factors))):
            kept += 1  # every component gets its DC
        script = script[:kept]
    return [(p.components, p.start, p.end, p.high, p.low) for p in script]


# --- content --------------------------------------------------------------------------------------


def _basis() -> npt.NDArray[np.float64]:
    """The matrix of the one-dimensional DCT (T.81 A.3.3), rows are frequencies."""
    u, x = np.arange(8)[:, None], np.arange(8)
    matrix = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


_DCT = _basis()


def make_legal(
    units: npt.NDArray[np.int64], qtable: npt.NDArray[np.uint16], precision: int
) -> npt.NDArray[np.int64]:
    """The nearest coefficients that a forward DCT can produce.

    Blocks whose samples lie within the range of the precision stay as they are; samples of others
    are clipped, transformed and quantized again.

    Parameters
    ----------
    units : (..., 8, 8) array
        Quantized coefficients.
    qtable : (8, 8) array
    precision : int
        Bits of a sample.
    """
    steps = qtable.astype(np.int64)
    half = 1 << (precision - 1)
    samples = _DCT.T @ (units * steps) @ _DCT
    clipped = np.clip(samples, -half, half - 1)
    again = np.rint(_DCT @ clipped @ _DCT.T / steps).astype(np.int64)
    outside = (samples < -half - 1e-6) | (samples > half - 1 + 1e-6)
    return np.where(outside.any(axis=(-2, -1), keepdims=True), again, units)


@st.composite
def coefficients(
    draw: st.DrawFn,
    sizes: Sequence[tuple[int, int]],
    tables: Sequence[npt.NDArray[np.uint16]],
    precision: int = 8,
) -> tuple[npt.NDArray[np.int64], ...]:
    """Quantized coefficients that a forward DCT can produce, (rows, columns, 8, 8) each.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    sizes : sequence of (rows, columns)
        Blocks of each component.
    tables : sequence of (8, 8) array
        Quantization table of each component.
    precision : int
        Bits of a sample.
    """
    largest = 8 << (precision - 1)
    planes = [np.zeros((rows, columns, 64), np.int64) for rows, columns in sizes]
    kind = draw(st.sampled_from(["sparse", "dense", "samples"]))
    if kind == "sparse":
        place = st.tuples(
            st.integers(0, len(sizes) - 1),
            st.integers(0, 10**4),  # of a block, modulo their number
            st.integers(0, 63),
            st.integers(-largest, largest),
        )
        for i, block, k, value in draw(st.lists(place, max_size=12)):
            flat = planes[i].reshape(-1, 64)
            step = int(tables[i].flat[ZIGZAG[k]])
            flat[block % len(flat), ZIGZAG[k]] = value if abs(value) < 16 else value // step
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        amplitude = draw(st.integers(0, largest.bit_length() - 1))
        density = draw(st.sampled_from([0.02, 0.1, 0.5, 1]))
        last = draw(st.sampled_from([63, 1, 5, 20, 40]))
        dc = draw(st.sampled_from([3, 0, 1, 30, largest]))
        for i, plane in enumerate(planes):
            if kind == "dense":
                # magnitudes of all categories alike
                magnitude = np.exp2(rng.uniform(0, amplitude, plane.shape)).astype(np.int64)
                values = magnitude * rng.choice([-1, 1], plane.shape)
                values[rng.random(plane.shape) >= density] = 0
                values[..., 0] = rng.integers(-dc, dc, plane.shape[:2], endpoint=True)
                values[..., list(ZIGZAG[last + 1 :])] = 0
                steps = tables[i].reshape(64)
                plane[...] = np.where(np.abs(values) < 16, values, np.trunc(values / steps))
            else:
                half = 1 << (precision - 1)
                reach = min(1 << amplitude, half)
                samples = rng.integers(-reach, reach, (*plane.shape[:2], 8, 8))
                if density == 1:  # blacks and whites
                    samples = np.where(samples < 0, -half, half - 1)
                plane[...] = np.rint(_DCT @ samples @ _DCT.T / tables[i]).reshape(plane.shape)
        present = sum(int(np.count_nonzero(plane)) for plane in planes)
        first = draw(st.integers(0, 10**5)) if draw(st.integers(0, 9)) == 9 else 0
        count = 10**5 - draw(st.integers(0, 10**5)) if draw(st.integers(0, 9)) == 9 else 10**5
        _keep(planes, first * present // 10**5, count * present // 10**5)
    return tuple(
        make_legal(plane.reshape(*plane.shape[:2], 8, 8), table, precision)
        for plane, table in zip(planes, tables, strict=True)
    )


def _keep(planes: Sequence[npt.NDArray[np.int64]], first: int, count: int) -> None:
    """Set all values that are not zero to zero but for `count` of them, from `first` on."""
    seen = 0
    for plane in planes:
        places = np.flatnonzero(plane)
        numbers = seen + np.arange(places.size)
        plane.reshape(-1)[places[(numbers < first) | (numbers >= first + count)]] = 0
        seen += places.size


@st.composite
def samples(
    draw: st.DrawFn, sizes: Sequence[tuple[int, int]], precision: int
) -> tuple[npt.NDArray[np.int64], ...]:
    """Samples of a lossless file: flat, a gradient, or noise.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    sizes : sequence of (rows, columns)
        Of each component.
    precision : int
        Bits of a sample.
    """
    kind = draw(st.sampled_from(["flat", "gradient", "noise", "extremes"]))
    level = draw(st.integers(0, (1 << precision) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    planes = []
    for rows, columns in sizes:
        y, x = np.mgrid[:rows, :columns]
        if kind == "flat":
            plane = np.full((rows, columns), level)
        elif kind == "gradient":
            plane = level * x + (level // 2 + 1) * y
        elif kind == "noise":
            plane = level + rng.integers(0, 1 << draw(st.integers(1, precision)), (rows, columns))
        else:
            plane = rng.choice([0, (1 << precision) - 1, level], (rows, columns))
        planes.append((plane % (1 << precision)).astype(np.int64))
    return tuple(planes)


# --- streams --------------------------------------------------------------------------------------


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
        "fill bytes": bool(layout.fill),
        "multiple scans": not frame.progressive and len(scans) > 1,
        "odd codes": coding.kind in ("skewed", "flat") and not frame.arithmetic,
        "other segments": bool(layout.segments),
        "restarts": any(scan.restart_interval for scan in scans),
        "trailing bytes": bool(layout.trailing),
    }
    factors = [(c.h, c.v) for c in frame.components]
    return {name for name, there in present.items() if there} | sampling_features(factors)


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
    return write_stream(frame, scans, content, coding, layout, features)


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
    kinds = ["optimal", "standard", *(["skewed", "flat"] if odd else [])]
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
