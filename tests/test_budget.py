"""Limits of a search, the other metric, and progress."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from helpers import picture as made
from PIL import Image

from pyjpegml import Options, compress, ms_ssim
from pyjpegml.budget import Step


@pytest.fixture(scope="module")
def part() -> np.ndarray:
    return made("natural", (180, 200, 3), 3)


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("effort", ["fast", "normal", "best"])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 6])
def test_no_more_encodes_than_allowed(part, effort, most):
    result = compress(part, ms_ssim=0.98, effort=effort, options=Options(max_encodes=most))
    assert 1 <= result.encodes <= most
    score = ms_ssim(part, pillow(result.data))
    assert result.ms_ssim == pytest.approx(score, abs=1e-7)
    assert result.met == (score >= 0.98)
    assert score > 0.96


def test_ample_limits_change_nothing(part):
    free = compress(part, ms_ssim=0.97)
    limited = compress(part, ms_ssim=0.97, options=Options(max_encodes=500, time_budget_s=1e6))
    assert limited.data == free.data


def test_without_time_one_file_is_made(part):
    result = compress(part, ms_ssim=0.98, options=Options(time_budget_s=0))
    assert result.encodes == 1
    assert pillow(result.data).shape == part.shape


def test_max_bytes_holds_even_when_nothing_may_be_spent(part):
    free = compress(part, ms_ssim=0.98, effort="fast")
    most = len(free.data) // 2
    result = compress(part, ms_ssim=0.98, max_bytes=most, options=Options(max_encodes=2))
    assert len(result.data) <= most
    assert not result.met


def test_progress_tells_of_every_encode(part):
    steps: list[Step] = []
    result = compress(part, ms_ssim=0.97, options=Options(progress=steps.append))
    assert [step.encodes for step in steps] == list(range(1, result.encodes + 1))
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(steps))
    assert all(0 < step.loss < 1 and step.size > 0 and step.name for step in steps)


def test_progress_can_end_the_search(part):
    def stop(step: Step) -> None:
        raise KeyboardInterrupt(step.name)

    with pytest.raises(KeyboardInterrupt, match="after all rounds"):
        compress(part, ms_ssim=0.97, options=Options(progress=stop))


def test_luma_alone(part):
    """The score is that of luma; colour is not thrown away."""
    result = compress(part, ms_ssim=0.98, options=Options(metric="luma"))
    assert result.met
    decoded = pillow(result.data)
    score = ms_ssim(part, decoded, luma_only=True)
    assert result.ms_ssim == pytest.approx(score, abs=1e-7)
    assert 0.98 <= score < 0.982
    assert ms_ssim(part, decoded) > 0.9
    grey = np.ascontiguousarray(part[:, :, 1])
    luma, plain = (
        compress(grey, ms_ssim=0.97, options=Options(metric=metric)) for metric in ("luma", "rgb")
    )
    assert luma.data == plain.data


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"metric": "psnr"}, ValueError, "metric is 'rgb' or 'luma'"),
        ({"max_encodes": 0}, ValueError, "max_encodes is 1 or more"),
        ({"max_encodes": 2.0}, TypeError, "max_encodes is a number"),
        ({"time_budget_s": -1}, ValueError, "time_budget_s is 0 or more"),
        ({"time_budget_s": float("nan")}, ValueError, "time_budget_s is 0 or more"),
    ],
)
def test_what_is_no_option(given, error, message):
    with pytest.raises(error, match=message):
        Options(**given)
