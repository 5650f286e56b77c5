"""MPF indexes and Google's containers: which other images a file says it has."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import JpegUnsupportedError, containers, xmp
from pyjpegml.containers import OtherImage
from pyjpegml.metadata import Metadata

APP2 = 0xE2


def index(
    entries: list[tuple[int, int, int]], order: str = ">", number: int | None = None
) -> bytes:
    """What stands behind ``MPF 00``: (attribute, size, offset) of each image."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    count = len(entries) if number is None else number
    directory = (
        struct.pack(order + "H", 3)
        + struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
        + struct.pack(order + "HHII", 0xB001, 4, 1, count)
        + struct.pack(order + "HHII", 0xB002, 7, 16 * len(entries), 50)
        + bytes(4)
    )
    body = b"".join(struct.pack(order + "IIIHH", *entry, 0, 0) for entry in entries)
    return head + directory + body


def items(*attributes: str, gain_map: bool = False) -> bytes:
    """A packet with a container of items, each with these attributes."""
    listed = "".join(
        f'<rdf:li rdf:parseType="Resource"><C:Item {text}/></rdf:li>' for text in attributes
    )
    version = 'xmlns:g="http://ns.adobe.com/hdr-gain-map/1.0/" g:Version="1.0"' if gain_map else ""
    return (
        '<rdf:Description xmlns:C="http://ns.google.com/photos/1.0/container/" '
        f'xmlns:I="http://ns.google.com/photos/1.0/container/item/" {version}>'
        f"<C:Directory><rdf:Seq>{listed}</rdf:Seq></C:Directory></rdf:Description>"
    ).encode()


PRIMARY = (0x030000, 5000, 0)
PRIMARY_ITEM = 'I:Semantic="Primary" I:Mime="image/jpeg"'


def listed(data: bytes, base: int | None = 100) -> tuple[list[OtherImage], list[str]]:
    return containers.mpf_images(memoryview(data), base)


def file(mpf: bytes | None, packet: bytes | None, *others: tuple[int, bytes]) -> Metadata:
    """Metadata with an index at byte 100 of a file, and a packet behind it."""
    segments = [] if mpf is None else [(APP2, containers.MPF + mpf)]
    segments += () if packet is None else xmp.xmp_segments(packet)
    segments += others
    return Metadata(tuple(segments), tuple(92 + 1000 * i for i in range(len(segments))))


# --- MPF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("code", "kind"), sorted(containers.MPF_TYPES.items()))
def test_an_image_of_each_type(order, code, kind):
    data = index([PRIMARY, (0x40000000 | code, 777, 6000)], order)
    assert listed(data) == ([OtherImage(kind, 6100, 777, "image/jpeg")], [])
    assert listed(data, None)[0] == [OtherImage(kind, None, 777, "image/jpeg")]


def test_unknown_types_and_formats_are_kept():
    data = index([PRIMARY, (0x07060005, 777, 6000)])
    assert listed(data) == ([OtherImage("type 060005", 6100, 777, "")], [])


@given(st.lists(st.tuples(st.just(0), st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))))
def test_every_image_is_listed(entries):
    images, problems = listed(index([PRIMARY, *entries]))
    assert [(image.size, image.offset) for image in images] == [(s, o + 100) for _, s, o in entries]
    assert problems == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the TIFF header has 8 bytes, there are 0"),
        (index([PRIMARY])[:20], "the directory says 3 entries, and there are 0"),
        (index([PRIMARY])[:40], "the MPF index lists no images"),
        (index([PRIMARY, (0, 1, 1)])[:-1], "the MPF index says 2 images, and has entries for 1"),
        (
            index([PRIMARY, (0, 1, 1)])[:45] + b"\xff" + index([PRIMARY, (0, 1, 1)])[46:],
            "the MPF index says 2 images, and has entries for 0",
        ),
        (index([PRIMARY], number=4), "the MPF index says 4 images, and its list is of 1"),
        (index([PRIMARY, (0, 0, 9)]), "image 2 of the MPF index has size 0 and offset 9"),
        (index([PRIMARY, (0, 9, 0)]), "image 2 of the MPF index has size 9 and offset 0"),
    ],
)
def test_what_is_wrong_with_an_index(data, problem):
    images, problems = listed(data)
    assert images == []
    assert problem in problems


