"""Every stage by itself, on the data that the stage before made of a photograph.

The encoder and the decoder run their stages chunk by chunk, so that nothing between them leaves the
fastest cache. Here each goes over a picture whose arrays fit into a large last cache. Beside it
stands what its arrays would take merely to pass through memory at the speed of a copy: where that
is more than the stage takes, working by chunks is what makes it worth its speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from bounds import Bounds
from kernels import put_bits, put_entries
from pictures import Picture
from report import number, table
from timing import best, once

import pyjpegml
from pyjpegml import bitio, fused, scan, symbols
from pyjpegml.assembly import HUFFMAN_SLOTS
from pyjpegml.coefficients import Geometry
from pyjpegml.color import rgb_to_ycbcr
from pyjpegml.dct import forward_dct
from pyjpegml.decoder import MAX_PIXELS, _prepare
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.huffman import STANDARD_TABLES, TABLE_SLOTS
from pyjpegml.quantize import quantize, standard_qtables
from pyjpegml.sampling import downsample
from pyjpegml.stretches import transform_stretch
from pyjpegml.strips import YCBCR, Layout, new_picture, paint_rows, repeat_borders

SAMPLING = "4:2:0"


class Stage(NamedTuple):
    """One stage, ready to run as often as one likes.

    Attributes
    ----------
    name : str
    run : callable
    prepare : callable
        Puts back what a run uses up; not part of the stage.
    output : array
        Where the result is.
    moved : int
        Bytes of the arrays that it reads and writes.
    coded : bool
        Whether its time goes by symbols, not by pixels.
    """

    name: str
    run: Callable[[], Any]
    prepare: Callable[[], Any]
    output: npt.NDArray[Any]
    moved: int
    coded: bool = False


def _nothing() -> None:
    pass


def _size(*arrays: npt.NDArray[Any]) -> int:
    return sum(array.nbytes for array in arrays)


class Encoding:
    """The encoder's stages, 4:2:0 with standard tables.

    Parameters
    ----------
    picture : (h, w, 3) uint8
        Sides are multiples of 16: stages of their own do not fill up MCUs.
    quality : int

    Attributes
    ----------
    stages : list of Stage
        Each has been run once, in order.
    symbols : int
        Huffman symbols of the picture.
    """

    def __init__(self, picture: Picture, quality: int) -> None:
        height, width = picture.shape[:2]
        if height % 16 or width % 16:
            raise ValueError(f"sides are multiples of 16; this picture is {width}x{height}")
        geometry = Geometry(width, height, SUBSAMPLINGS[SAMPLING])
        luma, chroma = (t.astype(np.int32).reshape(64) for t in standard_qtables(quality))
        plan = geometry.scan_plan(HUFFMAN_SLOTS[:3])
        coding = symbols.coding_tables(STANDARD_TABLES)
        count = geometry.mcus * len(plan)

        rgb = fused.read_only(picture.reshape(height, 3 * width))
        full = np.empty((3, height, width), np.uint8)
        merged = np.empty((2, height // 2, width // 2), np.uint8)
        transformed, quantized = np.empty((2, geometry.size), np.int16)
        blocks, masks = np.empty(64 * (count + 1), np.int16), np.empty(count + 1, np.int64)
        entries = np.empty(128 * count + 16, np.uint32)
        spans = np.empty((count, 2), np.int64)
        writer = symbols.new_writer(count)
        raw = writer.raw
        counts = np.zeros((TABLE_SLOTS, 256), np.int64)

        def sample() -> None:
            for i in range(2):
                downsample(full[1 + i], 2, 2, merged[i])

        def transform() -> None:
            for i, plane in enumerate((full[0], *merged)):
                part = geometry.planes[i]
                forward_dct(plane, part.down, part.across, geometry.view(transformed, i))

        def divide() -> None:
            for i, steps in enumerate((luma, chroma, chroma)):
                views = (geometry.view(array, i) for array in (transformed, quantized))
                quantize(next(views), steps, 0.5, next(views))

        def order() -> None:
            symbols.order_blocks(
                quantized, plan, geometry.mcus_across, 0, geometry.mcus, blocks, masks
            )

        def count_all() -> None:
            counts[:] = 0
            state = np.zeros(symbols.STATE_FIELDS, np.int64)
            symbols.count_symbols(blocks, masks, 0, geometry.mcus, 0, plan, state, counts)

        def to_entries() -> int:
            return int(put_entries(blocks, masks, plan, coding, writer, entries, spans))

        for call in (lambda: rgb_to_ycbcr(rgb, *full), sample, transform, divide, order, count_all):
            call()
        batches = to_entries()
        used = int(spans[batches - 1].sum()) + 16
        kept = entries[:used].copy()
        put_bits(entries, spans, batches, raw, writer.state)
        state = writer.state.copy()
        raw_size = int(state[symbols.POSITION])
        self._out, self._size = writer.out, int(symbols.finish(writer, 0, 0, 0, True))
        self.symbols = int(counts.sum())
        block_bytes = _size(blocks, masks)
        self.stages = [
            Stage("color", lambda: rgb_to_ycbcr(rgb, *full), _nothing, full, _size(rgb, full)),
            Stage("sampling", sample, _nothing, merged, _size(full[1:], merged)),
            Stage(
                "forward DCT", transform, _nothing, transformed, _size(full[0], merged, transformed)
            ),
            Stage("quantization", divide, _nothing, quantized, _size(transformed, quantized)),
            Stage("zigzag order", order, _nothing, blocks, _size(quantized) + block_bytes),
            Stage("symbols, counted", count_all, _nothing, counts, block_bytes, True),
            Stage(
                "symbols to entries", to_entries, _nothing, entries[:used],
                block_bytes + _size(kept), True,
            ),
            Stage(
                "entries to bits",
                lambda: put_bits(entries, spans, batches, raw, writer.state),
                lambda: np.copyto(entries[:used], kept),
                raw, _size(kept) + raw_size, True,
            ),
            Stage(
                "stuffing", lambda: symbols.finish(writer, 0, 0, 0, True),
                lambda: np.copyto(writer.state, state), writer.out, raw_size + self._size,
            ),
        ]  # fmt: skip

    def coded(self) -> bytes:
        """The data of the scan that the stages have made together."""
        return self._out[: self._size].tobytes()


class Decoding:
    """The decoder's stages for a file of ours with one interval.

    Attributes
    ----------
    stages : list of Stage
        Each has been run once, in order.
    pixels : (h, w, 3) uint8
        What they have made together.
    """

    def __init__(self, data: bytes) -> None:
        job = _prepare(memoryview(data), None, MAX_PIXELS)
        geometry, single = job.geometry, job.single
        if single is None:
            raise ValueError("a file of several scans")
        layout = Layout(geometry, strips=geometry.mcus_down, chunk=geometry.mcus)
        plan = layout.chunk_plan(single.plan)
        source = np.frombuffer(data, np.uint8)
        plain = np.empty(source.size - single.start + bitio.PADDING, np.uint8)
        ends, numbers, offsets = np.empty((3, 2), np.int64)
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        coefficients = np.zeros(64 * layout.blocks, np.int16)
        extents = np.zeros(layout.blocks, np.uint8)
        samples = np.empty(layout.samples, np.uint8)
        height, width = geometry.height, geometry.width
        self.pixels, rows = new_picture(height, width, 3, YCBCR)
        offsets_of_dc = np.zeros(scan.READER_FIELDS, np.int64)

        def destuff() -> None:
            bitio.destuff(source, single.start, plain, ends, numbers, offsets)

        def forget() -> None:
            reader[:] = 0
            coefficients[:] = 0

        def read() -> None:
            status = scan.decode_mcus(
                plain, ends, 0, geometry.mcus, plan, 0, 0, geometry.mcus, scan.PLACES,
                *single.tables, reader, coefficients, extents,
            )  # fmt: skip
            if status != scan.OK:
                raise RuntimeError(f"the scan was not decoded: status {status}")

        def transform() -> None:
            transform_stretch(
                coefficients, extents, single.qtables, layout.fields, 0, geometry.mcus, 0,
                geometry.mcus_across, offsets_of_dc, samples,
            )  # fmt: skip

        def repeat() -> None:
            for part, plane in zip(layout.fields, geometry.planes, strict=True):
                repeat_borders(samples, part, 0, plane.height)

        def paint() -> None:
            paint_rows(
                samples, layout.fields, 0, height, 0, width, YCBCR, rows.out, 0, rows.middle,
                rows.tail,
            )  # fmt: skip

        destuff()
        read()
        kept = coefficients.copy()
        transform()
        repeat()
        paint()
        coded = source.size - single.start
        self.stages = [
            Stage("destuffing", destuff, _nothing, plain, 2 * coded),
            Stage(
                "Huffman decoding", read, forget, coefficients,
                coded + _size(coefficients, extents), True,
            ),
            Stage(
                "inverse DCT", transform, lambda: np.copyto(coefficients, kept), samples,
                2 * _size(coefficients) + _size(extents, samples),
            ),
            Stage("upsampling, color", paint, repeat, rows.out, _size(samples, rows.out)),
        ]  # fmt: skip


def both(picture: Picture, quality: int) -> tuple[Encoding, Decoding, bytes]:
    """The stages of the encoder and the decoder, and the file that they make."""
    data = pyjpegml.encode(picture, quality=quality, subsampling=SAMPLING, optimize=False)
    return Encoding(picture, quality), Decoding(data), data


class Measured(NamedTuple):
    """Nanoseconds a pixel of a stage, and what bounds it."""

    name: str
    time: float
    moved: float  # bytes a pixel
    symbols: float  # a pixel; 0 if the time does not go by them


def measure(picture: Picture, quality: int, budget: float) -> list[Measured]:
    """All stages, and the whole calls that run them chunk by chunk."""
    encoding, decoding, data = both(picture, quality)
    pixels = picture.shape[0] * picture.shape[1]
    density = encoding.symbols / pixels
    measured = []
    for stage in [*encoding.stages, *decoding.stages]:
        shortest, spent = np.inf, 0.0
        while spent < budget:
            stage.prepare()
            seconds = once(stage.run)
            shortest, spent = min(shortest, seconds), spent + seconds
        measured.append(
            Measured(
                stage.name, 1e9 * shortest / pixels, stage.moved / pixels, stage.coded * density
            )
        )
    settings = {"quality": quality, "subsampling": SAMPLING, "optimize": False}
    calls = {
        "encode, whole": lambda: pyjpegml.encode(picture, **settings),
        "decode, whole": lambda: pyjpegml.decode(data),
    }
    for name, seconds in best(calls, budget).items():
        moved = (picture.nbytes + len(data)) / pixels
        measured.append(Measured(name, 1e9 * seconds / pixels, moved, 0))
    return measured


def report(results: dict[int, list[Measured]], bounds: Bounds) -> list[str]:
    """A table of all stages by quality, beside the bounds."""
    head = ["stage", *(f"q{quality}, ns/pixel" for quality in results)]
    first = next(iter(results))
    head += [f"bytes/pixel, q{first}", "through memory, ns/pixel"]
    head += [f"q{quality}, cycles/symbol" for quality in results]
    rows = []
    for measured in zip(*results.values(), strict=True):
        row = [measured[0].name, *(number(m.time) for m in measured)]
        moved = measured[0].moved
        row += [f"{moved:.2f}", number(1e9 * moved / bounds.copy)]
        row += [
            number(1e-9 * m.time * bounds.clock / m.symbols) if m.symbols else "" for m in measured
        ]
        rows.append(row)
    densities = ", ".join(
        f"{max(m.symbols for m in measured):.3f} at q{quality}"
        for quality, measured in results.items()
    )
    return [
        *table(head, rows),
        f"Huffman symbols a pixel: {densities}. `decode` writes to new memory, whose first touch "
        f"alone costs {number(3e9 * bounds.fault)} ns/pixel.",
        "",
    ]
