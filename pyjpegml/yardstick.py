"""The yardstick of :func:`pyjpegml.compress`: what a search over libjpeg's quality finds.

That is what a careful user has without this package: the tables of Annex K, scaled by the lowest
quality whose file meets the target. Scores grow with quality, but for the rounding of steps, so the
qualities from 1 to 100 are halved until one is left.
"""

from __future__ import annotations

import numpy.typing as npt

from .arguments import check_image
from .decoder import decode
from .encoder import encode
from .heads import CHROMA, model_of
from .metrics import Reference
from .quantize import standard_qtables
from .rate import check_target
from .result import Result


def annex_k_baseline(
    image: npt.ArrayLike, ms_ssim: float, *, color: str | None = None, subsampling: str = "4:2:0"
) -> Result:
    """The file with Annex K's tables, at the lowest quality that meets a target, and with optimal
    Huffman tables.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) uint8 array
    ms_ssim : float
    color : str, optional
        As for :func:`pyjpegml.compress`.
    subsampling : str
        Of K in CMYK too: it is then as fine as luma.

    Returns
    -------
    Result
        That of quality 100, with ``met=False``, if no quality reaches the target.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96).astype(np.uint8)
    >>> lower, higher = (annex_k_baseline(image, target) for target in (0.9, 0.99))
    >>> lower.met and higher.met and len(lower.data) < len(higher.data)
    True
    """
    target = check_target(ms_ssim)
    array = check_image(image, color)
    reference = Reference(array)
    low, high, encodes = 1, 100, 0
    found: tuple[bytes, float, int] | None = None
    while low <= high:
        quality = (low + high) // 2
        data = encode(
            array, quality=quality, subsampling=subsampling, color=color,
            stored_as="YCCK" if array.shape[2:] == (4,) else None,
        )  # fmt: skip
        score = reference.score(decode(data))
        encodes += 1
        if score >= target:
            found, high = (data, score, quality), quality - 1
        else:
            if found is None and quality == 100:
                found = data, score, quality
            low = quality + 1
    assert found is not None
    data, score, quality = found
    luma, chroma = standard_qtables(quality)
    groups = model_of(1 if array.ndim == 2 else array.shape[2]).groups
    return Result(
        data, score, score >= target, encodes,
        tuple(chroma if group == CHROMA else luma for group in groups),
        "grey" if array.ndim == 2 else subsampling, target, array.shape[1], array.shape[0],
    )  # fmt: skip
