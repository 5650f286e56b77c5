"""Hypothesis strategies for what is coded: quantized coefficients, or samples of lossless files.

Dense ones come from a seed, cut to a window of those that are not zero, so that they shrink as
well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from .stream import ZIGZAG


def _basis() -> npt.NDArray[np.float64]:
    """The matrix of the one-dimensional DCT (T.81 A.3.3), rows are frequencies."""
    u, x = np.arange(8)[:, None], np.arange(8)
    matrix = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


_DCT = _basis()


def inverse_dct(blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Samples, without the level shift, of dequantized coefficients (T.81 A.3.3), (..., 8, 8)."""
    samples: npt.NDArray[np.float64] = _DCT.T @ blocks @ _DCT
    return samples


def make_legal(
    units: npt.NDArray[np.int64], qtable: npt.NDArray[np.uint16], precision: int
) -> npt.NDArray[np.int64]:
    """The nearest coefficients that a forward DCT can produce.

    Blocks whose samples lie within the range of the precision stay as they are; samples of others
    are clipped, transformed and quantized again.

    Parameters
    ----------
    units : (..., 8, 8) array
        Quantized coefficients.
    qtable : (8, 8) array
    precision : int
        Bits of a sample.
    """
    steps = qtable.astype(np.int64)
    half = 1 << (precision - 1)
    samples = inverse_dct(units * steps)
    clipped = np.clip(samples, -half, half - 1)
    again = np.rint(_DCT @ clipped @ _DCT.T / steps).astype(np.int64)
    outside = (samples < -half - 1e-6) | (samples > half - 1 + 1e-6)
    return np.where(outside.any(axis=(-2, -1), keepdims=True), again, units)


@st.composite
def coefficients(
    draw: st.DrawFn,
    sizes: Sequence[tuple[int, int]],
    tables: Sequence[npt.NDArray[np.uint16]],
    precision: int = 8,
) -> tuple[npt.NDArray[np.int64], ...]:
    """Quantized coefficients that a forward DCT can produce, (rows, columns, 8, 8) each.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    sizes : sequence of (rows, columns)
        Blocks of each component.
    tables : sequence of (8, 8) array
        Quantization table of each component.
    precision : int
        Bits of a sample.
    """
    largest = 8 << (precision - 1)
    planes = [np.zeros((rows, columns, 64), np.int64) for rows, columns in sizes]
    kind = draw(st.sampled_from(["sparse", "dense", "samples"]))
    if kind == "sparse":
        # clipped, the largest ones are square waves: no sample range gives more
        levels = st.integers(-largest, largest) | st.sampled_from([-largest, largest])
        place = st.tuples(
            st.integers(0, len(sizes) - 1),
            st.integers(0, 10**4),  # of a block, modulo their number
            st.integers(0, 63),
            levels,
        )
        for i, block, k, value in draw(st.lists(place, max_size=12)):
            flat = planes[i].reshape(-1, 64)
            step = int(tables[i].flat[ZIGZAG[k]])
            flat[block % len(flat), ZIGZAG[k]] = value if abs(value) < 16 else value // step
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        amplitude = draw(st.integers(0, largest.bit_length() - 1))
        density = draw(st.sampled_from([0.02, 0.1, 0.5, 1]))
        last = draw(st.sampled_from([63, 1, 5, 20, 40]))
        dc = draw(st.sampled_from([3, 0, 1, 30, largest]))
        for i, plane in enumerate(planes):
            if kind == "dense":
                # magnitudes of all categories alike
                magnitude = np.exp2(rng.uniform(0, amplitude, plane.shape)).astype(np.int64)
                values = magnitude * rng.choice([-1, 1], plane.shape)
                values[rng.random(plane.shape) >= density] = 0
                values[..., 0] = rng.integers(-dc, dc, plane.shape[:2], endpoint=True)
                values[..., list(ZIGZAG[last + 1 :])] = 0
                steps = tables[i].reshape(64)
                plane[...] = np.where(np.abs(values) < 16, values, np.trunc(values / steps))
            else:
                half = 1 << (precision - 1)
                reach = min(1 << amplitude, half)
                samples = rng.integers(-reach, reach, (*plane.shape[:2], 8, 8))
                if density == 1:  # blacks and whites
                    samples = np.where(samples < 0, -half, half - 1)
                plane[...] = np.rint(_DCT @ samples @ _DCT.T / tables[i]).reshape(plane.shape)
        present = sum(int(np.count_nonzero(plane)) for plane in planes)
        first = draw(st.integers(0, 10**5)) if draw(st.integers(0, 9)) == 9 else 0
        count = 10**5 - draw(st.integers(0, 10**5)) if draw(st.integers(0, 9)) == 9 else 10**5
        _keep(planes, first * present // 10**5, count * present // 10**5)
    return tuple(
        make_legal(plane.reshape(*plane.shape[:2], 8, 8), table, precision)
        for plane, table in zip(planes, tables, strict=True)
    )


def _keep(planes: Sequence[npt.NDArray[np.int64]], first: int, count: int) -> None:
    """Set all values that are not zero to zero but for `count` of them, from `first` on."""
    seen = 0
    for plane in planes:
        places = np.flatnonzero(plane)
        numbers = seen + np.arange(places.size)
        plane.reshape(-1)[places[(numbers < first) | (numbers >= first + count)]] = 0
        seen += places.size


@st.composite
def samples(
    draw: st.DrawFn, sizes: Sequence[tuple[int, int]], precision: int
) -> tuple[npt.NDArray[np.int64], ...]:
    """Samples of a lossless file: flat, a gradient, or noise.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    sizes : sequence of (rows, columns)
        Of each component.
    precision : int
        Bits of a sample.
    """
    kind = draw(st.sampled_from(["flat", "gradient", "noise", "extremes"]))
    level = draw(st.integers(0, (1 << precision) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    planes = []
    for rows, columns in sizes:
        y, x = np.mgrid[:rows, :columns]
        if kind == "flat":
            plane = np.full((rows, columns), level)
        elif kind == "gradient":
            plane = level * x + (level // 2 + 1) * y
        elif kind == "noise":
            plane = level + rng.integers(0, 1 << draw(st.integers(1, precision)), (rows, columns))
        else:
            half = 1 << (precision - 1)  # a difference of 32768 has a category of its own
            plane = rng.choice([0, half, 2 * half - 1, level], (rows, columns))
        planes.append((plane % (1 << precision)).astype(np.int64))
    return tuple(planes)
