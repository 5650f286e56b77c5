"""Marker segments: written and read back, and what is said of those that are wrong."""

from __future__ import annotations

import struct

import numpy as np
import oracles
import pytest
from helpers import assert_says_where
from hypothesis import given
from hypothesis import strategies as st
from test_huffman import tables as huffman_tables

from pyjpegml import markers
from pyjpegml.errors import JpegFormatError, JpegUnsupportedError
from pyjpegml.huffman import AC
from pyjpegml.markers import Frame, FrameComponent, Segment


def only(data: bytes, at: int = 7) -> Segment:
    """The one segment of `data`, as it lies at byte `at` of a file."""
    segment = markers.next_segment(memoryview(bytes(at) + data), at, [])
    assert segment.end == at + len(data)
    assert segment.offset == at
    return segment


def refused(code: int, payload: bytes) -> tuple[str, int, str]:
    """Reason, offset in the payload and marker of the error that parsing a segment gives."""
    parse = {
        markers.DQT: markers.parse_qtables,
        markers.DHT: markers.parse_huffman_tables,
        markers.DAC: markers.parse_conditioning,
        markers.DRI: markers.parse_restart_interval,
        markers.SOF0: markers.parse_frame,
        markers.SOS: markers.parse_scan,
    }[code]
    segment = only(markers.segment_bytes(code, payload))
    with pytest.raises(JpegFormatError) as caught:
        parse(segment)
    assert caught.value.offset is not None
    assert caught.value.marker is not None
    return caught.value.reason, caught.value.offset - 7 - 4, caught.value.marker


# --- written and read back ------------------------------------------------------------------------

factors = st.integers(1, 4)
components = st.lists(
    st.builds(FrameComponent, st.integers(0, 255), factors, factors, st.integers(0, 3)),
    min_size=1, max_size=4, unique_by=lambda c: c.identifier,
).map(tuple)  # fmt: skip
sides = st.integers(1, 65535)


@given(
    st.builds(
        Frame,
        st.sampled_from(sorted(markers.PROCESSES)),
        st.integers(2, 16),
        sides,
        sides,
        components,
    )
)
def test_frame(frame: Frame) -> None:
    segment = only(markers.frame_bytes(frame))
    assert markers.is_frame(segment.code)
    assert segment.name == f"SOF{frame.sof}"
    assert markers.parse_frame(segment) == frame


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4
    )
)
def test_scan_header(scanned: list[tuple[int, int, int]]) -> None:
    header = markers.parse_scan(only(markers.scan_bytes(scanned)))
    assert header == markers.ScanHeader(tuple(scanned), 0, 63, 0, 0)


@given(st.integers(0, 3), st.sampled_from([1, 255, 256, 65535]), st.integers(0, 2**32 - 1))
def test_quantization_table(slot: int, largest: int, seed: int) -> None:
    table = np.random.default_rng(seed).integers(1, largest, (8, 8), np.uint16, endpoint=True)
    data = markers.qtable_bytes(slot, table)
    wide = bool(table.max() > 255)
    assert len(data) == 2 + 2 + 1 + 64 * (1 + wide)
    parsed = markers.parse_qtables(only(data))
    assert list(parsed) == [slot]
    assert parsed[slot].dtype == np.uint16
    assert np.array_equal(parsed[slot], table)


def test_quantization_tables_are_in_zigzag_order() -> None:
    table = np.arange(1, 65, dtype=np.uint16).reshape(8, 8)
    assert list(only(markers.qtable_bytes(2, table)).payload) == [2] + [
        i + 1 for i in oracles.ZIGZAG
    ]


@given(st.dictionaries(st.integers(0, 7), huffman_tables(), min_size=1, max_size=3))
def test_huffman_tables(tables: dict[int, markers.HuffmanTable]) -> None:
    """One segment may hold many (T.81 B.2.4.2)."""
    for slot, table in tables.items():
        assert markers.parse_huffman_tables(only(markers.huffman_table_bytes(slot, table))) == {
            slot: table
        }
    joined = b"".join(only(markers.huffman_table_bytes(s, t)).payload for s, t in tables.items())
    assert markers.parse_huffman_tables(only(markers.segment_bytes(markers.DHT, joined))) == tables


