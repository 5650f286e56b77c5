"""Codecs of zarr and numcodecs: arrays written and read back, each chunk at its MS-SSIM."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from commands import GREY, RGB, picture
from helpers import run_python

import pyjpegml
from pyjpegml.interop import chunks
from pyjpegml.interop.numcodecs_codec import JpegCodec as Numcodec
from pyjpegml.interop.zarr_codec import NAME, JpegCodec

CODEC = JpegCodec(ms_ssim=0.97, effort="fast")


@pytest.fixture(autouse=True, scope="module")
def known() -> None:
    """As the entry points do, where the package is installed."""
    zarr.registry.register_codec(NAME, JpegCodec)
    numcodecs.register_codec(Numcodec)


def written(path: Path, image: Any, shape: tuple[int, ...], codec: Any = CODEC) -> Any:
    """An array of chunks of this shape, opened again as anyone opens it."""
    array = zarr.create_array(
        path, shape=image.shape, chunks=shape, dtype=image.dtype, serializer=codec, compressors=None
    )
    array[:] = image
    return zarr.open_array(path, mode="r")


@pytest.mark.parametrize("image", [RGB, GREY], ids=["RGB", "grey"])
def test_there_and_back(tmp_path: Path, image: Any) -> None:
    """Chunks at the edges too, which zarr fills up."""
    shape = (40, 64, 3)[: image.ndim]
    found = written(tmp_path / "a", image, shape)
    assert found.metadata.codecs == (CODEC,)
    back = found[:]
    assert back.dtype == np.uint8
    for top in range(0, image.shape[0], 40):
        for left in range(0, image.shape[1], 64):
            place = slice(top, top + 40), slice(left, left + 64)
            whole = np.zeros(shape, np.uint8)
            part = image[place]
            whole[: part.shape[0], : part.shape[1]] = part
            data = pyjpegml.compress(whole, ms_ssim=0.97, effort="fast")
            assert data.met
            expected = pyjpegml.decode(data.data)[: part.shape[0], : part.shape[1]]
            assert np.array_equal(back[place], expected)
    parts = [path for path in (tmp_path / "a" / "c").rglob("*") if path.is_file()]
    assert len(parts) == 4
    assert all(path.read_bytes()[:2] == b"\xff\xd8" for path in parts)


def test_a_series_of_pictures(tmp_path: Path) -> None:
    series = np.stack([picture(), picture()[::-1], np.zeros_like(RGB)])
    found = written(tmp_path / "a", series, (1, *RGB.shape))
    for i, one in enumerate(series[:2]):
        assert pyjpegml.ms_ssim(one, found[i]) >= 0.97
    assert not found[2].any()
    assert len(list((tmp_path / "a" / "c").iterdir())) == 2  # what is only fill is not stored


def test_what_no_lossy_file_can_hold_is_lossless(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (32, 40, 3), np.uint8)
    codec = JpegCodec(ms_ssim=1.0, effort="fast")
    assert np.array_equal(written(tmp_path / "a", noise, noise.shape, codec)[:], noise)


def test_metadata_of_an_array(tmp_path: Path) -> None:
    written(tmp_path / "a", GREY, GREY.shape)
    said = json.loads((tmp_path / "a" / "zarr.json").read_text())
    assert said["codecs"] == [
        {"name": "pyjpegml", "configuration": {"ms_ssim": 0.97, "effort": "fast"}}
    ]
    assert JpegCodec.from_dict(said["codecs"][0]) == CODEC
    assert JpegCodec.from_dict({"name": "pyjpegml"}) == JpegCodec()
    with pytest.raises(ValueError, match="another codec"):
        JpegCodec.from_dict({"name": "gzip"})


def test_in_shards(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a", shape=GREY.shape, chunks=(24, 32), shards=(48, 96), dtype="uint8",
        serializer=CODEC, compressors=None,
    )  # fmt: skip
    array[:] = GREY
    part = pyjpegml.compress(GREY[:24, 32:64], ms_ssim=0.97, effort="fast").data
    assert np.array_equal(array[:24, 32:64], pyjpegml.decode(part))


def installed() -> bool:
    found = importlib.metadata.entry_points(group="zarr.codecs", name=NAME)
    return len(found) > 0


@pytest.mark.skipif(not installed(), reason="pyjpegml is not installed, only on the path")
def test_found_by_entry_points(tmp_path: Path) -> None:
    """By programs that never import this package."""
    image = written(tmp_path / "a", GREY, GREY.shape)[:]
    two = zarr.create_array(
        tmp_path / "b", shape=GREY.shape, chunks=GREY.shape, dtype="uint8", zarr_format=2,
        compressors=Numcodec(ms_ssim=0.97, effort="fast"),
    )  # fmt: skip
    two[:] = GREY
    script = f"""
import zarr, sys
for name in "ab":
    print(zarr.open_array({str(tmp_path)!r} + "/" + name, mode="r")[:].astype(int).sum())
"""
    assert run_python(script).stdout.split() == [str(image.astype(int).sum())] * 2


# --- numcodecs ------------------------------------------------------------------------------------


def test_numcodecs() -> None:
    codec = Numcodec(ms_ssim=0.97, effort="fast")
    assert codec.get_config() == {"id": "pyjpegml", "ms_ssim": 0.97, "effort": "fast"}
    assert numcodecs.get_codec(codec.get_config()) == codec
    data = codec.encode(RGB)
    assert data == pyjpegml.compress(RGB, ms_ssim=0.97, effort="fast").data
    assert np.array_equal(codec.decode(data), pyjpegml.decode(data))
    out = np.empty_like(RGB)
    codec.decode(data, out)
    assert np.array_equal(out, pyjpegml.decode(data))


# --- chunks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7), (5, 7)),
        ((5, 7, 3), (5, 7, 3)),
        ((1, 5, 7), (5, 7)),
        ((1, 1, 5, 7, 3), (5, 7, 3)),
        ((7, 3), (7, 3)),
        ((1, 3), (1, 3)),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert chunks.picture_shape(shape) == expected


@pytest.mark.parametrize(
    "shape", [(), (5,), (2, 5, 7), (5, 7, 4), (2, 5, 7, 3), (1, 65536), (0, 5)]
)
def test_shapes_of_no_picture(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no pictures|no side"):
        chunks.picture_shape(shape)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8, not uint16"):
        written(tmp_path / "a", GREY.astype(np.uint16), GREY.shape)
    with pytest.raises(ValueError, match="are no pictures"):
        written(tmp_path / "b", np.zeros((4, 8, 8), np.uint8), (2, 8, 8))
    with pytest.raises(ValueError, match="at most 1"):
        JpegCodec(ms_ssim=2)
    with pytest.raises(ValueError, match="effort is one of"):
        Numcodec(effort="heroic")
    with pytest.raises(ValueError, match="a chunk of"):
        chunks.decode_chunk(pyjpegml.encode(GREY), (8, 8))
    with pytest.raises(ValueError, match="uint8, not uint16"):
        chunks.decode_chunk(pyjpegml.encode(GREY.astype(np.uint16), precision=12))
