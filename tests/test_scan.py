"""The sequential scan, read: against a codec that works on strings of 0 and 1."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scans import Case, cases

from pyjpegml import scan
from pyjpegml.coefficients import Geometry
from pyjpegml.huffman import AC, STANDARD_TABLES, HuffmanTable


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
