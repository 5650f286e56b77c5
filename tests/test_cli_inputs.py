"""What the command line reads: 16 bits, alpha, inks, orientation, and the metadata it carries over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from commands import GREY, RGB, Run
from PIL import Image
from test_pictures import ORANGE, blended, profile, tags, tiff

import pyjpegml
from pyjpegml import yardstick
from pyjpegml.console import ExitCode
from pyjpegml.exif import orientation_exif

DEEP = RGB.astype(np.uint16) * 257 + np.random.default_rng(0).integers(-128, 129, RGB.shape)
DEEP = np.clip(DEEP, 0, 65535).astype(np.uint16)
INKS = np.dstack([RGB, GREY // 2])


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], str]:
    """Make an input file."""

    def make(data: bytes) -> str:
        path = tmp_path / "input"
        path.write_bytes(data)
        return str(path)

    return make


def saved(tmp_path: Path, name: str, pixels: npt.NDArray[np.uint8], **options: object) -> str:
    path = tmp_path / name
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return str(path)


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compress", "encode"])
@pytest.mark.parametrize(("mode", "words"), [("RGBA", "--background"), ("F", "float32")])
def test_images_that_a_jpeg_cannot_hold(
    fails: Callable[..., str], tmp_path: Path, out: str, command: str, mode: str, words: str
) -> None:
    path = str(tmp_path / "in.tiff")
    Image.fromarray(RGB if mode == "RGBA" else GREY).convert(mode).save(path)
    message = fails(ExitCode.FILE_FAILED, command, path, out)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert not Path(out).exists()


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bits_are_scaled(run: Run, source: Callable[[bytes], str], out: str, kind: str) -> None:
    path = source(imagecodecs.png_encode(DEEP) if kind == "png" else tiff(DEEP))
    assert run("encode", path, out)[0] == ExitCode.DONE
    scaled = np.rint(DEEP / 257).astype(np.uint8)
    assert Path(out).read_bytes() == pyjpegml.encode(scaled)
    assert run("compress", path, out, "--ms-ssim", "0.9")[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.compress(scaled, ms_ssim=0.9).data


def test_12_bits_on_request(run: Run, source: Callable[[bytes], str], png: str, out: str) -> None:
    path = source(imagecodecs.png_encode(DEEP))
    assert run("encode", path, out, "--precision", "12")[0] == ExitCode.DONE
    scaled = np.rint(DEEP * (4095 / 65535)).astype(np.uint16)
    assert Path(out).read_bytes() == pyjpegml.encode(scaled, precision=12)
    assert run("encode", png, out, "--precision", "12")[0] == ExitCode.DONE
    scaled = np.rint(RGB * (4095 / 255)).astype(np.uint16)
    assert Path(out).read_bytes() == pyjpegml.encode(scaled, precision=12)


def test_lossless_files_keep_all_bits(run: Run, source: Callable[[bytes], str], out: str) -> None:
    path = source(imagecodecs.png_encode(DEEP))
    assert run("encode", path, out, "--lossless")[0] == ExitCode.DONE
    assert np.array_equal(pyjpegml.decode(Path(out).read_bytes()), DEEP)
    assert run("encode", path, out, "--lossless", "--precision", "10")[0] == ExitCode.DONE
    scaled = np.rint(DEEP * (1023 / 65535)).astype(np.uint16)
    assert Path(out).read_bytes() == pyjpegml.encode(scaled, lossless=True, precision=10)
    level = b"P5 96 72 4095\n" + (DEEP[:, :, 0] >> 4).astype(">u2").tobytes()
    assert run("encode", source(level), out, "--lossless")[0] == ExitCode.DONE
    assert pyjpegml.read_header(Path(out).read_bytes()).precision == 12
    assert np.array_equal(pyjpegml.decode(Path(out).read_bytes()), DEEP[:, :, 0] >> 4)


def test_bits_that_a_file_with_a_dct_cannot_have(
    fails: Callable[..., str], png: str, out: str
) -> None:
    message = fails(ExitCode.USAGE, "encode", png, out, "--precision", "10")
    assert "uint16 samples have 12 bits, or others with lossless=True" in message


def test_a_jpeg_of_12_bits_is_scaled(run: Run, source: Callable[[bytes], str], out: str) -> None:
    data = pyjpegml.encode(DEEP >> 4, quality=95)
    assert run("encode", source(data), out)[0] == ExitCode.DONE
    scaled = np.rint(pyjpegml.decode(data) * (255 / 4095)).astype(np.uint8)
    assert Path(out).read_bytes() == pyjpegml.encode(scaled)


def test_low_bits_of_16_are_dropped_on_request(
    run: Run, source: Callable[[bytes], str], out: str
) -> None:
    path = source(imagecodecs.png_encode(DEEP))
    assert run("encode", path, out, "--lossless", "--point-transform", "9")[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(DEEP, lossless=True, point_transform=9)


@pytest.mark.parametrize("bits", [3, 12])
def test_decoded_samples_are_scaled_to_those_of_the_format(
    run: Run, source: Callable[[bytes], str], tmp_path: Path, bits: int
) -> None:
    white = (1 << bits) - 1
    grey = (GREY.astype(np.uint16) * 13 & white).astype(np.uint8 if bits < 8 else np.uint16)
    path = source(pyjpegml.encode(grey, lossless=True, precision=bits))
    out = str(tmp_path / "decoded.png")
    assert run("decode", path, out)[0] == ExitCode.DONE
    full = 255 if bits < 8 else 65535
    assert np.array_equal(np.asarray(Image.open(out)), np.rint(grey * (full / white)))


@pytest.mark.parametrize("deep", [False, True])
def test_alpha_on_a_background(
    run: Run, source: Callable[[bytes], str], out: str, deep: bool
) -> None:
    alpha = np.random.default_rng(1).integers(0, 65536, GREY.shape, np.uint16)
    samples = np.dstack([DEEP, alpha]) if deep else np.dstack([RGB, (alpha >> 8).astype(np.uint8)])
    path = source(imagecodecs.png_encode(samples))
    maximum = 65535 if deep else 255
    expected = blended(samples[:, :, :3], samples[:, :, 3], maximum, ORANGE)
    expected = np.rint(expected / (maximum // 255)).astype(np.uint8)
    assert run("encode", path, out, "--background", "#ff8001")[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(expected)
    code, printed, _ = run("compare", path, out, "--background", "#FF8001", "--json")
    assert code == ExitCode.DONE
    score = pyjpegml.ms_ssim(expected, pyjpegml.decode(Path(out).read_bytes()))
    assert json.loads(printed)["ms_ssim"] == score


@pytest.mark.parametrize("color", ["pink", "#fff", "ffffff", "#gggggg", ""])
def test_backgrounds_that_are_none(fails: Callable[..., str], color: str) -> None:
    message = fails(ExitCode.USAGE, "encode", "in", "out", "--background", color)
    assert f"a colour is white, black or #rrggbb, not {color!r}" in message


@pytest.mark.parametrize("kind", ["tiff", "jpg"])
def test_inks(run: Run, tmp_path: Path, out: str, kind: str) -> None:
    path = tmp_path / f"in.{kind}"
    inks = INKS
    if kind == "tiff":
        Image.frombytes("CMYK", (96, 72), INKS.tobytes()).save(path)
    else:
        path.write_bytes(pyjpegml.encode(INKS, color="CMYK"))
        inks = pyjpegml.decode(path.read_bytes())
    assert run("encode", str(path), out, "--quality", "90")[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(inks, color="CMYK", quality=90)
    assert run("encode", str(path), out, "--stored-as", "YCCK")[0] == ExitCode.DONE
    assert Path(out).read_bytes() == pyjpegml.encode(inks, color="CMYK", stored_as="YCCK")


def test_inks_are_compressed_and_not_compared(
    run: Run, fails: Callable[..., str], tmp_path: Path, png: str, out: str
) -> None:
    path = str(tmp_path / "in.tiff")
    Image.frombytes("CMYK", (96, 72), INKS.tobytes()).save(path)
    code, said, _ = run("compress", path, out, "--ms-ssim", "0.95", "--against-libjpeg")
    assert code == ExitCode.DONE
    assert "saved" in said
    assert pyjpegml.read_header(Path(out).read_bytes()).color == "YCCK"
    assert pyjpegml.ms_ssim(pyjpegml.decode(Path(out).read_bytes()), INKS) >= 0.95
    assert "CMYK, which cannot be compared" in fails(ExitCode.FILE_FAILED, "compare", png, path)


@pytest.mark.parametrize("command", ["compress", "recode", "transform"])
def test_other_images(run: Run, fails: Callable[..., str], tmp_path: Path, out: str, command: str):
    path = tmp_path / "in.jpg"
    image = Image.fromarray(RGB)
    image.save(path, "MPO", save_all=True, append_images=[image.rotate(180)], quality=95)
    arguments = [*([command, "none"] if command == "transform" else [command]), str(path), out]
    for options, count in ((), 1), (["--others", "drop"], 0), (["--metadata", "strip"], 0):
        code, _, complaint = run(*arguments, *options)
        assert code == ExitCode.DONE
        assert len(pyjpegml.read_header(Path(out).read_bytes()).metadata.images) == count
        if command == "compress":
            word = "kept" if count else "dropped"
            assert f"{word}: another image (undefined) of " in complaint
    said = fails(ExitCode.USAGE, *arguments, "--others", "keep", "--metadata", "strip")
    assert "needs" in said


def test_decoded_inks_stay_inks(run: Run, fails: Callable[..., str], tmp_path: Path) -> None:
    data = pyjpegml.encode(INKS, color="CMYK")
    path, target = tmp_path / "in.jpg", tmp_path / "out.tiff"
    path.write_bytes(data)
    assert run("decode", str(path), str(target))[0] == ExitCode.DONE
    with Image.open(target) as image:
        assert image.mode == "CMYK"
        assert np.array_equal(np.asarray(image), pyjpegml.decode(data))
    wrong = str(tmp_path / "out.png")
    assert "cannot write this picture as .png" in fails(
        ExitCode.FILE_FAILED, "decode", str(path), wrong
    )


# --- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["compress", "encode"])
@pytest.mark.parametrize("format", ["png", "webp", "jpg"])
def test_metadata_are_carried_over(
    run: Run, tmp_path: Path, out: str, command: str, format: str
) -> None:
    exif, icc = tags(6).tobytes(), profile(b"RGB ")
    options = {} if format == "jpg" else {"lossless": True}
    path = saved(tmp_path, f"in.{format}", RGB, exif=exif, icc_profile=icc, **options)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    if command == "encode":
        plain = pyjpegml.encode(pixels)
    else:
        plain = pyjpegml.compress(Path(path).read_bytes() if format == "jpg" else pixels).data
    assert run(command, path, out)[::2] == (ExitCode.DONE, "")
    data = Path(out).read_bytes()
    header = pyjpegml.read_header(data)
    assert header.metadata.exif == exif.removeprefix(b"Exif\0\0")
    assert (header.metadata.orientation, header.metadata.icc) == (6, icc)
    assert header.warnings == ()
    assert np.array_equal(pyjpegml.decode(data), pyjpegml.decode(plain))  # nothing is turned
    with Image.open(out) as image:
        assert image.getexif()[0x0112] == 6
        assert image.info["icc_profile"] == icc
    assert run(command, path, out, "--metadata", "strip")[::2] == (ExitCode.DONE, "")
    metadata = pyjpegml.read_header(Path(out).read_bytes()).metadata
    assert (metadata.exif, metadata.icc) == (orientation_exif(6), icc)


def test_a_tiff_that_lies_turned_is_turned_once(run: Run, tmp_path: Path, out: str) -> None:
    path = saved(tmp_path, "in.tiff", RGB, exif=tags(6).tobytes())
    assert run("encode", path, out)[0] == ExitCode.DONE
    data = Path(out).read_bytes()
    metadata = pyjpegml.read_header(data).metadata
    assert metadata.orientation == 1
    upright = np.ascontiguousarray(np.rot90(RGB, -1))
    assert np.array_equal(pyjpegml.decode(data), pyjpegml.decode(pyjpegml.encode(upright)))
    with Image.open(out) as image:
        assert image.getexif()[0x010F] == "a maker"


def test_metadata_count_on_both_sides_of_a_saving(run: Run, tmp_path: Path, out: str) -> None:
    path = saved(tmp_path, "in.png", RGB, icc_profile=profile(b"RGB "))
    facts = json.loads(run("compress", path, out, "--json", "--against-libjpeg")[1])
    size = 4 + len(b"ICC_PROFILE\0\1\1") + len(profile(b"RGB "))
    assert facts["bytes"] == size + len(pyjpegml.compress(RGB, ms_ssim=0.99).data)
    assert facts["libjpeg"]["bytes"] == size + len(yardstick.annex_k_baseline(RGB, 0.99).data)


def test_density_and_comments_of_a_jpeg(run: Run, tmp_path: Path, out: str) -> None:
    path = saved(tmp_path, "in.jpg", RGB, dpi=(300, 300), comment=b"a comment")
    for choice, comments in (("keep", (b"a comment",)), ("strip", ())):
        assert run("encode", path, out, "--metadata", choice)[0] == ExitCode.DONE
        metadata = pyjpegml.read_header(Path(out).read_bytes()).metadata
        assert metadata.jfif is not None
        assert (metadata.jfif.unit, metadata.jfif.density) == (1, (300, 300))
        assert metadata.comments == comments


@pytest.mark.parametrize("command", ["compress", "encode"])
@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("choice", ["keep", "strip"])
def test_density_of_other_formats(
    run: Run, tmp_path: Path, out: str, command: str, format: str, choice: str
) -> None:
    path = saved(tmp_path, f"in.{format}", RGB, dpi=(300, 200))
    assert run(command, path, out, "--metadata", choice)[0] == ExitCode.DONE
    with Image.open(out) as image:
        assert image.info["dpi"] == (300, 200)
        assert image.info["jfif_version"] == (1, 1)


def test_metadata_of_inks_keep_adobes_marker(run: Run, tmp_path: Path, out: str) -> None:
    path = tmp_path / "in.tiff"
    image = Image.frombytes("CMYK", (96, 72), INKS.tobytes())
    image.save(path, icc_profile=profile(b"CMYK"))
    assert run("encode", str(path), out)[::2] == (ExitCode.DONE, "")
    data = Path(out).read_bytes()
    header = pyjpegml.read_header(data)
    assert (header.color, header.metadata.icc) == ("CMYK", profile(b"CMYK"))
    expected = pyjpegml.decode(pyjpegml.encode(INKS, color="CMYK"))
    assert np.array_equal(pyjpegml.decode(data), expected)


def test_what_is_not_carried_over_is_told(run: Run, tmp_path: Path, out: str) -> None:
    path = saved(tmp_path, "in.png", GREY, icc_profile=profile(b"RGB "))
    code, _, complaint = run("encode", path, out)
    assert code == ExitCode.DONE
    assert complaint == (
        f"pyjpegml: {path}: warning: not carried over: an ICC profile of RGB colours\n"
    )


def test_metadata_that_do_not_fit(fails: Callable[..., str], tmp_path: Path, out: str) -> None:
    path = saved(tmp_path, "in.png", RGB, exif=b"Exif\0\0II*\0" + bytes(70000))
    message = fails(ExitCode.FILE_FAILED, "encode", path, out)
    assert message.endswith("--metadata strip drops them")
    assert not Path(out).exists()


# --- decode: what is not carried over -------------------------------------------------------------


def test_decode_does_not_lay_pictures_down(
    fails: Callable[..., str], run: Run, tmp_path: Path
) -> None:
    path, target = saved(tmp_path, "in.jpg", RGB, exif=tags(6).tobytes()), tmp_path / "out.png"
    message = fails(ExitCode.FILE_FAILED, "decode", path, str(target))
    assert message.startswith(f"{path}: its Exif orientation is 6, ")
    assert not target.exists()
    code, _, complaint = run("decode", path, str(target), "--ignore-orientation")
    assert (code, complaint) == (ExitCode.DONE, "")
    assert np.array_equal(np.asarray(Image.open(target)), pyjpegml.decode(Path(path).read_bytes()))


def test_decode_tells_of_a_lost_profile(run: Run, tmp_path: Path) -> None:
    path = saved(tmp_path, "in.jpg", RGB, icc_profile=profile(b"RGB "))
    code, _, complaint = run("decode", path, str(tmp_path / "out.png"))
    assert code == ExitCode.DONE
    assert complaint.startswith(f"pyjpegml: {path}: warning: its ICC profile is dropped")
    assert complaint.count("\n") == 1
