"""All modes of the encoder: what it writes, we and other programs read, to the same pixels."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from helpers import KINDS, Bytes, assert_same_picture, picture, pillow_decode
from hypothesis import example, given
from hypothesis import strategies as st
from modes import CHANNELS, COLORS, Samples, dct_modes, lossless_modes, samples
from PIL import Image

from pyjpegml import arguments, decode, encode, markers, read_header
from pyjpegml.color import rgb_to_ycbcr
from pyjpegml.header import SUBSAMPLINGS

# --- sequential files, of 8 and 12 bits ---------------------------------------------------------------


def others(data: bytes) -> Samples:
    """Pixels as libjpeg-turbo decodes them: by Pillow those of 8 bits, else by imagecodecs."""
    header = read_header(data)
    if header.precision == 8 and header.process != "lossless":
        return pillow_decode(data)
    if header.color in ("CMYK", "YCCK"):  # as they are stored, Adobe's way
        top = (1 << header.precision) - 1
        return np.asarray(imagecodecs.jpeg8_decode(data)) ^ np.asarray(top, decode(data).dtype)
    return np.asarray(imagecodecs.jpeg8_decode(data))


@given(dct_modes())
@example((picture("noise", (1, 1, 3)), {"subsampling": "4:1:0", "quality": 100}))
@example((picture("noise", (17, 33, 4)), {"color": "CMYK", "stored_as": "YCCK"}))
def test_other_programs_see_the_same_pixels(mode: tuple[Samples, dict[str, Any]]) -> None:
    image, options = mode
    data = encode(image, **options)
    decoded = decode(data)
    header = read_header(data)
    stored = options.get("stored_as", "YCbCr")
    assert (header.height, header.width) == image.shape[:2]
    assert header.color == stored
    assert header.precision == 8 * image.dtype.itemsize if image.dtype == np.uint8 else 12
    assert header.process == ("baseline" if image.dtype == np.uint8 else "extended sequential")
    factors = arguments.check_subsampling(options.get("subsampling"), stored)
    assert tuple((c.h, c.v) for c in header.components) == factors
    assert_same_picture(decoded, others(data))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("color", "stored"), COLORS)
def test_nothing_is_lost_but_by_rounding(color: str, stored: str, deep: bool) -> None:
    """Steps of 1, no subsampling: what comes back is what went in, but for roundings.

    A coefficient is off by half a step at most, a sample by less than 4 then; colours are rounded
    twice.
    """
    count = CHANNELS[stored if color == "stored" else color]
    image = samples("natural", (29, 43), count, 12 if deep else 8)
    data = encode(image, color=color, stored_as=stored, quality=100, subsampling="4:4:4")
    asked = {"YCbCr": "YCbCr", "stored": "stored"}.get(color)
    if asked == "stored" or (deep and asked):
        back = decode(data, color="stored")
    else:
        back = decode(data, color=asked)
    if (color, stored) == ("RGB", "grey"):
        image = image @ np.array([0.299, 0.587, 0.114])
    assert back.shape == image.shape
    assert np.abs(back.astype(float) - image).max() < 5


def test_no_ink_is_0() -> None:
    """Adobe's files hold 255 minus the ink; Pillow turns them round as we do."""
    image = np.zeros((9, 9, 4), np.uint8)
    image[..., 3] = 200
    for stored in ("CMYK", "YCCK"):
        data = encode(image, color="CMYK", stored_as=stored, quality=100)
        assert read_header(data).adobe_transform == (0 if stored == "CMYK" else 2)
        assert np.array_equal(decode(data), image)
        assert np.array_equal(pillow_decode(data), image)


@pytest.mark.parametrize(("name", "chroma"), [("4:1:1", (4, 1)), ("4:1:0", (4, 2))])
def test_names_of_coarse_chroma(name: str, chroma: tuple[int, int]) -> None:
    data = encode(picture("natural", (40, 70, 3)), subsampling=name)
    header = read_header(data)
    assert header.subsampling == name
    assert [(c.h, c.v) for c in header.components] == [chroma, (1, 1), (1, 1)]


