"""Reports: a row for each picture, CSV or JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pyjpegml.batch.report import COLUMNS, Report
from pyjpegml.batch.work import Record
from pyjpegml.files import FileError

GOOD = Record(
    'a "b", c.png', "a.jpg", "compressed", bytes_before=9, bytes_after=5, ms_ssim=0.99, met=True
)
BAD = Record("写真\n.png", error="it is broken")


@pytest.mark.parametrize("rows", [[], [GOOD], [GOOD, BAD]])
def test_json(tmp_path: Path, rows: list[Record]) -> None:
    path = tmp_path / "report.json"
    with Report(str(path)) as report:
        for row in rows:
            report.add(row)
        assert not path.exists()
    read = json.loads(path.read_text("utf-8"))
    assert [row["source"] for row in read] == [row.source for row in rows]
    assert all(tuple(row) == COLUMNS for row in read)
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "report.CSV"
    with Report(str(path)) as report:
        report.add(GOOD, "done before")
        report.add(BAD)
    with open(path, encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["source"], first["status"], first["bytes_after"]) == (
        GOOD.source,
        "done before",
        "5",
    )
    assert (second["source"], second["error"]) == (BAD.source, "it is broken")


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"a \.csv or a \.json file"):
        Report(str(tmp_path / "report.txt"))
    with pytest.raises(FileError, match="No such file"):
        Report(str(tmp_path / "none" / "report.csv"))
