"""The fixed-point transforms against the double sum of T.81 A.3.3."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import KINDS, Bytes, picture
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import dct
from pyjpegml._simd_numpy import NumpyVector
from pyjpegml.dct import forward_dct, inverse_dct

blocks = st.builds(
    picture, st.sampled_from(sorted(KINDS)), st.just((8, 8)), st.integers(0, 2**32 - 1)
)


#: Signs of c1, c3, c5 and c7, or of c2 and c6, in each factor of the flow graphs.
FACTORS = {
    "_F_0_298": (-1, 1, 1, -1), "_F_0_390": (0, 1, -1, 0), "_F_0_541": (0, 1),
    "_F_0_765": (1, -1), "_F_0_899": (0, 1, 0, -1), "_F_1_175": (0, 1, 0, 0),
    "_F_1_501": (1, 1, -1, -1), "_F_1_847": (1, 1), "_F_1_961": (0, 1, 1, 0),
    "_F_2_053": (1, 1, -1, 1), "_F_2_562": (1, 1, 0, 0), "_F_3_072": (1, 1, 1, -1),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_factors_are_the_nearest(name: str) -> None:
    angles = (1, 3, 5, 7) if len(FACTORS[name]) == 4 else (2, 6)
    cosines = [math.sqrt(2) * math.cos(k * math.pi / 16) for k in angles]
    exact = sum(sign * c for sign, c in zip(FACTORS[name], cosines, strict=True))
    assert getattr(dct, name) == round(2**13 * exact)


def forward(plane: Bytes) -> npt.NDArray[np.int16]:
    """(rows, columns, 8, 8) coefficients of a plane of whole blocks, times 8."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    out = np.empty((rows, columns, 64), np.int16)
    forward_dct(plane, rows, columns, out)
    return out.reshape(rows, columns, 8, 8)


def inverse(coefficients: npt.NDArray[np.int16], step: int = 1) -> Bytes:
    """(n, 8, 8) coefficients, all quantized with one step, to (n, 8, 8) samples."""
    count = len(coefficients)
    plane = np.empty((8, 8 * count), np.uint8)
    source = np.ascontiguousarray(coefficients, np.int16).reshape(1, count, 64)
    inverse_dct(source, 1, count, np.full(64, step, np.int32), plane)
    return plane.reshape(8, count, 8).swapaxes(0, 1)


def test_flow_graphs_are_the_matrix() -> None:
    """Fed with unit vectors, the graphs show their 8x8 matrices, which differ from sqrt(8) times
    the orthonormal one by rounded factors only: 4 in an entry, each wrong by 2**-14 at most."""
    k, x = np.indices((8, 8))
    matrix = np.where(k == 0, math.sqrt(0.5), 1) * np.cos((2 * x + 1) * k * math.pi / 16)
    matrix *= math.sqrt(8) / 2
    unit = [NumpyVector(row) for row in 4096 * np.eye(8, dtype=np.int16)]
    for graph, expected in ((dct.forward_8, matrix), (dct.inverse_8, matrix.T)):
        shown = np.array([vector.values for vector in graph(unit, False)])
        assert np.abs(shown / 2**14 - expected).max() <= 2.0**-12 + 2.0**-15


@given(blocks)
def test_forward_is_within_its_bound(block: Bytes) -> None:
    exact = oracles.forward_dct(block.astype(float) - 128)
    assert np.abs(forward(block)[0, 0] / 8 - exact).max() <= oracles.forward_dct_error()


def test_forward_is_accurate_on_average() -> None:
    """Rounding alone: 1/4 unit between the passes, 1/8 at the end, uniform: a variance of
    (1/16 + 1/64) / 12, the first divided by 8 on its way. Rows 0 and 4 are sums of quarters, whose
    halves go up: 1/8 of the last unit on average, unless the columns were exact too."""
    plane = picture("noise", (256, 256))
    exact = oracles.forward_dct(plane.reshape(32, 8, 32, 8).swapaxes(1, 2).astype(float) - 128)
    error = forward(plane) / 8 - exact
    expected = np.zeros((8, 8))
    expected[np.ix_([0, 4], [1, 2, 3, 5, 6, 7])] = 1 / 64
    deviation = math.sqrt((1 / 16 / 8 + 1 / 64) / 12)
    assert np.sqrt((error**2).mean()) <= 1.2 * deviation
    assert np.abs(error.mean(axis=(0, 1)) - expected).max() <= 5 * deviation / 32


@pytest.mark.parametrize("level", range(256))
def test_flat_blocks_have_exactly_their_dc(level: int) -> None:
    coefficients = forward(np.full((8, 8), level, np.uint8))[0, 0]
    assert coefficients[0, 0] == 64 * (level - 128)
    assert np.count_nonzero(coefficients) == (level != 128)
    dc = np.zeros((1, 8, 8), np.int16)
    dc[0, 0, 0] = 8 * (level - 128)
    assert (inverse(dc) == level).all()


