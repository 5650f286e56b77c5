"""What a run has done: a line of JSON for each file, which outlasts any end of the run.

The journal lies with the outputs, ``DST/.pyjpegml/*.jsonl``; files themselves carry no marks. A
line is written when the output has its final name, so what is in the journal is there. What is
there and not in the journal is made again, to the same bytes. A line that was cut off is passed
over.

In a folder lines are appended. Objects cannot be appended to: there lines are gathered, and written
as one object every :data:`SECONDS` or :data:`LINES`; what a killed run had gathered is made again.

Of all records of a file, whichever run or shard wrote them, the one with the latest time (a line
says it) is the last. It counts if the input has the same version, the recipe is the same, and the
output is there with its size (``verify``: with its SHA-256). Of each file some hundred bytes stay
in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from pyjpegml.files import FileError, reason

from .trees import STATE, Folder, Tree
from .work import Job, Record

#: How long, and how many lines, are gathered for an object.
SECONDS, LINES = 10.0, 500

_FIELDS = {field.name for field in fields(Record)}

#: Of an entry of the index; the bits above are the time, so that the later one is the larger.
_PLACE_BITS = 48


class Past:
    """The last record of each file, from all journals of a tree; a context manager.

    Parameters
    ----------
    tree : Tree
        That of the outputs.
    empty : bool
        Whether earlier records do not count.

    Raises
    ------
    FileError
        If a journal cannot be read.
    """

    def __init__(self, tree: Tree, empty: bool = False) -> None:
        self._tree = tree
        self._index: dict[int, int] = {}  # of each file the time of its record, and the place
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        if not empty:
            try:
                for line in _past(tree):
                    self._learn(line)
            except Exception as error:  # file systems of fsspec raise what their clients do
                self._spool.close()
                raise FileError(tree.url, f"its journal cannot be read: {reason(error)}") from error

    def _learn(self, line: bytes) -> None:
        """Take a line into the index, if it is a whole one."""
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("source"), str):
                key, written = _key(record["source"]), record.get("time")
                later = (written if isinstance(written, int) else 0) << _PLACE_BITS
                later |= self._spool.seek(0, io.SEEK_END)
                self._index[key] = max(later, self._index.get(key, later))
                self._spool.write(line.rstrip(b"\n") + b"\n")

    def last(self, source: str) -> Record | None:
        """The last record of a file."""
        entry = self._index.get(_key(source))
        if entry is None:
            return None
        self._spool.seek(entry & ((1 << _PLACE_BITS) - 1))
        facts: dict[str, Any] = json.loads(self._spool.readline())
        if facts["source"] != source:  # 64 bits of a hash are the same
            return None
        return Record(**{name: facts[name] for name in _FIELDS & facts.keys()})

    def done(self, job: Job, recipe: str, verify: bool = False) -> Record | None:
        """The record of a file that need not be made again."""
        record = self.last(job.source)
        if record is None or record.status == "failed":
            return None
        if (record.version, record.recipe, record.planned) != (job.version, recipe, job.target):
            return None
        if self._tree.size(record.target) != record.bytes_after:
            return None
        if verify:
            with suppress(Exception):  # file systems of fsspec raise what their clients do
                data = self._tree.read(record.target)
                return record if hashlib.sha256(data).hexdigest() == record.sha256 else None
            return None
        return record

    def __enter__(self) -> Past:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()


class Journal:
    """Records of this run, as they are written down.

    Parameters
    ----------
    tree : Tree
        That of the outputs.
    shard : str
        Names the runs of which only one may be at work.

    Raises
    ------
    FileError
        If another run of this shard is at work.
    OSError
        If the journal cannot be written.
    """

    def __init__(self, tree: Tree, shard: str) -> None:
        self._tree, self._shard = tree, shard
        self._lines: list[bytes] = []
        self._written = time.monotonic()
        self._file, self._lock = None, None
        if isinstance(tree, Folder):
            state = Path(tree.url, STATE)
            state.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(state / f"{shard}.lock")
            self._file = open(state / f"{shard}.jsonl", "ab+")  # noqa: SIM115
            _end_line(self._file)

    def add(self, record: Record) -> None:
        """Write a record down."""
        line = json.dumps(asdict(record) | {"time": time.time_ns()}).encode() + b"\n"
        if self._file is not None:
            self._file.write(line)
            self._file.flush()
            return
        self._lines.append(line)
        if len(self._lines) >= LINES or time.monotonic() - self._written >= SECONDS:
            self._put()

    def _put(self) -> None:
        """Write the lines that were gathered as one object."""
        if self._lines:
            name = f"{self._shard}-{time.time_ns():020d}-{secrets.token_hex(4)}.jsonl"
            self._tree.write(posixpath.join(STATE, name), b"".join(self._lines))
        self._lines, self._written = [], time.monotonic()

    def close(self) -> None:
        """Write what was gathered, and let another run begin."""
        with self._lock or nullcontext():
            if self._file is None:
                self._put()
            else:
                self._file.close()


def _key(source: str) -> int:
    name = source.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def _past(tree: Tree) -> Iterator[bytes]:
    """Lines of earlier runs, of all shards."""
    try:
        entries = tree.listed(STATE)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.endswith(".jsonl") and not entry.is_folder:
            path = posixpath.join(STATE, entry.name)
            if isinstance(tree, Folder):
                with open(tree.path(path), "rb") as file:
                    yield from file
            else:
                yield from io.BytesIO(tree.read(path))


def _end_line(file: IO[bytes]) -> None:
    """End a line that was cut off, so that the next one begins anew."""
    if file.seek(0, io.SEEK_END):
        file.seek(-1, io.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
            file.flush()


def _locked(path: Path) -> IO[bytes] | None:
    """An open file that no other run has locked; None where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    file = open(path, "ab")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FileError(str(path.parent.parent), "another batch is writing there") from None
    except OSError:  # the file system has no locks
        pass
    return file
