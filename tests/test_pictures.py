"""Pictures of other formats: samples of 8 and 16 bits, alpha, metadata, and what is refused."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from fractions import Fraction
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from pyjpegml import exif as exif_data
from pyjpegml import pictures
from pyjpegml.files import FileError
from pyjpegml.metadata import Metadata
from pyjpegml.pictures import Picture

WHITE, BLACK, ORANGE = (255, 255, 255), (0, 0, 0), (255, 128, 1)
RGB = np.random.default_rng(7).integers(0, 256, (12, 20, 3), np.uint8)
GREY = RGB[:, :, 1].copy()
DEEP = np.random.default_rng(8).integers(0, 65536, (12, 20, 4), np.uint16)
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def saved(image: Image.Image | npt.NDArray[Any], format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, format, **options
    )
    return file.getvalue()


def tiff(
    samples: npt.NDArray[np.uint16],
    order: str = "<",
    photometric: int = 2,
    deflate: bool = False,
    extra: int | None = None,
    planar: int = 1,
    bits: int = 16,
) -> bytes:
    """A TIFF file of 16-bit samples in one strip."""
    height, width, count = (*samples.shape, 1)[:3]
    stored = samples.astype(order + "u2").tobytes()
    if deflate:
        stored = zlib.compress(stored)
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, count, 1000 if count > 2 else bits),
        (259, 3, 1, 8 if deflate else 1), (262, 3, 1, photometric), (273, 4, 1, 2000),
        (277, 3, 1, count), (278, 4, 1, height), (279, 4, 1, len(stored)), (284, 3, 1, planar),
    ]  # fmt: skip
    if extra is not None:
        entries.append((338, 3, 1, extra))
    directory = b""
    for tag, kind, number, value in entries:
        short = kind == 3 and number == 1
        directory += struct.pack(order + "HHI", tag, kind, number)
        directory += struct.pack(order + ("HH" if short else "I"), value, *([0] if short else []))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(entries))
    head = (head + directory + bytes(4)).ljust(1000, b"\0")
    return (head + struct.pack(f"{order}{count}H", *[bits] * count)).ljust(2000, b"\0") + stored


def tags(orientation: int = 6) -> Image.Exif:
    """Exif data of two directories."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "a maker"
    made[0x8769] = {0x9003: "2026:11:22 17:00:00", 0x829A: IFDRational(1, 125)}
    made[0x8825] = {1: "N"}
    return made


def profile(space: bytes) -> bytes:
    """As much of an ICC profile as says its colour space."""
    return struct.pack(">I12s4s", 128, b"", space).ljust(128, b"\0")


def read(data: bytes, background: tuple[int, int, int] | None = None, keep: bool = True) -> Picture:
    return pictures.read_picture("picture", data, background, keep)


def refusal(data: bytes) -> str:
    with pytest.raises(FileError) as caught:
        read(data)
    assert caught.value.name == "picture"
    return caught.value.message


# --- 8 bits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_formats(pixels: npt.NDArray[np.uint8], format: str) -> None:
    data = saved(pixels, format)
    expected = pixels
    if format == "GIF":  # a palette of 256 colours: what Pillow itself sees in it
        with Image.open(io.BytesIO(data)) as stored:
            expected = np.asarray(stored.convert("RGB" if stored.mode == "P" else stored.mode))
    picture = read(data)
    assert picture.samples.dtype == np.uint8
    assert np.array_equal(picture.samples, expected)
    assert np.array_equal(picture.scaled(), expected)
    assert (picture.maximum, picture.color) == (255, "RGB" if expected.ndim == 3 else "grey")
    assert picture.lost == ()


def test_lossless_webp() -> None:
    assert np.array_equal(read(saved(RGB, "WEBP", lossless=True)).samples, RGB)


def test_a_palette_becomes_rgb() -> None:
    image = Image.fromarray(RGB).quantize(8)
    assert np.array_equal(read(saved(image, "PNG")).samples, np.asarray(image.convert("RGB")))


def test_black_and_white_becomes_grey() -> None:
    image = Image.fromarray(GREY).convert("1")
    assert np.array_equal(read(saved(image, "PNG")).samples, np.asarray(image.convert("L")))


