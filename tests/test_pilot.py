"""Tiles stand for the picture they are from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import picture
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import compress, pilot, rate
from pyjpegml.budget import Options, Step
from pyjpegml.encoder import quantize_all
from pyjpegml.metrics import Reference
from pyjpegml.pilot import LEAST_PIXELS, LEAST_SIDE, LEAST_TILES, MOST_TILES, TILE, foreseen_error
from pyjpegml.reconstruction import reconstruct
from pyjpegml.scale_search import Candidate, add_sampling_loss, candidate, solve_scale
from pyjpegml.tables import ROUNDING
from pyjpegml.threads import Crew


@pytest.fixture(scope="module")
def large(photo: np.ndarray) -> np.ndarray:
    """A photograph that is large enough."""
    tiled = np.concatenate([photo, photo[::-1], photo], 0)
    assert tiled.shape[0] * tiled.shape[1] >= LEAST_PIXELS
    return np.ascontiguousarray(tiled)


def plan_of(image: np.ndarray, subsampling: str) -> tuple[Candidate, Reference]:
    reference = Reference(image)
    plan = candidate(image, reference, subsampling)
    add_sampling_loss(plan, image, reference)
    plan.begin(None)
    return plan, reference


@given(
    st.integers(LEAST_SIDE, 3000), st.integers(LEAST_SIDE, 3000),
    st.sampled_from([(), (3,), (4,)]),
)  # fmt: skip
def test_tiles_come_from_all_over_the_picture(height, width, channels):
    for axis, length in enumerate((height, width)):
        values = (np.arange(length) * 256 // length).astype(np.uint8)
        values = values[:, None] if axis == 0 else values
        plane = np.broadcast_to(values, (height, width))
        image = np.dstack([plane] * channels[0]) if channels else plane
        tiles = pilot.tiles_of(image)
        side = len(tiles)
        assert tiles.shape == (side, side, *channels)
        assert LEAST_TILES <= side // TILE <= MOST_TILES
        first = (tiles if axis == 0 else tiles.swapaxes(0, 1)).reshape(side, -1)[::TILE, 0]
        assert (np.diff(first.astype(int)) >= 0).all()
        assert first[0] < 256 / LEAST_TILES
        assert tiles.max() > 256 - 256 / LEAST_TILES


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:2:2"])
@pytest.mark.parametrize("target", [0.98, 0.99])
def test_the_error_is_that_of_the_whole(large, subsampling, target):
    plan, reference = plan_of(large, subsampling)
    budget = 1 - target
    error = foreseen_error(plan, budget, Crew(1))
    assert error is not None
    scale = solve_scale(plan.model, budget * math.exp(-error))
    tables = plan.qtables(scale)
    levels = quantize_all(plan.geometry, plan.coefficients, tables, ROUNDING, Crew(1))
    loss = 1 - reference.score(reconstruct(plan.geometry, levels, tables, Crew(1)))
    assert abs(math.log(loss / budget)) < 0.1


@pytest.mark.parametrize("target", [0.95, 0.99])
def test_drawings_are_not_harmed(target, monkeypatch):
    """Tiles are no guide to them; what a pilot says is believed within bounds."""
    rng = np.random.default_rng(1)
    image = np.full((768, 768, 3), 255, np.uint8)
    for _ in range(60):
        y, x = rng.integers(0, 700, 2)
        height, width = rng.integers(10, 250, 2)
        image[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    ours = compress(image, ms_ssim=target, effort="fast")
    monkeypatch.setattr(rate, "foreseen_error", lambda *_: None)
    without = compress(image, ms_ssim=target, effort="fast")
    assert ours.met
    assert len(ours.data) < 1.1 * len(without.data)


def test_threads_change_nothing(large):
    plan, _ = plan_of(large, "4:2:0")
    with Crew(2) as crew:
        assert foreseen_error(plan, 0.01, crew) == foreseen_error(plan, 0.01, Crew(1))


@pytest.mark.parametrize("kind", ["noise", "flat", "gradient", "checkerboard"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_any_content_has_a_finite_error(kind, channels):
    image = picture(kind, (1024, 640, *channels), 1)
    plan, _ = plan_of(image, "4:2:0" if channels else "grey")
    for budget in (0.3, 0.01, 1e-5):
        error = foreseen_error(plan, budget, Crew(1))
        assert error is None or math.isfinite(error)


def test_what_is_too_small_has_none():
    for size in ((700, 700), (LEAST_SIDE - 1, 60000)):
        plan, _ = plan_of(np.zeros(size, np.uint8), "grey")
        assert foreseen_error(plan, 0.01, Crew(1)) is None


def test_a_budget_below_what_sampling_loses_has_none(large):
    plan, _ = plan_of(large, "4:2:0")
    assert plan.floor > 0
    assert foreseen_error(plan, plan.floor / 2, Crew(1)) is None


def test_it_leads_the_first_encode_to_the_target(large):
    """Without a model too, and for grey pictures and inks, of which the model knows nothing."""
    inks = np.dstack([large, large.min(2)])
    for image, color in ((large, None), (large[:, :, 1].copy(), None), (inks, "CMYK")):
        steps: list[Step] = []
        compress(
            image, color=color, ms_ssim=0.985, effort="fast", model=False,
            options=Options(progress=steps.append),
        )  # fmt: skip
        assert abs(steps[0].loss / 0.015 - 1) < 0.1
