"""Trees of files: what is seen of them, and that an output is whole or not there."""

from __future__ import annotations

import os
import pickle
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from batches import temporary

from pyjpegml.batch import trees
from pyjpegml.batch.trees import Entry, Folder, Remote, tree_of, walk
from pyjpegml.files import FileError


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    tree = Folder(str(tmp_path))
    tree.begin("0-of-1")
    return tree


def test_which_tree() -> None:
    assert tree_of("x") == Folder(os.path.abspath("x"))
    assert tree_of("file:///x/y") == Folder("/x/y")
    assert isinstance(tree_of("memory://x"), Remote)
    with pytest.raises(FileError, match="cannot be opened"):
        tree_of("nonsense://x")


def test_remote_trees_can_be_sent_to_workers() -> None:
    tree = tree_of("memory://pickled")
    tree.write("a/b", b"data")
    copy = pickle.loads(pickle.dumps(tree))
    assert copy.read("a/b") == b"data"


# --- listing --------------------------------------------------------------------------------------


def test_walk_goes_by_name_and_folder(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/x/3", "c", ".pyjpegml/journal"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    seen = [
        (folder, [entry.name for entry in entries])
        for folder, entries in walk(Folder(str(tmp_path)))
        if not isinstance(entries, Exception)
    ]
    assert seen == [
        ("", [".pyjpegml", "a", "b", "c"]),
        ("a", ["x"]),
        ("a/x", ["3"]),
        ("b", ["1", "2"]),
    ]


