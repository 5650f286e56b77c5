"""Decoding by several threads, which must not be told from decoding by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, picture, run_python
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import JpegError, decode, decoder, encode, threaded
from pyjpegml.huffman import STANDARD_TABLES

KINDS = st.sampled_from(["flat", "gradient", "noise", "natural"])
NAMES = st.sampled_from([*SUBSAMPLINGS, "grey"])


@contextmanager
def small(pixels: int = 1, window: int = 512) -> Iterator[list[threaded.Threaded]]:
    """Stretches of few MCUs, for pictures of any size; yields what decoded each."""
    begun: list[threaded.Threaded] = []
    run = threaded.Threaded.run

    def watched(self: threaded.Threaded) -> bool:
        begun.append(self)
        return run(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "THREAD_PIXELS", 1)
        patch.setattr(threaded, "LEAST_PIXELS", 1)
        patch.setattr(threaded, "MOST_PIXELS", pixels)
        patch.setattr(threaded, "WINDOW", window)
        patch.setattr(threaded.Threaded, "run", watched)
        yield begun


def ended_well(begun: list[threaded.Threaded]) -> list[bool]:
    return [not rounds.shared.whole[threaded.FAILED] for rounds in begun]


def made(kind: str, name: str, size: tuple[int, int], seed: int) -> np.ndarray:
    image = picture(kind, (*size, 3), seed)
    return image[..., 0].copy() if name == "grey" else image


def outcome(coded: bytes, threads: int) -> tuple[object, ...]:
    try:
        pixels = decode(coded, threads=threads)
    except JpegError as error:
        return str(error), error.offset
    return pixels.shape, pixels.tobytes()


@given(
    KINDS, NAMES, st.tuples(st.integers(1, 150), st.integers(1, 400)), st.integers(0, 2**32 - 1),
    st.sampled_from([0, 0, 1, 2, 7, 60]), st.sampled_from([20, 75, 98]), st.booleans(),
    st.integers(2, 4), st.sampled_from([1, 2000, 10**6]), st.sampled_from([1, 3, 512]),
)  # fmt: skip
def test_pixels_are_the_same(
    kind: str, name: str, size: tuple[int, int], seed: int, interval: int, quality: int,
    optimize: bool, threads: int, pixels: int, window: int,
) -> None:  # fmt: skip
    options = {} if name == "grey" else {"subsampling": name}
    coded = encode(
        made(kind, name, size, seed), quality=quality, optimize=optimize,
        restart_interval=interval, **options,
    )  # fmt: skip
    with small(pixels, window) as begun:
        assert outcome(coded, threads) == outcome(coded, 1)
    assert ended_well(begun) == [True] or size[0] * size[1] < 2, (
        "no sound picture is left to one thread"
    )


@pytest.mark.hostile
@given(
    NAMES, st.tuples(st.integers(30, 90), st.integers(30, 200)), st.integers(0, 2**32 - 1),
    st.sampled_from([0, 0, 2, 7]), st.integers(2, 4), st.data(),
)  # fmt: skip
def test_damage_is_told_in_the_same_words(
    name: str, size: tuple[int, int], seed: int, interval: int, threads: int, data: st.DataObject
) -> None:
    """Cut off, or with some bytes changed: the same pixels, or the same error at the same byte."""
    options = {} if name == "grey" else {"subsampling": name}
    coded = bytearray(encode(made("noise", name, size, seed), restart_interval=interval, **options))
    start = coded.index(b"\xff\xda")
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(start + 14, len(coded) - 1))
        coded[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(start + 20, len(coded)))
    with small():
        for damaged in (bytes(coded), bytes(coded[:end])):
            assert outcome(damaged, threads) == outcome(damaged, 1)


def test_guesses_come_true(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a photograph nearly all that is decoded without knowing where is of use.

    Where stretches begin depends on who comes when. So one of four threads comes, and no other.
    """

    def alone(self: threaded.Threaded) -> bool:
        self._take_part(0)
        return not self.shared.whole[threaded.FAILED]

    coded = encode(np.tile(photo, (3, 2, 1)), quality=80)
    monkeypatch.setattr(threaded.Threaded, "run", alone)
    with small(80000) as begun:  # as long as they are in pictures that are worth threads
        pixels = decode(coded, threads=4)
    assert ended_well(begun) == [True]
    assert np.array_equal(pixels, decode(coded))
    whole = begun[0].shared.whole
    assert whole[threaded.MET] > max(8, 4 * whole[threaded.MISSED])


