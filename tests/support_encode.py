"""Checks of what ``docs/support.rst`` says of encoding."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from helpers import picture
from support_checks import (
    GREY,
    RGB,
    assert_longest,
    encode_refuses,
    encodes,
    exif,
    made,
)

from pyjpegml import (
    Header,
    Metadata,
    decode,
    decode_coefficients,
    encode,
    encode_coefficients,
    markers,
    read_header,
)
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.quantize import standard_qtables
from pyjpegml.scripts import Scan

INKS = picture("natural", (45, 61, 4), 2)
DEEP = RGB.astype(np.uint16) << np.uint16(4) | RGB >> np.uint8(4)


def written(image: np.ndarray | tuple[np.ndarray, ...], **options: object) -> Header:
    """Header of a file of these pixels, when libjpeg-turbo has been seen to decode it as we do."""
    data = encode(image, **options)
    header, pixels = read_header(data), decode(data)
    expected = np.asarray(imagecodecs.jpeg8_decode(data))
    if header.color in ("CMYK", "YCCK"):  # whose inks it leaves as they are stored
        expected = expected ^ expected.dtype.type((1 << header.precision) - 1)
    assert np.array_equal(pixels, expected)
    return header


def count_segments(data: bytes, code: int) -> int:
    return sum(segment.code == code for segment in markers.segments(data))


# --- processes ------------------------------------------------------------------------------------


@encodes("Baseline, SOF0, 8 bits")
def _() -> None:
    for image in (RGB, GREY):
        assert written(image).process == "baseline"


@encodes("Extended sequential, SOF1, 8 and 12 bits")
def _() -> None:
    for image, options in ((DEEP, {}), (RGB, {"qtables": np.full((8, 8), 300)})):
        header = written(image, **options)
        assert header.process == "extended sequential"
        assert header.precision == (12 if image is DEEP else 8)


@encodes("Progressive, SOF2")
def _() -> None:
    for image in (RGB, GREY, INKS, DEEP):
        color = {"color": "CMYK"} if image is INKS else {}
        for progressive in (True, "search"):
            header = written(image, progressive=progressive, **color)
            assert header.process == "progressive"
            assert header.precision == (12 if image is DEEP else 8)
            assert np.array_equal(
                decode(encode(image, progressive=progressive, **color)),
                decode(encode(image, **color)),
            )


@encodes("Lossless, SOF3")
def _() -> None:
    for bits in range(2, 17):
        image = (RGB.astype(np.uint16) * 257 >> np.uint16(16 - bits)).astype(
            np.uint8 if bits <= 8 else np.uint16
        )
        header = written(image, lossless=True, precision=bits)
        assert (header.process, header.precision) == ("lossless", bits)
        assert np.array_equal(decode(encode(image, lossless=True, precision=bits)), image)


# --- components, sampling, colour -----------------------------------------------------------------


@encodes("Grey (1 component, any sampling factors)")
def _() -> None:
    assert written(GREY).color == "grey"
    for factors in ((2, 1), (3, 4)):  # of coefficients alone
        source = made(factors=[factors])
        again = encode_coefficients(decode_coefficients(source.data))
        assert read_header(again).components[0].h == factors[0]
        assert np.array_equal(decode(again), decode(source.data))


@encodes("YCbCr: 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0")
def _() -> None:
    for name in SUBSAMPLINGS:
        header = written(RGB, subsampling=name)
        assert (header.subsampling, header.color) == (name, "YCbCr")


@encodes("RGB components (Adobe marker with transform 0, or identifiers R, G, B)")
def _() -> None:
    for image in (RGB, DEEP):
        for more in ({}, {"progressive": True}, {"lossless": True}):
            assert written(image, stored_as="RGB", **more).color == "RGB"


@encodes("Other sampling factors, luma coarser than chroma included")
def _() -> None:
    for factors in ("3x1,1x1,1x1", "1x3,1x1,1x1", "2x2,2x1,1x2", "1x1,2x2,2x2", "4x4,1x1,1x1"):
        for image in (RGB, DEEP):
            assert written(image, subsampling=factors).subsampling == factors


@encode_refuses("Sampling ratios that are no whole numbers")
def _() -> None:
    with pytest.raises(ValueError, match="2/3 of the columns"):
        encode(RGB, subsampling="3x1,2x1,2x1")


@encodes("CMYK and YCCK")
def _() -> None:
    for name in ("CMYK", "YCCK"):
        for more in ({}, {"progressive": True}, {"subsampling": "1x1,2x2,2x2,2x2"}):
            assert written(INKS, color="CMYK", stored_as=name, **more).color == name
    assert not decode(encode(np.zeros((8, 8, 4), np.uint8), color="CMYK")).any()


@encode_refuses("2 components")
def _() -> None:
    with pytest.raises(ValueError, match=r"this array is \(45, 61, 2\)"):
        encode(RGB[..., :2])
    with pytest.raises(ValueError, match="2 planes are given"):
        encode((GREY, GREY))


@encode_refuses("More than 4 components")
def _() -> None:
    for image in (picture("noise", (8, 8, 5)), (GREY,) * 5):
        with pytest.raises(ValueError, match=r"an image is \(h, w\)"):
            encode(image)


@encodes("Other colours on request: RGB, grey, YCbCr, the components as stored")
def _() -> None:
    ycbcr = decode(encode(RGB, subsampling="4:4:4"), color="YCbCr")
    assert written(RGB, stored_as="grey").color == "grey"
    assert written(ycbcr, color="YCbCr").color == "YCbCr"
    assert written(ycbcr, color="stored", stored_as="RGB").color == "RGB"


@encodes("Other colours of more than 8 bits")
def _() -> None:
    for image, options in (
        (DEEP, {"stored_as": "grey"}), (DEEP, {"color": "YCbCr"}), (DEEP, {"stored_as": "RGB"}),
    ):  # fmt: skip
        header = written(image, **options)
        assert header.precision == 12
        assert header.color == (options.get("stored_as") or "YCbCr")


@encode_refuses("Alpha channel")
def _() -> None:
    for more in ({}, {"lossless": True}, {"progressive": True}):
        with pytest.raises(ValueError, match="alpha channel JPEG cannot hold"):
            encode(INKS, **more)


@encodes("Sides of 1 to 65535 pixels")
def _() -> None:
    assert decode(encode(GREY[:1, :1])).shape == (1, 1)
    assert_longest()


# --- scans, tables, markers -----------------------------------------------------------------------


@encodes("One interleaved scan of all components")
def _() -> None:
    (scan,) = written(RGB).scans
    assert len(scan.components) == 3


@encodes("Several scans, or scans of some components")
def _() -> None:
    photo = picture("natural", (200, 300, 3), 1)
    assert len(written(photo, optimize="scans").scans) > 1
    assert len(written(RGB, subsampling="4x4,1x1,1x1").scans) == 2  # 16 blocks, and 2


@encodes("Spectral selection and successive approximation in any legal order")
def _() -> None:
    script = [
        Scan((0, 1, 2), 0, 0, 0, 2), Scan((1,), 40, 63, 0, 1), Scan((0, 1, 2), 0, 0, 2, 1),
        *(Scan((c,), 1, 39, 0, 0) for c in (2, 1, 0)),
        *(Scan((c,), 40, 63, 0, 0) for c in (0, 2)),
        Scan((1,), 40, 63, 1, 0), Scan((0, 1, 2), 0, 0, 1, 0),
    ]  # fmt: skip
    assert len(written(RGB, progressive=script).scans) == len(script)
    assert np.array_equal(decode(encode(RGB, progressive=script)), decode(encode(RGB)))


@encode_refuses("Progressive scans that stop early, smoothed as libjpeg-turbo does it")
def _() -> None:
    with pytest.raises(ValueError, match="the script sends nothing of coefficient 1"):
        encode(GREY, progressive=[Scan((0,), 0, 0, 0, 0)])


@encodes("All seven predictors, and point transforms, of lossless scans")
def _() -> None:
    for predictor in range(1, 8):
        for low in (0, 3):
            options = {"lossless": True, "predictor": predictor, "point_transform": low}
            (scan,) = written(DEEP, **options).scans
            assert (scan.start, scan.low) == (predictor, low)
            assert np.array_equal(decode(encode(DEEP, **options)), DEEP >> low << low)


@encodes("Restart markers")
def _() -> None:
    assert written(RGB, restart_interval=3).restart_interval == 3
    assert written(RGB, restart_rows=2).restart_interval == 8  # 4 MCUs of 16 pixels in a row
    assert written(RGB, restart_interval=3, progressive=True).restart_interval == 3
    assert written(RGB, restart_rows=2, lossless=True).restart_interval == 2 * 61


@encodes("Restart intervals that change from scan to scan")
def _() -> None:
    options = {"restart_rows": 1, "subsampling": "4x4,1x1,1x1"}
    assert len(written(RGB, **options).scans) == 2
    assert count_segments(encode(RGB, **options), markers.DRI) == 2


@encodes("Quantization tables of 8 bits")
def _() -> None:
    table = np.arange(1, 65).reshape(8, 8)
    assert np.array_equal(written(GREY, qtables=table).qtables[0], table)
    assert np.array_equal(written(RGB, quality=30).qtables[1], standard_qtables(30)[1])


@encodes("Quantization tables of 16 bits")
def _() -> None:
    table = np.arange(1000, 1064).reshape(8, 8)
    for image in (GREY, RGB, DEEP):
        for progressive in (False, True):
            header = written(image, qtables=table, progressive=progressive)
            assert np.array_equal(header.qtables[0], table)


@encodes("Tables that change between scans")
def _() -> None:
    """Huffman's; a quantization table stays what it is."""
    data = encode(picture("natural", (200, 300, 3), 1), progressive=True)
    kinds = [s.code for s in markers.segments(data) if s.code in (markers.DHT, markers.SOS)]
    assert markers.DHT in kinds[kinds.index(markers.SOS) :]


