"""The encoder's inner loop: from pixels to quantized blocks, in chunks that stay in the cache.

Each stage of the encoder has a file and a kernel of its own that goes over whole planes. That is
how to read them, and how rate control uses them; but planes of a large picture do not fit into any
cache, and moving them costs more than computing them. So :func:`transform_mcus` takes 64 columns of
one row of MCUs, 16 KB at most with all scratch, through the vector functions of all stages::

    pixels ─ color.convert_32 ─ full planes ─ sampling.mean_of_4 ─ merged planes
           ─ dct.forward_rows ─ quantize.quantized ─ zigzag ─ blocks and masks

and :func:`encode_rows` hands these to :func:`pyjpegml.symbols.encode_mcus` while they are there.

*Edges* are as in the stages: the last column is repeated before samples are merged, the last row of
Y too, and of merged samples the last merged row. Blocks of an MCU beyond the edge of Y are dummies.

*Order.* Blocks are stored where the scan wants them. With H x V blocks of Y in an MCU, Cb and Cr
with one each, block (column i, row j) of Y is number ``(i // H) * (H V + 2) + j H + i % H`` of its
chunk. A group of four that reaches beyond the chunk's MCUs stores the rest in the spare block
behind all others.

Arrays: the picture is (h, w) or (h, 3 w) uint8; blocks and masks: see :mod:`pyjpegml.symbols`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._jit import inlined, kernel
from .color import convert_32
from .constants import ZIGZAG
from .dct import blocks_of_rows, forward_rows, load_samples
from .quantize import quantized
from .sampling import mean_across, mean_down, mean_of_4
from .scan import COMPONENT
from .simd import vector_function
from .symbols import DONE, PREDICTIONS, count_symbols, encode_mcus, finish, put_dummy

CHUNK = 64
CHUNK_BLOCKS = 32


class Planes(NamedTuple):
    """Scratch for the samples of a chunk; made by :func:`new_planes`.

    ``line`` (192,) uint8: pixels at the right edge, and ``line_again`` (1, 192), the same memory
    with the type of a picture, which is read-only. ``full`` (3, 16 * 64) uint8: colour planes of 16
    lines. ``merged`` (8 * 64,) uint8: 8 lines of Cb or Cr.
    """

    line: npt.NDArray[np.uint8]
    line_again: npt.NDArray[np.uint8]
    full: npt.NDArray[np.uint8]
    merged: npt.NDArray[np.uint8]


def new_planes() -> Planes:
    """Scratch for :func:`transform_mcus`."""
    line = np.empty(3 * CHUNK, np.uint8)
    return Planes(
        line,
        read_only(line.reshape(1, -1)),
        np.empty((3, 16 * CHUNK), np.uint8),
        np.empty(8 * CHUNK, np.uint8),
    )


def read_only(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A view that cannot be written to.

    Numba has another type for arrays that can, and a kernel is to be compiled once, whatever a
    picture's flags are.
    """
    view = array.view()
    view.flags.writeable = False
    return view


@vector_function
def _copy_line(source, start, out, position):
    """64 samples."""
    out.store(source.load(CHUNK, start), position)


@vector_function
def _fetch_ahead(picture, start):
    """Ask for 192 bytes: a picture in main memory is read faster than line after line on demand.

    They may lie behind the picture: to ask for memory that is not there does nothing.
    """
    for k in range(0, 3 * CHUNK, 64):
        picture.prefetch(start + k)


@vector_function
def _transform_four(plane, offset, tables, table, blocks, masks, first, second, third, fourth):
    """Four blocks side by side: DCT, quantization, zigzag order; stored as the given blocks."""
    half, reciprocal, scale = (tables.load(64, table + 64 * k) for k in range(3))
    rows = forward_rows(load_samples(plane, offset, CHUNK, 32))
    places = (first, second, third, fourth)
    for block, place in zip(blocks_of_rows(rows), places, strict=True):
        levels = quantized(block, half, reciprocal, scale).shuffle(ZIGZAG)
        blocks.store(levels, place * 64)
        masks.store(levels.differs(0).mask(), place)


