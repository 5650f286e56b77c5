"""The tables of ``docs/support.rst`` say what is so.

Each row has checks, found by its title. A cell of *Decode* that begins with "yes" needs a check that
is registered with :func:`support_checks.decodes`, one that begins with "error" a check of
:func:`support_checks.refuses`; for *Encode* there are ``encodes`` and ``encode_refuses``. "no"
stands for what cannot even be asked for, and has no check. Rows of tables without these columns
have a check of ``happens``. Rows without checks, and checks without rows, fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import support_decode  # noqa: F401 - registers its checks, as the others do
import support_defects  # noqa: F401
import support_encode  # noqa: F401
import support_rewrite  # noqa: F401
from helpers import REPOSITORY
from support_checks import DECODES, ENCODE_REFUSES, ENCODES, EVENTS, REFUSES

DOCS = REPOSITORY / "docs" / "support.rst"
TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """Title and cells, their lines joined."""

    table: str
    title: str
    cells: tuple[str, ...]


def _rows() -> list[Row]:
    """All rows of all tables but their heads."""
    rows = []
    for table in DOCS.read_text(encoding="utf-8").split(".. list-table:: ")[1:]:
        name, _, body = table.partition("\n")
        for row in re.split(r"^   \* - ", body, flags=re.MULTILINE)[2:]:
            cells = [" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.M)]
            rows.append(Row(name, cells[0], tuple(cells[1:])))
    return rows


ROWS = _rows()
FEATURES = [row for row in ROWS if len(row.cells) == 3]
OTHERS = [row for row in ROWS if row not in FEATURES]


def test_each_row_has_checks_and_each_check_a_row() -> None:
    assert len({row.title for row in FEATURES}) == len(FEATURES) > 40
    kinds = {
        "decode yes": DECODES, "decode error": REFUSES, "decode no": {},
        "encode yes": ENCODES, "encode error": ENCODE_REFUSES, "encode no": {},
    }  # fmt: skip
    expected: dict[str, set[str]] = {kind: set() for kind in kinds}
    for row in FEATURES:
        for what, cell in zip(("decode", "encode"), row.cells, strict=False):
            verdict = re.match("yes|no|error", cell)
            assert verdict, f"{row.title}: {cell}"
            expected[f"{what} {verdict[0]}"].add(row.title)
    for kind, checks in kinds.items():
        if not kind.endswith("no"):
            assert set(checks) == expected[kind], kind
    assert sorted(EVENTS) == sorted(row.title for row in OTHERS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_named_tests_are_there(row: Row) -> None:
    name = row.cells[-1].strip("`")
    assert (TESTS / name).is_file()


@pytest.mark.parametrize("title", list(DECODES))
def test_what_is_decoded(title: str) -> None:
    DECODES[title]()


@pytest.mark.parametrize("title", list(REFUSES))
def test_what_is_not_decoded(title: str) -> None:
    REFUSES[title]()


@pytest.mark.parametrize("title", list(ENCODES))
def test_what_is_encoded(title: str) -> None:
    ENCODES[title]()


@pytest.mark.parametrize("title", list(ENCODE_REFUSES))
def test_what_is_not_encoded(title: str) -> None:
    ENCODE_REFUSES[title]()


@pytest.mark.parametrize("title", list(EVENTS))
def test_what_happens(title: str) -> None:
    EVENTS[title]()
