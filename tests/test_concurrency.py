"""Many callers at once, in threads and in processes, and what a call leaves behind.

Threads belong to one call: none outlives it, whether it returns, raises or is interrupted, and so
there is nothing that a ``fork`` could break. Results never depend on who else is at work, nor on
how many threads there are.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import KINDS, SUBSAMPLINGS, Bytes, assert_same_picture, picture, run_python

import pyjpegml
from pyjpegml.markers import SOS, segments

NAMES = ("grey", *SUBSAMPLINGS)
THREADS: tuple[int | None, ...] = (2, 3, 4, 7, None)
has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def options(name: str) -> dict[str, str]:
    return {} if name == "grey" else {"subsampling": name}


@cache
def large(name: str, size: tuple[int, int] = (1031, 1033)) -> Bytes:
    """A picture that is worth threads; made of smaller ones, which is faster."""
    channels = () if name == "grey" else (3,)
    tiles = [picture(kind, (256, 256, *channels), i) for i, kind in enumerate(sorted(KINDS))]
    row = np.concatenate(tiles, axis=1)
    whole = np.tile(row, (-(-size[0] // 256), -(-size[1] // row.shape[1]), *(1,) * len(channels)))
    return np.ascontiguousarray(whole[: size[0], : size[1]])


def at_once(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Results of jobs that all start together, each in a thread of its own."""
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(i: int) -> None:
        barrier.wait()
        try:
            results[i] = jobs[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_equal(got: Any, expected: Any) -> None:
    if isinstance(expected, np.ndarray):
        assert_same_picture(got, expected)
    elif isinstance(expected, pyjpegml.Result):
        assert (got.data, got.ms_ssim) == (expected.data, expected.ms_ssim)
    elif isinstance(expected, Exception):
        assert repr(got) == repr(expected)
    else:
        assert got == expected


# --- many threads of the caller -------------------------------------------------------------------


def work(seed: int) -> list[Callable[[], Any]]:
    """A job of each kind."""
    kind = sorted(KINDS)[seed % len(KINDS)]
    image = picture(kind, (61 + 8 * seed, 170 - 9 * seed, 3), seed)
    name = SUBSAMPLINGS[seed % 4]
    data = pyjpegml.encode(image, quality=60 + seed, subsampling=name, restart_interval=seed % 3)
    pixels = pyjpegml.decode(data)
    return [
        partial(pyjpegml.encode, image, quality=70, subsampling=name),
        partial(pyjpegml.encode, image[..., 0], optimize=False, restart_interval=seed),
        partial(pyjpegml.decode, data),
        partial(pyjpegml.ms_ssim, image, pixels),
        partial(pyjpegml.compress, image[:33, :49], ms_ssim=0.9),
    ]


def test_equal_to_one_after_the_other() -> None:
    """Eight threads do all kinds of work at once, each something else."""
    jobs = [work(seed) for seed in range(8)]
    serial = [[job() for job in own] for own in jobs]

    def run(own: list[Callable[[], Any]], first: int) -> list[Any]:
        turn = [*range(first, len(own)), *range(first)]
        results = {i: own[i]() for i in turn}
        return [results[i] for i in range(len(own))]

    together = at_once([partial(run, own, i % 5) for i, own in enumerate(jobs)])
    for got, expected in zip(together, serial, strict=True):
        for one, other in zip(got, expected, strict=True):
            assert_equal(one, other)


def test_threads_within_threads() -> None:
    """Each of several callers asks for all cores, or for more than there are."""
    images = [large(name) for name in ("grey", "4:2:0", "4:4:4")]
    data = [pyjpegml.encode(image, restart_interval=n) for image in images for n in (0, 130)]
    jobs: list[Callable[[], Any]] = [partial(pyjpegml.decode, each) for each in data]
    jobs += [partial(pyjpegml.encode, image) for image in images]
    expected = [job() for job in jobs]
    before = threading.active_count()
    for threads in (None, 5):
        together = at_once([partial(job, threads=threads) for job in jobs])  # type: ignore[call-arg]
        for one, other in zip(together, expected, strict=True):
            assert_equal(one, other)
    assert threading.active_count() == before


# --- threads of a call ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("optimize", [False, True])
def test_files_do_not_depend_on_threads(name: str, optimize: bool) -> None:
    """With restart markers too, whose intervals do not end with rows; and of thin pictures."""
    for size, interval in (
        ((1031, 1033), 0),
        ((1031, 1033), 7),
        ((17, 65535), 0),
        ((65535, 9), 11),
    ):
        encode = partial(
            pyjpegml.encode, large(name, size), quality=80, optimize=optimize,
            restart_interval=interval, **options(name),
        )  # fmt: skip
        expected = encode(threads=1)
        for threads in THREADS:
            assert encode(threads=threads) == expected, (size, interval, threads)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_do_not_depend_on_threads(name: str) -> None:
    for size, interval in (
        ((1031, 1033), 0),
        ((1031, 1033), 7),
        ((17, 65535), 0),
        ((65535, 17), 64),
    ):
        data = pyjpegml.encode(large(name, size), restart_interval=interval, **options(name))
        expected = pyjpegml.decode(data, threads=1)
        for threads in THREADS:
            assert_same_picture(pyjpegml.decode(data, threads=threads), expected)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8, 3), (33, 17, 3), (200, 300, 3), (3, 3000)])
