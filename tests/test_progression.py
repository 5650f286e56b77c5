"""The order of progressive scans."""

from __future__ import annotations

import pytest
from oracles_progressive import Band

from pyjpegml import JpegFormatError
from pyjpegml.progression import Progression


@pytest.mark.parametrize(
    ("components", "band", "reason"),
    [
        ([0], (0, 5, 0, 0), "DC, 0 to 0, or AC, from 1 on"),
        ([0], (5, 4, 0, 0), "from 1 to 63"),
        ([0], (1, 64, 0, 0), "from 1 to 63"),
        ([0], (64, 255, 0, 0), "from 1 to 63"),
        ([0, 1], (1, 5, 0, 0), "one component, not 2"),
        ([0, 1], (0, 0, 2, 0), "from 1 to 0"),
        ([0], (1, 5, 1, 1), "from 2 to 1"),
        ([0], (1, 5, 1, 2), "from 3 to 2"),
        ([0], (0, 0, 0, 14), "13 at most"),
        ([0], (1, 63, 15, 14), "13 at most"),
    ],
)
def test_parameters_that_no_scan_has(components: list[int], band: Band, reason: str) -> None:
    progression = Progression(3)
    with pytest.raises(JpegFormatError, match=reason):
        progression.begin(components, *band)
    assert progression.scans == 0
    assert (progression.coef_bits == -1).all()


def test_scans_that_do_not_follow() -> None:
    """As for libjpeg-turbo: warnings, and the state is what the last scan says."""
    progression = Progression(2)
    assert progression.begin([0, 1], 0, 0, 0, 1) == []
    assert progression.begin([0], 1, 5, 0, 2) == []
    assert progression.begin([0], 1, 63, 2, 1) != []  # 6 to 63 never came
    assert progression.begin([0], 1, 63, 1, 0) == []
    assert progression.begin([0], 1, 63, 1, 0) != []  # again
    assert progression.begin([1], 0, 0, 0, 0) != []  # a first scan again
    assert progression.begin([0, 1], 0, 0, 1, 0) != []  # right for one of both
    assert "before its DC" in Progression(1).begin([0], 1, 63, 0, 0)[0]
    assert (progression.coef_bits[0] == 0).all()
    assert (progression.coef_bits[1, 1:] == -1).all()


def test_what_was_known_before() -> None:
    progression = Progression(2)
    progression.begin([0, 1], 0, 0, 0, 1)
    assert (progression.known(0, sound=False) == -1).all()
    progression.begin([0], 1, 5, 0, 2)
    progression.begin([0], 1, 63, 2, 1)
    assert progression.known(0, sound=True)[:10].tolist() == [1] + [1] * 9
    assert progression.known(0, sound=False)[1:10].tolist() == [2] * 5 + [-1] * 4
    progression.begin([1], 1, 63, 0, 0)
    # of a component that is not in the last scan: before its own last one, as libjpeg-turbo has it
    assert progression.known(0, sound=False)[1:10].tolist() == [2] * 5 + [-1] * 4
