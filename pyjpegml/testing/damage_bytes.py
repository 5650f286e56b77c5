"""Faults of the container and of entropy-coded data: what is lost, surplus, or out of order."""

from __future__ import annotations

from hypothesis import strategies as st

from .damage import (
    Damage,
    Edit,
    between_segments,
    entropy_coded,
    fault,
    is_huffman,
    last_of,
    named,
    replace_part,
    set_bytes,
    span_of,
    span_of_scan,
    start_of,
    when,
    with_length,
)
from .stream import ANY, ERROR, SAME, Stream
from .writer import COM, segment

# --- the container --------------------------------------------------------------------------------


@fault("truncated", named("SOI"))
def _truncated(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.data)
    cut = draw(st.integers(0, size - 1))
    return Damage(
        (Edit(cut, size, b""),), f"cut at byte {cut} of {size}", _cut_verdict(stream, cut)
    )


def _cut_verdict(stream: Stream, cut: int) -> str:
    """What a file is worth of which only the first bytes are there."""
    [eoi] = named("EOI")(stream)
    if cut >= stream.offsets[eoi]:
        return SAME
    last = last_of(stream, "ECS", "DNL")
    if cut >= span_of(stream, last)[1]:
        return ANY  # within what stands before EOI
    heights = named("DNL")(stream)
    if heights and cut < span_of(stream, heights[0])[1]:
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
    return ERROR if at <= named("ECS")(stream)[0] else ANY


_NEEDED = ("SOI", "SOF", "SOS", "DQT", "DHT", "DRI", "DAC", "DNL", "RST", "APP0", "APP14")