@pytest.mark.parametrize(
    "given_", ["3x1,1x1,1x1", ((3, 1), (1, 1), (1, 1)), [[3, 1], [1, 1], [1, 1]]]
)
def test_factors_by_themselves(given_: Any) -> None:
    header = read_header(encode(picture("natural", (40, 70, 3)), subsampling=given_))
    assert header.subsampling == "3x1,1x1,1x1"


@given(st.sampled_from(["grey", *SUBSAMPLINGS, "1x2,2x1,1x1"]))
def test_subsampling_of_a_header_can_be_given(name: str) -> None:
    image = picture("natural", (20, 30) if name == "grey" else (20, 30, 3))
    data = encode(image, subsampling=name, quality=60)
    assert encode(image, subsampling=read_header(data).subsampling, quality=60) == data


def test_more_than_ten_blocks_make_several_scans() -> None:
    image = picture("natural", (40, 70, 3))
    data = encode(image, subsampling=((4, 4), (4, 1), (1, 1)), restart_rows=1)
    header = read_header(data)
    assert [len(scan.components) for scan in header.scans] == [1, 2]
    # each scan has rows of its own: 9 blocks alone, or 3 MCUs
    intervals = [
        markers.parse_restart_interval(segment)
        for segment in markers.segments(data)
        if segment.code == markers.DRI
    ]
    assert intervals == [9, 3]
    assert_same_picture(decode(data), pillow_decode(data))


# --- planes ---------------------------------------------------------------------------------------


