"""What a stream asks of a decoder, by name: for statistics, and to see that everything came.

:data:`~pyjpegml.testing.FEATURES` are what is unusual about a file as a whole and can be left out;
traits are the choices inside: parameters of frame and scans, and which Huffman codes were used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .huffman import Symbol
from .stream import PROCESSES, Frame, Part, Scan
from .tables import DC

LONGEST_RUN = 0x7FFF
"""Blocks of the longest end-of-band run (T.81 Table G.1)."""

TRAITS = (
    *(f"process {name}" for name in PROCESSES),
    *(f"color {name}" for name in ("grey", "YCbCr", "RGB", "CMYK", "YCCK", "unknown")),
    *(f"components {n}" for n in range(1, 5)),
    *(f"sampling {h}x{v}" for h in range(1, 5) for v in range(1, 5)),
    *(f"precision {n}" for n in range(2, 17)),
    *(f"components in a scan {n}" for n in range(1, 5)),
    *(f"predictor {n}" for n in range(1, 8)),
    "lossless point transform",
    *(f"point transform {n}" for n in range(14)),
    "AC before all DC",
    "band of AC",
    "refined band of AC",
    *(f"{kind} table {n}" for kind in ("DC", "AC", "quantization") for n in range(4)),
    *(f"code length {n}" for n in range(1, 17)),
    *(f"DC category {n}" for n in range(17)),
    *(f"AC category {n}" for n in range(1, 15)),
    "run of 16 zeros",
    "end of block",
    *(f"EOB{n}" for n in range(15)),
    "longest end-of-band run",
    "correction bits",
    "correction bits in an end-of-band run",
    *(f"RST{n}" for n in range(8)),
)
"""All names, in the order of T.81."""


def of_stream(
    frame: Frame, scans: Sequence[Scan], parts: Sequence[Part], color_model: str
) -> Iterator[str]:
    """Traits of a file but for its codes.

    Parameters
    ----------
    frame : Frame
    scans : sequence of Scan
    parts : sequence of Part
    color_model : str
    """
    yield f"process {frame.process}"
    yield f"color {color_model}"
    yield f"components {len(frame.components)}"
    yield f"precision {frame.precision}"
    for c in frame.components:
        yield f"sampling {c.h}x{c.v}"
        if not frame.lossless:
            yield f"quantization table {c.table}"
    begun: set[int] = set()  # components whose DC has come
    for scan in scans:
        yield f"components in a scan {len(scan.components)}"
        if frame.lossless:
            yield f"predictor {scan.start}"
            if scan.low:
                yield "lossless point transform"
        coded = frame.lossless or scan.start == 0
        for dc, ac in scan.slots:
            if coded and scan.high == 0:
                yield f"DC table {dc}"
            if not frame.lossless and scan.end > 0:
                yield f"AC table {ac}"
        if frame.progressive:
            yield from _progression(frame, scan, begun)
    for part in parts:
        if part.name.startswith("RST"):
            yield part.name


def _progression(frame: Frame, scan: Scan, begun: set[int]) -> Iterator[str]:
    """What is peculiar about a progressive scan, behind those that have `begun` components."""
    yield f"point transform {scan.low}"
    if scan.start == 0:
        begun.update(scan.components)
        return
    if len(begun) < len(frame.components):
        yield "AC before all DC"
    if (scan.start, scan.end) != (1, 63):
        yield "refined band of AC" if scan.high else "band of AC"


def of_codes(
    scan: Scan, symbols: Sequence[Symbol], codes: Mapping[tuple[int, int], Mapping[int, str]]
) -> Iterator[str]:
    """Traits of the Huffman codes of a scan.

    Parameters
    ----------
    scan : Scan
    symbols : sequence of Symbol
    codes : mapping of (class, slot) to mapping of symbol to code
    """
    in_bands = scan.start > 0 and not any(s.table_class == DC for s in symbols)
    for table_class, slot, symbol in {s[:3] for s in symbols}:
        if symbol is None:
            continue
        yield f"code length {len(codes[table_class, slot][symbol])}"
        run, size = symbol >> 4, symbol & 15
        if table_class == DC:
            yield f"DC category {symbol}"
        elif size:
            yield f"AC category {size}"
        elif run == 15:
            yield "run of 16 zeros"
        elif in_bands:
            yield f"EOB{run}"
        else:
            yield "end of block"
    if not in_bands:
        return
    for s, after in zip(symbols, [*symbols[1:], None], strict=True):
        if (s.symbol, s.bits) == (0xE0, 14 * "1"):
            yield "longest end-of-band run"
        if scan.high and s.symbol is not None:
            sign = s.symbol & 15  # of a new coefficient; the other bits correct those before
            if len(s.bits) > sign and (sign or s.symbol == 0xF0):
                yield "correction bits"
            if after and after.symbol is None and after.bits:
                yield "correction bits in an end-of-band run"