def test_slots_of_huffman_tables() -> None:
    table = markers.HuffmanTable((1,) + (0,) * 15, b"\0")
    heads = [only(markers.huffman_table_bytes(s, table)).payload[0] for s in (0, 3, AC, AC + 3)]
    assert heads == [0x00, 0x03, 0x10, 0x13]


@given(st.integers(0, 65535))
def test_restart_interval(interval: int) -> None:
    data = markers.restart_interval_bytes(interval)
    assert markers.parse_restart_interval(only(data)) == interval


bounds = st.tuples(st.integers(0, 15), st.integers(0, 15)).map(sorted)


@given(
    st.dictionaries(st.integers(0, 3), bounds.map(lambda pair: 16 * pair[1] + pair[0])),
    st.dictionaries(st.integers(0, 3), st.integers(1, 63)),
)
def test_conditioning(dc: dict[int, int], ac: dict[int, int]) -> None:
    payload = b"".join(bytes([slot, value]) for slot, value in dc.items())
    payload += b"".join(bytes([0x10 + slot, value]) for slot, value in ac.items())
    parsed = markers.parse_conditioning(only(markers.segment_bytes(markers.DAC, payload)))
    assert parsed == dc | {AC + slot: value for slot, value in ac.items()}


def test_jfif() -> None:
    """T.871 10.1: identifier, version 1.01, no units, 1:1, no thumbnail."""
    segment = only(markers.jfif_bytes())
    assert bytes(segment.payload) == b"JFIF\0" + bytes([1, 1, 0, 0, 1, 0, 1, 0, 0])
    assert markers.is_jfif(segment)
    assert not markers.is_jfif(only(markers.segment_bytes(markers.APP0, b"JFXX\0")))


@pytest.mark.parametrize("transform", [0, 1, 2])
def test_adobe(transform: int) -> None:
    payload = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    segment = only(markers.segment_bytes(markers.APP14, payload))
    assert markers.adobe_transform(segment) == transform


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (markers.APP14, b"Adobe" + bytes(6)),
        (markers.APP14, b"adobe" + bytes(7)),
        (0xED, b"Adobe" + bytes(7)),
    ],
)
def test_not_adobe(code: int, payload: bytes) -> None:
    assert markers.adobe_transform(only(markers.segment_bytes(code, payload))) is None


def test_longest_segment() -> None:
    assert len(only(markers.segment_bytes(markers.COM, bytes(65533))).payload) == 65533
    with pytest.raises(ValueError, match="a COM segment holds at most 65533 bytes, not 65534"):
        markers.segment_bytes(markers.COM, bytes(65534))


def test_names() -> None:
    codes = (0xC0, 0xC4, 0xCC, 0xD0, 0xD8, 0xDA, 0xE0, 0xEF, 0xF0, 0xFE, 0x01, 0x02)
    assert [markers.marker_name(code) for code in codes] == [
        "SOF0", "DHT", "DAC", "RST0", "SOI", "SOS", "APP0", "APP15", "JPG0", "COM", "TEM", "FF02",
    ]  # fmt: skip
    assert [code for code in range(256) if markers.is_frame(code)] == [
        code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)
    ]


# --- the chain of segments ------------------------------------------------------------------------


def walk(data: bytes) -> tuple[list[tuple[str, int, int]], list[str]]:
    found, warnings, position = [], [], 0
    while position < len(data):
        segment = markers.next_segment(memoryview(data), position, warnings)
        found.append((segment.name, segment.offset, segment.end))
        position = segment.end
    return found, warnings


def test_fill_bytes_are_no_matter() -> None:
    found, warnings = walk(b"\xff\xd8" + b"\xff" * 5 + b"\xff\xfe\x00\x03!" + b"\xff\xff\xd9")
    assert found == [("SOI", 0, 2), ("COM", 7, 12), ("EOI", 13, 15)]
    assert warnings == []


