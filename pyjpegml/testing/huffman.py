"""Huffman coding of a scan, as lists of symbols: T.81 Annexes F.1.2, G.1.2 and H.1.2.

Each coding procedure yields :class:`Symbol` after symbol of a restart interval; only when all of a
file are known are tables chosen and bits written. Units are blocks (64 coefficients in zigzag
order) or, in a lossless scan, samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .stream import Frame, Scan
from .tables import AC, DC

Block = Sequence[int]
Units = Sequence[Sequence[Sequence[Any]]]  # by component, row, column: blocks, or samples
Mcu = Sequence[tuple[int, int, int]]  # (number in the scan, row, column) of its data units


class Symbol(NamedTuple):
    """A code of a table and the bits behind it, or bits alone (`symbol` is None)."""

    table_class: int
    slot: int
    symbol: int | None
    bits: str


def category(value: int) -> int:
    """SSSS: the number of bits of the magnitude (T.81 Tables F.1, F.2, H.2)."""
    return abs(value).bit_length()


def extra_bits(value: int) -> str:
    """The low SSSS bits of a positive value, of value - 1 for a negative one (T.81 F.1.2.1.1)."""
    size = category(value)
    if size == 0:
        return ""
    return format(value if value > 0 else value - 1 + (1 << size), f"0{size}b")


def mcus(frame: Frame, scan: Scan) -> Iterator[Mcu]:
    """All MCUs of a scan (T.81 A.2.2, A.2.3)."""
    if len(scan.components) == 1:
        down, across = frame.unit_size(scan.components[0])
        for row in range(down):
            for column in range(across):
                yield [(0, row, column)]
        return
    down, across = frame.mcu_size()
    for row in range(down):
        for column in range(across):
            yield [
                (n, row * c.v + v, column * c.h + h)
                for n, c in enumerate(frame.components[i] for i in scan.components)
                for v in range(c.v)
                for h in range(c.h)
            ]


def intervals(frame: Frame, scan: Scan) -> Iterator[list[Mcu]]:
    """MCUs between restart markers."""
    everything = list(mcus(frame, scan))
    size = scan.restart_interval or len(everything)
    for first in range(0, len(everything), size):
        yield everything[first : first + size]


# --- sequential (T.81 F.1.2) ----------------------------------------------------------------------


def dc_symbol(difference: int, slot: int) -> Symbol:
    """A DC difference (T.81 F.1.2.1)."""
    return Symbol(DC, slot, category(difference), extra_bits(difference))


def ac_symbols(block: Block, slot: int) -> Iterator[Symbol]:
    """AC coefficients of a sequential block (T.81 Figure F.2)."""
    run = 0
    for k in range(1, 64):
        if block[k] == 0:
            run += 1
            continue
        while run > 15:
            yield Symbol(AC, slot, 0xF0, "")
            run -= 16
        yield Symbol(AC, slot, 16 * run + category(block[k]), extra_bits(block[k]))
        run = 0
    if run:
        yield Symbol(AC, slot, 0x00, "")


def dc_and_ac(scan: Scan, units: Units, interval: Sequence[Mcu]) -> Iterator[Symbol]:
    """An interval of a sequential scan, or of the first progressive scan of DC (T.81 G.1.2.1)."""
    prediction = [0] * len(scan.components)
    for mcu in interval:
        for n, row, column in mcu:
            block = units[scan.components[n]][row][column]
            dc_slot, ac_slot = scan.slots[n]
            dc = block[0] >> scan.low
            yield dc_symbol(dc - prediction[n], dc_slot)
            prediction[n] = dc
            if scan.end > 0:
                yield from ac_symbols(block, ac_slot)


# --- progressive (T.81 G.1.2) ---------------------------------------------------------------------


def dc_refinement(scan: Scan, units: Units, interval: Sequence[Mcu]) -> Iterator[Symbol]:
    """The next bit of each DC coefficient (T.81 G.1.2.1.2)."""
    for mcu in interval:
        for n, row, column in mcu:
            dc = units[scan.components[n]][row][column][0]
            yield Symbol(DC, 0, None, str(dc >> scan.low & 1))


def eob_run_symbol(run: int, slot: int) -> Symbol:
    """EOBn, for the 1 to 32767 blocks whose band has ended (T.81 Table G.1, Figure G.4)."""
    size = run.bit_length() - 1
    return Symbol(AC, slot, 16 * size, format(run - (1 << size), f"0{size}b") if size else "")


def shifted(value: int, low: int) -> int:
    """The point transform of AC coefficients: a division that rounds towards 0 (T.81 G.1.1.2)."""
    return -(-value >> low) if value < 0 else value >> low


def band(scan: Scan, block: Block) -> list[int]:
    """Coefficients of a scan's band as far as it tells them; none if all of them are 0."""
    values = block[scan.start : scan.end + 1]
    return [shifted(value, scan.low) for value in values] if any(values) else []


