"""Our codec on the testing kit: round trips, and what must not change when something else does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from helpers import plain
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pyjpegml
from pyjpegml import JpegError, JpegLimitError
from pyjpegml.dct import forward_dct
from pyjpegml.quantize import quantize
from pyjpegml.testing import (
    PROCESSES,
    Component,
    Content,
    Corrupted,
    Frame,
    Scan,
    Segments,
    Stream,
    coefficients,
    corrupted,
    encode_options,
    images,
    jpeg_streams,
    long_runs,
    metadata,
    qtables,
    sampling_factors,
    scan_scripts,
    write_stream,
)

Picture = npt.NDArray[np.generic]

DCT_PROCESSES = [process for process in PROCESSES if process != "lossless"]
SMALL = settings(max_examples=40)


def blocks_of(data: bytes) -> list[npt.NDArray[np.int16]]:
    return pyjpegml.decode_coefficients(data).components


def assert_same_blocks(got: bytes, expected: bytes) -> None:
    for a, b in zip(blocks_of(got), blocks_of(expected), strict=True):
        np.testing.assert_array_equal(a, b)


# --- streams whose content is known ---------------------------------------------------------------


@pytest.mark.parametrize("process", DCT_PROCESSES)
def test_coefficients_to_the_last_bit(process: str) -> None:
    @SMALL
    @given(jpeg_streams([process], complete=False, max_size=40))
    def check(stream: Stream) -> None:
        found = pyjpegml.decode_coefficients(stream.data)
        for got, expected in zip(found.components, stream.coefficients, strict=True):
            np.testing.assert_array_equal(got, expected)
        for table, expected_table in zip(found.qtables, stream.qtables, strict=True):
            np.testing.assert_array_equal(table, expected_table)

    check()


@settings(max_examples=10)
@given(long_runs())
def test_end_of_band_runs_of_any_length(stream: Stream) -> None:
    np.testing.assert_array_equal(blocks_of(stream.data)[0], stream.coefficients[0])


@SMALL
@given(jpeg_streams(["lossless"], without=["fractional sampling"], max_size=24))
def test_samples_to_the_last_bit(stream: Stream) -> None:
    assume(all((c.h, c.v) == (1, 1) for c in stream.frame.components))
    got = pyjpegml.decode(stream.data, color="stored")
    for i, plane in enumerate(stream.samples):
        np.testing.assert_array_equal(got if got.ndim == 2 else got[:, :, i], plane)


@given(metadata(jfif=False), jpeg_streams(["baseline"], max_size=8, without=["DNL"]))
def test_metadata_are_read_as_they_are(segments: Segments, stream: Stream) -> None:
    before = pyjpegml.read_header(stream.data).metadata
    found = pyjpegml.read_header(segments.inserted(stream.data)).metadata
    assert found.orientation == segments.orientation
    for name in ("exif", "xmp"):
        value = getattr(found, name)
        assert (None if value is None else bytes(value)) == getattr(segments, name)
    assert found.comments == segments.comments + before.comments
    if before.icc is None and not before.others and segments.icc:
        assert bytes(found.icc) == segments.icc


# --- round trips ----------------------------------------------------------------------------------


@given(st.data(), images(precisions=(8, 12)))
def test_every_picture_with_every_option_comes_back(data: st.DataObject, image: Picture) -> None:
    options = data.draw(encode_options(image))
    if image.dtype != np.uint8 and "precision" not in options:
        options["precision"] = 12
    coded = pyjpegml.encode(image, **options)
    back = pyjpegml.decode(coded)
    assert back.shape == image.shape
    assert back.dtype == image.dtype
    if options.get("lossless"):
        np.testing.assert_array_equal(back, image)


@SMALL
@given(images(kinds=["flat", "gradient"], max_size=40), st.sampled_from(["4:4:4", "4:2:0"]))
def test_smooth_pictures_come_back_nearly(image: Picture, subsampling: str) -> None:
    """With steps of 1 a sample is off by the rounding of a transform, and of colours, only.

    Y, Cb and Cr are rounded three times (colour, transform, samples), by 1/2 rms in all; blue is
    Y + 1.772 Cb, rounded again: 1.06 rms, of which 6 is more than five times as much.
    """
    if image.ndim == 3 and subsampling == "4:2:0":
        image = np.ascontiguousarray(image[:1, :1].repeat(24, 0).repeat(24, 1))
    back = pyjpegml.decode(pyjpegml.encode(image, quality=100, subsampling=subsampling))
    assert np.abs(back.astype(int) - image).max() <= 6


# --- metamorphic relations ------------------------------------------------------------------------


@SMALL
@given(images(channels=[1], max_size=40), qtables())
def test_a_transposed_picture_has_transposed_coefficients(
    image: Picture, table: npt.NDArray[np.uint16]
) -> None:
    """But for a rounding between the passes, which may move a level by one."""
    [blocks] = blocks_of(pyjpegml.encode(image, qtables=table))
    turned = np.ascontiguousarray(image.T)
    [others] = blocks_of(pyjpegml.encode(turned, qtables=np.ascontiguousarray(table.T)))
    assert np.abs(others.astype(int) - blocks.transpose(1, 0, 3, 2)).max() <= 1


@given(jpeg_streams(DCT_PROCESSES, max_size=32, without=["DNL", "fractional sampling"]))
def test_transposing_a_file_transposes_its_coefficients(stream: Stream) -> None:
    turned = pyjpegml.transform(stream.data, "transpose", edges="leave")
    for got, expected in zip(blocks_of(turned), stream.coefficients, strict=True):
        np.testing.assert_array_equal(got, expected.transpose(1, 0, 3, 2))
    assert_same_blocks(pyjpegml.transform(turned, "transpose", edges="leave"), stream.data)


@SMALL
@given(images(max_size=48), st.integers(1, 12), st.booleans())
def test_restart_markers_change_no_pixel(image: Picture, interval: int, progressive: bool) -> None:
    plain = pyjpegml.encode(image, progressive=progressive)
    marked = pyjpegml.encode(image, progressive=progressive, restart_interval=interval)
    assert_same_blocks(marked, plain)
    np.testing.assert_array_equal(pyjpegml.decode(marked), pyjpegml.decode(plain))


@given(
    jpeg_streams(max_size=32, processes=DCT_PROCESSES, without=["DNL", "fractional sampling"]),
    st.sampled_from([True, False, "search"]),
)
def test_recoding_changes_no_coefficient(stream: Stream, progressive: bool | str) -> None:
    recoded = pyjpegml.recode(stream.data, progressive=progressive)
    for got, expected in zip(blocks_of(recoded), stream.coefficients, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(pyjpegml.decode(recoded), pyjpegml.decode(stream.data))


@SMALL
@given(images(channels=[1], max_size=32), qtables(60))
def test_multiples_of_a_table_lose_more(image: Picture, table: npt.NDArray[np.uint16]) -> None:
    """Multiples of 2 q are multiples of q: the nearest of those is as near, for each
    coefficient."""
    height, width = (-(-side // 8) for side in image.shape)
    padded = np.pad(image, ((0, 8 * height - image.shape[0]), (0, 8 * width - image.shape[1])))
    exact = np.empty((height, width, 64), np.int16)
    forward_dct(padded.astype(np.uint8), height, width, exact)
    previous = np.zeros(exact.shape)
    for factor in (1, 2, 4):
        steps = (factor * table.astype(np.int32)).reshape(64)
        levels = np.empty_like(exact)
        quantize(exact, steps, 0.5, levels)
        error = np.abs(exact - 8 * steps * levels.astype(np.int64))
        assert (error >= previous).all()
        assert (error <= 4 * steps).all()
        previous = error


@given(st.data())
def test_splitting_scans_changes_nothing(data: st.DataObject) -> None:
    """The same coefficients by two scripts: the same pixels."""
    factors = data.draw(sampling_factors(data.draw(st.sampled_from([1, 3]))))
    height, width = data.draw(st.integers(1, 32)), data.draw(st.integers(1, 32))
    parts = tuple(Component(i + 1, *pair) for i, pair in enumerate(factors))
    frame = Frame("progressive", 8, width, height, parts)
    table = data.draw(qtables())
    sizes = [frame.padded_size(i) for i in range(len(parts))]
    content = Content(data.draw(coefficients(sizes, [table] * len(parts))), {(0, 0): table})
    pictures = []
    for _ in range(2):
        scans = [
            Scan(group, ((0, 0),) * len(group), *parameters)
            for group, *parameters in data.draw(scan_scripts(factors))
        ]
        pictures.append(pyjpegml.decode(write_stream(frame, scans, content).data))
    np.testing.assert_array_equal(*pictures)


@given(jpeg_streams(DCT_PROCESSES, components=[3], max_size=32, precisions=[8, 12]))
def test_grey_is_luma(stream: Stream) -> None:
    assume(stream.color_model == "YCbCr")
    grey = pyjpegml.decode(stream.data, color="grey")
    np.testing.assert_array_equal(grey, pyjpegml.decode(stream.data, color="YCbCr")[:, :, 0])


@SMALL
@given(jpeg_streams(["progressive"], max_size=24, components=[1, 3], precisions=[8]))
def test_the_name_of_the_process_changes_no_pixel(stream: Stream) -> None:
    """The same coefficients in a sequential file."""
    assert_same_blocks(plain(stream), stream.data)
    np.testing.assert_array_equal(pyjpegml.decode(plain(stream)), pyjpegml.decode(stream.data))


@SMALL
@given(jpeg_streams(DCT_PROCESSES, complete=False, max_size=16, without=["trailing bytes"]))
def test_half_an_end_of_image_is_as_good_as_none(stream: Stream) -> None:
    """A file that lacks the last byte of EOI, found by ``difftest --damaged``."""
    whole = pyjpegml.decode(stream.data)
    np.testing.assert_array_equal(pyjpegml.decode(stream.data[:-1]), whole)


# --- bombs ----------------------------------------------------------------------------------------

BOMBS = ["dimension bomb", "scan bomb", "segment bomb", "too many rows"]


@pytest.mark.hostile
@SMALL
@given(corrupted(jpeg_streams(max_size=16), faults=BOMBS))
def test_bombs_are_refused_before_they_cost_anything(damaged: Corrupted) -> None:
    try:
        picture = pyjpegml.decode(damaged.data, max_pixels=10**5)
    except JpegError as error:
        assert damaged.verdict != "same"
        assert isinstance(error, JpegLimitError) or damaged.fault.name != "dimension bomb"
    else:
        assert damaged.fault.name not in ("dimension bomb", "scan bomb")
        assert picture.shape[0] * picture.shape[1] <= 10**5
