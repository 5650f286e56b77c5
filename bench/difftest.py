r"""Write docs/decoders.md: what decoders made of generated files, from reports of ``difftest``.

    pyjpegml difftest --decoder imagecodecs ... --without DNL --without "fractional sampling" \
        --without "far out of range" --examples 2000 --seed 0 --report sound/0
    pyjpegml difftest --decoder imagecodecs ... --damaged --report damaged/0
    pyjpegml difftest --damaged --examples 12000 --report ours/0
    NUMBA_BOUNDSCHECK=1 pyjpegml difftest --damaged --examples 2000 --seed 12000 --report ours/1
    python bench/difftest.py --sound sound/* --damaged damaged/* --ours ours/*

Reports of the same kind, of other seeds, are added up; a decoder with bounds checks is one of its
own.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from machine import machine_line

from pyjpegml.testing.differential import CLASSES, VERDICTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "decoders.md"

WHY = {
    r"sound (differs|near)": "Lossless scans of one component with restart markers: libjpeg-turbo "
    "applies them only between groups of V rows, against T.81 H.1.2.1 (see [](testing.rst)).",
    r"sound refused: OSError: broken data stream": "Lossless YCbCr and YCCK, as above.",
    r"damaged differs": "Mostly damage that leaves no one right picture (verdict `any`).",
    r"shape": "OpenCV shows inks (CMYK, YCCK) as BGR.",
    r"DNL not supported": "The height stands behind the first scan, which libjpeg does not read.",
    r"only here": "Damage that ours refuses, and that libjpeg goes on over, with a warning that "
    "the callers do not make an error, or without a word.",
    r"damaged refused: OSError: broken data stream": "What libjpeg refuses: mostly fractional "
    "sampling.",
    r"rejected": "Stricter than need be: nothing that the picture depends on has changed.",
    r"extraneous bytes|Premature end|Inconsistent progression|Invalid SOS": "Warnings of libjpeg, "
    "which are errors in simplejpeg; ours reads on.",
    r"Bogus|Unsupported marker type|image file is truncated": "Damage that may be refused; ours "
    "reads on.",
    r"Fractional sampling": "Sampling factors that do not divide the largest one.",
    r"Unsupported color conversion": "Lossless YCbCr and YCCK: libjpeg-turbo 3 converts no colours "
    "of lossless files.",
    r"cannot identify": "Pillow opens 8-bit files of 1, 3 or 4 components in processes that it "
    "knows, with ICC segments that are whole.",
    r"imdecode returned None": "OpenCV says no more; it has no 12 bits, no 2 components and no "
    "lossless files of more than 8 bits.",
    r"Could not determine subsampling": "TurboJPEG knows six subsamplings of YCbCr and of grey, "
    "and no file of two components.",
    r"Unsupported JPEG data precision": "simplejpeg reads 8 bits.",
    r"hung": "Bombs: thousands of scans, or dimensions of 65,500, which libjpeg decodes to their "
    "end.",
    r"accepted": "libjpeg goes on, with a warning that the callers do not make an error, or "
    "without a word.",
}
"""Explanations, by what stands in the kind of files, or the kind or the reason of a finding; the
first that fits."""


def merged(folders: list[Path]) -> dict[str, Any]:
    """Several reports as one."""
    reports = [
        json.loads((folder / "report.json").read_text(encoding="utf-8")) for folder in folders
    ]
    total: dict[str, Any] = {
        "examples": sum(report["examples"] for report in reports),
        "files": "damaged" if reports[0]["damaged"] else "sound",
        "hypothesis": {report["made_by"]["hypothesis"] for report in reports},
        "decoders": {},
        "findings": {},
    }
    for report in reports:
        for decoder in report["decoders"]:
            known = total["decoders"].setdefault(
                f"{decoder['name']} {decoder['version']}",
                {
                    "classes": Counter(),
                    "verdicts": Counter(),
                    "slowest": 0.0,
                },
            )
            known["classes"].update(decoder["classes"])
            known["verdicts"].update(decoder["verdicts"])
            known["slowest"] = max(known["slowest"], decoder["slowest"]["seconds"])
        for finding in report["findings"]:
            key = finding["decoder"], finding["kind"], finding["reason"]
            total["findings"][key] = total["findings"].get(key, 0) + finding["count"]
    return total


def section(title: str, folders: list[Path]) -> list[str]:
    """Lines of the page about one kind of files."""
    total = merged(folders)
    columns = [
        c
        for c in (*CLASSES, *VERDICTS)
        if any((d["classes"] + d["verdicts"])[c] for d in total["decoders"].values())
    ]
    lines = [
        f"## {title}", "",
        f"{total['examples']:,} files, by Hypothesis {', '.join(sorted(total['hypothesis']))}.", "",
        f"| decoder | files | {' | '.join(columns)} | slowest, s |",
        f"|---{'|---' * (len(columns) + 2)}|",
    ]  # fmt: skip
    for name, decoder in total["decoders"].items():
        counts = decoder["classes"] + decoder["verdicts"]
        cells = " | ".join(f"{counts[column]:,}" for column in columns)
        files = f"{decoder['classes'].total():,}"
        lines.append(f"| {name} | {files} | {cells} | {decoder['slowest']:.3f} |")
    if not total["findings"]:
        return [*lines, ""]
    lines += ["", "| decoder | kind | reason | files | why |", "|---|---|---|---|---|"]
    ordered = sorted(total["findings"].items(), key=lambda item: (item[0][0], -item[1]))
    for (name, kind, reason), count in ordered:
        what = f"{total['files']} {kind}: {reason}"
        why = next((text for pattern, text in WHY.items() if re.search(pattern, what)), "")
        shown = reason.replace("|", "\\|").replace("<", "\\<")
        lines.append(f"| {name} | {kind} | {shown} | {count:,} | {why} |")
    return [*lines, ""]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sound", nargs="+", type=Path, required=True)
    parser.add_argument("--damaged", nargs="+", type=Path, required=True)
    parser.add_argument("--ours", nargs="+", type=Path, required=True)
    arguments = parser.parse_args()
    lines = [
        "# Decoders on generated files",
        "",
        "What `pyjpegml difftest` saw; what the classes mean is told in "
        "{py:mod}`pyjpegml.testing.differential`. "
        "Sound files are without DNL and fractional sampling, which libjpeg-turbo does not read, "
        "and without coefficients cut so short that decoders wrap around. "
        f"Written by `bench/difftest.py`. {machine_line()}.",
        "",
        *section("Sound files", arguments.sound),
        *section("Damaged files, several decoders", arguments.damaged),
        *section("Damaged files, pyjpegml", arguments.ours),
    ]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
