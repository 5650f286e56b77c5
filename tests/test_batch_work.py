"""One file: what becomes of it, and that whatever is wrong with it is told, not raised."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from batches import make_picture
from PIL import Image

import pyjpegml
from pyjpegml.batch import trees
from pyjpegml.batch.trees import Folder, Remote
from pyjpegml.batch.work import Job, Recipe, Record, work

FAST = Recipe(0.95, "fast")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Folder, Folder]:
    source, target = Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out"))
    (tmp_path / "in").mkdir()
    target.begin("0-of-1")
    return source, target


def test_a_picture(folders: tuple[Folder, Folder]) -> None:
    source, target = folders
    path = Path(source.path("a.png"))
    make_picture(path, 1)
    record = work(Job("a.png", "b/a.jpg", "version"), FAST, source, target, False)
    data = Path(target.path("b/a.jpg")).read_bytes()
    pixels = np.asarray(Image.open(path))
    assert data == pyjpegml.compress(pixels, ms_ssim=0.95, effort="fast").data
    assert (record.status, record.target, record.error) == ("compressed", "b/a.jpg", "")
    assert (record.bytes_before, record.bytes_after) == (path.stat().st_size, len(data))
    assert record.ms_ssim == pyjpegml.ms_ssim(pixels, pyjpegml.decode(data))
    assert record.met
    assert (record.width, record.height) == (40, 32)
    assert record.version == "version"


def test_nothing_becomes_larger(folders: tuple[Folder, Folder]) -> None:
    """A flat PNG is smaller than any JPEG: it is copied under its own name."""
    source, target = folders
    Image.new("RGB", (64, 64)).save(source.path("flat.png"), optimize=True)
    record = work(Job("flat.png", "flat.jpg"), FAST, source, target, False)
    assert (record.status, record.target, record.ms_ssim) == ("copied", "flat.png", 1.0)
    assert Path(target.path("flat.png")).read_bytes() == Path(source.path("flat.png")).read_bytes()
    assert not os.path.exists(target.path("flat.jpg"))


def test_a_small_jpeg_stays_as_it_is(folders: tuple[Folder, Folder]) -> None:
    source, target = folders
    make_picture(Path(source.path("a.png")), 2)
    small = pyjpegml.recode(
        pyjpegml.encode(np.asarray(Image.open(source.path("a.png"))), quality=5),
        progressive="search",
    )
    Path(source.path("a.jpg")).write_bytes(small)
    record = work(Job("a.jpg", "a.jpg"), Recipe(1.0, "fast"), source, target, False)
    assert record.status == "copied"
    assert record.met
    assert Path(target.path("a.jpg")).read_bytes() == small


def test_a_target_that_is_missed_is_told(folders: tuple[Folder, Folder]) -> None:
    source, target = folders
    make_picture(Path(source.path("a.png")), 3)
    record = work(Job("a.png", "a.jpg"), Recipe(0.99, "fast", max_bytes=700), source, target, False)
    assert (record.status, record.met, record.bytes_after <= 700) == ("compressed", False, True)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", b"", "no image"),
        ("a.jpg", b"\xff\xd8\xff", "JpegFormatError"),
        ("a.png", None, "No such file"),
        ("a.tif", "RGBA", "--background"),
    ],
)
def test_errors(
    folders: tuple[Folder, Folder], name: str, data: bytes | str | None, words: str
) -> None:
    source, target = folders
    if isinstance(data, str):
        Image.new(data, (9, 9)).save(source.path(name))
    elif data is not None:
        Path(source.path(name)).write_bytes(data)
    record = work(Job(name, "a.jpg"), FAST, source, target, False)
    assert record.status == "failed"
    assert words in record.error
    assert (record.target, record.fatal) == ("", False)
    assert os.listdir(target.url) == [".pyjpegml"]


def test_alpha_on_a_background(folders: tuple[Folder, Folder]) -> None:
    source, target = folders
    Image.effect_noise((50, 50), 30).convert("RGBA").save(source.path("a.png"))
    recipe = Recipe(0.9, "fast", background=(255, 255, 255))
    assert work(Job("a.png", "a.jpg"), recipe, source, target, False).status == "compressed"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_concerns_the_whole_run(
    folders: tuple[Folder, Folder], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source, target = folders
    make_picture(Path(source.path("a.png")), 4)

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(trees.os, "fsync", fail)
    record = work(Job("a.png", "a.jpg"), FAST, source, target, False)
    assert record.error == os.strerror(number)
    assert record.fatal == (number != errno.EACCES)


def test_something_in_the_way(folders: tuple[Folder, Folder]) -> None:
    """A folder where the file is to be, and a file where its folder is to be."""
    source, target = folders
    make_picture(Path(source.path("a.png")), 5)
    os.makedirs(target.path("a.jpg"))
    Path(target.path("file")).touch()
    for name in ("a.jpg", "file/a.jpg"):
        record = work(Job("a.png", name), FAST, source, target, False)
        assert record.status == "failed"
        assert os.listdir(target.run) == []


def test_times_are_kept_on_request(folders: tuple[Folder, Folder]) -> None:
    source, target = folders
    make_picture(Path(source.path("a.png")), 6)
    os.utime(source.path("a.png"), (10**9, 10**9))
    work(Job("a.png", "a.jpg"), FAST, source, target, False)
    assert os.stat(target.path("a.jpg")).st_mtime != 10**9
    work(Job("a.png", "a.jpg"), FAST, source, target, True)
    assert os.stat(target.path("a.jpg")).st_mtime == 10**9


def test_objects(folders: tuple[Folder, Folder]) -> None:
    source, _ = folders
    make_picture(Path(source.path("a.png")), 7)
    target = Remote("memory://work")
    record: Record = work(Job("a.png", "x/a.jpg"), FAST, source, target, False)
    assert len(target.read("x/a.jpg")) == record.bytes_after


def test_recipes_are_told_apart() -> None:
    recipes = Recipe(), Recipe(0.98), Recipe(effort="best"), Recipe(background=(1, 2, 3))
    assert len({recipe.digest for recipe in recipes}) == 4
    assert Recipe().digest == Recipe().digest
