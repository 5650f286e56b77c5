"""Files that break off or are damaged: what can be had of them, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture, pillow_decode, pillow_encode
from hypothesis import given
from hypothesis import strategies as st
from test_smoothing import pixels_of_3

from pyjpegml import JpegFormatError, decode, decode_partial
from pyjpegml.markers import SOS, segments
from pyjpegml.testing import PROCESSES, Component, Content, Frame, Scan, Stream, write_stream

pytestmark = pytest.mark.hostile

KINDS = {
    "baseline": {"subsampling": "4:2:0"},
    "baseline with restarts": {"subsampling": "4:2:2", "restart_marker_blocks": 3},
    "progressive": {"subsampling": "4:2:0", "progressive": True},
    "progressive, full chroma": {"subsampling": "4:4:4", "progressive": True},
    "progressive with restarts": {
        "subsampling": "4:2:0",
        "progressive": True,
        "restart_marker_blocks": 7,
    },
}


def scans(data: bytes) -> list[tuple[int, int]]:
    """Where the entropy-coded data of each scan begin, and where they end."""
    found, start = [], None
    for segment in segments(data):
        if start is not None:
            found.append((start, segment.offset))
        start = segment.end if segment.code == SOS else None
    return found


# --- the picture ----------------------------------------------------------------------------------


@pixels_of_3
@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_libjpeg_shows_the_same(kind: str, data: st.DataObject) -> None:
    """Grey below the end in a sequential file, smoothed by what was known in a progressive one.

    Only in the MCU in which the data end pixels may differ: zeros stand for what is missing of it,
    which makes coefficients that no encoder sends; and where a run of them leaves the block,
    libjpeg-turbo sets the last coefficient.
    """
    image = picture("natural", (75, 90, 3), 3)
    whole = pillow_encode(image, quality=85, optimize=True, **KINDS[kind])
    first, last = data.draw(st.sampled_from(scans(whole)))
    part = whole[: data.draw(st.integers(first, last - 2))]
    got, report = decode_partial(part)
    assert not report.complete
    expected = pillow_decode(part + b"\xff\xd9")
    differing = np.argwhere((got != expected).any(axis=2))
    if len(differing):
        height, width = np.ptp(differing, axis=0)
        assert height < 16 + 4  # triangle upsampling spreads by two pixels
        assert width < 16 + 4


def test_lossless_files_are_grey_where_nothing_came() -> None:
    """Behind the row in which the data end: no prediction goes on there."""
    rng = np.random.default_rng(1)
    units = rng.integers(0, 256, (40, 30))
    frame = Frame("lossless", 8, 30, 40, (Component(1),))
    scan = Scan((0,), ((0, 0),), 4, 0, restart_interval=300)
    stream = write_stream(frame, [scan], Content((units,)))
    begin, end = stream.data.index(b"\xff\xd0"), stream.data.index(b"\xff\xd1")
    part, report = decode_partial(stream.data[: (begin + end) // 2] + stream.data[end:])
    assert not report.complete
    bad = np.flatnonzero((part != units).any(axis=1))
    assert 10 < bad[0] < bad[-1] == 19  # of an interval of ten lines
    assert (part[bad[0] + 1 : 20] == 128).all()


# --- the report -----------------------------------------------------------------------------------


def grey_file() -> Stream:
    frame = Frame("baseline", 8, 16, 8, (Component(1),))
    units = np.zeros((1, 2, 8, 8), np.int64)
    content = Content((units,), {(0, 0): np.ones((8, 8), np.uint16)})
    return write_stream(frame, [Scan((0,), ((0, 0),), restart_interval=1)], content)


STRAY = {
    "one": b"\xff\xd1",
    "two": b"\xff\xd5\xff\xd6",
    "with junk behind": b"\xff\xd7\0\1\xff\0",
    "nine with fill bytes": b"\xff\xff\xd0" * 9,
}


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("kind", KINDS)
def test_restart_markers_behind_the_last_interval_do_no_harm(kind: str, stray: str) -> None:
    """Of each scan; libjpeg-turbo passes over them as well."""
    whole = pillow_encode(picture("natural", (75, 90, 3), 3), quality=85, **KINDS[kind])
    ends = [end for _, end in scans(whole)]
    data = whole
    for end in reversed(ends):
        data = data[:end] + STRAY[stray] + data[end:]
    expected = decode(whole)
    assert np.array_equal(expected, pillow_decode(data))
    assert np.array_equal(expected, decode(data))
    assert np.array_equal(expected[60:, 70:], decode(data, region=(70, 60, 20, 15)))
    pixels, report = decode_partial(data)
    assert np.array_equal(expected, pixels)
    assert report.complete
    assert [data[int(w.split()[-1]) :][:2] for w in report.warnings] == [
        bytes((0xFF, STRAY[stray].lstrip(b"\xff")[0]))
    ] * len(ends)


@pytest.mark.parametrize("process", PROCESSES)
def test_one_restart_marker_too_many_in_each_process(process: str) -> None:
    frame = Frame(process, 8, 16, 8, (Component(1),))
    size = (8, 16) if frame.lossless else (1, 2, 8, 8)
    content = Content((np.zeros(size, np.int64),), {(0, 0): np.ones((8, 8), np.uint16)})
    start, end = (1, 0) if frame.lossless else (0, 0 if frame.progressive else 63)
    scan = Scan((0,), ((0, 0),), start, end, restart_interval=64)
    stream = write_stream(frame, [scan], content)
    data = stream.data[:-2] + b"\xff\xd1\xff\xd9"
    assert np.array_equal(decode(data), decode(stream.data))
    _, report = decode_partial(data)
    assert report.complete
    assert any("a restart marker behind the last of" in text for text in report.warnings)


def test_a_broken_later_scan_leaves_the_picture() -> None:
    """Its parameters are wrong: what came before it can be had."""
    whole = pillow_encode(picture("natural", (40, 40), 1), quality=80, progressive=True)
    sos = [segment for segment in segments(whole) if segment.code == SOS]
    second = sos[1].offset
    cut = whole[:second] + b"\xff\xd9"
    broken = bytearray(whole)
    broken[second + 7] = 77  # where its band begins
    with pytest.raises(JpegFormatError, match="a band goes upwards"):
        decode(bytes(broken))
    pixels, report = decode_partial(bytes(broken))
    assert np.array_equal(pixels, decode(cut))
    [problem] = report.problems
    assert problem.offset is not None
    assert second <= problem.offset < second + 10


def test_an_interval_that_ends_early_borrows_nothing_from_the_next() -> None:
    """Its last MCU is made of its own bits and zeros, wherever it stands."""
    whole = pillow_encode(
        picture("noise", (16, 128), 5), quality=90, restart_marker_blocks=8, optimize=True
    )
    first = whole.index(b"\xff\xd0")
    lacking = whole[: first - 9] + whole[first:]
    alone = whole[: first - 9] + b"\xff\xd9"
    together, report = decode_partial(lacking)
    assert len(report.problems) == 1
    assert np.array_equal(together[:8, :64], decode_partial(alone)[0][:8, :64])
    assert np.array_equal(together[:, 72:], decode(whole)[:, 72:])


# --- arithmetic coding ----------------------------------------------------------------------------


def arithmetic_file(process: str) -> Stream:
    frame = Frame(process, 8, 64, 48, (Component(1),))
    units = np.random.default_rng(5).integers(-30, 30, (6, 8, 8, 8))
    content = Content((units,), {(0, 0): np.ones((8, 8), np.uint16)})
    slots = ((0, 0),)
    script = [Scan((0,), slots)]
    if frame.progressive:
        script = [Scan((0,), slots, 0, 0), Scan((0,), slots, 1, 63)]
    return write_stream(frame, script, content)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["end of file", "EOI"])
@pytest.mark.parametrize("missing", [10, 100, 1000])
@pytest.mark.parametrize("process", ["arithmetic sequential", "arithmetic progressive"])
def test_arithmetic_data_are_missed(process: str, missing: int, end: bytes) -> None:
    whole = arithmetic_file(process).data
    data = whole[: -2 - missing] + end
    with pytest.raises(JpegFormatError, match="entropy-coded data end early, in MCU") as caught:
        decode(data)
    assert caught.value.offset == len(data) - len(end)
    _, report = decode_partial(data)
    assert [str(problem) for problem in report.problems] == [str(caught.value)]
    assert report.sound_mcus < report.mcus


@pytest.mark.parametrize("process", ["arithmetic sequential", "arithmetic progressive"])
def test_arithmetic_files_may_lack_their_eoi(process: str) -> None:
    whole = arithmetic_file(process).data
    pixels, report = decode_partial(whole[:-2])
    assert report.complete
    assert report.warnings == ("the data end without an EOI marker",)
    assert np.array_equal(pixels, decode(whole))
    assert np.array_equal(decode(whole[:-2]), pixels)
