"""What an encoder refuses: options that are wrong, and those that mean nothing together."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from helpers import picture

from pyjpegml import arguments, encode
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.scripts import usual_script

RGB = np.zeros((16, 24, 3), np.uint8)
GREY = RGB[..., 0]
INKS = np.zeros((16, 24, 4), np.uint8)
DEEP = RGB.astype(np.uint16)
PLANES = (GREY, GREY[:8, :12], GREY[:8, :12])
TABLE = np.full((8, 8), 9)
NAMES = "4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0"


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        # colours
        (RGB, {"color": "BGR"}, "color is one of grey, RGB, YCbCr, CMYK, stored, or None; not 'BGR'"),
        (RGB, {"stored_as": "XYZ"}, "stored_as is one of grey, YCbCr, RGB, CMYK, YCCK, or None"),
        (INKS, {}, 'the image has 4 channels: if they are inks, pass color="CMYK"; an alpha channel'),
        (INKS, {"color": "RGB"}, "channels of RGB are 3; the image has 4"),
        (GREY, {"color": "YCbCr"}, "channels of YCbCr are 3; the image has 1"),
        (RGB, {"stored_as": "CMYK"}, "RGB is stored as YCbCr or RGB or grey, not as CMYK"),
        (GREY, {"stored_as": "YCbCr"}, "grey is stored as grey, not as YCbCr"),
        (RGB, {"color": "stored"}, "3 components are: pass stored_as, one of YCbCr, RGB"),
        (RGB, {"color": "stored", "stored_as": "YCCK"}, "components of YCCK are 4; the image has 3"),
        # planes
        (PLANES[:2], {}, "2 planes are given; they are grey (1), YCbCr (3), or, if color says so, RGB (3) or CMYK"),
        ((GREY,) * 4, {}, "4 planes are given"),
        ((GREY, RGB, GREY), {}, "planes are a tuple of 1, 3 or 4 arrays of shape (h, w); these are (16, 24), (16, 24, 3)"),
        (PLANES, {"subsampling": "4:4:4"}, "plane 1 of a picture of 24x16 is 24x16 with factors 1x1 of 1x1"),
        (PLANES, {"subsampling": "4:2:2"}, "is 12x16 with factors 1x1 of 2x1, or 24x16 to be merged; not 12x8"),
        (PLANES, {"color": "RGB", "stored_as": "YCbCr"}, "RGB is stored as RGB from planes, not as YCbCr"),
        # sampling
        (RGB, {"subsampling": "4:2:1"}, f"subsampling is one of {NAMES}, or 3 pairs"),
        (RGB, {"subsampling": "grey"}, f"subsampling is one of {NAMES}, or 3 pairs"),
        (RGB, {"subsampling": "2x2,1x1"}, "or 3 pairs (H, V) of factors 1 to 4, one for each component; not"),
        (RGB, {"subsampling": ((2, 2), (1, 1))}, "not ((2, 2), (1, 1))"),
        (RGB, {"subsampling": ((5, 1), (1, 1), (1, 1))}, "not ((5, 1), (1, 1), (1, 1))"),
        (RGB, {"subsampling": ((0, 1), (1, 1), (1, 1))}, "factors 1 to 4"),
        (RGB, {"subsampling": (2, 2)}, "not (2, 2)"),
        (RGB, {"subsampling": 420}, "not 420"),
        (RGB, {"subsampling": ((3, 1), (2, 1), (1, 1))}, "factors 2x1 beside 3x1 would have 2/3 of the columns"),
        (RGB, {"subsampling": ((1, 4), (1, 3), (1, 1))}, "3/4 of the rows"),
        (RGB, {"stored_as": "RGB", "subsampling": "4:2:0"}, "subsampling of RGB is 4:4:4"),
        (GREY, {"subsampling": ((2, 2),)}, "factors of a single component mean nothing (T.81 A.2.2): (1, 1)"),
        # precision
        (RGB, {"precision": 12}, "uint8 samples have 8 bits, or others with lossless=True, not 12"),
        (DEEP, {"precision": 8}, "uint16 samples have 12 bits, or others with lossless=True, not 8"),
        (RGB, {"precision": 9, "lossless": True}, "uint8 samples have 2 to 8 bits in a lossless file, not 9"),
        (DEEP, {"precision": 1, "lossless": True}, "2 to 16 bits in a lossless file, not 1"),
        (GREY + np.uint8(9), {"precision": 3, "lossless": True}, "samples of 3 bits are 0 to 7; the largest is 9"),
        # lossless
        (RGB, {"lossless": True, "quality": 90}, "a lossless file has no quality and no qtables"),
        (RGB, {"lossless": True, "qtables": TABLE}, "a lossless file has no quality and no qtables"),
        (RGB, {"lossless": True, "optimize": False}, "optimize is to be True"),
        (RGB, {"lossless": True, "stored_as": "YCbCr"}, "RGB is stored as RGB by a lossless file, not as YCbCr"),
        (INKS, {"lossless": True, "color": "CMYK", "stored_as": "YCCK"}, "CMYK is stored as CMYK by a lossless file"),
        (RGB, {"lossless": True, "subsampling": ((2, 1), (1, 1), (1, 1))}, "without subsampling: 4:4:4, or None"),
        (RGB, {"lossless": True, "predictor": 0}, "predictor is 1 to 7 (T.81 Table H.1), or None; not 0"),
        (RGB, {"lossless": True, "predictor": 8}, "not 8"),
        (RGB, {"lossless": True, "predictor": 1.0}, "not 1.0"),
        (RGB, {"lossless": True, "point_transform": 8}, "point_transform is 0 to 7 of 8 bits, not 8"),
        (RGB, {"lossless": True, "point_transform": -1}, "not -1"),
        (RGB, {"lossless": True, "restart_interval": 25}, "a multiple of its 24 MCUs in a row"),
        (RGB, {"lossless": True, "progressive": True}, "exclude each other"),
        (RGB, {"predictor": 1}, "predictor and point_transform belong to lossless=True"),
        (RGB, {"point_transform": 1}, "predictor and point_transform belong to lossless=True"),
        # tables
        (RGB, {"quality": (90, 80, 70, 60)}, "quality is a number, or 1 or 2 or 3 of them for YCbCr"),
        (RGB, {"quality": ()}, "1 or 2 or 3 of them for YCbCr, not ()"),
        (GREY, {"quality": (90, 80)}, "1 of them for grey"),
        (INKS, {"color": "CMYK", "quality": (90, 80)}, "1 or 4 of them for CMYK"),
        (RGB, {"stored_as": "RGB", "qtables": [TABLE] * 2}, "or 1 or 3 such tables for RGB, or a file's header (read_header); this one is (2, 8, 8)"),
        (RGB, {"qtables": "keep"}, "or a file's header (read_header); this one is ()"),
        (DEEP, {"optimize": False}, "Annex K's Huffman tables are for sequential files of 8 bits"),
        (RGB, {"optimize": False, "progressive": True}, "for sequential files of 8 bits"),
        (RGB, {"optimize": False, "progressive": usual_script([(2, 2), (1, 1), (1, 1)])}, "sequential"),
        # restart markers
        (RGB, {"restart_interval": 2, "restart_rows": 1}, "restart_interval and restart_rows exclude each other"),
        (RGB, {"restart_rows": -1}, "restart_rows is 0 to 65535 rows of MCUs, not -1"),
        (RGB, {"restart_rows": True}, "restart_rows is 0 to 65535 rows of MCUs, not True"),
        (RGB, {"restart_rows": 40000, "progressive": True}, "40000 rows of 2 are more, 32767 rows would not be"),
        # scans and Huffman tables
        (RGB, {"progressive": 1}, "progressive is False, True, 'search' or a list or tuple of Scan, not 1"),
        (RGB, {"progressive": 0}, "progressive is False, True, 'search' or a list or tuple of Scan, not 0"),
        (RGB, {"optimize": 1}, "optimize is a bool, or of sequential files 'scans', not 1 for this one"),
        (RGB, {"optimize": None}, "optimize is a bool, or of sequential files 'scans', not None"),
        (RGB, {"optimize": False, "lossless": True}, "Annex K's Huffman tables are for sequential files of 8 bits"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(image: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        encode(image, **options)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ((GREY, GREY.astype(np.uint16), GREY), {}, "not uint16 and uint8"),
        (RGB.astype(">u2"), {}, "samples must be uint8 or uint16, not >u2"),
        (RGB, {"precision": 8.0}, "precision is a number of bits, not 8.0"),
        (RGB, {"precision": True, "lossless": True}, "precision is a number of bits, not True"),
        (RGB, {"quality": (90, 80.5)}, "quality must be an integer from 1 to 100, not 80.5"),
        (
            RGB,
            {"quality": np.array([90, 80])},
            "several qualities are a tuple or a list, not an array: array([90, 80])",
        ),
        (RGB, {"quality": True}, "quality must be an integer from 1 to 100, not True"),
        (RGB, {"quality": "90"}, "quality must be an integer from 1 to 100, not '90'"),
        (RGB, {"lossless": 1}, "lossless is True or False, not 1"),
        (RGB, {"lossless": "yes"}, "lossless is True or False, not 'yes'"),
    ],
)
def test_what_is_of_another_type_is_refused(
    image: Any, options: dict[str, Any], message: str
) -> None:
    encode(picture("natural", (9, 9)), quality=1)  # 1 == True: an answer that is remembered
    with pytest.raises(TypeError, match=re.escape(message)):
        encode(image, **options)


def test_flags_of_numpy_are_flags() -> None:
    image = picture("natural", (20, 30))
    for name, others in (("lossless", {}), ("progressive", {}), ("optimize", {"quality": 60})):
        for flag in (False, True):
            assert encode(image, **{name: np.bool_(flag)}, **others) == encode(  # type: ignore[arg-type]
                image,
                **{name: flag},
                **others,  # type: ignore[arg-type]
            )


def test_names_give_their_factors() -> None:
    for name, factors in SUBSAMPLINGS.items():
        assert arguments.check_subsampling(name) == factors
        assert arguments.check_subsampling(name, "grey") == ((1, 1),)
        luma, chroma, _ = factors
        assert arguments.check_subsampling(name, "YCCK") == (luma, chroma, chroma, luma)
    assert arguments.check_subsampling(None) == SUBSAMPLINGS["4:2:0"]
    assert arguments.check_subsampling(None, "RGB") == ((1, 1),) * 3
    assert arguments.check_subsampling("2x1,1x1,1x1,2x1", "CMYK") == (
        (2, 1),
        (1, 1),
        (1, 1),
        (2, 1),
    )
    assert arguments.check_subsampling("grey", "grey") == ((1, 1),)


@pytest.mark.parametrize(("stored", "spread"), [("YCbCr", [0, 1, 1]), ("YCCK", [0, 1, 1, 0])])
def test_two_tables_are_those_of_luma_and_chroma(stored: str, spread: list[int]) -> None:
    tables = np.stack([TABLE, TABLE + 1])
    found = arguments.check_qtables(tables, stored)
    assert [int(table[0, 0]) - 9 for table in found] == spread


@pytest.mark.parametrize(("interval", "rows", "expected"), [(0, 0, 0), (7, 0, 7), (0, 3, 30)])
def test_restart_intervals(interval: int, rows: int, expected: int) -> None:
    assert arguments.restart_mcus(interval, rows, 10) == expected