def test_junk_is_skipped_with_a_warning() -> None:
    found, warnings = walk(b"\xff\xd8" + b"junk" + b"\xff\xfe\x00\x02" + b"\0\xff\0" + b"\xff\xd9")
    assert found == [("SOI", 0, 2), ("COM", 6, 10), ("EOI", 13, 15)]
    assert [w.split(",")[1] for w in warnings] == [" at byte 2", " at byte 10"]
    assert warnings[0].startswith("4 bytes that belong to no segment")
    assert warnings[1].startswith("3 bytes that belong to no segment")


@pytest.mark.parametrize(
    ("data", "reason", "offset", "marker"),
    [
        (b"", "the data end where a marker should be", 0, None),
        (b"\xff", "the data end where a marker should be", 1, None),
        (b"\xff\xff", "the data end where a marker should be", 2, None),
        (b"no marker", "the data end where a marker should be", 9, None),
        (b"\xff\0", "the data end where a marker should be", 2, None),
        (b"\xff\xdb", "the data end before the length", 2, "DQT"),
        (b"\xff\xdb\0", "the data end before the length", 3, "DQT"),
        (b"\xff\xdb\0\0", "the length is 0; it counts itself, so 2 is the least", 2, "DQT"),
        (b"\xff\xc4\0\x01", "the length is 1; it counts itself, so 2 is the least", 2, "DHT"),
        (b"\xff\xe1\0\x05ab", "the segment ends 1 bytes behind the end of the data", 0, "APP1"),
    ],
)
def test_broken_chains(data: bytes, reason: str, offset: int, marker: str | None) -> None:
    with pytest.raises(JpegFormatError) as caught:
        markers.next_segment(memoryview(data), 0, [])
    assert (caught.value.reason, caught.value.offset, caught.value.marker) == (
        reason,
        offset,
        marker,
    )


@pytest.mark.parametrize("surplus", [0, 1, 9])
@pytest.mark.parametrize(
    ("code", "payload"),
    [
        (markers.DRI, b"\0\1"),
        (markers.DNL, b"\0\1"),
        (markers.SOF0, bytes([8, 0, 1, 0, 1, 1, 1, 0x11, 0])),
        (0xC2, bytes([8, 0, 1, 0, 1, 2, 1, 0x11, 0, 2, 0x11, 0])),
        (markers.SOS, bytes([1, 1, 0, 0, 63, 0])),
        (markers.SOS, bytes([2, 1, 0, 2, 0, 0, 63, 0])),
    ],
)
def test_bytes_behind_what_a_segment_holds(code: int, payload: bytes, surplus: int) -> None:
    assert markers.unneeded(only(markers.segment_bytes(code, payload + bytes(surplus)))) == surplus
    for size in range(len(payload)):
        assert markers.unneeded(only(markers.segment_bytes(code, payload[:size]))) == 0


def test_segments_skip_entropy_coded_data() -> None:
    data = (
        b"\xff\xd8" + markers.scan_bytes([(1, 0, 0)]) + b"\x12\xff\0\xff\xd3\x34\xff\xff\xd9behind"
    )
    assert [s.name for s in markers.segments(data)] == ["SOI", "SOS", "EOI"]


@pytest.mark.parametrize("tail", [b"", b"\xff", b"\xff\xff", b"\xff\0", b"\xff\xd0"])
def test_segments_of_a_file_that_is_cut_in_its_scan(tail: bytes) -> None:
    data = b"\xff\xd8" + markers.scan_bytes([(1, 0, 0)]) + b"\x12\xff\0\x34" + tail
    assert [s.name for s in markers.segments(data)] == ["SOI", "SOS"]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=6), st.sampled_from([b"\xff", b"\xff\xda\0\x02", b"\xff\xdb\0\x03"])
        )
    )
)
def test_segments_of_any_bytes(parts: list[bytes]) -> None:
    """They end, and lie one behind the other within the data."""
    data = b"".join(parts)
    position = 0
    try:
        for segment in markers.segments(data):
            assert position <= segment.offset < segment.end <= len(data)
            assert data[segment.offset : segment.offset + 2] == bytes([0xFF, segment.code])
            position = segment.end
    except JpegFormatError as error:
        assert_says_where(error, len(data))


