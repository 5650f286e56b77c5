"""What came of differential testing, for people (text, HTML) and for programs (JSON)."""

from __future__ import annotations

import base64
import json
import platform
from html import escape
from pathlib import Path
from typing import Any

import hypothesis

from pyjpegml import __version__

from .differential import CLASSES, VERDICTS, Comparison, Finding
from .sets import facts


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All of a comparison, as JSON has it; files of findings are in base64.

    Parameters
    ----------
    comparison : Comparison
    """
    return {
        "made_by": {  # Hypothesis decides what comes of a seed
            "pyjpegml": __version__,
            "hypothesis": hypothesis.__version__,
            "python": platform.python_version(),
        },
        "examples": comparison.examples,
        "first_seed": comparison.first,
        "within": comparison.within,
        "damaged": comparison.damaged,
        "traits": dict(sorted(comparison.traits.items())),
        "decoders": [
            {
                "name": name,
                "version": tally.version,
                "classes": {kind: tally.classes[kind] for kind in CLASSES},
                "verdicts": {kind: tally.verdicts[kind] for kind in VERDICTS},
                "traits": {trait: dict(tally.traits[trait]) for trait in sorted(tally.traits)},
                "slowest": {"seconds": round(tally.slowest[0], 4), "seed": tally.slowest[1]},
            }
            for name, tally in comparison.tallies.items()
        ],
        "findings": [_finding(finding) for finding in comparison.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "decoder": finding.decoder,
        "kind": finding.kind,
        "reason": finding.reason,
        "count": finding.count,
        "largest_difference": finding.largest,
        "seed": finding.seed,
        "features": finding.features,
        "example": {
            **facts(finding.example),
            "data": base64.b64encode(finding.example.data).decode(),
            "text": finding.example.text(),
        },
    }


def as_text(comparison: Comparison) -> str:
    """A few lines for a terminal.

    Parameters
    ----------
    comparison : Comparison
    """
    lines = [_headline(comparison)]
    for name, tally in comparison.tallies.items():
        counted = {**tally.classes, **tally.verdicts}
        shown = ", ".join(f"{kind} {n}" for kind, n in sorted(counted.items(), key=lambda c: -c[1]))
        lines.append(f"{name} ({tally.version}): {shown}; slowest {tally.slowest[0]:.3f} s")
    return "\n".join([*lines, *map(_line, comparison.findings)])


def _headline(comparison: Comparison) -> str:
    files = "damaged files" if comparison.damaged else "files"
    reference = next(iter(comparison.tallies))
    return f"{comparison.examples} {files} from seed {comparison.first}; reference: {reference}"


def _line(finding: Finding) -> str:
    """A finding in one line."""
    reason = f": {finding.reason}" if finding.reason else ""
    by = f", by {finding.largest} at most" if finding.largest else ""
    return f"{finding.decoder}: {finding.kind}{reason} ({finding.count} files{by})"


_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{border:1px solid #bbb;padding:.2em .6em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
    "pre{background:#f4f4f4;padding:1em;overflow:auto}"
    "summary{cursor:pointer}"
)


def as_html(comparison: Comparison) -> str:
    """One page: a table of classes, one of features, and the findings with their files.

    Parameters
    ----------
    comparison : Comparison
    """
    tallies = comparison.tallies
    columns = [*CLASSES, *(VERDICTS if comparison.damaged else ())]
    classes = []
    for name, tally in tallies.items():
        counts = tally.classes + tally.verdicts
        row = [f"{name} ({tally.version})", *(counts[column] for column in columns)]
        classes.append([*row, f"{tally.slowest[0]:.3f}"])
    traits = [
        [trait, count, *(_share(tally.traits[trait]["equal"], count) for tally in tallies.values())]
        for trait, count in sorted(comparison.traits.items())
    ]
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8><title>pyjpegml difftest</title>",
            f"<style>{_STYLE}</style>",
            f"<h1>Decoders side by side</h1><p>{escape(_headline(comparison))}; near: within "
            f"{comparison.within}. Made by pyjpegml {__version__}.</p>",
            _table(["decoder", *columns, "slowest, s of processor time"], classes),
            "<h2>Equal to the reference, by what is in the file</h2>",
            _table(["files with", "files", *tallies], traits),
            "<h2>Findings</h2>",
            *map(_details, comparison.findings),
            "</html>",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    def row(cells: list[Any], tag: str) -> str:
        inner = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _details(finding: Finding) -> str:
    shares = ", ".join(f"{trait} {share:.0%}" for trait, share in finding.features.items())
    data = base64.b64encode(finding.example.data).decode()
    return (
        f"<details><summary>{escape(_line(finding))}</summary><p>First seen at seed "
        f"{finding.seed}. {escape(f'Of these files have: {shares}.' if shares else '')} "
        f'<a download="{finding.seed}.jpg" href="data:image/jpeg;base64,{data}">the simplest '
        f"file</a></p><pre>{escape(finding.example.text())}</pre></details>"
    )


def write(comparison: Comparison, folder: Path | str) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html``; returns their paths.

    Parameters
    ----------
    comparison : Comparison
    folder : path
        Made if it is not there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "report.json", folder / "report.html"
    data.write_text(json.dumps(as_json(comparison), indent=1) + "\n", encoding="utf-8")
    page.write_text(as_html(comparison), encoding="utf-8")
    return data, page
