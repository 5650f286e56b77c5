"""From a sequential scan to pixels, strip by strip.

Decoding stage after stage over the whole picture would write and read each of its arrays from main
memory. Here everything between the bytes of the file and the pixels stays in the cache: a *chunk*
of up to 16 MCUs is entropy-decoded into a small buffer and transformed at once, a row of MCUs makes
a *strip* of samples, and behind it rows of pixels are upsampled, coloured and written, once::

    scan.decode_mcus  ->  coefficients of a chunk  ->  dct.inverse_four  ->  strips of samples
                                                                                  |
    picture  <-  color.ycbcr_to_rgb  <-  wide rows  <-  sampling.upsample_row  <--+

*Two strips* of each component are kept: the triangle filter takes a row above and one below, so the
last row of a strip waits for the next one (``row`` of the component is row ``row % ROWS`` of the
buffer). Behind them lie the *wide rows*, one for each component, for its current row at full width.

*Padding.* Vectors are read and written whole. A row of samples has MARGIN bytes before and behind
it, and room for whole groups of four blocks; its own first and last samples are repeated just
outside, as the triangle filter wants. A row of the picture is written in steps of 64 pixels; what
goes beyond its end is written again with the next row, and behind the last row there is SLACK.

*Two threads* share the work at the coefficients: one decodes a *band* of rows of MCUs
(:func:`decode_band`) while the other makes pixels of the one before (:func:`finish_band`).

The buffers are described by an int64 array with a row of fields for each component (below).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .coefficients import Geometry
from .color import copy_row, interleave, ycbcr_to_rgb
from .dct import inverse_flat_four, inverse_four, inverse_low_four
from .sampling import upsample_row
from .scan import decode_mcus
from .simd import vector_function

# fields of a row of a layout
SAMPLES = 0  # offset of the component's first sample in the buffer of samples
STRIDE = 1  # from row to row
ROWS = 2  # of the buffer
WIDTH, HEIGHT = 3, 4  # real size of the component
ACROSS, DOWN = 5, 6  # pixels that one sample covers
WIDE = 7  # offset of its wide row
BLOCKS = 8  # blocks before the component's in the buffer of coefficients
CHUNK_STRIDE = 9  # blocks in a row there
H, V = 10, 11  # blocks in an MCU
LAYOUT_FIELDS = 12

#: Bytes before and behind a row of samples: one step of upsampling.
MARGIN = 64
#: Room behind the last byte of a picture: one step of 64 pixels begins before its end.
SLACK = 192
#: MCUs that are transformed together: a multiple of 4, so that there are whole groups of blocks.
CHUNK = 16

#: Up to this place the zigzag path stays where u and v are below 4.
LOW = 9

GREY, YCBCR, RGB = 0, 1, 2


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


class Layout:
    """Where samples and coefficients lie while a picture is decoded.

    Parameters
    ----------
    geometry : Geometry
    whole : bool
        Have room for all rows of samples, not just for two strips.
    band : int
        Have room for the coefficients of that many rows of MCUs, not just for a chunk.

    Attributes
    ----------
    fields : (n, LAYOUT_FIELDS) int64
    samples : int
        Bytes of the buffer of samples.
    blocks : int
        Blocks of the buffer of coefficients.
    """

    def __init__(self, geometry: Geometry, whole: bool = False, band: int = 0) -> None:
        self.fields = np.zeros((len(geometry.planes), LAYOUT_FIELDS), np.int64)
        self.samples = 0
        self.blocks = 0
        chunk = _up(geometry.mcus_across, 4) if band else min(CHUNK, _up(geometry.mcus_across, 4))
        for plane, part in zip(geometry.planes, self.fields, strict=True):
            # whole groups of four blocks and whole steps; an odd number of 64 bytes, so that the
            # eight rows of a block do not all fall on the same lines of the cache
            part[STRIDE] = MARGIN + _up(8 * plane.stride, 64) + MARGIN | 64
            part[ROWS] = 8 * (plane.rows if whole else 2 * plane.v)
            part[SAMPLES] = self.samples + MARGIN
            part[WIDTH], part[HEIGHT] = plane.width, plane.height
            part[ACROSS] = geometry.h_max // plane.h
            part[DOWN] = geometry.v_max // plane.v
            part[BLOCKS] = self.blocks
            part[CHUNK_STRIDE] = chunk * plane.h
            part[H], part[V] = plane.h, plane.v
            self.samples += int(part[STRIDE] * part[ROWS])
            self.blocks += chunk * plane.h * plane.v * max(band, 1)
        for part in self.fields:
            part[WIDE] = self.samples
            self.samples += _up(geometry.width, 64)

    def chunk_plan(self, plan: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The plan of a scan, for blocks that go into the buffer of coefficients."""
        changed = plan.copy()
        for block in changed:
            part = self.fields[block[scan.COMPONENT]]
            block[scan.OFFSET], block[scan.STRIDE] = 64 * part[BLOCKS], part[CHUNK_STRIDE]
        return changed


