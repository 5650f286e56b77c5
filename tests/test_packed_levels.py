"""Levels that are remembered are the same when they are wanted again."""

from __future__ import annotations

import numpy as np
import pytest

from pyjpegml.packed_levels import LEAST_BLOCKS, PARTS, Packed
from pyjpegml.threads import Crew


@pytest.mark.parametrize("blocks", [0, 1, 7, LEAST_BLOCKS + 1, PARTS * LEAST_BLOCKS + 5])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_levels_come_back(blocks, share):
    rng = np.random.default_rng(blocks)
    levels = rng.integers(-32768, 32768, 64 * blocks).astype(np.int16)
    levels[rng.random(levels.size) >= share] = 0
    with Crew(2) as crew:
        packed = Packed(levels, crew)
        np.testing.assert_array_equal(packed.levels(), levels)
        assert packed.same(Packed(levels.copy(), Crew(1)))
        for begin, end in ((0, blocks), (blocks // 3, blocks // 2), (blocks // 2, blocks)):
            part = packed.part(begin, end)
            np.testing.assert_array_equal(part, levels[64 * begin : 64 * end])
        if levels.any():
            other = levels.copy()
            other[np.flatnonzero(other)[-1]] = 0
            assert not packed.same(Packed(other, crew))
