"""The testing kit's examples by seed, sets of files, pictures, and what Hypothesis learns of it."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from helpers import PACKAGE, REPOSITORY, run_python
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import pyjpegml
from pyjpegml.testing import (
    Corrupted,
    HuffmanTable,
    Segments,
    Stream,
    corrupted,
    encode_options,
    example,
    examples,
    export,
    huffman_tables,
    images,
    jpeg_streams,
    shrink,
)
from pyjpegml.testing.images import KINDS
from pyjpegml.testing.registration import register
from pyjpegml.testing.sets import facts

# --- by seed --------------------------------------------------------------------------------------


def test_a_seed_is_a_stream() -> None:
    strategy = jpeg_streams(complete=False)
    first = [stream.data for _, stream in examples(strategy, 12)]
    assert first == [stream.data for _, stream in examples(strategy, 12)]
    assert first[7] == example(strategy, 7).data
    assert len(set(first)) == 12


def test_every_process_comes_of_few_seeds() -> None:
    """Nothing of an example is bound to differ from the simplest one."""
    seen = Counter(stream.frame.process for _, stream in examples(jpeg_streams(max_size=8), 60))
    assert len(seen) == 6


def test_a_seed_is_the_same_in_another_process() -> None:
    script = (
        "import sys; from pyjpegml.testing import corrupted, example\n"
        "sys.stdout.write(example(corrupted(), 3).data.hex())"
    )
    assert run_python(script).stdout == example(corrupted(), 3).data.hex()


def test_a_seed_is_the_same_whatever_is_imported(tmp_path: Path) -> None:
    """Hypothesis draws numbers more often that stand in modules which are no package's."""
    (tmp_path / "numbers_of_mine.py").write_text(f"NUMBERS = {list(range(1000, 9000, 7))}")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numbers_of_mine\n"
        "from pyjpegml.testing import examples, jpeg_streams\n"
        "for _, stream in examples(jpeg_streams(), 20): print(stream.data.hex())"
    )
    made = [stream.data.hex() for _, stream in examples(jpeg_streams(), 20)]
    assert run_python(script, str(tmp_path)).stdout.split() == made


def test_findings_shrink_to_a_few_blocks() -> None:
    def has_two_components_with_ac(stream: Stream) -> bool:
        return sum(bool(plane[..., 1:, 1:].any()) for plane in stream.coefficients) > 1

    strategy = jpeg_streams(["baseline", "progressive"])
    number = next(n for n, s in examples(strategy, 200) if has_two_components_with_ac(s))
    smallest = shrink(strategy, number, has_two_components_with_ac, 400)
    assert has_two_components_with_ac(smallest)
    assert sum(plane[..., 0, 0].size for plane in smallest.coefficients) <= 8
    text = smallest.text()
    assert "SOF" in text
    assert "steps of slot 0" in text
    assert "codes of AC slot 0" in text
    assert "block (0, 0):" in text


def test_what_is_not_wanted_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="the example of seed 1 is not of the kind"):
        shrink(jpeg_streams(), 1, lambda stream: False)


# --- sets of files --------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", [False, True])
def test_a_set_says_all_of_its_files(tmp_path: Path, damaged: bool) -> None:
    strategy = corrupted() if damaged else jpeg_streams()
    manifest = export(tmp_path / "set", examples(strategy, 12, first=5))
    entries = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    assert [entry["seed"] for entry in entries] == list(range(5, 17))
    for entry in entries:
        value = example(strategy, entry["seed"])
        assert (manifest.parent / entry["file"]).read_bytes() == value.data
        assert {k: entry[k] for k in facts(value)} == json.loads(json.dumps(facts(value)))
        assert entry["verdict"] in (("error", "same", "any") if damaged else ("equal",))
        assert ("content" in entry) == (entry["verdict"] in ("equal", "same"))
        if "content" in entry:
            stream = value.stream if isinstance(value, Corrupted) else value
            with np.load(manifest.parent / entry["content"]) as arrays:
                kind = "samples" if stream.frame.lossless else "coefficients"
                for i, plane in enumerate(stream.samples or stream.coefficients):
                    np.testing.assert_array_equal(arrays[f"{kind}{i}"], plane)


# --- pictures, tables -----------------------------------------------------------------------------


@given(images(channels=[1, 3, 4], precisions=[8, 12, 16], max_size=33))
def test_pictures_are_such(image: npt.NDArray[np.generic]) -> None:
    assert image.dtype in (np.uint8, np.uint16)
    assert image.shape[2:] in ((), (3,), (4,))
    assert 1 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 33


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_each_kind_are_not_all_alike(kind: str) -> None:
    made = [example(images(kinds=[kind], max_size=40), n) for n in range(8)]
    assert len({image.tobytes() for image in made}) == len(made)
    if kind == "extremes":
        assert all(set(np.unique(image)) <= {0, 255} for image in made)
    if kind == "flat":
        assert all((image == image[0, 0]).all() for image in made)