def empty_picture(geometry: Geometry, color: str) -> npt.NDArray[np.uint8]:
    """Memory for a picture and its SLACK, flat."""
    channels = 1 if color == "grey" else 3
    return np.empty(geometry.height * geometry.width * channels + SLACK, np.uint8)


def shaped(out: npt.NDArray[np.uint8], geometry: Geometry, color: str) -> npt.NDArray[np.uint8]:
    """The picture in memory from :func:`empty_picture`: (h, w) or (h, w, 3)."""
    channels = () if color == "grey" else (3,)
    return out[: out.size - SLACK].reshape(geometry.height, geometry.width, *channels)


COLORS = {"grey": GREY, "YCbCr": YCBCR, "RGB": RGB}


def picture(
    geometry: Geometry, planes: list[npt.NDArray[np.uint8]], color: str
) -> npt.NDArray[np.uint8]:
    """Upsample planes and convert them to RGB.

    Parameters
    ----------
    geometry : Geometry
    planes : list of (>= height, >= width) uint8
        Samples of each component, as :meth:`Geometry.reconstruct` returns them.
    color : str
        ``"grey"``, ``"YCbCr"`` or ``"RGB"``.

    Returns
    -------
    (h, w) or (h, w, 3) uint8
    """
    layout = Layout(geometry, whole=True)
    samples = np.empty(layout.samples, np.uint8)
    for plane, size, part in zip(planes, geometry.planes, layout.fields, strict=True):
        first = part[SAMPLES] - MARGIN
        rows = samples[first : first + part[ROWS] * part[STRIDE]].reshape(part[ROWS], part[STRIDE])
        rows[: size.height, MARGIN : MARGIN + size.width] = plane[: size.height, : size.width]
        repeat_borders(samples, part, 0, size.height)
    out = empty_picture(geometry, color)
    paint_rows(samples, layout.fields, 0, geometry.height, geometry.width, COLORS[color], out)
    return shaped(out, geometry, color)


@kernel
def repeat_borders(samples, part, first, last):
    """Repeat the outermost of a component's `samples` just outside, in rows `first` to `last`.

    `part` is its row of the layout.
    """
    for row in range(first, last):
        start = part[SAMPLES] + row % part[ROWS] * part[STRIDE]
        end = start + part[WIDTH]
        samples[start - 1] = samples[start]
        samples[end] = samples[end - 1]


@inlined
def _full_row(samples, part, row):
    """Offset in `samples` of a row of the picture of one component, at full width."""
    if part[ACROSS] == 1 and part[DOWN] == 1:
        return part[SAMPLES] + row % part[ROWS] * part[STRIDE]
    near, far = row, row
    if part[DOWN] == 2:
        # the nearer row weighs three times the farther one: above for even rows, below for odd
        near = row >> 1
        far = min(near + 1, part[HEIGHT] - 1) if row & 1 else max(near - 1, 0)
    upsample_row(
        samples,
        part[SAMPLES] + near % part[ROWS] * part[STRIDE],
        part[SAMPLES] + far % part[ROWS] * part[STRIDE],
        part[ACROSS], part[DOWN], row & 1, part[WIDTH], part[WIDE],
    )  # fmt: skip
    return part[WIDE]


