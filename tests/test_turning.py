"""Blocks of coefficients turned, against the samples that they stand for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml.turning import SIGNS, turn_blocks

Floats = npt.NDArray[np.float64]

#: Rows are the cosines of T.81 A.3.3.
DCT = np.array(
    [
        [np.cos((2 * x + 1) * u * np.pi / 16) / (2 if u else 8**0.5) for x in range(8)]
        for u in range(8)
    ]
)


def samples(blocks: npt.NDArray[np.int16]) -> Floats:
    """The plane of (down, across, 64) blocks, by the inverse DCT, not rounded."""
    down, across = blocks.shape[:2]
    values = DCT.T @ blocks.reshape(down, across, 8, 8).astype(float) @ DCT
    return values.swapaxes(1, 2).reshape(8 * down, 8 * across)


def blocks_of(plane: Floats) -> npt.NDArray[np.int16]:
    """The same back."""
    down, across = plane.shape[0] // 8, plane.shape[1] // 8
    parts = plane.reshape(down, 8, across, 8).swapaxes(1, 2)
    return np.rint(DCT @ parts @ DCT.T).astype(np.int16).reshape(down, across, 64)


def turned(plane: Floats, transposed: bool, across: int, down: int) -> Floats:
    """Transposed, and then so many columns and rows of samples mirrored."""
    out = (plane.T if transposed else plane).copy()
    out[:, :across] = out[:, :across][:, ::-1]
    out[:down] = out[:down][::-1]
    return out


@given(
    st.integers(1, 6), st.integers(1, 6), st.booleans(), st.data(),
    st.sampled_from([1, 50, 32767]), st.integers(0, 2**16),
)  # fmt: skip
def test_turned_blocks_are_those_of_turned_samples(
    down: int, across: int, transposed: bool, data: st.DataObject, largest: int, seed: int
) -> None:
    """Any part of any component, wherever it lies in its array; and nothing else is written."""
    rng = np.random.default_rng(seed)
    stride, start, out_start = across + data.draw(st.integers(0, 2)), 64, 128
    source = rng.integers(-largest, largest, start + 64 * stride * down + 64, np.int16, True)
    blocks = source[start : start + 64 * stride * down].reshape(down, stride, 64)[:, :across]
    height, width = (across, down) if transposed else (down, across)
    mirrored = data.draw(st.integers(0, width)), data.draw(st.integers(0, height))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    wanted = width - left, height - top
    out_stride = wanted[0] + 1
    out = np.full(out_start + 64 * out_stride * wanted[1], 77, np.int16)
    turn_blocks(
        source, start, stride, transposed, *mirrored, left, top, SIGNS, out, out_start, out_stride,
        *wanted,
    )  # fmt: skip
    expected = np.full_like(out, 77)
    whole = blocks_of(turned(samples(blocks), transposed, 8 * mirrored[0], 8 * mirrored[1]))
    view = expected[out_start:].reshape(wanted[1], out_stride, 64)
    view[:, :-1] = whole[top:, left:]
    assert np.array_equal(out, expected)


def test_signs_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SIGNS[0] = 1