def test_a_second_index_does_not_count():
    segments = tuple((APP2, containers.MPF + index([PRIMARY, (0, size, 6000)])) for size in (7, 8))
    metadata = Metadata(segments, (92, 200))
    assert [image.size for image in metadata.images] == [7]
    assert metadata.warnings == ("MPF: there is one already; this one does not count, at byte 200",)


@pytest.mark.hostile
@given(st.binary(max_size=100), st.integers(0, 82))
def test_any_bytes_are_an_index(data, start):
    sound = index([PRIMARY, (0, 1, 1)])
    for bytes_ in (data, sound[:start] + data, sound[:start] + data + sound[start + len(data) :]):
        images, problems = listed(bytes_)
        assert len(images) <= len(bytes_) // 16
        assert all(problems)


# --- containers -----------------------------------------------------------------------------------


def test_a_gain_map_in_both_lists_is_one_image():
    metadata = file(
        index([PRIMARY, (0, 777, 6000)]),
        items(
            PRIMARY_ITEM, 'I:Semantic="GainMap" I:Mime="image/jpeg" I:Length="777"', gain_map=True
        ),
    )
    assert metadata.images == (OtherImage("gain map", 6100, 777, "image/jpeg"),)
    assert metadata.gain_map == metadata.images[0]
    assert metadata.warnings == ()


def test_items_of_equal_size_are_taken_in_order():
    metadata = file(
        index([PRIMARY, (0, 7, 6000), (0x020002, 7, 7000)]),
        items(PRIMARY_ITEM, 'I:Semantic="GainMap" I:Length="7"', 'I:Semantic="Depth" I:Length="7"'),
    )
    assert [(image.kind, image.offset) for image in metadata.images] == [
        ("gain map", 6100),
        ("depth map", 7100),
    ]


def test_a_motion_photo_has_a_video_without_offset():
    metadata = file(
        None,
        items(PRIMARY_ITEM, "I:Mime='video/mp4' I:Semantic='MotionPhoto' I:Length='4000'"),
    )
    assert metadata.images == (OtherImage("motion photo", None, 4000, "video/mp4"),)
    assert metadata.gain_map is None


def test_items_as_elements():
    packet = items(
        PRIMARY_ITEM,
        "><I:Mime>image/jpeg</I:Mime><I:Length>55</I:Length><I:Semantic>new</I:Semantic><x",
    )
    assert file(None, packet).images == (OtherImage("new", None, 55, "image/jpeg"),)


@pytest.mark.parametrize("says_so", ["hdrgm", "ISO"])
def test_an_undefined_image_is_the_gain_map_if_the_file_says_that_it_has_one(says_so):
    mpf = index([PRIMARY, (0x010001, 5, 6000), (0, 777, 7000), (0, 8, 9000)])
    if says_so == "hdrgm":
        metadata = file(mpf, items(PRIMARY_ITEM, gain_map=True))
    else:
        metadata = file(mpf, None, (APP2, containers.ISO_GAIN_MAP + bytes(4)))
    assert metadata.gain_map == OtherImage("gain map", 7100, 777, "image/jpeg")
    assert [image.kind for image in metadata.images] == [
        "large thumbnail", "gain map", "undefined",
    ]  # fmt: skip
    assert file(mpf, items(PRIMARY_ITEM)).gain_map is None


@pytest.mark.parametrize("length", ["", "0", "-7", "x", "9" * 19, "9" * 5000, "٣"])
def test_an_item_without_a_length_is_left_out(length):
    metadata = file(None, items(PRIMARY_ITEM, f'I:Semantic="GainMap" I:Length="{length}"'))
    assert metadata.images == ()
    assert metadata.warnings == (
        f"XMP: item 2 of the container has length {length[:20]!r}, at byte 92",
    )


