"""Killed at any moment, and resumed: the result is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batches import contents, make_tree, temporary, wait_until
from commands import PACKAGE_PARENT

from pyjpegml.batch import batch
from pyjpegml.console import ExitCode

OPTIONS = ("--effort", "fast", "--ms-ssim", "0.95", "--no-progress")


def begin(source: Path, target: Path, *options: str) -> subprocess.Popen[bytes]:
    """The command, as a process that leads a group of its own."""
    command = [
        sys.executable,
        "-m",
        "pyjpegml",
        "batch",
        str(source),
        str(target),
        *OPTIONS,
        *options,
    ]
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_BOUNDSCHECK"}
    environment["PYTHONPATH"] = str(PACKAGE_PARENT)
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def lines(target: Path) -> int:
    """How many files the journal says are done."""
    path = target / ".pyjpegml" / "0-of-1.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(process: subprocess.Popen[bytes], target: Path, count: int) -> None:
    """Until so many files are done, or the process has ended."""
    wait_until(lambda: process.poll() is not None or lines(target) >= count, f"{count} files")


def end(process: subprocess.Popen[bytes], number: int) -> tuple[int, str]:
    """Send a signal to the whole group; exit code, and what was said."""
    if process.poll() is None:
        os.killpg(process.pid, number)
    _, said = process.communicate(timeout=900)
    return process.returncode, said.decode()


def assert_whole(target: Path, expected: dict[str, str]) -> None:
    """Whatever has its final name is what it is to be."""
    assert contents_without_temporary(target).items() <= expected.items()


def contents_without_temporary(target: Path) -> dict[str, str]:
    return {name: digest for name, digest in contents(target).items() if ".tmp" not in name}


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_killed_interrupted_and_resumed(tmp_path: Path) -> None:
    source, calm, target = make_tree(tmp_path / "in", 12), tmp_path / "calm", tmp_path / "out"
    assert batch(source, calm, ms_ssim=0.95, effort="fast", jobs=1).compressed == 12
    expected = contents(calm)

    process = begin(source, target, "--jobs", "1")
    wait_for(process, target, 2)
    end(process, signal.SIGKILL)
    assert_whole(target, expected)
    killed = lines(target)
    orphan = target / ".pyjpegml" / "0-of-1-0123456789abcdef.tmp"  # as of a write that was killed
    orphan.mkdir()
    (orphan / "half.tmp").write_bytes(b"half a file")

    process = begin(source, target, "--jobs", "2")
    wait_for(process, target, killed + 2)
    code, said = end(process, signal.SIGTERM if process.poll() is None else 0)
    assert code in (ExitCode.INTERRUPTED, ExitCode.DONE)
    if code == ExitCode.INTERRUPTED:
        assert "the same command goes on from here" in said
    assert_whole(target, expected)
    assert temporary(target) == []

    before = lines(target)
    summary = batch(source, target, ms_ssim=0.95, effort="fast", jobs=1)
    assert summary.before >= 4
    assert summary.before + summary.compressed == 12
    assert summary.before <= before
    assert contents(target) == expected
    assert temporary(target) == []


def kill_ten_times(tmp_path: Path, count: int) -> None:
    """At moments that chance has chosen; then undisturbed: as if nothing had happened."""
    source, calm, target = make_tree(tmp_path / "in", count), tmp_path / "calm", tmp_path / "out"
    assert batch(source, calm, ms_ssim=0.95, effort="fast", jobs=2).compressed == count
    expected = contents(calm)
    moments = sorted(random.Random(10).sample(range(count), 10))
    for moment in moments:
        process = begin(source, target, "--jobs", "2")
        wait_for(process, target, moment)
        time.sleep(random.random() / 10)  # between two lines, wherever that is
        end(process, signal.SIGKILL)
        assert_whole(target, expected)
    process = begin(source, target, "--jobs", "2", "--json")
    printed, _ = process.communicate(timeout=3600)
    assert process.returncode == ExitCode.DONE
    facts = json.loads(printed)
    assert facts["before"] + facts["compressed"] == count
    assert facts["before"] >= moments[-1] - 40  # nothing that was written down is done again
    assert contents(target) == expected
    assert temporary(target) == []


@pytest.mark.long
def test_2000_files_killed_ten_times(tmp_path: Path) -> None:
    kill_ten_times(tmp_path, 2000)
