"""``pyjpegml batch``, and ``compress`` of several files: arguments, what is said, exit codes."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from batches import contents, make_picture, make_tree
from commands import Run

from pyjpegml.console import ExitCode

FAST = ("--effort", "fast", "--ms-ssim", "0.95")
HERE = ("--jobs", "1", *FAST)
MISSED = ("--ms-ssim", "0.9999", "--max-bytes", "900")  # of pictures that need more


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    return str(make_tree(tmp_path / "in", 3)), str(tmp_path / "out")


def test_batch(run: Run, folders: tuple[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    code, printed, said = run("batch", *folders, *HERE, "--report", str(report))
    assert (code, said) == (ExitCode.DONE, "")
    assert "3 files in" in printed
    assert "3 compressed" in printed
    with open(report, newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    code, printed, _ = run("batch", *folders, *HERE, "--json")
    assert code == ExitCode.DONE
    facts = json.loads(printed)
    assert (facts["before"], facts["compressed"], facts["failed"]) == (3, 0, 0)
    assert "3 compressed" in run("batch", *folders, *HERE, "--no-resume")[1]


def test_batch_dry_run(run: Run, folders: tuple[str, str]) -> None:
    code, printed, said = run("batch", *folders, "--dry-run")
    assert code == ExitCode.DONE
    assert printed.splitlines() == [
        "000.png -> 000.jpg",
        "a/001.jpg -> a/001.jpg",
        "a/b/002.png -> a/b/002.jpg",
    ]
    assert said == "3 files to do, 0 done before\n"
    assert not Path(folders[1]).exists()


def test_batch_errors(run: Run, folders: tuple[str, str]) -> None:
    Path(folders[0], "bad.png").write_bytes(b"no picture")
    code, printed, said = run("batch", *folders, *HERE)
    assert code == ExitCode.FILE_FAILED
    assert said == "pyjpegml: bad.png: no image in a format that Pillow can read\n"
    assert "1 failed" in printed
    code, printed, _ = run("batch", *folders, *HERE, "--exclude", "bad.*", *MISSED)
    assert code == ExitCode.TARGET_NOT_MET
    assert len(contents(Path(folders[1]))) == 3


def test_batch_shows_progress(run: Run, folders: tuple[str, str]) -> None:
    said = run("batch", *folders, *HERE, "--progress")[2]
    assert "3/3" in said
    assert "% saved" in said


@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_batch_on_other_backends(run: Run, folders: tuple[str, str], backend: str) -> None:
    code, printed, _ = run("batch", *folders, *FAST, "--jobs", "2", "--backend", backend)
    assert code == ExitCode.DONE
    assert "3 compressed" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shard", "3/3"], "from 0 to N - 1"),
        (["--jobs", "0"], "1 or more"),
        (["--dask", "tcp://x", "--backend", "loky"], "not allowed"),
        (["--backend", "nonsense"], "--backend: Invalid backend: nonsense"),
        (["--ms-ssim", "2"], "at most 1"),
        (["--others", "keep", "--metadata", "strip"], "--metadata keep"),
    ],
)
def test_batch_wrong_usage(
    fails: Callable[..., str], folders: tuple[str, str], arguments: list[str], words: str
) -> None:
    assert words in fails(ExitCode.USAGE, "batch", *folders, *arguments)


@pytest.mark.parametrize("target", ["memory://x", "zip::x.zip", "file::x"])
def test_batch_preserves_only_in_folders(
    fails: Callable[..., str], folders: tuple[str, str], target: str
) -> None:
    message = fails(ExitCode.USAGE, "batch", folders[0], target, "--preserve")
    assert "--preserve is for folders" in message


def test_batch_of_nothing(fails: Callable[..., str], tmp_path: Path) -> None:
    message = fails(ExitCode.FILE_FAILED, "batch", str(tmp_path / "none"), str(tmp_path / "out"))
    assert message == f"{tmp_path}/none: the folder cannot be listed: No such file or directory"


def test_batch_stops_at_a_full_disk(
    run: Run, folders: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    code, _, said = run("batch", *folders, *HERE)
    assert code == ExitCode.FILE_FAILED
    assert "stopped: No space left on device; the same command goes on from here" in said
    assert contents(Path(folders[1])) == {}


# --- compress -------------------------------------------------------------------------------------


def test_compress_several_files(run: Run, tmp_path: Path) -> None:
    for i, name in enumerate(("a.png", "a.jpg", "b.png")):
        make_picture(tmp_path / name, i)
    out = tmp_path / "out"
    out.mkdir()
    code, printed, _ = run("compress", f"{tmp_path}/*.*", str(out), *FAST)
    assert code == ExitCode.DONE
    assert sorted(contents(out)) == ["a.jpg", "a.png.jpg", "b.jpg"]
    assert [line for line in printed.splitlines() if line.endswith(":")] == [
        f"{out}/a.jpg:", f"{out}/a.png.jpg:", f"{out}/b.jpg:",
    ]  # fmt: skip


def test_compress_goes_on_behind_a_bad_file(run: Run, tmp_path: Path) -> None:
    make_picture(tmp_path / "b.png", 1)
    (tmp_path / "a.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    out.mkdir()
    code, _, said = run(
        "compress", str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(out), *FAST
    )
    assert code == ExitCode.FILE_FAILED
    assert "a.png: no image" in said
    assert sorted(contents(out)) == ["b.jpg"]


def test_compress_several_files_into_one(
    fails: Callable[..., str], png: str, jpg: str, out: str
) -> None:
    assert "need a folder" in fails(ExitCode.USAGE, "compress", png, jpg, out)
    assert "no file has such a name" in fails(ExitCode.USAGE, "compress", f"{out}*", out)
