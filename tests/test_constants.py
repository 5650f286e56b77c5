"""The tables that T.81 fixes."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from helpers import picture, pillow_encode

from pyjpegml import constants


def test_zigzag() -> None:
    assert constants.ZIGZAG.tolist() == oracles.ZIGZAG
    assert constants.ZIGZAG[constants.UNZIGZAG].tolist() == list(range(64))


@pytest.mark.parametrize("name", ["ZIGZAG", "UNZIGZAG", "LUMINANCE_QTABLE", "CHROMINANCE_QTABLE"])
def test_arrays_are_read_only(name: str) -> None:
    array = getattr(constants, name)
    assert array.dtype == (np.uint8 if array.ndim == 1 else np.uint16)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_annex_k_is_what_libjpeg_writes() -> None:
    """At quality 50 and without optimisation a file holds Tables K.1 to K.6 as they are."""
    data = pillow_encode(picture("noise", (16, 16, 3)), quality=50)
    written = b"".join(payload for code, payload in oracles.file_parts(data)[0] if code == 0xDB)
    for slot, table in enumerate((constants.LUMINANCE_QTABLE, constants.CHROMINANCE_QTABLE)):
        assert (
            list(written[65 * slot + 1 : 65 * slot + 65]) == table.ravel()[oracles.ZIGZAG].tolist()
        )
    assert oracles.file_huffman_tables(data) == {
        0x00: (constants.DC_LUMINANCE_BITS, constants.DC_SYMBOLS),
        0x01: (constants.DC_CHROMINANCE_BITS, constants.DC_SYMBOLS),
        0x10: (constants.AC_LUMINANCE_BITS, constants.AC_LUMINANCE_SYMBOLS),
        0x11: (constants.AC_CHROMINANCE_BITS, constants.AC_CHROMINANCE_SYMBOLS),
    }


@pytest.mark.parametrize("kind", ["LUMINANCE", "CHROMINANCE"])
def test_ac_tables_code_every_run_and_size(kind: str) -> None:
    """Runs 0 to 15 with sizes 1 to 10, end of block, and sixteen zeros."""
    symbols = getattr(constants, f"AC_{kind}_SYMBOLS")
    expected = {0x00, 0xF0} | {16 * run + size for run in range(16) for size in range(1, 11)}
    assert set(symbols) == expected
    assert len(symbols) == len(expected) == sum(getattr(constants, f"AC_{kind}_BITS"))
