"""Bits, padding and stuffing against strings of 0 and 1."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml.bitio import PADDING, destuff, refill, stuff

# bytes in which FF, zeros and restart markers are frequent
risky = st.lists(
    st.one_of(st.sampled_from([0xFF, 0x00, 0xD0, 0xD7, 0xD9, 0xC4]), st.integers(0, 255)),
    max_size=60,
).map(bytes)
intervals = st.lists(risky, min_size=1, max_size=12)


def read_only(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def run_destuff(
    data: bytes, start: int = 0, room: int = 64
) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    out = np.full(len(data) - start + PADDING, 0xAA, np.uint8)
    ends, numbers, offsets = (np.zeros(room, np.int64) for _ in range(3))
    found, end = destuff(read_only(data), start, out, ends, numbers, offsets)
    return found, end, out, ends[:found], numbers[:found], offsets[:found]


@given(risky, st.integers(0, 5))
def test_stuff(data: bytes, position: int) -> None:
    raw = np.frombuffer(bytearray(data + b"\xff"), np.uint8)  # one byte more than is asked for
    out = np.full(position + 2 * len(data) + 1, 0xAA, np.uint8)
    end = stuff(raw, len(data), out, position)
    assert out[position:end].tobytes() == oracles.stuff(data)
    assert (out[:position] == 0xAA).all()
    assert (out[end:] == 0xAA).all()


@given(intervals, risky)
def test_destuff_finds_the_intervals(parts: list[bytes], head: bytes) -> None:
    """Intervals with restart markers between them and EOI behind, somewhere in a file."""
    data, offsets = head, []
    for i, part in enumerate(parts):
        data += oracles.stuff(part)
        offsets.append(len(data))
        data += bytes([0xFF, 0xD0 + i % 8]) if i < len(parts) - 1 else b"\xff\xd9 and more"
    found, end, out, ends, numbers, where = run_destuff(data, len(head))
    assert found == len(parts)
    assert end == offsets[-1], "the offset of the marker that ends the scan"
    assert where.tolist() == offsets
    assert numbers.tolist() == [i % 8 for i in range(len(parts) - 1)] + [-1]
    starts = [0, *ends[:-1]]
    assert [out[a:b].tobytes() for a, b in zip(starts, ends, strict=True)] == parts
    assert not out[ends[-1] : ends[-1] + PADDING].any()


@pytest.mark.hostile
@given(risky)
def test_destuff_stays_inside_of_any_bytes(data: bytes) -> None:
    """What it wrote, followed by zeros, never more than it was given; the end within the data."""
    _, end, out, ends, numbers, offsets = run_destuff(data)
    assert 0 <= end <= len(data)
    assert numbers.tolist()[-1] == -1
    assert ends.tolist() == sorted(ends)
    assert offsets.tolist() == sorted(offsets)
    assert ends[-1] <= len(data)
    assert out[ends[-1] : ends[-1] + PADDING].sum() == 0


@pytest.mark.parametrize("fill", [1, 2, 5])
def test_destuff_skips_fill_bytes(fill: int) -> None:
    """Any marker may be preceded by FF bytes (T.81 B.1.1.2)."""
    data = b"ab" + b"\xff" * fill + b"\xff\xd0" + b"c" + b"\xff" * fill + b"\xff\xd9"
    found, end, out, ends, numbers, offsets = run_destuff(data)
    assert found == 2
    assert out[:3].tobytes() == b"abc"
    assert ends.tolist() == [2, 3]
    assert numbers.tolist() == [0, -1]
    assert offsets[0] == 2 + fill
    assert end == len(data) - 2


def test_destuff_stops_when_there_is_no_room_for_more_intervals() -> None:
    found, end, _, ends, numbers, _ = run_destuff(b"a\xff\xd0b\xff\xd1c\xff\xd2d", room=2)
    assert found == 2
    assert ends.tolist() == [1, 2]
    assert numbers.tolist() == [0, 1]
    assert end == 6, "behind the second marker"


@pytest.mark.parametrize("tail", [b"", b"\xff", b"\xff\xff"])
def test_destuff_of_data_without_an_end(tail: bytes) -> None:
    found, end, out, ends, _, _ = run_destuff(b"abc" + tail)
    assert (found, end, ends.tolist()) == (1, 3, [3])
    assert out[:3].tobytes() == b"abc"


@given(st.binary(min_size=1, max_size=20), st.lists(st.integers(0, 32), max_size=8))
def test_refill(data: bytes, takes: list[int]) -> None:
    """Bits come off the high end in order; there are 56 or more after each refill."""
    padded = np.frombuffer(data + bytes(PADDING), np.uint8)
    bits = "".join(format(byte, "08b") for byte in padded)
    accumulator, n, position = np.uint64(0), 0, np.uint64(0)
    taken = 0
    for take in takes:
        accumulator, n, position = refill.py_func(accumulator, n, position, padded)
        assert 56 <= n <= 63
        assert 8 * int(position) - n == taken
        assert format(int(accumulator), "064b")[:n] == bits[taken : taken + n]
        accumulator = np.uint64(int(accumulator) << take & (2**64 - 1))
        n, taken = n - take - 64 * take, taken + take  # only the low bits count
