"""Checks of the stages of other processes, scales and turns, at the sizes that they ask for.

Most are as tight as can be: what a kernel writes is compared with what it writes elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from guard_checks import NAMES, SIZES, WIDTHS, check, random, up
from guard_pages import PLACES, guarded_calls
from guard_stages import small_cases

from pyjpegml import (
    bit_planes,
    color,
    deep,
    deep_encoder,
    lossless,
    lossless_encoder,
    progressive_symbols,
    reduced,
    sampling,
    smoothing,
    stretches,
    strips,
    symbols,
    turning,
)
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS

STEPS = np.arange(1, 65, dtype=np.int32)
#: A code of 16 ones: nothing is longer, and nothing is stuffed more often.
LONGEST_CODE = 0xFFFF << 5 | 16


def copied(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)(*map(copied, value))
    if not isinstance(value, np.ndarray):
        return value
    copy = value.copy()
    copy.flags.writeable = value.flags.writeable
    return copy


def same(place: str, kernel: Any, *arguments: Any) -> tuple[Any, ...]:
    """A kernel does to guarded arrays what it does to others. Gives these, and its result."""
    plain, guarded = (tuple(map(copied, arguments)) for _ in range(2))
    expected = kernel(*plain)
    with guarded_calls(place):
        assert kernel(*guarded) == expected
    for one, other in zip(plain, guarded, strict=True):
        for a, b in zip(
            *((v if isinstance(v, tuple) else (v,)) for v in (one, other)), strict=True
        ):
            assert np.array_equal(a, b)
    return (*plain, expected)


def levels(shape: tuple[int, ...], largest: int, seed: int = 0) -> np.ndarray:
    return random(seed).integers(-largest, largest, shape, np.int16, endpoint=True)


# --- progressive scans ----------------------------------------------------------------------------


@check
def planes_of_bits() -> None:
    for place, (down, across), more, count in itertools.product(
        PLACES, ((1, 1), (2, 3), (3, 17)), (0, 1), (1, 2, 15)
    ):
        blocks = levels((down, across + more, 64), 32767)
        masks = np.zeros((2, count, down * across), np.uint64)
        same(
            place, bit_planes.find_planes, blocks, across, down, *masks,
            np.zeros(down * across, np.uint64),
        )  # fmt: skip


def records_to_bytes(place: str, records: np.ndarray, ends: np.ndarray) -> None:
    """With the longest codes there are."""
    codes = np.full(256 * (progressive_symbols.RAW + 1), LONGEST_CODE, np.uint32)
    codes[256 * progressive_symbols.RAW :] = 0
    raw = np.zeros(4 * progressive_symbols.BATCH + 16, np.uint8)
    out = np.zeros(8 * records.size + 4 * ends.size + 64, np.uint8)
    *_, out, written = same(
        place, progressive_symbols.write_records, records, ends, codes, raw, out
    )
    bits = (records >> 11 & 31) + 16 * ((records >> 8 & 7) < progressive_symbols.RAW)
    sizes = [-(-int(part.sum()) // 8) for part in np.split(bits, ends[:-1])]
    plain = out[:written].tobytes().replace(b"\xff\0", b"\xff")
    assert len(plain) == sum(sizes) + 2 * (ends.size - 1)


def counts_and_ends(units: int, interval: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.zeros((progressive_symbols.ROWS, 256), np.int64),
        np.zeros(-(-units // interval) if interval else 1, np.int64),
    )


@check
def progressive_scans_of_dc() -> None:
    for place, case in itertools.product(PLACES, small_cases()):
        geometry, interval = case.geometry, case.restart_interval
        plan, mcus = geometry.scan_plan([(0, 0)] * len(geometry.planes)), geometry.mcus
        where = case.coefficients, plan, geometry.mcus_across, mcus, interval
        counts, ends = counts_and_ends(mcus, interval)
        records = np.zeros(mcus * len(plan), np.uint32)
        predictions = np.zeros(progressive_symbols.ROWS, np.int64)
        *_, records, counts, ends, count = same(
            place, progressive_symbols.dc_first, *where, 1, predictions, records, counts, ends
        )
        assert count == records.size == ends[-1] == counts.sum()
        records_to_bytes(place, records, ends)
        *_, records, ends, count = same(
            place, progressive_symbols.dc_refinement, *where, 0, records, ends
        )
        records_to_bytes(place, records[:count], ends)


@check
def progressive_scans_of_ac() -> None:
    """Sparse blocks and full ones; runs of blocks, and of zeros."""
    for place, case, band in itertools.product(PLACES, small_cases(), ((1, 63), (1, 5), (63, 63))):
        interval = case.restart_interval
        for i, plane in enumerate(case.geometry.planes):
            blocks = plane.down * plane.across
            view = case.geometry.view(case.coefficients, i)[: plane.down, : plane.across].copy()
            nonzero, ones, negative = bit_planes.bit_planes(case.geometry, case.coefficients, i, 3)
            for shift in (0, 2):
                found = bit_planes.count_ones(nonzero[shift], *band)
                counts, ends = counts_and_ends(blocks, interval)
                *_, records, counts, ends, count = same(
                    place, progressive_symbols.ac_first, view, plane.across, ZIGZAG,
                    nonzero[shift], *band, shift, interval,
                    np.zeros(found + 4 * blocks, np.uint32), counts, ends,
                )  # fmt: skip
                assert count == ends[-1] == counts.sum()
                if np.diff(ends, prepend=0).all():
                    records_to_bytes(place, records[:count], ends)
            found = bit_planes.count_ones(nonzero[1], *band)
            counts, ends = counts_and_ends(blocks, interval)
            *_, records, counts, ends, count = same(
                place, progressive_symbols.ac_refinement, nonzero[2], nonzero[1], ones[1],
                negative, *band, interval, np.zeros(2 * found + 8 * blocks, np.uint32), counts,
                ends,
            )  # fmt: skip
            assert count == ends[-1] >= counts.sum()
            records_to_bytes(place, records[:count], ends)


@check
def longest_records() -> None:
    """All with as many raw bits as there can be, around the steps of a batch."""
    batch = progressive_symbols.BATCH
    for place, count in itertools.product(PLACES, (1, batch - 1, batch, batch + 1, 2 * batch + 1)):
        records = np.full(count, 0xFFFF << 16 | 16 << 11, np.uint32)
        for ends in ([count], [1, count] if count > 1 else [count]):
            records_to_bytes(place, records, np.array(ends))


@check
def smoothed_rows() -> None:
    sizes = itertools.product((1, 7, 8, 9, 17), (1, 2, 3, 5), (1, 2, 4), (0, 1))
    dc_alone = np.array([0] + [-1] * 9)
    for place, (across, down, v, more) in itertools.product(PLACES, sizes):
        blocks = levels((down + more, across + more, 64), 900)
        blocks[..., 1:] = 0
        for known in (dc_alone, np.array([0, 0, 2, 1, -1, 0, 1, 1, 1, 1])):
            for first, last in ((0, down), (down - 1, down), (down, down)):
                same(
                    place, smoothing.smooth_rows, blocks[..., 0].copy(), across, down, v, first,
                    last, STEPS, known, ZIGZAG, np.zeros_like(smoothing.scratch(across)),
                    blocks[:last, :across].copy(),
                )  # fmt: skip


# --- lossless -------------------------------------------------------------------------------------


@check
def lossless_lines() -> None:
    """Noise, and codes as long as can be, in a writer of no more room than is asked for."""
    codes = np.full(17, LONGEST_CODE, np.int64)
    shapes = itertools.product((1, 2, 3, 4), (1, 2, 33), (1, 3), (0, 2))
    for place, (n, width, height, interval), dtype in itertools.product(
        PLACES, shapes, (np.uint8, np.uint16)
    ):
        bits = 8 * np.dtype(dtype).itemsize
        picture = random().integers(0, 1 << bits, (height, n * width), dtype)
        picture.flags.writeable = False
        last = min(interval or height, height)
        size = lossless_encoder.SAMPLE_BYTES * last * n * width
        writer = symbols.new_writer(0)._replace(
            indices=np.zeros(64, np.int16), places=np.zeros(64, np.uint8),
            large=np.zeros(1, np.int64), entries=np.zeros(symbols.ENTRIES, np.uint32),
            raw=np.zeros(size + 16, np.uint8), out=np.zeros(2 * size + 64, np.uint8),
        )  # fmt: skip
        for predictor in range(1, 8):
            where = picture, n, 0, last, interval, predictor, 0, 1 << (bits - 1)
            differences = np.zeros(n * width, np.int32)
            *_, counts, _ = same(
                place, lossless_encoder.count_categories, *where, differences,
                np.zeros(256, np.int64),
            )  # fmt: skip
            *_, filled, _, written = same(
                place, lossless_encoder.code_lines, *where, codes, differences, writer, 0
            )
            coded = counts[:17] @ (16 + np.arange(17) % 16)
            plain = filled.out[:written].tobytes().replace(b"\xff\0", b"\xff")
            assert len(plain) == -(-coded // 8)


@check
def lossless_samples() -> None:
    for place, width, height, more, predictor in itertools.product(
        PLACES, (1, 2, 33), (1, 3), (0, 1), range(8)
    ):
        shape = height + more, width + more
        for interval in (0, 2):
            differences = random().integers(0, 65536, shape, np.uint16)
            same(
                place, lossless.undifference, differences, width, height, predictor, interval, 2048
            )


# --- 12 bits --------------------------------------------------------------------------------------


def deep_samples(*shape: int) -> np.ndarray:
    return random(sum(shape)).integers(0, 4096, shape, np.uint16)


@check
def deep_colors() -> None:
    for place, width, height, more in itertools.product(PLACES, WIDTHS, (1, 3), (0, 1)):
        rgb = deep_samples(height, 3 * width)
        rgb.flags.writeable = False
        planes = np.zeros((3, height + more, width + more), np.uint16)
        *_, y, cb, cr, _ = same(place, deep.rgb_to_ycbcr, rgb, 12, *planes)
        same(place, deep.ycbcr_to_rgb, y, cb, cr, 12, width, height, 4095)


@check
def deep_samplings() -> None:
    for place, width, height, across, down in itertools.product(
        PLACES, (1, 2, 3, 8, 33), (1, 3), (1, 2, 3, 4), (1, 2, 3, 4)
    ):
        full = deep_samples(down * height, across * width)
        *_, small, _ = same(
            place, deep_encoder.downsample, full, across, down, np.zeros((height, width), np.uint16)
        )
        same(place, deep.upsample, small, width, height, across, down, np.zeros_like(full))
        for channel, channels in ((0, 1), (0, 3), (2, 3)):
            out = np.zeros((down * height, channels * across * width), np.uint16)
            same(place, deep.place, small, across, down, 2, out, channel, channels)


@check
def deep_transforms() -> None:
    for place, rows, columns, more in itertools.product(PLACES, (1, 2), (1, 2, 9), (0, 1)):
        plane = deep_samples(8 * rows, 8 * (columns + more))
        blocks = np.zeros((rows, columns + more, 64), np.int16)
        *_, blocks, _ = same(
            place, deep_encoder.transform, plane, rows, columns, np.ones(64, np.int32),
            np.zeros(64, np.int32), blocks,
        )  # fmt: skip
        *_, out, _ = same(
            place, deep.reconstruct, blocks, rows, columns, np.ones(64, np.int32),
            np.zeros_like(plane),
        )  # fmt: skip
        assert abs(out.astype(int) - plane)[:, : 8 * columns].max() <= 4


# --- scales, turns, inks --------------------------------------------------------------------------


@check
def reduced_transforms() -> None:
    """Rows of blocks that end with the arrays: the last one is no longer than it is."""
    shapes = itertools.product((1, 2, 4, 8), (1, 2), (*range(1, 10), 15, 16, 17, 33), (0, 3))
    for place, (size, rows, columns, more) in itertools.product(PLACES, shapes):
        pitch, stride = columns + more, size * columns + more
        blocks = levels((64 * (pitch * (rows - 1) + columns),), 900)
        samples = stride * (size * rows - 1) + size * columns
        where = 0, pitch, rows, columns, STEPS, size
        same(place, reduced.inverse_reduced, blocks, *where, np.zeros(samples, np.uint8), 0, stride)
        if size < 8:
            out = np.zeros(samples, np.uint16)
            same(place, reduced.inverse_deep, blocks, *where, out, 0, stride)


@check
def turned_blocks() -> None:
    for place, rows, columns, turn in itertools.product(PLACES, (1, 2, 3), (1, 2, 5), range(8)):
        transposed, across, down = bool(turn & 4), turn & 1, turn >> 1 & 1
        source = levels((64 * rows * columns,), 1000)
        height, width = (columns, rows) if transposed else (rows, columns)
        for left, top in ((0, 0), (width - 1, height - 1)):
            wide, high = width - left, height - top
            *_, out, _, _, _, _, _ = same(
                place, turning.turn_blocks, source, 0, columns, transposed, width * across,
                height * down, left, top, turning.SIGNS, np.zeros(64 * wide * high, np.int16), 0,
                wide, wide, high,
            )  # fmt: skip
            assert np.abs(out).sum() <= np.abs(source).sum()


@check
def inks() -> None:
    for place, width, position in itertools.product(PLACES, WIDTHS, (0, 7)):
        step = up(width, 64)
        samples = random().integers(0, 256, 4 * step, np.uint8)
        out = np.zeros(position + up(4 * width, 256), np.uint8)
        rows = 3 * step, 0, step, 2 * step
        *_, written, _, _ = same(
            place, color.interleave_four, samples, *rows, width, 255, out, position
        )
        expected = 255 - samples.reshape(4, step)[[3, 0, 1, 2], :width]
        assert np.array_equal(written[position:][: 4 * width].reshape(width, 4).T, expected)
        same(place, color.ycck_to_cmyk, samples, *rows, width, out, position)


@check
def repeated_rows() -> None:
    for place, width, across in itertools.product(PLACES, WIDTHS, (1, 2, 3, 4)):
        narrow, wide = up(width, 16), up(across * width, 64)
        samples = random().integers(0, 256, narrow + wide, np.uint8)
        for row, out in ((0, narrow), (wide, 0)):
            written, *_ = same(place, sampling.repeat_row, samples, row, across, width, out)
            expected = np.repeat(samples[row:][:width], across)
            assert np.array_equal(written[out:][: across * width], expected)


# --- stored coefficients --------------------------------------------------------------------------


def layouts() -> Iterator[strips.Layout]:
    for name, (height, width) in itertools.product(NAMES, SIZES):
        geometry = Geometry(width, height, FACTORS.get(name, ((1, 1),)))
        yield strips.Layout(geometry, chunk=geometry.mcus_across)


@check
def stored_blocks() -> None:
    for place, layout in itertools.product(PLACES, layouts()):
        blocks = levels((64 * layout.blocks,), 2)
        blocks[random().random(blocks.size) < 0.97] = 0
        extents = np.zeros(layout.blocks, np.uint8)
        _, _, _, extents, _ = same(place, strips.find_extents, blocks, 0, layout.blocks, extents)
        there = blocks.reshape(-1, 8, 8) != 0
        high = there[:, 4:].any((1, 2)) | there[..., 4:].any((1, 2))
        assert np.array_equal(extents == 63, high)
        mcus = int(layout.fields[0, strips.CHUNK_STRIDE] // layout.fields[0, strips.H])
        cleared, *_ = same(place, stretches.clear_stretch, blocks, layout.fields, 0, mcus)
        assert not cleared.any()
