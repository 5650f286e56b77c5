"""The plots of the results, as small SVG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
from codec import MAIN, Timing
from matplotlib.ticker import LogLocator
from peers import OURS, OURS_THREADED, PEERS
from stages import Measured

STYLE = {
    "svg.fonttype": "none",  # text stays text: small files
    "svg.hashsalt": "pyjpegml",  # and the same from the same figures
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def growth(timings: Sequence[Timing], path: Path) -> None:
    """Speed by size, of all programs."""
    mode = str(MAIN[0])
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for axis, what in zip(axes, ("encode", "decode"), strict=True):
        for who in (OURS, OURS_THREADED, *PEERS):
            shown = [t for t in timings if (t.what, t.mode, t.who) == (what, mode, who)]
            axis.loglog(
                [t.side**2 / 1e6 for t in shown],
                [t.speed for t in shown],
                "o-" if who in (OURS, OURS_THREADED) else ".--",
                label=who,
                markersize=4,
            )
        axis.set(title=f"{what}, {mode}", xlabel="megapixels")
        axis.grid(alpha=0.3)
        for scale, steps in ((axis.xaxis, (1,)), (axis.yaxis, (1, 2, 5))):
            scale.set_major_locator(LogLocator(subs=steps))
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter("")
    axes[0].set_ylabel("megapixels a second")
    axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def stages(measured: Sequence[Measured], copy: float, path: Path) -> None:
    """Time of each stage, with what a copy of its data would take."""
    shown = [m for m in measured if "whole" not in m.name]
    figure, axis = plt.subplots(figsize=(7, 3.6))
    names = [m.name for m in shown]
    axis.barh(names, [m.time for m in shown], color="C0", label="measured")
    axis.plot([1e9 * m.moved / copy for m in shown], names, "k|", markersize=12,
              label="to move its data through memory")  # fmt: skip
    axis.invert_yaxis()
    axis.set(xlabel="nanoseconds a pixel")
    axis.legend(frameon=False)
    _save(figure, path)


def cores(timings: Sequence[Timing], path: Path) -> None:
    """Speed by threads."""
    figure, axis = plt.subplots(figsize=(4.5, 3.2))
    counts = sorted({int(t.who) for t in timings})
    for what, mode in dict.fromkeys((t.what, t.mode) for t in timings):
        speed = {int(t.who): t.speed for t in timings if (t.what, t.mode) == (what, mode)}
        axis.plot(counts, [speed[n] / speed[1] for n in counts], "o-", label=f"{what} {mode}")
    axis.plot(counts, counts, "k:", label="ideal")
    axis.set(xlabel="threads", ylabel="times as fast as one", xticks=counts)
    axis.legend(frameon=False)
    _save(figure, path)


def all_plots(
    timings: Sequence[Timing],
    threads: Sequence[Timing],
    measured: Sequence[Measured],
    copy: float,
    directory: Path,
) -> None:
    """Write all of them."""
    with mpl.rc_context(STYLE):
        growth(timings, directory / "growth.svg")
        stages(measured, copy, directory / "stages.svg")
        cores(threads, directory / "cores.svg")
