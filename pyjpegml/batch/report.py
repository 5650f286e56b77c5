"""A table of what became of each file: CSV or JSON, by the name of the report.

Rows are written as they come, so that a million of them need no memory; in CSV a row each, in JSON
a list of objects. The report has a name with ``.tmp`` in it until it is complete.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict
from typing import IO

from pyjpegml.files import FileError, reason

from .work import Record

#: What a row says, besides which its records say more (:class:`pyjpegml.batch.work.Record`).
COLUMNS = (
    "source", "target", "status", "bytes_before", "bytes_after", "ms_ssim", "met", "plan", "width",
    "height", "encodes", "seconds", "error",
)  # fmt: skip


class Report:
    """A report that is being written; a context manager.

    Parameters
    ----------
    name : str
        File to write; its end, ``.csv`` or ``.json``, says how.

    Raises
    ------
    FileError
        If it ends otherwise, or cannot be written.
    """

    def __init__(self, name: str) -> None:
        if not name.lower().endswith((".csv", ".json")):
            raise FileError(name, "a report is a .csv or a .json file")
        self._name, self._temporary = name, f"{name}.tmp"
        try:
            self._file: IO[str] = open(  # noqa: SIM115
                self._temporary, "w", encoding="utf-8", errors="backslashreplace", newline=""
            )
        except OSError as error:
            raise FileError(name, reason(error)) from error
        self._rows = 0
        self._csv = None
        if name.lower().endswith(".csv"):
            self._csv = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
            self._csv.writeheader()

    def add(self, record: Record, status: str | None = None) -> None:
        """A row; with another status for what was done before."""
        facts = asdict(record)
        row = {column: facts[column] for column in COLUMNS}
        row["status"] = status or record.status
        if self._csv is not None:
            self._csv.writerow(row)
        else:
            self._file.write(("[\n" if self._rows == 0 else ",\n") + json.dumps(row))
        self._rows += 1

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        """Give the report its name: what is in it happened, interrupted or not."""
        if self._csv is None:
            self._file.write("\n]\n" if self._rows else "[]\n")
        self._file.close()
        os.replace(self._temporary, self._name)
