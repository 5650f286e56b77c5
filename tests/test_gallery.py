"""The gallery: the form of its chapters, the decoder of chapter 7, the page of short examples."""

from __future__ import annotations

import ast
import csv
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import REPOSITORY, picture

import pyjpegml

pytest.importorskip("matplotlib")

EXAMPLES = REPOSITORY / "examples"
CHAPTERS = sorted(EXAMPLES.glob("ch[0-9][0-9]_*.py"))
#: What a chapter has to say of the photographs that it shows.
CREDITS = {
    "coffee": r"Coffee\W+(by )?Rachel Michetti, CC0",
    "chelsea": r"Chelsea the cat\W+(by )?Stéfan van der Walt, CC0",
    "astronaut": r"astronaut\s+Eileen\s+Collins\W+NASA, public domain",
}


def functions(path: Path) -> dict[str, Any]:
    """What a chapter imports and defines, without running its text."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    tree.body = [node for node in tree.body if isinstance(node, kinds)]
    space: dict[str, Any] = {}
    exec(compile(tree, str(path), "exec"), space)
    return space


@pytest.fixture(scope="module")
def decoder() -> Callable[[bytes], Any]:
    [path] = [path for path in CHAPTERS if path.stem == "ch07_decoder"]
    decode: Callable[[bytes], Any] = functions(path)["decode"]
    return decode


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("size", [(1, 9), (16, 16), (33, 41), (50, 7)])
@pytest.mark.parametrize("kind", ["natural", "noise"])
def test_the_decoder_equals_the_codec(
    decoder: Callable[[bytes], Any], kind: str, size: tuple[int, int], subsampling: str
) -> None:
    data = pyjpegml.encode(picture(kind, (*size, 3)), quality=80, subsampling=subsampling)
    assert np.array_equal(decoder(data), pyjpegml.decode(data))


def test_it_decodes_grey_and_compressed_files(decoder: Callable[[bytes], Any]) -> None:
    grey = pyjpegml.encode(picture("natural", (21, 34)), quality=95)
    assert np.array_equal(decoder(grey), pyjpegml.decode(grey))
    photo = picture("natural", (48, 64, 3))
    data = pyjpegml.compress(photo, ms_ssim=0.97, progressive=False).data
    assert np.array_equal(decoder(data), pyjpegml.decode(data))


def test_it_has_a_hundred_lines_at_most() -> None:
    [path] = [path for path in CHAPTERS if path.stem == "ch07_decoder"]
    tree = ast.parse(path.read_text("utf-8"))
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert sum(node.end_lineno - node.lineno + 1 for node in defined if node.end_lineno) <= 100


def test_chapters_are_counted_from_1() -> None:
    assert [int(path.stem[2:4]) for path in CHAPTERS] == list(range(1, 15))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_has_its_parts(path: Path) -> None:
    text = path.read_text("utf-8")
    title = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    assert title.startswith(f"{int(path.stem[2:4])}. ")
    assert "# Exercises\n" in text
    assert re.search(r"\*Try\s+(# )?next:\*", text)
    assert re.search(r"T\.8(1|71)", text)
    assert re.search(r"\b([A-Z]\.[1-9](\.[0-9]+)*|clause\s+[0-9])", text)  # a clause of it
    assert re.search(r"\b(19|20)[0-9][0-9]\b", text)  # and a paper
    assert "assert " in text  # what it says is checked when it runs
    for name, credit in CREDITS.items():
        if f'"{name}' in text:
            assert re.search(credit, text), f"{name}: whose photograph is it?"


# --- the data ------------------------------------------------------------------------------------


def test_photographs_are_those_of_their_licences() -> None:
    readme = (EXAMPLES / "data" / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"\| `(\w+\.png)` \| `([0-9a-f]{64})` \|", readme))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (EXAMPLES / "data").glob("*.png")
    }
    assert listed == found
    assert {Path(name).stem for name in found} == set(CREDITS)


def test_measured_curves_are_of_these_photographs_and_say_how_they_were_made() -> None:
    lines = (EXAMPLES / "data" / "peer_curves.csv").read_text("utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert "bench/peer_curves.py" in head[0]
    assert re.search(
        r"libjpeg-turbo [0-9.]+ .*mozjpeg version [0-9.]+, .*pyjpegli [0-9.]+", head[0]
    )
    rows = list(csv.DictReader(lines[len(head) :]))
    assert {row["photo"] for row in rows} == set(CREDITS)
    assert {row["encoder"] for row in rows} == {"libjpeg-turbo", "mozjpeg", "jpegli", "pyjpegml"}
    for row in rows:
        assert int(row["bytes"]) > 0
        assert 0.8 < float(row["ms_ssim"]) < 1
        if row["encoder"] == "pyjpegml":
            assert float(row["ms_ssim"]) >= float(row["setting"])


# --- the page of short examples ------------------------------------------------------------------

TWELVE_LINES = EXAMPLES / "twelve_lines.py"

#: Runs each piece in a namespace of its own, and says which one.
RUN_PIECES = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
for piece in path.read_text("utf-8").split("# %%\\n")[1:]:
    print("PIECE", piece.splitlines()[0].strip("# "), flush=True)
    exec(compile(piece, str(path), "exec"), {"__name__": "piece"})
assert "numba" not in sys.modules
"""


def pieces() -> list[str]:
    return TWELVE_LINES.read_text("utf-8").split("# %%\n")[1:]


def test_pieces_have_twelve_lines_at_most() -> None:
    for piece in pieces():
        code = [line for line in piece.splitlines() if line and not line.startswith("#")]
        assert 3 < len(code) <= 12, piece
        assert any(line.startswith(("assert ", "    assert ")) for line in code), piece
        assert re.search(r":(mod|func):`pyjpegml\.", piece), piece


def test_each_piece_runs_by_itself_as_plain_python() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_PIECES, str(TWELVE_LINES)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    assert done.stdout.count("PIECE ") == len(pieces())
