"""A map of MS-SSIM: where in a picture the metric sees a difference.

The score (:mod:`pyjpegml.metrics`) averages similarities of windows at each scale and multiplies
the averages. Here they are averaged only over each block of 8x8 pixels, and multiplied there: a
local score with the same exponents. What a block loses at coarse scales it shares with its
neighbours. The halvings of odd sides shift coarse scales by a pixel of theirs at most, which a map
does not follow.

This is plain NumPy, for pictures to look at; no score is made of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyjpegml.metrics import AnyPlane, channel_planes, halved, scale_count, scale_weights
from pyjpegml.ssim import C1, C2, TAPS, WINDOW

Plane = npt.NDArray[np.float32]

#: Rows of windows that are treated at a time, so that scratch stays small.
STRIP = 128


def block_losses(original: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Plane:
    """What each block of 8x8 pixels loses: one less its local score.

    Parameters
    ----------
    original, other : (h, w) or (h, w, 3) uint8

    Returns
    -------
    (rows, columns) float32, 0 to 1
        Of whole and incomplete blocks.
    """
    height, width = original.shape[:2]
    rows, columns = -(-height // 8), -(-width // 8)
    weights = scale_weights(scale_count(height, width))
    scores = []
    for x, y in zip(_channels(original), _channels(other), strict=True):
        score = np.ones((rows, columns), np.float32)
        for scale, weight in enumerate(weights):
            if scale:
                x, y = halved(x), halved(y)
            losses = window_losses(x, y, luminance=scale == len(weights) - 1)
            score *= np.clip(1 - _by_blocks(losses, scale, rows, columns), 0, 1) ** weight
        scores.append(score)
    return np.asarray(1 - np.mean(scores, axis=0), np.float32)


def _channels(picture: npt.NDArray[np.uint8]) -> list[AnyPlane]:
    """Planes of a picture whose sides are continued to a whole window."""
    array = picture.reshape(*picture.shape[:2], -1)
    missing = [(0, max(TAPS - side, 0)) for side in array.shape[:2]]
    return channel_planes(np.ascontiguousarray(np.pad(array, [*missing, (0, 0)], "edge")))


def window_losses(x: AnyPlane, y: AnyPlane, luminance: bool) -> Plane:
    """Of each window of a plane, one less its similarity: contrast and structure, and luminance.

    Parameters
    ----------
    x, y : (h, w) uint8 or float32
        Original and other, 11 samples a side at least.
    luminance : bool
        Whether its term counts, as at the coarsest scale.

    Returns
    -------
    (h - 10, w - 10) float32
    """
    height, width = (side - TAPS + 1 for side in x.shape)
    out = np.empty((height, width), np.float32)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        strip = x[top : bottom + TAPS - 1].astype(np.float32)
        error = y[top : bottom + TAPS - 1].astype(np.float32) - strip
        mean, mean_error = _smooth(strip), _smooth(error)
        variance = _smooth(strip * strip) - mean * mean
        error_variance = np.maximum(_smooth(error * error) - mean_error * mean_error, 0)
        covariance = _smooth(strip * error) - mean * mean_error
        both = 2 * (variance + covariance) + error_variance
        similarity = 1 - error_variance / (np.maximum(both, error_variance / 2) + np.float32(C2))
        if luminance:
            squares = mean * mean + (mean + mean_error) ** 2 + np.float32(C1)
            similarity *= 1 - mean_error * mean_error / squares
        out[top:bottom] = 1 - similarity
    return out


def _smooth(plane: Plane) -> Plane:
    """The Gaussian of each window: rows, then columns; taps of equal weight are added first."""
    for axis in (0, 1):
        size = plane.shape[axis] - TAPS + 1
        taps = [plane[k : k + size] if axis == 0 else plane[:, k : k + size] for k in range(TAPS)]
        total = np.float32(WINDOW[TAPS // 2]) * taps[TAPS // 2]
        for k in range(TAPS // 2):
            total += np.float32(WINDOW[k]) * (taps[k] + taps[-1 - k])
        plane = total
    return plane


def _by_blocks(losses: Plane, scale: int, rows: int, columns: int) -> Plane:
    """Means over blocks of what windows around their samples lose at a scale."""
    around = np.pad(losses, TAPS // 2, "edge")
    if scale == 4:  # a sample covers 2x2 blocks
        return np.repeat(np.repeat(around, 2, 0), 2, 1)[:rows, :columns]
    side = 8 >> scale
    missing = [
        (0, max(side * n - have, 0)) for n, have in zip((rows, columns), around.shape, strict=True)
    ]
    whole = np.pad(around, missing, "edge")[: side * rows, : side * columns]
    return np.asarray(whole.reshape(rows, side, columns, side).mean(axis=(1, 3)), np.float32)