@fault("missing EOI", when(lambda s: s.parts[-1].name == "EOI", named("EOI")))
def _missing_eoi(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    return Damage(replace_part(stream, i, b""), "no EOI", SAME)


@fault("missing marker", named(*_NEEDED))
def _missing_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    name = stream.parts[i].name
    edits = replace_part(stream, i, b"")
    needed = name == "SOI" or name.startswith(("SOF", "RST")) or name == "DNL"
    if name == "SOS":
        needed = len(stream.scans) == 1
    if name == "DQT":
        first = i == named("DQT")(stream)[0]
        needed = first or "changed qtables" not in stream.features
    return Damage(edits, f"no {name}", ERROR if needed else ANY)


@fault("duplicated marker", lambda s: [i for i, p in enumerate(s.parts)
                                        if p.name not in ("ECS", "fill", "trailing")])  # fmt: skip
def _duplicated_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    name = stream.parts[i].name
    if name == "SOI" or name.startswith("SOF"):
        verdict = ERROR
    elif name == "SOS":
        verdict = ERROR if is_huffman(stream) else ANY
    else:
        verdict = ANY if name == "DNL" or name.startswith("RST") else SAME
    return Damage(replace_part(stream, i, 2 * stream.parts[i].data), f"{name} twice", verdict)


@fault("swapped parts", lambda s: [i for i in range(len(s.parts) - 1)
                                    if s.parts[i].data != s.parts[i + 1].data])  # fmt: skip
def _swapped_parts(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    a, b = stream.parts[i : i + 2]
    edit = Edit(stream.offsets[i], span_of(stream, i + 1)[1], b.data + a.data)
    return Damage((edit,), f"{b.name} before {a.name}", ANY)


@fault("wrong length", with_length)
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
    return Damage(
        set_bytes(stream, i, 2, wrong >> 8, wrong & 255), f"{wrong}, not {right}", verdict
    )


def _junk(draw: st.DrawFn) -> bytes:
    return draw(st.lists(st.integers(0, 254), min_size=1, max_size=8).map(bytes))


@fault("junk between segments", between_segments)
def _junk_between_segments(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, behind_data = start_of(stream, i)
    junk = _junk(draw)
    # arithmetic data may have lost zeros at their end: there, junk is read as data
    verdict = ANY if behind_data and stream.frame.arithmetic else SAME
    detail = f"{len(junk)} bytes before {stream.parts[i].name}"
    return Damage((Edit(at, at, junk),), detail, verdict)


@fault("junk before RST", named("RST"))
def _junk_before_rst(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = start_of(stream, i)
    junk = _junk(draw)
    verdict = ANY if stream.frame.arithmetic else SAME
    return Damage((Edit(at, at, junk),), f"{len(junk)} bytes", verdict)


@fault("junk before SOI", named("SOI"))
def _junk_before_soi(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    junk = _junk(draw)
    return Damage((Edit(0, 0, junk),), f"{len(junk)} bytes", ANY)


@fault("foreign marker", between_segments)
def _foreign_marker(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = start_of(stream, i)
    code = draw(st.sampled_from([0x01, 0x02, 0xBF, 0xD0, 0xF0, 0xFD]))
    return Damage((Edit(at, at, bytes([0xFF, code])),), f"FF{code:02X}", ANY)


@fault("hierarchical", named("SOF", "SOS"))
def _hierarchical(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = start_of(stream, i)
    if stream.parts[i].name == "SOS":
        extra, detail = segment(0xDF, b"\x11"), "EXP before SOS"
    else:
        extra, detail = segment(0xDE, stream.parts[i].data[4:]), "DHP before SOF"
    return Damage((Edit(at, at, extra),), detail, ERROR)


@fault("segment bomb", between_segments)
def _segment_bomb(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at, _ = start_of(stream, i)
    count = draw(st.sampled_from([100, 5000]))
    return Damage((Edit(at, at, count * segment(COM, b"")),), f"{count} empty comments", SAME)


# --- entropy-coded data ---------------------------------------------------------------------------


@fault("flipped bit", entropy_coded)
def _flipped_bit(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = stream.parts[i].data
    at = draw(st.integers(0, len(data) - 1))
    bit = draw(st.integers(0, 7))
    return Damage(set_bytes(stream, i, at, data[at] ^ 1 << bit), f"bit {bit}", ANY)


@fault("missing stuffing", lambda s: [i for i, p in enumerate(s.parts)
                                       if p.name == "ECS" and b"\xff\0" in p.data])  # fmt: skip
def _missing_stuffing(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    data = stream.parts[i].data
    stuffed = [k for k in range(len(data) - 1) if data[k : k + 2] == b"\xff\0"]
    at = stream.offsets[i] + draw(st.sampled_from(stuffed)) + 1
    return Damage((Edit(at, at + 1, b""),), "an FF without its zero", ANY)


@fault("marker in entropy-coded data", entropy_coded)
def _marker_in_data(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    at = stream.offsets[i] + draw(st.integers(0, len(stream.parts[i].data) - 1))
    name, marker = draw(st.sampled_from([("EOI", b"\xff\xd9"), ("RST0", b"\xff\xd0")]))
    verdict = ERROR if name == "EOI" and is_huffman(stream) else ANY
    return Damage((Edit(at, at, marker),), name, verdict)


@fault("empty interval", entropy_coded)
def _empty_interval(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.parts[i].data)
    verdict = ERROR if is_huffman(stream) else ANY
    return Damage(replace_part(stream, i, b""), f"{size} bytes are not there", verdict)


@fault("lost bytes", entropy_coded)
def _lost_bytes(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    size = len(stream.parts[i].data)
    first = draw(st.integers(0, size - 1))
    count = draw(st.integers(1, size - first))
    at = stream.offsets[i] + first
    return Damage((Edit(at, at + count, b""),), f"{count} bytes are not there", ANY)


@fault("surplus restart marker", named("SOS"))
def _surplus_restart(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    _, end = span_of_scan(stream, i)
    n = draw(st.integers(0, 7))
    return Damage((Edit(end, end, bytes([0xFF, 0xD0 + n])),), f"RST{n} behind a scan", SAME)


@fault("wrong restart number", named("RST"))
def _wrong_restart_number(draw: st.DrawFn, stream: Stream, i: int) -> Damage:
    right = int(stream.parts[i].name[3:])
    wrong = (right + draw(st.integers(1, 7))) % 8
    return Damage(set_bytes(stream, i, 1, 0xD0 + wrong), f"RST{wrong} for RST{right}", ANY)
