"""Files with more than one picture: MPF, and Google's container of gain maps and videos.

Behind the end of the first image there may be others: a gain map (Ultra HDR), the other eye of a
stereo pair, a large preview, a short video. Two lists say so, and a file may have both:

* MPF (CIPA DC-007 5.2), an index in APP2 with the size and offset of each image, built like Exif
  data; offsets count from the byte order mark of the index.
* A ``Container:Directory`` in the XMP packet (Google's GContainer, in Ultra HDR and motion photos),
  with kind, media type and length of each item. They lie at the end of the file, in that order.

An item of the second list that has the size of an image of the first is the same thing. Nothing
here looks at the other images themselves, and nothing raises on any bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from . import xmp
from .errors import JpegUnsupportedError
from .exif import first_directory

MPF = b"MPF\0"

#: Signature of a gain map's parameters in APP2 (ISO 21496-1 Annex C).
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"

_CONTAINER = b"http://ns.google.com/photos/1.0/container/"
_ITEM = b"http://ns.google.com/photos/1.0/container/item/"
_HDRGM = b"http://ns.adobe.com/hdr-gain-map/1.0/"

_NUMBER_OF_IMAGES, _ENTRIES = 0xB001, 0xB002
_ENTRY_SIZE = 16

GAIN_MAP, UNDEFINED = "gain map", "undefined"

MPF_TYPES = {
    0x000000: UNDEFINED,
    0x010001: "large thumbnail",
    0x010002: "large thumbnail",
    0x020001: "panorama",
    0x020002: "disparity",
    0x020003: "multi-angle",
    0x030000: "primary",
    0x040000: "original preservation",
    0x050000: GAIN_MAP,
}
"""Kind of an image by its type in MPF (CIPA DC-007 5.2.3.3.1)."""

_SEMANTICS = {"GainMap": GAIN_MAP, "MotionPhoto": "motion photo", "Depth": "depth map"}


@dataclass(frozen=True)
class OtherImage:
    """An image (or a video) in the file besides the first.

    Attributes
    ----------
    kind : str
        ``"gain map"``, ``"disparity"``, ``"motion photo"``, ...; ``"undefined"`` is a type of MPF.
    offset : int or None
        Byte offset in the file, as the file has it: it may lie behind the end. None if only a
        container names the item: then it is one of the last things in the file.
    size : int
        In bytes.
    media_type : str
        Such as ``"image/jpeg"``; empty if unknown.
    """

    kind: str
    offset: int | None
    size: int
    media_type: str


def mpf_images(index: memoryview, base: int | None) -> tuple[list[OtherImage], list[str]]:
    """The images that an MPF index lists besides the first, and what is wrong with it.

    Parameters
    ----------
    index : memoryview
        What stands behind ``MPF 00``.
    base : int or None
        Its byte offset in the file, if known.
    """
    directory, problems = first_directory(index)
    order = directory.order
    if _ENTRIES not in directory.entries:
        return [], [*problems, "the MPF index lists no images"]
    _, length, at = directory.entries[_ENTRIES]
    (start,) = struct.unpack_from(order + "I", index, at)
    count = length // _ENTRY_SIZE
    fitting = min(count, max(0, len(index) - start) // _ENTRY_SIZE)
    if fitting < count:
        problems.append(f"the MPF index says {count} images, and has entries for {fitting}")
    if _NUMBER_OF_IMAGES in directory.entries:
        (number,) = struct.unpack_from(order + "I", index, directory.entries[_NUMBER_OF_IMAGES][2])
        if number != count:
            problems.append(f"the MPF index says {number} images, and its list is of {count}")
    images = []
    for i in range(fitting):
        attribute, size, offset = struct.unpack_from(order + "III", index, start + _ENTRY_SIZE * i)
        if i == 0 and offset == 0:
            continue  # the first image: this file's own
        if offset == 0 or size == 0:
            problems.append(f"image {i + 1} of the MPF index has size {size} and offset {offset}")
            continue
        kind = MPF_TYPES.get(attribute & 0xFFFFFF, f"type {attribute & 0xFFFFFF:06x}")
        jpeg = attribute >> 24 & 7 == 0
        images.append(
            OtherImage(
                kind, None if base is None else base + offset, size, "image/jpeg" if jpeg else ""
            )
        )
    return images, problems


def container_items(packet: memoryview) -> tuple[list[OtherImage], list[str]]:
    """The items that a packet's ``Container:Directory`` lists, the primary excepted."""
    container, item = xmp.prefix(packet, _CONTAINER), xmp.prefix(packet, _ITEM)
    if container is None or item is None:
        return [], []
    starts = [m.start() for m in re.finditer(rb"<" + re.escape(container) + rb":Item\b", packet)]
    images, problems = [], []
    for i, (start, end) in enumerate(pairwise([*starts, len(packet)]), 1):
        text = packet[start:end]
        semantic = xmp.simple_property(text, item + b":Semantic") or UNDEFINED
        if semantic == "Primary":
            continue
        length = xmp.simple_property(text, item + b":Length") or ""
        if not re.fullmatch(r"[0-9]{1,18}", length) or int(length) == 0:
            problems.append(f"item {i} of the container has length {length[:20]!r}")
            continue
        media_type = xmp.simple_property(text, item + b":Mime") or ""
        images.append(OtherImage(_SEMANTICS.get(semantic, semantic), None, int(length), media_type))
    return images, problems


