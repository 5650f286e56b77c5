"""Limits that a caller sets: pixels, scans, work and bytes of metadata."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from helpers import picture, pillow_encode

from pyjpegml import (
    JpegLimitError,
    decode,
    decode_coefficients,
    decode_partial,
    encode,
    markers,
    read_header,
    scans,
)
from pyjpegml.header import LEAST_SEGMENT, MAX_METADATA
from pyjpegml.markers import Frame, FrameComponent
from pyjpegml.testing import Component, Content, Scan, write_stream
from pyjpegml.testing import Frame as WrittenFrame

Reader = Callable[..., object]
READERS = (decode, decode_partial, decode_coefficients, read_header)
PLAIN = encode(picture("natural", (30, 40, 3)))
#: Bytes of its JFIF segment, as they count.
OWN = LEAST_SEGMENT


def with_segments(*segments: bytes) -> bytes:
    return PLAIN[:2] + b"".join(segments) + PLAIN[2:]


# --- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("code", [0xE1, 0xED, 0xEF, markers.COM])
def test_bytes_of_metadata(read: Reader, code: int) -> None:
    data = with_segments(*[markers.segment_bytes(code, bytes(30_000))] * 3)
    size = 3 * 30_004 + OWN
    read(data, max_metadata=size)
    message = (
        rf"there are {size} bytes of metadata .* max_metadata allows {size - 1} \(in APP0 at byte "
        f"{2 + 3 * 30_004}"
    )
    with pytest.raises(JpegLimitError, match=message):
        read(data, max_metadata=size - 1)
    with pytest.raises(JpegLimitError, match=r"60008 bytes of metadata .* allows 50000 .* 30006"):
        read(data, max_metadata=50_000)


@pytest.mark.parametrize("read", READERS)
def test_short_segments_count_what_they_take(read: Reader) -> None:
    data = with_segments(*[markers.segment_bytes(markers.COM, b"")] * 20)
    read(data, max_metadata=20 * LEAST_SEGMENT + OWN)
    with pytest.raises(JpegLimitError, match=f"each segment counts {LEAST_SEGMENT} at least"):
        read(data, max_metadata=20 * LEAST_SEGMENT)


@pytest.mark.parametrize("read", READERS)
def test_metadata_behind_and_between_scans_count(read: Reader) -> None:
    """But a header ends before them."""
    behind = PLAIN[:-2] + markers.segment_bytes(markers.COM, bytes(5000)) + b"\xff\xd9"
    if read is read_header:
        read(behind, max_metadata=OWN)
        return
    with pytest.raises(JpegLimitError, match="max_metadata allows 1000"):
        read(behind, max_metadata=1000)


def test_the_default_allows_64_megabytes() -> None:
    assert MAX_METADATA == 1 << 26
    segment = markers.segment_bytes(0xE2, bytes(65533))
    below = with_segments(*[segment] * 1023)
    assert read_header(below).width == 40
    tracemalloc.start()
    try:
        with pytest.raises(JpegLimitError, match="max_metadata allows 67108864"):
            read_header(with_segments(*[segment] * 1024))
        assert tracemalloc.get_traced_memory()[0] < 1 << 20, "views only"
    finally:
        tracemalloc.stop()


def test_tables_from_another_stream_may_have_no_more() -> None:
    with pytest.raises(JpegLimitError, match="max_metadata allows 600"):
        decode(PLAIN, tables=with_segments(bytes.fromhex("fffe0002")), max_metadata=600)


# --- scans and work -------------------------------------------------------------------------------


def bits_of(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    data = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    return data.replace(b"\xff", b"\xff\0")


def end_of_bands(blocks: int) -> tuple[bytes, bytes]:
    """A Huffman table of runs of ends of bands, and data that end so many blocks with them."""
    symbols = bytes(run << 4 for run in range(15))
    table = bytes([0x10, 0, 0, 0, 15, *[0] * 12]) + symbols
    text = ""
    while blocks:
        run = min(14, blocks.bit_length() - 1)
        length = min(blocks, (2 << run) - 1)
        text += f"{run:04b}" + (f"{length - (1 << run):0{run}b}" if run else "")
        blocks -= length
    return markers.segment_bytes(markers.DHT, table), bits_of(text)


def scan_bomb(side: int, count: int, sof: int = 2) -> bytes:
    """A progressive file whose scans are sound, say nothing, and go over a whole component each.

    Each coefficient gets its bits one by one, from the 13th on, and then the last one for ever.
    """
    table, data = end_of_bands((side // 8) ** 2) if sof == 2 else (b"", b"")
    head = [
        b"\xff\xd8", markers.qtable_bytes(0, np.ones((8, 8), np.uint16)), table,
        markers.frame_bytes(Frame(sof, 8, side, side, (FrameComponent(1, 1, 1, 0),))),
    ]  # fmt: skip
    passes = [(0, 13), *((low + 1, low) for low in range(12, -1, -1))]
    for i in range(count):
        high, low = passes[min(i // 63, 13)]
        band = 1 + i % 63
        payload = bytes([1, 1, 0, band, band, high << 4 | low])
        head += [markers.segment_bytes(markers.SOS, payload), data]
    return b"".join(head) + b"\xff\xd9"


@pytest.mark.parametrize("read", [decode, decode_partial, decode_coefficients])
def test_7000_scans_over_100_megapixels(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a hundredth of them is decoded: 64 and 85 passes, milliseconds each."""
    data = scan_bomb(10_000, 7000)
    visited = []
    begin = scans.Scans._decode

    def counted(self: scans.Scans, *arguments: object) -> None:
        visited.append(arguments[4])
        begin(self, *arguments)

    monkeypatch.setattr(scans.Scans, "_decode", counted)
    with pytest.raises(JpegLimitError, match="too many times; a larger max_scans allows more"):
        read(data)
    assert set(visited) == {1250**2}
    assert len(visited) == scans.LEAST_WORK // 1250**2 == 85


