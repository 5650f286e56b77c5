"""What the eye sees and MS-SSIM forgives: a plain squared error beside it.

MS-SSIM divides an error by the variance of the picture around it: a texture of three times the
contrast hides nine times the error. No eye forgives that much. Left to itself, rate control wipes
textures away and frays the edges in them, because there a bit buys least.

So the rounds of trellis and gradient make another sum smallest ::

    1 - MS-SSIM + sum F_k e^2,      F = A^T f,    f_s = LEAST_s * (mean over blocks of V_s)

with V and A of :mod:`pyjpegml.sensitivity`: a limit on masking, for each scale in proportion to
what an error costs there on average. F is the same for all blocks, so it counts where V is far
below its mean, and hardly where V is large. The target is one of MS-SSIM alone, as it always was:
nearly the same number of bytes is distributed in another way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: Parts of the mean sensitivity below which none falls, by scale, and for the luminance term.
#: The proportions are from eleven training photographs. The common factor weighs bytes against what
#: other metrics see, on others: bench/rate_floor.md has what more and less bring.
LEAST = 0.07 * np.array([1.0, 2.0, 3.0, 1.0, 1.0, 1.0])


def floors(weights: Sequence[npt.NDArray[np.floating]]) -> list[npt.NDArray[np.float32]]:
    """The vector f of each component.

    Parameters
    ----------
    weights : list of (down, across, 6) float32 or float64
        Sensitivities of the original (:func:`pyjpegml.sensitivity.mix_weights`).

    Returns
    -------
    list of (6,) float32
        To be added to the sensitivities of each block.
    """
    return [(LEAST * v.mean((0, 1), np.float64)).astype(np.float32) for v in weights]
