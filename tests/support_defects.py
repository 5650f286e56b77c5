"""Checks of what ``docs/support.rst`` says of data that are not as they should be."""

from __future__ import annotations

import numpy as np
import pytest
from support_checks import RGB, assert_exact, happens, made, scans_of

from pyjpegml import (
    JpegError,
    JpegFormatError,
    JpegLimitError,
    decode,
    decode_partial,
    encode,
    read_header,
)

PLAIN = encode(RGB, subsampling="4:4:4", restart_interval=8, optimize=False)
START = PLAIN.index(b"\xff\xda") + 14
MARKS = [i for i in range(START, len(PLAIN)) if PLAIN[i] == 0xFF and 0xD0 <= PLAIN[i + 1] <= 0xD7]


def assert_broken(data: bytes, match: str, kind: type[JpegError] = JpegFormatError) -> None:
    with pytest.raises(kind, match=match):
        decode(data)


@happens("Entropy-coded data that end early, or hold bits that are no code")
def _() -> None:
    assert_broken(PLAIN[: MARKS[0] - 9] + PLAIN[MARKS[0] :], "end early")
    assert_broken(PLAIN[:START] + b"\xff\0" * 9 + PLAIN[MARKS[0] :], "no Huffman code")


@happens("Restart markers missing or out of order")
def _() -> None:
    one, two = MARKS[1], MARKS[2]
    for data in (
        PLAIN[:one] + PLAIN[one + 2 :],
        PLAIN[:one] + PLAIN[two : two + 2] + PLAIN[one + 2 :],
    ):
        assert_broken(data, "restart|RST")


@happens("The same, in :func:`pyjpegml.decode_partial`")
def _() -> None:
    lost = PLAIN[: MARKS[0]] + PLAIN[MARKS[1] :]
    pixels, report = decode_partial(lost)
    whole = decode(PLAIN)
    assert np.array_equal(pixels[16:], whole[16:])
    assert (report.mcus, report.sound_mcus) == (48, 40)


@happens(
    "Bytes between segments, unused bytes or restart markers behind a scan, lengths of segments "
    "beyond what they hold, no EOI marker"
)
def _() -> None:
    whole = decode(PLAIN)
    long = PLAIN.replace(b"\xff\xdd\0\4\0\x08", b"\xff\xdd\0\5\0\x08\0")
    assert "1 byte more than it needs" in read_header(long).warnings[0]
    assert np.array_equal(decode(long), whole)
    junk = PLAIN[:20] + b"junk" + PLAIN[20:]
    assert "4 bytes that belong to no segment" in read_header(junk).warnings[0]
    behind = [PLAIN[:-2] + surplus + PLAIN[-2:] for surplus in (b"\x12\x34", b"\xff\xd3")]
    for data in (junk, *behind, PLAIN[:-2]):
        assert np.array_equal(decode(data), whole)
        assert decode_partial(data)[1].warnings


@happens("Scans of a progressive file that stop early")
def _() -> None:
    stream = made("progressive", scans=scans_of("progressive", 3)[:1])
    assert_exact(stream)
    assert "the scans stop early" in decode_partial(stream.data)[1].warnings[-1]


@happens("More pixels than ``max_pixels``")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_pixels allows 2744"):
        decode(PLAIN, max_pixels=RGB.size // 3 - 1)


@happens("More scans than ``max_scans``, or scans that go over the picture too often")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_scans allows, 3"):
        decode(made("progressive").data, max_scans=3)


@happens("More bytes of APPn and COM segments than ``max_metadata``")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_metadata allows 99"):
        decode(PLAIN, max_metadata=99)


@happens("Bytes behind EOI")
def _() -> None:
    assert np.array_equal(decode(PLAIN + PLAIN), decode(PLAIN))