@encodes("Huffman tables in the file, optimal or Annex K's")
def _() -> None:
    assert len(encode(RGB, optimize=True)) < len(encode(RGB, optimize=False))
    assert np.array_equal(decode(encode(RGB)), decode(encode(RGB, optimize=False)))


@encodes("JFIF marker")
def _() -> None:
    assert written(RGB).jfif
    assert not written(RGB, stored_as="RGB").jfif


@encodes("Adobe marker")
def _() -> None:
    for transform, image, options in (
        (0, RGB, {"stored_as": "RGB"}), (0, INKS, {"color": "CMYK"}),
        (2, INKS, {"color": "CMYK", "stored_as": "YCCK"}),
    ):  # fmt: skip
        assert written(image, **options).adobe_transform == transform


@encodes("Comments")
def _() -> None:
    metadata = Metadata.made_of(comments=[b"a", b"b"])
    assert written(RGB, metadata=metadata).comments == (b"a", b"b")


@encodes("EXIF, ICC profiles, XMP, thumbnails")
def _() -> None:
    profile, packet = bytes(range(256)) * 300, b"<x:xmpmeta/>"
    metadata = Metadata.made_of(exif=exif(1)[10:], icc=profile, xmp=packet)
    thumbnail = 0xE0, b"JFXX\0\x13\x02\x01" + bytes(range(6))
    for options in ({}, {"progressive": True}, {"lossless": True}):
        found = written(RGB, metadata=Metadata((*metadata.segments, thumbnail)), **options).metadata
        assert (found.exif, found.icc, found.xmp) == (exif(1)[10:], profile, packet)
        assert len(found.thumbnails) == 1


