"""From pixels to levels for 12 bits: against the formulae. That coded data are libjpeg-turbo's, byte
for byte, stands in ``test_modes.py``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import run_python
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import deep, deep_encoder
from pyjpegml._simd_numpy import NumpyVector

Array = npt.NDArray[np.uint16]


def levels_of(plane: Array, qtable: npt.NDArray[np.int32]) -> npt.NDArray[np.int16]:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    out = np.full((rows, columns, 64), 99, np.int16)
    deep_encoder.transform(plane, rows, columns, qtable, np.empty(64, np.int32), out)
    return out


def blocks_of(plane: Array) -> npt.NDArray[np.float64]:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    return plane.reshape(rows, 8, columns, 8).swapaxes(1, 2).astype(float) - 2048


#: Blocks whose coefficient (v, u) is as large as can be, and as small.
EXTREMES = np.where(oracles.PATTERNS > 0, 4095, 0).astype(np.uint16)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 16, 255, 256, 65535]))
def test_levels_are_those_of_the_formulae(seed: int, largest: int) -> None:
    """A coefficient is off by the bound of the fixed-point transform, a level by half a step."""
    rng = np.random.default_rng(seed)
    plane = rng.integers(0, 4096, (16, 24), np.uint16)
    plane[:8, :8] = EXTREMES[tuple(rng.integers(0, 8, 2))]
    plane[8:, :8] = 4095 - plane[:8, :8]
    steps = rng.integers(1, largest, 64, np.int32, endpoint=True)
    levels = levels_of(plane, steps)
    exact = oracles.forward_dct(blocks_of(plane)).reshape(2, 3, 64)
    error = oracles.forward_dct_error(2048, 1)
    assert (np.abs(levels * steps.astype(float) - exact) <= steps / 2 + error).all()


def test_the_largest_levels() -> None:
    """14 bits, so that a DC difference has 15: no coefficient needs more."""
    plane = np.vstack(
        [np.hstack(EXTREMES.reshape(64, 8, 8)), np.hstack(4095 - EXTREMES.reshape(64, 8, 8))]
    )
    levels = levels_of(np.ascontiguousarray(plane), np.ones(64, np.int32)).astype(int)
    assert np.abs(levels[..., 1:]).max() < 1 << 14
    assert levels[..., 0].min() == -(1 << 14)
    assert levels[..., 0].max() == 8 * 2047


def test_halves_are_rounded_away_from_zero() -> None:
    plane = np.full((8, 16), 2048, np.uint16)
    plane[:, :8] += 1  # DC 8
    plane[:, 8:] -= 1
    steps = np.full(64, 16, np.int32)
    assert levels_of(plane, steps)[0, :, 0].tolist() == [1, -1]


@given(st.tuples(*[st.integers(0, 4095)] * 3))
def test_colors(pixel: tuple[int, int, int]) -> None:
    rgb = np.array([pixel * 3], np.uint16)
    planes = np.full((3, 1, 4), 7, np.uint16)
    deep.rgb_to_ycbcr(rgb, 12, *planes)
    assert [tuple(planes[:, 0, x]) for x in range(3)] == [
        oracles.rgb_to_ycbcr_fixed(*pixel, 12)
    ] * 3
    assert (planes[:, 0, 3] == 7).all()


@pytest.mark.parametrize("across", [1, 2, 3, 4])
@pytest.mark.parametrize("down", [1, 2, 3, 4])
def test_means(across: int, down: int) -> None:
    plane = np.random.default_rng(9).integers(0, 4096, (5 * down, 7 * across), np.uint16)
    out = np.empty((5, 7), np.uint16)
    deep_encoder.downsample(plane, across, down, out)
    assert np.array_equal(out, oracles.downsample(plane, across, down))


#: The transform of length 8, orthonormal.
DCT = np.array([np.cos((2 * np.arange(8) + 1) * u * np.pi / 16) / 2 for u in range(8)])
DCT[0] /= np.sqrt(2)


def test_a_pass_is_a_transform() -> None:
    """Eight lanes, each of them one transform of length 8."""
    rng = np.random.default_rng(3)
    inputs = rng.integers(-2048, 2048, (8, 8))
    got = deep_encoder.forward_8([NumpyVector(row.astype(np.int32)) for row in inputs], False)
    matrix = np.sqrt(8) * DCT
    exact = 2 * matrix @ inputs
    assert np.abs(np.array([v.values for v in got]) - exact).max() <= 2 * 8 * 2**-12 * 2048 + 0.5


SCRIPT = """
import numpy as np
from pyjpegml import encode
rgb = np.random.default_rng(1).integers(0, 4096, (9, 18, 3), np.uint16)
for options in ({}, {"subsampling": "4:1:1"}, {"lossless": True, "predictor": 5, "restart_rows": 2}):
    print(encode(rgb, **options).hex())
"""


def test_without_compilation_the_same() -> None:
    plain = run_python(SCRIPT, NUMBA_DISABLE_JIT="1").stdout
    assert plain == run_python(SCRIPT).stdout