@given(
    st.sampled_from([*SUBSAMPLINGS, ((1, 1), (2, 2), (1, 2)), ((2, 2), (1, 2), (2, 1))]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
def test_planes_of_a_components_size_are_taken_as_they_are(
    subsampling: Any, height: int, width: int, deep: bool
) -> None:
    factors = arguments.check_subsampling(subsampling)
    h_max, v_max = (max(pair[k] for pair in factors) for k in (0, 1))
    planes = tuple(
        samples(
            "natural", (-(-height * v // v_max), -(-width * h // h_max)), 1, 12 if deep else 8, i
        )
        for i, (h, v) in enumerate(factors)
    )
    data = encode(planes, subsampling=subsampling, quality=100)
    header = read_header(data)
    assert (header.height, header.width, header.color) == (height, width, "YCbCr")
    assert_same_picture(decode(data), others(data))
    # each as a picture of its own: the blocks are the same
    from pyjpegml import decode_coefficients

    parts = decode_coefficients(data)
    for plane, blocks, table in zip(planes, parts.components, parts.qtables, strict=True):
        (alone,) = decode_coefficients(encode(plane, qtables=table)).components
        assert np.array_equal(blocks, alone)


def test_planes_of_the_pictures_size_are_downsampled() -> None:
    image = picture("natural", (31, 45, 3))
    planes = list(np.moveaxis(image, 2, 0))
    assert encode(planes, quality=80) == encode(image, color="YCbCr", quality=80)
    rgb = encode(planes, color="RGB", quality=80)
    assert rgb == encode(image, stored_as="RGB", quality=80)
    assert encode(planes[:1], quality=80) == encode(planes[0], quality=80)
    inks = [*planes, planes[0]]
    assert encode(inks, color="CMYK") == encode(np.dstack(inks), color="CMYK")
    assert encode(planes, lossless=True) == encode(image, color="YCbCr", lossless=True)


def test_ycbcr_can_be_given() -> None:
    image = picture("natural", (31, 45, 3))
    planes = np.empty((3, 31, 45), np.uint8)
    rgb_to_ycbcr(image.reshape(31, -1), *planes)
    ycbcr = np.moveaxis(planes, 0, 2)
    for subsampling in ("4:4:4", "4:2:0", "4:1:1"):
        data = encode(ycbcr, color="YCbCr", subsampling=subsampling)
        assert data == encode(image, subsampling=subsampling)


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ["grey", "YCbCr", "RGB", "CMYK", "YCCK"])
def test_tables_of_a_file_are_kept(stored: str) -> None:
    count = CHANNELS[stored]
    image = samples("natural", (20, 30), count, 8)
    tables = np.arange(1, 1 + 64 * count).reshape(count, 8, 8) // 2 + 1
    color = "grey" if stored == "grey" else "stored"
    data = encode(image, color=color, stored_as=stored, qtables=tables)
    header = read_header(data)
    assert encode(image, color=color, stored_as=stored, qtables=header) == data


def test_tables_of_other_components_are_refused() -> None:
    header = read_header(encode(picture("natural", (9, 9))))
    with pytest.raises(ValueError, match="those of grey components, and these are YCbCr"):
        encode(picture("natural", (9, 9, 3)), qtables=header)
    header.qtables.clear()
    with pytest.raises(ValueError, match="quantization table 0 is not defined"):
        encode(picture("natural", (9, 9)), qtables=header)


def test_quality_of_luma_and_chroma() -> None:
    image = picture("natural", (20, 30, 3))
    header = read_header(encode(image, quality=(90, 60)))
    assert np.array_equal(header.qtables[0], read_header(encode(image, quality=90)).qtables[0])
    assert np.array_equal(header.qtables[1], read_header(encode(image, quality=60)).qtables[1])
    each = read_header(encode(image, quality=(90, 60, 30)))
    assert [c.table for c in each.components] == [0, 1, 2]
    inks = read_header(
        encode(np.dstack([image, image[..., 0]]), color="CMYK", quality=(9, 8, 7, 6))
    )
    assert [c.table for c in inks.components] == [0, 1, 2, 3]


@pytest.mark.parametrize("progressive", [False, True])
def test_large_steps(progressive: bool) -> None:
    """Steps of 16 bits: libjpeg writes them in an extended sequential file, and reads them."""
    image = picture("natural", (40, 50, 3))
    data = encode(image, qtables=np.full((8, 8), 300), progressive=progressive)
    assert read_header(data).process == ("progressive" if progressive else "extended sequential")
    assert_same_picture(decode(data), pillow_decode(data))


# --- restart markers in rows ----------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_rows_are_so_many_mcus(rows: int) -> None:
    image = picture("natural", (70, 50, 3))  # four MCUs of 4:2:0 in each of five rows
    assert encode(image, restart_rows=rows) == encode(image, restart_interval=4 * rows)


def test_rows_that_are_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="8 rows of 8192 are more, 7 rows would not be"):
        encode(np.zeros((8, 65535), np.uint8), restart_rows=8)


# --- lossless files -------------------------------------------------------------------------------


@given(lossless_modes())
@example((samples("noise", (1, 1), 3, 2), {"lossless": True, "precision": 2}))
@example((samples("extremes", (9, 9), 1, 16), {"lossless": True, "predictor": 4}))
def test_lossless_files_give_back_every_sample(mode: tuple[Samples, dict[str, Any]]) -> None:
    image, options = mode
    data = encode(image, **options)
    header = read_header(data)
    assert (header.process, header.height, header.width) == ("lossless", *image.shape[:2])
    assert header.precision == options.get("precision", 8 * image.dtype.itemsize)
    asked = "stored" if options.get("color") == "YCbCr" else None
    decoded = decode(data, color=asked)
    shift = options.get("point_transform", 0)
    inks = np.asarray((1 << header.precision) - 1 if options.get("color") == "CMYK" else 0)
    kept = ((image ^ inks.astype(image.dtype)) >> shift << shift) ^ inks.astype(image.dtype)
    assert_same_picture(decoded, kept)
    if options.get("color") != "YCbCr":  # libjpeg-turbo does not convert their colours
        assert_same_picture(others(data).astype(decoded.dtype), kept)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_files_are_those_of_libjpeg_turbo(
    channels: int, bits: int, predictor: int
) -> None:
    image = samples("natural", (33, 45), channels, bits)
    ours = encode(image, lossless=True, precision=bits, predictor=predictor)
    theirs = imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=bits)
    assert coded(ours) == coded(theirs)


def coded(data: bytes) -> bytes:
    """Tables, frame header and coded data: all but what stands in APPn."""
    parts, at = b"", 2
    while data[at : at + 2] != b"\xff\xda":
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if not 0xE0 <= data[at + 1] <= 0xEF:
            parts += data[at:end]
        at = end
    return parts + data[at:]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_smallest_predictor_is_chosen(kind: str) -> None:
    image = picture(kind, (40, 50, 3))
    sizes = [len(encode(image, lossless=True, predictor=p)) for p in range(1, 8)]
    assert abs(len(encode(image, lossless=True)) - min(sizes)) <= 8  # stuffed bytes differ


# --- 12 bits --------------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(KINDS)), st.sampled_from([None, "444", "422", "420", "440", "411"]),
    st.integers(1, 60), st.integers(1, 60), st.sampled_from([25, 50, 90, 100]),
)  # fmt: skip
def test_12_bits_are_coded_as_libjpeg_turbo_does(
    kind: str, subsampling: str | None, height: int, width: int, quality: int
) -> None:
    image = samples(kind, (height, width), 3 if subsampling else 1, 12, height)
    name = ":".join(subsampling) if subsampling else None
    theirs = imagecodecs.jpeg8_encode(
        image, level=quality, bitspersample=12, optimize=True,
        **({"subsampling": subsampling} if subsampling else {}),
    )  # fmt: skip
    assert coded_data(encode(image, quality=quality, subsampling=name)) == coded_data(theirs)


