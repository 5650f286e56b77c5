"""Quantization: exact division with halves away from zero, and the IJG's qualities."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import oracles
import pytest
from helpers import picture, pillow_encode
from hypothesis import example, given
from hypothesis import strategies as st

from pyjpegml._simd_numpy import NumpyVector
from pyjpegml.constants import CHROMINANCE_QTABLE, LUMINANCE_QTABLE
from pyjpegml.quantize import (
    estimated_quality,
    quality_scale,
    quantize,
    quantized,
    reciprocals,
    scaled_qtable,
    standard_qtables,
)

ALL = np.arange(-32768, 32768, dtype=np.int16).reshape(16, 64, 64)


def exactly(coefficients: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Integers only: (|c| + half the divisor) // divisor, with the sign of c; divisor 8 q."""
    c = coefficients.astype(np.int64)
    q = steps.astype(np.int64)
    return np.sign(c) * ((np.abs(c) + 4 * q) // (8 * q))


@pytest.mark.parametrize(
    "step",
    [*range(1, 33), 63, 64, 65, 99, 121, 127, 128, 129, 254, 255, 256, 1000, 4096, 32767, 65535],
)
def test_every_coefficient(step: int) -> None:
    steps = np.full(64, step, np.int32)
    out = np.empty_like(ALL)
    quantize(ALL, steps, 0.5, out)
    assert np.array_equal(out, exactly(ALL, steps))


def test_reciprocals() -> None:
    """The encoder's division is exact for every step of a baseline table and every coefficient that
    a forward DCT can produce."""
    coefficients = np.arange(-8192, 8193, dtype=np.int16)
    for step in range(1, 256):
        table = reciprocals(np.full((8, 8), step)).reshape(3, 64)[:, 0]
        factors = (NumpyVector(np.full(coefficients.size, value)) for value in table)
        levels = quantized(NumpyVector(coefficients), *factors).values
        assert np.array_equal(levels, exactly(coefficients, np.array(step)))


def test_every_step_where_rounding_turns() -> None:
    """All steps from 1 to 65535; coefficients at, just below and just above each of the first and
    last odd multiples of half the divisor, of both signs."""
    out = np.empty((1, 1 + 2 * 3 * 16, 64), np.int16)
    for first in range(1, 65536, 64):
        steps = np.arange(first, first + 64, dtype=np.int32).clip(max=65535)
        last = (32767 // (4 * steps.astype(np.int64)) - 1) // 2
        halves = [k * np.ones(64, np.int64) for k in range(8)] + [last - k for k in range(8)]
        turns = np.array([4 * steps * (2 * k.clip(0) + 1) for k in halves])
        near = np.concatenate([turns - 1, turns, turns + 1]).clip(0, 32767)
        coefficients = np.concatenate([near, -near, np.full((1, 64), -32768)])
        coefficients = coefficients.astype(np.int16)[None]
        quantize(coefficients, steps, 0.5, out)
        assert np.array_equal(out, exactly(coefficients, steps)), f"steps {first} to {first + 63}"


@given(st.integers(-32768, 32767), st.integers(1, 65535))
def test_against_fractions(coefficient: int, step: int) -> None:
    block = np.full((1, 1, 64), coefficient, np.int16)
    out = np.empty_like(block)
    quantize(block, np.full(64, step, np.int32), 0.5, out)
    assert (out == oracles.quantize(Fraction(coefficient, 8), step)).all()


@pytest.mark.parametrize("eighths", range(4))
@pytest.mark.parametrize("step", [1, 2, 3, 7, 16, 99, 255, 65535])
def test_deadzone(step: int, eighths: int) -> None:
    """Less than 1/2 is added to the size of AC coefficients; DC is rounded to the nearest as ever.
    Parts in eighths are integers in the units of the coefficients."""
    steps = np.full(64, step, np.int32)
    out = np.empty_like(ALL)
    quantize(ALL, steps, eighths / 8, out)
    c = ALL.astype(np.int64)
    expected = np.sign(c) * ((np.abs(c) + eighths * step) // (8 * step))
    expected[..., 0] = exactly(ALL, steps)[..., 0]
    assert np.array_equal(out, expected)


@given(st.integers(-32768, 32767), st.integers(1, 255), st.floats(0, 0.5))
@example(5, 1, 0.33)
def test_deadzone_of_any_size(coefficient: int, step: int, rounding: float) -> None:
    """What is added is rounded to whole units of the coefficients, eighths (halves up); single
    precision may see a half where there is nearly one."""
    block = np.full((1, 1, 64), coefficient, np.int16)
    out = np.empty_like(block)
    quantize(block, np.full(64, step, np.int32), rounding, out)
    added = 8 * Fraction(rounding) * step + Fraction(1, 2)
    slack = Fraction(abs(coefficient) + 4 * step + 1, 2**22)
    accepted = {(abs(coefficient) + math.floor(added + d)) // (8 * step) for d in (-slack, slack)}
    assert abs(int(out[0, 0, 63])) in accepted
    assert int(out[0, 0, 63]) * coefficient >= 0


def test_each_coefficient_has_its_own_step() -> None:
    steps = np.arange(1, 65, dtype=np.int32)
    block = np.full((2, 3, 64), 8 * 64, np.int16)
    out = np.empty_like(block)
    quantize(block, steps, 0.5, out)
    expected = [oracles.quantize(Fraction(64), step) for step in range(1, 65)]
    assert (out == expected).all()


@pytest.mark.parametrize("quality", range(1, 101))
def test_scaled_tables(quality: int) -> None:
    for scaled, table in zip(
        standard_qtables(quality), (LUMINANCE_QTABLE, CHROMINANCE_QTABLE), strict=True
    ):
        assert scaled.shape == (8, 8)
        assert scaled.dtype == np.uint16
        expected = [oracles.scaled_step(int(step), quality) for step in table.ravel()]
        assert scaled.ravel().tolist() == expected


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 92, 100])
def test_scaled_tables_are_in_pillows_files(quality: int) -> None:
    parts, _ = oracles.file_parts(pillow_encode(picture("flat", (8, 8, 3)), quality=quality))
    written = b"".join(payload for code, payload in parts if code == 0xDB)
    for slot, table in enumerate(standard_qtables(quality)):
        steps = bytes(int(s) for s in table.ravel()[oracles.ZIGZAG])
        assert written[65 * slot : 65 * slot + 65] == bytes([slot]) + steps


def test_quality_scale_is_the_jpeg_groups() -> None:
    assert [quality_scale(q) for q in (1, 25, 49, 50, 75, 100)] == [5000, 200, 102, 100, 50, 0]


def test_wide_steps() -> None:
    wide = scaled_qtable(LUMINANCE_QTABLE, 1, baseline=False)
    assert wide[0, 0] == 16 * 50
    assert wide.max() == 121 * 50
    assert scaled_qtable([[32000] * 8] * 8, 1, baseline=False).max() == 32767
    assert scaled_qtable(LUMINANCE_QTABLE, 1).max() == 255


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_quality_out_of_range(quality: int) -> None:
    with pytest.raises(ValueError, match=f"quality must be from 1 to 100, not {quality}"):
        scaled_qtable(LUMINANCE_QTABLE, quality)


@pytest.mark.parametrize("quality", [75.0, "75", None, True])
def test_quality_of_a_wrong_type(quality: object) -> None:
    with pytest.raises(TypeError, match="quality must be an integer from 1 to 100"):
        scaled_qtable(LUMINANCE_QTABLE, quality)


def test_quality_may_be_a_numpy_integer() -> None:
    assert np.array_equal(
        scaled_qtable(LUMINANCE_QTABLE, np.int64(80)), scaled_qtable(LUMINANCE_QTABLE, 80)
    )


@pytest.mark.parametrize("quality", range(1, 101))
def test_quality_is_found_again(quality: int) -> None:
    table = standard_qtables(quality)[0]
    found, exact = estimated_quality(table)
    assert exact
    assert np.array_equal(standard_qtables(found)[0], table)


def test_nearest_quality_of_an_own_table() -> None:
    table = standard_qtables(80)[0].copy()
    table[7, 7] += 1
    assert estimated_quality(table) == (80, False)
    assert estimated_quality(np.full((8, 8), 60000)) == (1, False)
