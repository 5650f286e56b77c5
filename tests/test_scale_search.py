"""The search for a scale where coefficients are rounded."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml import Options, decode, read_header
from pyjpegml.budget import Account
from pyjpegml.half_losses import HalfLosses, Known
from pyjpegml.markers import jfif_bytes
from pyjpegml.metrics import Reference
from pyjpegml.result import Result
from pyjpegml.scale_search import (
    COARSEST,
    FINEST,
    HASTY_TOLERANCE,
    MAX_ENCODES,
    TOLERANCE,
    Search,
    Writing,
    add_sampling_loss,
    candidate,
    careful_score,
    solve_scale,
)

WRITING = Writing(False, jfif_bytes())


def searched(
    image: np.ndarray,
    target: float,
    subsampling: str = "4:2:0",
    most: int | None = None,
    hasty: bool = False,
) -> tuple[Search, Result]:
    reference = Reference(image)
    plan = candidate(image, reference, subsampling)
    add_sampling_loss(plan, image, reference)
    search = Search(plan, reference, target, Account(Options(max_encodes=most)), WRITING, hasty)
    return search, search.run()


@pytest.mark.parametrize("power", [0.7, 1.0, 2.0, 3.5])
def test_solves_for_a_scale(power):
    assert solve_scale(lambda x: 0.02 * x**power, 0.01) == pytest.approx(
        0.5 ** (1 / power), rel=0.01
    )


def test_solving_ends_at_the_border_where_there_is_no_solution():
    assert solve_scale(lambda x: 1e-9, 0.01) == pytest.approx(COARSEST, rel=0.01)
    assert solve_scale(lambda x: 1.0, 0.01) == pytest.approx(FINEST, rel=0.01)
    assert solve_scale(lambda x: 1.0, 0.0) == FINEST


def test_solving_a_staircase_stays_below_the_aim():
    staircase = lambda x: 0.004 if x < 0.7 else 0.03  # noqa: E731
    assert solve_scale(staircase, 0.01) == pytest.approx(0.7, rel=0.01)
    assert solve_scale(staircase, 0.01) < 0.7


@pytest.mark.parametrize("target", [0.9, 0.98, 0.995])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_few_encodes_near_the_target(target, subsampling):
    image = made("natural", (180, 200, 3), 2)
    search, best = searched(image, target, subsampling)
    assert best.met
    assert best.ms_ssim == pytest.approx(Reference(image).score(decode(best.data)), abs=1e-9)
    assert best.ms_ssim - target <= max(1.5e-4, 2 * TOLERANCE * (1 - target))
    assert search.account.encodes <= 2 * MAX_ENCODES
    assert read_header(best.data).subsampling == subsampling == best.subsampling


@pytest.mark.parametrize("target", [0.9, 0.98, 0.995])
def test_in_haste_the_first_that_passes_will_do(target):
    hasty, calm = 0, 0
    for seed in range(4):
        image = made("natural", (180, 200, 3), seed)
        search, found = searched(image, target, hasty=True)
        thorough, smallest = searched(image, target)
        assert found.met
        assert search.account.encodes <= thorough.account.encodes
        assert len(found.data) <= len(smallest.data) * (1 + HASTY_TOLERANCE)
        assert 1 - found.ms_ssim >= (1 - HASTY_TOLERANCE - 2 * TOLERANCE) * (1 - target)
        hasty += search.account.encodes
        calm += thorough.account.encodes
    assert hasty < calm


def test_the_file_is_that_of_the_best_tables():
    search, found = searched(made("natural", (90, 70, 3), 5), 0.98)
    for ours, theirs in zip(found.qtables, search.best.qtables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_equal_tables_are_tried_once():
    """At the finest scales all steps are 1."""
    image = made("natural", (40, 50, 3), 5)
    search, found = searched(image, 1.0)
    before = search.account.encodes
    search.judge(FINEST)
    search.judge(FINEST / 2)
    assert search.account.encodes == before
    assert (found.qtables[0] == 1).all()


def test_held_steps_of_dc_stay():
    image = made("natural", (64, 64, 3), 5)
    plan = candidate(image, Reference(image), "4:4:4")
    held = plan.qtables(0.3)
    plan.trials.append((0.3, 0.01))
    plan.hold_dc(held)
    assert plan.trials == []
    for table, other in zip(plan.qtables(0.6), held, strict=True):
        assert table[0, 0] == other[0, 0]
        assert (table.ravel()[1:] >= other.ravel()[1:]).all()


def test_a_trial_corrects_the_estimate():
    image = made("natural", (180, 200, 3), 2)
    plan = candidate(image, Reference(image), "4:4:4")
    scale = plan.scale_for(0.02)
    assert plan.model(scale) == pytest.approx(0.02, rel=0.01)
    plan.trials.append((scale, 0.03))  # it loses half as much again
    finer = plan.scale_for(0.02)
    assert finer < scale
    assert plan.model(finer) == pytest.approx(0.02 / 1.5, rel=0.02)


def test_one_file_is_always_made():
    search, found = searched(made("natural", (40, 50, 3), 5), 0.98, most=1)
    assert search.account.encodes == 1
    assert decode(found.data).shape == (40, 50, 3)


def test_colours_at_half_size_lose_something():
    image = made("natural", (60, 70, 3), 5)
    reference = Reference(image)
    floors = {}
    for name in ("4:2:0", "4:4:4"):
        plan = candidate(image, reference, name)
        add_sampling_loss(plan, image, reference)
        floors[name] = plan.floor
    assert 0 < floors["4:4:4"] < floors["4:2:0"]
    grey = np.ascontiguousarray(image[..., 0])
    assert candidate(grey, Reference(grey), "grey").floor == 0


def test_what_stands_behind_a_picture_is_put_into_its_file():
    image = made("natural", (40, 50, 3), 5)
    reference = Reference(image)
    writing = Writing(False, jfif_bytes(), lambda data: data + b"behind")
    search = Search(
        candidate(image, reference, "4:4:4"), reference, 0.95, Account(Options()), writing
    )
    assert search.run().data.endswith(b"\xff\xd9behind")


def begun(image: np.ndarray) -> Search:
    reference = Reference(image)
    plan = candidate(image, reference, "4:2:0")
    add_sampling_loss(plan, image, reference)
    return Search(plan, reference, 0.98, Account(Options()), WRITING)


def test_a_search_that_cannot_win_ends_after_one_score_or_a_look_at_half_size():
    image = made("natural", (200, 220, 3), 5)
    usual = begun(image).run()
    search = begun(image)
    assert not search.promises(len(usual.data) // 2)
    assert search.account.encodes == 1
    loss = search.best.loss

    search = begun(image)
    search.plan.known = Known(1.0, HalfLosses(0.01, 0.005, 1.0))
    assert not search.promises(len(usual.data) // 2)
    assert search.account.encodes == 0
    seen = search._loss_at_half_size(search._first)
    assert seen == pytest.approx(loss, rel=0.2)


def test_a_search_that_may_win_goes_on_as_any_other():
    image = made("natural", (200, 220, 3), 5)
    usual, search = begun(image).run(), begun(image)
    search.plan.known = Known(1.0, HalfLosses(0.01, 0.005, 1.0))
    assert search.promises(2 * len(usual.data))
    assert search.account.encodes == 1
    found = search.run()
    assert (found.data, found.encodes) == (usual.data, usual.encodes)


def test_scores_beside_the_target_are_exact():
    image = made("natural", (300, 300, 3), 5)
    other = image ^ 3
    reference = Reference(image)
    quick, exact = reference.score(other), reference.score(other, exact=True)
    assert careful_score(reference, other, quick) == exact
    assert careful_score(reference, other, quick - 0.01) == quick
