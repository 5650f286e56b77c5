"""The journal: what counts as done, and what survives."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from pyjpegml.batch import journal as module
from pyjpegml.batch.journal import Journal, Past
from pyjpegml.batch.trees import Entry, Folder, Remote, Tree
from pyjpegml.batch.work import Job, Record
from pyjpegml.files import FileError

DATA = b"a picture"
JOB = Job("a.png", "a.jpg", "version")
RECORD = Record(
    "a.png", "a.jpg", "compressed", "a.jpg", "version", "recipe", 20, len(DATA),
    hashlib.sha256(DATA).hexdigest(),
)  # fmt: skip


@pytest.fixture(params=["folder", "memory"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """A tree with one output and its record."""
    place: Tree = (
        Folder(str(tmp_path)) if request.param == "folder" else Remote(f"memory:/{tmp_path}")
    )
    place.begin("0-of-1")
    place.write("a.jpg", DATA)
    journal = Journal(place, "0-of-1")
    journal.add(RECORD)
    journal.close()
    return place


def is_done(tree: Tree, job: Job = JOB, recipe: str = "recipe", verify: bool = False) -> bool:
    if isinstance(tree, Remote):
        tree = Remote(tree.url)  # as a later run
    with Past(tree) as past:
        return past.done(job, recipe, verify) is not None


def last(tree: Tree, source: str = "a.png") -> Record | None:
    with Past(tree) as past:
        return past.last(source)


def test_what_is_done(tree: Tree) -> None:
    assert last(tree) == RECORD
    with Past(tree, empty=True) as past:
        assert past.done(JOB, "recipe") is None
    assert is_done(tree)
    assert is_done(tree, verify=True)
    assert not is_done(tree, replace(JOB, source="b.png"))
    assert not is_done(tree, replace(JOB, version="other"))
    assert not is_done(tree, replace(JOB, target="a.png.jpg"))
    assert not is_done(tree, recipe="other")


def test_an_output_that_is_not_as_it_was(tree: Tree) -> None:
    tree.write("a.jpg", DATA[::-1])
    assert is_done(tree)
    assert not is_done(tree, verify=True)
    tree.write("a.jpg", DATA + b"!")
    assert not is_done(tree)


def test_the_last_record_counts(tree: Tree) -> None:
    journal = Journal(tree, "0-of-1")
    journal.add(Record("a.png", error="failed later"))
    journal.close()
    assert not is_done(tree)


def test_the_last_record_counts_whatever_its_journal_is_called(tree: Tree) -> None:
    """A whole run behind runs of shards, and a shard behind it: names tell nothing of the order."""
    for shard in ("1-of-2", "0-of-1", "0-of-2"):
        journal = Journal(tree, shard)
        journal.add(replace(RECORD, recipe=shard))
        journal.close()
        assert is_done(tree, recipe=shard)
        assert not is_done(tree)


def test_records_without_a_time_are_the_oldest(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    journal = Journal(tree, "0-of-2")
    journal.add(RECORD)
    journal.close()
    path = tmp_path / ".pyjpegml" / "1-of-2.jsonl"
    for time in ("", ', "time": "noon"'):
        path.write_text(f'{{"source": "a.png", "error": "old"{time}}}\n')
        assert last(tree) == RECORD


def test_a_journal_that_cannot_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(_: Tree, folder: str) -> list[Entry]:
        raise RuntimeError("no credentials")

    monkeypatch.setattr(type(tree), "listed", listed)
    with pytest.raises(FileError, match="its journal cannot be read: no credentials"):
        Past(tree)
    with Past(tree, empty=True) as past:
        assert past.last("a.png") is None


def test_every_shard_knows_all_records(tree: Tree) -> None:
    Journal(tree, "1-of-2").close()
    assert is_done(tree)


def test_a_line_that_was_cut_off(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    (tmp_path / "a.jpg").write_bytes(DATA)
    for cut in (2, 20, 100):
        journal = Journal(tree, "0-of-1")
        journal.add(RECORD)
        journal.close()
        path = tmp_path / ".pyjpegml" / "0-of-1.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[:-cut])
        assert last(tree) is None
        journal = Journal(tree, "0-of-1")
        journal.add(RECORD)
        journal.close()
        assert last(tree) == RECORD
        path.unlink()


def test_only_the_end_of_a_line_was_cut_off(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    path = tmp_path / ".pyjpegml" / "0-of-1.jsonl"
    for name in ("a.png", "b.png"):
        journal = Journal(tree, "0-of-1")
        journal.add(replace(RECORD, source=name))
        journal.close()
        path.write_bytes(path.read_bytes()[:-1])
    journal = Journal(tree, "1-of-2")
    journal.add(replace(RECORD, source="c.png"))
    journal.close()
    assert all(last(tree, name) is not None for name in ("a.png", "b.png", "c.png"))


def test_lines_are_there_as_soon_as_they_are_added(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    journal = Journal(tree, "0-of-1")
    journal.add(RECORD)
    assert last(tree) == RECORD
    journal.close()


def test_objects_are_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES", 3)
    tree = Remote("memory://gathered")
    journal = Journal(tree, "0-of-1")
    for i in range(7):
        journal.add(replace(RECORD, source=str(i)))
    assert [last(tree, str(i)) is not None for i in range(7)] == [True] * 6 + [False]
    journal.close()
    assert last(tree, "6") is not None


def test_one_run_at_a_time(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    first = Journal(tree, "0-of-2")
    Journal(tree, "1-of-2").close()
    with pytest.raises(FileError, match="another batch is writing there"):
        Journal(tree, "0-of-2")
    first.close()
    Journal(tree, "0-of-2").close()


def test_names_of_any_kind(tmp_path: Path) -> None:
    tree = Folder(str(tmp_path))
    journal = Journal(tree, "0-of-1")
    names = ["\udcff.png", "写真.png", 'a "quoted"\nline.png']
    for name in names:
        journal.add(replace(RECORD, source=name))
    journal.close()
    assert all(last(tree, name) == replace(RECORD, source=name) for name in names)


def test_memory_of_many_records(tmp_path: Path) -> None:
    """Some hundred bytes for each, however long they are."""
    tree = Folder(str(tmp_path))
    journal = Journal(tree, "0-of-1")
    for i in range(20_000):
        journal.add(replace(RECORD, source=f"{i:0200}"))
    journal.close()
    tracemalloc.start()
    with Past(tree) as past:
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert past.last(f"{19_999:0200}") is not None
    assert used < 20_000 * 200
