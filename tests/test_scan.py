"""The sequential scan against a codec that works on strings of 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import SUBSAMPLINGS
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import bitio, encoder, scan, symbols
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import (
    AC,
    STANDARD_TABLES,
    TABLE_SLOTS,
    HuffmanTable,
    decoding_tables,
    optimal_table,
)

Array = npt.NDArray[np.int16]


@dataclass
class Case:
    """Coefficients of a small picture, and how its scan is coded."""

    geometry: Geometry
    coefficients: Array
    restart_interval: int = 0

    @property
    def slots(self) -> list[tuple[int, int]]:
        return [(0, 0), (1, 1), (1, 1)][: len(self.geometry.planes)]

    @property
    def plan(self) -> npt.NDArray[np.int64]:
        return self.geometry.scan_plan(self.slots)

    def mcus(self) -> list[oracles.Mcu]:
        """The same coefficients as the oracle takes them."""
        g = self.geometry
        views = [g.view(self.coefficients, i).tolist() for i in range(len(g.planes))]
        return [
            [(i, views[i][row][column] if real else None) for i, row, column, real in blocks]
            for blocks in oracles.mcu_blocks(g.width, g.height, g.sampling)
        ]

    def counts(self) -> tuple[npt.NDArray[np.int64], int]:
        counts = np.zeros((TABLE_SLOTS, 256), np.int64)
        mcus, size = self.geometry.mcus, self.geometry.mcus * len(self.plan)
        blocks, masks = np.zeros(64 * size, np.int16), np.zeros(size, np.int64)
        symbols.order_blocks(
            self.coefficients, self.plan, self.geometry.mcus_across, 0, mcus, blocks, masks
        )
        raw = symbols.count_symbols(
            blocks, masks, 0, mcus, self.restart_interval, self.plan,
            np.zeros(symbols.STATE_FIELDS, np.int64), counts,
        )  # fmt: skip
        return counts, raw

    def oracle_codes(self, tables: dict[int, HuffmanTable]) -> oracles.Codes:
        made = {s: oracles.canonical_codes(t.bits, t.symbols) for s, t in tables.items()}
        return {
            (i, kind): made[(0, AC)[kind == "AC"] + pair[kind == "AC"]]
            for i, pair in enumerate(self.slots)
            for kind in ("DC", "AC")
        }

    def oracle_blocks(
        self, data: bytes, codes: oracles.Codes
    ) -> list[tuple[tuple[int, int, int, bool], list[int]]]:
        """Place and coefficients of all blocks that the oracle reads from `data`."""
        g = self.geometry
        places = list(oracles.mcu_blocks(g.width, g.height, g.sampling))
        layout = [[place[0] for place in mcu] for mcu in places]
        blocks = oracles.decode_scan(data, layout, codes, self.restart_interval)
        return [
            pair
            for mcu, decoded in zip(places, blocks, strict=True)
            for pair in zip(mcu, decoded, strict=True)
        ]

    def encode(self, tables: dict[int, HuffmanTable]) -> bytes:
        pieces = encoder.encode_scan(
            self.geometry, self.coefficients, self.plan, tables, self.restart_interval
        )
        return b"".join(pieces)

    def decode(
        self, data: bytes, tables: dict[int, HuffmanTable]
    ) -> tuple[int, Array, npt.NDArray[np.int64]]:
        """Status, coefficients and report of the decoder."""
        source = np.frombuffer(data + b"\xff\xd9", np.uint8)
        plain = np.empty(source.size + bitio.PADDING, np.uint8)
        ends, numbers, offsets = (np.zeros(self.geometry.mcus + 1, np.int64) for _ in range(3))
        found, _ = bitio.destuff(source, 0, plain, ends, numbers, offsets)
        coefficients = np.zeros(self.geometry.size, np.int16)
        extents = np.zeros(self.geometry.size // 64, np.uint8)
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        mcus, across = self.geometry.mcus, self.geometry.mcus_across
        if self.restart_interval:
            mcus = min(mcus, found * self.restart_interval)
        status = scan.OK
        for row in range(self.geometry.mcus_down):
            # a row in two parts, as a decoder may do it
            last = min(across, mcus - row * across)
            for columns in ((0, last // 2), (last // 2, last)):
                if status == scan.OK:
                    status = scan.decode_mcus(
                        plain, ends, self.restart_interval, mcus, self.plan, row, *columns,
                        scan.PLACES, *decoding_tables(tables), reader, coefficients, extents,
                    )  # fmt: skip
        if status == scan.OK:
            places = np.arange(64) * (coefficients.reshape(-1, 64)[:, ZIGZAG] != 0)
            assert (extents >= places.max(axis=1)).all()
            assert (extents < 64).all()
        return status, coefficients, reader


def random_blocks(geometry: Geometry, seed: int, density: float, largest: int) -> Array:
    """Blocks with some values in them, more often small than large; dummy blocks zero."""
    rng = np.random.default_rng(seed)
    coefficients = np.zeros(geometry.size, np.int16)
    for i, plane in enumerate(geometry.planes):
        view = geometry.view(coefficients, i)[: plane.down, : plane.across]
        size = np.floor(2 ** rng.uniform(0, np.log2(largest + 1), view.shape))
        values = np.where(rng.random(view.shape) < 0.5, size, -size).astype(np.int16)
        view[:] = np.where(rng.random(view.shape) < density, values, 0)
    return coefficients


@st.composite
def cases(draw: st.DrawFn, largest: int = 1023) -> Case:
    """Up to 40 x 40 samples in all samplings, empty to full blocks, with and without restarts."""
    name = draw(st.sampled_from(["grey", *SUBSAMPLINGS]))
    size = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    geometry = Geometry(*size, FACTORS.get(name, ((1, 1),)))
    density = draw(st.sampled_from([0, 0.02, 0.2, 1]))
    blocks = random_blocks(geometry, draw(st.integers(0, 2**32 - 1)), density, largest)
    return Case(geometry, blocks, draw(st.sampled_from([0, 1, 2, 3, 7, 65535])))


@given(cases())
def test_count_symbols(case: Case) -> None:
    expected = np.zeros((TABLE_SLOTS, 256), np.int64)
    raw = 0
    for _, i, kind, symbol, extra in oracles.scan_symbols(case.mcus(), case.restart_interval):
        slot = case.slots[i][0] if kind == "DC" else AC + case.slots[i][1]
        expected[slot, symbol] += 1
        raw += len(extra)
    counts, counted = case.counts()
    assert np.array_equal(counts, expected)
    assert counted == raw


@given(cases())
def test_encode_with_standard_tables(case: Case) -> None:
    codes = case.oracle_codes(STANDARD_TABLES)
    expected = oracles.encode_scan(case.mcus(), codes, case.restart_interval)
    assert case.encode(STANDARD_TABLES) == expected


@given(cases(largest=16383))
def test_encode_with_optimal_tables(case: Case) -> None:
    """Values up to 15 bits, which Annex K's tables have no codes for."""
    counts, raw = case.counts()
    tables = {slot: optimal_table(counts[slot]) for slot in (0, 1, AC, AC + 1)}
    codes = case.oracle_codes(tables)
    data = case.encode(tables)
    assert data == oracles.encode_scan(case.mcus(), codes, case.restart_interval)
    lengths = sum(
        len(codes[i, kind][symbol])
        for _, i, kind, symbol, _ in oracles.scan_symbols(case.mcus(), case.restart_interval)
    )
    unstuffed = oracles.restart_intervals(data)
    padding = 8 * sum(map(len, unstuffed)) - lengths - raw
    assert 0 <= padding <= 7 * len(unstuffed)


