"""The files of one photograph that a page holds, made by the real encoder.

Sequential ones, so that the bits of a block lie together: what progressive scans would save is said
by no page. A page has a limit of bytes; files that would go beyond it are left out, the largest
first, and are named.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyjpegml.decoder import decode
from pyjpegml.encoder import encode
from pyjpegml.metrics import Reference
from pyjpegml.quantize import estimated_quality
from pyjpegml.rate import compress
from pyjpegml.result import Result
from pyjpegml.yardstick import annex_k_baseline

from .similarity import block_losses

Pixels = npt.NDArray[np.uint8]

#: IJG qualities and MS-SSIM targets on the slider.
QUALITIES = (10, 25, 50, 75, 90, 95)
TARGETS = (0.95, 0.97, 0.98, 0.99, 0.995)
#: The target at which tables are compared, and that is shown first.
COMPARED = 0.98


@dataclass(frozen=True)
class Variant:
    """One file, and how near it is to the original.

    Attributes
    ----------
    kind : str
        ``"quality"`` or ``"target"``.
    value : float
        The quality, or the MS-SSIM that was asked for.
    data : bytes
        The JPEG.
    ms_ssim : float
    losses : bytes
        :func:`packed_losses`, compressed by zlib.
    """

    kind: str
    value: float
    data: bytes
    ms_ssim: float
    losses: bytes

    @property
    def size(self) -> int:
        """Bytes that a page needs for it: its map grows with the picture, as the file does."""
        return len(self.data) + len(self.losses)


@dataclass(frozen=True)
class Tables:
    """Quantization tables of one way to meet a target.

    Attributes
    ----------
    name, about : str
    size : int
        Bytes of its file.
    ms_ssim : float
    met : bool
    subsampling : str
    qtables : tuple of (8, 8) uint16
        Of each component.
    """

    name: str
    about: str
    size: int
    ms_ssim: float
    met: bool
    subsampling: str
    qtables: tuple[npt.NDArray[np.uint16], ...]


def packed_losses(losses: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Losses of blocks, 0 to 1, in a byte each, ``255 * sqrt(loss)``: small ones finer."""
    return np.asarray(np.rint(255 * np.sqrt(losses)), np.uint8)


def make_variants(
    pixels: Pixels, qualities: Sequence[int] = QUALITIES, targets: Sequence[float] = TARGETS
) -> list[Variant]:
    """Files of a photograph by quality, then by target.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    qualities : sequence of int
    targets : sequence of float
    """
    reference = Reference(pixels)
    files: list[tuple[str, float, bytes]] = [
        ("quality", quality, encode(pixels, quality=quality, threads=None)) for quality in qualities
    ]
    for target in targets:
        result = compress(pixels, ms_ssim=target, progressive=False, threads=None)
        files.append(("target", target, result.data))
    made = []
    for kind, value, data in files:
        decoded = decode(data, threads=None)
        losses = packed_losses(block_losses(pixels, decoded)).tobytes()
        made.append(Variant(kind, value, data, reference.score(decoded), zlib.compress(losses, 9)))
    return made


def fitting(variants: Sequence[Variant], most: int) -> tuple[list[Variant], list[Variant]]:
    """Which of the files are kept so that all have at most `most` bytes with their maps, and which
    are left out.

    One always is kept, the smallest.
    """
    kept = list(variants)
    left: list[Variant] = []
    while len(kept) > 1 and sum(v.size for v in kept) > most:
        largest = max(kept, key=lambda v: v.size)
        kept.remove(largest)
        left.append(largest)
    return kept, left


def compared_tables(pixels: Pixels, target: float = COMPARED) -> list[Tables]:
    """Tables of four ways to meet a target, and the bytes that each takes.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    target : float
    """

    def fast(model: bool | None) -> Result:
        return compress(
            pixels, ms_ssim=target, effort="fast", progressive=False, model=model, threads=None
        )

    annex_k = annex_k_baseline(pixels, target)
    quality, _ = estimated_quality(annex_k.qtables[0])
    loop = compress(pixels, ms_ssim=target, progressive=False, threads=None)
    ways = [
        ("Annex K", f"the standard's example tables at quality {quality}, rounded", annex_k),
        ("Best steps", "by what this picture's coefficients lose and cost with them", fast(False)),
        ("Learned", "the same, corrected by what trees learned of photographs", fast(None)),
        ("Closed loop", "levels chosen by trellis and gradient; what compress() writes", loop),
    ]
    return [
        Tables(name, about, len(r.data), r.ms_ssim, r.met, r.subsampling, r.qtables)
        for name, about, r in ways
    ]
