"""What Chromium shows of our files, beside what we decode and score; writes bench/browser.md.

    python bench/browser.py [--pictures FOLDER] [--most 24] [--quality 85] [--ms-ssim 0.99]

Screenshots of headless Chromium, for each way in which it decodes (tests/browsers.py). Pixels are
compared with those of `pyjpegml.decode`, levels of 8 bits; the score is that of what is shown
against the original.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import versions_line
from pictures import PHOTO, photograph

import pyjpegml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import browsers  # noqa: E402

#: Most rows of pixels on one page.
ROWS = 4096

Picture = npt.NDArray[np.uint8]


def screens(chromium: str, files: Sequence[bytes], graphics: str) -> Iterator[Picture | None]:
    """What is shown of any number of files."""
    page: list[bytes] = []
    rows = 0
    for data in files:
        height = pyjpegml.read_header(data).height
        if page and rows + height > ROWS:
            yield from browsers.shown(chromium, page, graphics)
            page, rows = [], 0
        page.append(data)
        rows += height
    yield from browsers.shown(chromium, page, graphics)


def modes_table(chromium: str, picture: Picture) -> list[str]:
    """Which modes open, and how far the pixels are from ours."""
    files = browsers.modes(picture)
    deep = browsers.deep_modes(picture)
    ways = [
        list(screens(chromium, [*files.values(), *deep.values()], g)) for g in browsers.GRAPHICS
    ]
    lines = ["| mode | opens | " + " | ".join(browsers.GRAPHICS) + " |", "|---|---|---|---|"]
    for i, (name, data) in enumerate((files | deep).items()):
        cells = []
        for shown in (way[i] for way in ways):
            if shown is None or name in deep:
                cells.append("")
                continue
            most = np.abs(shown.astype(int) - browsers.expected(data)).max()
            cells.append("equal" if most == 0 else f"{most}")
        opens = "yes" if all(way[i] is not None for way in ways) else "no"
        lines.append("| " + " | ".join([name, opens, *cells]) + " |")
    return lines


def rows_of_samplings(
    chromium: str, pictures: Sequence[Picture], quality: int, graphics: str
) -> Iterator[str]:
    """How far the pixels of each subsampling are from ours, and the score."""
    for name in browsers.SUBSAMPLINGS:
        files = [pyjpegml.encode(p, quality=quality, subsampling=name) for p in pictures]
        most, total, differing, count, changes = 0, 0, 0, 0, []
        for original, data, shown in zip(
            pictures, files, screens(chromium, files, graphics), strict=True
        ):
            assert shown is not None
            ours = pyjpegml.decode(data)
            difference = np.abs(shown.astype(np.int16) - ours)
            most = max(most, int(difference.max()))
            total += int(difference.sum(dtype=np.int64))
            differing += int(difference.any(axis=2).sum())
            count += ours.shape[0] * ours.shape[1]
            changes.append(pyjpegml.ms_ssim(original, shown) - pyjpegml.ms_ssim(original, ours))
        yield (
            f"| {graphics} | {name} | {most} | {total / (3 * count):.4f} | "
            f"{100 * differing / count:.1f} % | {min(changes):+.1e} to {max(changes):+.1e} |"
        )


def rows_of_promises(chromium: str, pictures: Sequence[Picture], target: float) -> Iterator[str]:
    """Whether files of `compress` keep what it promises, as they are shown."""
    results = [pyjpegml.compress(picture, ms_ssim=target) for picture in pictures]
    for graphics in browsers.GRAPHICS:
        shown = list(screens(chromium, [result.data for result in results], graphics))
        scores = [pyjpegml.ms_ssim(a, b) for a, b in zip(pictures, shown, strict=True)]
        changes = [score - result.ms_ssim for score, result in zip(scores, results, strict=True)]
        met = sum(score >= target for score in scores)
        yield (
            f"| {graphics} | {met} of {len(results)} | {min(scores):.6f} | "
            f"{min(changes):+.1e} to {max(changes):+.1e} |"
        )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, default=ROOT.parent / "shared/corpus/kodak")
    parser.add_argument("--most", type=int, default=24, help="pictures of the folder to take")
    parser.add_argument("--quality", type=int, default=85)
    parser.add_argument("--ms-ssim", type=float, default=0.99)
    arguments = parser.parse_args()
    chromium = browsers.program()
    if chromium is None:
        raise SystemExit("there is no Chromium on the PATH, and PYJPEGML_CHROMIUM names none")
    paths = sorted(arguments.pictures.glob("*.png"))[: arguments.most] or [PHOTO]
    pictures = [photograph(path) for path in paths]
    lines = [
        "# What Chromium shows",
        "",
        "Written by `bench/browser.py`, which says what is measured: screenshots of headless "
        f"{browsers.version(chromium)} beside `pyjpegml.decode`. *Software*: its own decoder makes "
        "RGB. *Graphics processor*: rasterization on SwiftShader, as on a machine that has one; "
        "planes of Y, Cb and Cr may be enlarged and converted there. Pictures of 4:2:0 of at most "
        "four pixels across, whose chroma libjpeg enlarges without interpolation, may look quite "
        "different there.",
        "",
        "## Modes",
        "",
        "The largest difference of a pixel, in levels of 8 bits (of CMYK to the product of each "
        "colour with black, rounded down, which is how Chromium makes RGB of it).",
        "",
        *modes_table(chromium, photograph()[:123, :157]),
        "",
        "## Samplings",
        "",
        f"{len(paths)} pictures ({paths[0].name} to {paths[-1].name}), quality "
        f"{arguments.quality}. Difference of the samples, pixels with any difference, and by how "
        "much the score of what is shown is above that of what we decode.",
        "",
        "| decoded by | sampling | largest | mean | pixels | MS-SSIM |",
        "|---|---|---|---|---|---|",
    ]
    for graphics in browsers.GRAPHICS:
        for row in rows_of_samplings(chromium, pictures, arguments.quality, graphics):
            print(row, flush=True)
            lines.append(row)
    lines += [
        "",
        "## The promise of `compress`",
        "",
        f"The same pictures, compressed to an MS-SSIM of {arguments.ms_ssim:g}: how many are shown "
        "at that score or above, the least score shown, and by how much scores are above those "
        "that `compress` returned.",
        "",
        "| decoded by | met | least | above |",
        "|---|---|---|---|",
    ]
    for row in rows_of_promises(chromium, pictures, arguments.ms_ssim):
        print(row, flush=True)
        lines.append(row)
    lines += ["", versions_line() + "."]
    target = Path(__file__).with_name("browser.md")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {target}")


if __name__ == "__main__":
    main()
