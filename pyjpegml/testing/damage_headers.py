"""Faults of tables, frame and scan headers: what they must not say, and bombs."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from .damage import (
    Damage,
    Edit,
    fault,
    has_height,
    interleaved,
    is_arithmetic,
    is_huffman,
    last_of,
    named,
    replace_part,
    scan_number,
    set_bytes,
    span_of_scan,
    start_of,
    when,
)
from .stream import ANY, ERROR, Part, Stream
from .writer import DAC, segment

# --- tables ---------------------------------------------------------------------------------------


def _huffman_tables(part: Part) -> list[tuple[int, int]]:
    """Offset in a DHT part and number of symbols of each of its tables."""
    return [(at, sum(part.data[at + 1 : at + 17])) for at in part.tables()]


@fault("oversubscribed Huffman table", named("DHT"))
def _oversubscribed(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = bytearray(stream.parts[i].data)
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    data[at + 1] += 3  # codes of one bit
    data[at + 17 : at + 17] = bytes([0, 1, 2])
    data[2:4] = struct.pack(">H", len(data) - 2)
    return Damage(replace_part(stream, i, bytes(data)), f"table {data[at]:02x}", ERROR)


@fault("too many Huffman codes", named("DHT"))
def _too_many_codes(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    return Damage(set_bytes(stream, i, at + 16, 255), "255 codes of 16 bits", ERROR)


@fault("missing Huffman code", named("DHT"))
def _missing_code(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = bytearray(stream.parts[i].data)
    at, count = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    longest = max(k for k in range(1, 17) if data[at + k])
    data[at + longest] -= 1
    symbol = data.pop(at + 16 + count)
    data[2:4] = struct.pack(">H", len(data) - 2)
    return Damage(replace_part(stream, i, bytes(data)), f"no code of symbol {symbol:02x}", ANY)


@fault("wrong Huffman symbol", named("DHT"))
def _wrong_symbol(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, count = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    at += 17 + draw(st.integers(0, count - 1))
    right = stream.parts[i].data[at]
    wrong = draw(st.sampled_from([0xFF, 0x11, 0x0F, 0x10, 0x01]).filter(lambda s: s != right))
    return Damage(set_bytes(stream, i, at, wrong), f"{wrong:02x} for {right:02x}", ANY)


@fault("Huffman table slot out of range", named("DHT"))
def _huffman_slot(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    wrong = draw(st.sampled_from([0x04, 0x14, 0x20, 0xFF]))
    return Damage(set_bytes(stream, i, at, wrong), f"class and slot {wrong:02x}", ERROR)


@fault("undefined Huffman table", when(is_huffman, named("SOS")))
def _undefined_huffman(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    scan = stream.scans[scan_number(stream, i)]
    defined = {
        p.data[at] & 15
        for p in stream.parts
        if p.name == "DHT"
        for at, _ in _huffman_tables(p)
    }  # fmt: skip
    slot = min({2, 3} - defined, default=4)
    n = draw(st.integers(0, len(scan.components) - 1))
    refines_dc = stream.frame.progressive and scan.start == 0 and scan.high > 0
    verdict = ANY if refines_dc and slot < 4 else ERROR
    return Damage(set_bytes(stream, i, 6 + 2 * n, slot << 4 | slot), f"slot {slot}", verdict)


@fault("zero quantizer step", named("DQT"))
def _zero_step(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = draw(st.sampled_from(stream.parts[i].tables()))
    k = draw(st.integers(0, 63))
    wide = stream.parts[i].data[at] >> 4
    edits = set_bytes(stream, i, at + 1 + (k << wide), *[0] * (1 + wide))
    return Damage(edits, f"step {k} in zigzag order", ERROR)


@fault("quantization table slot out of range", named("DQT"))
def _qtable_slot(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = draw(st.sampled_from(stream.parts[i].tables()))
    wrong = draw(st.sampled_from([0x04, 0x0F, 0x20, 0xF0]))
    return Damage(set_bytes(stream, i, at, wrong), f"precision and slot {wrong:02x}", ERROR)


@fault("undefined quantization table", when(lambda s: not s.frame.lossless, named("SOF")))
def _undefined_qtable(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    unused = {0, 1, 2, 3} - {c.table for c in stream.frame.components}
    slot = min(unused, default=4)
    n = draw(st.integers(0, len(stream.frame.components) - 1))
    return Damage(set_bytes(stream, i, 12 + 3 * n, slot), f"slot {slot}", ERROR)


@fault("illegal arithmetic conditioning", when(is_arithmetic, named("SOS")))
def _illegal_conditioning(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = start_of(stream, i)
    wrong = draw(st.sampled_from([b"\x00\x25", b"\x10\x00", b"\x10\x40", b"\x20\x10", b"\x04\x10"]))
    return Damage((Edit(at, at, segment(DAC, wrong)),), wrong.hex(" "), ERROR)


@fault("wrong restart interval", named("DRI"))
def _wrong_restart_interval(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = struct.unpack(">H", stream.parts[i].data[4:6])[0]
    wrong = draw(st.sampled_from([0, 1, right + 1, 0xFFFF]).filter(lambda n: n != right))
    return Damage(set_bytes(stream, i, 4, wrong >> 8, wrong & 255), f"{wrong}, not {right}", ANY)


# --- the frame ------------------------------------------------------------------------------------


@fault("sampling factors out of range", named("SOF"))
def _sampling(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    n = draw(st.integers(0, len(stream.frame.components) - 1))
    wrong = draw(st.sampled_from([0x00, 0x10, 0x01, 0x51, 0x15, 0xFF]))
    return Damage(set_bytes(stream, i, 11 + 3 * n, wrong), f"factors {wrong:02x}", ERROR)


@fault("too many blocks in an MCU", when(interleaved, named("SOF")))
def _too_many_blocks(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    edits = tuple(
        edit for n in range(len(stream.frame.components))
        for edit in set_bytes(stream, i, 11 + 3 * n, 0x44)
    )  # fmt: skip
    return Damage(edits, "4x4 for all components", ERROR)


@fault("no width", named("SOF"))
def _no_width(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    return Damage(set_bytes(stream, i, 7, 0, 0), "0 columns", ERROR)


@fault("no height", lambda s: named("DNL")(s) or named("SOF")(s))
def _no_height(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = 4 if stream.parts[i].name == "DNL" else 5
    return Damage(set_bytes(stream, i, at, 0, 0), "0 rows", ERROR)


@fault("dimension bomb", named("SOF"))
def _dimension_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = draw(st.sampled_from([0xFFFF, 0xFFDC, 0x8000]))
    edits = set_bytes(stream, i, 5, *2 * struct.pack(">H", size))
    return Damage(edits, f"{size} rows and columns", ERROR)


@fault("too many rows", when(has_height, named("SOF")))
def _too_many_rows(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    rows = stream.frame.height + 64
    verdict = ERROR if is_huffman(stream) else ANY
    return Damage(set_bytes(stream, i, 5, rows >> 8, rows & 255), f"{rows} rows", verdict)


@fault("wrong number of components", named("SOF"))
def _component_count(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = len(stream.frame.components)
    wrong = draw(st.sampled_from([0, right + 1, 255]))
    return Damage(set_bytes(stream, i, 9, wrong), f"{wrong}, not {right}", ERROR)


@fault("component twice in the frame", when(lambda s: len(s.frame.components) > 1, named("SOF")))
def _component_twice(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    first = stream.frame.components[0].identifier
    return Damage(set_bytes(stream, i, 13, first), f"identifier {first}", ERROR)


@fault("illegal precision", named("SOF"))
def _illegal_precision(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    possible = [0, 1, 17, 255] if stream.frame.lossless else [0, 1, 7, 9, 13, 16, 255]
    wrong = draw(st.sampled_from(possible))
    return Damage(set_bytes(stream, i, 4, wrong), f"{wrong} bits", ERROR)


@fault("process that nobody decodes", named("SOF"))
def _unsupported_process(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    sof = draw(st.sampled_from([5, 6, 7, 8, 13, 14, 15]))
    return Damage(set_bytes(stream, i, 1, 0xC0 + sof), f"SOF{sof}", ERROR)


@fault("another process", named("SOF"))
def _other_process(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    sof = draw(st.sampled_from([0, 1, 2, 3, 9, 10]).filter(lambda n: n != stream.frame.sof))
    return Damage(set_bytes(stream, i, 1, 0xC0 + sof), f"SOF{sof}", ANY)


# --- scans ----------------------------------------------------------------------------------------


@fault("unknown component in a scan", named("SOS"))
def _unknown_component(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    known = {c.identifier for c in stream.frame.components}
    wrong = min(set(range(256)) - known)
    return Damage(set_bytes(stream, i, 5, wrong), f"identifier {wrong}", ERROR)


@fault("component twice in a scan", lambda s: [i for i in named("SOS")(s)
                                                if s.parts[i].data[4] > 1])  # fmt: skip
def _component_twice_in_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    first = stream.parts[i].data[5]
    return Damage(set_bytes(stream, i, 7, first), f"identifier {first}", ERROR)


@fault("wrong number of components in a scan", named("SOS"))
def _scan_count(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    wrong = draw(st.sampled_from([0, 5, 255]))
    return Damage(set_bytes(stream, i, 4, wrong), f"{wrong} components", ERROR)


@fault("illegal scan parameters", named("SOS"))
def _illegal_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    scan = stream.scans[scan_number(stream, i)]
    at = 5 + 2 * len(scan.components)
    if stream.frame.lossless:
        wrong = draw(st.sampled_from([(0, 0, 0), (8, 0, 0), (255, 0, 0)]))
    elif stream.frame.progressive:
        al = scan.high << 4 | scan.low
        choices = [(scan.start, 64, al), (64, 64, al), (scan.start, scan.end, 0x0F)]
        choices += [(0, 5, al), (5, 4, al)]
        wrong = draw(st.sampled_from(choices))
    else:
        wrong = draw(st.sampled_from([(1, 63, 0), (0, 62, 0), (0, 64, 0), (0, 63, 1)]))
    verdict = ERROR if stream.frame.lossless or stream.frame.progressive else ANY
    detail = f"Ss={wrong[0]} Se={wrong[1]} Ah={wrong[2] >> 4} Al={wrong[2] & 15}"
    return Damage(set_bytes(stream, i, at, *wrong), detail, verdict)


@fault("missing scan", named("SOS"))
def _missing_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    start, end = span_of_scan(stream, i)
    optional = stream.frame.progressive and len(stream.scans) > 1
    return Damage(
        (Edit(start, end, b""),),
        f"scan {scan_number(stream, i)} of {len(stream.scans)}",
        ANY if optional else ERROR,
    )


@fault("scan twice", named("SOS"))
def _scan_twice(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    start, end = span_of_scan(stream, i)
    return Damage((Edit(end, end, stream.data[start:end]),), f"scan {scan_number(stream, i)}", ANY)


@fault("scan bomb", when(lambda s: s.frame.progressive and has_height(s), named("SOF")))
def _scan_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    """Thousands of scans that hold next to nothing, of a picture that is not small."""
    last = last_of(stream, "SOS")
    start, end = span_of_scan(stream, last)
    count = draw(st.sampled_from([500, 7000]))
    large = draw(st.booleans())
    header = stream.parts[last].data
    scans = count * (header if large else min(stream.data[start:end], header + b"\0", key=len))
    edits: tuple[Edit, ...] = (Edit(end, end, scans),)
    if large:
        edits = (*set_bytes(stream, i, 5, *2 * struct.pack(">H", 2000)), *edits)
    detail = f"{count} scans" + (" of a picture of 2000x2000" if large else "")
    return Damage(edits, detail, ANY)
