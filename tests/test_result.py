"""What compress returns: which of two is better, and what it says of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pyjpegml.result import Plan, Result, better


def result(size: int = 100, score: float = 0.991, met: bool = True, **others: object) -> Result:
    table = np.arange(10, 74, dtype=np.uint16).reshape(8, 8)
    return Result(bytes(size), score, met, 3, (table,), "grey", 0.99, 20, 10, **others)


def test_one_that_passes_is_better_then_the_smaller():
    assert better(result(200), result(100, 0.98, met=False))
    assert not better(result(100, 0.98, met=False), result(200))
    assert better(result(99, 0.990), result(100, 0.999))
    assert not better(result(100, 0.999), result(100, 0.999))


def test_of_those_that_miss_the_nearer_is_better():
    assert better(result(200, 0.985, met=False), result(100, 0.98, met=False))
    assert not better(result(100, 0.98, met=False), result(200, 0.985, met=False))


def test_bits_a_pixel():
    assert result(100).bits_per_pixel == 4.0


def test_what_it_says():
    assert repr(result()) == (
        "<20x10 JPEG, 100 bytes (4.000 bits per pixel), MS-SSIM 0.991000 >= 0.99, grey, 3 encodes>"
    )
    one = dataclasses.replace(result(met=False, score=0.5), encodes=1)
    assert repr(one).endswith("MS-SSIM 0.500000 < target 0.99, grey, 1 encode>")


def test_what_it_explains():
    steps = (("trellis", 0.02, 150.0), ("after a round", 0.01, 120.0))
    lines = result(steps=steps, notes=("kept: a thing",)).explain().splitlines()
    assert lines[0] == "grey, luma steps 10 (DC), 11 to 73 (AC)"
    assert [line.split() for line in lines[1:4]] == [
        ["trellis", "MS-SSIM", "0.98000", "150", "bytes"],
        ["after", "a", "round", "MS-SSIM", "0.99000", "120", "bytes", "-20.00%"],
        ["file", "MS-SSIM", "0.99100", "100", "bytes", "-16.67%"],
    ]
    assert lines[4:] == ["target 0.99 met, 3 encodes", "kept: a thing"]
    assert "NOT MET" in result(met=False).explain()
    assert dataclasses.replace(result(), qtables=()).explain().startswith("grey\n")


def test_it_explains_which_plans_there_were():
    plans = (
        Plan("4:2:0", 0.001, 1200.4, 1000), Plan("4:4:4", 0.0, 1300.0, None),
        Plan("4:2:2", 0.02, None, None),
    )  # fmt: skip
    assert dataclasses.replace(result(), plans=plans).explain().splitlines()[1:4] == [
        "  4:2:0  estimated at 1200 bytes, tried: 1000 bytes",
        "  4:4:4  estimated at 1300 bytes, not tried",
        "  4:2:2  out of the question: colour alone loses 0.02000",
    ]


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        result().met = False