# --- wrong parameters -----------------------------------------------------------------------------

FRAME = bytes([8, 0, 16, 0, 16])


@pytest.mark.parametrize(
    ("code", "payload", "reason", "at"),
    [
        (
            markers.DQT,
            b"\x20" + bytes(64),
            "table precision is 0 or 1 and its slot 0 to 3, not 2 and 0",
            0,
        ),
        (
            markers.DQT,
            b"\x04" + bytes(64),
            "table precision is 0 or 1 and its slot 0 to 3, not 0 and 4",
            0,
        ),
        (markers.DQT, b"\0" + b"\1" * 63, "a table needs 64 bytes, there are 63", 1),
        (markers.DQT, b"\x11" + b"\1" * 127, "a table needs 128 bytes, there are 127", 1),
        (markers.DQT, b"\2" + b"\1" * 63 + b"\0", "table 2 has a step of 0; 1 is the least", 1),
        (markers.DQT, b"\0" + b"\1" * 64 + b"\5", "table precision", 65),
        (
            markers.DHT,
            b"\x20" + bytes(16),
            "table class is 0 or 1 and its slot 0 to 3, not 2 and 0",
            0,
        ),
        (
            markers.DHT,
            b"\x14" + bytes(16),
            "table class is 0 or 1 and its slot 0 to 3, not 1 and 4",
            0,
        ),
        (markers.DHT, b"\0" + bytes(15), "the segment ends within table 0", 0),
        (markers.DHT, b"\3\0\2" + bytes(14) + b"a", "the segment ends within table 3", 0),
        (markers.DHT, b"\0\2" + bytes(15) + b"ab", "the Huffman table is oversubscribed", 0),
        (
            markers.DHT,
            b"\0\1" + bytes(15) + b"a" + b"\x11\0",
            "the segment ends within table 1",
            18,
        ),
        (markers.DAC, b"\0\x10\1", "tables have 2 bytes each, and there are 3", 0),
        (markers.DAC, b"\4\x10", "table class is 0 or 1 and its slot 0 to 3, not 0 and 4", 0),
        (
            markers.DAC,
            b"\0\x10\x20\5",
            "table class is 0 or 1 and its slot 0 to 3, not 2 and 0",
            2,
        ),
        (markers.DAC, b"\x13\5\2\x12", "L of DC table 2 is at most U, not 2 with U = 1", 3),
        (markers.DAC, b"\x11\0", "Kx of AC table 1 is 1 to 63, not 0", 1),
        (markers.DAC, b"\x11\x40", "Kx of AC table 1 is 1 to 63, not 64", 1),
        (markers.DRI, b"\0", "a restart interval has 2 bytes, not 1", 0),
        (markers.SOF0, FRAME, "a frame header has at least 6 bytes, not 5", 0),
        (markers.SOF0, FRAME + b"\1\1\x11", "1 components need 9 bytes, there are 8", 0),
        (
            markers.SOF0,
            bytes([8, 0, 16, 0, 0, 1, 1, 17, 0]),
            "the width is 0; 1 to 65535 are possible",
            3,
        ),
        (markers.SOF0, FRAME + b"\0", "there are no components", 5),
        (markers.SOF0, FRAME + b"\1\1\x01\0", "sampling factors are 1 to 4, not 0x1", 7),
        (markers.SOF0, FRAME + b"\2\1\x11\0\2\x15\0", "sampling factors are 1 to 4, not 1x5", 10),
        (markers.SOF0, FRAME + b"\1\1\x11\4", "quantization tables are 0 to 3, not 4", 8),
        (markers.SOF0, FRAME + b"\2\1\x11\0\1\x11\0", "two components have the same identifier", 6),
        (markers.SOS, b"", "a scan has 1 to 4 components, not 0", 0),
        (markers.SOS, b"\5" + bytes(13), "a scan has 1 to 4 components, not 5", 0),
        (markers.SOS, b"\1\1\0\0\x3f", "1 components need 6 bytes, there are 5", 0),
        (markers.SOS, b"\1\1\x40\0\x3f\0", "entropy-coding tables are 0 to 3, not 4 and 0", 2),
    ],
)
def test_wrong_parameters(code: int, payload: bytes, reason: str, at: int) -> None:
    """What is wrong, at which byte of the file, in which marker."""
    found, where, marker = refused(code, payload)
    assert found.startswith(reason)
    assert where == at
    assert marker == markers.marker_name(code)