@kernel
def paint_rows(samples, layout, first, last, width, color, out):
    """Upsample, colour and write rows of the picture.

    Parameters
    ----------
    samples : (n,) uint8
        Holds the rows that they need, borders repeated.
    layout : (n, LAYOUT_FIELDS) int64
    first, last : int
    width : int
        Of the picture.
    color : int
        GREY, YCBCR or RGB.
    out : (height * width * channels + SLACK,) uint8

    Notes
    -----
    Loads and stores. Samples: a row has room for a multiple of 64, and MARGIN before and behind,
    where :func:`pyjpegml.sampling.upsample_row` reads one; a wide row holds `width` rounded up to a
    multiple of 64, which is also what it writes, since a component that is widened has
    ``ceil(width / 2)`` samples. Pixels: the last row ends less than 64 pixels behind its end, and
    those are at most SLACK bytes.
    """
    for row in range(first, last):
        y = _full_row(samples, layout[0], row)
        if color == GREY:
            copy_row(samples, y, width, out, row * width)
            continue
        cb = _full_row(samples, layout[1], row)
        cr = _full_row(samples, layout[2], row)
        if color == YCBCR:
            ycbcr_to_rgb(samples, y, cb, cr, width, out, 3 * row * width)
        else:
            interleave(samples, y, cb, cr, width, out, 3 * row * width)


@vector_function
def _clear_four(coefficients, position):
    """Make the coefficients of four blocks zero."""
    zeros = coefficients.load(64, position) & 0
    for k in range(4):
        coefficients.store(zeros, position + 64 * k)


@kernel
def transform_chunk(coefficients, extents, qtable, part, above, blocks, row, column, samples):
    """Inverse DCT of one component's blocks of a chunk; leaves their coefficients zero.

    Parameters
    ----------
    coefficients : (n,) int16
    extents : (n / 64,) uint8
        Last coefficient of each block on the zigzag path.
    qtable : (64,) int32
    part : (LAYOUT_FIELDS,) int64
    above : int
        Rows of blocks before these in the component's part of `coefficients`.
    blocks : int
        How many in a row of the chunk. They are done four at a time: those that make up a whole
        group are zero, and go where nobody looks.
    row, column : int
        Of the first block, in the component.
    samples : (n,) uint8

    Notes
    -----
    Loads and stores: a row of the chunk has CHUNK_STRIDE blocks, a multiple of 4, so that the
    groups stay within it; a row of samples holds a multiple of 64 from column 0 on, so that the
    groups' 32 do too.
    """
    for v in range(part[V]):
        top = part[SAMPLES] + 8 * (row + v) % part[ROWS] * part[STRIDE] + 8 * column
        for group in range(0, blocks, 4):
            block = part[BLOCKS] + (above + v) * part[CHUNK_STRIDE] + group
            position, offset = 64 * block, top + 8 * group
            extent = max(
                max(extents[block], extents[block + 1]), max(extents[block + 2], extents[block + 3])
            )
            if extent > LOW:
                inverse_four(coefficients, position, qtable, samples, offset, part[STRIDE])
                _clear_four(coefficients, position)
            elif extent > 0:
                inverse_low_four(coefficients, position, qtable, samples, offset, part[STRIDE])
                _clear_four(coefficients, position)
            else:
                inverse_flat_four(coefficients, position, qtable, samples, offset, part[STRIDE])
                for i in range(0, 256, 64):
                    coefficients[position + i] = 0


@kernel
def _finish_strip(samples, layout, row, mcus_down, height, width, color, out):
    """Paint what has become ready with the strip of a row of MCUs."""
    rows_down, lag = 0, 0  # rows of pixels in a strip; how many of them wait for the next one
    for part in layout:
        rows_down = max(rows_down, 8 * part[V])
        lag = max(lag, part[DOWN] - 1)
        if part[ACROSS] == 2:
            repeat_borders(samples, part, 8 * row * part[V], 8 * (row + 1) * part[V])
    ready = height if row == mcus_down - 1 else rows_down * (row + 1) - lag
    paint_rows(samples, layout, max(0, rows_down * row - lag), ready, width, color, out)


