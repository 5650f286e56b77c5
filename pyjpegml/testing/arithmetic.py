"""Arithmetic coding of a scan: the QM coder of T.81 Annex D and the models of F.1.4 and G.1.3.

Slow and obvious: each procedure is one of the flow charts. Statistics are kept by class, slot and
number of the bin, so that components with the same table share them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .huffman import Mcu, Units, shifted
from .stream import Scan
from .tables import AC, DC

_TABLE_D3 = """
5a1d 1 1 1|2586 14 2 0|1114 16 3 0|080b 18 4 0|03d8 20 5 0|01da 23 6 0|00e5 25 7 0|006f 28 8 0
0036 30 9 0|001a 33 10 0|000d 35 11 0|0006 9 12 0|0003 10 13 0|0001 12 13 0|5a7f 15 15 1
3f25 36 16 0|2cf2 38 17 0|207c 39 18 0|17b9 40 19 0|1182 42 20 0|0cef 43 21 0|09a1 45 22 0
072f 46 23 0|055c 48 24 0|0406 49 25 0|0303 51 26 0|0240 52 27 0|01b1 54 28 0|0144 56 29 0
00f5 57 30 0|00b7 59 31 0|008a 60 32 0|0068 62 33 0|004e 63 34 0|003b 32 35 0|002c 33 9 0
5ae1 37 37 1|484c 64 38 0|3a0d 65 39 0|2ef1 67 40 0|261f 68 41 0|1f33 69 42 0|19a8 70 43 0
1518 72 44 0|1177 73 45 0|0e74 74 46 0|0bfb 75 47 0|09f8 77 48 0|0861 78 49 0|0706 79 50 0
05cd 48 51 0|04de 50 52 0|040f 50 53 0|0363 51 54 0|02d4 52 55 0|025c 53 56 0|01f8 54 57 0
01a4 55 58 0|0160 56 59 0|0125 57 60 0|00f6 58 61 0|00cb 59 62 0|00ab 61 63 0|008f 61 32 0
5b12 65 65 1|4d04 80 66 0|412c 81 67 0|37d8 82 68 0|2fe8 83 69 0|293c 84 70 0|2379 86 71 0
1edf 87 72 0|1aa9 87 73 0|174e 72 74 0|1424 72 75 0|119c 74 76 0|0f6b 74 77 0|0d51 75 78 0
0bb6 77 79 0|0a40 77 48 0|5832 80 81 1|4d1c 88 82 0|438e 89 83 0|3bdd 90 84 0|34ee 91 85 0
2eae 92 86 0|299a 93 87 0|2516 86 71 0|5570 88 89 1|4ca9 95 90 0|44d9 96 91 0|3e22 97 92 0
3824 99 93 0|32b4 99 94 0|2e17 93 86 0|56a8 95 96 1|4f46 101 97 0|47e5 102 98 0|41cf 103 99 0
3c3d 104 100 0|375e 99 93 0|5231 105 102 0|4c0f 106 103 0|4639 107 104 0|415e 103 99 0
5627 105 106 1|50e7 108 107 0|4b85 109 103 0|5597 110 109 0|504f 111 107 0|5a10 110 111 1
5522 112 109 0|59eb 112 111 1
"""

ESTIMATION = tuple(
    (int(row.split()[0], 16), *map(int, row.split()[1:]))
    for row in _TABLE_D3.replace("\n", "|").strip("|").split("|")
)
"""Qe, Next_Index_LPS, Next_Index_MPS, Switch_MPS of each index (T.81 Table D.3)."""

Bin = list[int]  # index into the estimation table, and the more probable symbol


class Encoder:
    """The arithmetic encoder (T.81 D.1)."""

    def __init__(self) -> None:  # Initenc, Figure D.12
        self.a = 0x10000
        self.c = 0
        self.count = 11
        self.stacked = 0
        self.out = bytearray([0])  # B; the byte before the first is never written

    def code(self, state: Bin, decision: int) -> None:
        """Code_0 and Code_1 (Figures D.1 to D.6)."""
        index, mps = state
        qe, next_lps, next_mps, switch = ESTIMATION[index]
        self.a -= qe
        if decision == mps:
            if self.a >= 0x8000:
                return
            if self.a < qe:
                self.c += self.a
                self.a = qe
            state[0] = next_mps
        else:
            if self.a >= qe:
                self.c += self.a
                self.a = qe
            state[:] = next_lps, mps ^ switch
        self._renormalize()

    def code_equal(self, decision: int) -> None:
        """A decision that is not adapted, of probability 0.5 (T.81 F.1.4.4.2, G.1.3.1)."""
        self.code([0, 0], decision)

    def _renormalize(self) -> None:  # Renorm_e, Figure D.7
        while True:
            self.a <<= 1
            self.c <<= 1
            self.count -= 1
            if self.count == 0:
                self._byte_out()
                self.count = 8
            if self.a >= 0x8000:
                return

    def _byte_out(self) -> None:  # Figures D.8 to D.11
        t = self.c >> 19
        if t > 0xFF:
            self.out[-1] += 1
            if self.out[-1] == 0xFF:
                self.out.append(0)  # Stuff_0
            self.out += bytes(self.stacked)  # the carry made zeros of stacked FF
            self.stacked = 0
            self.out.append(t & 0xFF)
        elif t == 0xFF:
            self.stacked += 1
        else:
            self.out += b"\xff\0" * self.stacked
            self.stacked = 0
            self.out.append(t)
        self.c &= 0x7FFFF

    def flush(self) -> bytes:
        """The bytes of the segment, zeros at its end discarded (Figures D.13 to D.15)."""
        t = (self.c + self.a - 1) & 0xFFFF0000
        if t < self.c:
            t += 0x8000
        self.c = t << self.count
        self._byte_out()
        self.c <<= 8
        self._byte_out()
        data = bytes(self.out[1:]).rstrip(b"\0")
        return data + b"\0" if data.endswith(b"\xff") else data


class _Model:
    """Statistics and DC contexts of a restart interval."""

    def __init__(self, scan: Scan, encoder: Encoder) -> None:
        self.scan = scan
        self.encoder = encoder
        self.bins: dict[tuple[int, int, int], Bin] = {}
        self.prediction = [0] * len(scan.components)
        self.context = [0] * len(scan.components)

    def code(self, table: tuple[int, int], number: int, decision: bool) -> None:
        """Code a decision with a bin of a table."""
        state = self.bins.setdefault((*table, number), [0, 0])
        self.encoder.code(state, int(decision))

    def magnitude(self, table: tuple[int, int], first: int, x1: int, x2: int, size: int) -> None:
        """Sz: its category by decisions in bins SP or SN, X1, X2, ..., then its bits in bins
        M = X + 14 (T.81 Figures F.8, F.9).
        """
        m, number = 1, first
        if size >= m:
            self.code(table, number, True)
            m, number = 2, x1
            while size >= m:
                self.code(table, number, True)
                m <<= 1
                number = x2 if number == x1 else number + 1
        self.code(table, number, False)
        m >>= 1
        while m > 1:
            m >>= 1
            self.code(table, number + 14, bool(size & m))

    def dc(self, n: int, block: Sequence[int]) -> None:
        """A DC difference (T.81 F.1.4.1, Figures F.4, F.6, F.7, Table F.4)."""
        table = (DC, self.scan.slots[n][0])
        value = block[0] >> self.scan.low
        difference = value - self.prediction[n]
        self.prediction[n] = value
        s0 = 4 * self.context[n]
        self.code(table, s0, difference != 0)
        if difference:
            self.code(table, s0 + 1, difference < 0)
            first = s0 + (3 if difference < 0 else 2)
            self.magnitude(table, first, 20, 21, abs(difference) - 1)
        # Dc_Context, F.1.4.4.1.2: 0, small positive and negative, large positive and negative
        conditioning = self.scan.conditioning.get(table, 0x10)
        lower, upper = conditioning & 15, conditioning >> 4
        if abs(difference) <= (1 << lower) >> 1:
            self.context[n] = 0
        else:
            large = abs(difference) > 1 << upper
            self.context[n] = (3 if large else 1) + (difference < 0)

    def new_coefficient(self, table: tuple[int, int], k: int, value: int) -> None:
        """Sign and magnitude of the coefficient at `k` (T.81 Figures F.6 to F.9, Table F.5)."""
        self.encoder.code_equal(int(value < 0))
        s0 = 3 * (k - 1) + 1
        x2 = 189 if k <= self.scan.conditioning.get(table, 5) else 217
        self.magnitude(table, s0 + 1, s0 + 1, x2, abs(value) - 1)

    def ac(self, n: int, block: Sequence[int]) -> None:
        """AC coefficients of a band in their first scan (T.81 Figure F.5)."""
        scan = self.scan
        table = (AC, scan.slots[n][1])
        start = max(scan.start, 1)
        values = {k: shifted(block[k], scan.low) for k in range(start, scan.end + 1)}
        eob = max((k for k, value in values.items() if value), default=start - 1) + 1
        after_zero = False
        for k, value in values.items():
            if not after_zero:
                self.code(table, 3 * (k - 1), k == eob)
                if k == eob:
                    return
            self.code(table, 3 * (k - 1) + 1, value != 0)
            if value:
                self.new_coefficient(table, k, value)
            after_zero = value == 0

    def ac_refinement(self, block: Sequence[int]) -> None:
        """The next bit of AC coefficients (T.81 Figures G.10, G.11)."""
        scan = self.scan
        table = (AC, scan.slots[0][1])
        values = {k: abs(block[k]) >> scan.low for k in range(scan.start, scan.end + 1)}
        eob = max((k for k, value in values.items() if value), default=scan.start - 1) + 1
        # EOBx: the end of the block in the scan before
        eob_x = max((k for k, value in values.items() if value > 1), default=scan.start - 1) + 1
        after_zero = False
        for k, value in values.items():
            if k >= eob_x and not after_zero:
                self.code(table, 3 * (k - 1), k == eob)
                if k == eob:
                    return
            if value > 1:
                self.code(table, 3 * (k - 1) + 2, bool(value & 1))
            else:
                self.code(table, 3 * (k - 1) + 1, value == 1)
                if value == 1:
                    self.encoder.code_equal(int(block[k] < 0))
            after_zero = value == 0


def encode(scan: Scan, units: Units, interval: Sequence[Mcu]) -> bytes:
    """Entropy-coded data of a restart interval.

    Parameters
    ----------
    scan : Scan
    units : by component, row, column
        Blocks in zigzag order.
    interval : list of MCUs
    """
    encoder = Encoder()
    model = _Model(scan, encoder)
    for mcu in interval:
        for n, row, column in mcu:
            block = units[scan.components[n]][row][column]
            if scan.start == 0 and scan.high == 0:
                model.dc(n, block)
            elif scan.start == 0:  # G.1.3.1
                encoder.code_equal(block[0] >> scan.low & 1)
            if scan.end > 0:
                if scan.high == 0:
                    model.ac(n, block)
                else:
                    model.ac_refinement(block)
    return encoder.flush()
