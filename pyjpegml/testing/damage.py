"""The named faults: how a sound stream is damaged, and what a decoder may make of it.

Each fault is a function of a stream and of one of its parts, registered with the parts that it can
be applied to. Verdicts are those of T.81, not of any decoder:

- ``"error"``: the standard forbids it, and the picture depends on it. An error (or a warning, from
  decoders that always return a picture) has to come.
- ``"same"``: nothing that the picture depends on has changed. A decoder gives the same content,
  with a warning or without.
- ``"any"``: it may be noticed or not; a decoder raises an error or returns some picture.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from .stream import Part, Stream
from .writer import COM, DAC, segment

ERROR, SAME, ANY = "error", "same", "any"


@dataclass(frozen=True)
class Edit:
    """Bytes `start` to `stop` of a file are replaced by others."""

    start: int
    stop: int
    data: bytes


@dataclass(frozen=True)
class Damage:
    """A fault that is about to be made: edits in ascending order, what it is, and the verdict."""

    edits: tuple[Edit, ...]
    detail: str
    verdict: str


Make = Callable[[st.DrawFn, Stream, int], Damage]


@dataclass(frozen=True)
class Kind:
    """A named fault: to which parts of a stream it applies, and the damage that it does there."""

    places: Callable[[Stream], Sequence[int]]
    make: Make


KINDS: dict[str, Kind] = {}
"""All faults by name."""


def _fault(name: str, places: Callable[[Stream], Iterable[int]]) -> Callable[[Make], Make]:
    """Register a fault under its name."""

    def register(make: Make) -> Make:
        KINDS[name] = Kind(lambda stream: list(places(stream)), make)
        return make

    return register


# --- places ---------------------------------------------------------------------------------------


def _named(*names: str) -> Callable[[Stream], list[int]]:
    """Parts of these names; ``"SOF"`` and ``"RST"`` stand for all of theirs."""

    def places(stream: Stream) -> list[int]:
        return [
            i for i, p in enumerate(stream.parts) if p.name in names or p.name[:3] in names
        ]  # fmt: skip

    return places


def _when(
    condition: Callable[[Stream], bool], places: Callable[[Stream], Iterable[int]]
) -> Callable[[Stream], Iterable[int]]:
    """Places in streams of a kind, none in others."""
    return lambda stream: places(stream) if condition(stream) else ()


def _is_huffman(stream: Stream) -> bool:
    return not stream.frame.arithmetic


def _interleaved(stream: Stream) -> bool:
    return any(len(scan.components) > 1 for scan in stream.scans)


def _is_arithmetic(stream: Stream) -> bool:
    return stream.frame.arithmetic


def _has_height(stream: Stream) -> bool:
    return not any(p.name == "DNL" for p in stream.parts)


def _entropy_coded(stream: Stream) -> list[int]:
    """Restart intervals that are not empty."""
    return [i for i, p in enumerate(stream.parts) if p.name == "ECS" and p.data]


def _with_length(stream: Stream) -> list[int]:
    return [i for i, p in enumerate(stream.parts) if p.has_length]


def _between_segments(stream: Stream) -> list[int]:
    """Markers before which other bytes may be put: all but SOI, RST, and DNL."""
    return [
        i
        for i, p in enumerate(stream.parts)
        if (p.has_length and p.name != "DNL") or p.name == "EOI"
    ]


# --- edits ----------------------------------------------------------------------------------------


def _span(stream: Stream, i: int) -> tuple[int, int]:
    """Where a part starts and ends."""
    return stream.offsets[i], stream.offsets[i] + len(stream.parts[i].data)


def _before(stream: Stream, i: int) -> tuple[int, bool]:
    """Offset of a marker or of its fill bytes, and whether entropy-coded data stand before it."""
    while stream.parts[i - 1].name == "fill":
        i -= 1
    return stream.offsets[i], stream.parts[i - 1].name == "ECS"


def _replace(stream: Stream, i: int, data: bytes) -> tuple[Edit, ...]:
    """A part becomes other bytes."""
    return (Edit(*_span(stream, i), data),)


def _poke(stream: Stream, i: int, at: int, *values: int) -> tuple[Edit, ...]:
    """Bytes of a part change."""
    start = stream.offsets[i] + at
    return (Edit(start, start + len(values), bytes(values)),)


def _scan_number(stream: Stream, i: int) -> int:
    """Which scan an SOS part belongs to."""
    return sum(p.name == "SOS" for p in stream.parts[:i])


def _last(stream: Stream, *names: str) -> int:
    return max(i for i, p in enumerate(stream.parts) if p.name in names)


# --- the container --------------------------------------------------------------------------------


@_fault("truncated", _named("SOI"))
def _truncated(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.data)
    cut = draw(st.integers(0, size - 1))
    return Damage(
        (Edit(cut, size, b""),), f"cut at byte {cut} of {size}", _cut_verdict(stream, cut)
    )


def _cut_verdict(stream: Stream, cut: int) -> str:
    """What a file is worth of which only the first bytes are there."""
    [eoi] = _named("EOI")(stream)
    if cut >= stream.offsets[eoi]:
        return SAME
    last = _last(stream, "ECS", "DNL")
    if cut >= _span(stream, last)[1]:
        return ANY  # within what stands before EOI
    heights = _named("DNL")(stream)
    if heights and cut < _span(stream, heights[0])[1]:
        return ERROR
    at = max(i for i, offset in enumerate(stream.offsets) if offset <= cut)
    coded = stream.parts[at].name == "ECS" and cut > stream.offsets[at]
    if stream.frame.arithmetic:
        # the rest reads as zeros, which need not be wrong; markers must be there
        first = next(i for i, p in enumerate(stream.parts) if p.name == "ECS")
        needed = first if stream.frame.progressive else last
        return ERROR if cut < stream.offsets[needed] else ANY
    if coded and stream.data[cut - 1] == 0xFF:
        return ANY  # an FF without its zero: the data may be all there
    if coded or not stream.frame.progressive:
        return ERROR
    return ERROR if at <= _named("ECS")(stream)[0] else ANY


_NEEDED = ("SOI", "SOF", "SOS", "DQT", "DHT", "DRI", "DAC", "DNL", "RST", "APP0", "APP14")


@_fault("missing EOI", _when(lambda s: s.parts[-1].name == "EOI", _named("EOI")))
def _missing_eoi(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    return Damage(_replace(stream, i, b""), "no EOI", SAME)


@_fault("missing marker", _named(*_NEEDED))
def _missing_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    name = stream.parts[i].name
    edits = _replace(stream, i, b"")
    needed = name == "SOI" or name.startswith(("SOF", "RST")) or name == "DNL"
    if name == "SOS":
        needed = len(stream.scans) == 1
    if name == "DQT":
        first = i == _named("DQT")(stream)[0]
        needed = first or "changed qtables" not in stream.features
    return Damage(edits, f"no {name}", ERROR if needed else ANY)


@_fault("duplicated marker", lambda s: [i for i, p in enumerate(s.parts)
                                        if p.name not in ("ECS", "fill", "trailing")])  # fmt: skip
def _duplicated_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    name = stream.parts[i].name
    if name == "SOI" or name.startswith("SOF"):
        verdict = ERROR
    elif name == "SOS":
        verdict = ERROR if _is_huffman(stream) else ANY
    else:
        verdict = ANY if name == "DNL" or name.startswith("RST") else SAME
    return Damage(_replace(stream, i, 2 * stream.parts[i].data), f"{name} twice", verdict)


@_fault("swapped parts", lambda s: [i for i in range(len(s.parts) - 1)
                                    if s.parts[i].data != s.parts[i + 1].data])  # fmt: skip
def _swapped_parts(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    a, b = stream.parts[i : i + 2]
    edit = Edit(stream.offsets[i], _span(stream, i + 1)[1], b.data + a.data)
    return Damage((edit,), f"{b.name} before {a.name}", ANY)


@_fault("wrong length", _with_length)
def _wrong_length(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    part = stream.parts[i]
    right = len(part.data) - 2
    wrong = draw(
        st.sampled_from([0, 1, right - 1, right - 2, right + 1, right + 2, right + 7, 0xFFFF])
        .filter(lambda length: length != right)
    )  # fmt: skip
    skipped = part.name.startswith("APP") or part.name == "COM"
    verdict = ANY
    if skipped:
        rest = part.data[2 + wrong :]
        if 2 <= wrong < right and part.name not in ("APP0", "APP14") and 0xFF not in rest:
            verdict = SAME  # the rest is junk between segments
    elif wrong < 2 or (wrong < right and part.name != "DAC"):
        verdict = ERROR
    return Damage(_poke(stream, i, 2, wrong >> 8, wrong & 255), f"{wrong}, not {right}", verdict)


def _junk(draw: st.DrawFn) -> bytes:
    return draw(st.lists(st.integers(0, 254), min_size=1, max_size=8).map(bytes))


@_fault("junk between segments", _between_segments)
def _junk_between_segments(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, behind_data = _before(stream, i)
    junk = _junk(draw)
    # arithmetic data may have lost zeros at their end: there, junk is read as data
    verdict = ANY if behind_data and stream.frame.arithmetic else SAME
    detail = f"{len(junk)} bytes before {stream.parts[i].name}"
    return Damage((Edit(at, at, junk),), detail, verdict)


@_fault("junk before RST", _named("RST"))
def _junk_before_rst(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = _before(stream, i)
    junk = _junk(draw)
    verdict = ANY if stream.frame.arithmetic else SAME
    return Damage((Edit(at, at, junk),), f"{len(junk)} bytes", verdict)


@_fault("junk before SOI", _named("SOI"))
def _junk_before_soi(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    junk = _junk(draw)
    return Damage((Edit(0, 0, junk),), f"{len(junk)} bytes", ANY)


@_fault("foreign marker", _between_segments)
def _foreign_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = _before(stream, i)
    code = draw(st.sampled_from([0x01, 0x02, 0xBF, 0xD0, 0xF0, 0xFD]))
    return Damage((Edit(at, at, bytes([0xFF, code])),), f"FF{code:02X}", ANY)


@_fault("hierarchical", _named("SOF", "SOS"))
def _hierarchical(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = _before(stream, i)
    if stream.parts[i].name == "SOS":
        extra, detail = segment(0xDF, b"\x11"), "EXP before SOS"
    else:
        extra, detail = segment(0xDE, stream.parts[i].data[4:]), "DHP before SOF"
    return Damage((Edit(at, at, extra),), detail, ERROR)


@_fault("segment bomb", _between_segments)
def _segment_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = _before(stream, i)
    count = draw(st.sampled_from([100, 5000]))
    return Damage((Edit(at, at, count * segment(COM, b"")),), f"{count} empty comments", SAME)


# --- entropy-coded data ---------------------------------------------------------------------------


@_fault("flipped bit", _entropy_coded)
def _flipped_bit(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = stream.parts[i].data
    at = draw(st.integers(0, len(data) - 1))
    bit = draw(st.integers(0, 7))
    return Damage(_poke(stream, i, at, data[at] ^ 1 << bit), f"bit {bit}", ANY)


@_fault("missing stuffing", lambda s: [i for i, p in enumerate(s.parts)
                                       if p.name == "ECS" and b"\xff\0" in p.data])  # fmt: skip
def _missing_stuffing(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = stream.parts[i].data
    stuffed = [k for k in range(len(data) - 1) if data[k : k + 2] == b"\xff\0"]
    at = stream.offsets[i] + draw(st.sampled_from(stuffed)) + 1
    return Damage((Edit(at, at + 1, b""),), "an FF without its zero", ANY)


@_fault("marker in entropy-coded data", _entropy_coded)
def _marker_in_data(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = stream.offsets[i] + draw(st.integers(0, len(stream.parts[i].data) - 1))
    name, marker = draw(st.sampled_from([("EOI", b"\xff\xd9"), ("RST0", b"\xff\xd0")]))
    verdict = ERROR if name == "EOI" and _is_huffman(stream) else ANY
    return Damage((Edit(at, at, marker),), name, verdict)


@_fault("empty interval", _entropy_coded)
def _empty_interval(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.parts[i].data)
    verdict = ERROR if _is_huffman(stream) else ANY
    return Damage(_replace(stream, i, b""), f"{size} bytes are not there", verdict)


@_fault("lost bytes", _entropy_coded)
def _lost_bytes(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.parts[i].data)
    first = draw(st.integers(0, size - 1))
    count = draw(st.integers(1, size - first))
    at = stream.offsets[i] + first
    return Damage((Edit(at, at + count, b""),), f"{count} bytes are not there", ANY)


@_fault("surplus restart marker", _named("SOS"))
def _surplus_restart(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    _, end = _scan_span(stream, i)
    n = draw(st.integers(0, 7))
    return Damage((Edit(end, end, bytes([0xFF, 0xD0 + n])),), f"RST{n} behind a scan", SAME)


@_fault("wrong restart number", _named("RST"))
def _wrong_restart_number(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = int(stream.parts[i].name[3:])
    wrong = (right + draw(st.integers(1, 7))) % 8
    return Damage(_poke(stream, i, 1, 0xD0 + wrong), f"RST{wrong} for RST{right}", ANY)


# --- tables ---------------------------------------------------------------------------------------


def _huffman_tables(part: Part) -> list[tuple[int, int]]:
    """Offset in a DHT part and number of symbols of each of its tables."""
    tables, at = [], 4
    while at < len(part.data):
        count = sum(part.data[at + 1 : at + 17])
        tables.append((at, count))
        at += 17 + count
    return tables


def _quantization_tables(part: Part) -> list[int]:
    """Offset in a DQT part of each of its tables."""
    tables, at = [], 4
    while at < len(part.data):
        tables.append(at)
        at += 129 if part.data[at] >> 4 else 65
    return tables


@_fault("oversubscribed Huffman table", _named("DHT"))
def _oversubscribed(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = bytearray(stream.parts[i].data)
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    data[at + 1] += 3  # codes of one bit
    data[at + 17 : at + 17] = bytes([0, 1, 2])
    data[2:4] = struct.pack(">H", len(data) - 2)
    return Damage(_replace(stream, i, bytes(data)), f"table {data[at]:02x}", ERROR)


@_fault("too many Huffman codes", _named("DHT"))
def _too_many_codes(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    return Damage(_poke(stream, i, at + 16, 255), "255 codes of 16 bits", ERROR)


@_fault("missing Huffman code", _named("DHT"))
def _missing_code(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = bytearray(stream.parts[i].data)
    at, count = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    longest = max(k for k in range(1, 17) if data[at + k])
    data[at + longest] -= 1
    symbol = data.pop(at + 16 + count)
    data[2:4] = struct.pack(">H", len(data) - 2)
    return Damage(_replace(stream, i, bytes(data)), f"no code of symbol {symbol:02x}", ANY)


@_fault("wrong Huffman symbol", _named("DHT"))
def _wrong_symbol(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, count = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    at += 17 + draw(st.integers(0, count - 1))
    right = stream.parts[i].data[at]
    wrong = draw(st.sampled_from([0xFF, 0x11, 0x0F, 0x10, 0x01]).filter(lambda s: s != right))
    return Damage(_poke(stream, i, at, wrong), f"{wrong:02x} for {right:02x}", ANY)


@_fault("Huffman table slot out of range", _named("DHT"))
def _huffman_slot(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = draw(st.sampled_from(_huffman_tables(stream.parts[i])))
    wrong = draw(st.sampled_from([0x04, 0x14, 0x20, 0xFF]))
    return Damage(_poke(stream, i, at, wrong), f"class and slot {wrong:02x}", ERROR)


@_fault("undefined Huffman table", _when(_is_huffman, _named("SOS")))
def _undefined_huffman(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    scan = stream.scans[_scan_number(stream, i)]
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
    return Damage(_poke(stream, i, 6 + 2 * n, slot << 4 | slot), f"slot {slot}", verdict)


@_fault("zero quantizer step", _named("DQT"))
def _zero_step(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = draw(st.sampled_from(_quantization_tables(stream.parts[i])))
    k = draw(st.integers(0, 63))
    wide = stream.parts[i].data[at] >> 4
    edits = _poke(stream, i, at + 1 + (k << wide), *[0] * (1 + wide))
    return Damage(edits, f"step {k} in zigzag order", ERROR)


@_fault("quantization table slot out of range", _named("DQT"))
def _qtable_slot(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = draw(st.sampled_from(_quantization_tables(stream.parts[i])))
    wrong = draw(st.sampled_from([0x04, 0x0F, 0x20, 0xF0]))
    return Damage(_poke(stream, i, at, wrong), f"precision and slot {wrong:02x}", ERROR)


@_fault("undefined quantization table", _when(lambda s: not s.frame.lossless, _named("SOF")))
def _undefined_qtable(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    unused = {0, 1, 2, 3} - {c.table for c in stream.frame.components}
    slot = min(unused, default=4)
    n = draw(st.integers(0, len(stream.frame.components) - 1))
    return Damage(_poke(stream, i, 12 + 3 * n, slot), f"slot {slot}", ERROR)


@_fault("illegal arithmetic conditioning", _when(_is_arithmetic, _named("SOS")))
def _illegal_conditioning(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = _before(stream, i)
    wrong = draw(st.sampled_from([b"\x00\x25", b"\x10\x00", b"\x10\x40", b"\x20\x10", b"\x04\x10"]))
    return Damage((Edit(at, at, segment(DAC, wrong)),), wrong.hex(" "), ERROR)


@_fault("wrong restart interval", _named("DRI"))
def _wrong_restart_interval(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = struct.unpack(">H", stream.parts[i].data[4:6])[0]
    wrong = draw(st.sampled_from([0, 1, right + 1, 0xFFFF]).filter(lambda n: n != right))
    return Damage(_poke(stream, i, 4, wrong >> 8, wrong & 255), f"{wrong}, not {right}", ANY)


# --- the frame ------------------------------------------------------------------------------------


@_fault("sampling factors out of range", _named("SOF"))
def _sampling(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    n = draw(st.integers(0, len(stream.frame.components) - 1))
    wrong = draw(st.sampled_from([0x00, 0x10, 0x01, 0x51, 0x15, 0xFF]))
    return Damage(_poke(stream, i, 11 + 3 * n, wrong), f"factors {wrong:02x}", ERROR)


@_fault("too many blocks in an MCU", _when(_interleaved, _named("SOF")))
def _too_many_blocks(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    edits = tuple(
        edit for n in range(len(stream.frame.components))
        for edit in _poke(stream, i, 11 + 3 * n, 0x44)
    )  # fmt: skip
    return Damage(edits, "4x4 for all components", ERROR)


@_fault("no width", _named("SOF"))
def _no_width(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    return Damage(_poke(stream, i, 7, 0, 0), "0 columns", ERROR)


@_fault("no height", lambda s: _named("DNL")(s) or _named("SOF")(s))
def _no_height(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = 4 if stream.parts[i].name == "DNL" else 5
    return Damage(_poke(stream, i, at, 0, 0), "0 rows", ERROR)


@_fault("dimension bomb", _named("SOF"))
def _dimension_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = draw(st.sampled_from([0xFFFF, 0xFFDC, 0x8000]))
    edits = _poke(stream, i, 5, *2 * struct.pack(">H", size))
    return Damage(edits, f"{size} rows and columns", ERROR)


@_fault("too many rows", _when(_has_height, _named("SOF")))
def _too_many_rows(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    rows = stream.frame.height + 64
    verdict = ERROR if _is_huffman(stream) else ANY
    return Damage(_poke(stream, i, 5, rows >> 8, rows & 255), f"{rows} rows", verdict)


@_fault("wrong number of components", _named("SOF"))
def _component_count(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = len(stream.frame.components)
    wrong = draw(st.sampled_from([0, right + 1, 255]))
    return Damage(_poke(stream, i, 9, wrong), f"{wrong}, not {right}", ERROR)


@_fault("component twice in the frame", _when(lambda s: len(s.frame.components) > 1, _named("SOF")))
def _component_twice(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    first = stream.frame.components[0].identifier
    return Damage(_poke(stream, i, 13, first), f"identifier {first}", ERROR)


@_fault("illegal precision", _named("SOF"))
def _illegal_precision(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    possible = [0, 1, 17, 255] if stream.frame.lossless else [0, 1, 7, 9, 13, 16, 255]
    wrong = draw(st.sampled_from(possible))
    return Damage(_poke(stream, i, 4, wrong), f"{wrong} bits", ERROR)


@_fault("process that nobody decodes", _named("SOF"))
def _unsupported_process(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    sof = draw(st.sampled_from([5, 6, 7, 8, 13, 14, 15]))
    return Damage(_poke(stream, i, 1, 0xC0 + sof), f"SOF{sof}", ERROR)


@_fault("another process", _named("SOF"))
def _other_process(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    sof = draw(st.sampled_from([0, 1, 2, 3, 9, 10]).filter(lambda n: n != stream.frame.sof))
    return Damage(_poke(stream, i, 1, 0xC0 + sof), f"SOF{sof}", ANY)


# --- scans ----------------------------------------------------------------------------------------


@_fault("unknown component in a scan", _named("SOS"))
def _unknown_component(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    known = {c.identifier for c in stream.frame.components}
    wrong = min(set(range(256)) - known)
    return Damage(_poke(stream, i, 5, wrong), f"identifier {wrong}", ERROR)


@_fault("component twice in a scan", lambda s: [i for i in _named("SOS")(s)
                                                if s.parts[i].data[4] > 1])  # fmt: skip
def _component_twice_in_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    first = stream.parts[i].data[5]
    return Damage(_poke(stream, i, 7, first), f"identifier {first}", ERROR)


@_fault("wrong number of components in a scan", _named("SOS"))
def _scan_count(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    wrong = draw(st.sampled_from([0, 5, 255]))
    return Damage(_poke(stream, i, 4, wrong), f"{wrong} components", ERROR)


@_fault("illegal scan parameters", _named("SOS"))
def _illegal_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    scan = stream.scans[_scan_number(stream, i)]
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
    return Damage(_poke(stream, i, at, *wrong), detail, verdict)


def _scan_span(stream: Stream, i: int) -> tuple[int, int]:
    """Where a scan starts and ends: SOS and its entropy-coded data."""
    end = i + 1
    while stream.parts[end].name in ("ECS", "fill") or stream.parts[end].name.startswith("RST"):
        end += 1
    while stream.parts[end - 1].name == "fill":
        end -= 1  # they belong to the next marker
    return stream.offsets[i], stream.offsets[end]


@_fault("missing scan", _named("SOS"))
def _missing_scan(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    start, end = _scan_span(stream, i)
    optional = stream.frame.progressive and len(stream.scans) > 1
    return Damage(
        (Edit(start, end, b""),),
        f"scan {_scan_number(stream, i)} of {len(stream.scans)}",
        ANY if optional else ERROR,
    )


@_fault("scan twice", _named("SOS"))
def _scan_twice(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    start, end = _scan_span(stream, i)
    return Damage((Edit(end, end, stream.data[start:end]),), f"scan {_scan_number(stream, i)}", ANY)


@_fault("scan bomb", _when(lambda s: s.frame.progressive and _has_height(s), _named("SOF")))
def _scan_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    """Thousands of scans that hold next to nothing, of a picture that is not small."""
    last = _last(stream, "SOS")
    start, end = _scan_span(stream, last)
    count = draw(st.sampled_from([500, 7000]))
    large = draw(st.booleans())
    header = stream.parts[last].data
    scans = count * (header if large else min(stream.data[start:end], header + b"\0", key=len))
    edits: tuple[Edit, ...] = (Edit(end, end, scans),)
    if large:
        edits = (*_poke(stream, i, 5, *2 * struct.pack(">H", 2000)), *edits)
    detail = f"{count} scans" + (" of a picture of 2000x2000" if large else "")
    return Damage(edits, detail, ANY)
