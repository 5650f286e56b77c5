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
goes beyond its end is written again with the next row. Behind the last one there is SLACK; or the
last rows go by way of a buffer that has some (:class:`Rows`), if a picture is a caller's array.

*Threads* each do this for a part of the picture (:mod:`pyjpegml.threaded`).

The buffers are described by an int64 array with a row of fields for each component (below).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import scan
from ._jit import inlined, kernel
from .coefficients import Geometry
from .color import copy_row, interleave, interleave_four, ycbcr_to_rgb, ycck_to_cmyk
from .dct import inverse_flat_four, inverse_four, inverse_low_four, inverse_one
from .sampling import repeat_row, upsample_row
from .scaling import Scale
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
SIZE = 12  # of the samples of a block, across and down
TRIANGLE = 13  # 1 if rows at full width are made by the triangle filter
LAYOUT_FIELDS = 14

#: Bytes before and behind a row of samples: one step of upsampling.
MARGIN = 64
#: Room behind the last row of a buffer: one step of 64 pixels begins before its end.
SLACK = 256
#: Pixels that are decoded in one go: in between, a call can be interrupted.
CALL_PIXELS = 1 << 22
#: MCUs that are transformed together: a multiple of 4, so that there are whole groups of blocks.
CHUNK = 16

#: Up to this place the zigzag path stays where u and v are below 4.
LOW = 9

# How a picture is painted: the first component by itself; YCbCr turned to RGB; three or four
# components as they are, or inverted; YCCK turned to CMYK; any other number as they are.
GREY, YCBCR, RGB, CMYK, INVERTED_CMYK, YCCK, OTHER = range(7)


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


