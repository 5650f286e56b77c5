"""The bits of blocks, code by code: they are the file's own, and make its coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import picture

import pyjpegml
from pyjpegml import JpegFormatError, JpegUnsupportedError
from pyjpegml.explorer.trace import blocks, extend

PHOTO = picture("natural", (45, 70, 3), seed=3)
FILES = {
    "4:2:0": pyjpegml.encode(PHOTO, quality=85),
    "4:4:4, Annex K's codes": pyjpegml.encode(PHOTO, subsampling="4:4:4", optimize=False),
    "restart intervals": pyjpegml.encode(PHOTO, quality=95, restart_interval=2),
    "4:1:1": pyjpegml.encode(PHOTO, subsampling="4:1:1"),
    "grey": pyjpegml.encode(PHOTO[:, :, 0], quality=98),
    "noise, with bytes FF": pyjpegml.encode(picture("noise", (33, 40, 3)), quality=100),
    "compressed": pyjpegml.compress(PHOTO, ms_ssim=0.97, progressive=False).data,
}


def cut(data: bytes, bit: int, count: int) -> str:
    """So many bits of a file, a byte stuffed behind FF (T.81 B.1.1.5) left out."""
    byte, first = divmod(bit, 8)
    text = ""
    while len(text) < first + count:
        text += f"{data[byte]:08b}"
        byte += 2 if data[byte] == 0xFF else 1
    return text[first : first + count]


@pytest.mark.parametrize("name", FILES)
def test_levels_are_those_of_the_decoder(name: str) -> None:
    wanted = pyjpegml.decode_coefficients(FILES[name]).components
    got = [np.zeros_like(component) for component in wanted]
    for block in blocks(FILES[name]):
        down, across = got[block.component].shape[:2]
        if block.row < down and block.column < across:  # no dummy
            got[block.component][block.row, block.column] = block.levels
    for one, other in zip(got, wanted, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", FILES)
def test_bits_are_cut_from_the_file(name: str) -> None:
    data = FILES[name]
    for block in blocks(data):
        assert len(block.bits) >= 2
        for code in block.codes:
            assert cut(data, code.bit, len(code.code + code.raw)) == code.code + code.raw
            assert extend(code.raw) == code.value


@pytest.mark.parametrize("name", ["4:2:0", "noise, with bytes FF"])
def test_blocks_follow_one_another_without_a_gap(name: str) -> None:
    data = FILES[name]
    bits = "".join(block.bits for block in blocks(data))
    first = next(blocks(data)).codes[0].bit
    assert cut(data, first, len(bits)) == bits
    padding = -len(bits) % 8
    assert data[-2:] == b"\xff\xd9"
    assert cut(data, first, len(bits) + padding)[len(bits) :] == "1" * padding  # F.1.2.3


def test_zeros_between_levels_are_those_of_the_symbols() -> None:
    block = next(blocks(FILES["4:2:0"]))
    assert len(block.codes) > 2
    place = 0
    for code in block.codes[1:-1]:
        assert code.place == place + code.run + 1
        place = code.place


def test_other_files_are_refused() -> None:
    for data in (
        pyjpegml.encode(PHOTO, progressive=True),
        pyjpegml.encode(PHOTO, lossless=True),
    ):
        with pytest.raises(JpegUnsupportedError, match="sequential Huffman-coded files"):
            next(blocks(data))


def test_broken_data_are_errors_with_a_place() -> None:
    data = FILES["4:2:0"]
    with pytest.raises(JpegFormatError, match="end early") as raised:
        list(blocks(data[: len(data) // 2]))
    assert raised.value.offset is not None
    assert len(data) // 2 - 3 <= raised.value.offset <= len(data) // 2
    flat = pyjpegml.encode(np.full((8, 8), 128, np.uint8), optimize=False)
    sos = flat.index(b"\xff\xda")
    start = sos + 2 + int.from_bytes(flat[sos + 2 : sos + 4])
    ones = flat[:start] + b"\xff\x00" * 4 + b"\xff\xd9"
    with pytest.raises(JpegFormatError, match="no Huffman code"):
        list(blocks(ones))
    other_table = flat[: sos + 6] + b"\x30" + flat[sos + 7 :]
    with pytest.raises(JpegFormatError, match="DC Huffman table 3 is used, but not defined"):
        list(blocks(other_table))
