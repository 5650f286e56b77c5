"""XMP: properties found without an XML parser, and packets that are too long for one segment."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import xmp
from pyjpegml.metadata import Metadata

PIECE = 65533 - 35 - 40
BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
END = b'\n   \n<?xpacket end="w"?>'


def packet(content: bytes, attributes: bytes = b"") -> bytes:
    """A packet with a description."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b"<rdf:Description " + attributes + b">" + content + b"</rdf:Description>"
        b"</rdf:RDF></x:xmpmeta>"
    )


def naming(extended: bytes) -> bytes:
    """A packet that names its extension."""
    md5 = hashlib.md5(extended).hexdigest().upper().encode()
    return packet(b"", b'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="' + md5 + b'"')


def piece(guid: bytes, full: int, offset: int, data: bytes) -> memoryview:
    return memoryview(struct.pack(">32sII", guid, full, offset) + data)


# --- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b'<a p:Name="value"/>',
        b"<a q:Name='no' p:Name = 'value'/>",
        b'<a\np:Name\n=\n"value"/>',
        b"<p:Name>value</p:Name>",
        b'<p:Name rdf:datatype="x">value</p:Name>',
        b'<a xp:Name="no" x.p:Name="no" x-p:Name="no"/><p:Name>value</p:Name>',
        b'<a p:Names="no"><p:Named>no</p:Named><p:Name>value</p:Name>',
    ],
)
def test_a_property_is_found_in_each_form(text):
    assert xmp.simple_property(text, b"p:Name") == "value"


@pytest.mark.parametrize("text", [b"", b"p:Name", b'p:Name="open', b"<p:Name>open", b"<p:Name/>"])
def test_a_property_that_is_not_there(text):
    assert xmp.simple_property(text, b"p:Name") is None


def test_a_prefix_is_the_one_that_the_packet_declares():
    text = packet(b"", b"xmlns:a.b-1='http://ns.adobe.com/xmp/note/'")
    assert xmp.prefix(text, xmp.NOTE) == b"a.b-1"
    assert xmp.prefix(text, b"http://ns.adobe.com/xmp/not") is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [b'p:Name="', b"p:Name='", b"<p:Name ", b"<p:Name>", b"p:Name" + b" " * 50, b" ", b"xmlns:a",
     b"xmlns:" + b"a" * 50, b"p:Name=\"'", b"<", b"p"],
)  # fmt: skip
def test_text_made_to_be_slow_is_searched_as_others(unit):
    # a search that went back over a run would need hours for this
    text = unit * (2_000_000 // len(unit))
    xmp.prefix(text, xmp.NOTE)
    found = xmp.simple_property(text, b"p:Name")
    assert found is None or len(found) < 60


# --- segments -------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_a_packet_comes_back(data):
    (segment,) = xmp.xmp_segments(data)
    assert Metadata((segment,)).xmp == data


def test_the_longest_packet_in_one_segment():
    (segment,) = xmp.xmp_segments(bytes(65504))
    assert len(segment[1]) == 65533
    assert len(xmp.xmp_segments(packet(bytes(65504)))) == 3


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("size", [65505, 2 * PIECE, 2 * PIECE + 1, 500_000])
def test_a_long_packet_becomes_an_extension(size, wrapped):
    inner = packet(b"x" * (size - len(packet(b""))))
    segments = xmp.xmp_segments(BEGIN + inner + END if wrapped else inner)
    assert len(segments) == 1 + -(-size // PIECE)
    assert all(code == 0xE1 and len(payload) <= 65533 for code, payload in segments)
    metadata = Metadata(segments)
    assert metadata.extended_xmp == inner
    assert metadata.xmp is not None
    assert xmp.extension_guid(metadata.xmp) == hashlib.md5(inner).hexdigest().upper().encode()
    assert metadata.warnings == ()


@given(st.binary(min_size=1, max_size=300))
def test_an_extension_comes_back_as_it_was_read(extended):
    metadata = Metadata(xmp.xmp_segments(naming(extended), extended))
    assert metadata.xmp == naming(extended)
    assert metadata.extended_xmp == extended
    assert metadata.warnings == ()


def test_what_cannot_be_written_is_refused():
    with pytest.raises(ValueError, match="at most 65504 bytes, not 70000"):
        xmp.xmp_segments(bytes(70000), b"extension")
    with pytest.raises(ValueError, match="does not name the MD5 of its extension"):
        xmp.xmp_segments(packet(b""), b"extension")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BEGIN + b"<x/>" + END, b"<x/>"),
        (b"<x/>", b"<x/>"),
        (b"  <x/>\n", b"<x/>"),
        (b"<?xpacket begin", b"<?xpacket begin"),
        (b"<x/>?>", b"<x/>?>"),
    ],
)
def test_a_packet_without_its_wrapper(text, expected):
    assert xmp.without_wrapper(text) == expected


