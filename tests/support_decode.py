"""Checks of what ``docs/support.rst`` says of decoding."""

from __future__ import annotations

import io
import mmap

import imagecodecs
import numpy as np
import pytest
from helpers import picture, pillow_decode, pillow_encode
from PIL import Image
from support_checks import (
    GREY,
    RGB,
    YCBCR,
    assert_exact,
    assert_longest,
    assert_refused,
    behind_soi,
    decodes,
    exif,
    frame_of,
    made,
    refuses,
    scans_of,
    without,
)

from pyjpegml import (
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    decode_partial,
    encode,
    markers,
    read_header,
)
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.icc import icc_segments
from pyjpegml.segments import comment_segment
from pyjpegml.testing import Coding, Scan

# --- processes ------------------------------------------------------------------------------------


@decodes("Baseline, SOF0, 8 bits")
def _() -> None:
    assert_exact(made())
    assert np.array_equal(decode(pillow_encode(RGB)), pillow_decode(pillow_encode(RGB)))


@decodes("Extended sequential, SOF1, 8 and 12 bits")
def _() -> None:
    for precision in (8, 12):
        assert_exact(made("extended sequential", precision=precision))


@decodes("Progressive, SOF2")
def _() -> None:
    for precision in (8, 12):
        assert_exact(made("progressive", precision=precision))


@decodes("Lossless, SOF3")
def _() -> None:
    for precision in range(2, 17):
        assert_exact(made("lossless", precision=precision))


@refuses("Hierarchical, SOF5 to SOF7, SOF13 to SOF15")
def _() -> None:
    for sof in (5, 6, 7, 13, 14, 15):
        assert_refused("hierarchical", frame_of(sof))
        assert read_header(frame_of(sof)).process.startswith("hierarchical")
    dhp = markers.segment_bytes(markers.DHP, bytes.fromhex("08 0008 0008 01 011100"))
    assert_refused("hierarchical", behind_soi(encode(GREY), dhp))


@decodes("Arithmetic coding, SOF9 and SOF10, 8 and 12 bits")
def _() -> None:
    for process in ("arithmetic sequential", "arithmetic progressive"):
        for precision in (8, 12):
            assert_exact(made(process, precision=precision))


@refuses("Arithmetic lossless, SOF11")
def _() -> None:
    assert_refused("arithmetic lossless", frame_of(11))
    assert read_header(frame_of(11)).process == "arithmetic lossless"


# --- components, sampling, colour -----------------------------------------------------------------


@decodes("Grey (1 component, any sampling factors)")
def _() -> None:
    for factors in ((1, 1), (2, 1), (3, 4)):
        assert assert_exact(made(factors=[factors])).ndim == 2


@decodes("YCbCr: 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0")
def _() -> None:
    for name, factors in SUBSAMPLINGS.items():
        stream = made(factors=factors)
        assert_exact(stream)
        assert (read_header(stream.data).subsampling, stream.color_model) == (name, "YCbCr")


@decodes("RGB components (Adobe marker with transform 0, or identifiers R, G, B)")
def _() -> None:
    for stream in (made(adobe=0), made(identifiers=b"RGB")):
        assert read_header(stream.data).color == "RGB"
        assert np.array_equal(assert_exact(stream), decode(stream.data, color="stored"))


@decodes("Other sampling factors, luma coarser than chroma included")
def _() -> None:
    for factors in ((4, 1), (1, 4), (3, 1), (4, 2), (1, 3)):
        assert_exact(made(factors=[factors, (1, 1), (1, 1)]))
        alone = [Scan((c,), ((0, 0),)) for c in range(3)]  # there would be more than 10 blocks
        assert_exact(made(factors=[(1, 1), factors, factors], scans=alone))
    assert_exact(made(factors=[(2, 2), (2, 1), (1, 2)]))


@decodes("Sampling ratios that are no whole numbers")
def _() -> None:
    stream = made(factors=[(3, 2), (2, 1), (1, 2)])
    planes = assert_exact(stream)
    with pytest.raises(imagecodecs.Jpeg8Error):
        imagecodecs.jpeg8_decode(stream.data)
    assert planes.shape == (27, 21, 3)


