"""ICC profiles: cut and joined, and each defect that chunks can have."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import icc
from pyjpegml.metadata import Metadata

STEP = 65533 - 14


def profile(size: int) -> bytes:
    """Bytes that start with their own size, as profiles do."""
    return struct.pack(">I", size) + bytes(i * i % 251 for i in range(size - 4))


def joined(*chunks: tuple[int, int, bytes]) -> tuple[bytes | None, list[tuple[int | None, str]]]:
    """What comes of chunks (number, total, bytes)."""
    segments = [memoryview(bytes([number, total]) + data) for number, total, data in chunks]
    pieces, problems = icc.icc_chunks(segments)
    return None if pieces is None else b"".join(pieces), problems


SOUND = profile(300)
A, B, C = (1, 3, SOUND[:100]), (2, 3, SOUND[100:200]), (3, 3, SOUND[200:])


@pytest.mark.parametrize("size", [4, 128, STEP - 1, STEP, STEP + 1, 2 * STEP, 3 * STEP + 77])
def test_a_profile_comes_back(size):
    segments = icc.icc_segments(profile(size))
    assert len(segments) == -(-size // STEP)
    assert all(code == 0xE2 and len(payload) <= 65533 for code, payload in segments)
    metadata = Metadata(segments)
    assert metadata.icc == profile(size)
    assert metadata.warnings == ()


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_come_back(data):
    assert Metadata(icc.icc_segments(data)).icc == data


def test_the_longest_profile_has_255_chunks():
    segments = icc.icc_segments(bytes(255 * STEP))
    assert len(segments) == 255
    assert Metadata(segments).icc == bytes(255 * STEP)


@pytest.mark.parametrize("size", [0, 255 * STEP + 1])
def test_what_cannot_be_numbered_is_refused(size):
    with pytest.raises(ValueError, match=f"1 to 16707345 bytes, not {size}"):
        icc.icc_segments(bytes(size))


# --- defects that do no harm ----------------------------------------------------------------------


def test_no_chunks_are_no_profile():
    assert joined() == (None, [])


@given(st.permutations([A, B, C]))
def test_chunks_out_of_order(order):
    told = [] if order == [A, B, C] else [(None, "the chunks are out of order")]
    assert joined(*order) == (SOUND, told)


def test_a_chunk_that_is_there_twice():
    assert joined(A, B, B, C) == (SOUND, [(2, "chunk 2 is there already")])


def test_an_empty_chunk():
    rest = (3, 3, SOUND[100:])
    assert joined(A, (2, 3, b""), rest) == (SOUND, [(1, "chunk 2 is empty")])


def test_a_segment_without_a_number():
    segments = [b"", b"\1", b"\1\1" + SOUND]
    pieces, problems = icc.icc_chunks([memoryview(s) for s in segments])
    assert pieces == [SOUND]
    assert problems == [(i, "the segment ends before the number of the chunk") for i in (0, 1)]


def test_a_profile_of_another_size_than_it_says():
    assert joined((1, 1, SOUND[:-1])) == (
        SOUND[:-1],
        [(None, "the profile says it has 300 bytes, and it has 299")],
    )


def test_chunks_of_a_byte():
    chunks = [(i + 1, 128, bytes([byte])) for i, byte in enumerate(profile(128))]
    assert joined(*chunks) == (profile(128), [])


# --- defects that leave no profile ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ((A, C), (None, "of 3 chunks these are missing: 2")),
        ((C,), (None, "of 3 chunks these are missing: 1, 2")),
        ((A, B, (2, 3, b"other"), C), (2, "chunk 2 is there already, with other bytes")),
        ((A, (2, 4, b"x"), C), (1, "chunk 2 is one of 4, others one of 3")),
        ((A, (4, 3, b"x"), B, C), (1, "chunk 4 of 3; numbers start at 1")),
        (((4, 3, b"x"), A, B, B, C), (3, "chunk 2 is there already")),
        (((0, 3, b"x"), A, B, C), (0, "chunk 0 of 3; numbers start at 1")),
        (((1, 0, SOUND),), (0, "chunk 1 of 0; numbers start at 1")),
        (((0, 0, SOUND),), (0, "chunk 0 of 0; numbers start at 1")),
        (((1, 1, b""),), (None, "all chunks are empty")),
    ],
)
def test_a_profile_that_cannot_be_put_together(chunks, problem):
    got, problems = joined(*chunks)
    assert got is None
    assert problem in problems


@pytest.mark.hostile
@given(st.lists(st.binary(max_size=6)))
def test_any_chunks_are_a_profile_or_a_problem(segments):
    pieces, problems = icc.icc_chunks([memoryview(s) for s in segments])
    assert pieces is not None or bool(problems) == bool(segments)
    if pieces is not None:
        total = len(pieces)
        assert {s[0] for s in segments if len(s) > 1} == set(range(1, total + 1))