@inlined
def _load_pixels(picture, channels, x, y, width, rows, planes):
    """Colour planes of `rows` rows of pixels from (x, y) on, the last column repeated."""
    line, first, second, third = planes.line, planes.full[0], planes.full[1], planes.full[2]
    inside = channels * min(CHUNK, width - x)
    for row in range(rows):
        source, start = picture, (y + row) * picture.shape[1] + channels * x
        if inside < channels * CHUNK:
            for i in range(inside):
                line[i] = picture[y + row, channels * x + i]
            for i in range(inside, channels * CHUNK):
                line[i] = line[i - channels]
            source, start = planes.line_again, 0
        if channels == 3:
            _fetch_ahead(picture, start + 3 * CHUNK)
            for i in range(0, CHUNK, 32):
                convert_32(source, start + 3 * i, first, second, third, row * CHUNK + i)
        else:
            _copy_line(source, start, first, row * CHUNK)


@inlined
def _repeat_line(plane, last, end):
    """Fill lines ``last + 1`` to ``end - 1`` with line `last`."""
    for row in range(last + 1, end):
        _copy_line(plane, last * CHUNK, plane, row * CHUNK)


@inlined
def _merge(plane, h, v, merged):
    """8 lines of a chroma plane, from full ones."""
    for row in range(8):
        upper = row * v * CHUNK
        if h == 1:
            for i in range(0, CHUNK, 32):
                mean_down(plane, upper + i, upper + CHUNK + i, merged, row * CHUNK + i)
        elif v == 1:
            mean_across(plane, upper, merged, row * CHUNK)
        else:
            mean_of_4(plane, upper, upper + CHUNK, merged, row * CHUNK)


@inlined
def _transform_plane(plane, rows, across, h, step, tables, table, blocks, masks, start, spare):
    """Blocks of one component of a chunk: `rows` times `across`, in MCUs of `rows` times `h` whose
    first blocks lie `step` apart.
    """
    for j in range(rows):
        for i in range(0, across, 4):
            # place of block i; the next in its MCU, or the first of the next MCU
            first = start + i // h * step + j * h
            second = first + 1 if h == 2 else first + step
            third, fourth = first + 2 // h * step, second + 2 // h * step
            _transform_four(
                plane, 8 * (j * CHUNK + i), tables, table, blocks, masks,
                first,
                second if i + 1 < across else spare,
                third if i + 2 < across else spare,
                fourth if i + 3 < across else spare,
            )  # fmt: skip


