"""What the checks behind ``docs/support.rst`` share: their registers, and files to try.

The checks themselves are in ``support_decode.py``, ``support_encode.py`` and ``support_events.py``;
``test_support_table.py`` runs them and ties them to the tables.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import imagecodecs
import numpy as np
import pytest
from helpers import picture

from pyjpegml import (
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    encode,
    markers,
    read_header,
)
from pyjpegml.testing import (
    Coding,
    Component,
    Content,
    Frame,
    Layout,
    Scan,
    Stream,
    make_legal,
    write_stream,
)

Check = Callable[[], None]
DECODES: dict[str, Check] = {}
REFUSES: dict[str, Check] = {}
ENCODES: dict[str, Check] = {}
ENCODE_REFUSES: dict[str, Check] = {}
EVENTS: dict[str, Check] = {}


def _register(checks: dict[str, Check], title: str) -> Callable[[Check], Check]:
    def put(check: Check) -> Check:
        assert title not in checks, f"two checks for {title}"
        checks[title] = check
        return check

    return put


def decodes(title: str) -> Callable[[Check], Check]:
    """Files of this kind are decoded, and to what is in them."""
    return _register(DECODES, title)


def refuses(title: str) -> Callable[[Check], Check]:
    """Files or wishes of this kind are refused by a JpegUnsupportedError that names the feature."""
    return _register(REFUSES, title)


def encodes(title: str) -> Callable[[Check], Check]:
    """Files of this kind are written."""
    return _register(ENCODES, title)


def encode_refuses(title: str) -> Callable[[Check], Check]:
    """The encoder refuses to write files of this kind."""
    return _register(ENCODE_REFUSES, title)


def happens(title: str) -> Callable[[Check], Check]:
    """What is said to happen does."""
    return _register(EVENTS, title)


# --- files to try ---------------------------------------------------------------------------------

RGB = picture("natural", (45, 61, 3), 1)
GREY = RGB[..., 1].copy()
Factors = Sequence[tuple[int, int]]
YCBCR = ((1, 1),) * 3


def scans_of(process: str, count: int) -> list[Scan]:
    """A usual script."""
    everything, slots = tuple(range(count)), ((0, 0),) * count
    if process == "lossless":
        return [Scan(everything, slots, start=1)]
    if not process.endswith("progressive"):
        return [Scan(everything, slots)]
    return [
        Scan(everything, slots, 0, 0, 0, 1),
        *(Scan((c,), slots[:1], 1, 5, 0, 2) for c in everything),
        *(Scan((c,), slots[:1], 6, 63, 0, 2) for c in everything),
        *(Scan((c,), slots[:1], 1, 63, low + 1, low) for low in (1, 0) for c in everything),
        Scan(everything, slots, 0, 0, 1, 0),
    ]


def made(
    process: str = "baseline",
    factors: Factors = YCBCR,
    precision: int = 8,
    identifiers: bytes = b"\1\2\3\4",
    scans: Sequence[Scan] | None = None,
    qtables: dict[tuple[int, int], np.ndarray] | None = None,
    coding: Coding | None = None,
    **layout: object,
) -> Stream:
    """A file of 21 x 27 pixels of noise."""
    rng = np.random.default_rng(precision)
    components = tuple(
        Component(name, h, v) for name, (h, v) in zip(identifiers, factors, strict=False)
    )
    frame = Frame(process, precision, 21, 27, components)
    if process == "lossless":
        units = tuple(
            rng.integers(0, 1 << precision, frame.padded_size(i)) for i in range(len(components))
        )
        content = Content(units)
    else:
        table = rng.integers(1, 30, (8, 8)).astype(np.uint16)
        content = Content(
            tuple(
                make_legal(
                    rng.integers(-9, 9, (*frame.padded_size(i), 8, 8), endpoint=True),
                    table.astype(np.int64), precision,
                )
                for i in range(len(components))
            ),
            qtables or {(0, 0): table},
        )  # fmt: skip
    script = scans or scans_of(process, len(components))
    return write_stream(frame, script, content, coding, Layout(**layout))


def assert_exact(stream: Stream) -> np.ndarray:
    """The content is what was written, and the pixels are libjpeg-turbo's where it has any."""
    frame, pixels = stream.frame, decode(stream.data)
    assert pixels.shape[:2] == (frame.height, frame.width)
    assert pixels.dtype == (np.uint8 if frame.precision <= 8 else np.uint16)
    if frame.lossless:
        stored = decode(stream.data, color="stored").reshape(frame.height, frame.width, -1)
        y, x = np.arange(frame.height), np.arange(frame.width)
        for i, (part, samples) in enumerate(zip(frame.components, stream.samples, strict=True)):
            h, v = (part.h, part.v) if len(frame.components) > 1 else (1, 1)
            h_max, v_max = (frame.h_max, frame.v_max) if len(frame.components) > 1 else (1, 1)
            assert np.array_equal(stored[..., i], samples[np.ix_(y * v // v_max, x * h // h_max)])
        return pixels
    found = decode_coefficients(stream.data)
    for got, expected in zip(found.components, stream.coefficients, strict=True):
        assert np.array_equal(got, expected)
    for got, expected in zip(found.qtables, stream.qtables, strict=True):
        assert np.array_equal(got, expected)
    try:
        reference = imagecodecs.jpeg8_decode(stream.data)
    except imagecodecs.Jpeg8Error:
        return pixels
    if len(frame.components) != 4:  # whose inks it leaves as they are
        assert np.array_equal(pixels, reference.reshape(pixels.shape))
    return pixels


def without(data: bytes, *codes: int) -> bytes:
    """A file without its segments of these kinds."""
    for segment in reversed(list(markers.segments(data))):
        if segment.code in codes:
            data = data[: segment.offset] + data[segment.end :]
    return data


def behind_soi(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    return markers.segment_bytes(0xE1, b"Exif\0\0" + b"II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0")


def frame_of(sof: int, count: int = 1, precision: int = 8) -> bytes:
    """A file that ends with its scan header."""
    components = tuple(markers.FrameComponent(i + 1, 1, 1, 0) for i in range(count))
    frame = markers.frame_bytes(markers.Frame(sof, precision, 8, 8, components))
    table = markers.qtable_bytes(0, np.ones((8, 8), np.uint16))
    return b"\xff\xd8" + table + frame + markers.scan_bytes([(1, 0, 0)]) + b"\xff\xd9"


def assert_refused(what: str, data: bytes, **options: object) -> None:
    with pytest.raises(JpegUnsupportedError, match=what):
        decode(data, **options)


def assert_longest() -> None:
    """Written and read: with steps of 1 no sample changes by more than 1."""
    for shape in ((1, 65535), (65535, 1)):
        image = picture("gradient", shape)
        data = encode(image, quality=100)
        assert (read_header(data).height, read_header(data).width) == shape
        assert np.abs(decode(data).astype(int) - image).max() <= 1
