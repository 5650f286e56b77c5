"""Closed-form tables and the estimator, against whole files."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml import decode
from pyjpegml.assembly import assemble
from pyjpegml.encoder import analyse, quantize_all
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference
from pyjpegml.quantize import quantize
from pyjpegml.tables import ROUNDING, Estimator, _block_loss, _quantize_block, closed_form_qtables


def make(subsampling: str, image: np.ndarray) -> tuple:
    geometry, coefficients = analyse(image, SUBSAMPLINGS.get(subsampling, ((1, 1),)))
    reference = Reference(image)
    return geometry, coefficients, reference, Estimator(reference, geometry, coefficients)


def test_tables_are_legal_and_grow_with_the_scale():
    weights = [np.geomspace(1e-6, 1e6, 64)]
    previous = None
    for scale in (1e-6, 0.1, 1.0, 30.0, 1e6):
        (table,) = closed_form_qtables(weights, scale)
        assert (table.shape, table.dtype) == ((8, 8), np.uint16)
        assert 1 <= table.min() <= table.max() <= 255
        if previous is not None:
            assert np.all(table >= previous)
        previous = table


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "grey"])
@pytest.mark.parametrize("scale", [0.15, 0.3])
def test_estimates_what_a_file_will_be(subsampling, scale):
    image = made("natural", (240, 320, 3), 2)
    if subsampling == "grey":
        image = np.ascontiguousarray(image[:, :, 0])
    geometry, coefficients, reference, estimator = make(subsampling, image)
    qtables = estimator.qtables(scale)
    estimate = estimator.estimate(qtables)
    data = assemble(geometry, quantize_all(geometry, coefficients, qtables, ROUNDING), qtables)
    floor = {"4:4:4": estimator.rounding_loss, "grey": 0.0}.get(subsampling)
    assert len(data) == pytest.approx(estimate.size, rel=0.15, abs=700)
    if floor is not None:
        assert 1 - reference.score(decode(data)) == pytest.approx(floor + estimate.loss, rel=0.25)


def test_estimates_grow_with_the_scale():
    _, _, _, estimator = make("4:2:0", made("natural", (120, 160, 3), 4))
    found = [estimator.estimate(estimator.qtables(scale)) for scale in (0.05, 0.2, 0.8, 3.2)]
    assert sorted(e.loss for e in found) == [e.loss for e in found]
    assert sorted((e.size for e in found), reverse=True) == [e.size for e in found]


def test_the_estimator_quantizes_as_the_encoder_does():
    rng = np.random.default_rng(3)
    blocks = rng.integers(-8192, 8193, (4, 5, 64)).astype(np.int16)
    qtable = rng.integers(1, 256, 64).astype(np.int32)
    out = np.empty_like(blocks)
    quantize(blocks, qtable, ROUNDING, out)
    levels = np.empty(64, np.int32)
    ones, none = np.ones(64, np.float32), np.zeros(64, np.float32)
    steps, rounding = qtable.astype(np.float32), np.full(64, ROUNDING, np.float32)
    rounding[0] = 0.5
    different = 0
    for block, wanted in zip(blocks.reshape(-1, 64), out.reshape(-1, 64), strict=True):
        _quantize_block(block, 1 / steps, rounding, levels)
        loss = _block_loss(block, steps, 1 / steps, ones, none, rounding)
        different += int((levels != wanted).sum())
        error = block / 8 - levels * qtable
        assert loss == pytest.approx((error**2).sum(), rel=1e-5)
    assert different <= 2  # single precision may round a value that lies on the edge
