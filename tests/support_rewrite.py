"""Checks of what ``docs/support.rst`` says of lossless work on files."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture
from support_checks import (
    GREY,
    RGB,
    behind_soi,
    exif,
    frame_of,
    happens,
    made,
    scans_of,
)
from test_rewriting import container

from pyjpegml import (
    Header,
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    encode,
    encode_coefficients,
    read_header,
    recode,
    transform,
)

DCT = (
    "baseline", "extended sequential", "progressive", "arithmetic sequential",
    "arithmetic progressive",
)  # fmt: skip
#: 6 x 4 MCUs.
WHOLE = encode(picture("natural", (64, 96, 3)), optimize=False)


def assert_same_coefficients(one: bytes, other: bytes) -> Header:
    """And tables; gives the header of the first."""
    a, b = decode_coefficients(one), decode_coefficients(other)
    for got, expected in zip(a.components, b.components, strict=True):
        assert np.array_equal(got, expected)
    for got, expected in zip(a.qtables, b.qtables, strict=True):
        assert np.array_equal(got, expected)
    return a.header


def ways(data: bytes) -> list[bytes]:
    """A file written anew by each function."""
    return [
        encode_coefficients(decode_coefficients(data)),
        encode_coefficients(decode_coefficients(data), progressive="search"),
        recode(data),
        transform(data, progressive=False),
        transform(data, progressive=True),
    ]


@happens("Files of all processes with a DCT, 8 and 12 bits")
def _() -> None:
    for process in DCT:
        for precision in (8, 12) if process != "baseline" else (8,):
            data = made(process, precision=precision).data
            for again in ways(data):
                header = assert_same_coefficients(again, data)
                assert again == data or "arithmetic" not in header.process
                assert np.array_equal(decode(again), decode(data))


@happens("1 to 4 components, any sampling factors, any colours")
def _() -> None:
    for stream in (
        made(factors=[(1, 1)] * 2), made(factors=[(3, 2), (2, 1), (1, 2)]), made(factors=[(2, 3)]),
        made(factors=[(1, 1)] * 4, adobe=2), made(identifiers=b"RGB"),
    ):  # fmt: skip
        for again in ways(stream.data):
            header = assert_same_coefficients(again, stream.data)
            assert header.components == read_header(stream.data).components
            assert np.array_equal(decode(again), decode(stream.data))


@happens("Coefficients that were changed")
def _() -> None:
    coefficients = decode_coefficients(WHOLE)
    coefficients.components[0][2, 3, 1, 1] = -1023
    again = decode_coefficients(encode_coefficients(coefficients))
    assert np.array_equal(again.components[0], coefficients.components[0])
    coefficients.components[0][2, 3, 1, 1] = 1024
    with pytest.raises(ValueError, match=r"\[1, 1\] of block \(2, 3\) of component 0 is 1024"):
        encode_coefficients(coefficients)


@happens("A file in fewer bytes (``recode``)")
def _() -> None:
    for progressive in (False, True, "search"):
        smaller = recode(WHOLE, progressive=progressive)
        assert len(smaller) < len(WHOLE)
        assert recode(smaller, progressive=progressive) == smaller


@happens("Turns, mirrors, regions, grey, upright as Exif says (``transform``)")
def _() -> None:
    turned = transform(WHOLE, "rotate90")
    assert decode(turned).shape == (96, 64, 3)
    assert_same_coefficients(transform(turned, "rotate270"), WHOLE)
    part = decode_coefficients(transform(WHOLE, region=(16, 32, 40, 20))).components[0]
    luma = decode_coefficients(WHOLE).components[0]
    assert np.array_equal(part, luma[4:7, 2:7])
    (grey,) = decode_coefficients(transform(WHOLE, grey=True)).components
    assert np.array_equal(grey, luma)
    upright = transform(behind_soi(WHOLE, exif(6)), "orient")
    assert read_header(upright).metadata.orientation == 1
    assert_same_coefficients(upright, turned)


@happens("Incomplete MCUs at an edge that is mirrored")
def _() -> None:
    data = encode(RGB)  # 61 x 45 pixels
    with pytest.raises(ValueError, match="a width of 61 pixels is mirrored in units of 16"):
        transform(data, "flip-horizontal")
    assert read_header(transform(data, "flip-horizontal", edges="trim")).width == 48
    assert read_header(transform(data, "flip-horizontal", edges="leave")).width == 61


@happens("Metadata of the file")
def _() -> None:
    comment = b"\xff\xfe\0\4ab"
    data = behind_soi(WHOLE, exif(1), comment)
    assert read_header(recode(data)).metadata == read_header(data).metadata
    stripped = read_header(recode(data, metadata="strip"))
    assert (stripped.comments, stripped.metadata.exif) == ((), None)
    given = read_header(behind_soi(encode(GREY), comment)).metadata
    assert read_header(recode(data, metadata=given)).comments == (b"ab",)


@happens("Other images behind the first")
def _() -> None:
    data = container(WHOLE, [encode(GREY)])
    again = recode(data)
    assert len(again) < len(data)
    (image,) = read_header(again).metadata.images
    assert again[image.offset : image.offset + image.size] == encode(GREY)
    with pytest.raises(JpegUnsupportedError, match="other images follow the first"):
        transform(data, "rotate90")
    assert decode(transform(data, "rotate90", metadata="strip")).shape == (96, 64, 3)


@happens("Progressive files whose scans stop early")
def _() -> None:
    data = made("progressive", scans=scans_of("progressive", 3)[:3]).data
    assert recode(data) == data


@happens("Lossless and hierarchical files")
def _() -> None:
    for data in (made("lossless").data, frame_of(5)):
        for function in (recode, transform):
            with pytest.raises(JpegUnsupportedError, match=r"no coefficients|hierarchical"):
                function(data)
