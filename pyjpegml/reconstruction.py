"""The pixels that decoders make of levels, without a file in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import strips
from .coefficients import Geometry
from .strips import Layout, Rows, finish_strips, new_picture
from .threads import Crew


def reconstruct(
    geometry: Geometry,
    levels: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.uint16]],
    crew: Crew,
) -> npt.NDArray[np.uint8]:
    """The picture of a file with these levels: grey, RGB of YCbCr, or CMYK of YCCK.

    Parameters
    ----------
    geometry : Geometry
        Of one, three or four components.
    levels : (geometry.size,) int16
    qtables : sequence of (8, 8) uint16
        Of each component.
    crew : Crew
        Each of its threads makes some rows of MCUs.

    Returns
    -------
    (h, w), (h, w, 3) or (h, w, 4) uint8
    """
    height, width, rows = geometry.height, geometry.width, geometry.mcus_down
    color = {1: strips.GREY, 3: strips.YCBCR, 4: strips.YCCK}[len(geometry.planes)]
    out, _ = new_picture(height, width, len(geometry.planes), color)
    stored = np.zeros((len(geometry.planes), strips.LAYOUT_FIELDS), np.int64)
    for fields, plane in zip(stored, geometry.planes, strict=True):
        fields[strips.BLOCKS], fields[strips.CHUNK_STRIDE] = plane.offset // 64, plane.stride
    tables = np.array([table.reshape(64) for table in qtables], np.int32)
    layout = Layout(geometry)
    extents = np.empty(geometry.size // 64, np.uint8)

    def share(k: int) -> None:
        first, last = (rows * i // len(crew) for i in (k, k + 1))
        top, bottom = (min(8 * geometry.v_max * row, height) for row in (first, last))
        painted = Rows.of(out, top, bottom)
        mine = extents if k == 0 else np.empty_like(extents)  # borders are made by two threads
        finish_strips(
            levels, mine, tables, stored, layout.fields, max(first - 1, 0), min(last + 1, rows),
            geometry.mcus_across, rows, np.empty(layout.samples, np.uint8),
            top, bottom, height, 0, width, color, painted.out, 0, painted.middle, painted.tail,
        )  # fmt: skip
        painted.finish()

    crew.all(share)
    return out