def ac_first(scan: Scan, units: Units, interval: Sequence[Mcu]) -> Iterator[Symbol]:
    """First scan of a band (T.81 Figures G.3 to G.6)."""
    slot = scan.slots[0][1]
    eob_run = 0
    for [(_, row, column)] in interval:
        values = band(scan, units[scan.components[0]][row][column])
        run = 0
        for value in values:
            if value == 0:
                run += 1
                continue
            if eob_run:
                yield eob_run_symbol(eob_run, slot)
                eob_run = 0
            while run > 15:
                yield Symbol(AC, slot, 0xF0, "")
                run -= 16
            yield Symbol(AC, slot, 16 * run + category(value), extra_bits(value))
            run = 0
        if run or not values:
            eob_run += 1
            if eob_run == scan.eob_limit:
                yield eob_run_symbol(eob_run, slot)
                eob_run = 0
    if eob_run:
        yield eob_run_symbol(eob_run, slot)


def ac_refinement(scan: Scan, units: Units, interval: Sequence[Mcu]) -> Iterator[Symbol]:
    """The next bit of each coefficient of a band (T.81 Figures G.7 to G.9).

    A correction bit belongs to a coefficient that was not 0 before. It is written behind the symbol
    that is coded after it was passed: a new coefficient, a run of 16 zeros, or an end of band.
    """
    slot = scan.slots[0][1]
    eob_run, passed = 0, ""  # passed: correction bits of blocks within the EOB run
    for [(_, row, column)] in interval:
        values = band(scan, units[scan.components[0]][row][column])
        eob = max((k for k, value in enumerate(values) if value in (1, -1)), default=-1)
        run, corrections = 0, ""
        for k, value in enumerate(values):
            if value == 0:
                run += 1
                continue
            while run > 15 and k <= eob:
                if eob_run:
                    yield eob_run_symbol(eob_run, slot)
                    yield Symbol(AC, slot, None, passed)
                    eob_run, passed = 0, ""
                yield Symbol(AC, slot, 0xF0, corrections)
                run, corrections = run - 16, ""
            if abs(value) > 1:
                corrections += str(abs(value) & 1)
                continue
            if eob_run:
                yield eob_run_symbol(eob_run, slot)
                yield Symbol(AC, slot, None, passed)
                eob_run, passed = 0, ""
            sign = "1" if value > 0 else "0"
            yield Symbol(AC, slot, 16 * run + 1, sign + corrections)
            run, corrections = 0, ""
        if run or corrections or not values:
            eob_run += 1
            passed += corrections
            if eob_run == scan.eob_limit:
                yield eob_run_symbol(eob_run, slot)
                yield Symbol(AC, slot, None, passed)
                eob_run, passed = 0, ""
    if eob_run:
        yield eob_run_symbol(eob_run, slot)
        yield Symbol(AC, slot, None, passed)


# --- lossless (T.81 H.1) --------------------------------------------------------------------------


def predict(predictor: int, left: int, above: int, corner: int) -> int:
    """Px of Ra, Rb, Rc (T.81 Table H.1)."""
    return {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }[predictor]


def lossless(frame: Frame, scan: Scan, units: Units, interval: Sequence[Mcu]) -> Iterator[Symbol]:
    """An interval of a lossless scan (T.81 H.1.2): whole rows of MCUs.

    Parameters
    ----------
    frame : Frame
    scan : Scan
    units : by component, row, column
        Samples before the point transform.
    interval : list of MCUs
    """
    first_row: dict[int, int] = {}  # predicted from the left only
    for mcu in interval:
        for n, row, column in mcu:
            plane = units[scan.components[n]]

            def sample(
                up: int, back: int, plane: Any = plane, y: int = row, x: int = column
            ) -> int:
                return int(plane[y - up][x - back]) >> scan.low

            if row == first_row.setdefault(n, row):
                first = 1 << (frame.precision - scan.low - 1)
                prediction = sample(0, 1) if column else first
            elif column == 0:
                prediction = sample(1, 0)
            else:
                prediction = predict(scan.start, sample(0, 1), sample(1, 0), sample(1, 1))
            # modulo 2**16, -32767 to 32768 (H.1.2.1); 32768 needs no bits behind its category
            difference = (sample(0, 0) - prediction + 32767) % 65536 - 32767
            if difference == 32768:
                yield Symbol(DC, scan.slots[n][0], 16, "")
            else:
                yield dc_symbol(difference, scan.slots[n][0])


# --- from symbols to bytes ------------------------------------------------------------------------


def pack(bits: str) -> bytes:
    """Bytes of a restart interval: filled up with ones, a 0 behind each FF (T.81 F.1.2.3)."""
    bits += "1" * (-len(bits) % 8)
    whole = int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]
    return whole.replace(b"\xff", b"\xff\x00")


def encode(symbols: Sequence[Symbol], codes: Mapping[tuple[int, int], Mapping[int, str]]) -> bytes:
    """Entropy-coded data of a restart interval; codes by class and slot."""
    return pack(
        "".join(
            (codes[s.table_class, s.slot][s.symbol] if s.symbol is not None else "") + s.bits
            for s in symbols
        )
    )
