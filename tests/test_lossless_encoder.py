"""Samples to lossless scans, against the oracle of Annex H and libjpeg-turbo."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import oracles
import pytest
from helpers import KINDS, sizes
from hypothesis import given
from hypothesis import strategies as st
from modes import samples
from oracles_lossless import Picture, Scan

from pyjpegml import decode, encode, lossless_encoder, markers


def oracle_file(
    image: Any, bits: int, predictor: int, pt: int, rows: int, table: tuple[tuple[int, ...], bytes]
) -> bytes:
    """The whole file as the oracle writes it, without restart interval if there is none."""
    channels = image[..., None] if image.ndim == 2 else image
    height, width, count = channels.shape
    names = [1] if count == 1 else list(b"RGB")
    marker = markers.jfif_bytes() if count == 1 else markers.adobe_bytes(0)
    whole = Picture(
        width, height, bits, [(1, 1)] * count,
        [channels[..., i].tolist() for i in range(count)], [table],
        [Scan(list(range(count)), [0] * count, predictor, pt, rows)], names,
    ).file(marker)  # fmt: skip
    return whole if rows else whole.replace(b"\xff\xdd\0\4\0\0", b"")


@given(
    st.sampled_from(sorted(KINDS)), sizes(12, 60), st.sampled_from([1, 3]), st.integers(2, 16),
    st.integers(1, 7), st.integers(0, 15), st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_files_are_the_oracles(
    kind: str, size: tuple[int, int], channels: int, bits: int, predictor: int, pt: int, rows: int,
    wide: bool,
) -> None:  # fmt: skip
    pt %= bits
    image = samples(kind, size, channels, bits, predictor)
    if wide:
        image = image.astype(np.uint16)
    ours = encode(
        image, lossless=True, precision=bits, predictor=predictor, point_transform=pt,
        restart_rows=rows,
    )  # fmt: skip
    table = oracles.file_huffman_tables(ours)[0]
    assert ours == oracle_file(image, bits, predictor, pt, rows, table)


def test_the_difference_without_raw_bits() -> None:
    """32768 is category 16 (Table H.2); with predictor 4, 16-bit samples have all there are."""
    image = np.array([[0, 32768, 0], [65535, 0, 65535], [32768, 0, 32768]], np.uint16)
    for predictor in range(1, 8):
        data = encode(image, lossless=True, predictor=predictor)
        assert np.array_equal(decode(data), image)
    assert 16 in oracles.file_huffman_tables(encode(image, lossless=True, predictor=1))[0][1]


@pytest.mark.parametrize("interval", [0, 1, 3, 100])
@pytest.mark.parametrize("rows", [1, 2, 64])
def test_pieces_follow_one_another(interval: int, rows: int) -> None:
    pieces = lossless_encoder._pieces(29, interval, rows)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == 29
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))
    assert all(0 < last - first <= rows for first, last in pieces)
    if interval:
        assert all(first // interval == (last - 1) // interval for first, last in pieces)


def test_pieces_do_not_change_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    image = samples("natural", (31, 40), 3, 8)
    whole = encode(image, lossless=True, restart_rows=4)
    monkeypatch.setattr(lossless_encoder, "PIECE_SAMPLES", 1)
    assert encode(image, lossless=True, restart_rows=4) == whole