def test_small_pictures_do_not_depend_on_threads(shape: tuple[int, ...]) -> None:
    image = picture("natural", shape)
    data = pyjpegml.encode(image)
    pixels = pyjpegml.decode(data)
    for threads in (2, 64, None):
        assert pyjpegml.encode(image, threads=threads) == data
        assert_same_picture(pyjpegml.decode(data, threads=threads), pixels)


def tasks() -> int:
    """Threads of this process that the system knows; only Python's where it does not tell."""
    path = Path("/proc/self/task")
    return len(list(path.iterdir())) if path.is_dir() else threading.active_count()


def assert_no_more_threads(before: int) -> None:
    """None of Python's, and as few of the system's, which takes its time to take them away."""
    assert threading.enumerate() == [threading.main_thread()]
    for _ in range(30_000):
        if tasks() <= before:
            return
        time.sleep(0.001)
    raise AssertionError(f"{tasks()} threads where there were {before}")


def broken(data: bytes) -> list[bytes]:
    """A file whose scan ends early, breaks in the middle, or has a wrong restart marker."""
    middle = len(data) // 2
    marker = data.index(b"\xff\xd4", middle)
    return [
        data[: len(data) // 10],
        data[:middle],
        data[:-20],
        data[:middle] + bytes([0xFF, 0]) * 50 + data[middle + 100 :],
        data[:marker] + b"\xff\xd1" + data[marker + 2 :],
    ]


def test_no_thread_is_left() -> None:
    """Whether a call returns or raises."""
    image = large("4:2:0")
    data = pyjpegml.encode(image, restart_interval=33)
    before = tasks()
    for threads in THREADS:
        pyjpegml.encode(image, threads=threads)
        pyjpegml.decode(data, threads=threads)
        assert_no_more_threads(before)
        for each in broken(data):
            with pytest.raises(pyjpegml.JpegError):
                pyjpegml.decode(each, threads=threads)
            assert_no_more_threads(before)


@pytest.mark.hostile
@pytest.mark.parametrize("interval", [0, 1, 33])
def test_errors_do_not_depend_on_threads(interval: int) -> None:
    """The first error of the file is the one that is raised, whoever meets another one earlier."""
    data = pyjpegml.encode(large("4:2:0"), restart_interval=interval)
    rng = np.random.default_rng(interval)
    start = data.index(b"\xff\xda") + 14
    for _ in range(12):
        changed = bytearray(data)
        for position in rng.integers(start, len(data) - 2, int(rng.integers(1, 4))).tolist():
            changed[position] ^= 1 << int(rng.integers(0, 8))
        outcomes = []
        for threads in (1, 2, 4):
            try:
                outcomes.append(pyjpegml.decode(bytes(changed), threads=threads))
            except pyjpegml.JpegError as error:
                outcomes.append(error)
        for other in outcomes[1:]:
            assert_equal(other, outcomes[0])


@pytest.mark.hostile
def test_the_first_scan_that_is_wrong_is_told() -> None:
    """It breaks off late, and one of another component, which a thread meets earlier, at once."""
    data = bytearray(pyjpegml.encode(large("4:4:4"), progressive=True))
    found = list(segments(memoryview(bytes(data))))
    of_one = [i for i, s in enumerate(found) if s.code == SOS and s.payload[0] == 1]
    first, other = next(
        (i, j) for i, j in combinations(of_one, 2) if found[i].payload[1] != found[j].payload[1]
    )
    behind = found[first + 1].offset
    for position in (behind - 4, found[other].end + 8):
        data[position : position + 2] = b"\xff\xd0"
    errors = []
    for threads in (1, 2, 4):
        with pytest.raises(pyjpegml.JpegFormatError) as caught:
            pyjpegml.decode(bytes(data), threads=threads)
        errors.append(caught.value)
    assert found[first].end < (errors[0].offset or 0) < behind
    for error in errors[1:]:
        assert_equal(error, errors[0])


# Numba comes first, since Python cannot go on with an import that was interrupted
INTERRUPTED = """
import _thread, signal, time
import numba, numpy as np, pyjpegml
image = np.tile(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), (40, 40, 1))
data = pyjpegml.encode(image, restart_interval=40, threads=2)
pixels = pyjpegml.decode(data, threads=2)
calls = [lambda: pyjpegml.decode(data, threads=2), lambda: pyjpegml.encode(image, threads=2)]
def interrupt(*arguments):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
for call in calls:
    interrupted, whole = 0, 1.0
    while interrupted < 8:
        began = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, whole * (interrupted + 0.5) / 8)
            call()
            signal.setitimer(signal.ITIMER_REAL, 0)
            whole = min(whole, time.perf_counter() - began)  # it was over before
        except KeyboardInterrupt:
            interrupted += 1
        # one that has ended is counted for a moment more; one that is left would be for ever
        while _thread._count() > 0:
            time.sleep(0.001)
    print(interrupted)
assert pyjpegml.encode(image, restart_interval=40, threads=2) == data
assert np.array_equal(pyjpegml.decode(data, threads=2), pixels)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer here")
def test_an_interrupted_call_leaves_no_thread() -> None:
    """As Ctrl-C does, at any time of a call; what comes after is not disturbed."""
    assert run_python(INTERRUPTED).stdout.split() == ["8", "8"]


# --- processes ------------------------------------------------------------------------------------

FORKED = """
import os, sys, threading
import numpy as np, pyjpegml
image = np.tile(np.random.default_rng(0).integers(0, 256, (8, 64, 3), np.uint8), (140, 17, 1))
data = pyjpegml.encode(image, restart_interval=40, threads=2)
pixels = pyjpegml.decode(data, threads=2)
def work():
    for threads in (1, 2, None):
        assert pyjpegml.encode(image, restart_interval=40, threads=threads) == data
        assert np.array_equal(pyjpegml.decode(data, threads=threads), pixels)
def child():
    work()
    if sys.argv[1] == "nested":
        grandchild = os.fork()
        if grandchild == 0:
            work()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 7
    sys.exit(5)  # by the usual way, which waits for threads
busy = threading.Event()
def keep_busy():
    while not busy.is_set():
        work()
others = [threading.Thread(target=keep_busy) for _ in range(sys.argv[1] == "busy")]
for thread in others:
    thread.start()
for _ in range(1 if sys.argv[1] == "nested" else 2):
    process = os.fork()
    if process == 0:
        busy.set()
        child()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 5
    work()
busy.set()
for thread in others:
    thread.join()
print("done")
"""


@has_fork
@pytest.mark.parametrize("way", ["plain", "nested", "busy"])
def test_forked_children_work(way: str) -> None:
    """A child of a process that has used threads, or whose other threads are at work now.

    Python 3.12 and later warn of a fork with threads about: without the caller's own there is
    nothing to warn of.
    """
    warnings = ("-W", "error") if way != "busy" else ("-W", "ignore")
    assert run_python(FORKED, way, options=warnings).stdout == "done\n"


POOL = """
import multiprocessing, numpy as np, pyjpegml
image = np.tile(np.random.default_rng(0).integers(0, 256, (8, 64, 3), np.uint8), (140, 17, 1))
data = pyjpegml.encode(image, threads=2)
pixels = pyjpegml.decode(data, threads=2)
def work(threads):
    same = np.array_equal(pyjpegml.decode(data, threads=threads), pixels)
    return same and pyjpegml.encode(image, threads=threads) == data
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, [1, 2, None, 3]))
"""


@has_fork
def test_pool_of_forked_workers() -> None:
    assert run_python(POOL).stdout.strip() == "[True, True, True, True]"


def test_spawned_workers_use_threads() -> None:
    """A worker that starts anew, and has threads from its first call on."""
    image = large("4:2:0")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        data = pool.submit(pyjpegml.encode, image, threads=2).result()
        pixels = pool.submit(pyjpegml.decode, data, threads=2).result()
    assert data == pyjpegml.encode(image)
    assert_same_picture(pixels, pyjpegml.decode(data))


# --- the first call -------------------------------------------------------------------------------

FIRST = """
import hashlib, pathlib, sys, threading
import numpy as np, pyjpegml
image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
file = pathlib.Path(sys.argv[1]).read_bytes()
jobs = [
    lambda: pyjpegml.decode(file).tobytes(),
    lambda: pyjpegml.encode(image),
    lambda: pyjpegml.encode(image, optimize=False, restart_interval=2),
    lambda: repr(pyjpegml.ms_ssim(image, image // 2)).encode(),
]
barrier, results = threading.Barrier(8), [None] * 8
def run(i):
    barrier.wait()
    results[i] = [jobs[(i + k) % 4]() for k in range(4)]
threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
made = [b"".join(own[-i % 4 :] + own[: -i % 4]) for i, own in enumerate(results)]
print({hashlib.sha256(each).hexdigest() for each in made} == {sys.argv[2]})
"""


@pytest.mark.parametrize("objects", ["", "0"], ids=["objects", "numba"])
def test_first_calls_of_many_threads(objects: str, tmp_path: Path) -> None:
    """Of a process that finds its kernels in the cache: none is loaded yet when eight ask for it."""
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    data = pyjpegml.encode(image)
    (tmp_path / "file.jpg").write_bytes(data)
    parts = [
        pyjpegml.decode(data).tobytes(), data,
        pyjpegml.encode(image, optimize=False, restart_interval=2),
        repr(pyjpegml.ms_ssim(image, image // 2)).encode(),
    ]  # fmt: skip
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    for _ in range(1 if objects else 3):
        arguments = [str(tmp_path / "file.jpg"), digest]
        done = run_python(FIRST, *arguments, options=("-W", "error"), PYJPEGML_OBJECTS=objects)
        assert done.stdout == "True\n"


COLD = """
import sys, threading
import numpy as np
from pyjpegml.color import copy_row
from pyjpegml.quantize import quantize
levels = np.arange(640, dtype=np.int16).reshape(1, 10, 64)
row = np.arange(64, dtype=np.uint8)
barrier, right = threading.Barrier(8), []
def run(calls):
    out, copy = np.empty_like(levels), np.empty_like(row)
    barrier.wait()
    for _ in range(calls):
        quantize(levels, np.full(64, 3, np.int32), 0.5, out)
        copy_row(row, 0, 64, copy, 0)
        right.append(np.array_equal(out.ravel(), (np.arange(640) + 12) // 24))
        right.append(np.array_equal(copy, row))
threads = [threading.Thread(target=run, args=(int(sys.argv[1]),)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(right), all(right))
"""


def test_many_threads_on_a_cold_kernel(tmp_path: Path) -> None:
    """The first time it is compiled; then it is object code: while eight threads are at work."""
    for calls in (1, 70):
        done = run_python(COLD, str(calls), options=("-W", "error"), NUMBA_CACHE_DIR=str(tmp_path))
        assert done.stdout == f"{16 * calls} True\n"


@pytest.mark.long
def test_for_a_while() -> None:
    """All of it at once, again and again."""
    jobs = [job for seed in range(8) for job in work(seed)]
    image = large("4:2:0")
    data = pyjpegml.encode(image, restart_interval=17)
    for threads in (1, *THREADS):
        jobs += [
            partial(pyjpegml.decode, data, threads=threads),
            partial(pyjpegml.encode, image, threads=threads),
        ]
    expected = [job() for job in jobs]
    before = tasks()
    for turn in range(20):
        order = np.random.default_rng(turn).permutation(len(jobs)).tolist()
        for first in range(0, len(order), 8):
            batch = order[first : first + 8]
            together = at_once([jobs[i] for i in batch])
            for i, got in zip(batch, together, strict=True):
                assert_equal(got, expected[i])
    assert_no_more_threads(before)
