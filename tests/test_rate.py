"""compress: the guarantee, judged by Pillow; targets that cannot be met; pictures without content."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from helpers import picture as made
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pyjpegml
from pyjpegml import compress, decode, ms_ssim, rate
from pyjpegml.attempts import attempt
from pyjpegml.metrics import Reference
from pyjpegml.rate import NORMAL, Task
from pyjpegml.scale_search import Search
from pyjpegml.yardstick import annex_k_baseline


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("target", [0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995])
def test_the_score_holds_in_another_decoder(photo, target):
    result = compress(photo, ms_ssim=target)
    assert result.met
    score = Reference(photo).score(pillow(result.data), exact=True)
    assert score >= target
    assert result.ms_ssim == pytest.approx(score, abs=1e-7)
    assert result.ms_ssim - target <= max(3e-4, NORMAL.tolerance * (1 - target))
    assert 1 <= result.encodes <= 40
    assert (result.width, result.height) == photo.shape[1::-1]


def test_files_are_smaller_than_those_of_annex_k(photo):
    ours, theirs = compress(photo, ms_ssim=0.99), annex_k_baseline(photo, 0.99)
    assert theirs.met
    assert len(ours.data) < 0.9 * len(theirs.data)


@pytest.mark.parametrize("side", [16, 48, 96])
def test_small_pictures_get_the_smaller_of_both_codings(photo, side):
    """Headers and tables of several scans are no longer worth while."""
    image = photo[:side, :side]
    data = compress(image, ms_ssim=0.98).data
    sizes = [len(pyjpegml.recode(data, progressive=way)) for way in (False, "search")]
    assert len(data) <= min(sizes)
    if side == 16:
        assert pyjpegml.read_header(data).process == "baseline"


def with_rounding(monkeypatch: pytest.MonkeyPatch, promise: bool | None = None) -> None:
    """Have every picture tried by rounding; promises are kept, or all made or none."""
    monkeypatch.setattr(Task, "_worth_rounding", lambda *_: True)
    if promise is not None:
        monkeypatch.setattr(Search, "promises", lambda *_: promise)


def test_rounding_that_will_not_win_is_not_scored(monkeypatch):
    image = made("natural", (200, 220, 3), 3)
    with monkeypatch.context() as patch:
        with_rounding(patch, False)
        without = compress(image, ms_ssim=0.98)
    with monkeypatch.context() as patch:
        with_rounding(patch, True)
        scored = compress(image, ms_ssim=0.98)
    with_rounding(monkeypatch)
    usual = compress(image, ms_ssim=0.98)
    assert usual.data == without.data == scored.data
    assert usual.encodes == without.encodes < scored.encodes


def test_rounding_that_wins_is_taken(monkeypatch):
    """Where the loop, say, makes files that are far too good."""
    image = made("natural", (200, 220, 3), 3)

    def too_good(plan, reference, target, *rest):
        found = attempt(plan, reference, 1 - (1 - target) / 4, *rest)
        return replace(found, target=target)

    monkeypatch.setattr(rate, "attempt", too_good)
    result = compress(image, ms_ssim=0.98)
    assert result.met
    assert result.ms_ssim < 0.985
    assert [name for name, _, _ in result.steps] == ["rounded"]
    with_rounding(monkeypatch, False)
    assert len(result.data) < len(compress(image, ms_ssim=0.98).data)


@pytest.mark.parametrize("size", [(200, 220, 3), (60, 70, 3)])
def test_metadata_do_not_change_what_is_tried(monkeypatch, size):
    with_rounding(monkeypatch)
    file, image = io.BytesIO(), made("natural", size, 3)
    Image.fromarray(image).save(file, "jpeg", quality=97, comment=bytes(30000))
    kept = compress(file.getvalue(), ms_ssim=0.98)
    bare = compress(file.getvalue(), ms_ssim=0.98, metadata="strip")
    assert len(kept.data) - len(bare.data) > 30000
    assert kept.encodes == bare.encodes
    np.testing.assert_array_equal(decode(kept.data), decode(bare.data))


def test_the_plan_in_the_result_is_the_plan_in_the_file(photo):
    result = compress(photo, ms_ssim=0.98)
    header = pyjpegml.read_header(result.data)
    assert header.subsampling == result.subsampling
    for component, table in zip(header.components, result.qtables, strict=True):
        np.testing.assert_array_equal(header.qtables[component.table], table)


@pytest.mark.parametrize(
    ("pattern", "subsampling"),
    [("columns", "4:4:0"), ("rows", "4:2:2"), ("chequers", "4:4:4"), ("ramp", "4:2:0")],
)
def test_colour_detail_is_halved_only_where_it_does_not_matter(pattern, subsampling):
    """Red and blue in steps of one pixel along one side, or both; and smoothly."""
    row, column = np.indices((176, 176))
    blue = {
        "columns": column & 1,
        "rows": row & 1,
        "chequers": row + column & 1,
        "ramp": (row + column) / 350,
    }[pattern]
    luma = np.random.default_rng(4).integers(0, 40, (176, 176))
    image = np.stack([luma + 200 * (1 - blue), luma, luma + 200 * blue], 2).astype(np.uint8)
    result = compress(image, ms_ssim=0.99)
    assert result.met
    assert result.subsampling == subsampling


def test_each_effort_makes_smaller_files_and_progressive_ones_are_smaller(photo):
    part = np.ascontiguousarray(photo[:240, :320])
    sizes = [len(compress(part, ms_ssim=0.98, effort=e).data) for e in ("fast", "normal", "best")]
    assert sizes[0] > 1.08 * sizes[1]
    assert sizes[2] <= sizes[1]
    sequential = compress(part, ms_ssim=0.98, progressive=False)
    assert pyjpegml.read_header(sequential.data).process == "baseline"
    assert len(sequential.data) > sizes[1]
    with pytest.raises(ValueError, match="effort is one of fast, normal, best"):
        compress(part, effort="slow")


def test_a_jpeg_is_compressed_with_its_metadata_and_never_made_larger(photo):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a cup"
    Image.fromarray(photo[:240, :320]).save(buffer, "JPEG", quality=97, subsampling=0, exif=exif)
    source = buffer.getvalue()
    pixels = pillow(source)
    result = compress(source, ms_ssim=0.98)
    assert result.met
    assert len(result.data) < 0.5 * len(source)
    assert Reference(pixels).score(pillow(result.data), exact=True) >= 0.98
    assert Image.open(io.BytesIO(result.data)).getexif()[0x010E] == "a cup"
    stripped = compress(source, ms_ssim=0.98, metadata="strip")
    assert len(stripped.data) < len(result.data)
    assert not Image.open(io.BytesIO(stripped.data)).getexif()
    again = compress(result.data, ms_ssim=0.9999)
    assert again.data == result.data
    assert (again.ms_ssim, again.met) == (1.0, True)


def test_the_most_bytes_that_a_file_may_have(photo):
    part = np.ascontiguousarray(photo[:200, :240])
    free = compress(part, ms_ssim=0.98, effort="fast")
    most = len(free.data) * 2 // 3
    result = compress(part, ms_ssim=0.98, effort="fast", max_bytes=most)
    assert 0.9 * most < len(result.data) <= most
    assert not result.met
    assert result.target == 0.98
    assert result.ms_ssim == pytest.approx(ms_ssim(part, pillow(result.data)), abs=1e-7)
    large = compress(part, ms_ssim=0.98, effort="fast", max_bytes=10**6)
    assert large.data == free.data
    with pytest.raises(ValueError, match="at most 50 bytes; the smallest has"):
        compress(part, effort="fast", max_bytes=50)
    with pytest.raises(TypeError, match="max_bytes"):
        compress(part, max_bytes=1.5)


@pytest.mark.parametrize("most", [2000, 12_000])
def test_a_size_alone_asks_for_the_best_file_of_that_size(photo, most):
    """Not for one of .99: more bytes are used too, as many as there are."""
    part = np.ascontiguousarray(photo[:160, :200])
    result = compress(part, effort="fast", max_bytes=most)
    assert 0.93 * most < len(result.data) <= most
    assert result.met
    assert result.target == result.ms_ssim
    assert result.ms_ssim == pytest.approx(ms_ssim(part, pillow(result.data)), abs=1e-7)


def test_a_jpeg_that_fits_is_its_own_best_file(photo):
    source = pyjpegml.encode(photo[:100, :120], quality=80)
    result = compress(source, effort="fast", max_bytes=len(source))
    assert (result.ms_ssim, result.met) == (1.0, True)
    np.testing.assert_array_equal(decode(result.data), decode(source))


@pytest.mark.parametrize("most", [1, 2, 3, 4, 6])
def test_few_encodes_meet_a_target_by_rounding(photo, most):
    options = pyjpegml.Options(max_encodes=most)
    for part in (photo[:180, :200], photo[100:280, 200:420]):
        result = compress(np.ascontiguousarray(part), ms_ssim=0.99, options=options)
        assert result.met
        assert result.encodes <= most


def test_a_result_explains_itself(photo):
    text = compress(photo[:200, :240], ms_ssim=0.97).explain()
    for word in ("luma steps", "trellis", "after a round", "target 0.97 met", "encodes", "%"):
        assert word in text


def test_a_result_says_which_plans_there_were(photo):
    """The one of the file was tried, and no other made a smaller file."""
    result = compress(photo[:200, :240], ms_ssim=0.98)
    tried = {plan.subsampling: plan.bytes for plan in result.plans if plan.bytes is not None}
    assert tried[result.subsampling] == min(tried.values()) == len(result.data)
    assert {"4:2:0", "4:4:4"} <= {plan.subsampling for plan in result.plans}
    for plan in result.plans:
        assert (plan.estimate is None) == (plan.floor >= 0.02 * (1 - 0.003))
    fewest = result.plans[0].estimate
    assert fewest == min(plan.estimate for plan in result.plans if plan.estimate is not None)


@pytest.mark.parametrize("kind", ["drawing", "ramp", "flat", "lines", "text", "noise", "natural"])
@pytest.mark.parametrize("target", [0.9, 0.99])
def test_more_effort_makes_no_larger_file(kind, target):
    rng = np.random.default_rng(3)
    row, column = np.indices((176, 192))
    image = {
        "drawing": 40 * ((row // 31 + column // 23) % 5),
        "ramp": (row + column) // 2,
        "flat": np.full((176, 192), 90),
        "lines": 255 * (row % 29 > 2) * (column % 17 > 1),
        "text": 255 * (rng.random((176, 192)) > 0.2 * (row % 16 < 9)),
        "noise": rng.integers(0, 256, (176, 192)),
        "natural": made("natural", (176, 192, 3), 4)[:, :, 0],
    }[kind]
    image = np.stack([image, image[::-1], 255 - image], 2).astype(np.uint8)
    fast, normal, best = (
        compress(image, ms_ssim=target, effort=effort) for effort in ("fast", "normal", "best")
    )
    assert fast.met
    assert normal.met
    assert best.met
    assert len(best.data) <= len(normal.data) <= len(fast.data)


@pytest.mark.parametrize("target", [0, -0.1, 1.0001, 99, float("nan"), float("inf")])
def test_targets_outside_of_0_to_1_are_refused(target):
    with pytest.raises(ValueError, match="ms_ssim"):
        compress(np.zeros((8, 8), np.uint8), ms_ssim=target)


def test_a_target_that_cannot_be_met_gives_the_best_file():
    noise = np.random.default_rng(5).integers(0, 256, (170, 180, 3), np.uint8)
    result = compress(noise, ms_ssim=1.0)
    assert not result.met
    assert result.ms_ssim == ms_ssim(noise, decode(result.data)) > 0.99
    assert all((table == 1).all() for table in result.qtables)
    finest = pyjpegml.encode(noise, quality=100, subsampling="4:4:4")
    assert result.ms_ssim >= ms_ssim(noise, decode(finest))
    assert result.subsampling == "4:4:4"
    assert "< target 1" in repr(result)


@pytest.mark.parametrize("target", [0.5, 0.9, 0.99, 0.999])
def test_noise_ends_and_keeps_the_guarantee(target):
    noise = np.random.default_rng(6).integers(0, 256, (96, 130, 3), np.uint8)
    result = compress(noise, ms_ssim=target)
    score = ms_ssim(noise, pillow(result.data))
    assert result.ms_ssim == score
    assert result.met == (score >= target)
    assert result.encodes <= 2 * 40


@pytest.mark.parametrize("value", [0, 1, 77, 128, 254, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (40, 30), (200, 200, 3)])
def test_flat_pictures(value, shape):
    image = np.full(shape, value, np.uint8)
    result = compress(image, ms_ssim=0.99)
    assert result.met
    assert len(result.data) < 900
    assert ms_ssim(image, pillow(result.data)) >= 0.99


SIDES = st.one_of(st.just(1), st.integers(2, 60), st.integers(155, 170))


@settings(max_examples=25)
@given(
    st.tuples(SIDES, SIDES),
    st.booleans(),
    st.sampled_from(["natural", "noise", "steps", "flat", "lines"]),
    st.sampled_from([0.7, 0.9, 0.95, 0.99, 0.995, 0.999]),
    st.sampled_from(["fast", "normal", "normal", "best"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_any_picture_meets_its_target_or_says_so(
    size, grey, kind, target, effort, progressive, seed
):
    h, w = size
    rng = np.random.default_rng(seed)
    if kind == "natural":
        image = made("natural", (h, w, 3), seed)
    elif kind == "noise":
        image = rng.integers(0, 256, (h, w, 3), np.uint8)
    elif kind == "steps":
        image = rng.choice(np.array([0, 255], np.uint8), (h // 5 + 1, w // 5 + 1, 3))
        image = image.repeat(5, 0).repeat(5, 1)[:h, :w]
    elif kind == "flat":
        image = np.full((h, w, 3), rng.integers(0, 256, 3), np.uint8)
    else:  # as in drawings and text
        image = np.full((h, w, 3), 255, np.uint8)
        image[rng.integers(0, h, 4)] = rng.integers(0, 256, 3)
        image[:, rng.integers(0, w, 4)] = 0
    image = np.ascontiguousarray(image[:, :, 0] if grey else image)
    result = compress(image, ms_ssim=target, effort=effort, progressive=progressive)
    decoded = pillow(result.data)
    assert decoded.shape == image.shape
    assert result.ms_ssim == pytest.approx(ms_ssim(image, decoded), abs=1e-7)
    assert result.met == (Reference(image).score(decoded, exact=True) >= target)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (16, 16)])
def test_tiny_pictures_are_not_larger_than_with_the_finest_table(size):
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    finest = pyjpegml.encode(image, quality=100, subsampling="4:2:0")
    result = compress(image, ms_ssim=0.5)
    assert len(result.data) <= len(finest)


def test_grey_pictures_have_one_table():
    image = made("natural", (180, 190, 3), 1)[:, :, 1].copy()
    result = compress(image, ms_ssim=0.98)
    assert result.met
    assert (result.subsampling, len(result.qtables)) == ("grey", 1)
    assert compress(image[:, :, None], ms_ssim=0.98).data == result.data


def test_the_same_picture_gives_the_same_file_whatever_its_memory(photo):
    part = photo[:200:1, 10:250]
    assert compress(part).data == compress(np.asfortranarray(part)).data == compress(part).data


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_the_file_does_not_depend_on_the_number_of_threads(effort):
    image = made("natural", (420, 500, 3), 7)
    alone = compress(image, effort=effort)
    for threads in (3, None):
        shared = compress(image, effort=effort, threads=threads)
        assert (shared.data, shared.ms_ssim) == (alone.data, alone.ms_ssim)


def test_what_is_no_picture_is_refused():
    with pytest.raises(TypeError, match="uint8"):
        compress(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="alpha"):
        compress(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(ValueError, match="threads"):
        compress(np.zeros((8, 8), np.uint8), threads=0)


def test_the_result_reads_well(photo):
    text = repr(compress(photo, ms_ssim=0.97))
    for part in ("bytes", "bits per pixel", "MS-SSIM 0.97", ">= 0.97", "encode"):
        assert part in text
