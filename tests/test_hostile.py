"""Files from the wild: sound ones are equal to libjpeg-turbo, broken ones do no harm.

CI runs these tests a second time with ``NUMBA_BOUNDSCHECK=1``, where an index out of bounds is an
IndexError and not a crash or a silence.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from helpers import CONFORMANCE, assert_same_picture, assert_says_where
from PIL import Image

from pyjpegml import JpegError, JpegFormatError, decode, decode_partial, read_header
from pyjpegml.markers import SOS, segments

pytestmark = pytest.mark.hostile

PROCESSES = {
    "SOF1": "extended sequential",
    "SOF2": "progressive",
    "SOF3": "lossless",
    "SOF9": "arithmetic sequential",
    "SOF10": "arithmetic progressive",
}


def names(folder: str) -> list[str]:
    """Files of a folder; one name that stands for all where there are none, to be skipped aloud."""
    return sorted(path.name for path in (CONFORMANCE / folder).glob("*")) or ["(all files)"]


@cache
def manifest() -> dict[str, dict[str, str]]:
    text = (CONFORMANCE / "MANIFEST.tsv").read_text(encoding="utf-8")
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text), delimiter="\t")}


def without_junk(data: bytes) -> bytes:
    """The file without bytes between its segments: libjpeg skips them, Pillow's reader does not."""
    parts = []
    for segment in segments(data):
        if segment.code == SOS:
            return b"".join(parts) + data[segment.offset :]
        parts.append(data[segment.offset : segment.end])
    raise AssertionError("there is no scan")


def reference(data: bytes) -> np.ndarray | None:
    """libjpeg-turbo's pixels: by Pillow if it has a mode for them, else by imagecodecs."""
    try:
        image = Image.open(io.BytesIO(without_junk(data)))
        if image.mode in ("L", "RGB"):
            return np.asarray(image)
    except OSError:
        pass
    try:
        return imagecodecs.jpeg8_decode(data)
    except imagecodecs.Jpeg8Error:
        return None


#: Files that libjpeg-turbo refuses too: no height in the frame header.
NO_REFERENCE = {"metadata-extractor-images__beach.jpg"}


@pytest.mark.parametrize("name", names("valid"))
def test_valid(conformance: Path, name: str) -> None:
    """Equal to libjpeg-turbo, which may have CMYK inverted."""
    data = (conformance / "valid" / name).read_bytes()
    if not manifest()[f"valid/{name}"]["sof"]:
        with pytest.raises(JpegFormatError, match="the image ends before a scan"):
            decode(data)
        return
    pixels = decode(data)
    expected = reference(data)
    assert (expected is None) == (name in NO_REFERENCE)
    if expected is None:
        return
    expected = expected.reshape(pixels.shape)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not np.array_equal(pixels, expected):
        expected = (255 if pixels.dtype == np.uint8 else 4095) - expected
    assert_same_picture(pixels, expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", names("broken"))
def test_broken_partly(
    conformance: Path, name: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be had of a broken file, and a report; or a JpegError."""
    monkeypatch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
    data = (conformance / "broken" / name).read_bytes()
    try:
        pixels, report = decode_partial(data, threads=threads)
    except JpegError as error:
        assert_says_where(error, len(data))
    else:
        assert pixels.shape[:2] == (read_header(data).height, read_header(data).width)
        assert 0 <= report.sound_mcus <= report.mcus
        assert report.complete == (report.sound_mcus == report.mcus) or not report.complete
        for problem in report.problems:
            assert_says_where(problem, len(data))


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
    """An array or a JpegError."""
    data = (conformance / "broken" / name).read_bytes()
    try:
        out = decode(data)
    except JpegError as error:
        assert_says_where(error, len(data))
    else:
        assert out.dtype in (np.uint8, np.uint16)
        assert out.shape[:2] == (read_header(data).height, read_header(data).width)