def test_largest_coefficients() -> None:
    """Blocks made to raise one coefficient as far as samples can; none leaves its stated range."""
    signs = np.sign(oracles.PATTERNS).reshape(64, 8, 8)
    samples = np.where(np.concatenate([signs, -signs]) > 0, 255, 0).astype(np.uint8)
    coefficients = forward(samples.swapaxes(0, 1).reshape(8, -1))[0]
    assert np.abs(coefficients.astype(int)).max() == 8192
    exact = oracles.forward_dct(samples.astype(float) - 128)
    assert np.abs(coefficients / 8 - exact).max() <= oracles.forward_dct_error()


@given(blocks, st.integers(1, 255))
def test_inverse_is_within_its_bound(block: Bytes, step: int) -> None:
    exact = oracles.forward_dct(block.astype(float) - 128)
    levels = np.rint(exact / step).astype(np.int16)
    samples = oracles.inverse_dct(levels * float(step)) + 128
    bound = oracles.inverse_dct_error(levels.reshape(64) * float(step))
    assert np.abs(inverse(levels[None], step)[0] - samples.clip(0, 255)).max() <= bound


@pytest.mark.parametrize(("low", "high"), [(-5, 5), (-128, 127)])
@pytest.mark.parametrize("sign", [1, -1])
def test_inverse_meets_ieee_1180(low: int, high: int, sign: int) -> None:
    """The accuracy that IEEE 1180-1990 asks of an inverse DCT, on its kind of data (10,000 random
    blocks); its range of +-256 does not occur with 8-bit samples."""
    samples = sign * np.random.default_rng(1).integers(low, high, (10_000, 8, 8), endpoint=True)
    coefficients = np.rint(oracles.forward_dct(samples)).clip(-2048, 2047)
    reference = np.rint(oracles.inverse_dct(coefficients)).clip(-128, 127)
    error = inverse(coefficients.astype(np.int16)).astype(int) - 128 - reference
    assert np.abs(error).max() <= 1
    assert (error**2).mean(axis=0).max() <= 0.06
    assert (error**2).mean() <= 0.02
    assert np.abs(error.mean(axis=0)).max() <= 0.015
    assert abs(error.mean()) <= 0.0015


def test_inverse_of_zeros_is_grey() -> None:
    assert (inverse(np.zeros((1, 8, 8), np.int16)) == 128).all()


def test_inverse_clips() -> None:
    coefficients = np.zeros((2, 8, 8), np.int16)
    coefficients[:, 0, 0] = [1100, -1100]
    assert (inverse(coefficients)[0] == 255).all()
    assert (inverse(coefficients)[1] == 0).all()


def test_blocks_are_independent_and_in_place() -> None:
    """A plane and an array that are larger than the component: only its blocks are touched."""
    plane = picture("noise", (24, 40))
    out = np.full((4, 6, 64), 99, np.int16)
    forward_dct(plane, 2, 3, out)
    for row in range(2):
        for column in range(3):
            block = plane[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            alone = forward(np.ascontiguousarray(block))[0, 0]
            assert np.array_equal(out[row, column].reshape(8, 8), alone)
    assert (out[2:] == 99).all()
    assert (out[:, 3:] == 99).all()


def test_natural_order() -> None:
    """Index 8 v + u: a pattern that varies along x only has its energy in the first row."""
    samples = np.tile(np.rint(127 * np.cos((2 * np.arange(8) + 1) * math.pi / 16) + 128), (8, 1))
    coefficients = forward(samples.astype(np.uint8))[0, 0]
    assert coefficients[0, 1] == coefficients.max()
    assert not coefficients[1:].any()


@given(st.integers(1, 64), st.integers(0, 2**32 - 1), st.booleans())
def test_shortcuts_for_blocks_of_few_coefficients(steps: int, seed: int, only_dc: bool) -> None:
    """They give what the whole transform gives, whatever the coefficients are."""
    rng = np.random.default_rng(seed)
    last = 1 if only_dc else 4
    coefficients = np.zeros((4, 8, 8), np.int16)
    largest = int(rng.choice([3, 40, 1023, 32767]))
    coefficients[:, :last, :last] = rng.integers(-largest, largest, (4, last, last), endpoint=True)
    qtable = np.full(64, steps, np.int32)
    planes = np.zeros((2, 8, 40), np.uint8)
    shortcut = dct.inverse_flat_four if only_dc else dct.inverse_low_four
    for plane, function in zip(planes, (dct.inverse_four, shortcut), strict=True):
        function(coefficients, 0, qtable, plane, 8, 40)
    assert np.array_equal(*planes)
