"""Features: what the learned predictor is told of a picture, by name.

All come from what the search has made anyway, for one subsampling: coefficients, sensitivities and
the estimator (:mod:`pyjpegml.scale_search`). Statistics are those of a sample of the blocks, on
diagonals of the grid, ``(row + column) % step == 0``: so a transposed picture gives the same
sample, and the same features but for u and v, which change places (:func:`transposed`), and
``bits_*``, because coding is not symmetric.

==========================  ========================================================================
``size``                    log2 of the number of pixels
``across``, ``down``        1 if chroma has half the columns, half the rows; else 0
``floor``                   ln of the loss of colour and sampling alone
``scale_*``, ``bits_*``     the closed form's own estimate: ln of the scale at which quantization
                            alone loses 0.003, 0.01 and 0.03, and ln of the bits a pixel there
``Y_1`` ... ``Y_11``        ln of the mean energy of luma's AC coefficients, by bands of u + v from
                            that number on; ``Cb_*``, ``Cr_*`` in three bands
``Y_u``, ``Y_v``            of those with v = 0 and with u = 0: vertical and horizontal edges
``W_1`` ... ``W_11``        ln of the mean loss if a band of luma was dropped: energy times
                            sensitivity; ``Wb_*``, ``Wr_*`` of Cb and Cr
``V_0`` ... ``V_5``         ln of the mean sensitivity of luma at five scales, and to brightness
``S_0`` ... ``S_5``         standard deviation of its ln from block to block
``flat_1``, ``flat_4``      share of luma blocks whose AC coefficients have a root mean square below
                            1/2 and below 2
``texture_10``, ``_50``,    quantiles of ln of luma's AC energy, block by block
``texture_90``
``noise``                   ln of the mean of luma's highest band in the flattest quarter
``gradient``                ln of the mean of abs of the two lowest AC coefficients of luma
==========================  ========================================================================

Energies are those of coefficients of an orthonormal DCT; to each logarithm's argument a small
number is added, so features are finite for any picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .scale_search import Candidate, solve_scale

#: Losses of quantization for which the estimate is a feature.
LOSSES = (0.003, 0.01, 0.03)
#: First u + v of each band.
LUMA_BANDS, CHROMA_BANDS = (1, 2, 3, 5, 7, 9, 11), (1, 2, 4)
#: Blocks of a component that are looked at, about.
SAMPLE = 2048
#: Added to energies and bits, and to what is in units of loss, before their logarithm is taken.
EPSILON, LEAST_WEIGHT, LEAST_LOSS = 1e-2, 1e-6, 1e-6

_ORDER = np.add.outer(np.arange(8), np.arange(8)).ravel()


def _bands(starts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Averages over bands of u + v: (64, bands)."""
    ends = [*starts[1:], 15]
    inside = [(first <= _ORDER) & (end > _ORDER) for first, end in zip(starts, ends, strict=True)]
    return np.stack([band / band.sum() for band in inside], 1)


_LUMA, _CHROMA = _bands(LUMA_BANDS), _bands(CHROMA_BANDS)

#: Names, in order.
NAMES: tuple[str, ...] = (
    "size", "across", "down", "floor",
    *(f"scale_{loss}" for loss in LOSSES),
    *(f"bits_{loss}" for loss in LOSSES),
    *(f"Y_{band}" for band in LUMA_BANDS), "Y_u", "Y_v",
    *(f"W_{band}" for band in LUMA_BANDS),
    *(f"V_{term}" for term in range(6)),
    *(f"S_{term}" for term in range(6)),
    "flat_1", "flat_4", "texture_10", "texture_50", "texture_90", "noise", "gradient",
    *(f"{name}_{band}" for name in ("Cb", "Wb", "Cr", "Wr") for band in CHROMA_BANDS),
)  # fmt: skip


def transposed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The features that the transposed picture has."""
    swap = {"across": "down", "down": "across", "Y_u": "Y_v", "Y_v": "Y_u"}
    return values[[NAMES.index(swap.get(name, name)) for name in NAMES]]


def features(plan: Candidate) -> npt.NDArray[np.float64]:
    """The features of a picture in colour, for one subsampling.

    Parameters
    ----------
    plan : Candidate
        With three components; its tables in closed form, not shaped.

    Returns
    -------
    (59,) float64
        In the order of NAMES, finite.
    """
    geometry, estimator = plan.geometry, plan.estimator
    pixels = geometry.width * geometry.height
    across, down = geometry.h_max == 2, geometry.v_max == 2
    scales = [solve_scale(lambda s: estimator.loss(estimator.qtables(s)), v) for v in LOSSES]
    bits = [8 * estimator.estimate(estimator.qtables(s)).size / pixels for s in scales]
    values: list[float] = [
        math.log2(pixels), across, down, math.log(max(plan.floor, LEAST_LOSS)),
        *np.log(scales), *np.log(np.add(bits, EPSILON)),
    ]  # fmt: skip
    for i, plane in enumerate(geometry.planes):
        step = max(1, plane.down * plane.across // SAMPLE)
        grid = np.add.outer(np.arange(plane.down), np.arange(plane.across))
        chosen = grid % step == 0
        view = geometry.view(plan.coefficients, i)[: plane.down, : plane.across]
        blocks = view[chosen].astype(np.float32) / 8
        terms = estimator.weights[i][chosen].astype(np.float64) * pixels
        energy = blocks * blocks
        mean = energy.mean(0, dtype=np.float64)
        # mean over blocks of energy times sensitivity, which is terms @ energies
        products = np.einsum("nt,nk->tk", terms, energy)  # too small for the threads of a BLAS
        loss = (products * estimator.energies[i]).sum(0) / len(blocks)
        bands = _CHROMA if i else _LUMA
        by_band, losses = np.log(mean @ bands + EPSILON), np.log(loss @ bands + LEAST_WEIGHT)
        if i:
            values += [*by_band, *losses]
            continue
        texture = energy[:, 1:].mean(1)
        low, middle, high = np.quantile(np.log(texture + EPSILON), (0.1, 0.5, 0.9))
        flattest = texture <= np.quantile(texture, 0.25)
        table = mean.reshape(8, 8)
        logs = np.log(terms + LEAST_WEIGHT)
        values += [
            *by_band, *np.log(np.array([table[0, 1:].mean(), table[1:, 0].mean()]) + EPSILON),
            *losses, *np.log(terms.mean(0) + LEAST_WEIGHT), *logs.std(0),
            np.mean(texture < 0.25), np.mean(texture < 4), low, middle, high,
            math.log(float(np.abs(blocks[flattest]).mean(0) @ bands[:, -1]) + EPSILON),
            math.log(float(np.abs(blocks[:, [1, 8]]).mean()) + EPSILON),
        ]  # fmt: skip
    return np.array(values, np.float64)
