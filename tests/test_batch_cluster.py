"""Other machines: a Dask cluster that loses a worker, and an S3 server, both real and here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from batches import contents, make_tree, temporary, wait_until
from commands import PACKAGE_PARENT, Run

from pyjpegml.batch import Record, batch
from pyjpegml.batch.trees import tree_of, walk
from pyjpegml.console import ExitCode

FAST = ("--effort", "fast", "--ms-ssim", "0.95", "--no-progress")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}


# --- Dask -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # those of Dask about a worker that is gone
def test_a_dask_worker_is_killed_in_the_middle(tmp_path: Path) -> None:
    """Three workers, of which one is killed when the first files are done: none is lost."""
    from distributed import Client
    from joblib import parallel_config

    source, calm, target = make_tree(tmp_path / "in", 15), tmp_path / "calm", tmp_path / "out"
    batch(source, calm, ms_ssim=0.95, effort="fast", jobs=1)
    address = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(address)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment()}
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--no-dashboard",
    ]
    scheduler = subprocess.Popen(
        [*command, "--host", "127.0.0.1", *options],
        **quiet,  # type: ignore[call-overload]
    )
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]
    workers = [
        subprocess.Popen([*command, "--no-dashboard", *options], **quiet)  # type: ignore[call-overload]
        for _ in range(3)
    ]
    records: list[Record] = []

    def tell(record: Record, before: bool) -> None:
        records.append(record)
        if len(records) == 3:
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait()

    try:
        wait_until(lambda: address.exists() or scheduler.poll() is not None, "a scheduler")
        assert scheduler.poll() is None
        with Client(scheduler_file=str(address), timeout=900) as client:
            client.wait_for_workers(3, timeout=900)
            with parallel_config("dask"):
                summary = batch(source, target, ms_ssim=0.95, effort="fast", tell=tell)
            wait_until(
                lambda: len(client.scheduler_info(n_workers=-1)["workers"]) <= 2,
                "the scheduler notices that a worker is gone",
            )
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()
    assert (summary.compressed, summary.failed) == (15, 0)
    assert sorted(record.source for record in records) == sorted(contents(source))
    assert contents(target) == contents(calm)
    assert temporary(target) == []


# --- S3 -------------------------------------------------------------------------------------------


def answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=60).close()
    except OSError:
        return False
    return True


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a server on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    try:
        wait_until(lambda: server.poll() is not None or answers(endpoint), "a server")
        assert server.poll() is None
        request = urllib.request.Request(f"{endpoint}/pictures", method="PUT")
        urllib.request.urlopen(request, timeout=900).close()
        yield "s3://pictures"
    finally:
        server.kill()
        server.wait()


@pytest.mark.filterwarnings("ignore")  # those of the client about its own event loop
def test_s3(run: Run, s3: str, tmp_path: Path) -> None:
    source, calm = make_tree(tmp_path / "in", 6), tmp_path / "calm"
    batch(source, calm, ms_ssim=0.95, effort="fast", jobs=1)
    inputs = tree_of(f"{s3}/in")
    for path in source.rglob("*.*"):
        inputs.write(path.relative_to(source).as_posix(), path.read_bytes())
    inputs.write("a/broken.png", b"no picture")
    arguments = ("batch", f"{s3}/in", f"{s3}/out", "--jobs", "1", *FAST)
    code, printed, said = run(*arguments)
    assert code == ExitCode.FILE_FAILED
    assert "6 files in" in printed
    assert "a/broken.png: no image" in said
    outputs = tree_of(f"{s3}/out")
    found = {
        f"{folder}/{entry.name}".lstrip("/"): outputs.read(f"{folder}/{entry.name}".lstrip("/"))
        for folder, entries in walk(outputs)
        if not isinstance(entries, Exception)
        for entry in entries
        if not entry.is_folder
    }
    assert found == {name: (calm / name).read_bytes() for name in contents(calm)}
    assert "0 files in" in run(*arguments)[1]
    inputs.write("a/broken.png", (source / "000.png").read_bytes())
    code, printed, _ = run(*arguments)
    assert code == ExitCode.DONE
    assert "1 files in" in printed
    assert "6 done before" in printed


# --- other places ---------------------------------------------------------------------------------


def test_from_an_archive_into_memory(tmp_path: Path) -> None:
    source, calm = make_tree(tmp_path / "in", 3), tmp_path / "calm"
    batch(source, calm, ms_ssim=0.95, effort="fast", jobs=1)
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in source.rglob("*.*"):
            file.write(path, path.relative_to(source))
    threads = set()

    def tell(record: Record, before: bool) -> None:
        threads.add(threading.get_ident())

    target = f"memory:/{tmp_path}/out"
    summary = batch(f"zip://::{archive}", target, ms_ssim=0.95, effort="fast", jobs=2, tell=tell)
    assert (summary.compressed, summary.failed) == (3, 0)
    tree = tree_of(target)
    assert all(tree.read(name) == (calm / name).read_bytes() for name in contents(calm))
    assert batch(f"zip://::{archive}", target, ms_ssim=0.95, effort="fast", jobs=2).before == 3
    assert threads == {threading.get_ident()}
