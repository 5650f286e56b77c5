"""Small sound files, to be damaged, and what damages them."""

from __future__ import annotations

import struct
from functools import cache

from helpers import (
    SUBSAMPLINGS,
    picture,
    pillow_encode,
)

from pyjpegml import (
    encode,
)

COLOR = 0  # seeds: 4:4:4
RESTARTS = 4


@cache
def seeds() -> list[bytes]:
    """Small sound files of all kinds, ours and Pillow's, to be damaged."""
    color, grey = picture("natural", (20, 37, 3)), picture("natural", (17, 24))
    return [
        *(encode(color, quality=80, subsampling=s) for s in SUBSAMPLINGS),
        encode(color, quality=30, restart_interval=1),
        encode(color, quality=95, optimize=False, subsampling="4:4:4", restart_interval=2),
        encode(grey, quality=90),
        encode(grey, quality=60, optimize=False, restart_interval=3),
        pillow_encode(color, quality=70, progressive=True),
        pillow_encode(color, quality=70, keep_rgb=True, comment=b"a comment"),
    ]


def segment_starts(data: bytearray) -> list[int]:
    """Where segments with a length start, as far as the chain holds."""
    starts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD8, 0xD9):
        starts.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return starts


def with_size(data: bytes, height: int, width: int) -> bytes:
    """The file with another size in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def without(data: bytes, code: int, which: int | None = None) -> bytes:
    """The file without its segments of a kind, or without the n-th of them."""
    starts = [s for s in segment_starts(bytearray(data)) if data[s + 1] == code]
    for start in reversed(starts if which is None else [starts[which]]):
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    return data