@kernel
def decode_strips(
    data, ends, restart_interval, mcus, plan, mcus_across, mcus_down, places,
    look_up, tail, tail_start, reader, coefficients, extents, qtables, layout, samples,
    height, width, color, out,
):  # fmt: skip
    """Decode a sequential scan of all components into pixels.

    Parameters
    ----------
    data, ends, restart_interval, places, look_up, tail, tail_start, reader
        As for :func:`pyjpegml.scan.decode_mcus`.
    mcus : int
        How many there are; if not all, the picture is left unfinished.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        :meth:`Layout.chunk_plan`.
    mcus_across, mcus_down : int
    coefficients : (64 * Layout.blocks,) int16
        Zeros.
    extents : (Layout.blocks,) uint8
    qtables : (n, 64) int32
        Natural order.
    layout : (n, LAYOUT_FIELDS) int64
    samples : (Layout.samples,) uint8
    height, width, color, out
        As for :func:`paint_rows`.

    Returns
    -------
    int
        As :func:`pyjpegml.scan.decode_mcus`.
    """
    chunk = layout[0, CHUNK_STRIDE] // layout[0, H]
    for row in range(mcus_down):
        for first in range(0, mcus_across, chunk):
            count = min(chunk, mcus_across - first)
            count = min(count, mcus - reader[scan.MCU])
            status = decode_mcus(
                data, ends, restart_interval, mcus, plan, 0, 0, count, places,
                look_up, tail, tail_start, reader, coefficients, extents,
            )  # fmt: skip
            if status != scan.OK:
                return status
            for c in range(layout.shape[0]):
                part = layout[c]
                transform_chunk(
                    coefficients, extents, qtables[c], part, 0, count * part[H],
                    row * part[V], first * part[H], samples,
                )  # fmt: skip
        _finish_strip(samples, layout, row, mcus_down, height, width, color, out)
    return scan.OK


@kernel
def decode_band(
    data, ends, restart_interval, mcus, plan, mcus_across, rows, places,
    look_up, tail, tail_start, reader, coefficients, extents,
):  # fmt: skip
    """Entropy-decode some rows of MCUs, for :func:`finish_band`.

    Parameters
    ----------
    data, ends, restart_interval, mcus, plan, mcus_across, places, look_up, tail, tail_start, reader
        As for :func:`decode_strips`.
    rows : int
        At most the `band` of the layout.
    coefficients, extents
        As for :func:`decode_strips`.

    Returns
    -------
    int
        As :func:`pyjpegml.scan.decode_mcus`.
    """
    for row in range(rows):
        count = min(mcus_across, mcus - reader[scan.MCU])
        status = decode_mcus(
            data, ends, restart_interval, mcus, plan, row, 0, count, places,
            look_up, tail, tail_start, reader, coefficients, extents,
        )  # fmt: skip
        if status != scan.OK:
            return status
    return scan.OK


@kernel
def finish_band(
    coefficients, extents, qtables, layout, first, rows, mcus_across, mcus_down, samples,
    height, width, color, out,
):  # fmt: skip
    """Turn `rows` rows of MCUs, the `first` ones at the head of `coefficients`, into pixels.

    Parameters
    ----------
    coefficients, extents, qtables, layout, mcus_across, mcus_down, samples
        As for :func:`decode_strips`.
    height, width, color, out
        As for :func:`paint_rows`.
    first, rows : int
        Bands are finished in order, from the top of the picture.
    """
    for row in range(rows):
        for c in range(layout.shape[0]):
            part = layout[c]
            transform_chunk(
                coefficients, extents, qtables[c], part, row * part[V], mcus_across * part[H],
                (first + row) * part[V], 0, samples,
            )  # fmt: skip
        _finish_strip(samples, layout, first + row, mcus_down, height, width, color, out)
