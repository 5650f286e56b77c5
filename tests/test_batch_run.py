"""A whole tree: what is found, what is done again and what is not, and what stops a run."""

from __future__ import annotations

import itertools
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from batches import contents, make_picture, make_tree, temporary
from helpers import run_python
from joblib import parallel_config
from PIL import Image

import pyjpegml
from pyjpegml.batch import Record, batch
from pyjpegml.batch import run as module
from pyjpegml.batch.journal import Journal
from pyjpegml.batch.run import Run, Selection, find
from pyjpegml.batch.trees import Entry, Folder
from pyjpegml.batch.work import Job
from pyjpegml.files import FileError

FAST: dict[str, Any] = {"ms_ssim": 0.95, "effort": "fast", "jobs": 1}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "in")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_tree(source: Path, target: Path) -> None:
    before = contents(source)
    records: list[Record] = []
    summary = batch(source, target, **FAST, tell=lambda record, _: records.append(record))
    assert (summary.compressed, summary.failed, summary.files) == (6, 0, 6)
    assert sorted(contents(target)) == [
        "000.jpg", "003.jpg", "a/001.jpg", "a/004.jpg", "a/b/002.jpg", "a/b/005.jpg",
    ]  # fmt: skip
    assert contents(source) == before
    for record in records:
        data = (target / record.target).read_bytes()
        original = np.asarray(Image.open(source / record.source))
        assert record.ms_ssim == pyjpegml.ms_ssim(original, pyjpegml.decode(data)) >= 0.95
    assert summary.bytes_after == sum(path.stat().st_size for path in target.rglob("*.jpg"))
    assert summary.bytes_before == sum(path.stat().st_size for path in source.rglob("*.*"))
    assert temporary(target) == []


def test_twice_is_once(source: Path, target: Path) -> None:
    batch(source, target, **FAST)
    times = {path: path.stat().st_mtime_ns for path in target.rglob("*.jpg")}
    again = batch(source, target, **FAST)
    assert (again.before, again.compressed, again.files) == (6, 0, 6)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*.jpg")} == times
    make_picture(source / "000.png", 99)
    (target / "a/001.jpg").unlink()
    assert batch(source, target, **FAST).compressed == 2
    assert batch(source, target, **FAST | {"ms_ssim": 0.9}).before == 0
    assert batch(source, target, **FAST | {"ms_ssim": 0.9}, resume=False).before == 0


def test_verify_reads_what_is_there(source: Path, target: Path) -> None:
    batch(source, target, **FAST)
    before = contents(target)
    path = target / "a" / "001.jpg"
    path.write_bytes(path.read_bytes()[::-1])
    assert batch(source, target, **FAST).before == 6
    assert batch(source, target, **FAST, verify=True).compressed == 1
    assert contents(target) == before


def test_bad_files_do_not_stop_it(source: Path, target: Path, tmp_path: Path) -> None:
    (source / "bad.png").write_bytes(b"no picture")
    (source / "a" / "bad.jpg").write_bytes((source / "a/001.jpg").read_bytes()[:200])
    report = tmp_path / "report.json"
    summary = batch(source, target, **FAST, report=report)
    assert (summary.compressed, summary.failed) == (6, 2)
    rows = {row["source"]: row for row in json.loads(report.read_text())}
    assert len(rows) == 8
    assert "no image" in rows["bad.png"]["error"]
    assert "JpegFormatError" in rows["a/bad.jpg"]["error"]
    again = batch(source, target, **FAST, report=report)
    assert (again.before, again.failed) == (6, 2)
    statuses = {row["source"]: row["status"] for row in json.loads(report.read_text())}
    assert statuses["000.png"] == "done before"


def test_a_run_that_is_refused_leaves_the_report(
    source: Path, target: Path, tmp_path: Path
) -> None:
    """That of the run at work, which may have the same name: half of it too."""
    report, half = tmp_path / "report.json", tmp_path / "report.json.tmp"
    report.write_text("of an earlier run")
    half.write_text("of the run at work")
    journal = Journal(Folder(str(target)), "0-of-1")
    with pytest.raises(FileError, match="another batch is writing there"):
        batch(source, target, **FAST, report=report)
    journal.close()
    assert (report.read_text(), half.read_text()) == ("of an earlier run", "of the run at work")


