"""What stands around a picture: other images kept or dropped, and the lists of them right."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import picture
from PIL import Image
from test_containers import items
from test_rewriting import CONTAINERS, behind_end, container, with_segments

import pyjpegml
from pyjpegml import (
    JpegUnsupportedError,
    compress,
    decode,
    encode,
    read_header,
    recode,
    transform,
    xmp,
)
from pyjpegml.metadata import Metadata
from pyjpegml.surroundings import keeps_others, read_surroundings

IMAGE = picture("natural", (40, 56, 3))
OTHER = encode(IMAGE[::2, ::2], subsampling="4:4:4")
#: The ways in which a file is written anew.
WAYS = {
    "compress": lambda data, **options: compress(data, ms_ssim=0.9, **options).data,
    "recode": lambda data, **options: recode(data, **options),
    "transform": lambda data, **options: transform(data, progressive=True, **options),
}


def mpo(*images: np.ndarray) -> bytes:
    """As Pillow writes it."""
    first, *rest = (Image.fromarray(image) for image in images)
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=rest, quality=95)
    return file.getvalue()


def pages(data: bytes) -> list[np.ndarray]:
    """As Pillow reads them."""
    image = Image.open(io.BytesIO(data))
    found = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        found.append(np.asarray(image))
    return found


def ultra_hdr(length: int | None = 0) -> bytes:
    """A gain map in a container alone; the first image's length too, if it is not None; if 0, the
    right one.
    """
    first = encode(IMAGE, quality=97, optimize=False)

    def made(text: str) -> bytes:
        packet = items(
            f'I:Semantic="Primary" I:Mime="image/jpeg" {text}',
            f'I:Semantic="GainMap" I:Mime="image/jpeg" I:Length="{len(OTHER)}"',
            gain_map=True,
        )
        return with_segments(first, *xmp.xmp_segments(packet))

    if length is None:
        return made("") + OTHER
    digits = str(length or len(made('I:Length="00000"'))).zfill(5)
    return made(f'I:Length="{digits}"') + OTHER


def primary_length(data: bytes) -> int:
    """What the container says of the first image."""
    packet = read_header(data).metadata.xmp or b""
    found = re.search(rb'Primary" I:Mime="image/jpeg" I:Length="(\d+)"', packet)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("way", WAYS)
def test_other_pictures_stay_where_the_index_says(way: str) -> None:
    data = mpo(IMAGE, IMAGE[::-1].copy(), IMAGE[:, ::-1].copy())
    made = WAYS[way](data)
    before, after = read_header(data).metadata.images, read_header(made).metadata.images
    assert len(after) == 2
    for old, new in zip(before, after, strict=True):
        assert made[new.offset : new.offset + new.size] == data[old.offset : old.offset + old.size]
    assert len(pages(made)) == 3
    for number in (1, 2):
        np.testing.assert_array_equal(pages(made)[number], pages(data)[number])
    np.testing.assert_array_equal(pages(made)[0], decode(made))
    assert read_header(made).metadata.warnings == read_header(data).metadata.warnings


@pytest.mark.parametrize("way", WAYS)
def test_other_pictures_are_dropped_with_what_is_said_of_them(way: str) -> None:
    for data in (mpo(IMAGE, IMAGE[::-1].copy()), ultra_hdr()):
        kept, dropped = WAYS[way](data), WAYS[way](data, others="drop")
        assert read_header(dropped).metadata.images == ()
        assert read_header(dropped).metadata == read_header(kept).metadata.of_first_image()
        assert behind_end(dropped) == b""
        assert len(pages(dropped)) == 1
        np.testing.assert_array_equal(decode(dropped), decode(kept))
        stripped = WAYS[way](data, metadata="strip")
        assert read_header(stripped).metadata.images == ()
        assert behind_end(stripped) == b""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [0, None, 7])
def test_lengths_in_a_container(way: str, length: int | None) -> None:
    """The first image's is brought up to date if it was right; a gain map's stays."""
    data = ultra_hdr(length)
    made = WAYS[way](data)
    (image,) = read_header(made).metadata.images
    assert (image.kind, image.size) == ("gain map", len(OTHER))
    assert made[-image.size :] == OTHER == behind_end(made)
    if length == 0:
        assert primary_length(data) == len(data) - len(OTHER)
        assert primary_length(made) == len(made) - len(OTHER) < 10_000
    if length == 7:
        assert primary_length(made) == 7


def test_a_length_of_another_number_of_digits() -> None:
    """It moves the end that it tells."""
    data = ultra_hdr()
    around = read_surroundings(memoryview(data))
    metadata = read_header(data).metadata
    plain = encode(IMAGE, quality=97, metadata=Metadata())
    for size in (9_990, 9_991, 10_003, 99_995, 100_020):
        segments = b"".join(
            pyjpegml.markers.segment_bytes(code, bytes(p)) for code, p in metadata.segments
        )
        picture = plain[2:-2] + bytes(size - len(segments) - len(plain))
        made = around.joined(b"\xff\xd8" + segments + picture + b"\xff\xd9", metadata, True)
        assert primary_length(made) == len(made) - len(OTHER)


@pytest.mark.parametrize("name", CONTAINERS)
def test_real_containers_are_compressed(conformance: Path, name: str) -> None:
    data = (conformance / "valid" / name).read_bytes()
    (old,) = read_header(data).metadata.images
    other = data[old.offset : old.offset + old.size]
    result = compress(data, ms_ssim=0.95)
    (new,) = read_header(result.data).metadata.images
    assert result.met
    assert (new.kind, new.size) == (old.kind, old.size)
    assert result.data[new.offset : new.offset + new.size] == other
    assert result.notes == (f"kept: another image ({old.kind}) of {old.size} bytes",)
    first, *others = pages(result.data)
    np.testing.assert_array_equal(first, decode(result.data))
    for ours, theirs in zip(others, pages(data)[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    dropped = compress(data, ms_ssim=0.95, others="drop")
    assert len(dropped.data) <= len(result.data) - len(other)
    assert read_header(dropped.data).metadata.images == ()
    assert dropped.notes == (f"dropped: another image ({old.kind}) of {old.size} bytes",)
    assert dropped.notes[0] in dropped.explain()


def test_what_is_in_no_list_goes_along() -> None:
    data = encode(IMAGE, quality=97) + b"a trailer"
    assert compress(data, ms_ssim=0.9).data.endswith(b"\xff\xd9a trailer")
    result = compress(data, ms_ssim=0.9, others="drop")
    assert b"trailer" not in result.data
    assert result.notes == ("dropped: 9 bytes behind the picture, in no list of images",)
    assert compress(encode(IMAGE), ms_ssim=0.9).notes == ()


def test_metadata_between_scans_stay() -> None:
    whole = encode(IMAGE, progressive=True)
    last = whole.rindex(b"\xff\xda")
    data = whole[:last] + b"\xff\xfe\0\x07hello" + whole[last:]
    for others in ("keep", "drop"):
        for way in WAYS.values():
            made = way(data, others=others)
            assert made.index(b"\xff\xda") < made.index(b"\xff\xfe\0\x07hello")
            assert decode(made).shape == IMAGE.shape


def test_images_that_would_no_longer_fit_are_dropped_if_told() -> None:
    data = container(encode(IMAGE), [OTHER])
    with pytest.raises(JpegUnsupportedError, match=r"no longer fit it: others='drop' leaves"):
        transform(data, "transpose")
    turned = transform(data, "transpose", others="drop")
    assert read_header(turned).metadata.images == ()
    np.testing.assert_array_equal(decode(turned), decode(transform(encode(IMAGE), "transpose")))


def test_an_index_that_contradicts_the_file() -> None:
    data = container(encode(IMAGE, quality=97), [OTHER], early=True)
    for way in WAYS.values():
        with pytest.raises(JpegUnsupportedError, match="the index cannot be kept right"):
            way(data)
        assert read_header(way(data, others="drop")).metadata.images == ()


def test_what_others_may_be() -> None:
    assert keeps_others(None, "keep")
    assert not keeps_others(None, "strip")
    assert not keeps_others(None, Metadata())
    assert not keeps_others("drop", "keep")
    for way in WAYS.values():
        with pytest.raises(ValueError, match='others is "keep", "drop" or None, not \'both\''):
            way(OTHER, others="both")
        with pytest.raises(ValueError, match='others="keep" needs metadata="keep"'):
            way(OTHER, others="keep", metadata="strip")


@pytest.mark.parametrize("text", ['a:x="{}"', "a:x='{}'", "<a:x>{}</a:x>", '<a:x b="c">{}</a:x>'])
def test_another_text_for_a_property(text: str) -> None:
    packet = f"<r:Description {text}".format("12").encode() + b' a:xy="12"/>'
    changed = xmp.with_simple_property(packet, b"a:x", b"345")
    assert changed == f"<r:Description {text}".format("345").encode() + b' a:xy="12"/>'
    assert xmp.simple_property(changed, b"a:x") == "345"
    assert xmp.with_simple_property(packet, b"a:z", b"345") == packet
