"""Smoothing between blocks against its formula, and files whose scans stop early against libjpeg.

Pillow's libjpeg-turbo must be 3.x: other versions smooth in other ways.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import oracles
import progressive_files
import pytest
from helpers import assert_same_picture, images, picture, pillow_decode, pillow_encode
from hypothesis import given
from hypothesis import strategies as st
from PIL import features

from pyjpegml.constants import LUMINANCE_QTABLE, ZIGZAG
from pyjpegml.smoothing import BESIDE_AC, BY_DC_ALONE, COEFFICIENTS, applies, scratch, smooth_rows

Array = npt.NDArray[np.int16]

pixels_of_3 = pytest.mark.skipif(
    not (features.version("libjpeg_turbo") or "").startswith("3."),
    reason="libjpeg-turbo of Pillow is not 3.x",
)

QTABLE = LUMINANCE_QTABLE.reshape(64).astype(np.int32)
UNKNOWN = np.array([0] + [-1] * 63, np.int64)


def smooth(
    blocks: Array,
    known: npt.NDArray[np.int64] = UNKNOWN,
    qtable: npt.NDArray[np.int32] = QTABLE,
    v: int = 1,
    step: int = 1000,
) -> Array:
    """All rows of a component of (down, across) blocks, `step` rows at a time."""
    down, across = blocks.shape[:2]
    out, dc = blocks.copy(), blocks[..., 0].copy()
    for first in range(0, down, step):
        last = min(first + step, down)
        smooth_rows(dc, across, down, v, first, last, qtable, known, ZIGZAG, scratch(across), out)
    return out


def formula(blocks: Array, known: npt.NDArray[np.int64], qtable: npt.NDArray[np.int32]) -> Array:
    """The essay's formula, with fractions, where all rows above and below are there or repeated."""
    alone = all(known[1:COEFFICIENTS] == -1)
    around = np.pad(blocks[:, :, 0].astype(int), 2, "edge")
    out = blocks.astype(int)
    for row, column in np.ndindex(blocks.shape[:2]):
        dc = around[row : row + 5, column : column + 5]
        for k in range(COEFFICIENTS):
            weights = (BY_DC_ALONE if alone else BESIDE_AC).get(divmod(oracles.ZIGZAG[k], 8))
            place = oracles.ZIGZAG[k]
            if weights is None or (k > 0 and (known[k] == 0 or blocks[row, column, place] != 0)):
                continue
            exact = Fraction(int(qtable[0]) * int((weights * dc).sum()), 256 * int(qtable[place]))
            value = oracles.round_half_away(exact)
            if k > 0 and known[k] > 0:
                largest = 2 ** int(known[k]) - 1
                value = min(max(value, -largest), largest)
            out[row, column, place] = value
    return out.astype(np.int16)  # wraps


@st.composite
def components(draw: st.DrawFn) -> Array:
    """Blocks of any DC, and some AC that is known."""
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 20)), 64
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([1, 30, 1023, 16383]))
    blocks = rng.integers(-largest, largest + 1, shape).astype(np.int16)
    blocks[:, :, 1:][rng.random((*shape[:2], 63)) < draw(st.sampled_from([0, 0.5, 1]))] = 0
    return blocks


def states() -> st.SearchStrategy[npt.NDArray[np.int64]]:
    """What may be known of the coefficients: often nothing of AC."""
    bits = st.lists(st.integers(-1, 3), min_size=9, max_size=9) | st.just([-1] * 9)
    return bits.map(lambda ac: np.array([0, *ac] + [-1] * 54, np.int64))