@given(cases(), st.integers(1, 20))
def test_encoding_in_parts_changes_nothing(case: Case, step: int) -> None:
    """However few blocks are coded in one go."""
    whole = case.encode(STANDARD_TABLES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "PIECE_BLOCKS", step)
        assert case.encode(STANDARD_TABLES) == whole


@given(cases())
def test_decode(case: Case) -> None:
    """What the oracle encodes is read as it was; dummy blocks get the DC before them."""
    codes = case.oracle_codes(STANDARD_TABLES)
    data = oracles.encode_scan(case.mcus(), codes, case.restart_interval)
    status, coefficients, report = case.decode(data, STANDARD_TABLES)
    assert status == scan.OK
    assert report[scan.MCU] == case.geometry.mcus
    assert report[scan.UNREAD] == 0
    blocks = case.oracle_blocks(data, codes)
    for (i, row, column, real), block in blocks:
        assert case.geometry.view(coefficients, i)[row, column].tolist() == block
        if real:
            assert block == case.geometry.view(case.coefficients, i)[row, column].tolist()


@given(cases(), st.data())
def test_decode_of_cut_data_ends_early(case: Case, data: st.DataObject) -> None:
    """The last interval loses bytes: at least one block is missing, and reported as such."""
    coded = case.encode(STANDARD_TABLES)
    last = len(coded) - len(oracles.stuff(oracles.restart_intervals(coded)[-1]))
    cut = coded[: data.draw(st.integers(last, len(coded) - 1))].removesuffix(b"\xff")
    status, _, report = case.decode(cut, STANDARD_TABLES)
    assert status == scan.ENDED_EARLY
    assert report[scan.MCU] < case.geometry.mcus