def test_inks_of_tiff_files() -> None:
    inks = np.random.default_rng(1).integers(0, 256, (12, 20, 4), np.uint8)
    image = Image.frombytes("CMYK", (20, 12), inks.tobytes())
    picture = read(saved(image, "TIFF"))
    assert picture.color == "CMYK"
    assert np.array_equal(picture.samples, inks)


# --- 16 bits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_png_of_16_bits(channels: int) -> None:
    samples = DEEP[:, :, 0].copy() if channels == 1 else DEEP[:, :, :3].copy()
    picture = read(imagecodecs.png_encode(samples))
    assert (picture.samples.dtype, picture.maximum) == (np.uint16, 65535)
    assert np.array_equal(picture.samples, samples)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("kind", ["grey", "RGB", "RGB and another", "CMYK"])
def test_tiff_of_16_bits(order: str, deflate: bool, kind: str) -> None:
    samples = {"grey": DEEP[:, :, 0], "RGB": DEEP[:, :, :3]}.get(kind, DEEP)
    data = tiff(
        samples, order, {"grey": 1, "CMYK": 5}.get(kind, 2), deflate,
        extra=0 if kind == "RGB and another" else None,
    )  # fmt: skip
    picture = read(data)
    assert (picture.samples.dtype, picture.maximum) == (np.uint16, 65535)
    expected = DEEP[:, :, :3] if kind == "RGB and another" else samples
    assert np.array_equal(picture.samples, expected)


@pytest.mark.parametrize("magic", [b"P5", b"P6"])
@pytest.mark.parametrize("maximum", [65535, 4095, 1000])
def test_pnm_of_two_bytes(magic: bytes, maximum: int) -> None:
    samples = np.minimum(DEEP[:, :, :3] if magic == b"P6" else DEEP[:, :, 0], maximum)
    head = magic + b"\n# a comment\n20 12\n# another\n%d\n" % maximum
    picture = read(head + samples.astype(">u2").tobytes())
    assert picture.maximum == maximum
    assert np.array_equal(picture.samples, samples)


def test_a_level_above_white_is_refused() -> None:
    assert "a level of 300 is above white, 299" in refusal(b"P5 1 1 299\n" + struct.pack(">H", 300))


@given(st.sampled_from([255, 1000, 4095, 65535]), st.sampled_from([8, 12, 16]), st.integers(0))
def test_levels_are_rounded_to_the_nearest(maximum: int, bits: int, seed: int) -> None:
    kind = np.uint8 if maximum == 255 else np.uint16
    samples = np.random.default_rng(seed).integers(0, maximum, (5, 7, 3), kind, endpoint=True)
    samples[0, 0] = 0, maximum, maximum // 2
    scaled = Picture(samples, maximum, Metadata()).scaled(bits)
    assert scaled.dtype == (np.uint8 if bits == 8 else np.uint16)
    exact = [Fraction(int(x) * ((1 << bits) - 1), maximum) for x in samples.ravel()]
    assert all(
        abs(int(y) - x) <= Fraction(1, 2) for x, y in zip(exact, scaled.ravel(), strict=True)
    )


def test_16_bits_become_8_by_257() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.rint(samples / 257).astype(np.uint8)
    assert np.array_equal(Picture(samples, 65535, Metadata()).scaled(), expected)


# --- alpha ----------------------------------------------------------------------------------------


