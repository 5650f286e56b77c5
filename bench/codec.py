"""Whole calls: every mode of baseline files and every size against the peers; growth with size and
with cores; the score and the search.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from peers import (
    LESS_EXACT_ENCODER,
    MODES,
    OURS,
    OURS_THREADED,
    PEERS,
    Mode,
    decoders,
    encoders,
    our_decoder,
    our_encoder,
)
from pictures import Picture, grey, square
from report import number, size_name, table
from timing import best

import pyjpegml
from pyjpegml.metrics import Reference
from pyjpegml.threads import useful_threads

#: The modes that are shown at every size.
MAIN = (Mode("4:2:0", 75), Mode("4:2:0", 90))


class Timing(NamedTuple):
    """One measurement: who did what, to a square picture, in how many seconds."""

    what: str
    mode: str
    side: int
    who: str
    seconds: float

    @property
    def speed(self) -> float:
        """Megapixels a second."""
        return self.side**2 / 1e6 / self.seconds


def measure(photo: Picture, sides: Iterable[int], budget: float) -> list[Timing]:
    """Encode and decode in all modes, by all programs."""
    timings = []
    for side in sides:
        picture = square(photo, side)
        green = grey(picture)
        for mode in MODES:
            source = green if mode.sampling == "grey" else picture
            data = our_encoder(source, mode, 1)()
            for what, calls in (
                ("encode", encoders(source, mode)),
                ("decode", decoders(data, mode)),
            ):
                seconds = best(calls, budget)
                timings += [Timing(what, str(mode), side, who, s) for who, s in seconds.items()]
    return timings


def measure_cores(photo: Picture, side: int, budget: float) -> list[Timing]:
    """Encode and decode with one thread, two, and so on to all useful cores."""
    picture = square(photo, side)
    counts = range(1, useful_threads(None, 64) + 1)
    timings = []
    for mode in MAIN:
        data = our_encoder(picture, mode, 1)()
        for what, calls in (
            ("encode", {str(n): our_encoder(picture, mode, n) for n in counts}),
            ("decode", {str(n): our_decoder(data, n) for n in counts}),
        ):
            seconds = best(calls, budget)
            timings += [Timing(what, str(mode), side, who, s) for who, s in seconds.items()]
    return timings


def measure_scores(
    photo: Picture, sides: Iterable[int], largest_search: int, budget: float
) -> list[Timing]:
    """MS-SSIM with the original's side cached and not, and `compress` up to a size."""
    timings = []
    for side in sides:
        picture = square(photo, side)
        decoded = pyjpegml.decode(pyjpegml.encode(picture, quality=75))
        reference = Reference(picture)
        calls: dict[str, Callable[[], object]] = {
            "ms_ssim, original cached": lambda r=reference, d=decoded: r.score(d),
            "ms_ssim": lambda p=picture, d=decoded: pyjpegml.ms_ssim(p, d),
        }
        for what, seconds in best(calls, budget).items():
            timings.append(Timing(what, "RGB", side, OURS, seconds))
        if side <= largest_search:
            call = {"": lambda p=picture: pyjpegml.compress(p, ms_ssim=0.99)}
            [seconds] = best(call, budget).values()
            timings.append(Timing("compress to 0.99", "RGB", side, OURS, seconds))
    return timings


def check(photo: Picture) -> None:
    """What is compared must be the same: decoded pixels, and coded data with standard tables."""
    picture = square(photo, 200)
    for mode in MODES:
        source = grey(picture) if mode.sampling == "grey" else picture
        files = {who: bytes(call()) for who, call in _arrays_to_bytes(source, mode).items()}
        for who in files.keys() & {"imagecodecs", "Pillow"}:
            if not mode.optimize and _scan(files[who]) != _scan(files[OURS]):
                raise SystemExit(f"{mode}: {who} codes other data than we do")
        calls = decoders(files[OURS], mode)
        wanted = calls[OURS]()
        for who in (OURS_THREADED, "imagecodecs", "simplejpeg", "Pillow"):
            if not np.array_equal(np.squeeze(calls[who]()), wanted):
                raise SystemExit(f"{mode}: {who} decodes other pixels than we do")