@given(cases(), st.integers(1, 9))
def test_bytes_that_are_not_needed_are_counted(case: Case, more: int) -> None:
    status, _, report = case.decode(case.encode(STANDARD_TABLES) + bytes(more), STANDARD_TABLES)
    assert status == scan.OK
    assert report[scan.UNREAD] == more


GREY = Geometry(8, 8, [(1, 1)])
EMPTY = Case(GREY, np.zeros(64, np.int16))
DC_CODES = oracles.canonical_codes(STANDARD_TABLES[0].bits, STANDARD_TABLES[0].symbols)
AC_CODES = oracles.canonical_codes(STANDARD_TABLES[AC].bits, STANDARD_TABLES[AC].symbols)


@pytest.mark.parametrize(
    ("bits", "status"),
    [
        ("1" * 16, scan.BAD_CODE),
        (DC_CODES[0] + "1" * 16, scan.BAD_CODE),
        (DC_CODES[0] + 4 * AC_CODES[0xF0], scan.RUN_TOO_LONG),
        (DC_CODES[0] + 3 * AC_CODES[0xF0] + AC_CODES[0xF1] + "1", scan.RUN_TOO_LONG),
        (DC_CODES[0] + 3 * AC_CODES[0xF0] + AC_CODES[0xE1] + "1", scan.OK),  # the 63rd: no EOB
        (DC_CODES[0] + AC_CODES[0x00], scan.OK),
        (DC_CODES[11] + "1" * 11 + AC_CODES[0x00], scan.OK),
        (DC_CODES[11] + "1" * 11 + AC_CODES[0x00][:-1], scan.ENDED_EARLY),
        ("", scan.ENDED_EARLY),
    ],
)
def test_status_of_one_block(bits: str, status: int) -> None:
    """Bits filled up with zeros, so that padding is not taken for codes."""
    padded = (
        bits + "0" * (-len(bits) % 8) if status != scan.ENDED_EARLY else bits[: len(bits) // 8 * 8]
    )
    data = oracles.stuff(bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8)))
    found, _, _ = EMPTY.decode(data, STANDARD_TABLES)
    assert found == status


def test_dc_category_above_15() -> None:
    tables = STANDARD_TABLES | {0: HuffmanTable((1, 1) + (0,) * 14, bytes([0, 16]))}
    status, _, _ = EMPTY.decode(oracles.pack("10" + "0" * 30), tables)
    assert status == scan.BAD_CATEGORY


@given(st.integers(-(2**15) + 1, 2**15 - 1))
def test_category_and_extend(value: int) -> None:
    size = scan.category.py_func(value)
    assert size == oracles.category(value)
    bits = oracles.raw_bits(value)
    assert len(bits) == size
    assert oracles.extend(bits) == value
    assert scan._extend.py_func(int(bits or "0", 2), size) == value
    assert size == 0 or 2 ** (size - 1) <= abs(value) < 2**size, "T.81 Table F.1"


@pytest.mark.hostile
@given(st.binary(max_size=300), cases(), st.sampled_from([0, 1, 3]))
def test_any_bytes_give_a_status(data: bytes, case: Case, restart_interval: int) -> None:
    """And, if it is OK, the coefficients that the oracle reads from them."""
    case.restart_interval = restart_interval
    data = oracles.stuff(data)
    if restart_interval:
        data = (
            b"".join(
                data + bytes([0xFF, 0xD0 + i % 8])
                for i in range((case.geometry.mcus - 1) // restart_interval)
            )
            + data
        )
    status, coefficients, _ = case.decode(data, STANDARD_TABLES)
    assert status in (scan.OK, scan.ENDED_EARLY, scan.BAD_CODE, scan.RUN_TOO_LONG)
    if status == scan.OK:
        for (i, row, column, _), block in case.oracle_blocks(
            data, case.oracle_codes(STANDARD_TABLES)
        ):
            assert case.geometry.view(coefficients, i)[row, column].tolist() == block