def coded_data(data: bytes) -> bytes:
    return data[data.index(b"\xff\xda") :]


def test_16_bits_are_no_12_bits() -> None:
    with pytest.raises(ValueError, match="samples of 12 bits are 0 to 4095; the largest is 4096"):
        encode(np.full((8, 8), 4096, np.uint16))


# --- noise ----------------------------------------------------------------------------------------

NOISE = [
    *({"color": color, "stored_as": stored, "bits": bits} for color, stored in COLORS for bits in (8, 12)),
    *({"subsampling": name, "bits": bits} for name in SUBSAMPLINGS for bits in (8, 12)),
    {"subsampling": ((4, 4), (4, 4), (1, 1)), "bits": 8},
    {"subsampling": ((1, 1), (3, 2), (3, 1)), "bits": 12},
    *({"lossless": True, "predictor": p, "bits": bits} for p in range(1, 8) for bits in (2, 8, 16)),
    {"progressive": True, "bits": 8},
    {"progressive": True, "bits": 12},
    *({"progressive": "search", "bits": bits} for bits in (8, 12)),
    *({"optimize": "scans", "bits": bits} for bits in (8, 12)),
    {"optimize": False, "bits": 8},
]  # fmt: skip


@pytest.mark.hostile
@pytest.mark.parametrize("kind", ["noise", "extremes"])
@pytest.mark.parametrize("options", NOISE, ids=str)
def test_noise_at_the_best_quality_fits_every_buffer(kind: str, options: dict[str, Any]) -> None:
    """The most symbols that there can be, with most bits; CI does it again with bounds checks."""
    options = dict(options)
    bits = options.pop("bits")
    color = options.get("color", "RGB")
    count = CHANNELS[options.get("stored_as", "YCbCr") if color == "stored" else color]
    image = samples(kind, (67, 131), count, bits, 5)
    if options.get("lossless"):
        options |= {"precision": bits, "restart_rows": 3}
    else:
        options |= {"qtables": np.ones((8, 8), int), "restart_interval": 5}
    data = encode(image, **options)
    if options.get("lossless"):
        assert np.array_equal(decode(data), image)
    elif color in ("RGB", "CMYK") or count == 1:
        assert_same_picture(decode(data), others(data))


def test_a_row_of_noise_longer_than_a_piece() -> None:
    image = samples("noise", (3, 65535), 3, 16)
    assert np.array_equal(decode(encode(image, lossless=True, predictor=1)), image)


def test_rgb_opens_as_rgb() -> None:
    data = encode(picture("natural", (20, 30, 3)), stored_as="RGB", quality=90)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == "RGB"
        assert opened.info["adobe_transform"] == 0
    grey: Bytes = decode(encode(picture("natural", (20, 30, 3)), stored_as="grey"))
    assert grey.ndim == 2
