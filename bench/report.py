"""Text of the results: tables in Markdown, and figures with the digits that mean something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def number(value: float) -> str:
    """Three significant digits; more only before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table and the empty line behind it."""
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def size_name(side: int) -> str:
    """``"64×64"`` for small squares, ``"10 MP"`` for large ones."""
    return f"{side}×{side}" if side < 1000 else f"{round(side * side / 1e6)} MP"
