"""The commands ``encode`` and ``decode``: every option, and those that do not go together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from commands import GREY, RGB, Run

import pyjpegml
from pyjpegml import argument_types
from pyjpegml.console import ExitCode
from pyjpegml.scripts import Scan


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ([], {}),
        (["--quality", "33"], {"quality": 33}),
        (["--subsampling", "4:4:0"], {"subsampling": "4:4:0"}),
        (["--no-optimize"], {"optimize": False}),
        (["--restart-interval", "3"], {"restart_interval": 3}),
    ],
    ids=["plain", "quality", "subsampling", "no optimize", "restart interval"],
)
def test_encode(
    run: Run, png: str, out: str, options: list[str], arguments: dict[str, Any]
) -> None:
    code, printed, complaint = run("encode", png, out, *options)
    assert (code, complaint) == (ExitCode.DONE, "")
    data = pyjpegml.encode(RGB, **arguments)
    assert Path(out).read_bytes() == data
    assert printed == f"{len(data)} bytes, {8 * len(data) / GREY.size:.4f} bits per pixel\n"


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--quality", "90,60"], {"quality": (90, 60)}),
        (["--subsampling", "4:1:1"], {"subsampling": "4:1:1"}),
        (["--subsampling", "3x1,1x1,1x1"], {"subsampling": "3x1,1x1,1x1"}),
        (["--stored-as", "RGB"], {"stored_as": "RGB"}),
        (["--stored-as", "grey"], {"stored_as": "grey"}),
        (["--scans", "progressive"], {"progressive": True}),
        (["--scans", "search"], {"progressive": "search"}),
        (["--scans", "separate", "--restart-rows", "1"], {"optimize": "scans", "restart_rows": 1}),
        (
            ["--scans", "progressive", "--restart-rows", "1"],
            {"progressive": True, "restart_rows": 1},
        ),
        (["--lossless"], {"lossless": True}),
        (
            ["--lossless", "--predictor", "5", "--point-transform", "2", "--restart-rows", "3"],
            {"lossless": True, "predictor": 5, "point_transform": 2, "restart_rows": 3},
        ),
    ],
)
def test_encode_in_other_modes(
    run: Run, png: str, out: str, options: list[str], arguments: dict[str, Any]
) -> None:
    assert run("encode", png, out, *options)[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(RGB, **arguments)


def test_encode_with_scans_from_a_file(run: Run, png: str, out: str, tmp_path: Path) -> None:
    path = tmp_path / "scans.txt"
    path.write_text(
        "0 1 2: 0-0, 0, 0;  # DC\n0: 1-63, 0, 1; 1: 1-63, 0, 0; 2: 1-63, 0, 0; 0: 1-63, 1, 0"
    )
    assert run("encode", png, out, "--script", str(path))[0] == ExitCode.DONE
    script = [
        Scan((0, 1, 2), 0, 0, 0, 0), Scan((0,), 1, 63, 0, 1), Scan((1,), 1, 63, 0, 0),
        Scan((2,), 1, 63, 0, 0), Scan((0,), 1, 63, 1, 0),
    ]  # fmt: skip
    assert Path(out).read_bytes() == pyjpegml.encode(RGB, progressive=script)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,1,2;", "scans.txt: this is no scan script: scan 0 is '0,1,2'"),
        ("\xff", "scans.txt: this is no scan script: "),
        ("0,1,2: 0-0, 0, 0;", "the script sends nothing of coefficient 1 of component 0"),
    ],
)
def test_scans_of_a_file_that_are_none(
    fails: Callable[..., str], png: str, out: str, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "scans.txt"
    path.write_bytes(text.encode("latin-1"))
    assert words in fails(ExitCode.USAGE, "encode", png, out, "--script", str(path))
    assert not Path(out).exists()


def test_encode_with_the_tables_of_a_jpeg(run: Run, png: str, out: str, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(pyjpegml.encode(RGB, quality=(60, 40)))
    assert run("encode", png, out, "--qtables", str(other))[0] == ExitCode.DONE
    assert Path(out).read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--predictor", "3"], "predictor and point_transform belong to lossless=True"),
        (["--lossless", "--scans", "progressive"], "exclude each other"),
        (["--lossless", "--subsampling", "4:2:0"], "subsampling of RGB is 4:4:4"),
        (["--lossless", "--restart-interval", "1"], "pass restart_rows"),
        (["--subsampling", "3x1,2x1,1x1"], "2/3 of the columns"),
        (["--stored-as", "RGB", "--quality", "90,80"], "1 or 3 of them for RGB"),
        (["--scans", "separate", "--no-optimize"], "--scans separate and --no-optimize exclude"),
        (["--scans", "search", "--script", "x"], "not allowed with argument --scans"),
    ],
)
def test_encode_options_that_do_not_go_together(
    fails: Callable[..., str], png: str, out: str, options: list[str], words: str
) -> None:
    message = fails(ExitCode.USAGE, "encode", png, out, *options)
    assert words in message
    assert not Path(out).exists()


def test_encode_offers_what_the_encoder_knows() -> None:
    from pyjpegml.header import SUBSAMPLINGS

    assert tuple(SUBSAMPLINGS) == argument_types.SUBSAMPLINGS


@pytest.mark.parametrize("kind", ["npy", "json"])
@pytest.mark.parametrize("count", [None, 1, 2, 3])
def test_encode_with_tables_from_a_file(
    run: Run, png: str, out: str, tmp_path: Path, kind: str, count: int | None
) -> None:
    shape = (8, 8) if count is None else (count, 8, 8)
    tables = np.random.default_rng(3).integers(1, 60, shape)
    path = tmp_path / f"tables.{kind}"
    if kind == "npy":
        np.save(path, tables)
    else:
        path.write_text(json.dumps(tables.tolist()))
    assert run("encode", png, out, "--qtables", str(path))[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(RGB, qtables=tables)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "7", "[[1, 2], [3]]", json.dumps([[1.5] * 8] * 8), json.dumps([[0] * 8] * 8),
        json.dumps([[[1] * 8] * 8] * 4), "\x93NUMPY", "[" * 50,
    ],
)  # fmt: skip
def test_a_file_that_holds_no_tables(
    fails: Callable[..., str], png: str, out: str, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "tables"
    path.write_bytes(text.encode("latin-1"))
    message = fails(ExitCode.USAGE, "encode", png, out, "--qtables", str(path))
    assert message.startswith(f"{path}: these are no quantization tables: ")
    assert not Path(out).exists()


def test_decode(run: Run, jpg: str, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert run("decode", jpg, str(target)) == (ExitCode.DONE, "", "")
    assert np.array_equal(iio.imread(target), pyjpegml.decode(Path(jpg).read_bytes()))


def test_decode_in_a_format_by_name(run: Run, jpg: str, tmp_path: Path) -> None:
    target = tmp_path / "out.data"
    assert run("decode", jpg, str(target), "--format", "bmp")[0] == ExitCode.DONE
    assert target.read_bytes().startswith(b"BM")


def test_decode_keeps_grey_grey(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(pyjpegml.encode(GREY))
    assert run("decode", str(tmp_path / "in.jpg"), str(tmp_path / "out.png"))[0] == ExitCode.DONE
    assert iio.imread(tmp_path / "out.png").shape == GREY.shape


def test_decode_refuses_outputs_it_cannot_write(
    fails: Callable[..., str], jpg: str, tmp_path: Path
) -> None:
    names = {name: str(tmp_path / name) for name in ("out", "out.jpg", "out.JPEG", "out.xyz")}
    assert "--format png" in fails(ExitCode.USAGE, "decode", jpg, names["out"])
    assert "--format png" in fails(ExitCode.USAGE, "decode", jpg, "-")
    assert "encode and compress" in fails(ExitCode.USAGE, "decode", jpg, names["out.jpg"])
    assert "encode and compress" in fails(ExitCode.USAGE, "decode", jpg, names["out.JPEG"])
    assert "no .xyz files" in fails(ExitCode.FILE_FAILED, "decode", jpg, names["out.xyz"])
    assert os.listdir(tmp_path) == ["in.jpg"]
