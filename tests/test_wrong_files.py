"""Files that are wrong: the error says what, and where."""

from __future__ import annotations

import pytest
from sound_files import COLOR, RESTARTS, replaced, seeds, with_size, without

from pyjpegml import (
    JpegError,
    JpegFormatError,
    decode,
)


def broken_files() -> dict[str, tuple[bytes, type[JpegError], str, str | None, bytes | int | None]]:
    """By name: the file, the type, the text and the marker of the error, and where it is: a byte
    offset, or the bytes that stand there."""
    good, restarts = seeds()[COLOR], seeds()[RESTARTS]
    sos = good.index(b"\xff\xda")
    sof = good.index(b"\xff\xc0")
    frame = good[sof : sof + 19]
    rst1 = restarts.index(b"\xff\xd1")
    second = good[:-2] + good[sos:]
    return {
        "nothing": (b"", JpegFormatError, "starts with nothing", None, 0),
        "PNG": (b"\x89PNG\r\n", JpegFormatError, "starts with 89 50 4e 47", None, 0),
        "no scan": (
            good[:sos] + b"\xff\xd9",
            JpegFormatError,
            "the image ends before a scan",
            "EOI",
            sos,
        ),
        "no frame": (
            without(good, 0xC0),
            JpegFormatError,
            "a scan before the frame header",
            "SOS",
            b"\xff\xda",
        ),
        "two frames": (
            good[:sof] + frame + good[sof:],
            JpegFormatError,
            "a second frame header",
            "SOF0",
            sof + 19 + 4,
        ),
        "two starts": (good[:2] + good, JpegFormatError, "a second start of image", "SOI", 2),
        "no DQT": (
            without(good, 0xDB, 0),
            JpegFormatError,
            "quantization table 0 is used, but not defined",
            "SOS",
            None,
        ),
        "no chroma DQT": (
            without(good, 0xDB, 1),
            JpegFormatError,
            "quantization table 1 is used, but not defined",
            "SOS",
            None,
        ),
        "no DC table": (
            without(good, 0xC4, 0),
            JpegFormatError,
            "DC Huffman table 0 is used, but not defined",
            "SOS",
            None,
        ),
        "no AC table": (
            without(good, 0xC4, 3),
            JpegFormatError,
            "AC Huffman table 1 is used, but not defined",
            "SOS",
            None,
        ),
        "12 bits": (
            good[: sof + 4] + b"\x0c" + good[sof + 5 :],
            JpegFormatError,
            "baseline has 8 bits a sample, not 12",
            "SOF0",
            None,
        ),
        "height 0": (
            with_size(good, 0, 8),
            JpegFormatError,
            "the height is 0, and there is no DNL segment behind the scan",
            "SOF0",
            sof + 4 + 1,
        ),
        "width 0": (with_size(good, 8, 0), JpegFormatError, "the width is 0", "SOF0", sof + 4 + 3),
        "other names": (
            replaced(good, b"\3\1\x00\2\x11\3\x11", b"\3\1\x00\2\x11\7\x11"),
            JpegFormatError,
            "component 7 of the scan is none of the frame's",
            "SOS",
            sos + 4,
        ),
        "two scans": (
            second,
            JpegFormatError,
            "a second scan of components that have had one",
            "SOS",
            len(good) + 2,
        ),
        "cut": (
            good[: sos + 20],
            JpegFormatError,
            "entropy-coded data end early, in MCU",
            "SOS",
            sos + 20,
        ),
        "wrong restart": (
            restarts[:rst1] + b"\xff\xd5" + restarts[rst1 + 2 :],
            JpegFormatError,
            "restart marker RST5 where RST1 should be",
            "SOS",
            rst1,
        ),
        "lost restarts": (
            restarts[:rst1] + restarts[restarts.index(b"\xff\xd9") :],
            JpegFormatError,
            "2 restart intervals where 6 should be",
            "SOS",
            None,
        ),
        "no code": (
            good[: sos + 14] + b"\xff\0" * 8 + good[-2:],
            JpegFormatError,
            "bits that are no Huffman code, in MCU 0 of 15",
            "SOS",
            None,
        ),
    }


BROKEN = [
    "nothing", "PNG", "no scan", "no frame", "two frames", "two starts", "no DQT", "no chroma DQT",
    "no DC table", "no AC table", "12 bits", "height 0", "width 0", "other names", "two scans", "cut", "wrong restart", "lost restarts", "no code",
]  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_errors_say_what_and_where(name: str) -> None:
    data, kind, text, marker, where = broken_files()[name]
    with pytest.raises(JpegError) as caught:
        decode(data)
    error = caught.value
    assert type(error) is kind
    assert text in error.reason
    assert error.marker == marker
    if isinstance(where, int):
        assert error.offset == where
    elif where is not None:
        assert error.offset is not None
        assert data[error.offset : error.offset + len(where)] == where
    assert error.offset is None or f"at byte {error.offset}" in str(error)


def test_all_broken_files_are_tested() -> None:
    assert list(broken_files()) == BROKEN
