"""From coefficients to pixels by threads: inverse DCT, upsampling and colour.

The decoder comes here with what it has stored of progressive and other files, at any scale and for
any part of the picture; rate control with levels that it tries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import strips
from .coefficients import Geometry
from .encoder import usual_planes
from .strips import Layout, Rows, finish_strips, new_picture, picture_of
from .threads import Crew
from .windows import Window, finish_reduced, window_of

#: Rows of MCUs that :func:`resampled` makes together.
RESAMPLED_ROWS = 16


def resampled(
    image: npt.NDArray[np.uint8], geometry: Geometry, crew: Crew
) -> npt.NDArray[np.uint8]:
    """What colour and sampling alone leave of a picture: there and back, without a transform.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) C-contiguous uint8
    geometry : Geometry
        Of the file's components.
    crew : Crew
        Its threads take bands of rows in turn, each with a row of MCUs around it, which the
        triangle filter sees.
    """
    out = np.empty(image.shape, np.uint8)
    height, side = len(image), 8 * geometry.v_max

    def band(k: int) -> None:
        first, last = (min(side * RESAMPLED_ROWS * i, height) for i in (k, k + 1))
        top = max(first - side, 0)
        rows = image[top : last + side]
        part = Geometry(geometry.width, len(rows), geometry.sampling)
        out[first:last] = picture_of(part, usual_planes(rows, part))[first - top : last - top]

    crew.each(band, -(-geometry.mcus_down // RESAMPLED_ROWS))
    return out


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
    color = {1: strips.GREY, 3: strips.YCBCR, 4: strips.YCCK}[len(geometry.planes)]
    tables = np.array([table.reshape(64) for table in qtables], np.int32)
    return paint_window(geometry, levels, tables, color, crew, window_of(geometry, None, 1))


def paint_window(
    geometry: Geometry,
    coefficients: npt.NDArray[np.int16],
    qtables: npt.NDArray[np.int32],
    color: int,
    crew: Crew,
    window: Window,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Pixels of a part of a picture of 8 bits.

    Parameters
    ----------
    geometry : Geometry
        Of the whole picture; sampling factors divide the largest.
    coefficients : (geometry.size,) int16
    qtables : (n, 64) int32
        Of each component, natural order.
    color : int
        As for :func:`pyjpegml.strips.paint_rows`.
    crew : Crew
        Each of its threads makes some rows of MCUs.
    window : Window
        What is wanted.
    out : array, optional
        Where it is put, C-contiguous.

    Returns
    -------
    (h, w) or (h, w, components) uint8
    """
    height, width = window.height, window.width
    if out is None:
        out, _ = new_picture(height, width, len(geometry.planes), color)
    stored = np.zeros((len(geometry.planes), strips.LAYOUT_FIELDS), np.int64)
    for fields, plane in zip(stored, geometry.planes, strict=True):
        first = window.row * plane.v * plane.stride + window.column * plane.h
        fields[strips.BLOCKS] = plane.offset // 64 + first
        fields[strips.CHUNK_STRIDE] = plane.stride
    part, scaled = window.geometry, window.denominator != 1
    layout = Layout(part, scale=window.scale)
    rows, strip = part.mcus_down, 8 * part.v_max // window.denominator
    finish = finish_reduced if scaled else finish_strips

    def share(k: int) -> None:
        first, last = (rows * i // len(crew) for i in (k, k + 1))
        top, bottom = (min(max(strip * i, window.top), window.top + height) for i in (first, last))
        painted = Rows.of(out, top - window.top, bottom - window.top)
        extents = np.empty(geometry.size // 64, np.uint8)  # each its own: borders are made twice
        finish(
            coefficients, extents, qtables, stored, layout.fields, max(first - 1, 0),
            min(last + 1, rows), part.mcus_across, rows, np.empty(layout.samples, np.uint8),
            top, bottom, window.scale.geometry.height, window.left, width, color, painted.out,
            window.top, window.top + painted.middle, painted.tail,
        )  # fmt: skip
        painted.finish()

    crew.all(share)
    return out