@given(components(), states(), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_formula(blocks: Array, known: npt.NDArray[np.int64], seed: int, step: int) -> None:
    """The kernel is the formula, in strips of any height, and leaves what it reads."""
    qtable = np.random.default_rng(seed).integers(1, 256, 64).astype(np.int32)
    before = blocks.copy()
    np.testing.assert_array_equal(
        smooth(blocks, known, qtable, step=step), formula(blocks, known, qtable)
    )
    np.testing.assert_array_equal(blocks, before)


def test_weights() -> None:
    """What must be so for pictures that are flat, or turned."""
    for weights in (BY_DC_ALONE, BESIDE_AC):
        for (v, u), table in weights.items():
            assert table.sum() == (256 if v == u == 0 else 0)
            np.testing.assert_array_equal(table[:, ::-1], table * (-1) ** u)
            np.testing.assert_array_equal(table[::-1], table * (-1) ** v)
            np.testing.assert_array_equal(weights[u, v], table.T)
    along_the_path = {divmod(place, 8) for place in oracles.ZIGZAG[:COEFFICIENTS]}
    assert set(BY_DC_ALONE) == along_the_path
    assert set(BESIDE_AC) == {(0, 1), (1, 0), (2, 0), (1, 1), (0, 2)}


def test_a_slope() -> None:
    """DC that rise to the right by 10 a block, which is 10/64 a sample: estimated as such a slope.

    The coefficient (0, 1) of a ramp that rises by 1 a sample is -18.22.
    """
    blocks = np.zeros((5, 9, 64), np.int16)
    blocks[:, :, 0] = 10 * np.arange(9)
    smoothed = smooth(blocks, qtable=np.ones(64, np.int32))
    inner = smoothed[:, 2:-2]
    assert (inner[..., 0] == blocks[:, 2:-2, 0]).all()
    assert (inner[..., 1] == round(-18.22 * 10 / 64)).all()
    assert (np.delete(inner, [0, 1], axis=2) == 0).all()


def test_rows_of_mcus() -> None:
    """Dummy rows below the last real one count from the row of MCUs above; missing ones are 0."""
    blocks = np.zeros((4, 3, 64), np.int16)
    blocks[:, :, 0] = np.array([[10], [20], [30], [1000]])
    known = np.array([0, -1, -1] + [1] * 61, np.int64)
    ones = np.ones(64, np.int32)

    def down_column(rows: list[int]) -> int:
        """AC (1, 0) by the five DC of a column."""
        far_above, above, _, below, far_below = rows
        total = -7 * far_above + 50 * above - 50 * below + 7 * far_below
        return oracles.round_half_away(Fraction(total, 256))

    for stored, dummy in ((blocks, 1000), (blocks[:3], 0)):
        out = stored.copy()
        smooth_rows(stored[..., 0].copy(), 3, 3, 2, 0, 3, ones, known, ZIGZAG, scratch(3), out)
        assert out[:3, 0, 8].tolist() == [
            down_column([10, 10, 10, 20, 30]),
            down_column([10, 10, 20, 30, dummy]),
            # one real row in the second row of MCUs: libjpeg-turbo takes it for the second row
            down_column([20, 20, 30, 30, 30]),
        ]


def test_applies() -> None:
    known = np.zeros((3, 64), np.int64)
    assert not applies(known)
    known[2, 10:] = -1
    assert not applies(known)
    known[2, 9] = 1
    assert applies(known)
    known[1, 0] = 2
    assert applies(known)
    known[0, 0] = -1
    assert not applies(known)


@pixels_of_3
@given(
    images(channels=(3,), largest=60, longest=200),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.sampled_from([10, 50, 75, 95]),
    st.data(),
)
def test_files_cut_between_scans(
    image: npt.NDArray[np.uint8], subsampling: str, quality: int, data: st.DataObject
) -> None:
    whole = pillow_encode(image, quality=quality, subsampling=subsampling, progressive=True)
    part = data.draw(st.sampled_from(progressive_files.cut(whole)))
    assert_same_picture(progressive_files.decode(part), pillow_decode(part))


@pixels_of_3
@pytest.mark.parametrize("height", [*range(1, 18), 24, 32, 40, 41, 48, 57])
@pytest.mark.parametrize("sampling", [0x11, 0x12, 0x14, 0x22])
def test_grey_files_with_sampling_factors(height: int, sampling: int) -> None:
    """The factors of a single component mean nothing, except that they place its borders."""
    whole = pillow_encode(picture("natural", (height, 50), height), quality=80, progressive=True)
    frame = whole.index(b"\xff\xc2")
    whole = whole[: frame + 11] + bytes([sampling]) + whole[frame + 12 :]
    for part in progressive_files.cut(whole):
        assert_same_picture(progressive_files.decode(part, "grey"), pillow_decode(part))


@pixels_of_3
@given(st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]), st.integers(17, 90), st.data())
def test_files_cut_within_scans(subsampling: str, height: int, data: st.DataObject) -> None:
    """Below the row of MCUs in which the data end it counts what was known before."""
    image = picture("natural", (height, 70, 3), height)
    whole = pillow_encode(image, quality=85, subsampling=subsampling, progressive=True)
    cuts = [len(part) - 2 for part in progressive_files.cut(whole)] + [len(whole) - 2]
    first = whole.index(b"\xff\xda") + 20
    end = data.draw(st.integers(first, cuts[0] - 1) | st.integers(first, cuts[-1] - 1))
    part = whole[:end]
    headers = [whole.rindex(b"\xff\xda", 0, cut) for cut in cuts]
    if any(cut <= end < header + 12 for cut, header in zip(cuts, headers[1:], strict=False)):
        return  # within tables or a scan header
    part += b"\xff\xd9"
    assert_same_picture(progressive_files.decode(part), pillow_decode(part))