@given(st.data(), images())
def test_options_are_those_of_encode(data: st.DataObject, image: npt.NDArray[np.uint8]) -> None:
    options = data.draw(encode_options(image))
    assert set(options) <= set(inspect.signature(pyjpegml.encode).parameters)
    assert not options.get("lossless") or "quality" not in options


@given(huffman_tables())
def test_any_huffman_table_is_legal(table: HuffmanTable) -> None:
    """A prefix code of at most 16 bits that leaves the word of ones free (T.81 Annex C)."""
    codes = sorted(table.codes().values())
    assert sum(table.bits) == len(table.symbols) == len(set(table.symbols)) == len(codes)
    assert all(not b.startswith(a) for a, b in pairwise(codes))
    assert not any(set(code) == {"1"} for code in codes)


def test_huffman_tables_have_all_lengths() -> None:
    lengths: set[int] = set()

    @settings(max_examples=300, database=None, phases=[Phase.generate], derandomize=True)
    @given(huffman_tables())
    def look(table: HuffmanTable) -> None:
        lengths.update(n for n, count in enumerate(table.bits, 1) if count)

    look()
    assert lengths == set(range(1, 17))


def test_a_huffman_table_needs_a_symbol() -> None:
    with pytest.raises(ValueError, match="one symbol or more"):
        find(huffman_tables(symbols=[]), lambda table: True)


# --- Hypothesis -----------------------------------------------------------------------------------


@given(st.data())
def test_types_are_made_by_their_strategies(data: st.DataObject) -> None:
    register()  # as Hypothesis does where the package is installed
    segments = data.draw(st.from_type(Segments))
    assert 1 <= segments.orientation <= 8
    assert {code for code, _ in segments.segments} <= {0xE0, 0xE1, 0xE2, 0xFE}
    table = data.draw(st.from_type(HuffmanTable))
    assert len(table.bits) == 16
    assert sum(table.bits) == len(table.symbols)


def test_registration_imports_no_codec() -> None:
    run_python(
        "import sys\n"
        "from hypothesis import strategies as st\n"
        "from pyjpegml.testing.registration import register; register()\n"
        "from pyjpegml.testing import Corrupted, HuffmanTable, Stream, example\n"
        "for kind in (Stream, Corrupted, HuffmanTable):\n"
        "    assert isinstance(example(st.from_type(kind), 1), kind)\n"
        "assert 'numba' not in sys.modules and 'pyjpegml.decoder' not in sys.modules"
    )


def test_hypothesis_finds_the_entry_point(tmp_path: Path) -> None:
    """Where the package is installed, as a folder of metadata tells; and nothing need be imported
    but the type."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    named = tomllib.loads(text)["project"]["entry-points"]["hypothesis"]["pyjpegml"]
    folder = tmp_path / "pyjpegml-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pyjpegml\nVersion: 0\n")
    (folder / "entry_points.txt").write_text(f"[hypothesis]\npyjpegml = {named}\n")
    run_python(
        "import sys\n"
        "from hypothesis import find, strategies as st\n"
        "from pyjpegml.testing.stream import Stream\n"
        "assert find(st.from_type(Stream), lambda stream: True).color_model == 'grey'\n"
        "assert 'numba' not in sys.modules",
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(PACKAGE.parent)]),
    )


# --- docs -----------------------------------------------------------------------------------------


def test_the_tutorial_and_the_recipe_run(tmp_path: Path) -> None:
    """As docs/testing.rst has them, on our codec, in a folder that has nothing else."""
    text = (REPOSITORY / "docs" / "testing.rst").read_text(encoding="utf-8")
    tutorial = text[text.index("Test your codec in ten lines") : text.index("Streams\n-------")]
    blocks = re.findall(r"::\n\n((?: {4}.*\n|\n)+)", tutorial)
    tests, conftest = (textwrap.dedent(block) for block in blocks)
    (tmp_path / "test_codec.py").write_text(tests, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "my_codec.py").write_text(
        "import pyjpegml\n"
        "from pyjpegml import JpegError\n"
        "def decode_coefficients(data):\n"
        "    return pyjpegml.decode_coefficients(data).components\n",
        encoding="utf-8",
    )
    done = run_python(
        "import sys, pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', sys.argv[1]]))",
        str(tmp_path),
        HYPOTHESIS_PROFILE="ci",
        HYPOTHESIS_STORAGE_DIRECTORY=str(tmp_path / "hypothesis"),
    )
    assert "2 passed" in done.stdout
