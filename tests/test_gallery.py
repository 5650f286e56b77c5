"""The chapters of the gallery: their form, and the decoder of chapter 7."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import REPOSITORY, picture

import pyjpegml

pytest.importorskip("matplotlib")

CHAPTERS = sorted((REPOSITORY / "examples").glob("ch[0-9][0-9]_*.py"))


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
    assert [int(path.stem[2:4]) for path in CHAPTERS] == list(range(1, len(CHAPTERS) + 1))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_has_its_parts(path: Path) -> None:
    text = path.read_text("utf-8")
    title = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    assert title.startswith(f"{int(path.stem[2:4])}. ")
    assert "# Exercises\n" in text
    assert re.search(r"\*Try\s+(# )?next:\*", text)
    assert "T.81" in text or "T.871" in text
    assert "assert " in text  # what it says is checked when it runs