@pytest.mark.hostile
@pytest.mark.parametrize("text", [b"<C:Item ", b'<C:Item I:Length="', b"<C:Item I:Length>", b"<C:"])
def test_containers_made_to_be_slow_are_read_as_others(text):
    packet = items()[: items().index(b"<C:Directory")] + text * (1_000_000 // len(text))
    images, problems = containers.container_items(memoryview(packet))
    assert images == []
    assert len(problems) == packet.count(b"<C:Item")


@pytest.mark.hostile
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 60))
def test_any_packet_is_read(data, start, length):
    sound = items(PRIMARY_ITEM, 'I:Semantic="GainMap" I:Length="7"', gain_map=True)
    images, _ = containers.container_items(
        memoryview(sound[:start] + data + sound[start + length :])
    )
    assert all(image.size > 0 and image.offset is None for image in images)


# --- what is behind the first image ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "unlisted"),
    [
        ([], 900),
        ([(100, 900)], 0),
        ([(100, 50), (200, 100)], 750),
        ([(200, 100), (100, 50)], 750),
        ([(100, 500), (200, 500)], 300),
        ([(100, 500), (200, 50)], 400),
        ([(0, 300)], 700),
        ([(900, 2**40)], 800),
        ([(2**40, 7)], 900),
        ([(100, 500), (None, 300)], 100),
        ([(None, 2**40)], 0),
    ],
)
def test_bytes_that_belong_to_no_image(images, unlisted):
    found = [OtherImage("undefined", offset, size, "") for offset, size in images]
    assert containers.unlisted_bytes(found, 100, 1000) == unlisted


# --- moved ----------------------------------------------------------------------------------------


@given(
    st.sampled_from("<>"), st.integers(0, 1000), st.integers(0, 1000), st.integers(-900, 900),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9999)), max_size=4),
)  # fmt: skip
def test_an_index_moves_with_its_images(order, base, moved_base, shorter, others):
    """Distances behind the first image stay; so does what follows it up to the next one."""
    end, at, entries = 5000, 5000, []
    for gap, size in others:
        entries.append((0x050000, size, at + gap - base))
        at += gap + size
    data = index([(0x030000, 5010, 0), *entries], order)
    moved = containers.moved_index(memoryview(data), (base, moved_base), (end, end - shorter))
    before, after = listed(data, base)[0], listed(moved, moved_base)[0]
    assert [image.offset - end for image in before] == [
        image.offset - (end - shorter) for image in after
    ]
    assert [image.size for image in before] == [image.size for image in after]
    assert struct.unpack_from(order + "I", moved, 54) == (5010 - shorter,)


def test_what_is_not_known_of_the_first_image_stays():
    data = index([(0x030000, 0, 0), (0, 0, 0)])
    assert containers.moved_index(memoryview(data), (0, 0), (5000, 4000)) == data


@pytest.mark.parametrize(
    ("entry", "end", "message"),
    [
        ((0, 5, 4899), (5000, 4000), "image 2 of the MPF index begins at byte 4999, within the fi"),
        (
            (0, 5, 2**32 - 1),
            (5000, 6000),
            "image 2 of the MPF index would lie where 32 bits cannot",
        ),
    ],
)
def test_images_that_cannot_be_moved(entry, end, message):
    with pytest.raises(JpegUnsupportedError, match=message):
        containers.moved_index(memoryview(index([PRIMARY, entry])), (100, 100), end)


@pytest.mark.hostile
@given(st.binary(max_size=100), st.integers(0, 82))
def test_any_bytes_are_moved_or_refused(data, start):
    sound = index([PRIMARY, (0, 1, 6000)])
    for bytes_ in (data, sound[:start] + data, sound[:start] + data + sound[start + len(data) :]):
        try:
            moved = containers.moved_index(memoryview(bytes_), (100, 90), (5000, 4000))
        except JpegUnsupportedError:
            continue
        assert len(moved) == len(bytes_)
