"""What is spent to foresee, of the time of ``effort="fast"``; writes prediction_cost.md.

    python bench/prediction_cost.py PHOTO [PHOTO ...] [--megapixels 2] [--runs 9]

Photographs are cut or mirrored to a square of so many pixels and compressed in one thread. Features
are what the picture has not been asked anyway; trees include the tables that follow from them; the
pilot is the analysis and the scores of its tiles. Seconds are the least of all runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from machine import machine_line
from pictures import photograph, square
from report import table

from pyjpegml import compress, predictor, rate

PARTS = ("features", "trees", "pilot")


class Clock:
    """Seconds of the calls of some functions, in one compress."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time is added to a part."""

        def call(*arguments: Any) -> Any:
            began = perf_counter()
            try:
                return function(*arguments)
            finally:
                self.spent[part] += perf_counter() - began

        return call


def measure(path: Path, megapixels: float, runs: int) -> list[str]:
    """A row of the table."""
    image = square(photograph(path), round((1e6 * megapixels) ** 0.5))
    clock = Clock()
    own = predictor.features, predictor.Model.start, rate.foreseen_error
    least = dict.fromkeys((*PARTS, "all"), float("inf"))
    try:
        predictor.features = clock.timed("features", own[0])
        predictor.Model.start = clock.timed("trees", own[1])  # type: ignore[method-assign]
        rate.foreseen_error = clock.timed("pilot", own[2])
        for _ in range(runs):
            clock.spent.update(dict.fromkeys(PARTS, 0.0))
            began = perf_counter()
            compress(image, effort="fast", threads=1)
            clock.spent["all"] = perf_counter() - began
            clock.spent["trees"] -= clock.spent["features"]  # these are asked for within
            least = {part: min(least[part], clock.spent[part]) for part in least}
    finally:
        predictor.features, predictor.Model.start, rate.foreseen_error = own  # type: ignore[method-assign]
    cells = [f"{1e3 * least[part]:.1f}" for part in (*PARTS, "all")]
    model = (least["features"] + least["trees"]) / least["all"]
    row = [path.stem, *cells, f"{model:.1%}", f"{least['pilot'] / least['all']:.1%}"]
    print(*row, flush=True)
    return row


def main() -> None:
    """Parse arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--megapixels", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    rows = [measure(path, arguments.megapixels, arguments.runs) for path in arguments.photos]
    lines = [
        "# What it costs to foresee",
        "",
        f'Milliseconds at {arguments.megapixels:g} MP, one thread, and parts of `effort="fast"`. '
        "Written by `bench/prediction_cost.py`, which says what is measured.",
        "",
        *table(
            ["photograph", *(f"{part}, ms" for part in PARTS), "`fast`, ms", "model", "pilot"], rows
        ),
        f"{machine_line()}.",
        "",
    ]  # fmt: skip
    Path(__file__).with_suffix(".md").write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
