"""From a picture's coefficients to levels: the trellis, the prices it reckons with, the gradient.

A :class:`Quantizer` holds what a search changes step by step::

    targets ─ trellis(lambda) ─ levels ─ pixels ─ gradient ─ targets ─ ...

1. Prices come from the levels before: counted symbols, their optimal Huffman code, its lengths.
   The first ones are of levels rounded to the nearest, or cut off a little lower.
2. The trellis (:mod:`pyjpegml.trellis`) finds the best levels for the targets, which at first are
   the coefficients of the original.
3. :meth:`Quantizer.look` decodes them and takes the gradient of the true metric there
   (:mod:`pyjpegml.gradient`); :meth:`Quantizer.aim` moves each target against it.

*Damping.* The step to the minimum of a coefficient's own parabola is too long where its neighbours
move as well, so parabolas are made steeper, by a factor d above 1, for the trellis too: then each
round can only make ``loss + lambda bits`` smaller, as long as d is large enough. Many levels are
chosen once and for all, because changing one costs more bits than it brings; so rounds are bold
first (d = 1.0) and careful at the end (d = 1.6), and everywhere more careful where errors of
neighbours agree (:meth:`Quantizer.coherence`).

*Range.* Targets may move beyond what 8-bit samples can make, and coarse levels still more. Where a
block gets so large that decoders might wrap around and disagree, it is shrunk.

*Scans.* Sequential files have one scan, in which Cb and Cr share tables. Progressive ones have a DC
scan and, for each component, first one of AC with a table of its own, and then those bands that a
search found best (:meth:`Quantizer.follow`), each with its table. That low bits may be sent in
refinements is left to the writer, and that other components may share tables where it is cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import trellis
from .coefficients import Geometry
from .constants import ZIGZAG
from .descent import Descent
from .encoder import quantize_all
from .forecast import Change, weigh_change
from .gradient import aim
from .half_losses import HalfLosses
from .half_size import HalfDescent, sees_half_size
from .heads import model_of
from .huffman import optimal_table
from .metrics import LumaReference, Reference, channel_planes, check_picture, row_bands
from .packed_levels import Packed
from .reconstruction import reconstruct
from .scan import END_OF_BLOCK
from .scripts import Scan
from .sensitivity import spread
from .tables import ROUNDING
from .trellis import RUN_SIZES
from .visibility import floors

#: Largest length of a block's coefficients, as a vector. Of 8-bit samples it is at most 1024; below
#: 1448 no sum of four that an inverse DCT makes between its passes leaves 16 bits, beyond which
#: libjpeg-turbo's vectors and its plain code do not agree.
LARGEST_BLOCK = 1400.0
#: Bits that a symbol is taken to cost while nothing has it: a long code, and its place in the DHT.
UNSEEN = 18
#: Rows of blocks that a thread takes at a time, at least.
STRIP = 16
#: Bits of a DHT segment besides its symbols.
TABLE_BITS = 8 * 21
#: Pictures of more pixels try prices on a sample: so many rows of MCUs of each so many.
SAMPLED_PIXELS = 1 << 22
SAMPLED_ROWS, SAMPLED_OF = 4, 20
#: Blocks of a component, about, that :meth:`Quantizer.coherence` looks at.
SAMPLE = 2048

_U = np.arange(8)
_BASIS = np.cos((2 * _U + 1) * _U[:, None] * math.pi / 16) / 2
_BASIS[0] /= math.sqrt(2)
BASIS = _BASIS.astype(np.float32)


class Code(NamedTuple):
    """Bits of the symbols of one table, raw bits not included, and how often they occur.

    Attributes
    ----------
    lengths : (256,) float64
    counts : (256,) int64
    """

    lengths: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


class Statistics(NamedTuple):
    """What levels cost, and the code that follows from them.

    Attributes
    ----------
    size : float
        Bytes of the scans, Huffman tables included.
    dc : list of Code
        Of each component.
    ac : list of list of Code
        Of each component and band.
    """

    size: float
    dc: list[Code]
    ac: list[list[Code]]


def _code(counts: npt.NDArray[np.int64]) -> tuple[Code, float]:
    """The optimal code, and the bits of the table and of all symbols."""
    table = optimal_table(counts)
    lengths = np.full(256, float(UNSEEN))
    lengths[list(table.symbols)] = table.code_lengths()
    bits = float((counts * lengths).sum()) + TABLE_BITS + 8 * len(table.symbols)
    return Code(lengths, counts), bits


class Quantizer:
    """Levels of one picture with one set of tables.

    Parameters
    ----------
    reference : Reference
        The original; at least 11 pixels a side.
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Times 8, not quantized.
    weights : list of (down, across, 6) float32
        Sensitivities at the original, the picture's part.
    energies : list of (6, 64) float64
        The patterns' part.
    qtables : sequence of (8, 8) uint16
    progressive : bool
        For which kind of scans bits are counted.

    Attributes
    ----------
    statistics : Statistics
        Of the levels chosen last, or of those that are kept when tables are rescaled.
    sampling : bool
        Whether the picture is so large that a sample of its blocks is worth while.
    halves : bool
        Whether the picture may be looked at at half size.
    chroma_price : float
        What a bit of chroma costs, if one of luma costs 1: as much, because losses are of one
        metric. What other prices would do is measured by bench/rate_ratio.py.
    """

    chroma_price = 1.0

    def __init__(
        self,
        reference: Reference,
        geometry: Geometry,
        coefficients: npt.NDArray[np.int16],
        weights: Sequence[npt.NDArray[np.float32]],
        energies: Sequence[npt.NDArray[np.float64]],
        qtables: Sequence[npt.NDArray[np.uint16]],
        progressive: bool = True,
    ) -> None:
        self.reference = reference
        self.geometry = geometry
        self.progressive = progressive
        self.pixels_of_picture = geometry.width * geometry.height
        self._each = reference.crew.each
        # component and rows of blocks that a thread takes at a time
        self._strips = [
            (i, first, last)
            for i, plane in enumerate(geometry.planes)
            for first, last in pairwise(row_bands(plane.down, STRIP))
        ]
        # rows of MCUs of each strip of the sample
        self._sample = [
            (first, first + SAMPLED_ROWS)
            for first in range(SAMPLED_OF // 2, geometry.mcus_down - SAMPLED_ROWS, SAMPLED_OF)
        ]
        self.sampling = self.pixels_of_picture > SAMPLED_PIXELS and len(self._sample) > 1
        self._original = weights
        self._coefficients = coefficients
        self._floors = floors(weights)
        self._energies = [energy.astype(np.float32) for energy in energies]
        self._plain = [f @ energy for f, energy in zip(self._floors, self._energies, strict=True)]
        self._targets: npt.NDArray[np.float32] = np.zeros(geometry.size, np.float32)
        self.halves = sees_half_size(reference)
        self._half: HalfDescent | None = None  # kept, with its memory, between looks
        self.use(qtables)

    def use(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> None:
        """Begin with these tables, as if there had been no others; levels are rounded."""
        geometry = self.geometry
        self.qtables = list(qtables)
        self._steps = [table.reshape(64).astype(np.float32) for table in qtables]
        self._bands = [[(1, 63)] for _ in geometry.planes]
        self._weights = [
            (v + f).astype(np.float32) for v, f in zip(self._original, self._floors, strict=True)
        ]
        # None while the gradient is where the targets are to be
        self._damping: np.float32 | None = np.float32(1.0)
        self._seen: npt.NDArray[np.int16] | Packed | None = None  # where the gradient is known
        self._half_seen = False  # whether it is that of the picture at half size

        def aim_at_original(task: int) -> None:
            i, first, last = self._strips[task]
            source, target = geometry.view(self._coefficients, i), geometry.view(self._targets, i)
            np.multiply(source[first:last], np.float32(0.125), out=target[first:last])

        self._each(aim_at_original, len(self._strips))
        self._levels: npt.NDArray[np.int16] | None = quantize_all(
            geometry, self._coefficients, qtables, ROUNDING, self.reference.crew
        )
        self.statistics = self._count(self.levels)

    def rescale(self, qtables: Sequence[npt.NDArray[np.uint16]]) -> None:
        """Go on with tables like those before, if nothing has been looked at: the levels stay until
        others are chosen, and with them the prices of symbols, which hardly depend on the scale.
        """
        assert not self.looked, "targets have been moved"
        self.qtables = list(qtables)
        self._steps = [table.reshape(64).astype(np.float32) for table in qtables]

    @property
    def looked(self) -> bool:
        """Whether there has been a look, after which the targets are no more the original's."""
        return self._seen is not None

    @property
    def levels(self) -> npt.NDArray[np.int16]:
        """Those chosen last, (geometry.size,) int16."""
        if self._levels is None:
            self._levels = self._packed.levels()
        return self._levels

    def put_aside(self) -> Packed:
        """Keep the present levels in less memory until they are wanted again, and if it is they
        that were looked at, those too.
        """
        self._packed = Packed(self.levels, self.reference.crew)
        if self._seen is self._levels:
            self._seen = self._packed
        self._levels = None
        return self._packed

    def follow(self, script: Sequence[Scan]) -> None:
        """Reckon with the bands of a script's first scans from now on."""
        for scan in script:
            if scan.Ss == 1:
                self._bands[scan.components[0]] = []
        for scan in script:
            if scan.Ss > 0 and scan.Ah == 0:
                self._bands[scan.components[0]].append((scan.Ss, scan.Se))
        self.statistics = self._count(self.levels)

    def count(self, levels: npt.NDArray[np.int16]) -> Statistics:
        """Bytes of levels, and the codes that are best for them."""
        if levels is self._levels:
            return self.statistics
        return self._count(levels)

    def _count(self, levels: npt.NDArray[np.int16]) -> Statistics:
        geometry = self.geometry
        planes = geometry.planes
        dc = np.zeros((len(planes), 256), np.int64)
        ac = [np.zeros((len(bands), 256), np.int64) for bands in self._bands]
        tasks = [(i, number) for i in range(len(planes)) for number in range(-1, len(ac[i]))]

        def symbols(task: int) -> int:
            i, number = tasks[task]
            plane, view = planes[i], geometry.view(levels, i)
            size = plane.down, plane.across
            if number < 0:
                return int(trellis.count_dc(view, plane.h, plane.v, *size, dc[i]))
            band, counts = self._bands[i][number], ac[i][number]
            return int(trellis.count_ac(view, ZIGZAG, *band, *size, self.progressive, counts))

        bits = float(sum(self._each(symbols, len(tasks))))

        def code(counts: npt.NDArray[np.int64]) -> Code:
            nonlocal bits
            found, cost = _code(counts)
            bits += cost
            return found

        groups = model_of(len(planes)).groups

        def shared(counts: npt.NDArray[np.int64]) -> list[Code]:
            """One code for luma (and K), one for chroma."""
            codes = [code(counts[np.equal(groups, group)].sum(0)) for group in sorted(set(groups))]
            return [codes[group] for group in groups]

        dc_codes = shared(dc)
        if self.progressive:
            ac_codes = [[code(counts) for counts in bands] for bands in ac]
        else:
            ac_codes = [[each] for each in shared(np.array([bands[0] for bands in ac]))]
        return Statistics(bits / 8, dc_codes, ac_codes)

    def trellis(
        self, price: float, memory: npt.NDArray[np.int16] | None = None
    ) -> npt.NDArray[np.int16]:
        """The best levels for the targets at a price of a bit, in units of loss; not kept yet.

        They may be put where levels are that nobody wants any more: all of them are chosen anew.
        """
        levels = np.zeros(self.geometry.size, np.int16) if memory is None else memory.view()
        mcus_down = self.geometry.mcus_down
        dc_targets = self._choose_ac(price, self._strips, levels)
        self._choose_dc(price, dc_targets, list(pairwise(row_bands(mcus_down, STRIP))), levels)
        self._each(lambda task: self._restrain(*self._strips[task], levels), len(self._strips))
        return levels

    def sampled_trellis(self, price: float, memory: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """As :meth:`trellis`, for blocks of the sample alone, if there is one (`sampling`); other
        blocks stay as they are. None is shrunk, and what comes before a strip is taken to be 0.
        """
        part = memory.view()
        dc_targets = self._choose_ac(price, self._sampled_strips(), part)
        self._choose_dc(price, dc_targets, self._sample, part)
        return part

    def _sampled_strips(self) -> list[tuple[int, int, int]]:
        """Component and rows of blocks of each strip of the sample."""
        return [
            (i, first * plane.v, last * plane.v)
            for i, plane in enumerate(self.geometry.planes)
            for first, last in self._sample
        ]

    def _choose_ac(
        self, price: float, wanted: list[tuple[int, int, int]], levels: npt.NDArray[np.int16]
    ) -> list[npt.NDArray[np.float32]]:
        """AC of some strips; returns targets and sensitivities of DC of each component."""
        geometry, planes = self.geometry, self.geometry.planes
        assert self._damping is not None  # there are targets
        energies = [energy * self._damping for energy in self._energies]
        costs = [np.empty((p.down, p.across), np.float32) for p in planes]
        dc_targets = [np.zeros((p.down, p.across, 2), np.float32) for p in planes]
        ends = [np.empty((p.down, p.across), np.uint8) for p in planes]

        def choose_ac(task: int) -> None:
            i, first, last = strips[task]
            prices, least, _ = found[i]
            trellis.choose_ac(
                geometry.view(self._targets, i)[first:last], self._weights[i][first:last],
                energies[i], self._steps[i], ZIGZAG, *bands[i], prices, least,
                last - first, planes[i].across, np.empty(64, np.int16),
                np.empty((5, 64), np.float32), np.empty((3, 64), np.int64),
                np.empty((16, 64), np.float32), dc_targets[i][first:last],
                costs[i][first:last], ends[i][first:last], geometry.view(levels, i)[first:last],
            )  # fmt: skip

        def drop(task: int) -> None:
            i, first, last = strips[task]
            prices, _, runs = found[i]
            rows = slice(first, last)
            view, cost, end = geometry.view(levels, i)[rows], costs[i][rows], ends[i][rows]
            if self.progressive:
                trellis.choose_blocks(
                    cost, end, runs, *bands[i],
                    np.empty(trellis.STARTS, np.int64), np.empty(trellis.STARTS, np.float32),
                    np.empty(cost.shape, np.int64), view,
                )  # fmt: skip
            else:
                trellis.drop_blocks(cost, end, prices[END_OF_BLOCK], *bands[i], view)

        for number in range(max(len(bands) for bands in self._bands)):
            components = [i for i in range(len(planes)) if number < len(self._bands[i])]
            bands = {i: self._bands[i][number] for i in components}
            found = {
                i: self._prices(self.statistics.ac[i][number], self._price_of(i, price))
                for i in components
            }
            strips = [strip for strip in wanted if strip[0] in bands]
            self._each(choose_ac, len(strips))
            self._each(drop, len(strips))
        return dc_targets

    def _choose_dc(
        self,
        price: float,
        dc_targets: list[npt.NDArray[np.float32]],
        mcu_rows: Sequence[tuple[int, int]],
        levels: npt.NDArray[np.int16],
    ) -> None:
        """DC of some rows of MCUs, each path from the first to the last one."""
        geometry, planes = self.geometry, self.geometry.planes
        strips = [(i, *rows) for i in range(len(planes)) for rows in mcu_rows]

        def choose_dc(task: int) -> None:
            i, first, last = strips[task]
            plane = planes[i]
            lengths = self.statistics.dc[i].lengths[:16]
            prices = (lengths + np.arange(16)) * self._price_of(i, price)
            blocks = (last - first) * plane.v * plane.stride
            trellis.choose_dc(
                dc_targets[i], self._steps[i][0], prices.astype(np.float32),
                plane.h, plane.v, first, last,
                geometry.mcus_across, np.empty((2, trellis.DC_CHOICES), np.float32),
                np.empty((blocks, trellis.DC_CHOICES), np.int8), geometry.view(levels, i),
            )  # fmt: skip

        self._each(choose_dc, len(strips))

    def _restrain(self, i: int, first: int, last: int, levels: npt.NDArray[np.int16]) -> None:
        """Shrink blocks on which decoders might not agree."""
        trellis.restrain(
            self.geometry.view(levels, i), self._steps[i], np.float32(LARGEST_BLOCK),
            first, last, self.geometry.planes[i].across,
        )  # fmt: skip

    def _price_of(self, i: int, price: float) -> float:
        """That of a component's bits."""
        return price * self.chroma_price if i in (1, 2) else price

    def _prices(self, code: Code, price: float) -> tuple[npt.NDArray[np.float32], ...]:
        """Prices of AC symbols, the least of each size, and those of runs of ends of blocks."""
        bits = code.lengths + (np.arange(256) & 15)
        runs = np.zeros(RUN_SIZES + 1)
        runs[:RUN_SIZES] = code.lengths[: RUN_SIZES << 4 : 16] + np.arange(RUN_SIZES)
        runs[RUN_SIZES] = runs.max()
        if self.progressive:
            used = code.counts[: RUN_SIZES << 4 : 16]
            bits[END_OF_BLOCK] = (used @ runs[:RUN_SIZES]) / max(int(used.sum()), 1)
        prices = (bits * price).astype(np.float32)
        least = np.array([np.inf, *(prices[s::16].min() for s in range(1, 16))], np.float32)
        return prices, least, (runs * price).astype(np.float32)

    def keep(self, levels: npt.NDArray[np.int16]) -> None:
        """Take levels as the present ones; prices follow from them."""
        self._levels, self.statistics = levels, self.count(levels)

    def pixels(self, levels: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
        """What any decoder makes of levels. What was kept for looks at half size makes room."""
        self._half = None
        return reconstruct(self.geometry, levels, self.qtables, self.reference.crew)

    def _seen_rows(self, i: int, first: int, last: int) -> npt.NDArray[np.int16]:
        """Rows of blocks of a component at the levels where the gradient is known."""
        seen, plane = self._seen, self.geometry.planes[i]
        assert seen is not None
        if isinstance(seen, Packed):
            block = plane.offset // 64 + first * plane.stride
            part = seen.part(block, block + (last - first) * plane.stride)
            return part.reshape(last - first, plane.stride, 64)
        return self.geometry.view(seen, i)[first:last]

    def look(self) -> float:
        """The loss of the present levels; its gradient is kept for :meth:`aim`, in the memory of
        the targets.
        """
        geometry, crew = self.geometry, self.reference.crew
        descent = Descent(self.reference, geometry, self._original, crew, self._targets)
        self._weights, self._seen, self._half_seen = [], None, False  # before others are made
        planes = channel_planes(check_picture(self.pixels(self.levels)), crew)
        descent.at_planes(planes)
        del planes
        self._seen = self.levels
        if isinstance(self.reference, LumaReference):
            descent.score = self.reference.quick_score(self.pixels(self.levels))
        self._weights, self._damping = descent.weights, None
        for weights, floor in zip(self._weights, self._floors, strict=True):
            weights += floor
        return 1 - descent.score

    def half_look(self, trust: float = 1.0) -> HalfLosses:
        """As :meth:`look`, at half size (:mod:`pyjpegml.half_size`), if the picture has `halves`.

        Parameters
        ----------
        trust : float
            How much errors of the finest scale lose, to what the quadratic form says.
        """
        descent = self._half_descent()
        self._weights, self._seen = [], None  # before others are made
        losses = descent.look(self.levels, self._targets)
        self._seen, self._half_seen = self.levels, True
        self._weights, self._damping = descent.weights, None
        for weights, floor in zip(self._weights, self._floors, strict=True):
            weights[:, :, 0] *= np.float32(trust)
            weights += floor
        return losses

    def half_losses(self, levels: npt.NDArray[np.int16]) -> HalfLosses:
        """What levels lose, as it is known at half size."""
        return self._half_descent().losses(levels)

    def _half_descent(self) -> HalfDescent:
        if self._half is None:
            self._half = HalfDescent(
                self.reference, self.geometry, self._original, self._energies, self._steps,
                self._coefficients, self.reference.crew,
            )  # fmt: skip
        self._half.steps = self._steps
        return self._half

    def coherence(self) -> float:
        """How much steeper than their own parabolas the loss is along the errors of the levels that
        were looked at, for what neighbours do together.

        With errors e, and ``g = G / 2 W`` the errors that single parabolas would need to have the
        gradient G: ``sum W g^2 / sum W g e``, over a sample of the blocks.
        """
        assert self._damping is None, "there is no gradient"
        squares = products = 0.0
        for i, plane in enumerate(self.geometry.planes):
            originals = self.geometry.view(self._coefficients, i)[:, : plane.across]
            target = np.empty((1, plane.across, 64), np.float32)
            sensitivity = np.empty((plane.across, 64), np.float32)
            every = max(1, plane.down * plane.across // SAMPLE)
            for row in range(0, plane.down, every):
                self._move(i, row, row + 1, self._energies[i], target)
                value = self._seen_rows(i, row, row + 1)[0, : plane.across] * self._steps[i]
                spread(self._weights[i][row], self._energies[i], sensitivity)
                needed = value - target[0]
                squares += every * float((sensitivity * needed * needed).sum())
                error = value - np.float32(0.125) * originals[row]
                products += every * float((sensitivity * needed * error).sum())
        return squares / products if products > 0 else 1.0

    def aim(self, damping: float) -> None:
        """Move the targets against the gradient at the levels that were looked at.

        The gradient becomes the targets row by row, so this is done once.
        """
        assert self._damping is None, "there is no gradient"
        self._damping = np.float32(damping)
        energies = [energy * self._damping for energy in self._energies]

        def move(task: int) -> None:
            i, first, last = self._strips[task]
            self._move(
                i, first, last, energies[i], self.geometry.view(self._targets, i)[first:last]
            )

        self._each(move, len(self._strips))

    def _move(
        self,
        i: int,
        first: int,
        last: int,
        energy: npt.NDArray[np.float32],
        targets: npt.NDArray[np.float32],
    ) -> None:
        """Targets of some rows of blocks of a component, which may be where their gradient is."""
        plane, rows = self.geometry.planes[i], slice(first, last)
        view = self.geometry.view
        gradient = view(self._targets, i)[rows].reshape(8 * (last - first), 8 * plane.stride)
        alone = self._energies[i][0] if self._half_seen else np.zeros(64, np.float32)
        aim(
            gradient, self._seen_rows(i, first, last), self._steps[i], self._weights[i][rows],
            energy, self._plain[i] - self._floors[i][0] * alone, alone,
            view(self._coefficients, i)[rows], BASIS, BASIS.T.copy(), 0, last - first, plane.across,
            np.empty((8, 8 * plane.across), np.float32), np.empty(64, np.float32), targets,
        )  # fmt: skip

    def change(self, levels: npt.NDArray[np.int16], *, sampled: bool = False) -> Change:
        """What levels will do to the loss of those that were looked at; by the sample, if only its
        blocks have been chosen.
        """
        assert self._damping is not None
        damping, geometry = self._damping, self.geometry
        view, strips = geometry.view, self._sampled_strips() if sampled else self._strips

        def weigh(task: int) -> tuple[float, float, float]:
            i, first, last = strips[task]
            rows = slice(first, last)
            sums: tuple[float, float, float] = weigh_change(
                self._seen_rows(i, first, last), view(levels, i)[rows],
                view(self._targets, i)[rows], view(self._coefficients, i)[rows], self._steps[i],
                self._weights[i][rows], self._energies[i], self._plain[i], damping,
            )  # fmt: skip
            return sums

        sums = np.array(self._each(weigh, len(strips)))
        if sampled:
            for i, plane in enumerate(geometry.planes):
                own = [task for task, strip in enumerate(strips) if strip[0] == i]
                sums[own] *= plane.down / sum(strips[task][2] - strips[task][1] for task in own)
        return Change(*sums.sum(0).tolist())