@decodes("CMYK and YCCK")
def _() -> None:
    for transform, name in ((None, "CMYK"), (0, "CMYK"), (2, "YCCK")):
        stream = made(factors=[(1, 1)] * 4, adobe=transform)
        pixels = assert_exact(stream)
        assert read_header(stream.data).color == name
        inks = (
            pillow_decode(stream.data)
            if transform is not None
            else imagecodecs.jpeg8_decode(stream.data)
        )
        assert np.array_equal(pixels, inks)
        assert decode(stream.data, color="RGB").shape == (27, 21, 3)
    bare = picture("noise", (8, 8, 4))
    bare[...] = 0
    assert not decode(pillow_encode_cmyk(bare)).any()


def pillow_encode_cmyk(inks: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(target, "JPEG")
    return target.getvalue()


@decodes("2 components")
def _() -> None:
    assert assert_exact(made(factors=[(1, 1)] * 2)).shape == (27, 21, 2)


@refuses("More than 4 components")
def _() -> None:
    assert_refused("5 components are not supported", frame_of(0, 5))


@decodes("Other colours on request: RGB, grey, YCbCr, the components as stored")
def _() -> None:
    data = encode(RGB, subsampling="4:4:4")
    ycbcr = decode(data, color="YCbCr")
    assert np.array_equal(ycbcr, decode(data, color="stored"))
    assert np.array_equal(ycbcr[..., 0], decode(data, color="grey"))
    assert np.array_equal(decode(data), decode(data, color="RGB"))


@decodes("Other colours of more than 8 bits")
def _() -> None:
    stream = made("extended sequential", precision=12, adobe=0)
    rgb, grey = decode(stream.data), decode(stream.data, color="grey")
    assert abs(rgb @ [0.299, 0.587, 0.114] - grey).max() < 1
    assert np.array_equal(decode(stream.data, color="YCbCr")[..., 0], grey)


@decodes("Sides of 1 to 65535 pixels")
def _() -> None:
    for shape in ((1, 1), (1, 65500), (65500, 1)):  # the most that libjpeg takes
        data = pillow_encode(picture("gradient", shape))
        assert np.array_equal(decode(data), pillow_decode(data))
    assert_longest()


@decodes("Height defined behind the first scan (DNL)")
def _() -> None:
    stream = made(dnl=True)
    assert_exact(stream)
    assert read_header(stream.data).height == 27


# --- scans, tables, markers -----------------------------------------------------------------------


@decodes("One interleaved scan of all components")
def _() -> None:
    for factors in (YCBCR, SUBSAMPLINGS["4:2:0"], ((1, 1),) * 4):
        assert_exact(made(factors=factors))


@decodes("Several scans, or scans of some components")
def _() -> None:
    slots = ((0, 0), (1, 1))
    assert_exact(made(scans=[Scan((c,), slots[:1]) for c in (2, 0, 1)]))
    assert_exact(
        made(factors=SUBSAMPLINGS["4:2:0"], scans=[Scan((0,), slots[:1]), Scan((1, 2), slots)])
    )
    assert_exact(made("lossless", scans=[Scan((c,), slots[:1], start=c + 1) for c in range(3)]))


@decodes("Spectral selection and successive approximation in any legal order")
def _() -> None:
    every, slots = (0, 1, 2), ((0, 0),) * 3
    script = [
        Scan(every, slots, 0, 0, 0, 2),
        Scan((1,), slots[:1], 40, 63, 0, 1),
        Scan(every, slots, 0, 0, 2, 1),
        *(Scan((c,), slots[:1], 1, 39, 0, 0) for c in (2, 1, 0)),
        *(Scan((c,), slots[:1], 40, 63, 0, 0) for c in (0, 2)),
        Scan((1,), slots[:1], 40, 63, 1, 0),
        Scan(every, slots, 0, 0, 1, 0),
    ]
    for process in ("progressive", "arithmetic progressive"):
        assert_exact(made(process, scans=script))


@decodes("Progressive scans that stop early, smoothed as libjpeg-turbo does it")
def _() -> None:
    for count in (1, 2, 4, 8):
        stream = made("progressive", scans=scans_of("progressive", 3)[:count])
        assert_exact(stream)


@decodes("All seven predictors, and point transforms, of lossless scans")
def _() -> None:
    for predictor in range(1, 8):
        for low in (0, 3):
            script = [Scan((0, 1, 2), ((0, 0),) * 3, start=predictor, low=low)]
            assert_exact(made("lossless", scans=script, precision=9))


@decodes("Restart markers")
def _() -> None:
    for process in ("baseline", "arithmetic sequential", "lossless"):
        (scan,) = scans_of(process, 3)
        interval = 21 if process == "lossless" else 2
        restarts = Scan(scan.components, scan.slots, start=scan.start, restart_interval=interval)
        stream = made(process, scans=[restarts])
        assert_exact(stream)
        assert b"\xff\xd0" in stream.data
        assert b"\xff\xd1" in stream.data


@decodes("Restart intervals that change from scan to scan")
def _() -> None:
    slots = ((0, 0),)
    script = [Scan((c,), slots, restart_interval=c * 2) for c in range(3)]
    assert_exact(made(scans=script))


@decodes("Quantization tables of 8 bits")
def _() -> None:
    stream = made(qtables={(0, 0): np.arange(1, 65, dtype=np.uint16).reshape(8, 8)})
    assert_exact(stream)
    assert read_header(stream.data).qtables[0][7, 7] == 64


@decodes("Quantization tables of 16 bits")
def _() -> None:
    table = np.full((8, 8), 300, np.uint16)
    stream = made("extended sequential", precision=12, qtables={(0, 0): table})
    assert_exact(stream)
    assert_exact(made("extended sequential", wide_qtables=True))


@decodes("Tables that change between scans")
def _() -> None:
    tables = {(c, 0): np.full((8, 8), c + 1, np.uint16) for c in range(3)}
    script = [Scan((c,), ((0, 0),)) for c in range(3)]
    stream = made(scans=script, qtables=tables)
    assert_exact(stream)
    assert [int(table[0, 0]) for table in stream.qtables] == [1, 2, 3]
    assert stream.data.count(b"\xff\xc4") >= 3


@decodes("Huffman tables in the file, optimal or Annex K's")
def _() -> None:
    for kind in ("optimal", "standard", "skewed", "flat"):
        assert_exact(made(coding=Coding(kind)))


@decodes("Conditioning of arithmetic tables (DAC)")
def _() -> None:
    conditioning = {(0, 0): 0x53, (1, 0): 9}
    script = [Scan((0, 1, 2), ((0, 0),) * 3, conditioning=conditioning)]
    stream = made("arithmetic sequential", scans=script)
    assert_exact(stream)
    assert b"\xff\xcc" in stream.data


@decodes("No Huffman tables in the file (Motion JPEG)")
def _() -> None:
    data = encode(RGB, optimize=False)
    bare = without(data, markers.DHT)
    assert np.array_equal(decode(bare), decode(data))
    assert "standard ones" in decode_partial(bare)[1].warnings[0]


@decodes("Tables in a stream of their own (T.81 B.5)")
def _() -> None:
    data = encode(RGB)
    kinds = (markers.DHT, markers.DQT)
    tables = b"".join(data[s.offset : s.end] for s in markers.segments(data) if s.code in kinds)
    bare = without(data, *kinds)
    assert np.array_equal(decode(bare, tables=b"\xff\xd8" + tables + b"\xff\xd9"), decode(data))


@decodes("JFIF marker")
def _() -> None:
    stream = made(identifiers=b"RGB", jfif=True)
    assert read_header(stream.data).jfif
    assert read_header(stream.data).color == "YCbCr"
    assert_exact(stream)


@decodes("Adobe marker")
def _() -> None:
    for transform in (0, 1):
        stream = made(adobe=transform)
        assert_exact(stream)
        assert read_header(stream.data).adobe_transform == transform


@decodes("Comments")
def _() -> None:
    data = behind_soi(
        encode(GREY), *(markers.segment_bytes(*comment_segment(t)) for t in (b"a", b"b"))
    )
    assert read_header(data).comments == (b"a", b"b")


@decodes("EXIF, ICC profiles, XMP, thumbnails")
def _() -> None:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    thumbnail = b"JFXX\0\x13\x02\x01" + bytes(range(6))
    profile = bytes(range(256)) * 300
    data = behind_soi(
        encode(GREY), exif(1), markers.segment_bytes(0xE1, xmp),
        markers.segment_bytes(0xE0, thumbnail),
        *(markers.segment_bytes(code, bytes(payload)) for code, payload in icc_segments(profile)),
    )  # fmt: skip
    metadata = read_header(data).metadata
    assert metadata.exif == exif(1)[10:]
    assert metadata.icc == profile
    assert metadata.xmp == b"<x:xmpmeta/>"
    assert len(metadata.thumbnails) == 1
    assert np.array_equal(decode(data), decode(encode(GREY)))


@decodes("Orientation (EXIF)")
def _() -> None:
    data = behind_soi(encode(RGB), exif(6))
    assert np.array_equal(decode(data, apply_orientation=True), np.rot90(decode(data), -1))


@decodes("Several images in a file (MPO, Ultra HDR)")
def _() -> None:
    target = io.BytesIO()
    images = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    images[0].save(target, "MPO", save_all=True, append_images=images[1:])
    data = target.getvalue()
    assert np.array_equal(decode(data), pillow_decode(data))
    assert len(read_header(data).metadata.images) == 1


@decodes("Fill bytes before markers, bytes behind EOI")
def _() -> None:
    stream = made(fill=((0, 3), (2, 1), (3, 200)), trailing=b"\xff\xd8 and more")
    assert_exact(stream)
    assert stream.data.endswith(b"and more")


# --- what a caller can ask for --------------------------------------------------------------------


@decodes("Data as bytes, bytearray, memoryview, mmap or a binary file")
def _() -> None:
    data = encode(GREY)
    with mmap.mmap(-1, len(data)) as mapped:
        mapped[:] = data
        for given in (bytearray(data), memoryview(data), mapped, io.BytesIO(data)):
            assert np.array_equal(decode(given), decode(data))


@decodes("A part of the picture (``region``)")
def _() -> None:
    for stream in (
        made(), made("progressive"), made("lossless"), made("progressive", precision=12),
        made("arithmetic sequential"), made(factors=[(3, 2), (2, 1), (1, 2)]),
    ):  # fmt: skip
        part = decode(stream.data, region=(5, 9, 11, 17))
        assert np.array_equal(part, decode(stream.data)[9:26, 5:16])


@decodes("Scales of 1/2, 1/4 and 1/8, of all processes with a DCT")
def _() -> None:
    for process, precision in (
        ("baseline", 8), ("progressive", 8), ("progressive", 12), ("arithmetic sequential", 8),
    ):  # fmt: skip
        stream = made(process, precision=precision, factors=[(1, 1)])
        assert decode(stream.data, scale=2).shape == (14, 11)
        assert decode(stream.data, scale=4).shape == (7, 6)
        dc = stream.coefficients[0][..., 0, 0] * int(stream.qtables[0][0, 0])
        grey = 1 << (precision - 1)
        expected = np.clip((dc + 4 >> 3) + grey, 0, 2 * grey - 1)
        assert np.array_equal(decode(stream.data, scale=8), expected)


@refuses("Scales of lossless files")
def _() -> None:
    assert_refused("a lossless picture has no transform", made("lossless").data, scale=4)


@decodes("Coefficients of all processes with a DCT")
def _() -> None:
    for process in (
        "baseline", "extended sequential", "progressive", "arithmetic sequential",
        "arithmetic progressive",
    ):  # fmt: skip
        assert_exact(made(process, factors=SUBSAMPLINGS["4:2:2"]))


@refuses("Coefficients of lossless files")
def _() -> None:
    with pytest.raises(JpegUnsupportedError, match="samples, and no coefficients"):
        decode_coefficients(made("lossless").data)


@decodes("An array of the caller's for the pixels (``out``)")
def _() -> None:
    data, out = encode(RGB), np.zeros_like(RGB)
    assert decode(data, out=out) is out
    assert np.array_equal(out, decode(data))


@decodes("Threads")
def _() -> None:
    data = encode(picture("natural", (1100, 1000)), quality=50)
    assert np.array_equal(decode(data, threads=2), decode(data))
