"""Decoding strip by strip against decoding stage by stage, and what it leaves in its buffers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, Bytes, assert_same_picture, picture, sizes
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import bitio, decode, decoder, encode, encoder, scan, strips
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.quantize import standard_qtables

NAMES = ("grey", *SUBSAMPLINGS)
names = st.sampled_from(NAMES)
seeds = st.integers(0, 2**32 - 1)
#: Kinds that give empty, low and full blocks.
kinds = st.sampled_from(["flat", "gradient", "noise", "natural"])


def made(kind: str, name: str, size: tuple[int, int], seed: int) -> Bytes:
    return picture(kind, size if name == "grey" else (*size, 3), seed)


@given(kinds, names, sizes(largest=150, longest=600), seeds, st.sampled_from([20, 75, 95]))
def test_strips_are_the_stages(
    kind: str, name: str, size: tuple[int, int], seed: int, quality: int
) -> None:
    image = made(kind, name, size, seed)
    geometry, coefficients = encoder.analyse(image, FACTORS.get(name, ((1, 1),)))
    luminance, chrominance = standard_qtables(quality)
    tables = [luminance, chrominance, chrominance][: len(geometry.planes)]
    levels = encoder.quantize_all(geometry, coefficients, tables)
    planes = geometry.reconstruct(levels, tables)
    staged = strips.picture(geometry, planes, strips.GREY if name == "grey" else strips.YCBCR)
    options = {} if name == "grey" else {"subsampling": name}
    assert_same_picture(decode(encode(image, quality=quality, **options)), staged)


def guarded(size: int, dtype: type, fill: int) -> tuple[np.ndarray, np.ndarray]:
    """An array, and a larger one around it full of a pattern."""
    around = np.full(size + 512, 0x55, dtype)
    inside = around[256 : 256 + size]
    inside[:] = fill
    return inside, around


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1, 2, 5, 8, 15, 17, 31, 33, 63, 64, 65, 127, 129, 257, 300])
def test_nothing_outside_of_the_buffers_is_written(name: str, width: int) -> None:
    """And the coefficients are zero again at the end, for the next chunk."""
    image = made("natural", name, (35, width), width)
    options = {} if name == "grey" else {"subsampling": name}
    data = encode(image, restart_interval=3, **options)
    job = decoder._prepare(memoryview(data), None, 10**6)
    single, geometry = job.single, job.geometry
    layout = single.layout
    source = np.frombuffer(data, np.uint8)
    plain, plain_around = guarded(source.size - single.start + bitio.PADDING, np.uint8, 0)
    ends, numbers, offsets = np.zeros((3, geometry.mcus + 1), np.int64)
    bitio.destuff(source, single.start, plain, ends, numbers, offsets)
    coefficients, coefficients_around = guarded(64 * layout.blocks, np.int16, 0)
    extents, extents_around = guarded(layout.blocks, np.uint8, 0)
    samples, samples_around = guarded(layout.samples, np.uint8, 0)
    color = strips.GREY if name == "grey" else strips.YCBCR
    shape = decode(data).shape
    out, out_around = guarded(math.prod(shape), np.uint8, 0)
    rows = strips.Rows.of(out.reshape(shape), 0, geometry.height)
    status = strips.decode_strips(
        0, geometry.mcus_down, plain, ends, 3, geometry.mcus, single.plan, geometry.mcus_across, geometry.mcus_down,
        scan.PLACES, *single.tables, np.zeros(scan.READER_FIELDS, np.int64), coefficients, extents,
        single.qtables, layout.fields, samples, geometry.height, geometry.width,
        color, rows.out, rows.middle, rows.tail,
    )  # fmt: skip
    assert status == scan.OK
    rows.finish()
    assert_same_picture(out.reshape(shape), decode(data))
    assert not coefficients.any()
    for around in (plain_around, coefficients_around, extents_around, samples_around, out_around):
        assert (around[:256] == 0x55).all()
        assert (around[-256:] == 0x55).all()


def test_buffers_do_not_grow_with_the_height() -> None:
    """Two strips of samples, one chunk of coefficients."""
    small, large = (
        strips.Layout(decoder.Geometry(3000, height, FACTORS["4:2:0"])) for height in (16, 60000)
    )
    assert (small.samples, small.blocks) == (large.samples, large.blocks)
    assert large.samples + 128 * large.blocks < 2**18


@given(names, sizes(), seeds)
def test_files_with_the_same_head_are_told_apart(
    name: str, size: tuple[int, int], seed: int
) -> None:
    """What is remembered of a file is what stands before its scan, and no more."""
    first, second = (made("noise", name, size, seed ^ n) for n in (0, 1))
    options = {"quality": 90} if name == "grey" else {"quality": 90, "subsampling": name}
    data = [encode(image, **options) for image in (first, second, first)]
    a, b, again = (decode(each) for each in data)
    assert np.array_equal(a, again)
    assert np.array_equal(a, b) == (data[0] == data[1])
    a[:] = 7
    assert np.array_equal(decode(data[0]), again), "a caller may write to what it was given"
