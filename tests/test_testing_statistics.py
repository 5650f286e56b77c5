"""What the default profile generates: everything that is listed, in one run of 400 streams."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import Phase, given, settings

from pyjpegml.testing import FEATURES, PROCESSES, Stream, jpeg_streams
from pyjpegml.testing.stream import ZIGZAG, Part

EXPECTED = (
    {f"process {name}" for name in PROCESSES}
    | {f"feature {name}" for name in FEATURES}
    | {f"color {name}" for name in ("grey", "YCbCr", "RGB", "CMYK", "YCCK", "unknown")}
    | {f"factors {h}x{v}" for h in range(1, 5) for v in range(1, 5)}
    | {f"precision {bits}" for bits in range(2, 17)}
    | {f"code length {n}" for n in range(1, 17)}
    | {f"predictor {n}" for n in range(1, 8)}
    | {f"EOB{n}" for n in range(4)}
    | {f"components {n}" for n in range(1, 5)}
    | {"correction bits", "runs of sixteen", "several restarts"}
)


def _tables(part: Part) -> list[tuple[int, bytes, bytes]]:
    """Class, counts and symbols of each table of a DHT segment."""
    tables, at = [], 4
    while at < len(part.data):
        bits = part.data[at + 1 : at + 17]
        tables.append((part.data[at] >> 4, bits, part.data[at + 17 : at + 17 + sum(bits)]))
        at += 17 + sum(bits)
    return tables


def _has_correction_bits(stream: Stream) -> bool:
    """Whether a refinement of AC finds a coefficient that was not zero before."""
    for scan in stream.scans:
        if scan.high and scan.start:
            band = list(ZIGZAG[scan.start : scan.end + 1])
            plane = stream.coefficients[scan.components[0]].reshape(-1, 64)[:, band].astype(int)
            if (np.abs(plane) >> scan.high).any():
                return True
    return False


def _traits(stream: Stream) -> set[str]:
    frame = stream.frame
    found = {f"process {frame.process}", f"color {stream.color_model}"}
    found |= {f"precision {frame.precision}", f"components {len(frame.components)}"}
    found |= {f"feature {name}" for name in stream.features}
    found |= {f"factors {c.h}x{c.v}" for c in frame.components}
    if frame.lossless:
        found |= {f"predictor {scan.start}" for scan in stream.scans}
    for _, part in stream.find("DHT"):
        for table_class, bits, symbols in _tables(part):
            found |= {f"code length {n}" for n, count in enumerate(bits, 1) if count}
            if table_class == 1:
                found |= {"runs of sixteen"} if 0xF0 in symbols else set()
                if frame.progressive:
                    found |= {f"EOB{s >> 4}" for s in symbols if s & 15 == 0 and s < 0xF0}
    if frame.progressive and _has_correction_bits(stream):
        found.add("correction bits")
    if sum(part.name.startswith("RST") for part in stream.parts) > 1:
        found.add("several restarts")
    return found


def test_everything_that_is_listed_is_generated() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=400, database=None, phases=[Phase.generate])
    @given(jpeg_streams(complete=False))
    def look(stream: Stream) -> None:
        seen.update(_traits(stream))

    look()
    assert not EXPECTED - set(seen), f"of 400 streams none had these; seen: {sorted(seen.items())}"
