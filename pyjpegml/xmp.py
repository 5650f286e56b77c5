"""XMP: a packet of RDF in one APP1 segment, and what does not fit there in others.

A packet is text in UTF-8 behind ``http://ns.adobe.com/xap/1.0/ 00`` (ISO 16684-3, 5.1.3). What
exceeds a segment is a second document, *extended XMP*: the packet names its MD5 as
``xmpNote:HasExtendedXMP``, and segments behind ``http://ns.adobe.com/xmp/extension/ 00`` hold
pieces of it: 32 hexadecimal digits of that MD5, the full length, the offset of the piece (32 bits
each, big-endian), bytes.

XML from a file is never parsed as XML: entities and nesting are what attackers send. A few
properties are found by regular expressions that look at each byte a bounded number of times.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence

from .segments import APP1, LARGEST_PAYLOAD, Problems

SIGNATURE = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"

#: Namespace of ``HasExtendedXMP``.
NOTE = b"http://ns.adobe.com/xmp/note/"

#: Namespace of TIFF's properties.
TIFF = b"http://ns.adobe.com/tiff/1.0/"

_PIECE = struct.Struct(">32sII")


def prefix(packet: bytes | memoryview, namespace: bytes) -> bytes | None:
    """The prefix that a packet declares for a namespace, the first one; None if there is none."""
    found = re.search(
        rb"""xmlns:([\w.-]++)\s*+=\s*+["']""" + re.escape(namespace) + rb"""["']""", packet
    )
    return found[1] if found else None


def simple_property(packet: bytes | memoryview, name: bytes) -> str | None:
    """A property with a text as its value, written as attribute or as element (ISO 16684-1, 7.4).

    Parameters
    ----------
    packet : bytes or memoryview
    name : bytes
        With the prefix that this packet uses, such as ``b"hdrgm:Version"``.
    """
    name = re.escape(name)
    found = re.search(
        rb"(?<![\w.:-])" + name + rb"""\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""", packet
    ) or re.search(rb"<" + name + rb"(?:\s[^<>]*+)?>([^<]*+)<", packet)
    if not found:
        return None
    return next(group for group in found.groups() if group is not None).decode("utf-8", "replace")


def with_simple_property(packet: bytes, name: bytes, value: bytes) -> bytes:
    """The same packet with another text for a property that :func:`simple_property` finds."""
    name = re.escape(name)
    for pattern in (
        rb"""((?<![\w.:-])""" + name + rb"""\s*+=\s*+")[^"]*+""",
        rb"""((?<![\w.:-])""" + name + rb"""\s*+=\s*+')[^']*+""",
        rb"(<" + name + rb"(?:\s[^<>]*+)?>)[^<]*+(?=<)",
    ):
        changed, count = re.subn(pattern, lambda m: m[1] + value, packet, count=1)
        if count:
            return changed
    return packet


def with_upright_orientation(packet: bytes) -> bytes:
    """The same packet with 1 for an orientation of 2 to 8, if it says one (XMP part 2, 8.3)."""
    tiff = prefix(packet, TIFF)
    if tiff is None:
        return packet
    name = re.escape(tiff) + rb":Orientation"
    return re.sub(
        rb"((?<![\w.:-])" + name + rb"""\s*+=\s*+["']|<""" + name + rb">)[2-8]", rb"\g<1>1", packet
    )


def extension_guid(packet: bytes | memoryview) -> bytes | None:
    """The MD5 by which a packet names its extension; None if it has none."""
    note = prefix(packet, NOTE)
    guid = simple_property(packet, note + b":HasExtendedXMP") if note else None
    return guid.strip().upper().encode() if guid is not None else None


