"""From coefficients to levels: counted bytes, what the trellis lowers, and the range of blocks."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import picture as made
from PIL import Image

from pyjpegml.assembly import assemble
from pyjpegml.coefficients import Geometry
from pyjpegml.encoder import analyse, quantize_all
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference
from pyjpegml.quantizer import LARGEST_BLOCK, Quantizer
from pyjpegml.scripts import Scan, interleaved
from pyjpegml.tables import Estimator


@dataclass
class Problem:
    """A picture as the quantizer takes it."""

    reference: Reference
    geometry: Geometry
    coefficients: np.ndarray
    estimator: Estimator

    def quantizer(self, qtables, progressive) -> Quantizer:
        return Quantizer(
            self.reference, self.geometry, self.coefficients, self.estimator.weights,
            self.estimator.energies, qtables, progressive,
        )  # fmt: skip


def analysed(image: np.ndarray, sampling) -> Problem:
    geometry, coefficients = analyse(image, sampling)
    reference = Reference(image)
    estimator = Estimator(reference, geometry, coefficients)
    return Problem(reference, geometry, coefficients, estimator)


def script(geometry, bands) -> tuple[Scan, ...]:
    """All DC, then some bands of AC of each component."""
    every = range(len(geometry.planes))
    dc = [Scan(chosen, 0, 0, 0, 0) for chosen in interleaved(every, geometry.sampling)]
    return (*dc, *(Scan((i,), *band, 0, 0) for i in every for band in bands))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "grey"])
@pytest.mark.parametrize("progressive", [False, True])
def test_counted_bytes_are_those_of_the_file(subsampling, progressive):
    image = made("natural", (203, 250, 3), 3)
    if subsampling == "grey":
        image = np.ascontiguousarray(image[:, :, 1])
    problem = analysed(image, SUBSAMPLINGS.get(subsampling, ((1, 1),)))
    geometry, qtables = problem.geometry, problem.estimator.qtables(0.5)
    quantizer = problem.quantizer(qtables, progressive)
    price = 0.1 * 0.25 / (geometry.width * geometry.height)
    rounded = quantizer.statistics.size
    for bands in [((1, 63),), ((1, 2), (3, 63))][: 1 + progressive]:
        scans = progressive and script(geometry, bands)
        if scans:
            quantizer.follow(scans)
        quantizer.keep(quantizer.trellis(price))
        data = assemble(geometry, quantizer.levels, qtables, progressive=scans)
        head = data.index(b"\xff\xc4")  # before the first Huffman table
        assert quantizer.statistics.size == pytest.approx(len(data) - head, rel=0.02)
    assert quantizer.statistics.size < rounded


@pytest.mark.parametrize("progressive", [False, True])
def test_the_trellis_lowers_what_it_says_it_lowers(progressive):
    """Loss by the quadratic form plus price times bits, against plain rounding."""
    image = made("natural", (176, 192, 3), 5)
    problem = analysed(image, SUBSAMPLINGS["4:2:0"])
    geometry, coefficients, estimator = problem.geometry, problem.coefficients, problem.estimator
    qtables = estimator.qtables(0.4)
    quantizer = problem.quantizer(qtables, progressive)
    price = 0.1 * 0.16 / (geometry.width * geometry.height)

    def objective(levels: np.ndarray) -> float:
        loss = 0.0
        for i, plane in enumerate(geometry.planes):
            real = slice(plane.down), slice(plane.across)
            wanted = geometry.view(coefficients, i)[real] / 8.0
            error = geometry.view(levels, i)[real] * qtables[i].reshape(64).astype(float) - wanted
            loss += float((estimator.weights[i] @ estimator.energies[i] * error**2).sum())
        return loss + price * 8 * quantizer.count(levels).size

    chosen = quantizer.trellis(price)
    for rounding in (0.5, 1 / 3):
        assert objective(chosen) < objective(
            quantize_all(geometry, coefficients, qtables, rounding)
        )


@pytest.mark.parametrize("progressive", [False, True])
def test_blocks_stay_where_decoders_agree(progressive):
    """Targets far outside of 8 bits, and the coarsest steps: Pillow shows what we scored."""
    problem = analysed(made("noise", (48, 64, 3), 7), SUBSAMPLINGS["4:4:4"])
    geometry, qtables = problem.geometry, [np.full((8, 8), 255, np.uint16)] * 3
    quantizer = problem.quantizer(qtables, progressive)
    targets = np.random.default_rng(1).uniform(-3000, 3000, (geometry.size // 64, 64))
    targets[::2] /= 30  # half of the blocks are harmless
    quantizer._targets[:] = targets.reshape(-1)
    levels = quantizer.trellis(1e-9)
    blocks = levels.reshape(-1, 64)
    lengths = np.linalg.norm(255.0 * blocks, axis=1)
    assert (lengths <= LARGEST_BLOCK).all()
    assert (lengths[1::2] > 0).all()  # shrunk, not emptied
    data = assemble(geometry, levels, qtables)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), quantizer.pixels(levels))


def looked_at(image: np.ndarray, sampling, price: float) -> Quantizer:
    """A quantizer that knows a gradient, and has aimed by it."""
    problem = analysed(image, sampling)
    quantizer = problem.quantizer(problem.estimator.qtables(0.3), True)
    quantizer.keep(quantizer.trellis(price))
    quantizer.look()
    quantizer.aim(1.6)
    return quantizer


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:4:0"])
def test_levels_that_were_put_aside_tell_the_same_change(subsampling):
    image = made("natural", (170, 210, 3), 3)
    price = 0.05 / image[:, :, 0].size
    quantizer = looked_at(image, SUBSAMPLINGS[subsampling], price)
    levels = quantizer.trellis(1.5 * price)
    before = quantizer.levels.copy()
    dense = quantizer.change(levels)
    packed = quantizer.put_aside()
    assert quantizer.change(levels) == dense
    np.testing.assert_array_equal(quantizer.levels, before)
    np.testing.assert_array_equal(packed.levels(), before)


def test_a_sample_forecasts_what_all_blocks_forecast(photo):
    tiled = np.tile(photo, (3, 2, 1))
    price = 0.05 / tiled[:, :, 0].size
    quantizer = looked_at(tiled, SUBSAMPLINGS["4:2:0"], price)
    memory = np.zeros_like(quantizer.levels)
    for times in (0.7, 1.5):
        part = quantizer.change(quantizer.sampled_trellis(times * price, memory), sampled=True)
        whole = quantizer.change(quantizer.trellis(times * price))
        np.testing.assert_allclose(part, whole, rtol=0.15)


@pytest.mark.parametrize(
    ("size", "sampled"), [((2100, 2100), True), ((1000, 1000), False), ((72, 65500), False)]
)
def test_large_pictures_are_sampled(size, sampled):
    quantizer = analysed(np.zeros(size, np.uint8), ((1, 1),)).quantizer(
        [np.full((8, 8), 16, np.uint16)], True
    )
    assert quantizer.sampling == sampled