def blended(
    samples: npt.NDArray[Any], alpha: npt.NDArray[Any], maximum: int, colors: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Straight alpha over a colour, in floating point."""
    share = alpha[..., None] / maximum
    behind = np.array(colors) * (maximum / 255)
    return np.rint(samples * share + behind * (1 - share))


@pytest.mark.parametrize("background", [WHITE, BLACK, ORANGE])
@pytest.mark.parametrize(
    ("format", "deep"),
    [("PNG", False), ("PNG", True), ("TIFF", False), ("TIFF", True), ("WEBP", False)],
)
def test_alpha(format: str, deep: bool, background: tuple[int, int, int]) -> None:
    samples = DEEP.copy() if deep else (DEEP >> 8).astype(np.uint8)
    samples[0, :, 3], samples[1, :, 3] = 0, 65535 if deep else 255
    if format == "TIFF":
        data = tiff(samples, extra=2) if deep else saved(samples, "TIFF")
    elif format == "PNG":
        data = imagecodecs.png_encode(samples)
    else:
        data = saved(samples, "WEBP", lossless=True, exact=True)
    assert "--background" in refusal(data)
    maximum = 65535 if deep else 255
    picture = read(data, background)
    assert picture.maximum == maximum
    assert np.array_equal(
        picture.samples, blended(samples[:, :, :3], samples[:, :, 3], maximum, background)
    )


@pytest.mark.parametrize("deep", [False, True])
def test_grey_with_alpha(deep: bool) -> None:
    samples = DEEP[:, :, :2].copy() if deep else (DEEP[:, :, :2] >> 8).astype(np.uint8)
    maximum = 65535 if deep else 255
    data = imagecodecs.png_encode(samples)
    on_white = read(data, WHITE)
    expected = blended(samples[:, :, :1], samples[:, :, 1], maximum, (255,))
    assert np.array_equal(on_white.samples, expected[:, :, 0])
    on_orange = read(data, ORANGE)
    expected = blended(np.dstack([samples[:, :, 0]] * 3), samples[:, :, 1], maximum, ORANGE)
    assert np.array_equal(on_orange.samples, expected)


def test_the_ends_of_alpha_are_exact() -> None:
    for maximum, kind in ((255, np.uint8), (65535, np.uint16)):
        samples = np.array([[[0, 7, maximum]]], kind)
        full, none = np.full((1, 1), maximum, kind), np.zeros((1, 1), kind)
        assert np.array_equal(pictures.flattened(samples, full, maximum, ORANGE), samples)
        behind = pictures.flattened(samples, none, maximum, ORANGE)
        assert behind.ravel().tolist() == [c * (maximum // 255) for c in ORANGE]


@pytest.mark.parametrize("pixels", [RGB, GREY, DEEP[:, :, 0].copy()], ids=["rgb", "grey", "deep"])
def test_a_transparent_colour(pixels: npt.NDArray[Any]) -> None:
    key = pixels[3, 4].tolist()
    key = tuple(key) if isinstance(key, list) else key
    data = saved(pixels, "PNG", transparency=key)
    assert "a transparent colour" in refusal(data)
    hidden = (pixels == np.array(key)).reshape(12, 20, -1).all(2)
    assert hidden.any()
    expected = np.where(hidden.reshape(12, 20, *[1] * (pixels.ndim - 2)), 0, pixels)
    assert np.array_equal(read(data, BLACK).samples, expected)


def test_a_transparent_colour_of_16_bits() -> None:
    """One that differs in the low byte only is another colour."""
    samples = np.array([[[256, 512, 768], [257, 512, 768]]], np.uint16)
    data = imagecodecs.png_encode(samples)
    key = b"tRNS" + struct.pack(">3H", 256, 512, 768)
    chunk = struct.pack(">I", 6) + key + struct.pack(">I", zlib.crc32(key))
    data = data.replace(data[data.index(b"IDAT") - 4 :], chunk + data[data.index(b"IDAT") - 4 :])
    assert read(data, WHITE).samples.tolist() == [[[65535] * 3, [257, 512, 768]]]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits(depth: int) -> None:
    top = (1 << depth) - 1
    rows = zlib.compress(b"\0" + bytes([top << 8 - depth]))  # white, then black
    data = b"\x89PNG\r\n\x1a\n"
    for kind, payload in (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, 0, 0, 0, 0)),
        (b"tRNS", struct.pack(">H", top)), (b"IDAT", rows), (b"IEND", b""),
    ):  # fmt: skip
        checksum = struct.pack(">I", zlib.crc32(kind + payload))
        data += struct.pack(">I", len(payload)) + kind + payload + checksum
    assert read(data, (9, 9, 9)).samples.tolist() == [[9, 0]]


def test_a_palette_with_transparency() -> None:
    image = Image.fromarray(RGB).quantize(4)
    data = saved(image, "PNG", transparency=bytes([0, 100, 255, 255]))
    with Image.open(io.BytesIO(data)) as stored:
        pixels = np.asarray(stored.convert("RGBA"))
    assert set(np.unique(pixels[:, :, 3])) == {0, 100, 255}
    expected = blended(pixels[:, :, :3], pixels[:, :, 3], 255, ORANGE)
    assert np.array_equal(read(data, ORANGE).samples, expected)


# --- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_metadata_come_along_byte_for_byte(format: str) -> None:
    exif = tags().tobytes()
    data = saved(RGB, format, exif=exif, icc_profile=profile(b"RGB "), xmp=PACKET)
    if format == "PNG":  # to which Pillow itself does not write XMP
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        data = saved(RGB, format, exif=exif, icc_profile=profile(b"RGB "), pnginfo=text)
    picture = read(data)
    assert picture.metadata.exif == exif.removeprefix(b"Exif\0\0")
    assert (picture.metadata.orientation, picture.metadata.icc) == (6, profile(b"RGB "))
    assert picture.metadata.xmp == PACKET
    assert picture.metadata.warnings == ()
    assert np.array_equal(picture.samples, np.asarray(Image.open(io.BytesIO(data))))
    stripped = read(data, keep=False).metadata
    assert stripped.exif == exif_data.orientation_exif(6)
    assert (stripped.icc, stripped.xmp) == (profile(b"RGB "), None)


def test_exif_as_imagemagick_writes_it_into_png() -> None:
    from PIL.PngImagePlugin import PngInfo

    exif = tags(3).tobytes()
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n", zip=True)
    assert read(saved(RGB, "PNG", pnginfo=text)).metadata.exif == exif.removeprefix(b"Exif\0\0")


def test_metadata_of_tiff() -> None:
    """The tags that tell of storage stay behind, and Pillow has turned the pixels already."""
    made = tags(6)
    made[0x8769] |= {0x927C: b"where things lie"}
    packet = b'<r xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    made[700] = packet
    data = saved(RGB, "TIFF", exif=made.tobytes(), icc_profile=profile(b"RGB "), dpi=(300, 300))
    picture = read(data)
    assert np.array_equal(picture.samples, np.rot90(RGB, -1))
    metadata = picture.metadata
    assert (metadata.orientation, metadata.icc) == (1, profile(b"RGB "))
    assert metadata.xmp == packet.replace(b'tiff:Orientation="6"', b"")
    assert metadata.warnings == ()
    assert metadata.exif is not None
    back = Image.Exif()
    back.load(metadata.exif)
    assert set(back) <= {0x010F, 0x011A, 0x011B, 0x0128, 0x8769, 0x8825}
    assert (back[0x010F], back[0x011A]) == ("a maker", 300)
    assert back.get_ifd(0x8769) == {0x9003: "2026:11:22 17:00:00", 0x829A: 1 / 125}
    assert back.get_ifd(0x8825) == {1: "N"}


def test_a_tiff_of_16_bits_is_turned_in_both_bytes() -> None:
    data = bytearray(tiff(DEEP[:, :, :3]))
    at = data.index(struct.pack("<HHIHH", 284, 3, 1, 1, 0))
    data[at : at + 12] = struct.pack("<HHIHH", 274, 3, 1, 6, 0)
    picture = read(bytes(data))
    assert np.array_equal(picture.samples, np.rot90(DEEP[:, :, :3], -1))
    assert picture.metadata.orientation == 1


def test_nothing_is_made_up() -> None:
    for format in ("PNG", "TIFF", "WEBP", "PPM"):
        assert read(saved(RGB, format)).metadata == Metadata()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("format", "options", "expected"),
    [
        ("PNG", {"dpi": (300, 300)}, (1, (300, 300))),
        ("PNG", {"dpi": (72, 144)}, (1, (72, 144))),
        ("PNG", {"dpi": (254, 254)}, (1, (254, 254))),
        ("PNG", {"dpi": (2.54, 5.08)}, (2, (1, 2))),
        ("TIFF", {"dpi": (600, 1200)}, (1, (600, 1200))),
        ("TIFF", {"resolution_unit": 3, "resolution": 118}, (2, (118, 118))),
        ("TIFF", {"resolution_unit": 1, "x_resolution": 3, "y_resolution": 2}, (0, (3, 2))),
        ("BMP", {"dpi": (96, 96)}, (1, (96, 96))),
        ("PNG", {"dpi": (1e6, 1e6)}, None),
        ("PNG", {"dpi": (0.1, 0.1)}, None),
    ],
)
def test_density(
    format: str, options: dict[str, Any], expected: tuple[int, tuple[int, int]] | None, keep: bool
) -> None:
    jfif = read(saved(RGB, format, **options), keep=keep).metadata.jfif
    assert (jfif and (jfif.unit, jfif.density)) == expected


def test_an_aspect_ratio_of_png() -> None:
    """Which Pillow does not write: pHYs of unit 0 stands in front of the samples."""
    plain = saved(RGB, "PNG")
    body = b"pHYs" + struct.pack(">IIB", 4, 3, 0)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    at = plain.index(b"IDAT") - 4
    jfif = read(plain[:at] + chunk + plain[at:]).metadata.jfif
    assert jfif is not None
    assert (jfif.unit, jfif.density) == (0, (4, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_density_of_a_tiff_that_lies_turned(orientation: int) -> None:
    data = saved(RGB, "TIFF", exif=tags(orientation).tobytes(), dpi=(300, 150))
    jfif = read(data).metadata.jfif
    assert jfif is not None
    assert jfif.density == ((150, 300) if orientation > 4 else (300, 150))


def test_a_profile_of_other_colours_is_left_out_and_told() -> None:
    picture = read(saved(GREY, "PNG", icc_profile=profile(b"RGB ")))
    assert picture.metadata == Metadata()
    assert picture.lost == ("an ICC profile of RGB colours",)


def test_metadata_that_do_not_fit() -> None:
    data = saved(RGB, "PNG", exif=b"Exif\0\0II*\0" + bytes(70000))
    assert refusal(data) == (
        "its metadata do not fit into a JPEG: Exif data have at most 65527 bytes, not 70004; "
        "--metadata strip drops them"
    )
    assert read(data, keep=False).metadata == Metadata()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(Image.fromarray(RGB).convert("RGBA"), "PNG"), "it has alpha"),
        (saved(Image.fromarray(GREY).convert("LA"), "PNG"), "it has alpha"),
        (saved(Image.fromarray(RGB).quantize(4), "PNG", transparency=0), "a transparent colour"),
        (saved(GREY.astype(np.float32), "TIFF"), "float32"),
        (saved(GREY.astype(np.int32), "TIFF"), "int32"),
        (saved(Image.fromarray(RGB).convert("LAB"), "TIFF"), "LAB of 8 bits"),
        (tiff(DEEP, extra=1), "stored in a way that is not read"),
        (tiff(DEEP[:, :, :3], planar=2), "separate planes"),
        (b"P5 2 1 299\n" + bytes(3), "cannot be read"),
        (b"", "no image in a format that Pillow can read"),
        (b"To whom it may concern", "no image"),
        (saved(RGB, "PNG")[:-40], "cannot be read"),
    ],
    ids=[
        "rgba", "la", "palette", "float", "int", "lab", "multiplied", "planar", "cut pgm", "empty",
        "text", "cut",
    ],
)  # fmt: skip
def test_what_is_refused(data: bytes, words: str) -> None:
    assert words in refusal(data)


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_several_pictures_in_a_file_are_refused(format: str) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1]), Image.fromarray(RGB[:, ::-1])]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    assert "3 pictures" in refusal(data)


def test_without_pillow_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(RGB, "PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install 'pyjpegml[cli]'" in refusal(data)


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tiff", ".bmp", ".ppm", ".webp"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_pictures_are_written_without_loss(pixels: npt.NDArray[np.uint8], suffix: str) -> None:
    data = pictures.picture_bytes("out", pixels, suffix)
    again = read(data).samples
    if suffix == ".webp" and pixels.ndim == 2:  # which has no grey
        assert all(np.array_equal(again[:, :, i], pixels) for i in range(3))
    else:
        assert np.array_equal(again, pixels)


def test_inks_are_written_as_inks_or_not_at_all() -> None:
    inks = (DEEP >> 8).astype(np.uint8)
    picture = read(pictures.picture_bytes("out", inks, ".tiff"))
    assert picture.color == "CMYK"
    assert np.array_equal(picture.samples, inks)
    with pytest.raises(FileError, match=r"cannot write this picture as \.png"):
        pictures.picture_bytes("out", inks, ".png")


def test_formats_that_cannot_be_written() -> None:
    with pytest.raises(FileError, match=r"^out: Pillow writes no \.xyz files; "):
        pictures.picture_bytes("out", RGB, ".xyz")
    with pytest.raises(FileError, match=r"^out: Pillow cannot write this picture as \.xbm: "):
        pictures.picture_bytes("out", RGB, ".xbm")
