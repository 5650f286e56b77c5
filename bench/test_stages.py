"""The stages under pytest-benchmark: ``pytest bench/test_stages.py``.

Not part of the tests: nothing here can fail for being slow.
"""

from __future__ import annotations

import numpy as np
import pytest
from pictures import photograph, square
from stages import Stage, both

import pyjpegml

QUALITY, SIDE = 75, 1008
PICTURE = square(photograph(), SIDE)
ENCODING, DECODING, DATA = both(PICTURE, QUALITY)


def test_stages_make_what_the_codec_makes():
    """So what is timed here is the codec's work."""
    assert DATA.endswith(ENCODING.coded() + b"\xff\xd9")
    np.testing.assert_array_equal(DECODING.pixels, pyjpegml.decode(DATA))


@pytest.mark.parametrize(
    "stage", [*ENCODING.stages, *DECODING.stages], ids=lambda stage: stage.name
)
def test_stage(benchmark, stage: Stage):
    """Time of one stage; its result is the same every time."""
    stage.prepare()
    stage.output.fill(0)
    stage.run()
    first = stage.output.copy()
    benchmark.extra_info["pixels"] = SIDE * SIDE
    benchmark.pedantic(stage.run, setup=stage.prepare, rounds=50, warmup_rounds=2)
    assert first.any()
    np.testing.assert_array_equal(stage.output, first)
