"""File input and output: what is read, what is refused, and that a write is whole or nothing."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pyjpegml
from pyjpegml import files, markers
from pyjpegml.files import FileError
from pyjpegml.icc import icc_segments
from pyjpegml.pictures import Picture
from pyjpegml.xmp import xmp_segments

RGB = np.random.default_rng(7).integers(0, 256, (12, 20, 3), np.uint8)
GREY = RGB[:, :, 1]


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


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


def read(data: bytes, keep: bool = True) -> Picture:
    return files.read_picture("picture", data, keep=keep)


def test_our_own_decoder_reads_jpegs() -> None:
    data = with_segments(
        pyjpegml.encode(RGB),
        (markers.APP0 + 1, b"Exif\0\0" + exif(8)),
        *icc_segments(b"a profile"),
        (markers.COM, b"a comment"),
    )
    picture = read(data)
    assert np.array_equal(picture.samples, pyjpegml.decode(data))
    assert (picture.maximum, picture.color, picture.lost) == (255, "RGB", ())
    assert picture.metadata == pyjpegml.read_header(data).metadata
    stripped = read(data, keep=False).metadata
    assert (stripped.orientation, stripped.icc) == (8, b"a profile")
    assert stripped.comments == ()


def test_jpegs_of_more_bits_and_of_inks() -> None:
    deep = RGB.astype(np.uint16) << 4
    picture = read(pyjpegml.encode(deep))
    assert (picture.maximum, picture.samples.dtype) == (4095, np.uint16)
    assert np.array_equal(read(pyjpegml.encode(deep << 4, lossless=True)).samples, deep << 4)
    inks = np.dstack([RGB, GREY])
    picture = read(pyjpegml.encode(inks, color="CMYK", quality=100))
    assert picture.color == "CMYK"
    assert abs(picture.samples.astype(int) - inks).max() <= 3


def test_other_images_in_a_jpeg_are_left_out_with_what_is_said_of_them() -> None:
    second = pyjpegml.encode(GREY)
    packet = (
        b'<x xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        b'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
        b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0">'
        b'<Container:Directory><rdf:Seq><rdf:li><Container:Item Item:Semantic="Primary" '
        b'Item:Mime="image/jpeg"/></rdf:li><rdf:li><Container:Item Item:Semantic="GainMap" '
        b'Item:Mime="image/jpeg" Item:Length="%d"/></rdf:li></rdf:Seq></Container:Directory></x>'
    ) % len(second)
    segments = (*xmp_segments(packet), (markers.APP0 + 1, b"Exif\0\0" + exif(3)))
    picture = read(with_segments(pyjpegml.encode(RGB), *segments) + second)
    assert picture.lost == ("another image (gain map)",)
    assert (picture.metadata.xmp, picture.metadata.orientation) == (None, 3)


def test_a_broken_jpeg_is_a_jpeg_error_and_not_left_to_pillow() -> None:
    with pytest.raises(pyjpegml.JpegFormatError):
        read(pyjpegml.encode(RGB)[:200])


def test_other_formats_are_left_to_pillow() -> None:
    assert np.array_equal(read(saved(Image.fromarray(RGB), "PNG")).samples, RGB)


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