UNDER_THE_LOCK = """
import sys
import threading
import numpy as np
from pyjpegml import decode, decoder, encode, threaded
decoder.THREAD_PIXELS = threaded.LEAST_PIXELS = threaded.MOST_PIXELS = 1
data = encode(np.zeros((40, 40), np.uint8))
expected = decode(data)
choose, calls = getattr(threaded, sys.argv[1]), []
def failing(*arguments):
    calls.append(1)
    if len(calls) == int(sys.argv[2]):
        raise IndexError("out of bounds")
    return choose(*arguments)
setattr(threaded, sys.argv[1], failing)
try:
    decode(data, threads=3)
except IndexError as error:
    print(error, threading.active_count())
"""


@pytest.mark.parametrize("where", ["_choose", "_finish", "_joined", "_transformed", "_decode"])
@pytest.mark.parametrize("call", [1, 2])
def test_an_exception_in_a_kernel_does_not_leave_others_waiting(where: str, call: int) -> None:
    """With bounds checks there may be one, also while a thread has the lock."""
    done = run_python(UNDER_THE_LOCK, where, str(call), NUMBA_DISABLE_JIT="1")
    assert done.stdout.split("\n")[0] == "out of bounds 1"


def test_waiting_is_given_up(photo: np.ndarray) -> None:
    """A thread that waits in vain naps, and goes on where it was."""
    coded = encode(photo, quality=80)
    with small(5000) as begun, pytest.MonkeyPatch.context() as patch:
        patch.setattr(threaded, "PATIENCE", 1)
        pixels = decode(coded, threads=3)
    assert ended_well(begun) == [True]
    assert np.array_equal(pixels, decode(coded))


def test_stretches_that_do_not_meet_are_thrown_away(photo: np.ndarray) -> None:
    """With no place recorded nothing can be joined; the picture is decoded all the same."""
    coded = encode(photo, quality=80)
    with small(5000, window=0) as begun:
        pixels = decode(coded, threads=3)
    assert ended_well(begun) == [True]
    assert np.array_equal(pixels, decode(coded))


def test_those_who_wait_are_no_news() -> None:
    """Two threads that wait would else wake each other, and hold the lock against the others."""
    rounds = of_zeros(160)
    whole, slots = rounds.shared.whole, rounds.shared.slots
    slots[:, threaded.PHASE] = threaded.DECODING
    whole[threaded.BEGUN] = len(slots)
    assert threaded.take_part(1, rounds.source, rounds.shared, 10) == 0
    assert rounds.shared.numbers[8] == 0


def test_buffers_do_not_grow_with_the_picture() -> None:
    sizes = []
    for height in (4000, 16000):
        rounds = of_zeros(height)
        sizes.append((rounds.shared.samples.size, rounds.shared.coefficients.nbytes))
    assert sizes[0] == sizes[1]
    assert sum(sizes[0]) < 25e6


def of_zeros(height: int) -> threaded.Threaded:
    """A picture of 2000 columns for two threads; its data are zeros."""
    geometry = decoder.Geometry(2000, height, [(2, 2), (1, 1), (1, 1)])
    return threaded.Threaded(
        np.zeros(600, np.uint8), np.array([88]), 0, geometry,
        geometry.scan_plan([(0, 0), (1, 1), (1, 1)]), decoder.decoding_tables(STANDARD_TABLES),
        np.ones((3, 64), np.int32), 1, np.zeros(height * 6000 + 192, np.uint8), FakeCrew(),
    )  # fmt: skip


class FakeCrew:
    def __len__(self) -> int:
        return 2
