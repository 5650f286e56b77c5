"""The closed loop for one subsampling: its file meets the target, or there is none."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture as made

from pyjpegml import decode, ms_ssim
from pyjpegml.attempts import attempt, counted
from pyjpegml.budget import Account, Options
from pyjpegml.markers import jfif_bytes
from pyjpegml.metrics import Reference
from pyjpegml.rate import NORMAL, THOROUGH
from pyjpegml.scale_search import Candidate, Writing, add_sampling_loss, candidate

IMAGE = made("natural", (208, 240, 3), 5)
TARGET = 0.98


def begun(image: np.ndarray = IMAGE) -> tuple[Candidate, Reference]:
    reference = Reference(image)
    plan = candidate(image, reference, "4:2:0" if image.ndim == 3 else "grey")
    add_sampling_loss(plan, image, reference)
    return plan, reference


@pytest.mark.parametrize("schedule", [NORMAL, THOROUGH])
@pytest.mark.parametrize("progressive", [True, False])
def test_the_file_meets_the_target(schedule, progressive):
    plan, reference = begun()
    account = Account(Options())
    writing = Writing(progressive, jfif_bytes())
    found = attempt(plan, reference, TARGET, schedule, writing, account)
    assert found is not None
    assert found.met
    assert found.ms_ssim == pytest.approx(ms_ssim(IMAGE, decode(found.data)), abs=1e-6)
    assert found.ms_ssim >= TARGET
    assert 0 < found.encodes == account.encodes
    # counted sizes leave out the headers
    assert 0.8 * len(found.data) < counted(found, TARGET) < len(found.data)


def test_what_is_foreseen_spares_a_score_where_half_size_is_not_to_be_had():
    image = made("natural", (150, 240, 3), 5)
    names: list[str] = []
    for expected in (None, -0.1):
        plan, reference = begun(image)
        names.clear()
        account = Account(Options(progress=lambda step: names.append(step.name)))
        writing = Writing(True, jfif_bytes())
        found = attempt(plan, reference, TARGET, NORMAL, writing, account, expected)
        assert found is not None
        assert found.met
        assert len(names) == account.encodes
        assert ("first levels" in names) == (expected is None)


def test_a_score_tells_what_to_trust_from_then_on():
    plan, reference = begun()
    assert plan.known is None
    attempt(plan, reference, TARGET, NORMAL, Writing(True, jfif_bytes()), Account(Options()))
    assert plan.known is not None
    assert 0.3 <= plan.known.trust <= 3


def test_an_attempt_that_cannot_win_scores_nothing():
    plan, reference = begun()
    account = Account(Options())
    writing = Writing(True, jfif_bytes())
    assert attempt(plan, reference, TARGET, NORMAL, writing, account, least=1000.0) is None
    assert account.encodes == 0


def test_nothing_is_attempted_without_a_budget():
    plan, reference = begun()
    account = Account(Options())
    writing = Writing(True, jfif_bytes())
    assert attempt(plan, reference, 1.0, NORMAL, writing, account) is None
    assert account.encodes == 0


def test_one_score_that_may_be_spent_gives_a_file():
    plan, reference = begun()
    account = Account(Options(max_encodes=1))
    found = attempt(plan, reference, TARGET, NORMAL, Writing(True, jfif_bytes()), account)
    assert found is not None
    assert account.encodes == 1
    assert decode(found.data).shape == IMAGE.shape
