"""The tables of ``docs/support.rst`` say what is so.

Each row has checks here, found by its title. A cell of *Decode* that begins with "yes" needs a
check that is registered with :func:`decodes`, one that begins with "error" a check of
:func:`refuses`; for *Encode* there are :func:`encodes` and :func:`encode_refuses`. "no" stands for
what cannot even be asked for, and has no check. Rows without checks, and checks without rows, fail.
"""

from __future__ import annotations

import io
import mmap
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from helpers import REPOSITORY, picture, pillow_decode, pillow_encode

from pyjpegml import (
    JpegError,
    JpegFormatError,
    JpegLimitError,
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    decode_partial,
    encode,
    markers,
    read_header,
    scripts,
)
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.icc import icc_segments
from pyjpegml.quantize import standard_qtables
from pyjpegml.segments import comment_segment
from pyjpegml.testing import (
    Coding,
    Component,
    Content,
    Frame,
    Layout,
    Scan,
    Stream,
    make_legal,
    write_stream,
)

DOCS = REPOSITORY / "docs" / "support.rst"
TESTS = Path(__file__).parent

Check = Callable[[], None]
DECODES: dict[str, Check] = {}
REFUSES: dict[str, Check] = {}
ENCODES: dict[str, Check] = {}
ENCODE_REFUSES: dict[str, Check] = {}
DEFECTS: dict[str, Check] = {}


def _register(checks: dict[str, Check], title: str) -> Callable[[Check], Check]:
    def put(check: Check) -> Check:
        assert title not in checks, f"two checks for {title}"
        checks[title] = check
        return check

    return put


def decodes(title: str) -> Callable[[Check], Check]:
    """Files of this kind are decoded, and to what is in them."""
    return _register(DECODES, title)


def refuses(title: str) -> Callable[[Check], Check]:
    """Files or wishes of this kind are refused by a JpegUnsupportedError that names the feature."""
    return _register(REFUSES, title)


def encodes(title: str) -> Callable[[Check], Check]:
    """Files of this kind are written."""
    return _register(ENCODES, title)


def encode_refuses(title: str) -> Callable[[Check], Check]:
    """The encoder refuses to write files of this kind."""
    return _register(ENCODE_REFUSES, title)


def defect(title: str) -> Callable[[Check], Check]:
    """What is said to happen does."""
    return _register(DEFECTS, title)


# --- the tables -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Title and cells, their lines joined."""

    table: str
    title: str
    cells: tuple[str, ...]