@encodes("Orientation (EXIF)")
def _() -> None:
    metadata = Metadata.made_of(exif=exif(6)[10:])
    data = encode(RGB, metadata=metadata)
    assert read_header(data).metadata.orientation == 6
    assert np.array_equal(decode(data), decode(encode(RGB)))


# --- what a caller can ask for --------------------------------------------------------------------


@encodes("Coefficients of all processes with a DCT")
def _() -> None:
    for process in ("baseline", "progressive", "arithmetic sequential"):
        for precision in (8, 12) if process != "baseline" else (8,):
            source = made(process, precision=precision)
            again = encode_coefficients(decode_coefficients(source.data))
            for got, expected in zip(
                decode_coefficients(again).components, source.coefficients, strict=True
            ):
                assert np.array_equal(got, expected)


@encodes("Components one by one, each of its own size")
def _() -> None:
    y, cb, cr = picture("natural", (46, 62)), *(picture("natural", (23, 31), s) for s in (1, 2))
    for deep in (False, True):
        planes = tuple(p.astype(np.uint16) << 4 if deep else p for p in (y, cb, cr))
        header = written(planes, subsampling="4:2:0", quality=100)
        assert (header.color, header.width, header.height) == ("YCbCr", 62, 46)


@encodes("Tables of each component, by quality, by value, or those of another file")
def _() -> None:
    header = written(RGB, quality=(90, 50), subsampling="4:4:4")
    assert np.array_equal(header.qtables[0], standard_qtables(90)[0])
    assert np.array_equal(header.qtables[1], standard_qtables(50)[1])
    assert written(RGB, qtables=header).qtables.keys() == header.qtables.keys()
    tables = np.stack([np.full((8, 8), step) for step in (2, 3, 4)])
    assert [int(t[0, 0]) for t in written(RGB, qtables=tables).qtables.values()] == [2, 3, 4]


@encodes("Threads")
def _() -> None:
    image = picture("natural", (1100, 1000))
    assert encode(image, threads=2) == encode(image)
