"""Every other window: against those of all windows that it stands for, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml import metrics
from pyjpegml.coefficients import Geometry
from pyjpegml.descent import Descent
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference, Scale
from pyjpegml.sensitivity import block_weights
from pyjpegml.threads import Crew


def damaged(image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Smoothed and made noisy: both kinds of error."""
    rng = np.random.default_rng(seed)
    smooth = image.astype(float)
    smooth[1:-1, 1:-1] = (smooth[:-2, 1:-1] + smooth[2:, 1:-1] + 2 * smooth[1:-1, 1:-1]) / 4
    return np.clip(np.rint(smooth + rng.normal(0, 4, image.shape)), 8, 247).astype(np.uint8)


def all_windows(scale: Scale) -> np.ndarray:
    """Statistics as an array of windows: (2, rows, columns)."""
    tiles = np.concatenate(list(scale.statistics), axis=2)
    return tiles.transpose(1, 0, 2)[:, :, : scale.windows[1]]


@pytest.fixture
def sparse(monkeypatch):
    """A reference of few pixels that keeps every other window."""
    monkeypatch.setattr(metrics, "DENSE", 1000)
    monkeypatch.setattr(metrics, "SMALL", 500)
    return lambda image: Reference(image, sparse=True)


@pytest.mark.parametrize("size", [(176, 192), (163, 201), (45, 60), (90, 2300), (61, 2085)])
def test_statistics_are_those_of_every_other_window(sparse, size):
    image = made("natural", (*size, 3), 2)
    some, every = sparse(image), Reference(image)
    for ours, theirs in zip(some.channels, every.channels, strict=True):
        for scale, dense in zip(ours, theirs, strict=True):
            assert scale.step == 1 + (scale.plane.size > metrics.DENSE)
            np.testing.assert_allclose(
                all_windows(scale), all_windows(dense)[:, :: scale.step, :: scale.step],
                rtol=1e-5, atol=1e-3,
            )  # fmt: skip


@pytest.mark.parametrize("size", [(176, 192), (163, 201), (90, 2300), (61, 2085)])
def test_the_quick_score_is_nearly_the_score(sparse, size):
    image = made("natural", (*size, 3), 2)
    other = damaged(image)
    reference = sparse(image)
    score = Reference(image).score(other)
    assert reference.score(other) == pytest.approx(score, abs=1e-7)
    assert reference.score(other, exact=True) == pytest.approx(score, abs=1e-7)
    assert reference.quick_score(other) != score
    assert 1 - reference.quick_score(other) == pytest.approx(1 - score, rel=0.03)
    assert reference.quick_score(image) == 1


def test_large_pictures_have_a_quick_score_within_a_thousandth_of_the_loss():
    image = made("natural", (700, 800, 3), 3)
    other = damaged(image)
    reference = Reference(image, sparse=True)
    assert [scale.step for scale in reference.channels[0]] == [2, 1, 1, 1, 1]
    loss = 1 - reference.score(other)
    assert 1 - reference.quick_score(other) == pytest.approx(loss, rel=1e-3)


def test_threads_change_no_score():
    image = made("natural", (700, 800, 3), 3)
    other = damaged(image)
    alone = Reference(image, sparse=True)
    with Crew(3) as crew:
        shared = Reference(image, crew, sparse=True)
        assert shared.quick_score(other) == alone.quick_score(other)
        assert shared.score(other) == alone.score(other)


@pytest.mark.parametrize("size", [(176, 192), (163, 201), (45, 60), (90, 2300), (61, 2085)])
def test_derivative_of_the_quick_score(sparse, size):
    """Central differences: in all places, at the borders, and where tiles of windows meet."""
    image = np.ascontiguousarray(made("natural", (*size, 3), 2)[:, :, 1]).clip(10, 245)
    other = damaged(image)
    reference = sparse(image)
    geometry = Geometry(size[1], size[0], [(1, 1)])
    descent = Descent(reference, geometry, block_weights(reference, geometry), reference.crew)
    descent.at(other)
    assert descent.score == pytest.approx(reference.quick_score(other), abs=1e-5)
    gradient = descent.gradients[0][: size[0], : size[1]]
    height, width = size
    for rows, columns in (
        (slice(0, height), slice(0, width)), (slice(0, 6), slice(0, width)),
        (slice(height - 6, height), slice(0, width)), (slice(0, height), slice(0, 5)),
        (slice(0, height), slice(width - 5, width)),
        (slice(0, height), slice(width // 2 - 20, width // 2 + 20)),
    ):  # fmt: skip
        step = np.zeros(size, int)
        step[rows, columns] = np.sign(gradient[rows, columns])
        up, down = (reference.quick_score((other + d).astype(np.uint8)) for d in (step, -step))
        assert (down - up) / 2 == pytest.approx(float((gradient * step).sum()), rel=0.04)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_the_gradient_is_nearly_that_of_all_windows(sparse, subsampling):
    image = made("natural", (211, 260, 3), 4)
    other = damaged(image)
    geometry = Geometry(260, 211, SUBSAMPLINGS[subsampling])
    found = []
    for reference in (sparse(image), Reference(image)):
        weights = block_weights(reference, geometry)
        descent = Descent(reference, geometry, weights, reference.crew)
        descent.at(other)
        found.append((weights, descent.weights, descent.gradients))
    for some, every in zip(*found, strict=True):
        for a, b in zip(some, every, strict=True):
            a, b = a[2:-2, 2:-2], b[2:-2, 2:-2]
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98
            assert np.abs(a).mean() == pytest.approx(np.abs(b).mean(), rel=0.05)