def _arrays_to_bytes(picture: Picture, mode: Mode) -> dict[str, Callable[[], bytes]]:
    calls = encoders(picture, mode)
    calls.pop("OpenCV")  # its channels are another way round
    return calls


def _scan(data: bytes) -> bytes:
    """What stands behind the header of the scan."""
    start = data.index(b"\xff\xda") + 2
    return data[start + int.from_bytes(data[start : start + 2], "big") :]


def write_csv(timings: Iterable[Timing], path: Path) -> None:
    """All timings, for tables that are not in the report."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Timing._fields[:-1], "microseconds"])
        writer.writerows([*t[:-1], f"{1e6 * t.seconds:.1f}"] for t in timings)


def _seconds(timings: Iterable[Timing]) -> dict[tuple[str, str, int, str], float]:
    return {timing[:-1]: timing.seconds for timing in timings}


def report(timings: Sequence[Timing], detailed: int) -> list[str]:
    """Tables of :func:`measure`; all programs in all modes at the side `detailed`."""
    seconds = _seconds(timings)
    sides = sorted({t.side for t in timings})
    lines = []
    for what in ("encode", "decode"):
        exact = [p for p in PEERS if not (what == "encode" and p == LESS_EXACT_ENCODER)]
        lines += [
            f"### {what.capitalize()}: all modes, against the fastest of {', '.join(exact)}",
            "",
            "Its time by ours: above 1 we are faster. One thread / all cores.",
            "",
        ]
        rows = []
        for mode in map(str, MODES):
            cells = [mode]
            for side in sides:
                peer = min(s for p in exact if (s := seconds.get((what, mode, side, p))))
                ratios = (peer / seconds[what, mode, side, who] for who in (OURS, OURS_THREADED))
                cells.append(" / ".join(f"{ratio:.2f}" for ratio in ratios))
            rows.append(cells)
        lines += table(["", *map(size_name, sides)], rows)

        programs = (OURS, OURS_THREADED, *PEERS)

        def speeds(mode: str, side: int, what: str = what) -> list[str]:
            found = (seconds.get((what, mode, side, who)) for who in programs)  # noqa: B023
            return [number(side**2 / 1e6 / s) if s else "–" for s in found]

        names = [p + "*" if p not in (*exact, OURS, OURS_THREADED) else p for p in programs]
        lines += [f"Megapixels a second, {size_name(detailed)}:", ""]
        lines += table(["", *names], [[str(m), *speeds(str(m), detailed)] for m in MODES])
        lines += ["Megapixels a second at every size:", ""]
        lines += table(
            ["", *names],
            [[f"{m}, {size_name(side)}", *speeds(str(m), side)] for m in MAIN for side in sides],
        )
        if names != list(programs):
            lines += [f"\\* {LESS_EXACT_ENCODER} encodes with the fast, less exact DCT.", ""]
    return lines


def report_growth(timings: Sequence[Timing], scores: Sequence[Timing]) -> list[str]:
    """Nanoseconds a pixel by size, one thread: constant if the time grows linearly."""
    shown = [t for t in timings if t.who == OURS and t.mode in map(str, MAIN)]
    sides = sorted({t.side for t in shown})
    rows: dict[str, list[str]] = {}
    for t in [*shown, *scores]:
        name = t.what if t.mode == "RGB" else f"{t.what} {t.mode}"
        row = rows.setdefault(name, [name, *["–"] * len(sides)])
        row[1 + sides.index(t.side)] = number(1e9 * t.seconds / t.side**2)
    return table(["", *map(size_name, sides)], rows.values())


def report_cores(timings: Sequence[Timing]) -> list[str]:
    """Speed by threads, against one."""
    seconds = _seconds(timings)
    side = timings[0].side
    counts = list(dict.fromkeys(t.who for t in timings))
    rows = []
    for what, mode in dict.fromkeys((t.what, t.mode) for t in timings):
        one = seconds[what, mode, side, "1"]
        ratios = (one / seconds[what, mode, side, count] for count in counts)
        rows.append([f"{what} {mode}", *(f"{ratio:.2f}" for ratio in ratios)])
    return table(["", *(f"threads={n}" for n in counts)], rows)