@pytest.mark.parametrize("read", [decode, decode_partial])
def test_7000_scans_of_a_small_picture(read: Reader) -> None:
    data = scan_bomb(200, 7000)
    with pytest.raises(JpegLimitError, match="more scans than max_scans allows, 500"):
        read(data)
    read(data[: data.index(b"\xff\xda")] + scan_bomb(200, 400)[data.index(b"\xff\xda") :])


def test_arithmetic_scans_cost_more_where_they_have_no_data() -> None:
    """Each decision may be worth nothing in bits: 7,000 empty scans are refused at the third."""
    data = scan_bomb(10_000, 7000, sof=10)
    third = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"][2]
    with pytest.raises(JpegLimitError, match=f"too many times.*at byte {third}"):
        decode(data)


def test_arithmetic_scans_with_data_cost_what_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cjpeg writes photographs: ten scans, six passes over all blocks."""
    monkeypatch.setattr(scans, "LEAST_WORK", 0)
    rng = np.random.default_rng(1)
    frame = WrittenFrame("arithmetic progressive", 8, 64, 64, tuple(map(Component, (1, 2, 3))))
    units = tuple(rng.integers(-40, 40, (8, 8, 8, 8)) for _ in range(3))
    everything, slots = (0, 1, 2), ((0, 0),) * 3
    script = [Scan(everything, slots, 0, 0, low=1)]
    script += [Scan((c,), slots[:1], 1, 5, low=2) for c in everything]
    script += [Scan((c,), slots[:1], 6, 63, low=2) for c in everything]
    script += [Scan((c,), slots[:1], 1, 63, low + 1, low) for low in (1, 0) for c in everything]
    script += [Scan(everything, slots, 0, 0, 1, 0)]
    stream = write_stream(frame, script, Content(units, {(0, 0): np.ones((8, 8), np.uint16)}))
    found = decode_coefficients(stream.data).components
    for got, expected in zip(found, stream.coefficients, strict=True):
        assert np.array_equal(got, expected)


def test_pixels() -> None:
    """Of any process, before anything of that size is allocated."""
    progressive = bytearray(pillow_encode(picture("flat", (16, 16)), progressive=True))
    place = progressive.index(b"\xff\xc2") + 5
    progressive[place : place + 4] = b"\xea\x60\xea\x60"
    tracemalloc.start()
    try:
        for read in (decode, decode_partial, decode_coefficients):
            with pytest.raises(
                JpegLimitError, match="60000x60000 is 3600000000 pixels; max_pixels"
            ):
                read(io.BytesIO(progressive))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_stray_restart_markers_are_limited() -> None:
    """Each leaves a warning: a file of nothing else would leave millions."""
    data = with_segments(b"\xff\xd0" * 200_000)
    with pytest.raises(JpegLimitError, match="max_metadata"):
        read_header(data)
    with pytest.raises(JpegLimitError, match="max_metadata"):
        decode(data)
