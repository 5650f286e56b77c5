"""Scans of small pictures, as coefficients and as the bits of oracles, for several test files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import oracles
from helpers import SUBSAMPLINGS
from hypothesis import strategies as st

from pyjpegml import assembly, bitio, scan, symbols
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import AC, TABLE_SLOTS, HuffmanTable, decoding_tables

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
        pieces = assembly.encode_scan(
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


def _one_length(first: int, others: list[int]) -> HuffmanTable:
    """Codes of 16 bits for all symbols; that of the first is all zeros."""
    symbols = [first, *(symbol for symbol in others if symbol != first)]
    return HuffmanTable((0,) * 15 + (len(symbols),), bytes(symbols))


_SIZES = list(range(16))
_PAIRS = [0, 0xF0, *(16 * run + size for run in range(16) for size in range(1, 16))]

#: All codes have 16 bits, and zeros are the code of a value of 15 bits: a block takes all the bits
#: that a block can take, and a decoder that has run past its end goes on with such blocks.
HARDEST = {slot: _one_length(15, _SIZES if slot < AC else _PAIRS) for slot in (0, 1, AC, AC + 1)}
#: Codes of 1, 2, 3 ... 16 bits, and the last, 15 ones and a zero, is that of a value of 15 bits:
#: most bytes of a block of :func:`full_blocks` are FF, and get a zero behind them.
ONES = {
    slot: HuffmanTable((1,) * 16, bytes(_SIZES if slot < AC else [0, 0xF0, *range(1, 14), 15]))
    for slot in (0, 1, AC, AC + 1)
}


def full_blocks(count: int) -> Array:
    """Blocks in the order of a scan: AC values of 15 bits, and DC of 14 bits and either sign."""
    blocks = np.full((count, 64), 2**15 - 1, np.int16)
    blocks[:, 0] = np.resize([2**14 - 1, 1 - 2**14], count)
    return blocks.ravel()
