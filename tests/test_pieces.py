"""Pieces of a picture: whoever is done first, the bytes are the same."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pyjpegml import encode, pieces
from pyjpegml.coefficients import Geometry


@pytest.fixture
def picture() -> np.ndarray:
    steps = np.random.default_rng(5).integers(-9, 10, (700, 500, 3))
    walk: np.ndarray = np.cumsum(steps, 1).clip(0, 255).astype(np.uint8)
    return walk


@pytest.mark.parametrize("interval", [0, 1, 24, 64])
@pytest.mark.parametrize("writers", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_threads_that_are_held_up(
    picture: np.ndarray, interval: int, writers: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order pieces are done, and if there are hardly any writers."""
    expected = encode(picture, restart_interval=interval)
    rng = random.Random(seed)
    code, coded = pieces._Work.code, []

    def slow(self: Any, first: int, last: int, *rest: Any) -> int:
        time.sleep(rng.choice((0, 0, 0.01)))
        coded.append(first)
        return code(self, first, last, *rest)

    monkeypatch.setattr(pieces._Work, "code", slow)
    monkeypatch.setattr(pieces, "THREAD_PIXELS", 1)
    monkeypatch.setattr(pieces, "PIECE_BLOCKS", 200)
    monkeypatch.setattr(pieces, "WRITERS", writers)
    monkeypatch.setattr(pieces, "useful_threads", lambda threads, most: threads)
    for threads in (2, 4):
        coded.clear()
        assert encode(picture, restart_interval=interval, threads=threads) == expected
        assert len(coded) > 4


def test_a_failure_ends_all(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that want a writer of one that failed do not wait for ever; the error comes out."""

    def broken(self: Any, first: int, *rest: Any) -> int:
        if first > 0:
            raise ArithmeticError("a piece that cannot be coded")
        time.sleep(0.05)
        return 0

    monkeypatch.setattr(pieces._Work, "code", broken)
    monkeypatch.setattr(pieces, "THREAD_PIXELS", 1)
    monkeypatch.setattr(pieces, "PIECE_BLOCKS", 200)
    monkeypatch.setattr(pieces, "WRITERS", 1)
    monkeypatch.setattr(pieces, "useful_threads", lambda threads, most: threads)
    with pytest.raises(ArithmeticError, match="cannot be coded"):
        encode(picture, threads=3)


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("interval", [0, 5, 32, 1000])
def test_pieces_are_all_rows_in_order(threads: int, interval: int) -> None:
    """Without gaps; with threads each begins a restart interval."""
    for size in ((33, 1), (512, 4000), (3000, 2000), (10000, 10000)):
        setting = pieces._setting(
            *size, ((2, 2), (1, 1), (1, 1)), (bytes(range(1, 129)),) * 3, interval
        )
        geometry: Geometry = setting.geometry
        found = pieces._pieces(setting, threads)
        assert found[0][0] == 0
        assert found[-1][1] == geometry.mcus_down
        assert all(a[1] == b[0] for a, b in pairwise(found))
        if not interval:  # scratch memory does not grow with the picture
            row = geometry.mcus_across * len(setting.plan)
            assert all((last - first) * row <= 2 * pieces.PIECE_BLOCKS for first, last in found)
        elif threads > 1:
            assert all(first * geometry.mcus_across % interval == 0 for first, _ in found)