def test_collisions(tmp_path: Path, target: Path) -> None:
    for i, name in enumerate(("a.png", "a.jpg", "a.tif", "b.png")):
        make_picture(tmp_path / "in" / name, i)
    batch(tmp_path / "in", target, **FAST)
    assert sorted(contents(target)) == ["a.jpg", "a.png.jpg", "a.tif.jpg", "b.jpg"]


def test_a_folder_that_cannot_be_listed(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(tree: Folder, folder: str) -> list[Entry]:
        if folder == "a/b":
            raise PermissionError(13, "Permission denied")
        return real(tree, folder)

    real = Folder.listed
    monkeypatch.setattr(Folder, "listed", listed)
    errors = {}
    summary = batch(
        source, target, **FAST, tell=lambda record, _: errors.update({record.source: record.error})
    )
    assert (summary.compressed, summary.failed) == (4, 1)
    assert errors["a/b"] == "the folder cannot be listed: Permission denied"


def test_a_full_disk_stops_it(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(job: Job, *_: object) -> Record:
        return Record(job.source, error="No space left on device", fatal=job.source == "003.jpg")

    monkeypatch.setattr(module, "work", work)
    summary = batch(source, target, **FAST)
    assert summary.stopped == "No space left on device"
    assert summary.files == 2
    assert temporary(target) == []


@pytest.mark.parametrize("call", ["add", "close"])
def test_a_journal_that_cannot_be_written_stops_it(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(journal: Journal, *arguments: Record) -> None:
        real(journal, *arguments)
        raise OSError(28, "No space left on device")

    real = getattr(Journal, call)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, call, fail)
        summary = batch(source, target, **FAST)
    assert summary.stopped == "the journal cannot be written: No space left on device"
    assert summary.files == {"add": 1, "close": 6}[call]
    assert batch(source, target, **FAST).stopped == ""
    assert len(contents(target)) == 6


def test_an_interruption_leaves_nothing_half(source: Path, target: Path) -> None:
    def tell(record: Record, before: bool) -> None:
        if record.source == "a/001.jpg":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch(source, target, **FAST, tell=tell)
    assert temporary(target) == []
    there = len(contents(target))
    assert 3 <= there < 6
    summary = batch(source, target, **FAST)
    assert (summary.before, summary.files) == (3, 6)


def test_shards_are_the_whole(source: Path, target: Path) -> None:
    parts = [batch(source, target, **FAST, shard=(i, 3)).files for i in range(3)]
    assert sum(parts) == 6
    assert max(parts) < 6
    assert batch(source, target, **FAST).before == 6
    for options in ({"ms_ssim": 0.9}, {"shard": (1, 2)}, {"ms_ssim": 0.9}):
        done = batch(source, target, **FAST | options).compressed
        assert batch(source, target, **FAST | options).before == done > 0
    with pytest.raises(ValueError, match="from 0 to n - 1"):
        batch(source, target, **FAST, shard=(3, 3))


# --- which files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (
            Selection(),
            {"000.png", "003.jpg", "a/001.jpg", "a/004.png", "a/b/002.png", "a/b/005.jpg"},
        ),
        (Selection(("*.PNG",)), {"000.png", "a/004.png", "a/b/002.png"}),
        (Selection(exclude=("a/*",)), {"000.png", "003.jpg"}),
        (Selection(("a/00?.*",), ("*.jpg",)), {"a/004.png"}),
        (Selection(("*.txt",)), {"notes.txt"}),
    ],
)
def test_filters(source: Path, selection: Selection, expected: set[str]) -> None:
    (source / "notes.txt").touch()
    assert {found.source for found in find(Folder(str(source)), selection)} == expected


class Many:
    """A tree of folders with a hundred files each."""

    def __init__(self, folders: int) -> None:
        self.folders = folders
        self.seen = 0

    def listed(self, folder: str) -> list[Entry]:
        self.seen += 1
        if folder == "":
            return [Entry(f"{i:04}", True) for i in range(self.folders)]
        return [Entry(f"{i:03}.png", False, 1, "1") for i in range(100)]


def test_folders_are_listed_when_their_turn_comes() -> None:
    tree = Many(1000)
    assert len(list(itertools.islice(find(tree, Selection()), 250))) == 250  # type: ignore[arg-type]
    assert tree.seen == 4


