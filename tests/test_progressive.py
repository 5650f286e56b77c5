"""Progressive scans against a codec that works on strings of 0 and 1, and whole files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import oracles
import oracles_progressive as oracle
import progressive_files
import pytest
from helpers import (
    CONFORMANCE,
    SUBSAMPLINGS,
    assert_same_picture,
    picture,
    pillow_decode,
    pillow_encode,
)
from hypothesis import given
from hypothesis import strategies as st
from oracles_progressive import Band
from progressive_files import any_tables

from pyjpegml import JpegFormatError, bitio, read_header, scan
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import AC, HuffmanTable, optimal_table
from pyjpegml.progression import Progression
from pyjpegml.progressive import EOB_RUN_TOO_LONG, decode_scan

Array = npt.NDArray[np.int16]
Step = tuple[tuple[int, ...], Band]  # components and parameters of a scan

LONGEST = 32767


# --- pictures and scripts -------------------------------------------------------------------------


def mcus_of(geometry: Geometry, components: Sequence[int]) -> list[list[tuple[int, int, int]]]:
    """(component, row, column) of all blocks of a scan, dummies included, MCU by MCU."""
    if len(components) == 1:
        plane = geometry.planes[components[0]]
        return [
            [(components[0], row, column)]
            for row in range(plane.down)
            for column in range(plane.across)
        ]
    size = geometry.width, geometry.height, geometry.sampling
    return [
        [(i, row, column) for i, row, column, _ in mcu if i in components]
        for mcu in oracles.mcu_blocks(*size)
    ]


def random_coefficients(
    geometry: Geometry, seed: int, density: float, largest: int, flat: float
) -> Array:
    """Blocks with some values in them, more often small than large; a part of them has none.

    Dummy blocks have a DC too: nothing says that it is not sent.
    """
    rng = np.random.default_rng(seed)
    shape = geometry.size // 64, 64
    size = np.floor(2 ** rng.uniform(0, np.log2(largest + 1), shape))
    values = np.where(rng.random(shape) < 0.5, size, -size).astype(np.int16)
    values[rng.random(shape) >= density] = 0
    values[rng.random(shape[0]) < flat, 1:] = 0
    return values.reshape(-1)


@dataclass
class Case:
    """Coefficients, and how they are sent."""

    geometry: Geometry
    coefficients: Array
    script: list[Step]
    restart_interval: int = 0
    longest: int = LONGEST
    long_codes: bool = False

    def block(self, component: int, row: int, column: int) -> list[int]:
        view = self.geometry.view(self.coefficients, component)
        return [int(v) for v in view[row, column]]

    def tables(self, intervals: Sequence[Sequence[oracle.Symbol]]) -> HuffmanTable:
        """A table for all symbols of a scan: the best, or one whose codes are long."""
        counts = np.zeros(256, np.int64)
        for symbols in intervals:
            for _, symbol, _ in symbols:
                if symbol is not None:
                    counts[symbol] += 1
        if self.long_codes:  # so unequal that the code is a comb
            used = np.flatnonzero(counts)
            counts[used] = 3 ** np.arange(used.size).clip(0, 30)
        return optimal_table(counts)

    def sent(self, step: Step) -> tuple[bytes, HuffmanTable]:
        """Entropy-coded data of a scan, and the table that its components share."""
        components, band = step
        mcus = [
            [(i, self.block(i, row, column)) for i, row, column in mcu]
            for mcu in mcus_of(self.geometry, components)
        ]
        intervals = oracle.scan_symbols(mcus, band, self.restart_interval, self.longest)
        table = self.tables(intervals)
        codes = oracles.canonical_codes(table.bits, table.symbols)
        return oracle.write(intervals, dict.fromkeys(components, codes)), table


class Decoder:
    """The library's side: coefficients and masks, and scans that go into them."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.coefficients = np.zeros(geometry.size, np.int16)
        self.masks = np.zeros(geometry.size // 64, np.uint64)
        self.progression = Progression(len(geometry.planes))
        self.reader = np.zeros(scan.READER_FIELDS, np.int64)

    def scan(
        self, data: bytes, table: HuffmanTable, step: Step, restart_interval: int = 0,
        pieces: int = 1,
    ) -> int:  # fmt: skip
        components, band = step
        slot = components[0] % 4
        plan, across, mcus = progressive_files.scan_plan(
            self.geometry, [(i, slot, slot) for i in components]
        )
        source = np.frombuffer(data + b"\xff\xd9", np.uint8)
        self.plain = np.empty(source.size + bitio.PADDING, np.uint8)
        ends, numbers, offsets = np.zeros((3, mcus + 1), np.int64)
        found, _ = bitio.destuff(source, 0, self.plain, ends, numbers, offsets)
        self.ends = ends
        if restart_interval:
            mcus = min(mcus, found * restart_interval)
        self.arguments = (
            self.plain, ends, restart_interval, mcus, plan, across, band,
            {slot: table, AC + slot: table},
        )  # fmt: skip
        self.reader = np.zeros(scan.READER_FIELDS, np.int64)
        status = scan.OK
        for piece in range(1, pieces + 1):
            if status == scan.OK:
                status = self.go_on(mcus * piece // pieces)
        return status

    def go_on(self, last: int | None = None) -> int:
        return decode_scan(*self.arguments, self.reader, self.coefficients, self.masks, last)

    def check_masks(self) -> None:
        nonzero = self.coefficients.reshape(-1, 64)[:, ZIGZAG] != 0
        nonzero[:, 0] = False
        bits = nonzero.astype(np.uint64) << np.arange(64, dtype=np.uint64)
        np.testing.assert_array_equal(self.masks, bits.sum(axis=1, dtype=np.uint64))


@st.composite
def bands(draw: st.DrawFn) -> list[tuple[int, int]]:
    """1 to 63 in any number of parts."""
    starts = sorted({1, *draw(st.lists(st.integers(2, 63), max_size=4))})
    return list(zip(starts, [s - 1 for s in starts[1:]] + [63], strict=True))


@st.composite
def scripts(draw: st.DrawFn, components: int) -> list[Step]:
    """Scans of any order that T.81 allows, perhaps not all that there might be."""
    queues: list[list[Step]] = []
    left = list(range(components))
    while left:
        count = draw(st.integers(1, len(left)))
        low = draw(st.integers(0, 3))
        group, left = tuple(left[:count]), left[count:]
        queue: list[Step] = [(group, (0, 0, 0, low))]
        queue += [(group, (0, 0, high, high - 1)) for high in range(low, 0, -1)]
        queues.append(queue)
    for i in range(components):
        low = draw(st.integers(0, 3))
        queue = [((i,), (*band, 0, low)) for band in draw(bands())]
        for high in range(low, 0, -1):
            queue += [((i,), (*band, high, high - 1)) for band in draw(bands())]
        queues.append(queue)
    turns = [number for number, queue in enumerate(queues) for _ in queue]
    script = [queues[number].pop(0) for number in draw(st.permutations(turns))]
    return script[: draw(st.integers(1, len(script)) | st.just(len(script)))]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 40 x 40 samples, empty to full blocks, all scripts, 8 and 12 bits."""
    name = draw(st.sampled_from(["grey", *SUBSAMPLINGS]))
    geometry = Geometry(
        draw(st.integers(1, 40)), draw(st.integers(1, 40)), FACTORS.get(name, ((1, 1),))
    )
    coefficients = random_coefficients(
        geometry,
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from([0, 0.02, 0.2, 0.95, 1])),
        draw(st.sampled_from([1, 3, 1023, 16383])),
        draw(st.sampled_from([0, 0.3, 0.95])),
    )
    return Case(
        geometry,
        coefficients,
        draw(scripts(len(geometry.planes))),
        draw(st.sampled_from([0, 0, 1, 2, 3, 7, 65535])),
        draw(st.sampled_from([1, 2, 5, LONGEST])),
        draw(st.booleans()),
    )


def expected(case: Case, blocks: set[tuple[int, int, int]], lows: list[list[int | None]]) -> Array:
    """What a decoder has of those blocks; all others zero."""
    out = np.zeros_like(case.coefficients)
    for component, row, column in blocks:
        block = oracle.known(case.block(component, row, column), lows[component])
        case.geometry.view(out, component)[row, column] = block
    return out


# --- what is sent arrives -------------------------------------------------------------------------


@given(cases(), st.integers(1, 3))
def test_coefficients_exactly(case: Case, pieces: int) -> None:
    """Any script: what was sent so far is known exactly, in however many calls a scan is read."""
    decoder = Decoder(case.geometry)
    lows: list[list[int | None]] = [[None] * 64 for _ in case.geometry.planes]
    for step in case.script:
        components, (start, end, high, low) = step
        warnings = int(start > 0 and lows[components[0]][0] is None)  # AC before DC
        assert len(decoder.progression.begin(components, start, end, high, low)) == warnings
        data, table = case.sent(step)
        status = decoder.scan(data, table, step, case.restart_interval, pieces)
        assert status == scan.OK
        assert decoder.reader[scan.LEFT] == 0
        assert decoder.reader[scan.UNREAD] == 0
        for component in components:
            lows[component][start : end + 1] = [low] * (end + 1 - start)
    seen = {
        place
        for components, _ in case.script
        for mcu in mcus_of(case.geometry, components)
        for place in mcu
    }
    want = expected(case, seen, lows)
    # dummy blocks have what came in interleaved scans only
    for component, plane in enumerate(case.geometry.planes):
        real = np.s_[: plane.down, : plane.across]
        np.testing.assert_array_equal(
            case.geometry.view(decoder.coefficients, component)[real],
            case.geometry.view(want, component)[real],
        )
    decoder.check_masks()
    known = [[-1 if low is None else low for low in part] for part in lows]
    np.testing.assert_array_equal(decoder.progression.coef_bits, known)


@given(cases())
def test_the_oracle_reads_what_it_wrote(case: Case) -> None:
    """The plain decoder that other tests go by agrees with the plain encoder."""
    blocks: dict[tuple[int, int, int], list[int]] = {}
    lows: list[list[int | None]] = [[None] * 64 for _ in case.geometry.planes]
    for step in case.script:
        components, band = step
        data, table = case.sent(step)
        codes = oracles.canonical_codes(table.bits, table.symbols)
        mcus = [
            [(place[0], blocks.setdefault(place, [0] * 64)) for place in mcu]
            for mcu in mcus_of(case.geometry, components)
        ]
        by_component = dict.fromkeys(components, codes)
        assert oracle.decode_scan(data, mcus, band, by_component, case.restart_interval) == ""
        for component in components:
            lows[component][band[0] : band[1] + 1] = [band[3]] * (band[1] + 1 - band[0])
    for (component, row, column), block in blocks.items():
        plane = case.geometry.planes[component]
        if row < plane.down and column < plane.across:
            assert block == oracle.known(case.block(component, row, column), lows[component])


@pytest.mark.parametrize("new", [None, 1, 33, 63])
def test_many_correction_bits(new: int | None) -> None:
    """Up to 63 in a row: all coefficients but one have been nonzero before."""
    geometry = Geometry(40, 8, [(1, 1)])
    rng = np.random.default_rng(0)
    blocks = (rng.integers(4, 8, (5, 64)) * rng.choice([-1, 1], (5, 64))).astype(np.int16)
    if new is not None:
        blocks[::2, ZIGZAG[new]] = 1
    script: list[Step] = [((0,), (1, 63, (low + 1) % 3, low)) for low in (2, 1, 0)]
    case = Case(geometry, blocks.reshape(-1), script)
    decoder = Decoder(geometry)
    for step in script:
        assert decoder.scan(*case.sent(step), step) == scan.OK
    np.testing.assert_array_equal(decoder.coefficients.reshape(-1, 64)[:, 1:], blocks[:, 1:])


def full_script(components: int) -> list[Step]:
    """All kinds of scans, two of each component's AC bands."""
    everyone = tuple(range(components))
    script: list[Step] = [(everyone, (0, 0, 0, 1))]
    for i in everyone:
        script += [((i,), (1, 5, 0, 2)), ((i,), (6, 63, 0, 2)), ((i,), (1, 63, 2, 1))]
    script += [(everyone, (0, 0, 1, 0))]
    return script + [((i,), (1, 63, 1, 0)) for i in everyone]


def test_order_of_independent_scans() -> None:
    """Scans that the module calls independent may be exchanged."""
    geometry = Geometry(40, 30, FACTORS["4:2:0"])
    case = Case(geometry, random_coefficients(geometry, 1, 0.3, 100, 0.3), full_script(3))
    decoders = [Decoder(geometry), Decoder(geometry)]
    first, refined = case.script[0], case.script[-4]
    of_each = [[s for s in case.script if s[0] == (i,)] for i in range(3)]
    other_order = [*of_each[2], first, *of_each[0], refined, *of_each[1]]
    for decoder, script in zip(decoders, (case.script, other_order), strict=True):
        for step in script:
            assert decoder.scan(*case.sent(step), step) == scan.OK
    np.testing.assert_array_equal(decoders[0].coefficients, decoders[1].coefficients)
    np.testing.assert_array_equal(decoders[0].masks, decoders[1].masks)


# --- data that are wrong --------------------------------------------------------------------------

GREY = Geometry(64, 8, [(1, 1)])
#: One code of one bit for each of two symbols would leave none of ones only: 0, 10, 110.
EOB0, ONE, THIRD = "0", "10", "110"


def three_symbols(third: int) -> HuffmanTable:
    """Codes 0 for EOB0, 10 for a coefficient of size 1 at once, 110 for another symbol."""
    return HuffmanTable((1, 1, 1) + (0,) * 13, bytes([0x00, 0x01, third]))


def run_bits(bits: str, table: HuffmanTable, band: Band, **options: int) -> tuple[int, Decoder]:
    """Decode bits as a scan of eight grey blocks whose coefficients have been sent but for `high`
    bits: all ones."""
    decoder = Decoder(GREY)
    if band[2]:
        start, end = band[:2]
        decoder.coefficients.reshape(-1, 64)[:, ZIGZAG[start : end + 1 : 2]] = 2 << band[3]
        decoder.masks[:] = sum(1 << k for k in range(max(start, 1), end + 1, 2))
    data = oracles.stuff(oracles.pack(bits))
    return decoder.scan(data, table, ((0,), band), **options), decoder


FIRST, REFINEMENT = (1, 63, 0, 0), (1, 63, 1, 0)


def test_end_of_a_first_scan() -> None:
    """Six blocks fill three bytes, and there is no seventh."""
    status, decoder = run_bits(6 * (ONE + "1" + EOB0), three_symbols(0x51), FIRST)
    assert status == scan.ENDED_EARLY
    assert decoder.reader[scan.MCU] == 6
    assert decoder.coefficients[1::64].tolist() == [1] * 6 + [0, 0]


def test_end_of_a_refinement() -> None:
    """Three blocks with their 32 correction bits, and a part of those of the fourth."""
    bits = 3 * (EOB0 + "1" * 32) + EOB0 + "1" * 4
    status, decoder = run_bits(bits, three_symbols(0x51), REFINEMENT)
    assert status == scan.ENDED_EARLY
    assert decoder.reader[scan.MCU] == 3
    assert decoder.coefficients[1::64].tolist() == [3] * 4 + [2] * 4
    assert decoder.coefficients[6::64].tolist() == [3] * 3 + [2] * 5


@pytest.mark.parametrize("band", [FIRST, REFINEMENT])
def test_bits_that_are_no_code(band: Band) -> None:
    status, decoder = run_bits("1" * 800, three_symbols(0x51), band)
    assert status == scan.BAD_CODE
    assert decoder.reader[scan.MCU] == 0


def test_long_bits_that_are_no_code() -> None:
    """Codes end at 16 bits, and above the last one there is nothing."""
    table = HuffmanTable((1,) + (0,) * 14 + (2,), bytes([0x00, 0x11, 0x21]))
    for tail, status in (("10" * 8, scan.BAD_CODE), ("1" + "0" * 15 + "1" + "0" * 99, scan.OK)):
        assert run_bits(tail + "0" * 64, table, FIRST)[0] == status


def test_no_table() -> None:
    """All bits are a bad code."""
    decoder = Decoder(GREY)
    for band in ((0, 0, 0, 0), FIRST, REFINEMENT):
        decoder.scan(bytes(50), three_symbols(1), ((0,), band))
        decoder.arguments = (*decoder.arguments[:-1], {})
        decoder.reader[:] = 0
        assert decoder.go_on() == scan.BAD_CODE


@pytest.mark.parametrize("band", [FIRST, REFINEMENT])
@pytest.mark.parametrize("symbol", [0xF0, 0xF1])
def test_runs_beyond_the_band(band: Band, symbol: int) -> None:
    """The fourth run of sixteen would end at place 64; in a refinement there are 31 zeros."""
    one = (THIRD + "1" if symbol & 15 else THIRD) + ("0" * 16 if band[2] else "")
    status, decoder = run_bits(4 * one + "0" * 400, three_symbols(symbol), band)
    assert status == scan.RUN_TOO_LONG
    assert decoder.reader[scan.MCU] == 0


def test_new_coefficients_of_a_refinement_have_one_bit() -> None:
    status, _ = run_bits(THIRD + "0" * 400, three_symbols(0x02), REFINEMENT)
    assert status == scan.BAD_CATEGORY


def test_dc_categories() -> None:
    table = three_symbols(16)
    assert run_bits(THIRD + "0" * 400, table, (0, 0, 0, 0))[0] == scan.BAD_CATEGORY
    assert run_bits("0" * 8, table, (0, 0, 0, 0))[0] == scan.OK
    assert run_bits("0" * 7, HuffmanTable((0, 3) + (0,) * 14, b"\0\1\2"), (0, 0, 0, 0))[0] == (
        scan.ENDED_EARLY
    )


@pytest.mark.parametrize("band", [FIRST, REFINEMENT])
@pytest.mark.parametrize(("restart_interval", "mcu"), [(0, 8), (3, 3)])
def test_run_of_blocks_beyond_the_end(band: Band, restart_interval: int, mcu: int) -> None:
    """A run of 2**3 + 1 blocks where there are eight, or three in a restart interval."""
    bits = THIRD + "001" + ("0" * 800 if band[2] else "")
    status, decoder = run_bits(bits, three_symbols(0x30), band, restart_interval=restart_interval)
    assert status == EOB_RUN_TOO_LONG
    assert decoder.reader[scan.MCU] == mcu
    status, decoder = run_bits(bits.replace("001", "000", 1), three_symbols(0x30), band)
    assert status == scan.OK


def test_dc_refinement_that_ends_early() -> None:
    decoder = Decoder(Geometry(80, 8, [(1, 1)]))
    assert decoder.scan(b"\xaa", three_symbols(1), ((0,), (0, 0, 1, 0))) == scan.ENDED_EARLY
    assert decoder.reader[scan.MCU] == 8
    assert decoder.coefficients[::64].tolist() == [1, 0] * 4 + [0, 0]


@given(st.data())
def test_goes_on_at_the_next_interval(data: st.DataObject) -> None:
    """Behind an error the caller chooses an interval, and all of it is sound."""
    geometry = Geometry(64, 24, [(1, 1)])
    coefficients = random_coefficients(geometry, data.draw(st.integers(0, 99)), 0.3, 9, 0.2)
    case = Case(geometry, coefficients, full_script(1), restart_interval=5)
    decoder = Decoder(geometry)
    number = data.draw(st.integers(0, len(case.script) - 1))
    for step in case.script[:number]:
        assert decoder.scan(*case.sent(step), step, 5) == scan.OK
    before = decoder.coefficients.copy()
    step = case.script[number]
    scan_data, table = case.sent(step)
    parts = scan_data.split(b"\xff\xd1")  # behind the second of five intervals
    status = decoder.scan(parts[0][:-1] + b"\xff\xd1" + parts[1], table, step, 5)
    assert status != scan.OK
    interval = int(decoder.reader[scan.INTERVAL])
    assert interval == 1
    decoder.reader[scan.MCU], decoder.reader[scan.LEFT] = 10, 0
    assert decoder.go_on() == scan.OK
    sound = Decoder(geometry)
    sound.coefficients[:] = before
    sound.masks[:] = decoder.masks
    nonzero = before.reshape(-1, 64)[:, ZIGZAG] != 0
    nonzero[:, 0] = False
    bits = nonzero.astype(np.uint64) << np.arange(64, dtype=np.uint64)
    sound.masks[:] = bits.sum(axis=1, dtype=np.uint64)
    assert sound.scan(scan_data, table, step, 5) == scan.OK
    for mcus in (np.s_[:5], np.s_[10:]):
        np.testing.assert_array_equal(
            decoder.coefficients.reshape(-1, 64)[mcus], sound.coefficients.reshape(-1, 64)[mcus]
        )


# --- hostile bytes --------------------------------------------------------------------------------


@st.composite
def hostile_scans(draw: st.DrawFn) -> tuple[bytes, Step, int]:
    low = draw(st.integers(0, 13))
    high = draw(st.sampled_from([0, low + 1]))
    start = draw(st.integers(0, 63))
    end = draw(st.integers(start, 63)) if start else 0
    components = (0, 1, 2) if start == 0 and draw(st.booleans()) else (draw(st.integers(0, 2)),)
    data = draw(st.binary(max_size=400) | st.integers(0, 255).map(lambda b: bytes([b]) * 3000))
    return data, (components, (start, end, high, low)), draw(st.sampled_from([0, 1, 5]))


@pytest.mark.hostile
@given(any_tables(), st.lists(hostile_scans(), min_size=1, max_size=3))
def test_hostile_scans(table: HuffmanTable, steps: list[tuple[bytes, Step, int]]) -> None:
    """Any bytes, tables and legal parameters: a status, and a reader that says where."""
    decoder = Decoder(Geometry(50, 30, FACTORS["4:2:0"]))
    for data, step, restart_interval in steps:
        decoder.progression.begin(step[0], *step[1])
        status = decoder.scan(data, table, step, restart_interval)
        mcus = decoder.arguments[3]
        assert status in range(EOB_RUN_TOO_LONG + 1)
        assert 0 <= decoder.reader[scan.MCU] <= mcus
        assert 0 <= decoder.reader[scan.INTERVAL] < decoder.ends.size
        assert (decoder.reader[scan.MCU] == mcus) >= (status == scan.OK)
        assert decoder.reader[scan.BIT] <= 8 * (decoder.plain.size - 8)


@pytest.mark.hostile
@given(st.data())
def test_corrupted_scans(data: st.DataObject) -> None:
    """A byte is changed: kernels and oracle refuse the same scans, and agree up to there."""
    geometry = Geometry(40, 16, [(1, 1)])
    coefficients = random_coefficients(geometry, data.draw(st.integers(0, 99)), 0.2, 30, 0.3)
    case = Case(geometry, coefficients, full_script(1), data.draw(st.sampled_from([0, 3])))
    number = data.draw(st.integers(0, len(case.script) - 1))
    decoder = Decoder(geometry)
    for step in case.script[:number]:
        assert decoder.scan(*case.sent(step), step, case.restart_interval) == scan.OK
    step = case.script[number]
    sound, table = case.sent(step)
    position = data.draw(st.integers(0, len(sound) - 1))
    broken = bytearray(sound)
    broken[position] = data.draw(st.integers(0, 254))
    if b"\xff" in bytes(broken[position - 1 : position + 2]) or b"\xff" in sound[position:][:1]:
        return  # markers and stuffing are bitio's
    mcus = [
        [(i, [int(v) for v in geometry.view(decoder.coefficients, i)[row, column]])]
        for mcu in mcus_of(geometry, (0,))
        for i, row, column in mcu
    ]
    codes = {0: oracles.canonical_codes(table.bits, table.symbols)}
    wrong = oracle.decode_scan(bytes(broken), mcus, step[1], codes, case.restart_interval)
    status = decoder.scan(bytes(broken), table, step, case.restart_interval)
    assert (status != scan.OK) == (wrong != "")
    count = int(decoder.reader[scan.MCU])
    want = np.array([mcu[0][1] for mcu in mcus[:count]], np.int16).reshape(-1, 64)
    np.testing.assert_array_equal(decoder.coefficients.reshape(-1, 64)[:count], want)


# --- whole files ----------------------------------------------------------------------------------


def progressive_names(pixels: bool = False) -> list[str]:
    """Sound progressive files, all or those whose pixels the stages can make.

    Where there are none, one name that stands for all.
    """
    names = []
    for path in sorted((CONFORMANCE / "valid").glob("*")):
        try:
            header = read_header(path.read_bytes())
        except JpegFormatError:
            continue
        if header.process == "progressive" and (
            not pixels
            or (
                header.precision == 8
                and header.color in ("grey", "YCbCr", "RGB")
                and header.subsampling in ("grey", *SUBSAMPLINGS)
            )
        ):
            names.append(path.name)
    return names or ["(all files)"]


@pytest.mark.parametrize("name", progressive_names())
def test_conformance_files(conformance: Path, name: str) -> None:
    """Scans decode; coefficients, where the file is small, are those of the oracle."""
    data = (conformance / "valid" / name).read_bytes()
    read = progressive_files.read(data)
    assert read.status == scan.OK
    geometry = read.geometry
    if geometry.size <= 512 * 512:
        np.testing.assert_array_equal(read.coefficients, oracle_coefficients(data, geometry))


def oracle_coefficients(data: bytes, geometry: Geometry) -> Array:
    """All scans of a file by the oracle."""
    blocks: dict[tuple[int, int, int], list[int]] = {}
    stream = progressive_files.to_frame(data)
    for each in progressive_files.scans(stream, geometry):
        restart_interval, tables = each.arguments[2], each.arguments[7]
        h = each.header
        codes = {}
        for i, (_, dc, ac) in zip(each.components, h.components, strict=True):
            table = tables.get(dc if h.start == 0 else AC + ac)  # type: ignore[attr-defined]
            if table is not None:
                codes[i] = oracles.canonical_codes(table.bits, table.symbols)
        mcus = [
            [(place[0], blocks.setdefault(place, [0] * 64)) for place in mcu]
            for mcu in mcus_of(geometry, each.components)
        ]
        scan_data = data[each.begin : stream.position]
        band = (h.start, h.end, h.high, h.low)
        assert oracle.decode_scan(scan_data, mcus, band, codes, restart_interval) == ""  # type: ignore[arg-type]
    out = np.zeros(geometry.size, np.int16)
    for (component, row, column), block in blocks.items():
        geometry.view(out, component)[row, column] = block
    return out


@pytest.mark.parametrize("name", progressive_names(pixels=True))
def test_pixels_of_conformance_files(conformance: Path, name: str) -> None:
    """Equal to libjpeg-turbo's."""
    data = (conformance / "valid" / name).read_bytes()
    color = read_header(data).color
    assert_same_picture(progressive_files.decode(data, color), pillow_decode(data))


@pytest.mark.hostile
@pytest.mark.parametrize("path", sorted((CONFORMANCE / "broken").glob("*")), ids=lambda p: p.name)
def test_broken_files(path: Path) -> None:
    """Read up to the first error."""
    data = path.read_bytes()
    try:
        header = read_header(data)
        if header.process != "progressive" or header.width * header.height > 1 << 22:
            return
        read = progressive_files.read(data)
    except (JpegFormatError, ValueError):  # ValueError: a component that the frame does not have
        return
    assert read.status in range(EOB_RUN_TOO_LONG + 1)


@pytest.mark.parametrize("quality", [30, 75, 90, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_pillow_files(photo: npt.NDArray[np.uint8], quality: int, subsampling: str) -> None:
    image = photo[:203, :301]
    data = pillow_encode(
        image, quality=quality, subsampling=subsampling, progressive=True, restart_marker_blocks=13
    )
    assert_same_picture(progressive_files.decode(data), pillow_decode(data))


def test_grey_pillow_file() -> None:
    data = pillow_encode(picture("natural", (70, 90)), progressive=True)
    assert_same_picture(progressive_files.decode(data, "grey"), pillow_decode(data))
