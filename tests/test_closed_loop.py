"""The closed loop: it ends on its target, within its limits, and mixes MCU by MCU."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np
import pytest
from helpers import picture as made
from test_quantizer import analysed

from pyjpegml import Options, compress, quantizer, rate
from pyjpegml.budget import Account
from pyjpegml.closed_loop import ASTRAY, ESTIMATED, PRICE, ClosedLoop, Schedule, mix
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.metrics import Reference
from pyjpegml.packed_levels import Packed
from pyjpegml.scale_search import solve_scale
from pyjpegml.threads import Crew

SCHEDULE = Schedule((1.2, 1.5, 2.0), 4, 0.003)


def looped(image: np.ndarray, target: float, account: Account | None = None, scale: float = 0):
    """A loop over a picture, its first levels chosen; at the scale that the estimate finds."""
    problem = analysed(image, SUBSAMPLINGS["4:2:0"] if image.ndim == 3 else ((1, 1),))
    estimator = problem.estimator
    scale = scale or solve_scale(lambda x: estimator.loss(estimator.qtables(x)), 0.8 * (1 - target))
    quantizer = problem.quantizer(estimator.qtables(scale), True)
    price = PRICE * scale**2 / (image.shape[0] * image.shape[1])
    quantizer.keep(quantizer.trellis(price))
    trust = quantizer.half_losses(quantizer.levels).foreseen_trust() if quantizer.halves else 1.0
    account = Account(Options()) if account is None else account
    return ClosedLoop(quantizer, price, target, account, trust)


def true_score(loop: ClosedLoop, image: np.ndarray, levels: np.ndarray) -> float:
    return Reference(image).score(loop.quantizer.pixels(levels), exact=True)


def led(image: np.ndarray, target: float, schedule: Schedule) -> ClosedLoop:
    """A loop that has run, or a second one that knows what the first one has learned."""
    loop = looped(image, target)
    if loop.run(schedule) is not None:
        return loop
    assert loop.astray
    assert loop.steps[-1][1] > ASTRAY * loop.budget
    first, fresh = loop, looped(image, target)
    loop = ClosedLoop(fresh.quantizer, fresh.price, target, first.account, before=first)
    loop.history += first.history
    loop.run(schedule)
    assert not loop.astray
    return loop


def test_a_loop_that_trusts_too_much_goes_astray_and_tells_the_next_one():
    image = made("natural", (180, 200, 3), 2)
    loop = looped(image, 0.98)
    loop.trust = 0.5
    assert loop.run(SCHEDULE) is None
    assert loop.astray
    assert loop.known is not None
    assert loop.known.trust == loop.trust
    assert loop.trust > 0.6
    assert loop.account.encodes == 1
    fresh = looped(image, 0.98)
    again = ClosedLoop(fresh.quantizer, fresh.price, 0.98, loop.account, before=loop)
    assert again.known == loop.known
    trial = again.run(SCHEDULE)
    assert not again.astray
    assert trial.score == pytest.approx(true_score(again, image, trial.levels), abs=1e-6)
    assert trial.score >= 0.98


def test_a_score_is_what_is_estimated_from_then_on():
    """Of the levels that were scored; what others lose at the finest scale, they lose less of."""
    loop = looped(made("natural", (180, 200, 3), 2), 0.98)
    trial = loop.run(Schedule((1.2, 1.5), 1, 0.003))
    kept = trial or loop.nearest
    losses = loop.quantizer.half_losses(kept.levels)
    assert loop._estimated(losses) == pytest.approx(1 - kept.score, rel=1e-5)
    finer = losses._replace(fine=losses.fine / 2)
    coarser = losses._replace(fine=losses.fine * 2)
    assert loop._estimated(finer) > finer.total(loop.trust)
    assert loop._estimated(coarser) < coarser.total(loop.trust)


def test_levels_that_cannot_win_are_not_scored():
    image = made("natural", (180, 200, 3), 2)
    loop = looped(image, 0.98)
    hopeless = ClosedLoop(loop.quantizer, loop.price, 0.98, loop.account, loop.trust, least=1000.0)
    assert hopeless.run(SCHEDULE) is None
    assert hopeless.hopeless
    assert hopeless.account.encodes == 0


@pytest.mark.parametrize("target", [0.95, 0.98, 0.99])
def test_it_ends_on_its_target(target):
    image = made("natural", (180, 200, 3), 2)
    loop = led(image, target, SCHEDULE)
    trial = loop.best
    assert trial.score == pytest.approx(true_score(loop, image, trial.levels), abs=1e-6)
    assert 0 <= trial.score - target <= 0.01 * (1 - target)
    assert trial.size == pytest.approx(loop.quantizer.count(trial.levels).size)
    scored = [name for name, _, _ in loop.steps if ESTIMATED not in name]
    assert len(scored) == loop.account.encodes == len(loop.history)
    assert len(loop.steps) >= len(scored) + len(SCHEDULE.damping)


def test_rounds_save_bytes():
    """Against prices and mixtures alone."""
    image = made("natural", (180, 200, 3), 2)
    with_rounds = led(image, 0.98, SCHEDULE).best
    without = led(image, 0.98, Schedule((), 8, 0.003)).best
    assert with_rounds.size < 0.97 * without.size


def test_noise_is_compressed_with_care():
    """Its coherence asks for more damping than the schedule has."""
    noise = np.random.default_rng(1).integers(0, 256, (165, 160, 3), np.uint8)
    result = compress(noise, ms_ssim=0.99)
    assert result.met
    assert len(result.data) < 0.95 * len(compress(noise, ms_ssim=0.99, effort="fast").data)


@pytest.mark.parametrize("kind", ["natural", "drawing"])
def test_prices_that_are_tried_on_a_sample(kind, monkeypatch):
    """Levels and what they are forecast to change belong together, and the target is met."""
    monkeypatch.setattr(quantizer, "SAMPLED_PIXELS", 1)
    image = made("natural", (704, 96, 3), 5)
    if kind == "drawing":
        image = np.full((704, 96, 3), 200, np.uint8)
        for k in range(12):
            image[50 * k : 50 * k + 60, 7 * k : 7 * k + 30] = 20 * k
    chosen = []
    usual = ClosedLoop._choose

    def choose(loop, *arguments, **options):
        levels = usual(loop, *arguments, **options)
        assert loop.quantizer.sampling
        assert math.isfinite(loop.price)
        np.testing.assert_allclose(loop.quantizer.change(levels), loop._change, rtol=1e-6)
        chosen.append(levels.copy())
        return levels

    monkeypatch.setattr(ClosedLoop, "_choose", choose)
    one = compress(image, ms_ssim=0.97, model=False)
    assert one.met
    assert chosen
    first = chosen[:]
    chosen.clear()
    with Crew(3) as crew:
        monkeypatch.setattr(rate, "Crew", lambda _: nullcontext(crew))
        assert compress(image, ms_ssim=0.97, model=False).data == one.data
    assert all(np.array_equal(a, b) for a, b in zip(first, chosen, strict=True))


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_limits_are_kept(most):
    account = Account(Options(max_encodes=most))
    loop = looped(made("natural", (100, 120, 3), 3), 0.98, account)
    loop.run(SCHEDULE)
    assert 1 <= account.encodes <= most
    assert (loop.best or loop.nearest) is not None


def test_a_target_out_of_reach_gives_none_but_the_nearest():
    image = made("natural", (100, 120, 3), 3)
    loop = looped(image, 0.99999, scale=3.0)
    assert loop.run(SCHEDULE) is None
    assert 0.5 < loop.nearest.score < 0.99999


def test_equal_levels_are_not_measured_twice():
    """A flat picture has the same levels at any price."""
    loop = looped(np.full((64, 64), 77, np.uint8), 0.5, scale=0.1)
    loop.run(Schedule((), 8, 0.003))
    assert loop.account.encodes == 1


@pytest.mark.parametrize(
    "sampling", [((2, 2), (1, 1), (1, 1)), ((1, 1),), ((2, 1), (1, 1), (1, 1))]
)
def test_mixtures(sampling):
    """Whole MCUs, as many as the share says; those of a larger share are some more."""
    geometry = Geometry(133, 77, sampling)
    first, second = np.zeros(geometry.size, np.int16), np.ones(geometry.size, np.int16)

    def mixture(share: float) -> np.ndarray:
        levels = first.copy()
        mix(geometry, levels, Packed(second, Crew(1)), share)
        return levels

    np.testing.assert_array_equal(mixture(0.0), first)
    np.testing.assert_array_equal(mixture(1.0), second)
    before = first
    for share in (0.1, 0.3, 0.5, 0.9):
        mixed = mixture(share)
        assert mixed.mean() == pytest.approx(share, abs=2 / geometry.mcus)
        assert (mixed >= before).all()
        before = mixed
        chosen = []
        for i, plane in enumerate(geometry.planes):
            blocks = geometry.view(mixed, i)
            mcus = blocks.reshape(geometry.mcus_down, plane.v, geometry.mcus_across, plane.h, 64)
            assert (mcus == mcus[:, :1, :, :1, :1]).all()
            chosen.append(mcus[:, 0, :, 0, 0])
            np.testing.assert_array_equal(chosen[-1], chosen[0])