def test_memory_does_not_grow_with_the_files() -> None:
    """100,000 of them: what is kept is the names of the folders, and of the files in one."""
    tracemalloc.start()
    count = sum(1 for _ in find(Many(1000), Selection()))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 2_000_000


def test_few_files_are_on_their_way(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers are fed as they go on, however many files there are."""
    taken = most = 0
    done: list[str] = []

    def found(*_: object) -> Iterator[Job]:
        nonlocal taken, most
        for i in range(500):
            taken += 1
            most = max(most, taken - len(done))
            yield Job(f"{i}.png", f"{i}.jpg")

    def work(job: Job, *_: object) -> Record:
        done.append(job.source)
        return Record(job.source)

    monkeypatch.setattr(module, "find", found)
    monkeypatch.setattr(module, "work", work)
    with parallel_config("threading"):
        assert batch(source, target, **FAST | {"jobs": 2}).files == 500
    assert most <= 4


# --- workers --------------------------------------------------------------------------------------


def test_a_worker_that_dies_takes_no_other_file_along(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As loky and Dask tell it: all that were on their way are lost. The culprit fails in the end."""

    class TerminatedWorkerError(Exception):
        pass

    def parallel(run: Run, jobs: Iterator[Job]) -> Iterator[Record]:
        for job in jobs:
            two = [job, *itertools.islice(jobs, 1)]
            if any(job.source == "a/001.jpg" for job in two):
                raise TerminatedWorkerError("it was killed")
            for job in two:
                yield Record(job.source, job.target, "compressed", met=True)

    def one_or_many(run: Run, jobs: Any) -> Iterator[Record]:
        return alone(run, jobs) if isinstance(jobs, list) else parallel(run, jobs)

    def alone(run: Run, jobs: list[Job]) -> Iterator[Record]:
        if jobs[0].source == "a/001.jpg":
            raise TerminatedWorkerError("it was killed again")
        yield Record(jobs[0].source, jobs[0].target, "compressed", met=True)

    monkeypatch.setattr(Run, "_parallel", one_or_many)
    records: list[Record] = []
    summary = batch(source, target, **FAST, tell=lambda record, _: records.append(record))
    failed = [record for record in records if record.status == "failed"]
    assert [record.source for record in failed] == ["a/001.jpg"]
    assert "its worker died: it was killed again" in failed[0].error
    assert (summary.failed, summary.files) == (1, 6)
    assert len({record.source for record in records}) == 6


def test_other_errors_of_workers_are_raised(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Record:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(module, "work", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        batch(source, target, **FAST)


# --- what is refused ------------------------------------------------------------------------------


def test_trees_must_not_overlap(source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(source)
    for target in (source, source / "out", tmp_path, link):
        with pytest.raises(FileError, match="must not lie in each other"):
            batch(source, target, **FAST)
    fsspec.filesystem("memory").pipe_file("/overlap/x/a.png", b"data")
    with pytest.raises(FileError, match="must not lie in each other"):
        batch("memory://overlap/x", "memory://overlap/x/y", **FAST)


def test_what_cannot_be_used(source: Path, target: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be listed: No such file"):
        batch(tmp_path / "none", target, **FAST)
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"Not a directory|File exists"):
        batch(source, tmp_path / "file", **FAST)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("file", b"data")
    with pytest.raises(FileError, match="not written to"):
        batch(source, f"zip://::{tmp_path}/a.zip", **FAST)
    with pytest.raises(ValueError, match="from folder to folder only"):
        batch(source, "memory://preserved", **FAST, preserve=True)


def test_the_library_does_not_need_it() -> None:
    """``import pyjpegml``, and a whole compression, without anything that the extras bring."""
    run_python(
        """
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"joblib", "tqdm", "fsspec", "dask", "distributed", "imageio",
                                      "PIL", "zarr", "numcodecs", "s3fs"}:
            raise ImportError(f"{name} is refused")
sys.meta_path.insert(0, Refuse())
import numpy, pyjpegml
assert pyjpegml.compress(numpy.zeros((20, 20), numpy.uint8), effort="fast").met
import pyjpegml.batch, pyjpegml.cli
assert not any(name.startswith("pyjpegml.batch.") for name in sys.modules)
"""
    )
