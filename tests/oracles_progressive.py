"""Progressive coding as T.81 Annex G has it, slow and plain, on strings of 0 and 1.

Nothing of the library is used here. A scan is coded as the symbols of its blocks, interval by
interval; blocks are lists of 64 integers in natural order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oracles import (
    ZIGZAG,
    Block,
    _Reader,
    category,
    extend,
    pack,
    raw_bits,
    restart_intervals,
    stuff,
)

Band = tuple[int, int, int, int]  # Ss, Se, Ah, Al
Symbol = tuple[int, int | None, str]  # component, Huffman symbol (or none), additional bits
Mcu = Sequence[tuple[int, Block]]  # component and block
Codes = dict[int, dict[int, str]]  # by component


class WrongError(Exception):
    """What a decoder must refuse."""


def transformed(value: int, low: int, dc: bool) -> int:
    """The point transform (G.1.2.1, G.1.2.2): DC is shifted, AC divided and cut off."""
    if dc:
        return value >> low
    return abs(value) // 2**low * (1 if value >= 0 else -1)


def known(block: Block, lows: Sequence[int | None]) -> list[int]:
    """What a decoder has of a block, when of coefficient k all but `lows[k]` bits were sent."""
    out = [0] * 64
    for k, low in enumerate(lows):
        if low is not None:
            out[ZIGZAG[k]] = transformed(block[ZIGZAG[k]], low, k == 0) * 2**low
    return out


# --- encoder --------------------------------------------------------------------------------------


def dc_symbols(mcus: Sequence[Mcu], band: Band) -> Iterator[Symbol]:
    """DC of one interval (G.1.2.1)."""
    _, _, high, low = band
    predictions: dict[int, int] = {}
    for mcu in mcus:
        for component, block in mcu:
            value = transformed(block[0], low, True)
            if high:
                yield component, None, str(value & 1)
                continue
            difference = value - predictions.get(component, 0)
            predictions[component] = value
            yield component, category(difference), raw_bits(difference)


class _Run:
    """A run of blocks without further coefficients, and their correction bits (Figure G.4)."""

    def __init__(self, component: int, longest: int) -> None:
        self.component, self.longest = component, longest
        self.blocks, self.bits = 0, ""

    def add(self, bits: str = "") -> Iterator[Symbol]:
        self.blocks += 1
        self.bits += bits
        if self.blocks == self.longest:
            yield from self.flush()

    def flush(self) -> Iterator[Symbol]:
        if self.blocks:
            n = self.blocks.bit_length() - 1
            extra = format(self.blocks, "b")[1:]
            yield self.component, 16 * n, extra + self.bits
        self.blocks, self.bits = 0, ""


def ac_first_symbols(mcus: Sequence[Mcu], band: Band, longest: int) -> Iterator[Symbol]:
    """First scan of a band, one interval (Figures G.3 to G.6)."""
    start, end, _, low = band
    run_of_blocks = _Run(mcus[0][0][0], longest)
    for ((component, block),) in mcus:
        zeros = 0
        for k in range(start, end + 1):
            value = transformed(block[ZIGZAG[k]], low, False)
            if value == 0:
                zeros += 1
                continue
            yield from run_of_blocks.flush()
            for _ in range(zeros // 16):
                yield component, 0xF0, ""
            yield component, 16 * (zeros % 16) + category(value), raw_bits(value)
            zeros = 0
        if zeros:
            yield from run_of_blocks.add()
    yield from run_of_blocks.flush()


def ac_refinement_symbols(mcus: Sequence[Mcu], band: Band, longest: int) -> Iterator[Symbol]:
    """Refinement of a band, one interval (Figures G.7 to G.9)."""
    start, end, _, low = band
    run_of_blocks = _Run(mcus[0][0][0], longest)
    for ((component, block),) in mcus:
        values = {k: transformed(block[ZIGZAG[k]], low, False) for k in range(start, end + 1)}
        new = [k for k, value in values.items() if abs(value) == 1]
        zeros, corrections = 0, ""
        for k, value in values.items():
            if value == 0:
                zeros += 1
                continue
            while zeros > 15 and new and k <= new[-1]:
                yield from run_of_blocks.flush()
                yield component, 0xF0, corrections
                zeros, corrections = zeros - 16, ""
            if abs(value) > 1:
                corrections += str(abs(value) % 2)
                continue
            yield from run_of_blocks.flush()
            yield component, 16 * zeros + 1, ("1" if value > 0 else "0") + corrections
            zeros, corrections = 0, ""
        if zeros or corrections:
            yield from run_of_blocks.add(corrections)
    yield from run_of_blocks.flush()


def scan_symbols(
    mcus: Sequence[Mcu], band: Band, restart_interval: int = 0, longest: int = 32767
) -> list[list[Symbol]]:
    """Symbols of each interval of a scan; runs have `longest` blocks at most."""
    step = restart_interval or len(mcus)
    intervals = [mcus[i : i + step] for i in range(0, len(mcus), step)]
    if band[0] == 0:
        return [list(dc_symbols(part, band)) for part in intervals]
    symbols = ac_refinement_symbols if band[2] else ac_first_symbols
    return [list(symbols(part, band, longest)) for part in intervals]


def write(intervals: Sequence[Sequence[Symbol]], codes: Codes) -> bytes:
    """Entropy-coded data of a scan."""
    out = b""
    for number, symbols in enumerate(intervals):
        if number:
            out += bytes([0xFF, 0xD0 + (number - 1) % 8])
        bits = [("" if s is None else codes[c][s]) + extra for c, s, extra in symbols]
        out += stuff(pack("".join(bits)))
    return out


# --- decoder --------------------------------------------------------------------------------------


class _Bits(_Reader):
    def take(self, count: int) -> str:
        if self.position + count > len(self.bits):
            raise WrongError("no bits left")
        return super().take(count)

    def symbol(self, codes: dict[int, str]) -> int:
        symbols = {code: symbol for symbol, code in codes.items()}
        code = ""
        while code not in symbols:
            if len(code) == 16:
                raise WrongError("bits that are no code")
            code += self.take(1)
        return symbols[code]


def _end_of_band(reader: _Bits, run: int) -> int:
    """Blocks of an EOBn (Figure G.4 the other way round)."""
    return 2**run + int("0" + reader.take(run), 2)


def _first(reader: _Bits, codes: dict[int, str], block: list[int], band: Band) -> int:
    """One block of a first scan; the blocks of the run that it begins."""
    start, end, _, low = band
    k = start
    while k <= end:
        run, size = divmod(reader.symbol(codes), 16)
        if size == 0 and run < 15:
            return _end_of_band(reader, run)
        k += run
        if k > end:
            raise WrongError("a run of zeros beyond the band")
        if size:
            block[ZIGZAG[k]] = extend(reader.take(size)) * 2**low
        k += 1
    return 0


def _refine(
    reader: _Bits, codes: dict[int, str], block: list[int], band: Band, in_run: bool
) -> int:
    """One block of a refinement; the blocks of the run that it begins."""
    start, end, _, low = band

    def correct(k: int) -> None:
        if reader.take(1) == "1":
            block[ZIGZAG[k]] += 2**low if block[ZIGZAG[k]] > 0 else -(2**low)

    k, blocks = start, 0
    while k <= end and not in_run:
        run, size = divmod(reader.symbol(codes), 16)
        if size == 0 and run < 15:
            blocks = _end_of_band(reader, run)
            break
        if size > 1:
            raise WrongError("a new coefficient that is not 1 or -1")
        value = 0
        if size:
            value = 2**low if reader.take(1) == "1" else -(2**low)
        while k <= end and (run > 0 or block[ZIGZAG[k]] != 0):
            if block[ZIGZAG[k]] != 0:
                correct(k)
            else:
                run -= 1
            k += 1
        if k > end:
            raise WrongError("a run of zeros beyond the band")
        block[ZIGZAG[k]] = value
        k += 1
    if blocks or in_run:
        for rest in range(k, end + 1):
            if block[ZIGZAG[rest]] != 0:
                correct(rest)
    return blocks


def decode_scan(
    data: bytes,
    mcus: Sequence[Sequence[tuple[int, list[int]]]],
    band: Band,
    codes: Codes,
    restart_interval: int = 0,
) -> str:
    """Decode a scan into the blocks of its MCUs; returns "", or what is wrong."""
    intervals = restart_intervals(data)
    low, in_run = band[3], 0
    for number, mcu in enumerate(mcus):
        if number == 0 or (restart_interval and number % restart_interval == 0):
            if in_run:
                return "a run of blocks beyond the interval"
            reader = _Bits(intervals[number // restart_interval if number else 0])
            predictions: dict[int, int] = {}
        try:
            for component, block in mcu:
                if band[0] == 0 and band[2]:
                    block[0] += int(reader.take(1)) * 2**low
                elif band[0] == 0:
                    size = reader.symbol(codes[component])
                    predictions[component] = predictions.get(component, 0) + extend(
                        reader.take(size)
                    )
                    block[0] = predictions[component] * 2**low
                elif band[2]:
                    blocks = _refine(reader, codes[component], block, band, in_run > 0)
                    in_run = max(in_run + blocks - 1, 0)
                elif in_run:
                    in_run -= 1
                else:
                    in_run = max(_first(reader, codes[component], block, band) - 1, 0)
        except WrongError as wrong:
            return str(wrong)
    return "a run of blocks beyond the interval" if in_run else ""
