"""Decoders that do not know where they are, and fall into step with one that does."""

from __future__ import annotations

import numpy as np

from pyjpegml import encode, scan, stretches
from pyjpegml.coded import Coded
from pyjpegml.coefficients import Geometry
from pyjpegml.huffman import STANDARD_TABLES, decoding_tables
from pyjpegml.strips import BLOCKS, CHUNK_STRIDE, H, Layout, V

MCUS, WINDOW = 300, 128


def test_guesses_fall_into_step(photo: np.ndarray) -> None:
    """From any bit of a photograph's data on: MCUs are found where they are, and are the same."""
    coded = encode(photo, quality=80, optimize=False)
    start = coded.index(b"\xff\xda") + 14
    found = Coded(memoryview(coded), start, 1)
    geometry = Geometry(photo.shape[1], photo.shape[0], [(2, 2), (1, 1), (1, 1)])
    layout = Layout(geometry, chunk=MCUS + WINDOW + stretches.STEP)
    source = (
        found.plain, found.ends, 0, geometry.mcus,
        layout.chunk_plan(geometry.scan_plan([(0, 0), (1, 1), (1, 1)])), scan.PLACES,
        *decoding_tables(STANDARD_TABLES),
    )  # fmt: skip

    def decoded(
        reader: np.ndarray, most: int, stop: int
    ) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        blocks = np.full((layout.blocks, 64), 77, np.int16)
        starts = np.zeros((WINDOW + 1, scan.READER_FIELDS), np.int64)
        extents = np.zeros(layout.blocks, np.uint8)
        count, _ = stretches.decode_stretch(
            *source, reader, blocks.reshape(-1), extents, layout.fields, most, stop, starts
        )
        return count, blocks, starts, extents

    known = np.zeros(scan.READER_FIELDS, np.int64)
    end = 8 * int(found.ends[-1])
    met = 0
    for stop in range(end // 20, end * 9 // 10, end // 20):
        known[:] = 0
        known[scan.LEFT] = geometry.mcus
        count, blocks, _, extents = decoded(known, geometry.mcus, stop)
        if count > MCUS:
            break
        guess = np.zeros(scan.READER_FIELDS, np.int64)
        guess[scan.BIT], guess[scan.LEFT] = stop, stretches.ENDLESS
        found_count, guessed, starts, _ = decoded(guess, WINDOW, stop + 8000)
        _, which = stretches.meet(
            *source[:2], *source[3:], known, blocks.reshape(-1), extents, layout.fields,
            count, count + WINDOW, starts, min(found_count, WINDOW),
        )  # fmt: skip
        if which < 0:
            continue
        met += 1
        assert starts[which, scan.BIT] == known[scan.BIT]
        # what comes next is the same, but for DC, of which only the differences are
        run = min(found_count - which, 4)
        going_on = known.copy()
        following, blocks, _, _ = decoded(going_on, run, stretches.ENDLESS)
        assert following == run
        for part in layout.fields:
            first, h = part[BLOCKS], part[H]
            for v in range(part[V]):
                row = first + v * part[CHUNK_STRIDE]
                ours = blocks[row : row + run * h]
                theirs = guessed[row + which * h : row + (which + run) * h]
                assert np.array_equal(ours[:, 1:], theirs[:, 1:])
                assert np.ptp(ours[:, 0] - theirs[:, 0]) == 0
    assert met > 3
