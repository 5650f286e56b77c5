"""Slow oracles of scaled decoding: means of boxes of the inverse DCT, in libjpeg's fixed point.

Nothing here imports pyjpegml. T.81 says nothing about scaled decoding; these are libjpeg's rules,
written as rules on exact numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import oracles

Bytes = npt.NDArray[np.uint8]


def pattern(size: int, y: int, u: int) -> float:
    """Cosine u summed over the ``8 / size`` samples that become sample y."""
    merged = 8 // size
    scale = 1 if u == 0 else math.sqrt(2)
    inside = range(merged * y, merged * (y + 1))
    return scale * sum(math.cos((2 * x + 1) * u * math.pi / 16) for x in inside)


def mean_of_boxes(coefficients: npt.ArrayLike, size: int) -> npt.NDArray[np.float64]:
    """(8, 8) coefficients to (size, size) samples in real numbers, not level-shifted."""
    merged = 8 // size
    return oracles.inverse_dct(coefficients).reshape(size, merged, size, merged).mean(axis=(1, 3))


def inverse(coefficients: npt.ArrayLike, size: int, precision: int = 8) -> list[list[int]]:
    """(8, 8) dequantized coefficients to size x size samples, size 1, 2 or 4.

    Factors have 13 fractional bits. Columns first: their results keep 2 bits for 8-bit samples and
    1 for deeper ones, halves rounded up. sqrt(8) of each pass and the size of the boxes go in the
    end. Results are limited to the range of samples.
    """
    block = np.asarray(coefficients).tolist()
    merged, extra = 8 // size, 2 if precision == 8 else 1
    factors = [
        [math.floor(pattern(size, y, u) * 2**13 + 0.5) for u in range(8)] for y in range(size)
    ]

    def rounded(value: int, divisor: int) -> int:
        return (value + divisor // 2) // divisor

    first = [
        [
            rounded(sum(factors[y][v] * block[v][u] for v in range(8)), merged * 2**13 // 2**extra)
            for u in range(8)
        ]
        for y in range(size)
    ]
    centre = 1 << (precision - 1)
    return [
        [
            min(
                max(
                    centre
                    + rounded(
                        sum(factors[x][u] * first[y][u] for u in range(8)),
                        merged * 2**13 * 2**extra * 8,
                    ),
                    0,
                ),
                2 * centre - 1,
            )
            for x in range(size)
        ]
        for y in range(size)
    ]


def transform_sizes(sampling: Sequence[tuple[int, int]], denominator: int) -> list[int]:
    """For each component the largest transform whose samples fit whole into pixels."""
    h_max, v_max = (max(factors) for factors in zip(*sampling, strict=True))
    least = 8 // denominator
    return [
        max(
            size
            for size in (1, 2, 4, 8)
            if size == least
            or (size > least and h_max * least % (h * size) == 0 == v_max * least % (v * size))
        )
        for h, v in sampling
    ]


def upsample(
    samples: Bytes, size: tuple[int, int], ratio: tuple[int, int], denominator: int
) -> Bytes:
    """A component's own samples at the picture's size (height, width).

    Ratios (across, down) of 1 and 2 by the triangle filter, others and any at 1/8 by repetition.
    """
    across, down = ratio
    if max(ratio) <= 2 and denominator < 8:
        full = oracles.upsample(samples, across, down)
    else:
        full = samples.repeat(down, axis=0).repeat(across, axis=1)
    return full[: size[0], : size[1]]


def picture(
    width: int,
    height: int,
    sampling: Sequence[tuple[int, int]],
    denominator: int,
    planes: Sequence[Bytes],
    color: str,
) -> Bytes:
    """Planes of reduced blocks to a scaled picture, for whole ratios."""
    h_max, v_max = (max(factors) for factors in zip(*sampling, strict=True))
    size = math.ceil(height / denominator), math.ceil(width / denominator)
    sizes = transform_sizes(sampling, denominator)
    full = []
    for (h, v), transform, plane in zip(sampling, sizes, planes, strict=True):
        own_height = math.ceil(height * v * transform / (v_max * 8))
        own_width = math.ceil(width * h * transform / (h_max * 8))
        ratio = (
            h_max * 8 // denominator // (h * transform),
            v_max * 8 // denominator // (v * transform),
        )
        full.append(upsample(plane[:own_height, :own_width], size, ratio, denominator))
    if color == "grey":
        return full[0]
    pixels = np.stack(full, axis=-1)
    if color == "YCbCr":
        for row in pixels:
            row[:] = [oracles.ycbcr_to_rgb_fixed(*pixel) for pixel in row.tolist()]
    return pixels
