"""imageio's plugin, by way of ``imageio.v3``: all that its plugins do, and its errors."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from commands import GREY, RGB
from imageio.config import known_plugins
from imageio.core.v3_plugin_api import PluginV3

import pyjpegml
from pyjpegml.interop.imageio_plugin import NAME, JpegPlugin, register
from pyjpegml.jfif import Jfif

OURS: dict[str, Any] = {"plugin": NAME}
DATA = pyjpegml.encode(RGB, quality=90)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = dict(known_plugins)
    register()
    register()
    yield
    known_plugins.clear()
    known_plugins.update(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.jpg"
    file.write_bytes(DATA)
    return file


def test_registered_once_and_last() -> None:
    assert list(known_plugins)[-1] == NAME
    assert known_plugins[NAME].plugin_class is JpegPlugin
    assert issubclass(JpegPlugin, PluginV3)


def test_all_that_a_plugin_does_is_there() -> None:
    for name in ("read", "write", "iter", "properties", "metadata"):
        assert getattr(JpegPlugin, name) is not getattr(PluginV3, name)


# --- reading --------------------------------------------------------------------------------------


def test_read(path: Path) -> None:
    pixels = pyjpegml.decode(DATA)
    with open(path, "rb") as file:
        for source in (path, str(path), DATA, memoryview(DATA), io.BytesIO(DATA), file):
            assert np.array_equal(iio.imread(source, **OURS), pixels)
    assert np.array_equal(iio.imread(path, index=0, **OURS), pixels)
    assert np.array_equal(iio.imread(path, index=..., **OURS), pixels[np.newaxis])
    assert [np.array_equal(each, pixels) for each in iio.imiter(path, **OURS)] == [True]


def test_read_with_options(path: Path) -> None:
    for options in ({"scale": 4}, {"region": (3, 4, 20, 10)}, {"color": "grey"}):
        expected = pyjpegml.decode(DATA, **options)  # type: ignore[arg-type]
        assert np.array_equal(iio.imread(path, **OURS, **options), expected)
        assert np.array_equal(next(iter(iio.imiter(path, **OURS, **options))), expected)


def test_read_out_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.jpg", DATA)
    assert np.array_equal(iio.imread(tmp_path / "a.zip" / "b.jpg", **OURS), pyjpegml.decode(DATA))


def test_without_its_name_it_is_asked_last(path: Path) -> None:
    for source in (path, DATA):
        with iio.imopen(source, "r") as file:
            assert not isinstance(file, JpegPlugin)


def test_several_reads_of_one_file(path: Path) -> None:
    with iio.imopen(path, "r", **OURS) as file:
        assert isinstance(file, JpegPlugin)
        shape = file.properties().shape
        assert file.read().shape == file.read(index=None).shape == shape == RGB.shape
        assert file.metadata()["subsampling"] == "4:2:0"
    assert file.request._file is None or file.request._file.closed


# --- what is said of it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (RGB, {}),
        (GREY, {}),
        (RGB.astype(np.uint16) * 16, {"precision": 12}),
        (GREY.astype(np.uint16), {"lossless": True, "precision": 16}),
        (np.dstack([RGB, GREY]), {"color": "CMYK"}),
    ],
    ids=["RGB", "grey", "12 bits", "16 bits", "CMYK"],
)
def test_properties(image: Any, options: dict[str, Any]) -> None:
    data = pyjpegml.encode(image, **options)
    for index in (0, None, ...):
        pixels = iio.imread(data, index=index, **OURS)
        found = iio.improps(data, index=index, **OURS)
        if index is None:  # which imageio passes on to properties alone
            pixels = pyjpegml.decode(data)
        assert (found.shape, found.dtype) == (pixels.shape, pixels.dtype)
        assert (found.is_batch, found.n_images) == ((True, 1) if index is ... else (False, None))


def test_properties_of_a_height_behind_the_scan() -> None:
    data = bytearray(pyjpegml.encode(GREY))
    frame = data.index(b"\xff\xc0")
    height = bytes(data[frame + 5 : frame + 7])
    data[frame + 5 : frame + 7] = b"\0\0"
    data[-2:] = b"\xff\xdc\0\x04" + height + b"\xff\xd9"
    assert iio.improps(bytes(data), **OURS).shape == GREY.shape


def test_metadata() -> None:
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6
    jfif = Jfif((1, 2), 1, (300, 300))
    metadata = pyjpegml.Metadata.made_of(jfif=jfif, exif=exif, comments=["hello"])
    data = pyjpegml.encode(RGB, quality=80, subsampling="4:4:4", metadata=metadata)
    facts = {
        "process": "baseline", "precision": 8, "subsampling": "4:4:4", "color": "YCbCr",
        "quality": 80, "exif": exif, "orientation": 6, "jfif": jfif, "comments": (b"hello",),
    }  # fmt: skip
    for exclude in (True, False):
        assert iio.immeta(data, **OURS, exclude_applied=exclude) == facts
    assert "exif" not in iio.immeta(DATA, **OURS)
    turned = iio.imread(data, **OURS, apply_orientation=True)
    assert turned.shape == (RGB.shape[1], RGB.shape[0], 3)


# --- writing --------------------------------------------------------------------------------------


def test_write(path: Path) -> None:
    expected = pyjpegml.encode(RGB, quality=70, subsampling="4:4:4")
    options = {**OURS, "quality": 70, "subsampling": "4:4:4"}
    iio.imwrite(path, RGB, **options)
    assert path.read_bytes() == expected
    assert iio.imwrite("<bytes>", RGB, **options) == expected
    assert iio.imwrite("<bytes>", RGB, extension=".jpeg", **options) == expected
    file = io.BytesIO()
    iio.imwrite(file, RGB, **options)
    assert file.getvalue() == expected
    for batch in ([RGB], RGB[np.newaxis]):
        assert iio.imwrite("<bytes>", batch, is_batch=True, **options) == expected


def test_write_to_a_target() -> None:
    data = iio.imwrite("<bytes>", RGB, **OURS, ms_ssim=0.97, effort="fast")
    assert data == pyjpegml.compress(RGB, ms_ssim=0.97, effort="fast").data
    assert len(iio.imwrite("<bytes>", RGB, **OURS, max_bytes=1500, effort="fast")) <= 1500


# --- errors ---------------------------------------------------------------------------------------


def test_what_is_no_jpeg(tmp_path: Path) -> None:
    for source in (b"no picture", b"", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(OSError, match="can not handle the given uri") as caught:
            iio.imread(source, **OURS)
        assert "does not begin with SOI" in str(caught.value.__cause__)
    with pytest.raises(OSError, match="can not handle the given uri") as caught:
        iio.imwrite(tmp_path / "a.png", RGB, **OURS)
    assert ".png files are no JPEGs" in str(caught.value.__cause__)
    with pytest.raises(FileNotFoundError):
        iio.imread(tmp_path / "none.jpg", **OURS)


def test_what_is_broken() -> None:
    for call in (iio.imread, iio.improps, iio.immeta):
        with pytest.raises(pyjpegml.JpegFormatError, match="byte"):
            call(DATA[:100], **OURS)
    with pytest.raises(pyjpegml.JpegFormatError, match="end early"):
        iio.imread(DATA[:-100], **OURS)


def test_other_pictures_than_the_first() -> None:
    with pytest.raises(ValueError, match="index 1 is not 0"):
        iio.imread(DATA, index=1, **OURS)
    with pytest.raises(ValueError, match="index -1 is not 0"):
        iio.improps(DATA, index=-1, **OURS)
    with pytest.raises(ValueError, match="there are 2"):
        iio.imwrite("<bytes>", [RGB, RGB], **OURS)
    with iio.imopen("<bytes>", "w", **OURS) as file:
        file.write(GREY)
        with pytest.raises(ValueError, match="one has been written"):
            file.write(GREY)


def test_wrong_options() -> None:
    with pytest.raises(TypeError, match="mode"):
        iio.imread(DATA, **OURS, mode="L")
    with pytest.raises(ValueError, match="quality"):
        iio.imwrite("<bytes>", RGB, **OURS, quality=1000)
