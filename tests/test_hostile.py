"""Files from the wild: sound ones are equal to libjpeg-turbo, broken ones do no harm.

CI runs these tests a second time with ``NUMBA_BOUNDSCHECK=1``, where an index out of bounds is an
IndexError and not a crash or a silence.
"""

from __future__ import annotations

import csv
import io
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    CONFORMANCE,
    SUBSAMPLINGS,
    assert_same_picture,
    assert_says_where,
    picture,
    pillow_decode,
)

from pyjpegml import JpegError, JpegFormatError, JpegUnsupportedError, decode, encode, read_header
from pyjpegml.markers import SOS, segments

pytestmark = pytest.mark.hostile

#: Seconds that any file may take, once kernels are compiled.
LIMIT = 20

PROCESSES = {
    "SOF1": "extended sequential",
    "SOF2": "progressive",
    "SOF3": "lossless",
    "SOF9": "arithmetic sequential",
    "SOF10": "arithmetic progressive",
}
RATIOS = {(1, 1), (2, 1), (1, 2), (2, 2)}


def names(folder: str) -> list[str]:
    """Files of a folder; one name that stands for all where there are none, to be skipped aloud."""
    return sorted(path.name for path in (CONFORMANCE / folder).glob("*")) or ["(all files)"]


@cache
def manifest() -> dict[str, dict[str, str]]:
    text = (CONFORMANCE / "MANIFEST.tsv").read_text(encoding="utf-8")
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text), delimiter="\t")}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile what a decoder runs, so that no file is charged for it."""
    for subsampling in SUBSAMPLINGS:
        decode(encode(picture("noise", (40, 40, 3)), subsampling=subsampling, restart_interval=2))


def feature(data: bytes, row: dict[str, str]) -> str | None:
    """What this version has to say of a sound file that it refuses; None if it must decode it."""
    if not row["sof"]:
        return "the image ends before a scan"
    if row["sof"] != "SOF0":
        return PROCESSES[row["sof"]] + " coding"
    if row["ncomp"] not in ("1", "3"):
        return f"{row['ncomp']} components are not supported"
    factors = [tuple(map(int, pair.split("x"))) for pair in row["sampling"].split(",")]
    h_max, v_max = (max(pair[axis] for pair in factors) for axis in (0, 1))
    if len(factors) > 1 and not {(h_max / h, v_max / v) for h, v in factors} <= RATIOS:
        return "sampling"
    if row["nscans"] != "1":
        return "a scan of 1 of 3 components"
    if b"\xff\xc4" not in data:
        return "a stream without Huffman tables"
    return None


def without_junk(data: bytes) -> bytes:
    """The file without bytes between its segments: libjpeg skips them, Pillow's reader does not."""
    parts = []
    for segment in segments(data):
        if segment.code == SOS:
            return b"".join(parts) + data[segment.offset :]
        parts.append(data[segment.offset : segment.end])
    raise AssertionError("there is no scan")


@pytest.mark.parametrize("name", names("valid"))
def test_valid(conformance: Path, name: str) -> None:
    """Equal to libjpeg-turbo, or refused by the name of the feature that is missing."""
    data = (conformance / "valid" / name).read_bytes()
    missing = feature(data, manifest()[f"valid/{name}"])
    began = time.perf_counter()
    if missing is None:
        assert_same_picture(decode(data), pillow_decode(without_junk(data)))
    else:
        with pytest.raises(JpegError, match=missing) as caught:
            decode(data)
        tables_only = missing == "the image ends before a scan"
        assert type(caught.value) is (JpegFormatError if tables_only else JpegUnsupportedError)
    assert time.perf_counter() - began < LIMIT


@pytest.mark.parametrize("name", names("valid"))
def test_headers_of_valid_files(conformance: Path, name: str) -> None:
    """Of all processes: what the manifest says, read before anything is decoded."""
    row = manifest()[f"valid/{name}"]
    data = (conformance / "valid" / name).read_bytes()
    if not row["sof"]:
        with pytest.raises(JpegFormatError, match="the image ends before a scan"):
            read_header(data)
        return
    header = read_header(data)
    assert header.process == PROCESSES.get(row["sof"], "baseline")
    assert header.precision == int(row["precision"])
    assert header.width == int(row["width"])
    assert [f"{c.h}x{c.v}" for c in header.components] == row["sampling"].split(",")


@pytest.mark.parametrize("name", names("broken"))
def test_broken(conformance: Path, name: str) -> None:
    """An array or a JpegError, in time."""
    data = (conformance / "broken" / name).read_bytes()
    began = time.perf_counter()
    try:
        out = decode(data)
    except JpegError as error:
        assert_says_where(error, len(data))
    else:
        assert out.dtype == np.uint8
        assert out.shape[:2] == (read_header(data).height, read_header(data).width)
    assert time.perf_counter() - began < LIMIT