def _rows() -> list[Row]:
    """All rows of all tables but their heads."""
    rows = []
    for table in DOCS.read_text(encoding="utf-8").split(".. list-table:: ")[1:]:
        name, _, body = table.partition("\n")
        for row in re.split(r"^   \* - ", body, flags=re.MULTILINE)[2:]:
            cells = [" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.M)]
            rows.append(Row(name, cells[0], tuple(cells[1:])))
    return rows


ROWS = _rows()
FEATURES = [row for row in ROWS if not row.table.startswith("Data that are not")]
BROKEN = [row for row in ROWS if row not in FEATURES]


def test_each_row_has_checks_and_each_check_a_row() -> None:
    assert len({row.title for row in FEATURES}) == len(FEATURES) > 40
    kinds = {
        "decode yes": DECODES, "decode error": REFUSES, "decode no": {},
        "encode yes": ENCODES, "encode error": ENCODE_REFUSES, "encode no": {},
    }  # fmt: skip
    expected: dict[str, set[str]] = {kind: set() for kind in kinds}
    for row in FEATURES:
        for what, cell in zip(("decode", "encode"), row.cells, strict=False):
            verdict = re.match("yes|no|error", cell)
            assert verdict, f"{row.title}: {cell}"
            expected[f"{what} {verdict[0]}"].add(row.title)
    for kind, checks in kinds.items():
        if not kind.endswith("no"):
            assert set(checks) == expected[kind], kind
    assert set(DEFECTS) == {row.title for row in BROKEN}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_named_tests_are_there(row: Row) -> None:
    name = row.cells[-1].strip("`")
    assert (TESTS / name).is_file()


# --- files to try ---------------------------------------------------------------------------------

RGB = picture("natural", (45, 61, 3), 1)
GREY = RGB[..., 1].copy()
Factors = Sequence[tuple[int, int]]
YCBCR = ((1, 1),) * 3


def scans_of(process: str, count: int) -> list[Scan]:
    """A usual script."""
    everything, slots = tuple(range(count)), ((0, 0),) * count
    if process == "lossless":
        return [Scan(everything, slots, start=1)]
    if not process.endswith("progressive"):
        return [Scan(everything, slots)]
    return [
        Scan(everything, slots, 0, 0, 0, 1),
        *(Scan((c,), slots[:1], 1, 5, 0, 2) for c in everything),
        *(Scan((c,), slots[:1], 6, 63, 0, 2) for c in everything),
        *(Scan((c,), slots[:1], 1, 63, low + 1, low) for low in (1, 0) for c in everything),
        Scan(everything, slots, 0, 0, 1, 0),
    ]


def made(
    process: str = "baseline",
    factors: Factors = YCBCR,
    precision: int = 8,
    identifiers: bytes = b"\1\2\3\4",
    scans: Sequence[Scan] | None = None,
    qtables: dict[tuple[int, int], np.ndarray] | None = None,
    coding: Coding | None = None,
    **layout: object,
) -> Stream:
    """A file of 21 x 27 pixels of noise."""
    rng = np.random.default_rng(precision)
    components = tuple(
        Component(name, h, v) for name, (h, v) in zip(identifiers, factors, strict=False)
    )
    frame = Frame(process, precision, 21, 27, components)
    if process == "lossless":
        units = tuple(
            rng.integers(0, 1 << precision, frame.padded_size(i)) for i in range(len(components))
        )
        content = Content(units)
    else:
        table = rng.integers(1, 30, (8, 8)).astype(np.uint16)
        content = Content(
            tuple(
                make_legal(
                    rng.integers(-9, 9, (*frame.padded_size(i), 8, 8), endpoint=True),
                    table.astype(np.int64), precision,
                )
                for i in range(len(components))
            ),
            qtables or {(0, 0): table},
        )  # fmt: skip
    script = scans or scans_of(process, len(components))
    return write_stream(frame, script, content, coding, Layout(**layout))


def assert_exact(stream: Stream) -> np.ndarray:
    """The content is what was written, and the pixels are libjpeg-turbo's where it has any."""
    frame, pixels = stream.frame, decode(stream.data)
    assert pixels.shape[:2] == (frame.height, frame.width)
    assert pixels.dtype == (np.uint8 if frame.precision <= 8 else np.uint16)
    if frame.lossless:
        stored = decode(stream.data, color="stored").reshape(frame.height, frame.width, -1)
        y, x = np.arange(frame.height), np.arange(frame.width)
        for i, (part, samples) in enumerate(zip(frame.components, stream.samples, strict=True)):
            h, v = (part.h, part.v) if len(frame.components) > 1 else (1, 1)
            h_max, v_max = (frame.h_max, frame.v_max) if len(frame.components) > 1 else (1, 1)
            assert np.array_equal(stored[..., i], samples[np.ix_(y * v // v_max, x * h // h_max)])
        return pixels
    found = decode_coefficients(stream.data)
    for got, expected in zip(found.components, stream.coefficients, strict=True):
        assert np.array_equal(got, expected)
    for got, expected in zip(found.qtables, stream.qtables, strict=True):
        assert np.array_equal(got, expected)
    try:
        reference = imagecodecs.jpeg8_decode(stream.data)
    except imagecodecs.Jpeg8Error:
        return pixels
    if len(frame.components) != 4:  # whose inks it leaves as they are
        assert np.array_equal(pixels, reference.reshape(pixels.shape))
    return pixels


def without(data: bytes, *codes: int) -> bytes:
    """A file without its segments of these kinds."""
    for segment in reversed(list(markers.segments(data))):
        if segment.code in codes:
            data = data[: segment.offset] + data[segment.end :]
    return data


def behind_soi(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    return markers.segment_bytes(0xE1, b"Exif\0\0" + b"II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0")


def frame_of(sof: int, count: int = 1, precision: int = 8) -> bytes:
    """A file that ends with its scan header."""
    components = tuple(markers.FrameComponent(i + 1, 1, 1, 0) for i in range(count))
    frame = markers.frame_bytes(markers.Frame(sof, precision, 8, 8, components))
    table = markers.qtable_bytes(0, np.ones((8, 8), np.uint16))
    return b"\xff\xd8" + table + frame + markers.scan_bytes([(1, 0, 0)]) + b"\xff\xd9"


def assert_refused(what: str, data: bytes, **options: object) -> None:
    with pytest.raises(JpegUnsupportedError, match=what):
        decode(data, **options)


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


@decodes("YCbCr: 4:4:4, 4:2:2, 4:2:0, 4:4:0")
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
    from PIL import Image

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


@refuses("Other colours of more than 8 bits")
def _() -> None:
    stream = made("extended sequential", precision=12, adobe=0)
    assert_refused('not converted to grey; it can be "stored"', stream.data, color="grey")


@decodes("Sides of 1 to 65535 pixels")
def _() -> None:
    for shape in ((1, 1), (1, 65500), (65500, 1)):  # the most that libjpeg takes
        data = pillow_encode(picture("gradient", shape))
        assert np.array_equal(decode(data), pillow_decode(data))
    assert_longest()


def assert_longest() -> None:
    """Written and read: with steps of 1 no sample changes by more than 1."""
    for shape in ((1, 65535), (65535, 1)):
        image = picture("gradient", shape)
        data = encode(image, quality=100)
        assert (read_header(data).height, read_header(data).width) == shape
        assert np.abs(decode(data).astype(int) - image).max() <= 1


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
    from PIL import Image

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


@decodes("Scales of 1/2, 1/4 and 1/8, of 8 bits")
def _() -> None:
    for process in ("baseline", "progressive", "arithmetic sequential"):
        stream = made(process, factors=[(1, 1)])
        assert decode(stream.data, scale=2).shape == (14, 11)
        assert decode(stream.data, scale=4).shape == (7, 6)
        dc = stream.coefficients[0][..., 0, 0] * int(stream.qtables[0][0, 0])
        assert np.array_equal(decode(stream.data, scale=8), np.clip((dc + 4 >> 3) + 128, 0, 255))


@refuses("Scales of more than 8 bits, and of lossless files")
def _() -> None:
    assert_refused(
        "12 bits are not decoded at a scale", made("progressive", precision=12).data, scale=2
    )
    assert_refused("lossless pictures are not decoded at a scale", made("lossless").data, scale=4)


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


# --- encoding -------------------------------------------------------------------------------------


@encodes("Baseline, SOF0, 8 bits")
def _() -> None:
    assert read_header(encode(RGB)).process == "baseline"
    assert np.array_equal(decode(encode(RGB)), pillow_decode(encode(RGB)))


@encodes("Progressive, SOF2")
def _() -> None:
    data = encode(RGB, progressive=True)
    assert read_header(data).process == "progressive"
    assert np.array_equal(decode(data), decode(encode(RGB)))
    assert np.array_equal(decode(data), pillow_decode(data))


@encodes("Grey (1 component, any sampling factors)")
def _() -> None:
    assert read_header(encode(GREY)).color == "grey"


@encodes("YCbCr: 4:4:4, 4:2:2, 4:2:0, 4:4:0")
def _() -> None:
    for name in SUBSAMPLINGS:
        header = read_header(encode(RGB, subsampling=name))
        assert (header.subsampling, header.color) == (name, "YCbCr")


@encodes("Extended sequential, SOF1, 8 and 12 bits")
def _() -> None:
    deep = RGB.astype(np.uint16) * 16
    header = read_header(encode(deep))
    assert (header.process, header.precision) == ("extended sequential", 12)
    assert np.array_equal(decode(encode(deep)), imagecodecs.jpeg8_decode(encode(deep)))
    data = encode(GREY, qtables=np.full((8, 8), 300))
    assert (read_header(data).process, read_header(data).precision) == ("extended sequential", 8)
    assert np.array_equal(decode(data), imagecodecs.jpeg8_decode(data))


@encodes("Lossless, SOF3")
def _() -> None:
    for image in (GREY, RGB, RGB.astype(np.uint16) * 257):
        data = encode(image, lossless=True)
        assert read_header(data).process == "lossless"
        assert np.array_equal(decode(data), image)


@encodes("All seven predictors, and point transforms, of lossless scans")
def _() -> None:
    for predictor in range(1, 8):
        data = encode(GREY, lossless=True, predictor=predictor, point_transform=2)
        assert np.array_equal(decode(data), GREY & ~np.uint8(3))


@encodes("RGB components (Adobe marker with transform 0, or identifiers R, G, B)")
@encodes("Adobe marker")
def _() -> None:
    data = encode(RGB, stored_as="RGB")
    assert (read_header(data).color, read_header(data).adobe_transform) == ("RGB", 0)
    assert np.array_equal(decode(data), pillow_decode(data))


@encodes("Other sampling factors, luma coarser than chroma included")
def _() -> None:
    for name in ("4:1:1", "4:1:0", "1x1,2x1,2x1", "1x3,1x1,1x1"):
        data = encode(RGB, subsampling=name)
        assert np.array_equal(decode(data), imagecodecs.jpeg8_decode(data))


@encode_refuses("Sampling ratios that are no whole numbers")
def _() -> None:
    with pytest.raises(ValueError, match="samples are merged whole"):
        encode(RGB, subsampling="3x1,2x1,2x1")


@encodes("CMYK and YCCK")
def _() -> None:
    inks = picture("natural", (20, 30, 4))
    for name in ("CMYK", "YCCK"):
        data = encode(inks, color="CMYK", stored_as=name)
        assert read_header(data).color == name
        assert np.array_equal(decode(data), pillow_decode(data))


@encodes("Several scans, or scans of some components")
def _() -> None:
    data = encode(RGB, subsampling="4x4,1x1,1x1")
    assert len(read_header(data).scans) > 1
    assert np.array_equal(decode(data), imagecodecs.jpeg8_decode(data))


@encodes("Spectral selection and successive approximation in any legal order")
def _() -> None:
    every = (0, 1, 2)
    script = [scripts.Scan(every, 0, 0, 0, 0)]
    script += [scripts.Scan((c,), 20, 63, 0, 1) for c in (2, 0, 1)]
    script += [scripts.Scan((c,), 1, 19, 0, 0) for c in every]
    script += [scripts.Scan((c,), 20, 63, 1, 0) for c in (1, 2, 0)]
    data = encode(RGB, progressive=script)
    assert len(read_header(data).scans) == len(script)
    assert np.array_equal(decode(data), decode(encode(RGB)))
    assert np.array_equal(decode(data), pillow_decode(data))


@encodes("Quantization tables of 16 bits")
def _() -> None:
    table = np.full((8, 8), 1000)
    assert np.array_equal(read_header(encode(GREY, qtables=table)).qtables[0], table)


def _refuses_channels(count: int) -> None:
    with pytest.raises(ValueError, match=r"alpha channel|\(h, w\)"):
        encode(picture("noise", (8, 8, count)))


@encode_refuses("Alpha channel")
def _() -> None:
    _refuses_channels(4)


@encode_refuses("2 components")
def _() -> None:
    _refuses_channels(2)


@encode_refuses("More than 4 components")
def _() -> None:
    _refuses_channels(5)


@encodes("Sides of 1 to 65535 pixels")
def _() -> None:
    assert decode(encode(GREY[:1, :1])).shape == (1, 1)
    assert_longest()


@encodes("One interleaved scan of all components")
def _() -> None:
    (scan,) = read_header(encode(RGB)).scans
    assert len(scan.components) == 3


@encodes("Restart markers")
def _() -> None:
    assert read_header(encode(RGB, restart_interval=3)).restart_interval == 3


@encodes("Quantization tables of 8 bits")
def _() -> None:
    table = np.arange(1, 65).reshape(8, 8)
    assert np.array_equal(read_header(encode(GREY, qtables=table)).qtables[0], table)
    assert np.array_equal(read_header(encode(RGB, quality=30)).qtables[1], standard_qtables(30)[1])


@encodes("Huffman tables in the file, optimal or Annex K's")
def _() -> None:
    assert len(encode(RGB, optimize=True)) < len(encode(RGB, optimize=False))
    assert np.array_equal(decode(encode(RGB)), decode(encode(RGB, optimize=False)))


@encodes("JFIF marker")
def _() -> None:
    assert read_header(encode(RGB)).jfif


@encodes("Threads")
def _() -> None:
    image = picture("natural", (1100, 1000))
    assert encode(image, threads=2) == encode(image)


# --- defects --------------------------------------------------------------------------------------

PLAIN = encode(RGB, subsampling="4:4:4", restart_interval=8, optimize=False)
START = PLAIN.index(b"\xff\xda") + 14
MARKS = [i for i in range(START, len(PLAIN)) if PLAIN[i] == 0xFF and 0xD0 <= PLAIN[i + 1] <= 0xD7]


def assert_broken(data: bytes, match: str, kind: type[JpegError] = JpegFormatError) -> None:
    with pytest.raises(kind, match=match):
        decode(data)


@defect("Entropy-coded data that end early, or hold bits that are no code")
def _() -> None:
    assert_broken(PLAIN[: MARKS[0] - 9] + PLAIN[MARKS[0] :], "end early")
    assert_broken(PLAIN[:START] + b"\xff\0" * 9 + PLAIN[MARKS[0] :], "no Huffman code")


@defect("Restart markers missing, surplus or out of order")
def _() -> None:
    one, two = MARKS[1], MARKS[2]
    for data in (
        PLAIN[:one] + PLAIN[one + 2 :],
        PLAIN[:-2] + PLAIN[one : one + 2] + PLAIN[-2:],
        PLAIN[:one] + PLAIN[two : two + 2] + PLAIN[one + 2 :],
    ):
        assert_broken(data, "restart|RST")


@defect("The same, in :func:`pyjpegml.decode_partial`")
def _() -> None:
    lost = PLAIN[: MARKS[0]] + PLAIN[MARKS[1] :]
    pixels, report = decode_partial(lost)
    whole = decode(PLAIN)
    assert np.array_equal(pixels[16:], whole[16:])
    assert (report.mcus, report.sound_mcus) == (48, 40)


@defect("Bytes between segments, unused bytes behind a scan, no EOI marker")
def _() -> None:
    whole = decode(PLAIN)
    junk = PLAIN[:20] + b"junk" + PLAIN[20:]
    assert "4 bytes that belong to no segment" in read_header(junk).warnings[0]
    for data in (junk, PLAIN[:-2] + b"\x12\x34" + PLAIN[-2:], PLAIN[:-2]):
        assert np.array_equal(decode(data), whole)
        assert decode_partial(data)[1].warnings


@defect("Scans of a progressive file that stop early")
def _() -> None:
    stream = made("progressive", scans=scans_of("progressive", 3)[:1])
    assert_exact(stream)
    assert "the scans stop early" in decode_partial(stream.data)[1].warnings[-1]


@defect("More pixels than ``max_pixels``")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_pixels allows 2744"):
        decode(PLAIN, max_pixels=RGB.size // 3 - 1)


@defect("More scans than ``max_scans``, or scans that go over the picture too often")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_scans allows, 3"):
        decode(made("progressive").data, max_scans=3)


@defect("More bytes of APPn and COM segments than ``max_metadata``")
def _() -> None:
    with pytest.raises(JpegLimitError, match="max_metadata allows 99"):
        decode(PLAIN, max_metadata=99)


@defect("Bytes behind EOI")
def _() -> None:
    assert np.array_equal(decode(PLAIN + PLAIN), decode(PLAIN))


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", list(DECODES))
def test_what_is_decoded(title: str) -> None:
    DECODES[title]()


@pytest.mark.parametrize("title", list(REFUSES))
def test_what_is_not_decoded(title: str) -> None:
    REFUSES[title]()


@pytest.mark.parametrize("title", list(ENCODES))
def test_what_is_encoded(title: str) -> None:
    ENCODES[title]()


@pytest.mark.parametrize("title", list(ENCODE_REFUSES))
def test_what_is_not_encoded(title: str) -> None:
    ENCODE_REFUSES[title]()


@pytest.mark.parametrize("title", list(DEFECTS))
def test_what_happens_to_broken_data(title: str) -> None:
    DEFECTS[title]()