class Layout:
    """Where samples and coefficients lie while a picture is decoded.

    Parameters
    ----------
    geometry : Geometry
    strips : int
        Rows of MCUs that there is room for, in samples.
    chunk : int
        MCUs, side by side, that there is room for, in coefficients.
    painters : int
        How many threads make rows at the same time, and need wide rows of their own.
    scale : Scale, optional
        At which the picture is decoded; without it, its full size.

    Attributes
    ----------
    fields : (n, LAYOUT_FIELDS) int64
    samples : int
        Bytes of the buffer of samples.
    blocks : int
        Blocks of the buffer of coefficients.
    painters : list of (n, LAYOUT_FIELDS) int64
        The fields for each painter: only WIDE differs.
    """

    def __init__(
        self,
        geometry: Geometry,
        strips: int = 2,
        chunk: int = CHUNK,
        painters: int = 1,
        scale: Scale | None = None,
    ) -> None:
        sizes, scaled = [8] * len(geometry.planes), geometry
        if scale is not None:
            sizes, scaled = list(scale.sizes), scale.geometry
        at_an_eighth = scale is not None and scale.denominator == 8
        self.fields = np.zeros((len(geometry.planes), LAYOUT_FIELDS), np.int64)
        self.samples = 0
        self.blocks = 0
        chunk = _up(chunk, 4)
        for i, (plane, part) in enumerate(zip(geometry.planes, self.fields, strict=True)):
            # whole groups of four blocks and whole steps; an odd number of 64 bytes, so that the
            # eight rows of a block do not all fall on the same lines of the cache
            size, wanted = sizes[i], scaled.planes[i]
            part[STRIDE] = MARGIN + _up(size * plane.stride, 64) + MARGIN | 64
            part[ROWS] = size * strips * plane.v
            part[SAMPLES] = self.samples + MARGIN
            part[WIDTH], part[HEIGHT] = wanted.width, wanted.height
            part[ACROSS] = across = scaled.h_max // wanted.h
            part[DOWN] = down = scaled.v_max // wanted.v
            part[SIZE] = size
            part[TRIANGLE] = across * down > 1 and max(across, down) <= 2 and not at_an_eighth
            part[BLOCKS] = self.blocks
            part[CHUNK_STRIDE] = chunk * plane.h
            part[H], part[V] = plane.h, plane.v
            self.samples += int(part[STRIDE] * part[ROWS])
            self.blocks += chunk * plane.h * plane.v
        for part in self.fields:
            part[WIDE] = self.samples
            self.samples += _up(scaled.width + 63, 64)
        wide = self.samples - int(self.fields[0, WIDE])
        self.samples += (painters - 1) * wide
        self.painters = [self.fields.copy() for _ in range(painters)]
        for k, fields in enumerate(self.painters):
            fields[:, WIDE] += k * wide

    def chunk_plan(self, plan: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The plan of a scan, for blocks that go into the buffer of coefficients."""
        changed = plan.copy()
        for block in changed:
            part = self.fields[block[scan.COMPONENT]]
            block[scan.OFFSET], block[scan.STRIDE] = 64 * part[BLOCKS], part[CHUNK_STRIDE]
        return changed


class Rows:
    """Where one thread paints some rows of a picture.

    Attributes
    ----------
    out, middle, tail
        As for :func:`paint_rows`.
    end : (n,) uint8 or None
        The rows of the picture that `tail` stands for.
    """

    __slots__ = ("end", "middle", "out", "tail")

    def __init__(
        self,
        out: npt.NDArray[np.uint8],
        middle: int,
        tail: npt.NDArray[np.uint8],
        end: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        self.out, self.middle, self.tail, self.end = out, middle, tail, end

    @classmethod
    def of(cls, picture: npt.NDArray[np.uint8], first: int, last: int) -> Rows:
        """Rows `first` to `last` of a C-contiguous (h, w) or (h, w, components) array.

        The last of them, 64 pixels or more, or all, go by way of a buffer: nothing else is written.
        """
        out = picture.reshape(-1)
        line = out.size // picture.shape[0]
        middle = max(first, last - 1 - 63 // picture.shape[1])
        end = out[middle * line : last * line]
        return cls(out, middle, np.empty(end.size + SLACK, np.uint8), end)

    def finish(self) -> None:
        """Bring the last rows to their place, when all are painted."""
        if self.end is not None:
            self.end[:] = self.tail[: self.end.size]


def new_picture(
    height: int, width: int, components: int, color: int
) -> tuple[npt.NDArray[np.uint8], Rows]:
    """A picture and all of its rows; there is SLACK behind the last, so none takes a detour."""
    channels = 1 if color == GREY else components
    size = height * width * channels
    memory = np.empty(size + SLACK, np.uint8)
    picture = memory[:size].reshape((height, width, channels)[: 2 if channels == 1 else 3])
    return picture, Rows(memory, height, memory)


def picture(
    geometry: Geometry, planes: list[npt.NDArray[np.uint8]], color: int
) -> npt.NDArray[np.uint8]:
    """Upsample planes and convert them to RGB, or what there is instead.

    Parameters
    ----------
    geometry : Geometry
    planes : list of (>= height, >= width) uint8
        Samples of each component, as :meth:`Geometry.reconstruct` returns them.
    color : int
        GREY and so on.

    Returns
    -------
    (h, w) or (h, w, components) uint8
    """
    layout = Layout(geometry, strips=geometry.mcus_down)
    samples = np.empty(layout.samples, np.uint8)
    for plane, size, part in zip(planes, geometry.planes, layout.fields, strict=True):
        first = part[SAMPLES] - MARGIN
        rows = samples[first : first + part[ROWS] * part[STRIDE]].reshape(part[ROWS], part[STRIDE])
        rows[: size.height, MARGIN : MARGIN + size.width] = plane[: size.height, : size.width]
        repeat_borders(samples, part, 0, size.height)
    height, width = geometry.height, geometry.width
    out, painted = new_picture(height, width, len(planes), color)
    paint_rows(
        samples, layout.fields, 0, height, 0, width, color, painted.out, 0, painted.middle,
        painted.tail,
    )  # fmt: skip
    painted.finish()
    return out


def picture_of(geometry: Geometry, planes: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """The picture of grey, YCbCr or YCCK planes: of one, three or four."""
    return picture(geometry, planes, {1: GREY, 3: YCBCR, 4: YCCK}[len(planes)])


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
    across, down = part[ACROSS], part[DOWN]
    if part[TRIANGLE] == 0:
        source = part[SAMPLES] + row // down % part[ROWS] * part[STRIDE]
        if across == 1:
            return source
        repeat_row(samples, source, across, part[WIDTH], part[WIDE])
        return part[WIDE]
    near, far = row, row
    if down == 2:
        # the nearer row weighs three times the farther one: above for even rows, below for odd
        near = row >> 1
        far = min(near + 1, part[HEIGHT] - 1) if row & 1 else max(near - 1, 0)
    upsample_row(
        samples,
        part[SAMPLES] + near % part[ROWS] * part[STRIDE],
        part[SAMPLES] + far % part[ROWS] * part[STRIDE],
        across, down, row & 1, part[WIDTH], part[WIDE],
    )  # fmt: skip
    return part[WIDE]


@kernel
def paint_rows(samples, layout, first, last, left, width, color, out, origin, middle, tail):
    """Upsample, colour and write rows of the picture, or a part of each.

    Parameters
    ----------
    samples : (n,) uint8
        Holds the rows that they need, borders repeated.
    layout : (n, LAYOUT_FIELDS) int64
    first, last : int
    left, width : int
        Columns that are wanted: so many from there on.
    color : int
        GREY and so on.
    out : (rows * width * components,) uint8
        Gets those before row `middle`.
    origin : int
        The row that `out` begins with.
    middle : int
    tail : (rows * width * components + SLACK,) uint8
        Begins with row `middle`.

    Notes
    -----
    Loads and stores. Samples: a row has room for a multiple of 64, and MARGIN before and behind,
    where :func:`pyjpegml.sampling.upsample_row` reads one; a wide row holds the picture's width and
    63 more, rounded up to a multiple of 64: enough for samples that cover 3 columns, and for steps
    of 64 from any column on. Pixels: a row is written up to 63 of them beyond its end. Behind a row
    of `out` there are as many (:class:`Rows`), behind those of `tail` SLACK bytes.
    """
    line = width * (1 if color == GREY else layout.shape[0])
    for row in range(first, last):
        target, position = out, (row - origin) * line
        if row >= middle:
            target, position = tail, (row - middle) * line
        a = left + _full_row(samples, layout[0], row)
        if color == GREY:
            copy_row(samples, a, width, target, position)
            continue
        if color == OTHER:
            for c in range(layout.shape[0]):
                a = left + _full_row(samples, layout[c], row)
                for x in range(width):
                    target[position + x * layout.shape[0] + c] = samples[a + x]
            continue
        b = left + _full_row(samples, layout[1], row)
        c = left + _full_row(samples, layout[2], row)
        if color == YCBCR:
            ycbcr_to_rgb(samples, a, b, c, width, target, position)
        elif color == RGB:
            interleave(samples, a, b, c, width, target, position)
        else:
            d = left + _full_row(samples, layout[3], row)
            if color == YCCK:
                ycck_to_cmyk(samples, a, b, c, d, width, target, position)
            else:
                flip = 255 if color == INVERTED_CMYK else 0
                interleave_four(samples, a, b, c, d, width, flip, target, position)


@vector_function
def clear_four(coefficients, position):
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
                clear_four(coefficients, position)
            elif extent > 0:
                inverse_low_four(coefficients, position, qtable, samples, offset, part[STRIDE])
                clear_four(coefficients, position)
            else:
                inverse_flat_four(coefficients, position, qtable, samples, offset, part[STRIDE])
                for i in range(0, 256, 64):
                    coefficients[position + i] = 0


@inlined
def transform_blocks(coefficients, extents, qtable, block, count, samples, offset, stride):
    """Inverse DCT of `count` blocks side by side, four at a time as long as there are four.

    `extents` is as for :func:`transform_chunk`. Loads: 64 coefficients of these blocks. Stores: 8
    or 32 samples of their own, from `offset` on.
    """
    for i in range(block, block + count - 3, 4):
        at = offset + 8 * (i - block)
        extent = max(max(extents[i], extents[i + 1]), max(extents[i + 2], extents[i + 3]))
        if extent > LOW:
            inverse_four(coefficients, 64 * i, qtable, samples, at, stride)
        elif extent > 0:
            inverse_low_four(coefficients, 64 * i, qtable, samples, at, stride)
        else:
            inverse_flat_four(coefficients, 64 * i, qtable, samples, at, stride)
    for i in range(block + count // 4 * 4, block + count):
        inverse_one(coefficients, 64 * i, qtable, samples, offset + 8 * (i - block), stride)


@vector_function
def _mask_of(coefficients, position) -> int:
    """Which of a block's coefficients are not zero, in natural order."""
    return coefficients.load(64, position).differs(0).mask()


@kernel
def find_extents(coefficients, first, last, extents):
    """For blocks `first` to `last`: 0 if there is DC only, LOW if all have u and v below 4, or 63.

    Parameters
    ----------
    coefficients : (n,) int16
    first, last : int
    extents : (n / 64,) uint8
    """
    low = 0x0F0F0F0F
    for block in range(first, last):
        mask = _mask_of(coefficients, 64 * block)
        extents[block] = 0 if mask & ~1 == 0 else LOW if mask & ~low == 0 else 63


@inlined
def ready_rows(samples, layout, row, mcus_down, height):
    """Rows of pixels that have become ready with the strip of a row of MCUs, from and to.

    `mcus_down` and `height` are those of all rows that there will be.
    """
    rows_down, lag = 0, 0  # rows of pixels in a strip; how many of them wait for the next one
    for part in layout:
        rows_down = max(rows_down, part[SIZE] * part[V])
        lag = max(lag, part[DOWN] - 1)
        if part[ACROSS] == 2:
            rows = part[SIZE] * part[V]
            repeat_borders(samples, part, rows * row, rows * (row + 1))
    ready = height if row == mcus_down - 1 else rows_down * (row + 1) - lag
    return max(0, rows_down * row - lag), ready


@kernel
def finish_strips(
    coefficients, extents, qtables, stored, layout, first, last, mcus_across, mcus_down, samples,
    top, bottom, height, left, width, color, out, origin, middle, tail,
):  # fmt: skip
    """Pixels of stored coefficients, from the rows of MCUs `first` to `last`.

    Parameters
    ----------
    coefficients : (n,) int16
        Of the picture, which may be a part of the one that they are of.
    extents : (n / 64,) uint8
        Scratch.
    qtables : (n, 64) int32
    stored : (n, LAYOUT_FIELDS) int64
        Of which BLOCKS and CHUNK_STRIDE say where a component begins in `coefficients`, and how
        many blocks lie from row to row.
    layout : (n, LAYOUT_FIELDS) int64
        For two strips of samples.
    first, last, mcus_across, mcus_down : int
    samples : (n,) uint8
    top, bottom : int
        Rows of pixels that are wanted.
    height : int
        Of the picture.
    left, width, color, out, origin, middle, tail
        As for :func:`paint_rows`.
    """
    for row in range(first, last):
        for c in range(layout.shape[0]):
            part = layout[c]
            stride = stored[c, CHUNK_STRIDE]
            for v in range(part[V]):
                block = stored[c, BLOCKS] + (row * part[V] + v) * stride
                count = mcus_across * part[H]
                find_extents(coefficients, block, block + count, extents)
                transform_blocks(
                    coefficients, extents, qtables[c], block, count, samples,
                    part[SAMPLES] + 8 * (row * part[V] + v) % part[ROWS] * part[STRIDE],
                    part[STRIDE],
                )  # fmt: skip
        begin, end = ready_rows(samples, layout, row, mcus_down, height)
        begin, end = max(begin, top), min(end, bottom)
        paint_rows(samples, layout, begin, end, left, width, color, out, origin, middle, tail)


@kernel
def decode_strips(
    first_row, last_row, data, ends, restart_interval, mcus, plan, mcus_across, mcus_down, places,
    look_up, tail, tail_start, reader, coefficients, extents, qtables, layout, samples,
    height, width, color, out, middle, last_rows,
):  # fmt: skip
    """Decode a sequential scan of all components into pixels: some rows of MCUs, in order.

    Parameters
    ----------
    first_row, last_row : int
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
    height, width, color, out, middle, last_rows
        As for :func:`paint_rows`, which calls the last one `tail`.

    Returns
    -------
    int
        As :func:`pyjpegml.scan.decode_mcus`.
    """
    chunk = layout[0, CHUNK_STRIDE] // layout[0, H]
    for row in range(first_row, last_row):
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
        begin, end = ready_rows(samples, layout, row, mcus_down, height)
        paint_rows(samples, layout, begin, end, 0, width, color, out, 0, middle, last_rows)
    return scan.OK