@given(
    st.sampled_from(
        [markers.DQT, markers.DHT, markers.DAC, markers.DRI, markers.SOF0, markers.SOS]
    ),
    st.binary(max_size=80),
)
def test_any_parameters_are_read_or_refused(code: int, payload: bytes) -> None:
    segment = only(markers.segment_bytes(code, payload))
    try:
        if code == markers.DQT:
            assert all(t.min() >= 1 for t in markers.parse_qtables(segment).values())
        elif code == markers.DHT:
            assert set(markers.parse_huffman_tables(segment)) <= set(range(8))
        elif code == markers.DAC:
            assert set(markers.parse_conditioning(segment)) <= set(range(8))
        elif code == markers.DRI:
            assert 0 <= markers.parse_restart_interval(segment) <= 65535
        elif code == markers.SOF0:
            assert markers.parse_frame(segment).width >= 1
        else:
            assert 1 <= len(markers.parse_scan(segment).components) <= 4
    except JpegFormatError as error:
        assert_says_where(error, segment.end)


@pytest.mark.parametrize(
    ("sof", "name"), [(1, "extended sequential"), (2, "progressive"), (3, "lossless")]
)
def test_unsupported_frames_are_named(sof: int, name: str) -> None:
    frame = Frame(sof, 12, 8, 8, (FrameComponent(1, 1, 1, 0),))
    segment = markers.Segment(markers.SOF0 + sof, 77, memoryview(b""), 79)
    error = markers.unsupported_frame(frame, segment)
    assert (error.marker, error.offset) == (f"SOF{sof}", 77)
    assert isinstance(error, JpegUnsupportedError)
    assert error.reason.startswith(f"{name} coding (SOF{sof}, 12 bits) is not supported")


# --- the head of a file ---------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sampled_from([0xE0, 0xEF, 0xFE, 0xDB, 0xC0]), st.binary(max_size=20)),
        max_size=5,
    )
)
def test_head_size(parts: list[tuple[int, bytes]]) -> None:
    """Where the first scan's data begin, as the segments that are read one by one have it."""
    head = b"\xff\xd8" + b"".join(markers.segment_bytes(code, payload) for code, payload in parts)
    data = head + markers.segment_bytes(markers.SOS, b"abc") + b"data"
    assert markers.head_size(memoryview(data)) == len(data) - 4
    position = 2
    while True:
        segment = markers.next_segment(memoryview(data), position, [])
        position = segment.end
        if segment.code == markers.SOS:
            break
    assert position == len(data) - 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x05abc",  # no scan
        b"\xff\xd8\xff\xda\x00\x09abc",  # that ends early
        b"\xff\xd8junk\xff\xda\x00\x05abc",
        b"\xff\xd8\xff\xff\xda\x00\x05abc",  # a fill byte
        b"\xff\xd8\xff\xd0\xff\xda\x00\x05abc",  # a marker without a length
        b"\xff\xd8\xff\x00\x00\x00\xff\xda\x00\x05abc",
    ],
)
def test_head_size_of_anything_else_is_0(data: bytes) -> None:
    assert markers.head_size(memoryview(data)) == 0


@pytest.mark.hostile
@given(st.binary(max_size=40))
def test_head_size_of_any_bytes(data: bytes) -> None:
    assert 0 <= markers.head_size(memoryview(b"\xff\xd8\xff" + data)) <= len(data) + 3
