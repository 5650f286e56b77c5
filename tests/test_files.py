"""File input and output: what is read, what is refused, and that a write is whole or nothing."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import pyjpegml
from pyjpegml import files, markers
from pyjpegml.files import FileError

RGB = np.random.default_rng(7).integers(0, 256, (12, 20, 3), np.uint8)
GREY = RGB[:, :, 1]


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png16() -> bytes:
    """A PNG of one RGB pixel with 16 bits a sample."""

    def chunk(kind: bytes, payload: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + payload))
        return struct.pack(">I", len(payload)) + kind + payload + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">3H", 1, 300, 65535))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def tiff16() -> bytes:
    """A TIFF of one RGB pixel with 16 bits a sample."""
    entries = [
        (256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 3, 200), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 300), (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 6),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    return head.ljust(200, b"\0") + struct.pack("<3H", 16, 16, 16).ljust(100, b"\0") + bytes(6)


def exif(orientation: int, order: str = "<") -> bytes:
    """TIFF data with one other entry before the orientation."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    other = struct.pack(f"{order}HHII", 0x0100, 4, 1, 640)
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}IH", 8, 2) + other + entry + bytes(4)


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with segments put behind SOI."""
    return jpeg[:2] + b"".join(markers.segment_bytes(*segment) for segment in segments) + jpeg[2:]


# --- Exif -----------------------------------------------------------------------------------------


def test_pillow_agrees_about_orientation_and_profile() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    data = saved(Image.fromarray(RGB), "JPEG", exif=tags, icc_profile=b"a profile")
    assert files.jpeg_metadata(data) == (6, True)
    assert files.jpeg_metadata(saved(Image.fromarray(RGB), "JPEG")) == (1, False)


def test_metadata_of_a_broken_jpeg() -> None:
    whole = with_segments(pyjpegml.encode(RGB), (markers.APP0 + 1, b"Exif\0\0" + exif(3)))
    assert files.jpeg_metadata(whole) == (3, False)
    assert files.jpeg_metadata(whole[:80]) == (3, False)
    assert files.jpeg_metadata(whole[:20]) == (1, False)


# --- reading --------------------------------------------------------------------------------------


def read(data: bytes) -> files.Picture:
    return files.read_picture("picture", data)


def refusal(data: bytes) -> str:
    with pytest.raises(FileError) as caught:
        read(data)
    assert caught.value.name == "picture"
    return caught.value.message


def test_our_own_decoder_reads_jpegs() -> None:
    data = with_segments(
        pyjpegml.encode(RGB),
        (markers.APP0 + 1, b"Exif\0\0" + exif(8)),
        (markers.APP0 + 2, b"ICC_PROFILE\0\1\1"),
    )
    picture = read(data)
    assert np.array_equal(picture.pixels, pyjpegml.decode(data))
    assert (picture.orientation, picture.has_icc_profile) == (8, True)


def test_a_broken_jpeg_is_a_jpeg_error_and_not_left_to_pillow() -> None:
    with pytest.raises(pyjpegml.JpegFormatError):
        read(pyjpegml.encode(RGB)[:200])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_other_formats(pixels: npt.NDArray[np.uint8], format: str) -> None:
    image = Image.fromarray(pixels)
    data = saved(image, format)
    expected = pixels
    if format == "GIF":  # a palette of 256 colours: what Pillow itself sees in it
        with Image.open(io.BytesIO(data)) as stored:
            expected = np.asarray(stored.convert("RGB" if stored.mode == "P" else stored.mode))
    picture = read(data)
    assert picture.pixels.dtype == np.uint8
    assert np.array_equal(picture.pixels, expected)
    assert (picture.orientation, picture.has_icc_profile) == (1, False)


def test_a_palette_becomes_rgb() -> None:
    image = Image.fromarray(RGB).quantize(8)
    assert image.mode == "P"
    assert np.array_equal(read(saved(image, "PNG")).pixels, np.asarray(image.convert("RGB")))


def test_black_and_white_becomes_grey() -> None:
    image = Image.fromarray(GREY).convert("1")
    assert np.array_equal(read(saved(image, "PNG")).pixels, np.asarray(image.convert("L")))


def test_orientation_and_profile_of_other_formats() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = read(saved(Image.fromarray(RGB), "PNG", exif=tags, icc_profile=b"a profile"))
    assert (picture.orientation, picture.has_icc_profile) == (6, True)


def test_a_tiff_that_pillow_has_turned_already_is_upright() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = read(saved(Image.fromarray(RGB), "TIFF", exif=tags))
    assert picture.orientation == 1
    assert np.array_equal(picture.pixels, np.rot90(RGB, -1))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(Image.fromarray(RGB).convert("RGBA"), "PNG"), "an alpha channel"),
        (saved(Image.fromarray(GREY).convert("LA"), "PNG"), "an alpha channel"),
        (saved(Image.fromarray(RGB).quantize(4), "PNG", transparency=0), "a transparent colour"),
        (saved(Image.fromarray(RGB), "PNG", transparency=(1, 2, 3)), "a transparent colour"),
        (saved(Image.fromarray(GREY.astype(np.uint16) * 256), "PNG"), "16 bits"),
        (png16(), "16 bits"),
        (tiff16(), "16 bits"),
        (b"P6\n# a comment\n1 1\n65535\n" + bytes(6), "16 bits"),
        (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "float32"),
        (saved(Image.fromarray(RGB).convert("CMYK"), "TIFF"), "CMYK"),
        (saved(Image.fromarray(RGB).convert("LAB"), "TIFF"), "LAB"),
        (b"", "no image"),
        (b"To whom it may concern", "no image"),
        (saved(Image.fromarray(RGB), "PNG")[:-40], "cannot be read"),
    ],
    ids=[
        "rgba", "la", "palette", "colour key", "grey16", "png16", "tiff16", "ppm16", "float",
        "cmyk", "lab", "empty", "text", "cut",
    ],
)  # fmt: skip
def test_what_a_jpeg_cannot_hold_is_refused(data: bytes, words: str) -> None:
    assert words in refusal(data)


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_several_pictures_in_a_file_are_refused(format: str) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1]), Image.fromarray(RGB[:, ::-1])]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    assert "3 pictures" in refusal(data)


def test_without_imageio_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio.v3", None)
    assert "pip install 'pyjpegml[cli]'" in refusal(saved(Image.fromarray(RGB), "PNG"))
    assert read(pyjpegml.encode(RGB)).pixels.shape == RGB.shape


def test_read_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"\0\xff\r\n")
    assert files.read_bytes(str(tmp_path / "a")) == b"\0\xff\r\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\0\xff\r\n")))
    assert files.read_bytes("-") == b"\0\xff\r\n"


def test_read_errors_name_the_file_once(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"b: No such file or directory$"):
        files.read_bytes(str(tmp_path / "b"))
    with pytest.raises(FileError, match="directory"):
        files.read_bytes(str(tmp_path))


# --- writing --------------------------------------------------------------------------------------


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = os.umask(0o027)
    try:
        files.write_bytes(str(out), b"data")
    finally:
        os.umask(before)
    assert out.read_bytes() == b"data"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["out"]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old and longer")
    out.chmod(0o600)
    files.write_bytes(str(out), b"new")
    assert out.read_bytes() == b"new"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize("target_exists", [False, True])
def test_a_symbolic_link_stays_and_its_target_is_replaced(
    tmp_path: Path, target_exists: bool
) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    if target_exists:
        target.write_bytes(b"old")
    link.symlink_to(Path("elsewhere") / "target")
    files.write_bytes(str(link), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(target.parent) == ["target"]


def test_another_name_of_the_same_data_keeps_the_old_ones(tmp_path: Path) -> None:
    """The file is replaced, not written into."""
    (tmp_path / "one").write_bytes(b"old")
    os.link(tmp_path / "one", tmp_path / "two")
    files.write_bytes(str(tmp_path / "two"), b"new")
    assert (tmp_path / "one").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    seen = []

    def fail(*_: object) -> None:
        seen.append(os.listdir(tmp_path))
        raise error

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt):
        files.write_bytes(str(out), b"new")
    assert len(seen) == 1
    assert sorted(".tmp" in entry for entry in seen[0]) == [False, True]
    assert os.listdir(tmp_path) == ["out"]
    assert out.read_bytes() == b"old"


def test_a_device_is_written_to_and_not_replaced() -> None:
    before = os.stat(os.devnull)
    files.write_bytes(os.devnull, b"data")
    assert os.stat(os.devnull).st_ino == before.st_ino


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_device() -> None:
    with pytest.raises(FileError, match=r"^/dev/full: No space left on device$"):
        files.write_bytes("/dev/full", b"data")


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    files.write_bytes("-", b"\0\r\n\xff")
    assert capsysbinary.readouterr().out == b"\0\r\n\xff"


def test_check_output(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"data")
    files.check_output(str(out), [str(source), "-"])
    out.write_bytes(b"old")
    files.check_output(str(out), [str(source), "-"])
    with pytest.raises(FileError, match="directory"):
        files.check_output(str(tmp_path), [])
    with pytest.raises(FileError, match="no such directory"):
        files.check_output(str(tmp_path / "nowhere" / "out"), [])
    with pytest.raises(FileError, match="no such directory"):
        files.check_output(str(source / "out"), [])


@pytest.mark.parametrize("how", ["same name", "other path", "symbolic link", "hard link"])
def test_check_output_knows_an_input_by_any_name(tmp_path: Path, how: str) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"data")
    if how == "same name":
        out = source
    elif how == "other path":
        out = tmp_path / ".." / tmp_path.name / "in"
    elif how == "symbolic link":
        out.symlink_to(source)
    else:
        os.link(source, out)
    with pytest.raises(ValueError, match="also read"):
        files.check_output(str(out), ["-", str(source)])


def test_check_output_spares_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    files.check_output("-", [])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(ValueError, match="terminal"):
        files.check_output("-", [])


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tiff", ".bmp", ".ppm", ".webp"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_pictures_are_written_without_loss(pixels: npt.NDArray[np.uint8], suffix: str) -> None:
    data = files.picture_bytes("out", pixels, suffix)
    again = read(data).pixels
    if suffix == ".webp" and pixels.ndim == 2:  # which has no grey
        assert all(np.array_equal(again[:, :, i], pixels) for i in range(3))
    else:
        assert np.array_equal(again, pixels)


def test_formats_that_cannot_be_written() -> None:
    with pytest.raises(FileError, match=r"^out: imageio writes no \.xyz files; "):
        files.picture_bytes("out", RGB, ".xyz")
    with pytest.raises(FileError, match=r"^out: imageio cannot write this picture as \.xbm: "):
        files.picture_bytes("out", RGB, ".xbm")
