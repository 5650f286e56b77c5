"""What is trusted of the finest scale: bounds, and how it falls where levels get coarser."""

from __future__ import annotations

import pytest

from pyjpegml.half_losses import FORESEEN, LEAST_TRUST, MOST_TRUST, HalfLosses, Known


def test_what_is_trusted_has_bounds():
    losses = HalfLosses(0.01, 0.002, 30.0)
    assert losses.foreseen_trust() == MOST_TRUST
    assert losses._replace(excess=1.2).foreseen_trust() == pytest.approx(1.2 * FORESEEN)
    assert losses._replace(excess=0.0).foreseen_trust() == LEAST_TRUST
    assert losses.trust(0.9) == MOST_TRUST
    assert losses.trust(0.0) == LEAST_TRUST
    assert HalfLosses(0.0, 0.0, 0.0).trust(0.0) == LEAST_TRUST


def test_coarser_levels_are_trusted_less():
    near, coarser = HalfLosses(0.006, 0.004, 1.0), HalfLosses(0.006, 0.006, 1.0)
    known = Known(1.1, near)
    assert known.total(near) == pytest.approx(near.total(1.1))
    assert near.total(1.1) < known.total(coarser) < coarser.total(1.1)
    assert Known(1.1, coarser).total(near) > near.total(1.1)
    nothing = HalfLosses(0.0, 0.0, 0.0)
    assert Known(1.1, nothing).total(nothing) == pytest.approx(0, abs=1e-9)
