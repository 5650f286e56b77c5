"""What a file says of itself before its first scan, and what is odd in it but does no harm."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from helpers import (
    SUBSAMPLINGS,
    Bytes,
    assert_same_picture,
    images,
    picture,
    pillow_decode,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sound_files import COLOR, RESTARTS, replaced, seeds, without

import pyjpegml
from pyjpegml import (
    JpegFormatError,
    decode,
    encode,
    markers,
    read_header,
)
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.quantize import standard_qtables


@given(
    images(largest=40, longest=300),
    st.integers(1, 100),
    st.sampled_from(SUBSAMPLINGS),
    st.integers(0, 65535),
)
def test_header(image: Bytes, quality: int, subsampling: str, restart_interval: int) -> None:
    data = encode(
        image, quality=quality, subsampling=subsampling, restart_interval=restart_interval
    )
    header = read_header(data)
    grey = image.ndim == 2
    assert (header.height, header.width) == image.shape[:2]
    assert (header.process, header.precision) == ("baseline", 8)
    assert header.subsampling == ("grey" if grey else subsampling)
    assert header.color == ("grey" if grey else "YCbCr")
    assert [(c.h, c.v) for c in header.components] == (
        [(1, 1)] if grey else list(FACTORS[subsampling])
    )
    assert header.restart_interval == restart_interval
    assert header.jfif
    assert header.adobe_transform is None
    assert header.comments == header.warnings == ()
    assert header.quality_exact
    luma, chroma = standard_qtables(quality)
    assert np.array_equal(header.qtables[0], luma)
    assert np.array_equal(header.qtables[header.components[-1].table], luma if grey else chroma)
    assert header.quality is not None
    assert np.array_equal(standard_qtables(header.quality)[0], luma)


def test_header_of_its_beginning_only() -> None:
    data = seeds()[COLOR]
    sos = data.index(b"\xff\xda")
    assert read_header(data[: sos + 14]).width == 37
    with pytest.raises(JpegFormatError, match="behind the end of the data"):
        read_header(data[: sos + 13])


def test_header_of_what_cannot_be_decoded() -> None:
    header = read_header(seeds()[8])
    assert (header.process, header.width, header.height) == ("progressive", 37, 20)
    target = io.BytesIO()
    Image.new("CMYK", (9, 9), (10, 20, 30, 40)).save(target, "JPEG")
    header = read_header(target.getvalue())
    assert (header.color, header.subsampling, header.adobe_transform) == (
        "CMYK",
        "1x1,1x1,1x1,1x1",
        0,
    )


def test_header_of_own_tables() -> None:
    header = read_header(
        encode(np.zeros((8, 8, 3), np.uint8), qtables=standard_qtables(60)[0] // 2 + 1)
    )
    assert header.quality is not None
    assert not header.quality_exact
    header = read_header(without(seeds()[COLOR], 0xDB))
    assert (header.quality, header.quality_exact, header.qtables) == (None, False, {})


def test_comments() -> None:
    data = seeds()[COLOR]
    two = (
        data[:2] + markers.segment_bytes(0xFE, b"one") + markers.segment_bytes(0xFE, b"") + data[2:]
    )
    assert read_header(two).comments == (b"one", b"")
    assert_same_picture(decode(two), decode(data))


@pytest.mark.parametrize(
    ("extra", "warning"),
    [
        (b"\xff\xff\xff", None),
        (b"\0\0\0", "3 bytes that belong to no segment, at byte 2"),
        (b"\x12\xff\0\x34", "4 bytes that belong to no segment, at byte 2"),
        (b"\xff\xd3", "RST3 outside of a scan, at byte 2"),
        (b"\xff\x01", None),
        (b"\xff\xe5\0\4ab", None),
        (b"\xff\xf3\0\2", None),
    ],
)
def test_what_does_no_harm_is_a_warning(extra: bytes, warning: str | None) -> None:
    """Junk, fill bytes, unknown segments between the others: the picture is the same."""
    data = seeds()[COLOR]
    odd = data[:2] + extra + data[2:]
    assert read_header(odd).warnings == (() if warning is None else (warning,))
    assert_same_picture(decode(odd), decode(data))


@pytest.mark.parametrize(
    "tail", [b"", b"\xff", b"\xff\xff", b"\0\0", b"\xff\xe1", b"\xff\xe1\0\x10ab"]
)
def test_a_missing_end_does_no_harm(tail: bytes) -> None:
    for data in seeds()[:8]:
        assert_same_picture(decode(data[:-2] + tail), decode(data))


def test_fill_bytes_in_the_scan_do_no_harm() -> None:
    """Before any marker (T.81 B.1.1.2), so before restart markers and the end too."""
    data = seeds()[RESTARTS]
    filled = data
    for n in range(5):
        filled = replaced(filled, bytes([0xFF, 0xD0 + n]), b"\xff\xff\xff" + bytes([0xD0 + n]))
    filled = filled[:-2] + b"\xff\xff\xff\xd9"
    assert_same_picture(decode(filled), decode(data))
    assert_same_picture(decode(filled), pillow_decode(filled))


def test_an_odd_scan_header_does_no_harm() -> None:
    """Spectral selection means nothing in a sequential scan; libjpeg warns and goes on."""
    data = seeds()[COLOR]
    at = data.index(b"\xff\xda") + 11
    assert_same_picture(decode(data[:at] + b"\0\0\0" + data[at + 3 :]), decode(data))


def test_the_package_says_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pyjpegml.__version__)


@pytest.mark.parametrize("late", ["Adobe", "JFIF"])
def test_a_marker_behind_the_scan_does_not_change_the_colors(late: str) -> None:
    """What the components mean is settled where the scan begins, as in libjpeg."""
    adobe = markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    data = pyjpegml.encode(picture("natural", (20, 30, 3)), subsampling="4:4:4")
    plain = data[:2] + data[2 + len(markers.jfif_bytes()) :]
    if late == "Adobe":
        data = plain[:-2] + adobe + plain[-2:]
    else:
        data = plain[:2] + adobe + plain[2:-2] + markers.jfif_bytes() + plain[-2:]
    assert_same_picture(pyjpegml.decode(data), pillow_decode(data))


def test_an_error_in_the_scan_is_located_in_the_file() -> None:
    """The offset counts stuffed bytes, and starts anew in each restart interval."""
    image = picture("noise", (64, 64))
    for interval in (0, 5):
        data = pyjpegml.encode(image, quality=95, restart_interval=interval)
        at = data.index(b"\xff\xda") + 1500
        while 0xFF in data[at - 2 : at + 24]:
            at += 1
        broken = data[:at] + b"\xff\0" * 10 + data[at + 20 :]
        with pytest.raises(JpegFormatError) as caught:
            pyjpegml.decode(broken)
        if "no Huffman code" in caught.value.reason:
            assert at <= caught.value.offset <= at + 24
        assert at <= caught.value.offset < len(data)