# --- defects of an extension ----------------------------------------------------------------------

WHOLE = b"an extension in pieces, thirty-nine long"
GUID = hashlib.md5(WHOLE).hexdigest().upper().encode()
FULL = len(WHOLE)
A, B, C = (piece(GUID, FULL, at, WHOLE[at : at + 15]) for at in (0, 15, 30))


def joined(*pieces: memoryview, guid: bytes | None = GUID) -> tuple[bytes | None, list]:
    found, problems = xmp.extension_pieces(guid, pieces)
    return None if found is None else b"".join(found), problems


def test_pieces_in_order_and_none():
    assert joined(A, B, C) == (WHOLE, [])
    assert joined(guid=None) == (None, [])


@given(st.permutations([A, B, C]))
def test_pieces_out_of_order(order):
    got, problems = joined(*order)
    assert got == WHOLE
    assert bool(problems) == (order != [A, B, C])


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([A, B, B, C], (2, "the piece at 15 is there twice")),
        ([A, B, C, piece(bytes(32), FULL, 0, b"x")],
         (3, "the packet does not name this piece; it does not count")),
        ([A, memoryview(b"short"), B, C], (1, "a piece has at least 40 bytes, not 5")),
    ],
)  # fmt: skip
def test_defects_that_do_no_harm(pieces, problem):
    assert joined(*pieces) == (WHOLE, [problem])


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([], (None, "the packet names an extension that is not there")),
        ([A, C], (1, "bytes 15 to 29 of the extension are missing")),
        ([A, B, piece(GUID, FULL, 15, bytes(15)), C],
         (2, "bytes 15 to 29 of the extension are there twice")),
        ([B, C], (0, "bytes 0 to 14 of the extension are missing")),
        ([A, B], (1, "the extension has 40 bytes, and its pieces end at 30")),
        ([A, B, piece(GUID, FULL, 25, WHOLE[25:])],
         (2, "bytes 25 to 29 of the extension are there twice")),
        ([A, B, piece(GUID, FULL, 30, WHOLE[30:] + b"more")],
         (2, "the extension has 40 bytes, and its pieces end at 44")),
        ([A, piece(GUID, 41, 15, WHOLE[15:30]), C], (1, "the full length is 41, and was 40")),
        ([piece(GUID, 2**32 - 1, 2**32 - 1, b"x")],
         (0, "bytes 0 to 4294967294 of the extension are missing")),
    ],
)  # fmt: skip
def test_an_extension_that_cannot_be_put_together(pieces, problem):
    got, problems = joined(*pieces)
    assert got is None
    assert problem in problems


def test_an_extension_that_no_packet_names():
    got, problems = joined(A, guid=None)
    assert got is None
    assert problems == [(0, "the packet does not name this piece; it does not count")]


def test_an_extension_whose_md5_is_another():
    other = piece(GUID, 3, 0, b"abc")
    assert joined(other) == (
        b"abc",
        [(0, "the extension's MD5 is not the one that its pieces name")],
    )


def test_a_guid_in_small_letters_is_the_same():
    assert joined(piece(GUID.lower(), FULL, 0, WHOLE)) == (WHOLE, [])


pieces = st.builds(
    piece, st.sampled_from([GUID, bytes(32)]), st.integers(0, 9), st.integers(0, 9),
    st.binary(max_size=4),
)  # fmt: skip


@pytest.mark.hostile
@given(st.lists(st.one_of(st.binary(max_size=50).map(memoryview), pieces)))
def test_any_pieces_are_an_extension_or_a_problem(segments):
    found, problems = xmp.extension_pieces(GUID, segments)
    assert found is not None or problems
    assert sum(map(len, found or [])) <= sum(map(len, segments))
    assert all(i is None or 0 <= i < len(segments) for i, _ in problems)


# --- orientation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", range(2, 9))
@pytest.mark.parametrize(
    "text",
    ["t:Orientation='{}'", 't:Orientation = "{}"', "><t:Orientation>{}</t:Orientation"],
)
def test_an_orientation_becomes_upright(value, text):
    packet = f"<x xmlns:t='http://ns.adobe.com/tiff/1.0/' o:Orientation='7' {text}>"
    expected = packet.format(1).encode()
    assert xmp.with_upright_orientation(packet.format(value).encode()) == expected
    assert xmp.with_upright_orientation(expected) == expected


def test_other_orientations_are_left():
    for packet in (
        b"<x xmlns:o='http://other/' o:Orientation='7'>",
        b"<x xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientations='7' nt:Orientation='7'>",
        b"<x xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='9'>",
    ):
        assert xmp.with_upright_orientation(packet) == packet