def test_links(tmp_path: Path) -> None:
    """To files: read. To folders: entered on request, loops never. To nothing: left out."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "file").write_bytes(b"12345")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").symlink_to(real / "file")
    (tree / "folder").symlink_to(real)
    (tree / "loop").symlink_to(tree)
    (tree / "broken").symlink_to("nowhere")
    assert [entry.name for entry in Folder(str(tree)).listed("")] == ["file"]
    followed = Folder(str(tree), follow_links=True)
    assert [entry.name for entry in followed.listed("")] == ["file", "folder"]
    assert [folder for folder, _ in walk(followed)] == ["", "folder"]
    assert followed.read("file") == b"12345"


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Folder(str(tmp_path)).listed("") == []


def test_versions_tell_changes(tmp_path: Path) -> None:
    tree, path = Folder(str(tmp_path)), tmp_path / "file"
    path.write_bytes(b"one")
    [before] = tree.listed("")
    assert tree.read("file") == b"one"
    os.utime(path, ns=(1, time.time_ns() + 10**9))
    assert tree.listed("")[0].version != before.version


# --- reading --------------------------------------------------------------------------------------


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    looks = 0

    def fstat(descriptor: int) -> os.stat_result:
        """Somebody appends to the file before every second look, `changes` times."""
        nonlocal looks
        looks += 1
        if looks % 2 == 0 and looks // 2 <= changes:
            with open(path, "ab") as file:
                file.write(b"+")
        return real(descriptor)

    real = os.fstat
    monkeypatch.setattr(trees.os, "fstat", fstat)
    changes = 1
    assert Folder(str(tmp_path)).read("file") == b"data+"
    looks, changes = 0, 100
    with pytest.raises(FileError, match="it changed each of the 3 times"):
        Folder(str(tmp_path)).read("file")


def test_an_object_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Remote("memory://changing")
    tree.write("file", b"data")
    system = tree.opened[0]

    def cat_file(place: str, **options: Any) -> bytes:
        data: bytes = real(place, **options)
        system.pipe_file(place, data + b"+")
        return data

    real = system.cat_file
    monkeypatch.setattr(system, "cat_file", cat_file)
    with pytest.raises(FileError, match="it changed each of the 3 times"):
        tree.read("file")


# --- writing --------------------------------------------------------------------------------------


def test_write(folder: Folder, tmp_path: Path) -> None:
    folder.write("a/b/new", b"one")
    folder.write("a/b/new", b"other")
    assert (tmp_path / "a/b/new").read_bytes() == b"other"
    assert folder.size("a/b/new") == 5
    assert folder.size("a/b/none") is None
    assert folder.size("a/b") is None
    assert len(temporary(tmp_path)) == 1
    folder.end()
    assert temporary(tmp_path) == []


def test_the_size_of_what_cannot_be_seen(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission fails by its own files, when they are written; no run ends."""

    def lstat(_: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    folder.write("file", b"data")
    monkeypatch.setattr(trees.os, "lstat", lstat)
    assert folder.size("file") is None


def test_the_size_of_an_object_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it can be, it is: no other file of the folder is taken for missing."""
    tree = Remote("memory://unseen")
    tree.write("file", b"data")

    def listed(_: Remote, folder: str) -> list[Entry]:
        raise RuntimeError("the server is busy")

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "listed", listed)
        assert tree.size("file") is None
    assert tree.size("file") == 4


def test_times_and_permissions(folder: Folder, tmp_path: Path) -> None:
    like = tmp_path / "like"
    like.touch(mode=0o640)
    like.chmod(0o440)
    os.utime(like, ns=(10**18, 10**18 + 5))
    folder.write("new", b"data", str(like))
    status = (tmp_path / "new").stat()
    assert status.st_mtime_ns == like.stat().st_mtime_ns
    assert stat.S_IMODE(status.st_mode) == 0o440


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: BaseException,
) -> None:
    folder.write("file", b"old")

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(trees.os, call, fail)
        with pytest.raises(type(error)):
            folder.write("file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(folder.run) == []


def test_a_link_in_the_target_is_replaced(folder: Folder, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"kept")
    (tmp_path / "file").symlink_to(original)
    folder.write("file", b"new")
    assert not (tmp_path / "file").is_symlink()
    assert original.read_bytes() == b"kept"


def test_no_link_leads_into_the_inputs(tmp_path: Path) -> None:
    inputs, outputs = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    outputs.mkdir()
    (outputs / "a").symlink_to(inputs)
    tree = Folder(str(outputs), inputs=str(inputs))
    tree.begin("0-of-1")
    with pytest.raises(FileError, match="only read"):
        tree.write("a/file", b"data")
    assert os.listdir(inputs) == []


def test_what_dead_runs_left_is_removed(tmp_path: Path) -> None:
    """That of the same shard only; and workers of the dead can rename nothing any more."""
    dead, other = Folder(str(tmp_path)), Folder(str(tmp_path))
    dead.begin("0-of-2")
    Path(dead.run, "orphan.tmp").touch()
    other.begin("1-of-2")
    Folder(str(tmp_path)).begin("0-of-2")
    assert not os.path.exists(dead.run)
    assert os.path.exists(other.run)
    with pytest.raises(FileNotFoundError):
        dead.write("file", b"of the dead")
    assert not (tmp_path / "file").exists()


def test_names_of_any_kind(folder: Folder, tmp_path: Path) -> None:
    for name in (
        "naïve 写真 🙂.jpg",
        "e\u0301.jpg",
        "-rf.jpg",
        " .jpg",
        "a\nb.jpg",
        os.fsdecode(b"\xff.jpg"),
    ):
        folder.write(name, name.encode("utf-8", "surrogateescape"))
        assert folder.read(name) == name.encode("utf-8", "surrogateescape")
        assert name in {entry.name for entry in folder.listed("")}


# --- elsewhere ------------------------------------------------------------------------------------


def test_objects_in_memory() -> None:
    tree = Remote("memory://objects")
    tree.write("a/b/file", b"data")
    assert [entry.name for entry in tree.listed("a")] == ["b"]
    [entry] = tree.listed("a/b")
    assert (entry.name, entry.is_folder, entry.size) == ("file", False, 4)
    assert tree.read("a/b/file") == b"data"
    assert Remote("memory://objects").size("a/b/file") == 4
    assert Remote("memory://objects").size("a/none") is None
    assert Remote("memory://objects").size("none/none") is None


def test_where_objects_do_not_appear_at_once_they_are_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with SFTP; here memory that is told not to be one of those that do."""
    monkeypatch.setattr(trees, "AT_ONCE", set())
    tree = Remote("memory://moved")
    system = tree.opened[0]
    moved = []

    def mv(old: str, new: str) -> None:
        moved.append((old, new, system.exists(new)))
        real(old, new)

    real = system.mv
    monkeypatch.setattr(system, "mv", mv)
    tree.write("a/file", b"data")
    [(old, new, existed)] = moved
    assert ".tmp" in old
    assert new.endswith("a/file")
    assert not existed
    assert [entry.name for entry in tree.listed("a")] == ["file"]
    monkeypatch.setattr(system, "mv", lambda old, new: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tree.write("a/other", b"data")
    assert [entry.name for entry in tree.listed("a")] == ["file"]


def test_archives(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("folder/file", b"data")
    tree = tree_of(f"zip://::{archive}")
    assert [folder for folder, _ in walk(tree)] == ["", "folder"]
    assert tree.read("folder/file") == b"data"
    below = tree_of(f"zip://folder::{archive}")
    assert [entry.name for entry in below.listed("")] == ["file"]
