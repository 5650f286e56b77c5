"""The commands ``recode`` and ``transform``: JPEGs written anew without loss."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import Run

import pyjpegml
from pyjpegml import cli, transforms
from pyjpegml.console import ExitCode


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {}),
        (["--scans", "sequential"], {"progressive": False}),
        (["--scans", "search"], {"progressive": "search"}),
        (["--restart-interval", "4"], {"restart_interval": 4}),
        (["--restart-interval", "0"], {"restart_interval": 0}),
        (["--metadata", "strip"], {"metadata": "strip"}),
    ],
)
def test_recode(
    run: Run, jpg: str, out: str, options: list[str], expected: dict[str, object]
) -> None:
    data = Path(jpg).read_bytes()
    code, said, complaints = run("recode", jpg, out, "--json", *options)
    made = Path(out).read_bytes()
    assert (code, complaints) == (ExitCode.DONE, "")
    assert json.loads(said) == {"bytes_before": len(data), "bytes": len(made)}
    assert made == pyjpegml.recode(data, **expected)
    assert Path(jpg).read_bytes() == data


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rotate270"], {"op": "rotate270"}),
        (["orient", "--scans", "progressive"], {"op": "orient", "progressive": True}),
        (["none", "--region", "16,32,40,40"], {"region": (16, 32, 40, 40)}),
        (
            ["flip-vertical", "--edges", "trim", "--grey"],
            {"op": "flip-vertical", "edges": "trim", "grey": True},
        ),
    ],
)
def test_transform(
    run: Run, jpg: str, out: str, arguments: list[str], expected: dict[str, object]
) -> None:
    op, *options = arguments
    code, said, complaints = run("transform", op, jpg, out, *options)
    assert (code, complaints) == (ExitCode.DONE, "")
    assert re.fullmatch(r"\d+ bytes became \d+, [+-]\d+\.\d %\n", said)
    assert Path(out).read_bytes() == pyjpegml.transform(Path(jpg).read_bytes(), **expected)


def test_turns_are_the_librarys() -> None:
    assert set(cli.TURNS) == {*transforms.TURNS, "orient"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["recode", "{jpg}", "{jpg}"], ExitCode.USAGE, "it is also read, and would be overwritten"),
        (["recode", "{png}", "{out}"], ExitCode.BAD_JPEG, "in.png: not a JPEG"),
        (["transform", "rotate90", "{jpg}", "{out}"], ExitCode.USAGE, "72 pixels is mirrored in"),
        (["transform", "spin", "{jpg}", "{out}"], ExitCode.USAGE, "invalid choice: 'spin'"),
        (
            ["transform", "none", "{jpg}", "{out}", "--region", "1,2,3"],
            ExitCode.USAGE,
            "a region is X,Y,WIDTH,HEIGHT in whole pixels, not '1,2,3'",
        ),
        (
            ["transform", "none", "{jpg}", "{out}", "--region", "1,2,3,4"],
            ExitCode.USAGE,
            "the smallest one around (1, 2, 3, 4) that does is (0, 0, 4, 6)",
        ),
    ],
)
def test_what_cannot_be_rewritten(
    run: Run, jpg: str, png: str, out: str, arguments: list[str], code: int, message: str
) -> None:
    """One line that says why, and nothing written."""
    given = [argument.format(jpg=jpg, png=png, out=out) for argument in arguments]
    before = Path(jpg).read_bytes()
    got, said, complaints = run(*given)
    assert (got, said) == (code, "")
    assert complaints.count("\n") == 1
    assert message in complaints
    assert not Path(out).exists()
    assert Path(jpg).read_bytes() == before
