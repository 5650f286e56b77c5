"""What the shipped model was trained on and what cross-validation says of it; writes model.md.

python bench/model_card.py
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from pyjpegml.predictor import INPUTS, SHIPPED, load

WAYS = ("prior", "constant", "ridge", "trees")


def rows(report: dict[str, dict[str, dict[str, float]]], knobs: bool) -> list[str]:
    """One line an output."""
    lines = []
    for output, entry in report.items():
        if ("ln size" in entry["trees"]) != knobs:
            continue
        if knobs:
            cells = [
                f"{100 * entry[way]['ln size']:+.2f} ± {100 * entry[way]['standard error']:.2f}"
                for way in WAYS
            ]
        else:
            ways = [entry[way] for way in WAYS]
            cells = [f"{w['bias']:+.3f} ± {w['sd']:.3f}, {w['within 10 %']:.0%}" for w in ways]
        name = output.replace("_", " ")
        lines.append(f"| {name} | {entry['cases']} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Read the model, write."""
    model = load(SHIPPED)
    facts = json.loads(str(model.facts["facts"]))
    arrays = np.load(SHIPPED, allow_pickle=False)
    asked = Counter(INPUTS[i] for i in arrays["feature"] if i >= 0)
    report = facts["cross-validation"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    lines = [
        "# The model that is shipped",
        "",
        "Written by `bench/model_card.py` from `pyjpegml/model.npz`.",
        "",
        f"{SHIPPED.stat().st_size} bytes, {len(arrays['roots'])} trees, {len(arrays['feature'])} "
        f"nodes. Trained on {facts['cases']} cases of {facts['photographs']} photographs "
        f"(corpus {facts['corpus']}), for which the teacher tried {facts['plans']} plans in "
        f"{facts['seconds'] / 60:.0f} minutes of processor time, and on {facts['first encodes']} "
        f"first encodes. {versions}.",
        "",
        "What each knob changes the size by, in percent, against knobs at 0, as photographs that "
        "were held out say:",
        "",
        f"| knob | cases | {' | '.join(WAYS)} |",
        "|---|---|---|---|---|---|",
        *rows(report, knobs=True),
        "",
        "Error of a logarithm on photographs held out, mean ± standard deviation, and how often it "
        "is within 10 %:",
        "",
        f"| | cases | {' | '.join(WAYS)} |",
        "|---|---|---|---|---|---|",
        *rows(report, knobs=False),
        "",
        "What trees ask for most often: "
        + ", ".join(f"`{name}` {count}" for name, count in asked.most_common(12))
        + ".",
        "",
    ]
    (Path(__file__).parent / "model.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
