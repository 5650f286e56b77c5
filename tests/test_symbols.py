"""The sequential scan, written: against a codec that works on strings of 0 and 1."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import run_python
from hypothesis import given
from hypothesis import strategies as st
from scans import HARDEST, ONES, Case, cases, full_blocks

from pyjpegml import assembly, symbols
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.huffman import AC, STANDARD_TABLES, TABLE_SLOTS, HuffmanTable, optimal_table
from pyjpegml.symbols import READY

# --- blocks and masks -----------------------------------------------------------------------------


def ordered(case: Case) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """All blocks of a case in the order of the scan, and their masks."""
    mcus = case.geometry.mcus
    size = mcus * len(case.plan)
    blocks, masks = np.full(64 * size, -7, np.int16), np.full(size, -7, np.int64)
    symbols.order_blocks(
        case.coefficients, case.plan, case.geometry.mcus_across, 0, mcus, blocks, masks
    )
    return blocks.reshape(size, 64), masks


@given(cases())
def test_order_of_blocks(case: Case) -> None:
    """That of T.81 A.2.3, zigzag; a dummy has the DC of the block before, and nothing in its mask."""
    blocks, masks = ordered(case)
    given_blocks = [block for mcu in case.mcus() for _, block in mcu]
    assert len(given_blocks) == len(blocks)
    for i, block in enumerate(given_blocks):
        if block is None:
            assert masks[i] == 0
            assert blocks[i, 0] == blocks[i - 1, 0]
        else:
            expected = [block[k] for k in ZIGZAG]
            assert blocks[i].tolist() == expected
            bits = sum(1 << k for k, value in enumerate(expected) if value)
            assert int(masks[i]) % 2**64 == bits


def ready_oracle(values: list[int]) -> tuple[int, list[int], int]:
    """Of a block in zigzag order: the number, or -1; indices; and which are 127 and up, or -128 and
    down."""
    places = [k for k in range(1, 64) if values[k]]
    runs = [k - before - 1 for before, k in itertools.pairwise([0, *places])]
    limited = [min(max(values[k], -READY), READY - 1) for k in places]
    indices = [(v + READY) * 16 + run % 16 for v, run in zip(limited, runs, strict=True)]
    large = sum(1 << i for i, v in enumerate(limited) if v in (-READY, READY - 1))
    return len(places) if max(runs, default=0) < 16 else -1, indices, large


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1) | st.integers(-130, 130), min_size=64, max_size=64),
    st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_find_ready(values: list[int], density: float, seed: int) -> None:
    """As it runs on NumPy; behind what it finds nothing points outside of the table."""
    chosen = np.random.default_rng(seed).random(64) < density
    blocks = np.where(chosen, values, 0).astype(np.int16)
    mask = sum(1 << k for k in range(64) if blocks[k])
    masks = np.array([mask], np.uint64).view(np.int64)
    indices, places, large = np.empty(64, np.int16), np.empty(64, np.uint8), np.empty(1, np.int64)
    many = symbols.find_ready(blocks, masks, 0, indices, places, large)
    count, expected, expected_large = ready_oracle(blocks.tolist())
    assert many == count
    found = np.flatnonzero(blocks[1:]) + 1
    assert places[: found.size].tolist() == found.tolist()
    assert indices[: found.size].tolist() == expected
    assert int(large[0]) % 2**64 == expected_large
    assert indices.min() >= 0
    assert indices.max() < 2 * READY * 16


# --- entries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tables", [STANDARD_TABLES, HARDEST], ids=["standard", "hardest"])
def test_entries(tables: dict[int, HuffmanTable]) -> None:
    """Code, or code and raw bits, and their number, of every symbol and every small value."""
    coding = symbols.coding_tables(tables)
    alone = coding.symbols.reshape(TABLE_SLOTS, 256)
    for slot in range(TABLE_SLOTS):
        table = tables.get(slot)
        codes = oracles.canonical_codes(table.bits, table.symbols) if table else {}
        entries = [int(codes[s], 2) << 5 | len(codes[s]) if s in codes else 0 for s in range(256)]
        assert alone[slot].tolist() == entries
        if table is None or slot < AC:
            continue
        ready = coding.values.reshape(TABLE_SLOTS - AC, 2 * READY, 16)[slot - AC]
        for value, run in itertools.product([*range(-READY, 0), *range(1, READY)], range(16)):
            code = codes.get(16 * run + oracles.category(value))
            if code is not None:
                bits = code + oracles.raw_bits(value)
                assert ready[value + READY, run] == int(bits, 2) << 5 | len(bits)


# --- whole scans ----------------------------------------------------------------------------------


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
        patch.setattr(assembly, "PIECE_BLOCKS", step)
        assert case.encode(STANDARD_TABLES) == whole


def grey_case(blocks: npt.NDArray[np.int16], restart_interval: int = 0) -> Case:
    """A row of blocks, given in zigzag order."""
    natural = np.zeros((len(blocks), 64), np.int16)
    natural[:, ZIGZAG] = blocks
    return Case(Geometry(8 * len(blocks), 8, [(1, 1)]), natural.ravel(), restart_interval)


#: Around the limits of what has its entry ready, and of what one entry can hold.
VALUES = [s * v for v in (1, 2, 126, 127, 128, 129, 2047, 2048, 16383, 32767) for s in (-1, 1)]
RUNS = (0, 1, 14, 15, 16, 17, 31, 32, 33, 47, 48, 49, 61, 62)


def test_every_way_through_a_block() -> None:
    """Short and long runs before small and large values, alone, before others and behind others."""
    blocks = []
    for run, value in itertools.product(RUNS, VALUES):
        for first, last in itertools.product((0, 5, -3000), (0, 1, 127, 2048)):
            block = np.zeros(64, np.int16)
            block[1], block[63], block[run + 1] = first, last, value
            blocks.append(block)
    case = grey_case(np.array(blocks))
    codes = case.oracle_codes(HARDEST)
    assert case.encode(HARDEST) == oracles.encode_scan(case.mcus(), codes)


@pytest.mark.parametrize("tables", [HARDEST, ONES], ids=["hardest", "ones"])
@pytest.mark.parametrize("interval", [0, 1, 9, 50])
def test_longest_scan(tables: dict[int, HuffmanTable], interval: int) -> None:
    """As many bits as there can be, and as many FF, in one go and in several."""
    case = grey_case(full_blocks(150).reshape(-1, 64), interval)
    expected = oracles.encode_scan(case.mcus(), case.oracle_codes(tables), interval)
    assert case.encode(tables) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "PIECE_BLOCKS", 40)
        assert case.encode(tables) == expected
    if tables is ONES:
        assert expected.count(b"\xff\0") > len(expected) // 3


@given(cases(), st.data())
def test_state_between_calls(case: Case, data: st.DataObject) -> None:
    """After any MCU: whole bytes are written, fewer than 8 bits are pending, and at the end none."""
    blocks, masks = ordered(case)
    mcus = case.geometry.mcus
    first = data.draw(st.integers(0, mcus))
    writer = symbols.new_writer(len(blocks))
    coding = symbols.coding_tables(STANDARD_TABLES)
    pieces = []
    for start, count in ((0, first), (first, mcus - first)):
        written = symbols.encode_blocks(
            blocks.ravel(), masks, start * len(case.plan), count, mcus, case.restart_interval,
            case.plan, coding, writer,
        )  # fmt: skip
        pieces.append(writer.out[:written].tobytes())
        assert writer.state[symbols.DONE] == start + count
        assert writer.state[symbols.POSITION] == 0
        assert 0 <= writer.state[symbols.COUNT] < 8
    assert writer.state[symbols.COUNT] == 0
    assert b"".join(pieces) == case.encode(STANDARD_TABLES)


@pytest.mark.parametrize("blocks", [1, 5, 8192])
def test_scratch_is_of_the_stated_size(blocks: int) -> None:
    writer = symbols.new_writer(blocks)
    assert writer.entries.size == symbols.ENTRIES
    # a store of eight bytes may begin at the last one, before which there may be 7 bits more
    assert writer.raw.size >= blocks * symbols.BLOCK_BYTES + 9
    assert (writer.indices.size, writer.places.size, writer.large.size) == (64, 64, 1)
    # stuffing may double all bytes; each MCU may end with one that is filled up, and a marker
    assert writer.out.size >= 2 * (blocks * symbols.BLOCK_BYTES + 1) + 4 * blocks
    assert not writer.state.any()
    assert writer.state.size == symbols.STATE_FIELDS == symbols.PREDICTIONS + 4


# --- as plain Python ------------------------------------------------------------------------------

PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, oracles
from pyjpegml._simd_numpy import NumpyVector
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS
from scans import HARDEST, Case, random_blocks
if sys.argv[2] == "slow":
    NumpyVector.can_compress = False
for name in ("4:2:0", "4:4:4"):
    for density in (0.03, 1):
        geometry = Geometry(17, 9, SUBSAMPLINGS[name])
        case = Case(geometry, random_blocks(geometry, 3, density, int(sys.argv[3])), 1)
        expected = oracles.encode_scan(case.mcus(), case.oracle_codes(HARDEST), 1)
        assert case.encode(HARDEST) == expected
print("equal")
"""


@pytest.mark.parametrize("largest", [126, 16383])
@pytest.mark.parametrize("way", ["fast", "slow"])
def test_without_jit(way: str, largest: int) -> None:
    """Both ways to find a block's entries: that of CPUs that can compress vectors, and the other."""
    tests = str(Path(__file__).parent)
    done = run_python(PLAIN, tests, way, str(largest), NUMBA_DISABLE_JIT="1")
    assert done.stdout == "equal\n"
