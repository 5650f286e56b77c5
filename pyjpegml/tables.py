"""Quantization tables in closed form, and what they will cost: no encoding, no decoding.

With sensitivities W (:mod:`pyjpegml.sensitivity`) the loss is ``sum W e^2``. Finely quantized, a
coefficient has ``e^2 = q^2 / 12`` on average and needs ``-log2 q`` bits plus a constant; the best
tables for a given loss give every coefficient the same ratio of loss to bits, that is the same
``q_k^2 mean_b W[b, k]``. So up to one factor, the scale of the whole file, the tables are ::

    q_k = scale / sqrt(mean over blocks of W[b, k])

(:func:`closed_form_qtables`). The scale is in units such that, were everything quantized finely,
the loss would be ``scale^2 / 12`` for each component at full size.

:class:`Estimator` quantizes a sample of the blocks and sums ``W e^2`` (deadzones, clipping to
1..255 and all), and the entropy of their Huffman symbols: loss and bytes of a file, within some
percent, without an encoding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._jit import kernel, summing
from .coefficients import Geometry
from .constants import ZIGZAG
from .heads import model_of
from .metrics import Reference
from .scan import END_OF_BLOCK, ZERO_RUN, category
from .sensitivity import (
    basis_energy,
    block_maps,
    halving_offset,
    mix_weights,
    sampling_attenuation,
    spread,
)

#: The true loss grows more slowly than the quadratic form L, for a larger error also makes the
#: picture's own variance larger, which masks it: as ``log(1 + 7 L) / 7``. Fitted on the training
#: photographs, where it holds from a loss of 0.005 up to 0.25.
SATURATION = 7.0
#: Part of a step that is added before AC coefficients are cut to integers: rounding to the nearest
#: (1/2) wastes bits on coefficients that barely reach a level. On the training photographs 1/3 made
#: files 6 % smaller at equal MS-SSIM than 1/2; 0.27 and 0.37 were within 0.3 % of it.
ROUNDING = 1 / 3
#: Blocks of a component that are looked at.
SAMPLE = 2048


def closed_form_qtables(
    mean_weights: Sequence[npt.NDArray[np.float64]], scale: float
) -> list[npt.NDArray[np.uint16]]:
    """The tables of one scale.

    Parameters
    ----------
    mean_weights : sequence of (64,) float64
        Mean sensitivity of each coefficient, times the pixels of the picture; one a component.
    scale : float
        Step size in units of loss; larger is coarser.

    Returns
    -------
    list of (8, 8) uint16
        Steps from 1 to 255, natural order.

    Examples
    --------
    >>> closed_form_qtables([np.full(64, 4.0)], 20.0)[0][0, :3].tolist()
    [10, 10, 10]
    """
    return [
        np.rint(scale / np.sqrt(weights)).clip(1, 255).astype(np.uint16).reshape(8, 8)
        for weights in mean_weights
    ]


@summing
def _block_loss(block, steps, inverse, weights, attenuation, rounding):
    """Loss of one block, ``sum W (e^2 + e e')``, where e' is the error of sampling, in proportion
    to the coefficient. Coefficients are times 8; `inverse` is ``1 / steps``.

    (Were all that is coded a true part of the picture, the product would count twice. Some of it is
    aliasing; on the training photographs once fits best.)
    """
    loss = np.float32(0.0)
    for k in range(64):
        size = abs(np.float32(block[k])) * np.float32(0.125)
        error = size - np.floor(size * inverse[k] + rounding[k]) * steps[k]
        loss += weights[k] * error * (error + attenuation[k] * size)
    return loss


@summing
def _quantize_block(block, inverse, rounding, levels):
    """Levels of one block."""
    for k in range(64):
        c = np.float32(block[k]) * np.float32(0.125)
        level = np.int32(abs(c) * inverse[k] + rounding[k])
        levels[k] = level if c >= 0 else -level


@kernel
def sample_cost(
    blocks, neighbors, weights, attenuation, steps, inverse, rounding, counting, zigzag, levels,
    dc_counts, ac_counts,
):  # fmt: skip
    """Loss and symbols of some blocks of a component.

    Parameters
    ----------
    blocks : (n, 64) int16
        Coefficients times 8, not quantized.
    neighbors : (n,) int16
        DC of the block to the left of each, times 8; 0 at the left border. (In a scan, DC may be
        predicted from another neighbour.)
    weights : (n, 64) float32
        Sensitivities W.
    attenuation : (64,) float32
        :func:`pyjpegml.sensitivity.sampling_attenuation`.
    steps, inverse : (64,) float32
        Quantization table, and one over each step.
    rounding : (64,) float32
        Parts of a step that are added, see :func:`pyjpegml.quantize.quantize`.
    counting : bool
        Whether symbols are counted, which takes most of the time.
    zigzag : (64,) uint8
    levels : (64,) int32
        Scratch.
    dc_counts, ac_counts : (256,) int64
        Symbols are added.

    Returns
    -------
    loss : float
    bits : int
        Raw bits that follow the symbols.
    """
    loss = 0.0
    bits = 0
    for b in range(blocks.shape[0]):
        loss += _block_loss(blocks[b], steps, inverse, weights[b], attenuation, rounding)
        if not counting:
            continue
        _quantize_block(blocks[b], inverse, rounding, levels)
        neighbor = np.float32(neighbors[b]) * np.float32(0.125)
        previous = np.int64(abs(neighbor) / steps[0] + np.float32(0.5))
        size = category(np.int64(levels[0]) - (previous if neighbor >= 0 else -previous))
        dc_counts[size] += 1
        bits += size
        run = 0
        for k in range(1, 64):
            level = np.int64(levels[zigzag[k]])
            if level == 0:
                run += 1
                continue
            ac_counts[ZERO_RUN] += run >> 4
            size = category(level)
            ac_counts[((run & 15) << 4) + size] += 1
            bits += size
            run = 0
        if run > 0:
            ac_counts[END_OF_BLOCK] += 1
    return loss, bits


@dataclass(frozen=True)
class Estimate:
    """What a set of tables will do.

    Attributes
    ----------
    loss : float
        1 - MS-SSIM, of quantization alone.
    size : float
        Bytes of entropy-coded data.
    """

    loss: float
    size: float


class Sample(NamedTuple):
    """Some blocks of a component: (n, 64) coefficients times 8, not quantized; (n,) DC of the block
    to the left of each, times 8, 0 at the left border; (n, 64) sensitivities; (64,)
    :func:`pyjpegml.sensitivity.sampling_attenuation`; and how many blocks the component has.
    """

    blocks: npt.NDArray[np.int16]
    left: npt.NDArray[np.int16]
    weights: npt.NDArray[np.float32]
    attenuation: npt.NDArray[np.float32]
    total: int


class Estimator:
    """Loss and size of a picture for any tables, from a sample of its blocks.

    Parameters
    ----------
    reference : Reference
        The original.
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Times 8, not quantized.
    maps : (channels, 6, rows, columns) float64, optional
        Of the original (:func:`pyjpegml.sensitivity.block_maps`), if they are known.

    Attributes
    ----------
    weights : list of (down, across, 6) float32
        The picture's part of the sensitivities, by component.
    energies : list of (6, 64) float64
        The patterns' part.
    mean_weights : list of (64,) float64
        For :func:`closed_form_qtables`.
    samples : list of Sample
        By component.
    pixels : int
        Of the picture.
    rounding_loss : float
        Loss by rounding Y, Cb and Cr to integers, an error of variance 1/12 each.
    """

    def __init__(
        self,
        reference: Reference,
        geometry: Geometry,
        coefficients: npt.NDArray[np.int16],
        maps: npt.NDArray[np.float64] | None = None,
    ) -> None:
        scales = len(reference.weights)
        offsets = halving_offset(geometry.width), halving_offset(geometry.height)
        self.pixels = pixels = geometry.width * geometry.height
        self.mean_weights: list[npt.NDArray[np.float64]] = []
        self.rounding_loss = 0.0
        self._groups = model_of(len(geometry.planes)).groups
        self.samples: list[Sample] = []
        maps = block_maps(reference) if maps is None else maps
        exact = mix_weights(maps, geometry, reference.crew)
        self.energies = []
        for i, weights in enumerate(exact):
            plane = geometry.planes[i]
            across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
            energy = basis_energy(across, down, scales, offsets)
            self.energies.append(energy)
            flat = weights.reshape(-1, weights.shape[2])
            total = weights.sum(0).sum(0)  # along rows first, which vectors do
            self.mean_weights.append(total @ energy * (pixels / len(flat)))
            if len(geometry.planes) > 1 and i < 3:
                self.rounding_loss += float(total @ energy.sum(1)) / 12
            step = max(1, len(flat) // SAMPLE)
            while math.gcd(step, plane.across) > 1:  # visit all columns
                step += 1
            chosen = np.arange(0, len(flat), step)
            rows, columns = np.divmod(chosen, plane.across)
            view = geometry.view(coefficients, i)
            left = np.where(columns > 0, view[rows, columns - 1, 0], 0).astype(np.int16)
            sensitivities = np.empty((len(chosen), 64), np.float32)
            spread(flat[chosen].astype(np.float32), energy.astype(np.float32), sensitivities)
            attenuation = sampling_attenuation(across, down)
            self.samples.append(
                Sample(view[rows, columns], left, sensitivities, attenuation, len(flat))
            )
        self.weights = [weights.astype(np.float32) for weights in exact]

    def qtables(self, scale: float) -> list[npt.NDArray[np.uint16]]:
        """The closed form at a scale."""
        return closed_form_qtables(self.mean_weights, scale)

    def estimate(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> Estimate:
        """Loss and size with these tables, one (8, 8) uint16 a component."""
        return self._estimate(qtables, True)

    def loss(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> float:
        """The loss alone, which is found sooner."""
        return self._estimate(qtables, False).loss

    def _estimate(self, qtables: Sequence[npt.NDArray[np.uint16]], counting: bool) -> Estimate:
        loss = size = 0.0
        levels, rounding = np.empty(64, np.int32), np.full(64, ROUNDING, np.float32)
        rounding[0] = 0.5
        counts = np.zeros((2, 2, 256))  # luma (with K) and chroma, DC and AC
        for i, (blocks, left, weights, attenuation, total) in enumerate(self.samples):
            steps = qtables[i].astype(np.float32).reshape(64)
            found = np.zeros((2, 256), np.int64)
            sample_loss, bits = sample_cost(
                blocks, left, weights, attenuation, steps, 1 / steps, rounding, counting, ZIGZAG,
                levels, found[0], found[1],
            )  # fmt: skip
            factor = total / len(blocks)
            loss += sample_loss * factor
            size += bits * factor / 8
            counts[self._groups[i]] += found * factor
        for symbols in counts.reshape(4, 256):
            used = symbols[symbols > 0]
            size += float((used * np.log2(used.sum() / used)).sum()) / 8 if used.size else 0.0
        return Estimate(math.log1p(SATURATION * loss) / SATURATION, size)