def has_gain_map_version(packet: memoryview) -> bool:
    """Whether a packet says that there is a gain map (``hdrgm:Version``)."""
    hdrgm = xmp.prefix(packet, _HDRGM)
    return hdrgm is not None and xmp.simple_property(packet, hdrgm + b":Version") is not None


def merged(
    listed: list[OtherImage], items: list[OtherImage], gain_map: bool
) -> tuple[OtherImage, ...]:
    """One list of an MPF index and a container.

    Parameters
    ----------
    listed, items : list of OtherImage
        Of :func:`mpf_images` and :func:`container_items`.
    gain_map : bool
        Whether the file says that it has one. If no entry is called that, it is the first that
        MPF calls undefined.
    """
    images = list(listed)
    of_size: dict[int, list[int]] = {}
    for i in reversed(range(len(listed))):
        of_size.setdefault(listed[i].size, []).append(i)
    for item in items:
        if of_size.get(item.size):
            i = of_size[item.size].pop()
            images[i] = replace(item, offset=listed[i].offset)
        else:
            images.append(item)
    if gain_map and all(image.kind != GAIN_MAP for image in images):
        for i, image in enumerate(images):
            if image.kind == UNDEFINED:
                images[i] = replace(image, kind=GAIN_MAP)
                break
    return tuple(images)


def unlisted_bytes(images: Iterable[OtherImage], end: int, size: int) -> int:
    """How many bytes behind the first image belong to no image that is listed.

    Parameters
    ----------
    images : iterable of OtherImage
    end : int
        Offset of the first byte behind the EOI of the first image.
    size : int
        Of the file.
    """
    images = list(images)
    spans = sorted(
        (image.offset, image.offset + image.size) for image in images if image.offset is not None
    )
    left, position = 0, end
    for start, stop in spans:
        left += max(0, min(start, size) - position)
        position = max(position, min(stop, size))
    left += max(0, size - position)
    return max(0, left - sum(image.size for image in images if image.offset is None))


def lengthened_primary(packet: bytes, before: int, after: int) -> bytes:
    """A packet whose container says the length of the first image, after another length of that.

    Parameters
    ----------
    packet : bytes
    before, after : int
        Offset of the first byte behind the first image. A length that does not reach there, such as
        0, says something else, and stays.
    """
    container, item = xmp.prefix(packet, _CONTAINER), xmp.prefix(packet, _ITEM)
    if container is None or item is None:
        return packet
    starts = [m.start() for m in re.finditer(rb"<" + re.escape(container) + rb":Item\b", packet)]
    for start, end in pairwise([*starts, len(packet)]):
        text = packet[start:end]
        length = xmp.simple_property(text, item + b":Length") or ""
        primary = xmp.simple_property(text, item + b":Semantic") == "Primary"
        if primary and re.fullmatch(r"[0-9]{1,18}", length) and int(length) >= before:
            new = str(int(length) + after - before).encode()
            changed = xmp.with_simple_property(text, item + b":Length", new)
            return packet[:start] + changed + packet[end:]
    return packet


def moved_index(index: memoryview, base: tuple[int, int], end: tuple[int, int]) -> bytes:
    """An MPF index for a first image of another length, behind which all others have moved.

    Parameters
    ----------
    index : memoryview
        What stands behind ``MPF 00``.
    base : (int, int)
        Its byte offset in the file, before and after.
    end : (int, int)
        Offset of the first byte behind the first image, before and after.

    Returns
    -------
    bytes
        The index, with other offsets, and another size of the first image.

    Raises
    ------
    JpegUnsupportedError
        If an image lies within the first one, or would lie where 32 bits cannot say.
    """
    directory, _ = first_directory(index)
    moved = bytearray(index)
    if _ENTRIES not in directory.entries:
        return bytes(moved)
    order = directory.order
    _, length, at = directory.entries[_ENTRIES]
    (start,) = struct.unpack_from(order + "I", index, at)
    fitting = min(length, max(0, len(index) - start)) // _ENTRY_SIZE
    for i, place in enumerate(range(start, start + _ENTRY_SIZE * fitting, _ENTRY_SIZE)):
        attribute, size, offset, others = struct.unpack_from(order + "IIII", index, place)
        if i == 0 and offset == 0:
            if size >= end[0]:  # up to its end, or up to the next image
                size += end[1] - end[0]
        elif offset:
            if base[0] + offset < end[0]:
                raise JpegUnsupportedError(
                    f"image {i + 1} of the MPF index begins at byte {base[0] + offset}, within the "
                    f"first image, which ends at byte {end[0]}: the index cannot be kept right"
                )
            offset += end[1] - end[0] - (base[1] - base[0])
        if max(size, offset) > 0xFFFFFFFF or offset < 0:
            raise JpegUnsupportedError(
                f"image {i + 1} of the MPF index would lie where 32 bits cannot say"
            )
        struct.pack_into(order + "IIII", moved, place, attribute, size, offset, others)
    return bytes(moved)
