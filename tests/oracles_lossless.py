"""Slow oracle of the lossless process: encoder and decoder straight from T.81 Annex H.

Nothing here imports pyjpegml. Planes are lists of lines of integers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import oracles

Lines = list[list[int]]
#: Counts of code lengths and symbols, as a DHT segment has them.
Table = tuple[Sequence[int], bytes]


def prediction(
    plane: Lines, y: int, x: int, predictor: int, first_line: bool, precision: int, pt: int
) -> int:
    """Table H.1, and the rules of H.1.2.1 for the first line and column."""
    if predictor == 0:
        return 0
    if first_line:
        return 2 ** (precision - pt - 1) if x == 0 else plane[y][x - 1]
    if x == 0:
        return plane[y - 1][x]
    a, b, c = plane[y][x - 1], plane[y - 1][x], plane[y - 1][x - 1]
    # // rounds down, as the arithmetic shift of H.1.2.1 does
    return [a, b, c, a + b - c, a + (b - c) // 2, b + (a - c) // 2, (a + b) // 2][predictor - 1]


def difference_bits(difference: int) -> tuple[int, str]:
    """Category and additional bits of a difference modulo 2**16 (H.1.2.2, Table H.2)."""
    difference %= 65536
    if difference == 32768:
        return 16, ""
    if difference > 32768:
        difference -= 65536
    return oracles.category(difference), oracles.raw_bits(difference)


@dataclass
class Scan:
    """A scan: which components, and their Huffman tables.

    `lines` is how many rows of MCUs there are between restart markers, 0 for none.
    """

    components: list[int]
    slots: list[int]
    predictor: int
    pt: int
    lines: int


@dataclass
class Picture:
    """A lossless picture: planes of the components, as they are in the file, and its scans."""

    width: int
    height: int
    precision: int
    sampling: list[tuple[int, int]]
    planes: list[Lines]
    tables: list[Table]
    scans: list[Scan]
    identifiers: list[int] = field(default_factory=lambda: [1, 2, 3, 4])

    def units(self, scan: Scan) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
        """For each MCU its interval, and (component, line, column) of its samples (A.2)."""
        if len(scan.components) == 1:
            (only,) = scan.components
            for y, line in enumerate(self.planes[only]):
                for x in range(len(line)):
                    yield y // scan.lines if scan.lines else 0, [(only, y, x)]
            return
        h_max = max(h for h, _ in self.sampling)
        v_max = max(v for _, v in self.sampling)
        for row in range(-(-self.height // v_max)):
            for column in range(-(-self.width // h_max)):
                mcu = []
                for i in scan.components:
                    h, v = self.sampling[i]
                    mcu += [(i, row * v + y, column * h + x) for y in range(v) for x in range(h)]
                yield row // scan.lines if scan.lines else 0, mcu

    def first_line(self, scan: Scan, component: int, y: int) -> bool:
        """Whether a line starts the picture or a restart interval."""
        v = 1 if len(scan.components) == 1 else self.sampling[component][1]
        return y == 0 or bool(scan.lines and y % (scan.lines * v) == 0)

    def is_real(self, component: int, y: int, x: int) -> bool:
        plane = self.planes[component]
        return y < len(plane) and x < len(plane[0])

    def encode_scan(self, scan: Scan) -> bytes:
        """Entropy-coded data; samples beyond the edges have a difference of 1, to be told."""
        shifted = [[[s >> scan.pt for s in line] for line in plane] for plane in self.planes]
        codes = {
            i: oracles.canonical_codes(*self.tables[slot])
            for i, slot in zip(scan.components, scan.slots, strict=True)
        }
        intervals: dict[int, list[str]] = {}
        for interval, mcu in self.units(scan):
            for i, y, x in mcu:
                difference = 1
                if self.is_real(i, y, x):
                    first = self.first_line(scan, i, y)
                    difference = shifted[i][y][x] - prediction(
                        shifted[i], y, x, scan.predictor, first, self.precision, scan.pt
                    )
                size, extra = difference_bits(difference)
                intervals.setdefault(interval, []).append(codes[i][size] + extra)
        out = b""
        for interval, parts in intervals.items():
            if interval:
                out += bytes([0xFF, 0xD0 + (interval - 1) % 8])
            out += oracles.stuff(oracles.pack("".join(parts)))
        return out

    def decode_scan(self, scan: Scan, data: bytes) -> dict[int, Lines]:
        """Planes of the scan's components (H.2)."""
        planes = {
            i: [[0] * len(self.planes[i][0]) for _ in self.planes[i]] for i in scan.components
        }
        codes = {
            i: oracles.canonical_codes(*self.tables[slot])
            for i, slot in zip(scan.components, scan.slots, strict=True)
        }
        readers = [oracles._Reader(part) for part in oracles.restart_intervals(data)]
        for interval, mcu in self.units(scan):
            reader = readers[interval]
            for i, y, x in mcu:
                size = reader.symbol(codes[i])
                difference = 32768 if size == 16 else oracles.extend(reader.take(size))
                if self.is_real(i, y, x):
                    guess = prediction(
                        planes[i], y, x, scan.predictor, self.first_line(scan, i, y),
                        self.precision, scan.pt,
                    )  # fmt: skip
                    planes[i][y][x] = (guess + difference) % 65536
        return {i: [[s << scan.pt for s in line] for line in p] for i, p in planes.items()}

    def mcus_across(self, scan: Scan) -> int:
        if len(scan.components) == 1:
            return len(self.planes[scan.components[0]][0])
        return -(-self.width // max(h for h, _ in self.sampling))

    def file(self, markers: bytes = b"") -> bytes:
        """The whole file (Annex B), with `markers` behind SOI."""
        count = len(self.planes)
        head = struct.pack(">BHHB", self.precision, self.height, self.width, count)
        for identifier, (h, v) in zip(self.identifiers, self.sampling, strict=False):
            head += bytes([identifier, h << 4 | v, 0])
        out = b"\xff\xd8" + markers + segment(0xC3, head)
        for slot, (bits, symbols) in enumerate(self.tables):
            out += segment(0xC4, bytes([slot, *bits]) + symbols)
        for scan in self.scans:
            out += segment(0xDD, struct.pack(">H", scan.lines * self.mcus_across(scan)))
            names = b"".join(
                bytes([self.identifiers[i], slot << 4])
                for i, slot in zip(scan.components, scan.slots, strict=True)
            )
            last = bytes([scan.predictor, 0, scan.pt])
            out += segment(0xDA, bytes([len(scan.components)]) + names + last)
            out += self.encode_scan(scan)
        return out + b"\xff\xd9"


def segment(code: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload
