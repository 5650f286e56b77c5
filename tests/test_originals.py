"""What compress is given: inks, and JPEGs of every kind, which are never made larger."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from helpers import picture as made
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pyjpegml
from pyjpegml import (
    JpegUnsupportedError,
    Options,
    compress,
    decode,
    encode,
    ms_ssim,
    read_header,
    recode,
)
from pyjpegml.exif import orientation_exif
from pyjpegml.metadata import Metadata
from pyjpegml.metrics import Reference
from pyjpegml.originals import read_original
from pyjpegml.rate import NORMAL
from pyjpegml.yardstick import annex_k_baseline


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def inks(height: int, width: int, seed: int = 1) -> np.ndarray:
    """A picture separated into inks: what C, M and Y have in common is mostly K."""
    paper = 255 - made("natural", (height, width, 3), seed).astype(int)
    black = paper.min(2, keepdims=True) * 7 // 10
    colors = (paper - black) * 255 // np.maximum(255 - black, 1)
    return np.dstack([colors.clip(0, 255), black]).astype(np.uint8)


# --- inks -----------------------------------------------------------------------------------------


def test_the_score_of_inks_is_the_mean_of_four():
    a, b = inks(170, 180), inks(170, 180, 2)
    each = [ms_ssim(a[..., i], b[..., i]) for i in range(4)]
    assert ms_ssim(a, b) == pytest.approx(np.mean(each), abs=1e-12)
    np.testing.assert_allclose(ms_ssim(a, b, per_channel=True), each, atol=1e-12)
    assert ms_ssim(a, a) == 1


@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("target", [0.95, 0.99])
def test_inks_are_compressed(target, progressive):
    image = inks(200, 240)
    result = compress(image, color="CMYK", ms_ssim=target, progressive=progressive)
    assert result.met
    assert result.ms_ssim - target <= NORMAL.tolerance * (1 - target)
    score = Reference(image).score(pillow(result.data), exact=True)
    assert score >= target
    assert result.ms_ssim == pytest.approx(score, abs=1e-7)
    header = read_header(result.data)
    assert header.color == "YCCK"
    assert len(result.qtables) == 4
    for component, table in zip(header.components, result.qtables, strict=True):
        np.testing.assert_array_equal(header.qtables[component.table], table)
    theirs = annex_k_baseline(image, target, color="CMYK")
    assert theirs.met
    assert len(result.data) < 0.85 * len(theirs.data)


def test_the_gradient_makes_files_of_inks_smaller():
    image = inks(200, 240)
    fast, normal, best = (
        compress(image, color="CMYK", ms_ssim=0.98, effort=effort)
        for effort in ("fast", "normal", "best")
    )
    assert len(normal.data) < 0.93 * len(fast.data)
    assert len(best.data) <= len(normal.data)


@settings(max_examples=12)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 60)),
    st.sampled_from(["natural", "noise", "flat"]),
    st.sampled_from([0.9, 0.99, 0.999]),
    st.sampled_from(["fast", "normal"]),
    st.integers(0, 100),
)
def test_any_inks_meet_their_target_or_say_so(size, kind, target, effort, seed):
    rng = np.random.default_rng(seed)
    image = inks(*size, seed)
    if kind == "noise":
        image = rng.integers(0, 256, image.shape, np.uint8)
    elif kind == "flat":
        image[:] = rng.integers(0, 256, 4)
    result = compress(image, color="CMYK", ms_ssim=target, effort=effort)
    decoded = pillow(result.data)
    assert decoded.shape == image.shape
    assert result.ms_ssim == pytest.approx(ms_ssim(image, decoded), abs=1e-7)
    assert result.met == (Reference(image).score(decoded, exact=True) >= target)


def test_four_channels_are_never_guessed():
    image = inks(16, 16)
    with pytest.raises(ValueError, match='if they are inks, pass color="CMYK"; an alpha channel'):
        compress(image)
    with pytest.raises(ValueError, match="an image of 3 channels is not CMYK"):
        compress(image[..., :3], color="CMYK")
    with pytest.raises(ValueError, match="an image of 1 channels is not RGB"):
        compress(image[..., 0], color="RGB")
    with pytest.raises(ValueError, match="color is grey, RGB or CMYK, or None; not 'YCbCr'"):
        compress(image, color="YCbCr")
    with pytest.raises(ValueError, match=r"\(h, w, 4\) of inks; this array is \(16, 16, 2\)"):
        compress(image[..., :2])
    with pytest.raises(ValueError, match="metric='luma' is defined for grey and RGB"):
        compress(image, color="CMYK", options=Options(metric="luma"))
    with pytest.raises(ValueError, match="color='CMYK' is for arrays: a JPEG says itself"):
        compress(encode(image, color="CMYK"), color="CMYK")


# --- JPEGs ----------------------------------------------------------------------------------------

FILES = [
    "golang__video-001.q50.420.jpeg",
    "golang__video-001.q50.444.progressive.jpeg",
    "golang__video-001.cmyk.jpeg",
    "golang__video-001.rgb.jpeg",
    "golang__video-005.gray.q50.jpeg",
    "fuzzing-corpus__ymck-jpg.jpeg",
    "jpeg-decoder__jpg-cmyk-1.jpg",
    "imagecodecs__rgba.u1.jpg",
    "libjpeg-turbo__testorig.jpg",
    "libjpeg-turbo__testimgari.jpg",
    "seed-corpora__1x1_420.jpg",
    "seed-corpora__2x2_410.jpg",
    "seed-corpora__testorig_hflip_2x4_q1_rst16.jpg",
    "seed-corpora__testorig_rot90_441_q25_scan_script.jpg",
    "seed-corpora__testorig_transverse_422_q95_prog_ari.jpg",
    "corkami-pocs__small.jpg",
    "Pillow__hopper_16bit_qtables.jpg",
    "Pillow__icc-after-SOF.jpg",
    "JpegLibrary__lossless4_s22.jpg",
]


@pytest.mark.parametrize("target", [0.95, 0.995, 1.0])
@pytest.mark.parametrize("name", FILES)
def test_no_file_is_made_larger(conformance: Path, name: str, target: float) -> None:
    """Than it is, and than without loss; and its target is met, if only by the file itself."""
    data = (conformance / "valid" / name).read_bytes()
    result = compress(data, ms_ssim=target)
    pixels = decode(data)
    assert result.met
    assert Reference(pixels).score(decode(result.data), exact=True) >= target
    assert len(result.data) <= len(data)
    if "lossless" not in read_header(data).process:
        assert len(result.data) <= len(recode(data, progressive="search"))
    if result.ms_ssim == 1:
        np.testing.assert_array_equal(decode(result.data), pixels)
    again = compress(result.data, ms_ssim=1.0)
    assert again.ms_ssim == 1
    assert len(again.data) <= len(result.data)


def test_what_is_recoded_says_so() -> None:
    data = encode(made("natural", (60, 80, 3)), quality=20, optimize=False, subsampling="4:2:2")
    result = compress(data, ms_ssim=0.9999)
    assert result.data == recode(data, progressive="search")
    header = read_header(result.data)
    assert (result.ms_ssim, result.met, result.subsampling) == (1.0, True, "4:2:2")
    assert [table.tolist() for table in result.qtables] == [
        header.qtables[component.table].tolist() for component in header.components
    ]
    assert result.steps[-1] == ("recoded without loss", 0.0, len(result.data))
    assert "recoded without loss" in result.explain()


def test_lossless_files_are_their_own_fallback() -> None:
    image = made("natural", (40, 50, 3))
    data = encode(image, lossless=True, metadata=Metadata.made_of(comments=[b"hello"]))
    exact = compress(data, ms_ssim=1.0)
    assert (exact.data, exact.met, exact.qtables) == (data, True, ())
    assert "target 1 met" in exact.explain()
    stripped = compress(data, ms_ssim=1.0, metadata="strip")
    np.testing.assert_array_equal(decode(stripped.data), image)
    assert read_header(stripped.data).comments == ()
    assert len(stripped.data) == len(data) - 9
    lossy = compress(data, ms_ssim=0.95)
    assert lossy.met
    assert len(lossy.data) < len(data) / 4


@pytest.mark.parametrize("progressive", [True, False])
def test_sequential_files_if_that_is_wanted(progressive: bool) -> None:
    data = encode(made("natural", (300, 400, 3)), quality=95)  # small ones are sequential anyway
    result = compress(data, ms_ssim=0.97, progressive=progressive)
    assert read_header(result.data).process == ("progressive" if progressive else "baseline")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("libjpeg-turbo__monkey12.jpg", "3 components of 12 bits"),
        ("imagecodecs__rgba.u2.jpg", "4 components of 12 bits"),
        ("imagecodecs__1px.ljp", "1 components of 16 bits"),
    ],
)
def test_depths_that_are_refused(conformance: Path, name: str, message: str) -> None:
    with pytest.raises(JpegUnsupportedError, match=message):
        compress((conformance / "valid" / name).read_bytes())


def test_metadata_of_a_jpeg() -> None:
    image = made("natural", (48, 64, 3))
    own = Metadata.made_of(exif=orientation_exif(6), comments=[b"hello"], icc=bytes(200))
    data = encode(image, quality=97, metadata=own)
    kept = read_header(compress(data, ms_ssim=0.95).data).metadata
    assert kept.without("JFIF") == own
    assert kept.orientation == 6
    stripped = read_header(compress(data, ms_ssim=0.95, metadata="strip").data).metadata
    assert (stripped.orientation, stripped.icc, stripped.comments) == (6, bytes(200), ())
    given = Metadata.made_of(comments=[b"other"])
    other = read_header(compress(data, ms_ssim=0.95, metadata=given).data).metadata
    assert other.without("JFIF") == given
    for result in (compress(data, ms_ssim=1.0), compress(data, ms_ssim=1.0, metadata="strip")):
        assert read_header(result.data).metadata.orientation == 6
        np.testing.assert_array_equal(decode(result.data), decode(data))
    of_array = compress(image, ms_ssim=0.95, metadata=own)
    assert read_header(of_array.data).metadata.without("JFIF") == own
    with pytest.raises(ValueError, match='metadata is "keep", "strip" or a Metadata object'):
        compress(data, metadata="none")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_buffers_are_jpegs(kind: type) -> None:
    data = encode(made("natural", (20, 30, 3)))
    assert read_original(kind(data)).jpeg.data == data


# --- a number of bytes ----------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, -1, -(10**9)])
def test_fewer_bytes_than_any_file_has(most: int) -> None:
    with pytest.raises(ValueError, match=f"max_bytes is 1 or more, not {most}"):
        compress(made("natural", (20, 30, 3)), max_bytes=most)


@pytest.mark.parametrize("most", ["100", 100.0, True])
def test_what_is_no_number_of_bytes(most: object) -> None:
    with pytest.raises(TypeError, match="max_bytes is a number of bytes"):
        compress(made("natural", (20, 30, 3)), max_bytes=most)


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_no_file_has_more_bytes_than_allowed(effort: str) -> None:
    image = made("natural", (120, 150, 3))
    source = encode(image, quality=92, optimize=False)
    for original in (image, source):
        free = compress(original, ms_ssim=0.99, effort=effort)
        scores = []
        for part in (0.4, 0.7, 0.9, 1.0, 2.0):
            most = int(part * len(free.data))
            result = compress(original, ms_ssim=0.99, max_bytes=most, effort=effort)
            assert len(result.data) <= most
            assert result.met == (result.ms_ssim >= 0.99)
            assert len(result.data) > 0.85 * min(most, len(free.data))
            scores.append(result.ms_ssim)
        assert scores == sorted(scores)
    for most in (1, 20, 150):
        for original in (image, source):
            with pytest.raises(ValueError, match=f"at most {most} bytes; the smallest has"):
                compress(original, max_bytes=most, effort=effort)
    large = compress(image, ms_ssim=0.99, max_bytes=10**15, effort=effort)
    assert large.data == compress(image, ms_ssim=0.99, effort=effort).data


def test_a_jpeg_that_fits_is_better_than_any_other_file() -> None:
    source = encode(made("natural", (120, 150, 3)), quality=60, optimize=False)
    exact = recode(source, progressive="search")
    result = compress(source, ms_ssim=1.0, max_bytes=len(exact), effort="fast")
    assert (result.data, result.met) == (exact, True)
    less = compress(source, ms_ssim=1.0, max_bytes=len(exact) - 1, effort="fast")
    assert len(less.data) < len(exact)
    assert not less.met


def test_other_images_count() -> None:
    image = made("natural", (120, 150, 3))
    data = encode(image, quality=92) + bytes(1000)
    result = compress(data, ms_ssim=0.99, max_bytes=4000, effort="fast")
    assert 3000 < len(result.data) <= 4000
    assert result.data.endswith(b"\xff\xd9" + bytes(1000))
    assert pyjpegml.ms_ssim(decode(data), decode(result.data)) == pytest.approx(result.ms_ssim)
