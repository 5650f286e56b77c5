"""Files of equal coefficients, and files to write again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from helpers import CONFORMANCE

from pyjpegml import Coefficients, JpegError, decode_coefficients, markers, read_header
from pyjpegml.testing import PROCESSES

DCT = [name for name in PROCESSES if name != "lossless"]

#: Files above this size are left to the benchmarks.
LARGEST = 150_000


def conformance_files() -> list[Path]:
    """Real files that have coefficients."""
    files = sorted((CONFORMANCE / "valid").glob("*"))
    return [path for path in files if path.stat().st_size <= LARGEST and has_coefficients(path)]


def has_coefficients(path: Path) -> bool:
    try:
        return read_header(path.read_bytes()).process != "lossless"
    except JpegError:  # tables without a picture
        return False


def assert_same_coefficients(got: bytes, expected: bytes | Coefficients) -> None:
    """Equal in all but metadata and the way they are coded."""
    one = decode_coefficients(got)
    other = decode_coefficients(expected) if isinstance(expected, bytes) else expected
    assert size(one) == size(other)
    assert one.header.precision == other.header.precision
    assert len(one.header.components) == len(other.header.components)
    if len(one.header.components) > 1:  # jpegtran makes those of a single component 1x1
        assert factors(one) == factors(other)
    assert_same_arrays(one.components, other.components)
    assert_same_arrays(one.qtables, other.qtables)


def assert_same_arrays(
    got: Sequence[npt.NDArray[np.generic]], expected: Sequence[npt.NDArray[np.generic]]
) -> None:
    assert len(got) == len(expected)
    for i, (one, other) in enumerate(zip(got, expected, strict=True)):
        assert one.shape == other.shape, f"component {i}"
        different = np.argwhere(one != other)
        assert len(different) == 0, f"component {i} from {different[0]} on, {len(different)} values"


def size(coefficients: Coefficients) -> tuple[int, int]:
    return coefficients.header.width, coefficients.header.height


def factors(coefficients: Coefficients) -> list[tuple[int, int, int]]:
    return [(c.identifier, c.h, c.v) for c in coefficients.header.components]


def metadata_bytes(data: bytes) -> list[tuple[int, bytes]]:
    """All APPn and COM segments of a file's first image."""
    return [
        (segment.code, bytes(segment.payload))
        for segment in markers.segments(data)
        if segment.code == markers.COM or 0xE0 <= segment.code <= 0xEF
    ]


def behind_end(data: bytes) -> bytes:
    """What follows the first image."""
    ends = [segment.end for segment in markers.segments(data) if segment.code == markers.EOI]
    return data[ends[0] :] if ends else b""


def scan_intervals(data: bytes) -> list[int]:
    """The restart interval of each scan."""
    found, interval = [], 0
    for segment in markers.segments(memoryview(data)):
        if segment.code == markers.DRI:
            interval = markers.parse_restart_interval(segment)
        elif segment.code == markers.SOS:
            found.append(interval)
    return found
