"""Pillow's format: what it reads and writes, and that Pillow's own JPEG stays first."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import GREY, RGB
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

import pyjpegml
from pyjpegml.interop.pillow_plugin import FORMAT, JpegImageFile, register
from pyjpegml.jfif import Jfif

DATA = pyjpegml.encode(RGB, quality=90)
EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register()
    register()
    yield
    Image.ID.remove(FORMAT)
    for table in (Image.OPEN, Image.SAVE, Image.MIME):
        del table[FORMAT]


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=[FORMAT])


def saved(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, FORMAT, **options)
    return file.getvalue()


def test_registered_once_and_behind_pillows_own() -> None:
    assert Image.ID.count(FORMAT) == 1
    assert Image.ID.index("JPEG") < Image.ID.index(FORMAT)
    assert isinstance(Image.open(BytesIO(DATA)), JpegImagePlugin.JpegImageFile)
    assert Image.registered_extensions()[".jpg"] == "JPEG"


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options", "mode"),
    [
        (RGB, {}, "RGB"),
        (GREY, {"progressive": True}, "L"),
        (RGB, {"lossless": True}, "RGB"),
        (GREY.astype(np.uint16) * 16, {"precision": 12}, "I;16"),
        (GREY.astype(np.uint16) * 257, {"lossless": True, "precision": 16}, "I;16"),
        (np.dstack([RGB, GREY]), {"color": "CMYK"}, "CMYK"),
    ],
    ids=["RGB", "grey", "lossless", "12 bits", "16 bits", "CMYK"],
)
def test_read(image: Any, options: dict[str, Any], mode: str) -> None:
    data = pyjpegml.encode(image, **options)
    with opened(data) as found:
        assert isinstance(found, JpegImageFile)
        assert (found.mode, found.size, found.format) == (mode, image.shape[1::-1], FORMAT)
        assert found.get_format_mimetype() == "image/jpeg"
        assert np.array_equal(np.asarray(found), pyjpegml.decode(data))
        assert np.array_equal(np.asarray(found), np.asarray(found.copy()))


def test_what_pillows_own_refuses(tmp_path: Path) -> None:
    """12 bits: it is asked next, under no other name."""
    path = tmp_path / "deep.jpg"
    path.write_bytes(pyjpegml.encode(GREY.astype(np.uint16) * 16, precision=12))
    with Image.open(path) as found:
        assert found.format == FORMAT
        assert np.array_equal(np.asarray(found), pyjpegml.decode(path.read_bytes()))


def test_metadata() -> None:
    metadata = pyjpegml.Metadata.made_of(
        jfif=Jfif((1, 1), 2, (100, 200)), exif=EXIF, icc=b"a profile", xmp=b"<x/>", comments=["hi"]
    )
    data = pyjpegml.encode(RGB, metadata=metadata)
    with opened(data) as found:
        assert found.getexif()[0x0112] == 6
        assert found.info["dpi"] == (254, 508)
        with Image.open(BytesIO(data)) as own:
            for name in ("exif", "icc_profile", "xmp", "comment"):
                assert found.info[name] == own.info[name]
    with opened(DATA) as found:
        assert found.info == {}


def test_errors_of_reading() -> None:
    for data in (b"no picture", DATA[:100], pyjpegml.encode(RGB.astype(np.uint16), precision=12)):
        with pytest.raises(UnidentifiedImageError):
            opened(data)
    with opened(DATA[:-200]) as found, pytest.raises(OSError, match="end early"):
        found.load()


# --- writing --------------------------------------------------------------------------------------


def test_write() -> None:
    for array in (RGB, GREY):
        image = Image.fromarray(array)
        assert saved(image, quality=60) == pyjpegml.encode(array, quality=60)
        assert saved(image, lossless=True) == pyjpegml.encode(array, lossless=True)
    inks = np.dstack([RGB, GREY])
    cmyk = Image.frombytes("CMYK", RGB.shape[1::-1], inks.tobytes())
    assert saved(cmyk) == pyjpegml.encode(inks, color="CMYK")
    target = saved(Image.fromarray(RGB), ms_ssim=0.97, effort="fast")
    assert target == pyjpegml.compress(RGB, ms_ssim=0.97, effort="fast").data


def test_write_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for each in (exif, exif.tobytes()):
        data = saved(
            Image.fromarray(RGB), dpi=(300.2, 300), exif=each, icc_profile=b"a profile",
            xmp=b"<x/>", comment="hi",
        )  # fmt: skip
        found = pyjpegml.read_header(data).metadata
        assert (found.orientation, found.icc, found.xmp) == (6, b"a profile", b"<x/>")
        assert found.comments == (b"hi",)
        assert found.jfif == Jfif((1, 1), 1, (300, 300))


def test_errors_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with pytest.raises(OSError, match="cannot write mode RGBA as PYJPEGML"):
        Image.new("RGBA", (8, 8)).save(path, FORMAT)
    with pytest.raises(ValueError, match="quality"):
        Image.new("RGB", (8, 8)).save(path, FORMAT, quality=1000)
    with pytest.raises(TypeError, match="nonsense"):
        Image.new("RGB", (8, 8)).save(path, FORMAT, nonsense=True)
    assert not path.exists()
