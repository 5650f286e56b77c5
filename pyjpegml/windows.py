"""A part of a picture, or a smaller one, of a sequential scan: nothing else is ever made or kept.

Of the MCUs of a scan a *window* is wanted: those that the pixels asked for are made of, and their
neighbours, as far as the triangle filter looks. They make a picture of their own
(:class:`Window.geometry`), strip by strip as in :mod:`pyjpegml.strips`, of which only the pixels
asked for are painted::

    +--------------------------+
    | read                     |    Huffman codes say where they end, not where they begin: MCUs
    |      +-------------+     |    before the window are read and forgotten, unless restart markers
    | ...  | transformed | ... |    let the reader begin with an interval further on
    |      +-------------+     |
    | not looked at            |
    +--------------------------+

At a scale of 1/n the blocks are transformed to fewer samples each (:mod:`pyjpegml.reduced`), and
what is painted is the small picture; `left`, `top` and so on are pixels of that.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .coded import Coded
from .coefficients import Geometry
from .reduced import reduce_row
from .scaling import DENOMINATORS, Scale, plan_scale
from .scan import LEFT, MCU, READER_FIELDS, decode_mcus
from .strips import (
    BLOCKS,
    CALL_PIXELS,
    CHUNK_STRIDE,
    ROWS,
    SAMPLES,
    SIZE,
    STRIDE,
    H,
    Layout,
    Rows,
    V,
    clear_four,
    new_picture,
    paint_rows,
    ready_rows,
    transform_chunk,
)

if TYPE_CHECKING:
    from .decoder import Single

#: Rows of pixels around the wanted ones: the triangle filter looks at the next sample. And columns:
#: enough for three samples side by side, because it does not widen components of two.
ROWS_AROUND, COLUMNS_AROUND = 2, 5


@dataclass(frozen=True)
class Window:
    """A part of a picture; :func:`window_of` makes it.

    Attributes
    ----------
    x, y, width, height : int
        Which pixels of the picture (at its scale) are wanted.
    row, column : int
        Of the window's first MCU.
    left, top : int
        Where in the window's pixels the wanted ones begin.
    geometry : Geometry
        Of the window's MCUs, as a picture of its own at full size.
    denominator : int
        1, 2, 4 or 8.
    whole : bool
        Whether all of the picture is wanted.
    """

    x: int
    y: int
    width: int
    height: int
    row: int
    column: int
    left: int
    top: int
    geometry: Geometry
    denominator: int
    whole: bool

    @cached_property
    def scale(self) -> Scale:
        """The scale at which the window is decoded."""
        return plan_scale(self.geometry, self.denominator)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the wanted pixels in those of the window."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def cut(self, geometry: Geometry, coefficients: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The window's coefficients, copied if they are not all.

        Parameters
        ----------
        geometry : Geometry
            Of the whole picture.
        coefficients : (geometry.size,) int16

        Returns
        -------
        (self.geometry.size,) int16
        """
        if self.geometry.size == geometry.size:
            return coefficients
        part = np.empty(self.geometry.size, np.int16)
        for i, plane in enumerate(self.geometry.planes):
            rows, columns = self.row * plane.v, self.column * plane.h
            self.geometry.view(part, i)[...] = geometry.view(coefficients, i)[
                rows : rows + plane.rows, columns : columns + plane.stride
            ]
        return part


