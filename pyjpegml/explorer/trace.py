"""The bits of one block, read in plain Python, code by code.

:mod:`pyjpegml.scan` decodes a whole scan as fast as it can: one look-up gives run, value and length
together. Here the same is written to be read, a Huffman code and its raw bits at a time (T.81
F.2.2.1, F.2.2.2), and every code is kept with its place in the file. Chapter 6 of the gallery and
the decoder of chapter 7 are made of it, and the page's own decoder is tested against it.

Sequential Huffman-coded files with one scan, as ``encode`` writes them by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyjpegml import markers
from pyjpegml.coded import MEANINGS, Coded
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.errors import JpegFormatError, JpegUnsupportedError
from pyjpegml.header import Data, open_stream, view_of
from pyjpegml.huffman import HuffmanTable
from pyjpegml.scan import (
    AC_SLOT,
    BAD_CATEGORY,
    BAD_CODE,
    COLUMN,
    COMPONENT,
    DC_SLOT,
    END_OF_BLOCK,
    ENDED_EARLY,
    ROW,
    RUN_TOO_LONG,
    ZERO_RUN,
    H,
    V,
)
from pyjpegml.scans import used_tables


@dataclass(frozen=True)
class Code:
    """A Huffman code and the raw bits behind it.

    Attributes
    ----------
    place : int
        On the zigzag path: of the coefficient, or where a run of zeros begins that ends a block.
    symbol : int
        What the code stands for: the size of DC's difference, or ``16 * run + size``.
    code, raw : str
        Of 0 and 1.
    value : int
        What the raw bits stand for; 0 if there are none.
    bit : int
        Where the code begins: 8 times its byte's offset in the file, and the bit, 0 the highest.
    """

    place: int
    symbol: int
    code: str
    raw: str
    value: int
    bit: int

    @property
    def run(self) -> int:
        """Zeros before the coefficient."""
        return self.symbol >> 4 if self.place else 0


@dataclass(frozen=True)
class Block:
    """One block of a scan.

    Attributes
    ----------
    component : int
        Which of the frame's.
    row, column : int
        Of blocks of the component; dummies beyond its edge (T.81 A.2.4) are listed as well.
    codes : tuple of Code
    levels : (8, 8) int16
        The quantized coefficients, natural order.
    """

    component: int
    row: int
    column: int
    codes: tuple[Code, ...]
    levels: npt.NDArray[np.int16]

    @property
    def bits(self) -> str:
        """All of the block's bits."""
        return "".join(code.code + code.raw for code in self.codes)


class BitReader:
    """Bits of entropy-coded data without stuffing, one after the other.

    Parameters
    ----------
    coded : Coded
    """

    def __init__(self, coded: Coded) -> None:
        self.position = 0
        self._bits = "".join(f"{byte:08b}" for byte in coded.plain[: coded.ends[-1]].tolist())
        self._places = _file_offsets(coded)

    @property
    def place(self) -> int:
        """Of the next bit in the file, 8 times its byte's offset and the bit."""
        byte, bit = divmod(self.position, 8)
        return 8 * int(self._places[min(byte, self._places.size - 1)]) + bit

    def take(self, count: int) -> str:
        """The next bits; JpegFormatError if there are not so many."""
        if self.position + count > len(self._bits):
            raise JpegFormatError(MEANINGS[ENDED_EARLY], offset=self.place >> 3)
        self.position += count
        return self._bits[self.position - count : self.position]

    def symbol(self, symbols: dict[str, int]) -> tuple[str, int]:
        """The next Huffman code, and its symbol (T.81 F.2.2.3); JpegFormatError if it is none."""
        start, code = self.place, ""
        while code not in symbols:
            if len(code) == 16:
                raise JpegFormatError(MEANINGS[BAD_CODE], offset=start >> 3)
            code += self.take(1)
        return code, symbols[code]


def _file_offsets(coded: Coded) -> npt.NDArray[np.int64]:
    """For each byte without stuffing, where in the file it stands."""
    data = np.frombuffer(coded.view, np.uint8)[coded.start : coded.end]
    behind_ff = np.zeros(data.size, np.bool_)
    behind_ff[1:] = data[:-1] == 0xFF
    marker = np.zeros(data.size, np.bool_)  # FF of restart markers
    marker[:-1] = (data[:-1] == 0xFF) & (data[1:] != 0)
    return coded.start + np.flatnonzero(~(behind_ff | marker))


