"""Faults of the testing kit: they are where they say, and verdicts hold in real decoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import assert_says_where
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from pyjpegml import JpegError, JpegUnsupportedError, decode
from pyjpegml.testing import (
    FAULTS,
    FEATURES,
    PROCESSES,
    Corrupted,
    Stream,
    corrupted,
    jpeg_streams,
)

DOCS = Path(__file__).parent.parent / "docs" / "testing.rst"

SMALL = jpeg_streams(max_size=20)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_where_it_says(name: str) -> None:
    # some faults need streams that do not come often
    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(corrupted(SMALL, faults=[name]))
    def check(damaged: Corrupted) -> None:
        fault = damaged.fault
        assert damaged.faults == (fault,)
        assert fault.name == name
        assert fault.verdict in ("error", "same", "any")
        sound = damaged.stream.data
        assert damaged.data != sound
        assert damaged.data[: fault.offset] == sound[: fault.offset]
        assert fault.part in {part.name for part in damaged.stream.parts}
        assert fault.detail in damaged.text()

    check()


@given(corrupted(SMALL, max_faults=4))
def test_several_faults(damaged: Corrupted) -> None:
    offsets = [fault.offset for fault in damaged.faults]
    assert offsets == sorted(offsets)
    assert 1 <= len(damaged.faults) <= 4
    assert damaged.data[: offsets[0]] == damaged.stream.data[: offsets[0]]
    assert max(offsets) <= len(damaged.data)
    if damaged.verdict == "same":
        assert all(fault.verdict == "same" for fault in damaged.faults)


HARMLESS = [
    "missing EOI",
    "junk between segments",
    "junk before RST",
    "surplus restart marker",
    "segment bomb",
    "duplicated marker",
    "wrong length",
    "truncated",
]
"""Faults that may do no harm."""

LIBJPEG = jpeg_streams(
    [process for process in PROCESSES if process != "lossless"],
    components=[1, 3],
    max_size=20,
    without=["DNL", "fractional sampling"],
)


@settings(max_examples=100)
@given(corrupted(LIBJPEG, faults=HARMLESS))
def test_harmless_faults_change_no_pixel_in_imagecodecs(damaged: Corrupted) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    if damaged.verdict == "same":
        np.testing.assert_array_equal(
            imagecodecs.jpeg8_decode(damaged.data), imagecodecs.jpeg8_decode(damaged.stream.data)
        )


def decodes(stream: Stream) -> bool:
    """Whether this version of our decoder knows what the stream uses."""
    try:
        decode(stream.data)
    except JpegUnsupportedError:
        return False
    return True


@pytest.mark.hostile
@settings(max_examples=200)
@given(corrupted(jpeg_streams(max_size=20)))
def test_our_decoder_returns_an_image_or_says_where(damaged: Corrupted) -> None:
    try:
        image = decode(damaged.data)
    except JpegError as error:
        assert_says_where(error, len(damaged.data))
    else:
        assert damaged.verdict != "error"
        if damaged.verdict == "same":
            np.testing.assert_array_equal(image, decode(damaged.stream.data))


@pytest.mark.hostile
@settings(max_examples=100)
@given(corrupted(jpeg_streams(["baseline"], max_size=20, components=[1, 3]), faults=HARMLESS))
def test_our_decoder_reads_on_over_harmless_faults(damaged: Corrupted) -> None:
    if damaged.verdict == "same" and decodes(damaged.stream):
        np.testing.assert_array_equal(decode(damaged.data), decode(damaged.stream.data))


def test_unknown_faults() -> None:
    with pytest.raises(ValueError, match="no such fault: 'bad luck'; there are truncated"):
        find(corrupted(faults=["bad luck"]), lambda damaged: True)


@given(st.data())
def test_streams_without_a_place_for_the_fault_are_passed_over(data: st.DataObject) -> None:
    damaged = data.draw(corrupted(faults=["scan bomb", "missing stuffing"]))
    assert damaged.stream.frame.progressive or b"\xff\0" in damaged.stream.data


def test_docs_name_all_features_and_faults() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in [*FEATURES, *FAULTS]:
        assert f"``{name}``" in text, name
