"""The yardstick: the lowest quality of libjpeg that meets a target."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import pyjpegml
from pyjpegml.quantize import standard_qtables
from pyjpegml.yardstick import annex_k_baseline


def quality_of(tables: tuple[npt.NDArray[np.uint16], ...]) -> int:
    """Whose tables these are."""
    [quality] = [q for q in range(1, 101) if np.array_equal(standard_qtables(q)[0], tables[0])]
    return quality


@pytest.mark.parametrize("target", [0.9, 0.98])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_one_quality_less_misses(
    photo: npt.NDArray[np.uint8], target: float, subsampling: str
) -> None:
    found = annex_k_baseline(photo, target, subsampling=subsampling)
    assert found.met
    assert found.subsampling == pyjpegml.read_header(found.data).subsampling == subsampling
    assert found.ms_ssim == pyjpegml.ms_ssim(photo, pyjpegml.decode(found.data)) >= target
    quality = quality_of(found.qtables)
    assert found.data == pyjpegml.encode(photo, quality=quality, subsampling=subsampling)
    less = pyjpegml.encode(photo, quality=quality - 1, subsampling=subsampling)
    assert pyjpegml.ms_ssim(photo, pyjpegml.decode(less)) < target


def test_a_target_out_of_reach_gives_the_best_quality(photo: npt.NDArray[np.uint8]) -> None:
    found = annex_k_baseline(photo, 1.0)
    assert not found.met
    assert quality_of(found.qtables) == 100
    assert found.data == pyjpegml.encode(photo, quality=100, subsampling="4:2:0")


def test_grey_and_inks(photo: npt.NDArray[np.uint8]) -> None:
    grey = annex_k_baseline(photo[..., 1], 0.97)
    assert grey.met
    assert grey.subsampling == "grey"
    assert len(grey.qtables) == 1
    ink = annex_k_baseline(np.dstack([photo, photo[..., 0]]), 0.97, color="CMYK")
    assert ink.met
    assert len(ink.qtables) == len(pyjpegml.read_header(ink.data).components) == 4