def extend(raw: str) -> int:
    """The value that raw bits stand for (T.81 Figure F.12).

    Examples
    --------
    >>> [extend(raw) for raw in ("", "0", "1", "00", "11")]
    [0, -1, 1, -3, 3]
    """
    if not raw:
        return 0
    value = int(raw, 2)
    return value if raw[0] == "1" else value - (1 << len(raw)) + 1


def symbols_of(table: HuffmanTable) -> dict[str, int]:
    """A Huffman table as a dictionary: codes of 0 and 1 to symbols (T.81 Annex C)."""
    codes = zip(table.codes(), table.code_lengths(), table.symbols, strict=True)
    return {f"{code:0{length}b}": symbol for code, length, symbol in codes}


def read_block(
    reader: BitReader, dc: dict[str, int], ac: dict[str, int], prediction: int
) -> tuple[list[Code], npt.NDArray[np.int16]]:
    """The codes and the levels of the next block (T.81 F.2.2.1, F.2.2.2).

    Parameters
    ----------
    reader : BitReader
    dc, ac : dict of str to int
        The tables, as :func:`symbols_of` makes them.
    prediction : int
        DC of the component's block before this one.

    Returns
    -------
    codes : list of Code
    levels : (64,) int16, natural order

    Raises
    ------
    JpegFormatError
        If the data end early, or are no codes of a block.
    """
    levels = np.zeros(64, np.int16)

    def next_code(k: int, symbols: dict[str, int]) -> Code:
        bit = reader.place
        code, symbol = reader.symbol(symbols)
        if k == 0 and symbol > 15:
            raise JpegFormatError(MEANINGS[BAD_CATEGORY], offset=bit >> 3)
        raw = reader.take(symbol & 15)
        return Code(k + (symbol >> 4 if k else 0), symbol, code, raw, extend(raw), bit)

    codes = [next_code(0, dc)]
    levels[0] = prediction + codes[0].value
    k = 1
    while k < 64:
        found = next_code(k, ac)
        if found.symbol & 15 == 0 and found.symbol != ZERO_RUN:
            codes.append(Code(k, END_OF_BLOCK, found.code, "", 0, found.bit))
            break
        if found.place > 63:
            raise JpegFormatError(MEANINGS[RUN_TOO_LONG], offset=found.bit >> 3)
        codes.append(found)
        levels[ZIGZAG[found.place]] = found.value
        k = found.place + 1
    return codes, levels


def blocks(data: Data) -> Iterator[Block]:
    """All blocks of a file, in the order in which they are coded (T.81 A.2.3).

    Parameters
    ----------
    data : bytes, buffer or binary file

    Yields
    ------
    Block

    Raises
    ------
    JpegError
        If the file is not a sequential Huffman-coded one of one scan, or broken.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> block, = blocks(pyjpegml.encode(np.full((8, 8), 200, np.uint8), quality=50, optimize=False))
    >>> [(code.symbol, code.code, code.raw, code.value) for code in block.codes]
    [(6, '1110', '100100', 36), (0, '1010', '', 0)]
    """
    view = view_of(data)
    stream = open_stream(view)
    sos = stream.to_scan()
    frame, header = stream.frame, markers.parse_scan(sos)
    assert frame is not None
    named = [c[0] for c in header.components]
    if frame.sof > 1 or named != [c.identifier for c in frame.components]:
        raise JpegUnsupportedError(
            "bits of blocks are read of sequential Huffman-coded files of one scan only",
            offset=sos.offset,
            marker=sos.name,
        )
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    plan = geometry.scan_plan([(dc, ac) for _, dc, ac in header.components])
    interval = stream.restart_interval
    coded = Coded(view, sos.end, -(-geometry.mcus // interval) if interval else 1)
    reader = BitReader(coded)
    slots = {int(slot) for slot in plan[:, [DC_SLOT, AC_SLOT]].ravel()}
    tables = {slot: symbols_of(t) for slot, t in used_tables(stream, sos, slots).items()}
    predictions = [0] * len(frame.components)
    for mcu in range(geometry.mcus):
        if interval and mcu and mcu % interval == 0:  # E.2.4
            reader.position = 8 * int(coded.ends[mcu // interval - 1])
            predictions = [0] * len(frame.components)
        mcu_row, mcu_column = divmod(mcu, geometry.mcus_across)
        for part in plan:
            c, dc, ac = (int(part[field]) for field in (COMPONENT, DC_SLOT, AC_SLOT))
            codes, levels = read_block(reader, tables[dc], tables[ac], predictions[c])
            predictions[c] = int(levels[0])
            row = int(mcu_row * part[V] + part[ROW])
            column = int(mcu_column * part[H] + part[COLUMN])
            yield Block(c, row, column, tuple(codes), levels.reshape(8, 8))
