"""What holds for any bytes at all, and files to begin with: for ``.ci/fuzz`` and its test.

A fuzzer calls :func:`check` with bytes of its own making. Whatever they are, a public function
returns a value or raises a JpegError, and those that see the same file say the same of it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import pyjpegml
from pyjpegml import JpegError, JpegFormatError, JpegLimitError
from pyjpegml.exif import exif_segment
from pyjpegml.icc import icc_segments
from pyjpegml.testing import PROCESSES, Stream, jpeg_streams
from pyjpegml.testing.writer import segment
from pyjpegml.xmp import xmp_segments

#: Limits of all calls: in plain Python a larger picture takes too long.
PIXELS, SCANS = 512, 12

#: What is read of metadata.
METADATA = (
    "adobe", "comments", "exif", "extended_xmp", "gain_map", "icc", "images", "jfif", "others",
    "thumbnails", "xmp",
)  # fmt: skip

#: Largest seed in bytes.
SEED_BYTES = 1000


def outcome(function: Callable[..., Any], data: bytes, **options: Any) -> Any:
    """What a function returns, or the JpegError that it raises: one that says where it is."""
    try:
        return function(data, **options)
    except JpegError as error:
        if isinstance(error, JpegFormatError):
            assert error.offset is not None, error
        assert error.offset is None or 0 <= error.offset <= len(data), error
        assert str(error) == str(error).strip() != "", repr(error)
        return error


def failed(result: Any) -> bool:
    return isinstance(result, JpegError)


def check(data: bytes) -> None:
    """Hold all functions that read a JPEG to their contract."""
    header = outcome(pyjpegml.read_header, data)
    if not failed(header):
        outcome(lambda _: header.scans, data)
        facts = header.metadata
        for name in METADATA:
            getattr(facts, name)
        assert 1 <= facts.orientation <= 8
        assert header.warnings == (*header.stream_warnings, *facts.detached().warnings)
    limits = {"max_pixels": PIXELS, "max_scans": SCANS}
    pixels = outcome(pyjpegml.decode, data, **limits)
    partial = outcome(pyjpegml.decode_partial, data, **limits)
    coefficients = outcome(pyjpegml.decode_coefficients, data, **limits)
    if failed(header):
        assert failed(pixels)
        assert failed(partial)
        assert failed(coefficients)
        return
    if isinstance(pixels, JpegLimitError):
        assert isinstance(partial, JpegLimitError), partial
    elif failed(pixels):
        assert failed(partial) or not partial[1].complete, (pixels, partial[1])
    else:
        _check_pixels(pixels, partial)
    if header.height and sum(data) % 4 == 0:  # what takes longer than all else
        _check_windows(data, header, pixels, limits)
    if not failed(partial):
        _check_report(partial[1], len(data))
    if header.process != "lossless":
        assert failed(coefficients) == failed(pixels), (coefficients, pixels)
        if not failed(pixels):
            for blocks, table in zip(coefficients.components, coefficients.qtables, strict=True):
                assert blocks.shape[2:] == table.shape == (8, 8)


def _check_pixels(pixels: Any, partial: Any) -> None:
    """A file that is decoded is sound in parts too."""
    height, width = pixels.shape[:2]
    assert height * width <= PIXELS
    assert not failed(partial), partial
    assert partial[1].complete, partial[1]
    assert partial[1].sound_mcus == partial[1].mcus, partial[1]
    np.testing.assert_array_equal(partial[0], pixels)


def _check_windows(data: bytes, header: Any, pixels: Any, limits: dict[str, int]) -> None:
    """A part of a picture is just that, and smaller ones have their size."""
    width, height = header.width, header.height
    x, y, w, h = width // 3, height // 3, -(-width // 3), -(-height // 3)
    part = outcome(pyjpegml.decode, data, region=(x, y, w, h), **limits)
    if not failed(pixels):
        np.testing.assert_array_equal(part, pixels[y : y + h, x : x + w])
    for scale in (2, 8):
        small = outcome(pyjpegml.decode, data, scale=scale, **limits)
        assert failed(small) or small.shape[:2] == (-(-height // scale), -(-width // scale))


def _check_report(report: Any, size: int) -> None:
    assert 0 <= report.sound_mcus <= report.mcus
    assert report.sound_mcus == report.mcus or report.problems
    for problem in report.problems:
        assert type(problem) is JpegFormatError
        assert problem.offset is not None
        assert 0 <= problem.offset <= size


# --- seeds ----------------------------------------------------------------------------------------


def seeds(examples: int = 150) -> Iterator[bytes]:
    """Small files: of every process and feature that the testing kit has, and with metadata.

    `examples` is how many of each process Hypothesis makes, of which the smallest of each kind are
    taken.
    """
    plain = []
    for process in PROCESSES:
        for stream in _streams(process, examples):
            plain.append(stream.data)
            yield stream.data
    for i, segments in enumerate(_metadata()):
        data = plain[i % len(plain)]
        yield data[:2] + b"".join(segment(code, payload) for code, payload in segments) + data[2:]


def _streams(process: str, examples: int) -> list[Stream]:
    """Small streams, as different as Hypothesis makes them."""
    found: dict[frozenset[str], Stream] = {}

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(jpeg_streams(processes=[process], max_size=24, complete=False))
    def collect(stream: Stream) -> None:
        frame = stream.frame
        if len(stream.data) <= SEED_BYTES and frame.width * frame.height <= PIXELS:
            kind = stream.features | {stream.color_model}
            if kind not in found or len(stream.data) < len(found[kind].data):
                found[kind] = stream

    collect()
    return list(found.values())


def _metadata() -> Iterator[list[tuple[int, bytes]]]:
    """Segments of each kind that is read."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    yield [exif_segment(tiff)]
    yield list(icc_segments(bytes(range(128)) * 2))
    extended = b"<x:xmpmeta/>" * 10
    guid = hashlib.md5(extended).hexdigest().upper()
    packet = f'<a xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{guid}"/>'.encode()
    yield list(xmp_segments(packet))
    yield list(xmp_segments(packet, extended))
    yield [(0xE0, b"JFIF\0\1\2\0\0\1\0\1\2\1" + bytes(6)), (0xE0, b"JFXX\0\x13\1\1abc")]
    directory = struct.pack(">HHHIIHHIII", 2, 0xB001, 4, 1, 2, 0xB002, 7, 32, 50, 0)
    images = struct.pack(">IIIHHIIIHH", 0x030000, 500, 0, 0, 0, 0, 20, 500, 0, 0)
    yield [(0xE2, b"MPF\0MM\0*\0\0\0\x08" + directory + bytes(12) + images)]
    yield [(0xEE, b"Adobe\0\x64\0\0\0\0\2"), (0xFE, b"a comment")]