def _sides(region: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The four numbers of a region."""
    try:
        sides = tuple(map(operator.index, region))
    except TypeError:
        sides = ()
    if len(sides) != 4:
        raise ValueError(f"region is (x, y, width, height), whole numbers; not {region!r}")
    return sides


def window_of(
    geometry: Geometry, region: tuple[int, int, int, int] | None, denominator: int
) -> Window:
    """The window of a region.

    Parameters
    ----------
    geometry : Geometry
        Of the picture as it was coded.
    region : (x, y, width, height) or None
        In pixels of the picture at its scale; None for all of it.
    denominator : int
        1, 2, 4 or 8 (:mod:`pyjpegml.scaling`).

    Raises
    ------
    ValueError
        If that is no part of the picture, or no such scale.

    Examples
    --------
    >>> window = window_of(Geometry(100, 80, [(2, 2), (1, 1), (1, 1)]), (40, 35, 7, 5), 1)
    >>> window.row, window.column, window.top, window.left
    (2, 2, 3, 8)
    >>> window.geometry.mcus_down, window.geometry.mcus_across
    (1, 2)
    """
    if not hasattr(denominator, "__index__") or denominator not in DENOMINATORS:
        raise ValueError(f"a picture is decoded at 1/1, 1/2, 1/4 or 1/8, not 1/{denominator}")
    denominator = operator.index(denominator)
    width, height = (-(-side // denominator) for side in (geometry.width, geometry.height))
    x, y, wanted_width, wanted_height = _sides((0, 0, width, height) if region is None else region)
    right, bottom = x + wanted_width, y + wanted_height
    if wanted_width < 1 or wanted_height < 1 or x < 0 or y < 0 or right > width or bottom > height:
        raise ValueError(
            f"region is (x, y, width, height) within {width}x{height} pixels; this one is {region}"
        )
    across, down = 8 * geometry.h_max, 8 * geometry.v_max  # pixels of an MCU, at full size
    axes = ((y, bottom, down, ROWS_AROUND), (x, right, across, COLUMNS_AROUND))
    row, column = (max(0, first - around) * denominator // side for first, _, side, around in axes)
    end_row, end_column = (
        -(-(last + around) * denominator // side) for _, last, side, around in axes
    )
    part = geometry
    if row or column or end_row < geometry.mcus_down or end_column < geometry.mcus_across:
        part = Geometry(
            min(across * end_column, geometry.width) - across * column,
            min(down * end_row, geometry.height) - down * row,
            geometry.sampling,
        )
    return Window(
        x, y, wanted_width, wanted_height, row, column,
        x - across * column // denominator, y - down * row // denominator,
        part, denominator, (wanted_width, wanted_height) == (width, height),
    )  # fmt: skip


@inlined
def _forget_chunk(coefficients, layout):
    """Make a chunk's coefficients zero: whole groups of four blocks, as they were reserved."""
    for part in layout:
        first = part[BLOCKS]
        for block in range(first, first + part[V] * part[CHUNK_STRIDE], 4):
            clear_four(coefficients, 64 * block)


@kernel
def skip_mcus(
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start, reader,
    coefficients, extents, layout, last,
):  # fmt: skip
    """Lead a reader on to MCU number `last`, at most `mcus`: past whole intervals, else by reading.

    Parameters
    ----------
    data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start, reader
        As for :func:`pyjpegml.strips.decode_strips`.
    coefficients, extents, layout
        Too; coefficients are zeros on return.
    last : int

    Returns
    -------
    int
        As :func:`pyjpegml.scan.decode_mcus`.
    """
    if restart_interval > 0:
        begin = last // restart_interval * restart_interval
        if begin > reader[MCU]:
            reader[MCU], reader[LEFT] = begin, 0
    chunk = layout[0, CHUNK_STRIDE] // layout[0, H]
    while reader[MCU] < last:
        status = decode_mcus(
            data, ends, restart_interval, mcus, plan, 0, 0, min(chunk, last - reader[MCU]), places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        _forget_chunk(coefficients, layout)
        if status != scan.OK:
            return status
    return scan.OK


@inlined
def _reduce_chunk(coefficients, qtable, part, blocks, row, column, samples):
    """As :func:`pyjpegml.strips.transform_chunk`, to fewer samples a block."""
    size = part[SIZE]
    for v in range(part[V]):
        block = part[BLOCKS] + v * part[CHUNK_STRIDE]
        top = part[SAMPLES] + size * (row + v) % part[ROWS] * part[STRIDE]
        reduce_row(
            coefficients, 64 * block, blocks, qtable, size, samples, top + size * column,
            part[STRIDE],
        )  # fmt: skip
        for group in range(0, blocks, 4):
            clear_four(coefficients, 64 * (block + group))


@kernel
def decode_window(
    first_row, last_row, top_row, left_column, data, ends, restart_interval, mcus, plan,
    picture_across, mcus_across, mcus_down, places, look_up, tail, tail_start, reader,
    coefficients, extents, qtables, layout, samples, height, left, top, width, bottom, color, out,
    middle, last_rows,
):  # fmt: skip
    """Decode some rows of MCUs of a window, in order.

    Parameters
    ----------
    first_row, last_row : int
        Of the window.
    top_row, left_column : int
        Where its first MCU lies in the picture.
    data, ends, restart_interval, mcus, plan
        As for :func:`pyjpegml.strips.decode_strips`.
    picture_across : int
        MCUs in a row of the picture,
    mcus_across, mcus_down : int
        and those of the window.
    places, look_up, tail, tail_start, reader, coefficients, extents, qtables, layout, samples
        As for :func:`pyjpegml.strips.decode_strips`.
    height : int
        Rows of pixels in the window.
    left, top, width, bottom : int
        Which of its columns and rows are wanted.
    color, out, middle, last_rows
        As for :func:`pyjpegml.strips.paint_rows`, which calls the last one `tail`; `out` begins
        with row `top`.

    Returns
    -------
    int
        As :func:`pyjpegml.scan.decode_mcus`.
    """
    chunk = layout[0, CHUNK_STRIDE] // layout[0, H]
    for row in range(first_row, last_row):
        start = (top_row + row) * picture_across + left_column
        if start + mcus_across > mcus:
            return scan.OK
        status = skip_mcus(
            data, ends, restart_interval, mcus, plan, places, look_up, tail, tail_start, reader,
            coefficients, extents, layout, start,
        )  # fmt: skip
        if status != scan.OK:
            return status
        for first in range(0, mcus_across, chunk):
            count = min(chunk, mcus_across - first)
            status = decode_mcus(
                data, ends, restart_interval, mcus, plan, 0, 0, count, places,
                look_up, tail, tail_start, reader, coefficients, extents,
            )  # fmt: skip
            if status != scan.OK:
                return status
            for c in range(layout.shape[0]):
                part = layout[c]
                if part[SIZE] == 8:
                    transform_chunk(
                        coefficients, extents, qtables[c], part, 0, count * part[H],
                        row * part[V], first * part[H], samples,
                    )  # fmt: skip
                else:
                    _reduce_chunk(
                        coefficients, qtables[c], part, count * part[H],
                        row * part[V], first * part[H], samples,
                    )  # fmt: skip
        begin, end = ready_rows(samples, layout, row, mcus_down, height)
        begin, end = max(begin, top), min(end, bottom)
        paint_rows(samples, layout, begin, end, left, width, color, out, top, middle, last_rows)
    return scan.OK


@kernel
def finish_reduced(
    coefficients, extents, qtables, stored, layout, first, last, mcus_across, mcus_down, samples,
    top, bottom, height, left, width, color, out, origin, middle, tail,
):  # fmt: skip
    """Pixels of stored coefficients, as :func:`pyjpegml.strips.finish_strips`, at a scale.

    Parameters
    ----------
    coefficients, qtables, stored, first, last, mcus_across, mcus_down, samples
        As there.
    extents : (n,) uint8
        Not used.
    layout : (n, LAYOUT_FIELDS) int64
        For two strips of samples at that scale.
    top, bottom, height, left, width, color, out, origin, middle, tail
        As there, of the scaled picture.
    """
    for row in range(first, last):
        for c in range(layout.shape[0]):
            part = layout[c]
            for v in range(part[V]):
                line = row * part[V] + v
                block = stored[c, BLOCKS] + line * stored[c, CHUNK_STRIDE]
                reduce_row(
                    coefficients, 64 * block, mcus_across * part[H], qtables[c], part[SIZE],
                    samples, part[SAMPLES] + part[SIZE] * line % part[ROWS] * part[STRIDE],
                    part[STRIDE],
                )  # fmt: skip
        begin, end = ready_rows(samples, layout, row, mcus_down, height)
        begin, end = max(begin, top), min(end, bottom)
        paint_rows(samples, layout, begin, end, left, width, color, out, origin, middle, tail)


def decode_part(
    view: memoryview,
    geometry: Geometry,
    single: Single,
    window: Window,
    color: int,
    out: npt.NDArray[np.uint8] | None = None,
) -> tuple[npt.NDArray[np.uint8], Coded]:
    """Pixels of a window.

    Parameters
    ----------
    view : memoryview
        The whole file.
    geometry : Geometry
        Of the whole picture.
    single : Single
        Its scan.
    window : Window
    color : int
        As for :func:`pyjpegml.strips.paint_rows`.
    out : (h, w) or (h, w, components) uint8, optional
        Where to put them, C-contiguous.

    Returns
    -------
    picture : (h, w) or (h, w, components) uint8
    coded : Coded
        The scan's data, as far as they are needed.

    Raises
    ------
    JpegFormatError
        If the data up to the last MCU that the window needs are wrong or missing.
    """
    restart, part, mcus = single.restart_interval, window.geometry, geometry.mcus
    across, down = part.mcus_across, part.mcus_down
    start = window.row * geometry.mcus_across + window.column
    end = start + (down - 1) * geometry.mcus_across + across
    coded = Coded(view, single.start, -(-end // restart) if restart else 1)
    if error := coded.misnumbered():
        raise error
    there = min(mcus, coded.found * restart) if restart else mcus
    layout = Layout(part, scale=window.scale)
    reader = np.zeros(READER_FIELDS, np.int64)
    coefficients, extents = (
        np.zeros(64 * layout.blocks, np.int16),
        np.zeros(layout.blocks, np.uint8),
    )
    samples = np.empty(layout.samples, np.uint8)
    if out is None:
        out, painted = new_picture(window.height, window.width, len(part.planes), color)
    else:
        painted = Rows.of(out, 0, window.height)
    source = coded.plain, coded.ends, restart, there, single.plan
    coding = scan.PLACES, *single.tables, reader, coefficients, extents
    step = max(1, CALL_PIXELS // (64 * geometry.h_max * geometry.v_max))
    rows = max(1, step // geometry.mcus_across)

    def check(status: int) -> None:
        if status != scan.OK:
            raise coded.broken(status, reader, mcus, int(reader[scan.INTERVAL]))

    for last in range(min(start, there), 0, -step)[::-1]:
        check(skip_mcus(*source, *coding, layout.fields, last))
    for first in range(0, down, rows):
        status = decode_window(
            first, min(first + rows, down), window.row, window.column, *source,
            geometry.mcus_across, across, down, *coding, single.qtables, layout.fields, samples,
            window.scale.geometry.height, window.left, window.top, window.width,
            window.top + window.height, color, painted.out, window.top + painted.middle,
            painted.tail,
        )  # fmt: skip
        check(status)
    if error := coded.incomplete():
        raise error
    painted.finish()
    return out, coded
