"""Checks of the stages of baseline files, at the sizes that their docstrings ask for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from guard_checks import COUNTS, NAMES, SIZES, WIDTHS, check, made, random, risky_bytes, up
from guard_pages import PLACES, guarded_calls
from scans import HARDEST, ONES, Case, full_blocks, random_blocks

from pyjpegml import bitio, color, dct, fused, sampling, scan, symbols
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import STANDARD_TABLES, decoding_tables
from pyjpegml.quantize import reciprocals, standard_qtables

# --- samples and bytes ----------------------------------------------------------------------------


@check
def stuffing() -> None:
    rng = random()
    for place, count in itertools.product(PLACES, COUNTS):
        ordinary = rng.integers(0, 255, count).astype(np.uint8)
        late = np.append(ordinary, np.uint8(255))[-count:] if count else ordinary
        for raw in (ordinary, late, np.full(count, 255, np.uint8), risky_bytes(count, rng)):
            for position in (0, 5):
                out = np.zeros(position + 2 * count, np.uint8)
                with guarded_calls(place):
                    end = bitio.stuff(raw, count, out, position)
                assert out[position:end].tobytes() == raw.tobytes().replace(b"\xff", b"\xff\0")


@check
def destuffing() -> None:
    """Also of data that do not end with a marker, and with room for one interval or for many."""
    rng = random()
    for place, count in itertools.product(PLACES, COUNTS):
        ordinary = rng.integers(0, 255, count).astype(np.uint8)
        stuffed = np.frombuffer((b"a\xff\0" * count)[:count], np.uint8)
        last = np.append(ordinary, np.uint8(255))[-count:] if count else ordinary
        restarts = np.frombuffer((b"\xff\xd3" * count)[:count], np.uint8)
        filled = np.full(count, 255, np.uint8)
        for data in (ordinary, stuffed, last, restarts, filled, risky_bytes(count, rng)):
            for start, room in ((0, 1), (0, count + 1), (count // 2, 2), (count, 1)):
                out = np.empty(count - start + bitio.PADDING, np.uint8)
                ends, numbers, offsets = (np.full(room, -2, np.int64) for _ in range(3))
                with guarded_calls(place):
                    found, end = bitio.destuff(data, start, out, ends, numbers, offsets)
                assert 1 <= found <= room
                assert start <= end <= count


@check
def colors() -> None:
    rng = random()
    heights = dict.fromkeys(WIDTHS, (1, 3)) | {65535: (1,)}
    for place, (width, rows) in itertools.product(PLACES, heights.items()):
        for height in rows:
            rgb = rng.integers(0, 256, (height, 3 * width), np.uint8)
            planes = np.zeros((3, height, width), np.uint8)
            with guarded_calls(place):
                color.rgb_to_ycbcr(rgb, *planes)
        step = up(width, 64)
        samples = rng.integers(0, 256, 3 * step, np.uint8)
        for position in (0, 7):
            out = np.zeros(position + up(3 * width, 192), np.uint8)
            grey = np.zeros(position + step, np.uint8)
            with guarded_calls(place):
                color.ycbcr_to_rgb(samples, 0, step, 2 * step, width, out, position)
                color.ycbcr_to_rgb(samples, 2 * step, step, 0, width, out, position)
                color.interleave(samples, step, 2 * step, 0, width, out, position)
                color.copy_row(samples, 2 * step, width, grey, position)
            channels = samples[: 3 * step].reshape(3, step)[[1, 2, 0], :width]
            assert np.array_equal(out[position:][: 3 * width].reshape(width, 3).T, channels)
            assert np.array_equal(grey[position:][:width], samples[2 * step :][:width])


@check
def samplings() -> None:
    rng = random()
    shapes = [(height, width) for width in WIDTHS for height in (1, 3)] + [(1, 32767), (300, 1)]
    for place, (height, width) in itertools.product(PLACES, shapes):
        for across, down in ((1, 1), (2, 1), (2, 2), (1, 2)):
            plane = rng.integers(0, 256, (down * height, across * width), np.uint8)
            with guarded_calls(place):
                sampling.downsample(plane, across, down, np.zeros((height, width), np.uint8))
    for place, (_, width) in itertools.product(PLACES, shapes):
        for across, down, odd in ((2, 1, 0), (2, 2, 0), (2, 2, 1), (1, 2, 0), (1, 2, 1)):
            before = across - 1  # the sample before a row is looked at if it is widened
            row, wide = up(width, 32) + 2 * before, up(across * width, 64)
            samples = rng.integers(0, 256, 2 * row + wide, np.uint8)
            with guarded_calls(place):
                for near, far, out in ((0, row, 2 * row), (row, 0, 2 * row), (wide, wide + row, 0)):
                    sampling.upsample_row(
                        samples, near + before, far + before, across, down, odd, width, out
                    )


@check
def transforms() -> None:
    rng = random()
    qtable = np.arange(1, 65, dtype=np.int32)
    for place, rows, columns in itertools.product(PLACES, (1, 2), (*range(1, 10), 63, 64, 65)):
        for more in (0, 1):  # arrays with columns that are not asked for
            plane = rng.integers(0, 256, (8 * rows, 8 * (columns + more)), np.uint8)
            blocks = np.zeros((rows, columns + more, 64), np.int16)
            out = np.zeros_like(plane)
            with guarded_calls(place):
                dct.forward_dct(plane, rows, columns, blocks)
                dct.inverse_dct(blocks >> 3, rows, columns, np.ones(64, np.int32), out)
                dct.inverse_dct(blocks, rows, columns, qtable, np.zeros_like(plane))
            size = 8 * columns
            assert abs(out[:, :size].astype(int) - plane[:, :size]).max() <= 4


# --- entropy coding -------------------------------------------------------------------------------


def small_cases() -> Iterator[Case]:
    """All samplings; blocks that are sparse and full; with and without restarts."""
    for name, (height, width), density, interval in itertools.product(
        NAMES, ((1, 1), (9, 17), (33, 24)), (0.1, 1), (0, 2)
    ):
        geometry = Geometry(width, height, FACTORS.get(name, ((1, 1),)))
        yield Case(geometry, random_blocks(geometry, height, density, 1023), interval)


@check
def scans_written() -> None:
    """Order, counts and codes of blocks, one MCU after the other and all at once."""
    for place, case in itertools.product(PLACES, small_cases()):
        expected = case.encode(STANDARD_TABLES)
        counted, _ = case.counts()
        plan, mcus = case.plan, case.geometry.mcus
        coding = symbols.coding_tables(STANDARD_TABLES)
        for step in {1, mcus} if mcus < 9 else {mcus}:
            size = step * len(plan)
            blocks, masks = np.zeros(64 * size, np.int16), np.zeros(size, np.int64)
            state, counts = np.zeros(symbols.STATE_FIELDS, np.int64), np.zeros_like(counted)
            writer, pieces = symbols.new_writer(size), []
            with guarded_calls(place):
                for first in range(0, mcus, step):
                    symbols.order_blocks(
                        case.coefficients, plan, case.geometry.mcus_across, first, first + step,
                        blocks, masks,
                    )  # fmt: skip
                    symbols.count_symbols(
                        blocks, masks, 0, step, case.restart_interval, plan, state, counts
                    )
                    written = symbols.encode_blocks(
                        blocks, masks, 0, step, mcus, case.restart_interval, plan, coding, writer
                    )
                    pieces.append(writer.out[:written].tobytes())
            assert b"".join(pieces) == expected
            assert np.array_equal(counts, counted)


@check
def longest_codes_written() -> None:
    """Blocks of 63 values of 15 bits, each with a code of 16: the most that the writer's buffers
    must hold; and with most of the bytes FF.
    """
    for place, name, mcus, interval, tables in itertools.product(
        PLACES, NAMES, (1, 2, 23, 24, 25, 100), (0, 1, 7), (HARDEST, ONES)
    ):
        coding = symbols.coding_tables(tables)
        geometry = Geometry(8, 8, FACTORS.get(name, ((1, 1),)))
        plan = geometry.scan_plan([(0, 0), (1, 1), (1, 1)][: len(geometry.planes)])
        size = mcus * len(plan)
        blocks = full_blocks(size)
        masks, writer = np.full(size, -1, np.int64), symbols.new_writer(size)
        with guarded_calls(place):
            written = symbols.encode_blocks(
                blocks, masks, 0, mcus, mcus, interval, plan, coding, writer
            )
        assert written > 240 * size * (1.7 if tables is ONES else 1)
        assert writer.state[symbols.DONE] == mcus


def decode_scan(
    case: Case, place: str, plain: np.ndarray, ends: np.ndarray, tables: dict[int, object]
) -> int:
    """Status of decoding, with `plain` followed by zeros of PADDING, each row in two parts."""
    data = np.append(plain, np.zeros(bitio.PADDING, np.uint8))
    geometry, reader = case.geometry, np.zeros(scan.READER_FIELDS, np.int64)
    coefficients = np.zeros(geometry.size, np.int16)
    extents = np.zeros(geometry.size // 64, np.uint8)
    interval = case.restart_interval
    mcus = min(geometry.mcus, ends.size * interval) if interval else geometry.mcus
    for row in range(geometry.mcus_down):
        last = min(geometry.mcus_across, mcus - row * geometry.mcus_across)
        for columns in ((0, last // 2), (last // 2, last)):
            with guarded_calls(place):
                status = scan.decode_mcus(
                    data, ends, interval, mcus, case.plan, row, *columns, scan.PLACES,
                    *decoding_tables(tables), reader, coefficients, extents,
                )  # fmt: skip
            if status != scan.OK:
                return int(status)
    return scan.OK


@check
def scans_read() -> None:
    """Sound and cut data, random ones, and ones that ask for as much as can be behind the end."""
    rng = random()
    seen = set()
    for place, case in itertools.product(PLACES, small_cases()):
        if case.restart_interval:
            continue
        source = np.frombuffer(case.encode(STANDARD_TABLES).replace(b"\xff\0", b"\xff"), np.uint8)
        for cut in {0, 1, source.size}:
            plain = source[: source.size - cut]
            ends = np.array([plain.size])
            seen.add(decode_scan(case, place, plain, ends, STANDARD_TABLES))
        for size in (0, 7, 90, 100):
            ends = np.array([size])
            # HARDEST has its longest codes for zeros: so a block goes on into the padding
            plain = np.zeros(size, np.uint8)
            seen.add(decode_scan(case, place, plain, ends, HARDEST))
            noise = rng.integers(0, 256, size).astype(np.uint8)
            seen.add(decode_scan(case, place, noise, ends, STANDARD_TABLES))
    assert seen == {scan.OK, scan.ENDED_EARLY, scan.BAD_CODE, scan.RUN_TOO_LONG}


@check
def intervals_read() -> None:
    """Intervals of any length, empty ones included, fewer than there should be or as many."""
    rng = random()
    geometry = Geometry(40, 33, FACTORS["4:2:0"])
    for place, interval, seed in itertools.product(PLACES, (1, 2, 7), range(20)):
        needed = -(-geometry.mcus // interval)
        case = Case(geometry, np.zeros(geometry.size, np.int16), interval)
        lengths = rng.integers(0, 30, 1 + int(rng.integers(0, needed)))
        ends = np.cumsum(lengths)
        plain = np.zeros(ends[-1], np.uint8) if seed % 2 else risky_bytes(int(ends[-1]), rng)
        tables = HARDEST if seed % 3 else STANDARD_TABLES
        assert decode_scan(case, place, plain, ends, tables) in range(5)


# --- the fused loops ------------------------------------------------------------------------------


@check
def chunks() -> None:
    """Every number of MCUs that fits into a chunk, first in the blocks or behind others."""
    qtables = standard_qtables(75)
    for place, name, (height, width) in itertools.product(PLACES, NAMES, SIZES):
        geometry = Geometry(width, height, FACTORS.get(name, ((1, 1),)))
        image = fused.read_only(made(name, (height, width)).reshape(height, -1))
        channels = len(geometry.planes)
        tables = np.stack([reciprocals(qtables[min(c, 1)]) for c in range(channels)])
        h, v = geometry.h_max, geometry.v_max
        most = min(fused.CHUNK // (8 * h), geometry.mcus_across)
        for count, start in itertools.product({1, most // 2, most} - {0}, (0, 1)):
            size = start + count * (h * v + channels - 1)
            blocks, masks = np.zeros(64 * (size + 1), np.int16), np.zeros(size + 1, np.int64)
            for row in {0, geometry.mcus_down - 1}:
                for column in {0, geometry.mcus_across - count}:
                    with guarded_calls(place):
                        fused.transform_mcus(
                            image, h, v, row, column, count, tables, fused.new_planes(), blocks,
                            masks, start, size,
                        )  # fmt: skip
