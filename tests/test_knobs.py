"""Knobs: directions from the closed form, and tables that stay legal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml.knobs import FIRST_SHAPE, FURTHEST, KNOBS, PATTERNS, knob_shapes
from pyjpegml.steps import shaped
from pyjpegml.tables import closed_form_qtables

WEIGHTS = [np.geomspace(0.1, 1e-4, 64), np.geomspace(0.02, 1e-5, 64), np.geomspace(0.02, 1e-5, 64)]


def test_patterns():
    assert PATTERNS.shape == (len(KNOBS) - FIRST_SHAPE, 3, 64)
    tables = PATTERNS.reshape(-1, 8, 8)
    np.testing.assert_array_equal(tables, tables.transpose(0, 2, 1))
    for name, pattern in zip(KNOBS[FIRST_SHAPE:], PATTERNS, strict=True):
        moved = np.flatnonzero(pattern[:, :].any(1)).tolist()
        assert moved == ([1, 2] if name.startswith("chroma") else [0]), name
        assert (pattern[:, 0] != 0).any() == name.endswith("dc"), name
    for name in ("tilt", "diagonal"):
        assert abs(PATTERNS[KNOBS.index(name) - FIRST_SHAPE].sum()) < 1e-12


def test_knobs_at_zero_change_nothing():
    for shape in knob_shapes(np.zeros(7)):
        np.testing.assert_array_equal(shape, np.zeros(64))


@pytest.mark.parametrize("name", KNOBS[FIRST_SHAPE:])
def test_a_knob_adds_its_pattern_to_ln_q(name):
    knobs = np.zeros(7)
    knobs[KNOBS.index(name)] = 0.3
    weights = shaped(WEIGHTS, knob_shapes(knobs))
    for i in range(3):
        change = np.log(1 / np.sqrt(weights[i])) - np.log(1 / np.sqrt(WEIGHTS[i]))
        np.testing.assert_allclose(
            change, 0.3 * PATTERNS[KNOBS.index(name) - FIRST_SHAPE, i], atol=1e-12
        )


@given(st.lists(st.floats(-1e300, 1e300), min_size=7, max_size=7), st.floats(1e-6, 1e6))
def test_tables_are_legal_whatever_is_asked_for(knobs, scale):
    for table, plain in zip(
        closed_form_qtables(shaped(WEIGHTS, knob_shapes(knobs)), scale),
        closed_form_qtables(WEIGHTS, scale),
        strict=True,
    ):
        assert table.dtype == np.uint16
        assert table.min() >= 1
        assert table.max() <= 255
        inside = (plain > 1) & (plain < 255) & (table > 1) & (table < 255)
        most = 4 * FURTHEST  # patterns are at most about one, and four knobs meet at none
        ratio = np.log((table[inside] + 1.0) / (plain[inside] + 1.0))
        assert abs(ratio).max(initial=0) <= most


def test_a_fourth_component_is_as_luma():
    shapes = knob_shapes([0, 0, 0.1, 0.2, 0.3, 0.1, 0.1], 4)
    np.testing.assert_array_equal(shapes[3], shapes[0])
    assert (shapes[1] != shapes[0]).any()