@kernel
def transform_mcus(picture, h, v, row, column, count, tables, planes, blocks, masks, start, spare):
    """Quantized blocks of `count` MCUs, from (row, column) on.

    Parameters
    ----------
    picture : (height, width) or (height, 3 width) uint8
        Read-only (:func:`read_only`).
    h, v : int
        Columns and rows of blocks of Y in an MCU, 1 or 2: those of 4:4:4 to 4:2:0; 1 for grey.
    row, column, count : int
        ``8 * h * count <= CHUNK``, and the MCUs lie in the picture.
    tables : (channels, 192) int16
        :func:`pyjpegml.quantize.reciprocals` of each component.
    planes : Planes
        Scratch.
    blocks : (64 n,) int16
    masks : (n,) int64
        Written from block `start` on, and the block `spare`.
    start, spare : int

    Notes
    -----
    Loads and stores. Pixels: x + 64 <= width, and rows below height, else `line` is taken. Planes:
    rows below 8 v <= 16, and 8 of merged planes, of 64 samples; groups of four blocks start at
    column 0 or 32. Blocks: number ``start + count * (blocks of an MCU) - 1`` at most, or `spare`.
    """
    channels = tables.shape[0]
    height, width = picture.shape[0], picture.shape[1] // channels
    x, y = 8 * h * column, 8 * v * row
    rows = min(8 * v, height - y)
    _load_pixels(picture, channels, x, y, width, rows, planes)
    step = h * v + channels - 1
    for c in range(channels):
        plane = planes.full[c]
        _repeat_line(plane, rows - 1, 8 * v)
        if c == 0:
            _transform_plane(plane, v, h * count, h, step, tables, 0, blocks, masks, start, spare)
            continue
        if h + v > 2:
            _merge(plane, h, v, planes.merged)
            _repeat_line(planes.merged, (rows + v - 1) // v - 1, 8)
            plane = planes.merged
        _transform_plane(
            plane, 1, count, 1, step, tables, 192 * c, blocks, masks, start + h * v + c - 1, spare
        )
    # dummies of Y: blocks whose first sample is outside of the picture
    for i in range(count):
        for b in range(1, h * v):
            if x + 8 * (i * h + b % h) >= width or y + 8 * (b // h) >= height:
                put_dummy(blocks, masks, start + i * step + b)


@inlined
def _begin(
    picture, h, v, first, across, tables, planes, blocks, masks, plan, restart_interval, state
):
    """Let a fresh state begin with the row of MCUs `first`: how many are done, and predictions.

    They are the DCs of the MCU before, whose blocks have to be made for it.
    """
    if state[DONE] > 0 or first == 0:
        return
    state[DONE] = first * across
    if restart_interval > 0 and state[DONE] % restart_interval == 0:
        return
    transform_mcus(
        picture, h, v, first - 1, across - 1, 1, tables, planes, blocks, masks, 0, masks.size - 1
    )
    for b in range(plan.shape[0]):
        state[PREDICTIONS + plan[b, COMPONENT]] = blocks[64 * b]


@kernel
def count_rows(
    picture, h, v, first, last, tables, planes, blocks, masks, plan, restart_interval, state, counts
):
    """Count the symbols of whole rows of MCUs, from `first` to `last`.

    Parameters
    ----------
    picture, h, v, tables, planes
        As for :func:`transform_mcus`.
    first, last : int
    blocks : (64 n,) int16
    masks : (n,) int64
        Scratch for a chunk and a spare block.
    plan, restart_interval, state, counts
        As for :func:`pyjpegml.symbols.count_symbols`. A state of zeros may begin with any row.
    """
    across = -(-(picture.shape[1] // tables.shape[0]) // (8 * h))
    chunk = CHUNK // (8 * h)
    _begin(
        picture, h, v, first, across, tables, planes, blocks, masks, plan, restart_interval, state
    )
    for row in range(first, last):
        for column in range(0, across, chunk):
            count = min(chunk, across - column)
            transform_mcus(
                picture, h, v, row, column, count, tables, planes, blocks, masks,
                0, masks.size - 1,
            )  # fmt: skip
            count_symbols(blocks, masks, 0, count, restart_interval, plan, state, counts)


@kernel
def encode_rows(
    picture, h, v, first, last, total, tables, planes, blocks, masks,
    plan, restart_interval, coding, writer, apart,
):  # fmt: skip
    """Code whole rows of MCUs, from `first` to `last`.

    Parameters
    ----------
    picture, h, v, tables, planes
        As for :func:`transform_mcus`.
    first, last : int
    blocks : (64 n,) int16
    masks : (n,) int64
        Scratch for a chunk and a spare block.
    total, plan, restart_interval, coding, writer
        As for :func:`pyjpegml.symbols.encode_mcus`. A writer whose state is zeros may begin with
        any row; if there are restart intervals, one that begins an interval.
    apart : bool
        Another writer codes the rows before: :func:`pyjpegml.symbols.finish` is to be called by
        somebody who knows its last bits. Otherwise it has been, on return.

    Returns
    -------
    int
        Bytes of the writer's `out` that are filled.
    """
    across = -(-(picture.shape[1] // tables.shape[0]) // (8 * h))
    chunk = CHUNK // (8 * h)
    state = writer.state
    _begin(
        picture, h, v, first, across, tables, planes, blocks, masks, plan, restart_interval, state
    )
    written = 0
    for row in range(first, last):
        for column in range(0, across, chunk):
            count = min(chunk, across - column)
            transform_mcus(
                picture, h, v, row, column, count, tables, planes, blocks, masks,
                0, masks.size - 1,
            )  # fmt: skip
            written = encode_mcus(
                blocks, masks, 0, count, total, restart_interval, plan, coding, writer, written
            )
    return written if apart else finish(writer, written, 0, 0, state[DONE] == total)