def extension_pieces(
    guid: bytes | None, segments: Sequence[memoryview]
) -> tuple[list[memoryview] | None, Problems]:
    """The pieces of extended XMP in order, and what is wrong, by segment (ISO 16684-3, 5.1.3.1).

    Parameters
    ----------
    guid : bytes or None
        As the packet has it.
    segments : sequence of memoryview
        What stands behind the signature, in file order.

    Returns
    -------
    list of memoryview, or None if it cannot be put together; list of (segment or None, problem)
    """
    problems: Problems = []
    pieces: list[tuple[int, int, memoryview]] = []
    full = None
    sound = True
    for i, segment in enumerate(segments):
        if len(segment) < _PIECE.size:
            problems.append((i, f"a piece has at least {_PIECE.size} bytes, not {len(segment)}"))
            continue
        its_guid, its_full, offset = _PIECE.unpack_from(segment)
        if its_guid.upper() != guid:
            problems.append((i, "the packet does not name this piece; it does not count"))
            continue
        if full is None:
            full = its_full
        elif full != its_full:
            problems.append((i, f"the full length is {its_full}, and was {full}"))
            sound = False
        pieces.append((offset, i, segment[_PIECE.size :]))
    if full is None:
        if guid is not None:
            problems.append((None, "the packet names an extension that is not there"))
        return None, problems
    if pieces != sorted(pieces, key=lambda piece: piece[:2]):
        problems.append((pieces[0][1], "the pieces are out of order"))
        pieces.sort(key=lambda piece: piece[:2])

    ordered: list[memoryview] = []
    position = start = 0  # end and beginning of the piece before
    for offset, i, piece in pieces:
        if ordered and offset == start and piece == ordered[-1]:
            problems.append((i, f"the piece at {offset} is there twice"))
            continue
        if offset != position:
            low, high = sorted((offset, position))
            what = "are missing" if offset > position else "are there twice"
            problems.append((i, f"bytes {low} to {high - 1} of the extension {what}"))
            sound = False
        ordered.append(piece)
        start, position = offset, offset + len(piece)
    if position != full:
        last = pieces[-1][1]
        problems.append((last, f"the extension has {full} bytes, and its pieces end at {position}"))
        sound = False
    if not sound:
        return None, problems
    if _guid(ordered) != guid:
        problems.append((pieces[0][1], "the extension's MD5 is not the one that its pieces name"))
    return ordered, problems


def _guid(pieces: Sequence[bytes | memoryview]) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest().upper().encode()


def without_wrapper(packet: bytes) -> bytes:
    """A packet without its ``<?xpacket?>`` instructions, and without white space around it."""
    text = packet.strip()
    if text.startswith(b"<?xpacket "):
        text = text.partition(b"?>")[2] or text
    if text.endswith(b"?>"):
        text = text[: text.rfind(b"<?xpacket end=")] if b"<?xpacket end=" in text else text
    return text.strip()


def xmp_segments(packet: bytes, extended: bytes = b"") -> tuple[tuple[int, bytes], ...]:
    """Code and payload of the segments that hold XMP (ISO 16684-3, 5.1.3).

    Parameters
    ----------
    packet : bytes
        If it does not fit into one segment, all of it (without its wrapper) becomes the extension
        of a packet that holds nothing else. Programs that read only the main packet, such as
        those that look for gain maps, then see no property.
    extended : bytes
        Extension of `packet`, as read; `packet` names its MD5.

    Raises
    ------
    ValueError
        If `packet` has an extension and is longer than 65504 bytes, or does not name it; or the
        extension is longer than 4 GiB, which its 32-bit length could not say.
    """
    most = LARGEST_PAYLOAD - len(SIGNATURE)
    if extended:
        if len(packet) > most:
            raise ValueError(
                f"an XMP packet with an extension has at most {most} bytes, not {len(packet)}"
            )
        named = extension_guid(packet)
        if named is None or len(named) != 32:
            raise ValueError(
                "the XMP packet does not name the MD5 of its extension (HasExtendedXMP)"
            )
        guid = named
    elif len(packet) > most:
        extended = without_wrapper(packet)
        guid = _guid([extended])
        packet = _packet_of_extension(guid)
    else:
        return ((APP1, SIGNATURE + packet),)
    if len(extended) > 0xFFFFFFFF:
        raise ValueError(f"extended XMP has at most 4294967295 bytes, not {len(extended)}")
    step = LARGEST_PAYLOAD - len(EXTENSION) - _PIECE.size
    pieces = (
        (APP1, EXTENSION + _PIECE.pack(guid, len(extended), at) + extended[at : at + step])
        for at in range(0, len(extended), step)
    )
    return ((APP1, SIGNATURE + packet), *pieces)


def _packet_of_extension(guid: bytes) -> bytes:
    """A packet that only names its extension."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmpNote="' + NOTE + b'" '
        b'xmpNote:HasExtendedXMP="' + guid + b'"/></rdf:RDF></x:xmpmeta>'
    )
