"""The encoder: from pixels to bytes (T.81 clause 7.1), in plain Python over the stages.

::

    pixels ─ color ─ sampling.downsample ─ dct.forward_dct ─ quantize ─ symbols.encode_mcus ─ bytes

:func:`encode` takes small chunks of the picture through all of that (:mod:`pyjpegml.fused`). With
optimal Huffman tables that is done twice, once to count symbols and once to code: quantized blocks
of a large picture would be slower to keep, in three bytes a pixel of memory, than to make again.

*Threads* encode pieces of some rows of MCUs. A piece needs two things of the one before: the DC
predictions, for which it makes the last MCU of that piece itself, and the bits that do not fill a
byte. So each piece is coded as if it began with a byte, and shifted when the one before is done
(:func:`pyjpegml.symbols.finish`). The bytes do not depend on the number of threads.

:func:`analyse` does what depends on the picture only (up to the DCT), :func:`quantize_all` what
depends on the tables, :func:`assemble` the lossless rest: rate control calls the first once and the
others for every table that it tries.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import numpy.typing as npt

from . import fused, markers, scan, symbols
from .coefficients import Geometry
from .color import rgb_to_ycbcr
from .header import SUBSAMPLINGS
from .huffman import (
    AC,
    STANDARD_TABLES,
    TABLE_SLOTS,
    HuffmanTable,
    optimal_table,
)
from .progressive_encoder import encode_scans
from .quantize import quantize, reciprocals, standard_qtables
from .sampling import downsample
from .scan_search import best_script
from .scripts import Scan, check_script, usual_script
from .threads import Crew, check_threads, useful_threads

#: Blocks that are coded in one go: bounds the scratch memory, and is what threads take in turn.
PIECE_BLOCKS = 8192

#: About so many pieces a thread takes, if the picture is large.
TURNS = 6

#: Below that many pixels a thread, starting it costs more than it saves.
THREAD_PIXELS = 1 << 18

#: What :func:`encode` takes as `progressive`.
Progressive = bool | str | Sequence[Scan]

#: Huffman tables, DC and AC, of Y, Cb, Cr and K.
HUFFMAN_SLOTS = ((0, 0), (1, 1), (1, 1), (0, 0))


def check_image(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The image as a C-contiguous (h, w) or (h, w, 3) uint8 array; copied only if it must be.

    It is a read-only view: kernels then need compiling for one kind of array only.

    Raises
    ------
    TypeError
        If samples are not uint8.
    ValueError
        If the shape is not an image's, or a side is not 1 to 65535.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(
            f"samples must be uint8, not {array.dtype}; scale to 0..255, round, then "
            "astype(np.uint8)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] == 4:
        raise ValueError(
            "the image has an alpha channel (or is CMYK), which JPEG's RGB cannot hold: "
            "flatten it onto a background, or drop it with image[:, :, :3]"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"an image is (h, w), (h, w, 1) or (h, w, 3); this array is {array.shape}")
    height, width = array.shape[:2]
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise ValueError(f"sides are 1 to 65535 pixels; this image is {width}x{height}")
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def check_subsampling(subsampling: str) -> tuple[tuple[int, int], ...]:
    """Sampling factors of a name."""
    try:
        return SUBSAMPLINGS[subsampling]
    except (KeyError, TypeError):
        names = ", ".join(SUBSAMPLINGS)
        raise ValueError(f"subsampling is one of {names}, not {subsampling!r}") from None


def check_qtables(qtables: npt.ArrayLike, components: int) -> list[npt.NDArray[np.uint16]]:
    """One (8, 8) uint16 table a component, from 1 to 3 given ones (the last serves the rest)."""
    tables = np.asarray(qtables)
    if tables.shape in ((8, 8), (64,)):
        tables = tables[None]
    if (
        tables.ndim < 2
        or tables.shape[1:] not in ((8, 8), (64,))
        or not 1 <= len(tables) <= components
    ):
        raise ValueError(
            f"qtables is (8, 8), or 1 to {components} such tables for {components} components; "
            f"this one is {tables.shape}"
        )
    if not np.issubdtype(tables.dtype, np.integer):
        raise TypeError(f"steps of a quantization table are integers, not {tables.dtype}")
    if tables.min() < 1 or tables.max() > 255:
        raise ValueError(
            f"steps of a baseline file are 1 to 255; these are {tables.min()} to {tables.max()}"
        )
    steps = tables.reshape(-1, 8, 8).astype(np.uint16)
    return [steps[min(i, len(steps) - 1)] for i in range(components)]


def encode(
    image: npt.ArrayLike,
    *,
    quality: int | None = None,
    qtables: npt.ArrayLike | None = None,
    subsampling: str = "4:2:0",
    progressive: Progressive = False,
    optimize: bool = True,
    restart_interval: int = 0,
    threads: int | None = 1,
) -> bytes:
    """Encode an image as a baseline JPEG.

    Parameters
    ----------
    image : (h, w), (h, w, 1) or (h, w, 3) uint8 array
        Grey or RGB, sides of 1 to 65535 pixels; any strides.
    quality : int, optional
        IJG quality from 1 to 100, which scales the tables of Annex K; 75 if no tables are given.
    qtables : array of int, optional
        Quantization tables to use as they are, in natural order: (8, 8) for all components,
        (2, 8, 8) for luma and chroma, (3, 8, 8) for Y, Cb and Cr. Excludes `quality`.
    subsampling : str
        ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"`` or ``"4:4:0"``; of no effect on grey images.
    progressive : bool, "search" or sequence of Scan
        Send a coarse picture first, then what makes it finer: mostly smaller too. True: in the
        usual scans (:func:`pyjpegml.scripts.usual_script`). ``"search"``: in those that make the
        file smallest, which takes longer (:func:`pyjpegml.scan_search.best_script`). Or in scans of
        your own.
    optimize : bool
        Huffman tables made for this image (some percent smaller), instead of Annex K's.
        Progressive files always have such.
    restart_interval : int
        MCUs between restart markers, 0 (none) to 65535.
    threads : int or None
        How many threads may work on this image; None for all useful cores. The bytes are the same
        for any number. Small images never use more than one.

    Returns
    -------
    bytes
        A JFIF file. With ``optimize=False`` its coded data are libjpeg-turbo's, byte for byte.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> data = pyjpegml.encode(image, quality=85)
    >>> int(abs(pyjpegml.decode(data).astype(int) - image).max()) <= 8
    True
    """
    check_threads(threads)
    if quality is not None and qtables is not None:
        raise ValueError("quality and qtables exclude each other: give one of them")
    whole = isinstance(restart_interval, (int, np.integer)) and not isinstance(
        restart_interval, bool
    )
    if not whole or not 0 <= restart_interval <= 65535:
        raise ValueError(f"restart_interval is 0 to 65535 MCUs, not {restart_interval!r}")
    factors = check_subsampling(subsampling)
    array = check_image(image)
    components = 1 if array.ndim == 2 else 3
    if qtables is not None:
        tables = check_qtables(qtables, components)
    else:
        tables = _quality_tables(75 if quality is None else quality)[:components]
    if progressive is not False:
        geometry, coefficients = analyse(array, factors)
        quantized = quantize_all(geometry, coefficients, tables)
        return assemble(
            geometry, quantized, tables, progressive=progressive,
            restart_interval=int(restart_interval),
        )  # fmt: skip
    setting = _setting(
        array.shape[1], array.shape[0], factors[:components],
        tuple(table.tobytes() for table in tables), int(restart_interval),
    )  # fmt: skip
    picture = fused.read_only(array.reshape(array.shape[0], -1))
    threads = useful_threads(threads, array.shape[0] * array.shape[1] // THREAD_PIXELS)
    file = BytesIO()  # keeps the pieces once, where joining them would hold the file twice
    with Crew(threads) as crew:
        work = _Work(picture, setting, crew)
        if optimize:
            coding, segments = symbols.optimal_coding(work.counts(), setting.plan)
        else:
            coding, segments = _standard_coding_tables(), _standard_segments(components)
        before, behind = setting.head
        file.write(before + segments + behind)
        work.write(coding, file)
    file.write(b"\xff\xd9")
    return file.getvalue()


@functools.lru_cache(maxsize=128)
def _quality_tables(quality: int) -> list[npt.NDArray[np.uint16]]:
    luma, chroma = standard_qtables(quality)
    return [luma, chroma, chroma]


@dataclass(frozen=True)
class _Setting:
    """What does not depend on the pixels, kept for the next picture of the same kind.

    Attributes
    ----------
    geometry : Geometry
    qtables : list of (8, 8) uint16
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    reciprocals : (components, 192) int16
    restart_interval : int
    head : tuple of bytes
        All segments up to SOS, before and behind those of the Huffman tables.
    """

    geometry: Geometry
    qtables: list[npt.NDArray[np.uint16]]
    plan: npt.NDArray[np.int64]
    reciprocals: npt.NDArray[np.int16]
    restart_interval: int
    head: tuple[bytes, bytes]


@functools.lru_cache(maxsize=128)
def _setting(
    width: int,
    height: int,
    factors: tuple[tuple[int, int], ...],
    steps: tuple[bytes, ...],
    restart_interval: int,
) -> _Setting:
    geometry = Geometry(width, height, factors)
    qtables = [np.frombuffer(table, np.uint16).reshape(8, 8) for table in steps]
    return _Setting(
        geometry,
        qtables,
        geometry.scan_plan(HUFFMAN_SLOTS[: len(factors)]),
        np.stack([reciprocals(table) for table in qtables]),
        restart_interval,
        _head(geometry, qtables, restart_interval),
    )


class _Scratch:
    """What one thread needs to encode pieces of a picture.

    Parameters
    ----------
    picture : (h, w) or (h, 3 w) uint8
    setting : _Setting
    blocks : int
        The most that a piece has.
    """

    def __init__(self, picture: npt.NDArray[np.uint8], setting: _Setting, blocks: int) -> None:
        geometry = setting.geometry
        self.setting = setting
        self.head = picture, geometry.h_max, geometry.v_max
        self.chunk = fused.new_planes(), *_buffers(fused.CHUNK_BLOCKS)
        self.writer = symbols.new_writer(blocks)

    def count(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Symbols of the rows of MCUs from `first` to `last`, by Huffman slot."""
        setting = self.setting
        counts = np.zeros((TABLE_SLOTS, 256), np.int64)
        fused.count_rows(
            *self.head, first, last, setting.reciprocals, *self.chunk, setting.plan,
            setting.restart_interval, np.zeros(symbols.STATE_FIELDS, np.int64), counts,
        )  # fmt: skip
        return counts

    def code(self, first: int, last: int, coding: symbols.CodingTables, apart: bool) -> int:
        """Code them; bytes of the writer's `out` (:func:`pyjpegml.fused.encode_rows`)."""
        setting = self.setting
        written: int = fused.encode_rows(
            *self.head, first, last, setting.geometry.mcus, setting.reciprocals, *self.chunk,
            setting.plan, setting.restart_interval, coding, self.writer, apart,
        )  # fmt: skip
        return written


def _buffers(blocks: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Blocks and masks, with the spare one."""
    return np.empty((blocks + 1) * 64, np.int16), np.empty(blocks + 1, np.int64)


def _pieces(setting: _Setting, threads: int) -> list[tuple[int, int]]:
    """Rows of MCUs that are encoded in one go, as (first, last).

    Threads want pieces that begin with a restart interval, because the marker before it is put on a
    byte border that only its predecessor knows.
    """
    geometry = setting.geometry
    rows = max(1, PIECE_BLOCKS // (len(setting.plan) * geometry.mcus_across))
    if threads > 1:  # not too many pieces: each is a few calls
        rows = max(rows, geometry.mcus_down // (TURNS * threads))
    if threads > 1 and setting.restart_interval:
        unit = setting.restart_interval // math.gcd(setting.restart_interval, geometry.mcus_across)
        rows = -(-rows // unit) * unit
    return [
        (first, min(first + rows, geometry.mcus_down))
        for first in range(0, geometry.mcus_down, rows)
    ]


class _Work:
    """The encoding of one picture, by one thread or several.

    Parameters
    ----------
    picture : (h, w) or (h, 3 w) uint8
    setting : _Setting
    crew : Crew
    """

    def __init__(self, picture: npt.NDArray[np.uint8], setting: _Setting, crew: Crew) -> None:
        self.picture, self.setting, self.crew = picture, setting, crew
        self.pieces = _pieces(setting, len(crew))
        self.alone = len(crew) == 1 or len(self.pieces) == 1
        rows = self.pieces[0][1] - self.pieces[0][0]
        self.blocks = rows * setting.geometry.mcus_across * len(setting.plan)
        self.local = threading.local()

    def scratch(self) -> _Scratch:
        """That of this thread."""
        if not hasattr(self.local, "scratch"):
            self.local.scratch = _Scratch(self.picture, self.setting, self.blocks)
        found: _Scratch = self.local.scratch
        return found

    def counts(self) -> npt.NDArray[np.int64]:
        """Symbols of the whole picture, by Huffman slot."""
        if self.alone:
            return self.scratch().count(0, self.setting.geometry.mcus_down)
        counts = self.crew.each(lambda i: self.scratch().count(*self.pieces[i]), len(self.pieces))
        return sum(counts, np.zeros((TABLE_SLOTS, 256), np.int64))

    def write(self, coding: symbols.CodingTables, file: BytesIO) -> None:
        """The entropy-coded data; the same ones for any number of threads."""
        if self.alone:
            scratch = self.scratch()
            for piece in self.pieces:
                file.write(scratch.writer.out[: scratch.code(*piece, coding, False)].tobytes())
            return
        # the bits that each piece finds pending, and whether they are known yet
        pending = [(0, 0)] * len(self.pieces)
        known = [threading.Event() for _ in self.pieces]
        known[0].set()

        def code(i: int) -> bytes:
            scratch, last = self.scratch(), i == len(self.pieces) - 1
            writer = scratch.writer
            writer.state[:] = 0
            written = scratch.code(*self.pieces[i], coding, True)
            self.crew.wait(known[i])
            if not last:
                pending[i + 1] = symbols.pending_bits(writer, *pending[i])
                known[i + 1].set()
            return writer.out[: symbols.finish(writer, written, *pending[i], last)].tobytes()

        pieces = self.crew.each(code, len(self.pieces))
        while pieces:
            file.write(pieces.popleft())


def _standard_tables(components: int) -> dict[int, HuffmanTable]:
    return {slot: t for slot, t in STANDARD_TABLES.items() if components > 1 or slot % AC == 0}


def _huffman_segments(tables: dict[int, HuffmanTable]) -> bytes:
    return b"".join(markers.huffman_table_bytes(slot, tables[slot]) for slot in sorted(tables))


@functools.cache
def _standard_segments(components: int) -> bytes:
    return _huffman_segments(_standard_tables(components))


@functools.cache
def _standard_coding_tables() -> symbols.CodingTables:
    return symbols.coding_tables(STANDARD_TABLES)


def analyse(
    image: npt.NDArray[np.uint8], factors: Sequence[tuple[int, int]]
) -> tuple[Geometry, npt.NDArray[np.int16]]:
    """Colour, downsampling and DCT of an image.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) C-contiguous uint8
    factors : sequence of (H, V)
        Sampling factors of Y, Cb, Cr; not used for grey.

    Returns
    -------
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Times 8, not quantized.
    """
    height, width = image.shape[:2]
    if image.ndim == 2:
        geometry = Geometry(width, height, [(1, 1)])
        plane = geometry.planes[0]
        samples = np.empty((8 * plane.down, 8 * plane.across), np.uint8)
        samples[:height, :width] = image
        _repeat_edges(samples, height, width)
        return geometry, geometry.transform([samples])
    geometry = Geometry(width, height, factors)
    return geometry, geometry.transform(component_planes(image, geometry))


def component_planes(
    image: npt.NDArray[np.uint8], geometry: Geometry
) -> list[npt.NDArray[np.uint8]]:
    """Y, Cb and Cr of an RGB image, downsampled, the edges repeated to whole blocks.

    As libjpeg does it, the right edge is repeated before samples are merged; the lower edge only as
    far as merging needs it, and then the last merged row is.
    """
    height, width = image.shape[:2]
    rows = -(-height // geometry.v_max) * geometry.v_max
    full = np.empty((3, rows, 8 * geometry.h_max * geometry.mcus_across), np.uint8)
    rgb_to_ycbcr(image.reshape(height, 3 * width), *full)
    planes = []
    for i, plane in enumerate(geometry.planes):
        _repeat_edges(full[i], height, width)
        samples = np.empty((8 * plane.down, 8 * plane.across), np.uint8)
        across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
        downsample(full[i], across, down, samples[: plane.height])
        samples[plane.height :] = samples[plane.height - 1]
        planes.append(samples)
    return planes


def _repeat_edges(samples: npt.NDArray[np.uint8], height: int, width: int) -> None:
    """Fill what lies right of and below the picture with its last column and row."""
    samples[:height, width:] = samples[:height, width - 1 : width]
    samples[height:] = samples[height - 1]


def quantize_all(
    geometry: Geometry,
    coefficients: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.uint16]],
    rounding: float = 0.5,
) -> npt.NDArray[np.int16]:
    """Quantize the coefficients of all components, each with its own table.

    `rounding` is that of :func:`pyjpegml.quantize.quantize`; 1/2 rounds to the nearest.
    """
    quantized = np.empty_like(coefficients)
    for i in range(len(geometry.planes)):
        table = np.ascontiguousarray(qtables[i], np.int32).reshape(64)
        quantize(geometry.view(coefficients, i), table, rounding, geometry.view(quantized, i))
    return quantized


def assemble(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.uint16]],
    *,
    optimize: bool = True,
    progressive: Progressive = False,
    restart_interval: int = 0,
    components: Sequence[markers.FrameComponent] | None = None,
    precision: int = 8,
    slots: Sequence[tuple[int, int]] = HUFFMAN_SLOTS,
    segments: bytes | None = None,
) -> bytes:
    """A file of quantized coefficients (T.81 B.2.1), which loses nothing more.

    A sequential one is baseline if that can hold them (8 bits a sample, steps of at most 255, two
    Huffman tables of each kind), else extended sequential. There is one scan, or as many as blocks
    of an MCU need, of which one holds ten. Components that have equal quantization tables share
    one.

    Parameters
    ----------
    geometry : Geometry
    quantized : (geometry.size,) int16
    qtables : sequence of (8, 8) uint16
        Of each component.
    optimize : bool
        Huffman tables made for these coefficients, instead of Annex K's, which are for 8 bits.
        Progressive files always have such.
    progressive : bool, "search" or sequence of Scan
        As for :func:`encode`.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    components : sequence of FrameComponent, optional
        Identifiers and sampling factors, which agree with the geometry's; by default it has the
        factors, and identifiers count from 1. Slots of tables are chosen here.
    precision : int
        Bits of a sample, 8 or 12.
    slots : sequence of (DC, AC)
        Huffman tables of each component; by default 0 for luma and 1 for chroma.
    segments : bytes, optional
        APPn and COM segments; by default JFIF's.
    """
    count = len(geometry.planes)
    if components is None:
        factors = enumerate(geometry.sampling, 1)
        components = [markers.FrameComponent(i, h, v, 0) for i, (h, v) in factors]
    if progressive is not False:
        frame = markers.Frame(2, precision, geometry.height, geometry.width, tuple(components))
        scans = encode_scans(
            geometry, quantized, _script(progressive, geometry, quantized),
            restart_interval=restart_interval, identifiers=[c.identifier for c in components],
        )  # fmt: skip
        return b"".join([*file_head(frame, qtables, segments), *scans, b"\xff\xd9"])
    body: list[bytes] = []
    for chosen in scan_groups(geometry):
        own = [slots[i] for i in chosen]
        plan = geometry.scan_plan(own, chosen)
        if optimize:
            tables = optimal_tables(geometry, quantized, plan, restart_interval, chosen)
        else:
            tables = _standard_tables(count)
        body.append(_huffman_segments(tables))
        if restart_interval and chosen[0] == 0:
            body.append(markers.restart_interval_bytes(restart_interval))
        body.append(
            markers.scan_bytes(
                [(components[i].identifier, *pair) for i, pair in zip(chosen, own, strict=True)]
            )
        )
        body += encode_scan(geometry, quantized, plan, tables, restart_interval, chosen)
    tables_of_two = max(max(pair) for pair in slots[:count]) <= 1
    narrow = max(int(table.max()) for table in qtables) <= 255
    frame = markers.Frame(
        0 if precision == 8 and tables_of_two and narrow else 1,
        precision, geometry.height, geometry.width, tuple(components),
    )  # fmt: skip
    return b"".join([*file_head(frame, qtables, segments), *body, b"\xff\xd9"])


def _script(
    progressive: Progressive, geometry: Geometry, quantized: npt.NDArray[np.int16]
) -> Sequence[Scan]:
    """The scans that the argument `progressive` of :func:`encode` asks for, if it is not False."""
    if progressive is True:
        return usual_script(geometry.sampling)
    if progressive == "search":
        return best_script(geometry, quantized)
    if not isinstance(progressive, (list, tuple)):
        raise ValueError(
            f"progressive is False, True, 'search' or a list or tuple of Scan, not {progressive!r}"
        )
    return check_script(progressive, geometry.sampling)


def file_head(
    frame: markers.Frame, qtables: Sequence[npt.NDArray[np.uint16]], segments: bytes | None = None
) -> list[bytes]:
    """SOI, metadata, quantization tables and frame header, whose slots of tables are chosen here.

    Parameters
    ----------
    frame : Frame
    qtables : sequence of (8, 8) uint16
        Of each component; equal ones are written once.
    segments : bytes, optional
        APPn and COM segments; by default JFIF's.
    """
    distinct: list[npt.NDArray[np.uint16]] = []
    components = []
    for component, table in zip(frame.components, qtables, strict=True):
        equal = [k for k, other in enumerate(distinct) if np.array_equal(other, table)]
        components.append(replace(component, table=equal[0] if equal else len(distinct)))
        if not equal:
            distinct.append(table)
    head = [b"\xff\xd8", markers.jfif_bytes() if segments is None else segments]
    head += [markers.qtable_bytes(slot, table) for slot, table in enumerate(distinct)]
    head.append(markers.frame_bytes(replace(frame, components=tuple(components))))
    return head


def scan_groups(geometry: Geometry) -> list[list[int]]:
    """Which components share a scan: all, unless an MCU would have more than ten blocks (B.2.3)."""
    groups: list[list[int]] = []
    blocks = 0
    for i, plane in enumerate(geometry.planes):
        size = plane.h * plane.v
        if not groups or blocks + size > 10:
            groups.append([])
            blocks = 0
        groups[-1].append(i)
        blocks += size
    return groups


def _head(
    geometry: Geometry,
    qtables: Sequence[npt.NDArray[np.uint16]],
    restart_interval: int,
) -> tuple[bytes, bytes]:
    """All marker segments up to SOS (T.81 B.2.1), before and behind those of the Huffman tables."""
    components = tuple(
        markers.FrameComponent(i + 1, h, v, 0) for i, (h, v) in enumerate(geometry.sampling)
    )
    frame = markers.Frame(0, 8, geometry.height, geometry.width, components)
    behind = markers.restart_interval_bytes(restart_interval) if restart_interval else b""
    huffman = HUFFMAN_SLOTS[: len(qtables)]
    behind += markers.scan_bytes([(i + 1, *pair) for i, pair in enumerate(huffman)])
    return b"".join(file_head(frame, qtables)), behind


def optimal_tables(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    plan: npt.NDArray[np.int64],
    restart_interval: int = 0,
    chosen: Sequence[int] | None = None,
) -> dict[int, HuffmanTable]:
    """The Huffman tables that make this scan smallest, by slot (T.81 K.2).

    Parameters
    ----------
    geometry, quantized, restart_interval
        As for :func:`assemble`.
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        Of the scan.
    chosen : sequence of int, optional
        Components of the scan; all by default.
    """
    return _optimal_tables(count_scan(geometry, quantized, plan, restart_interval, chosen), plan)


def count_scan(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    plan: npt.NDArray[np.int64],
    restart_interval: int = 0,
    chosen: Sequence[int] | None = None,
) -> npt.NDArray[np.int64]:
    """How often a scan has each Huffman symbol, (8, 256) int64 by table slot; parameters as for
    :func:`optimal_tables`.
    """
    across, down = geometry.scan_size(range(len(geometry.planes)) if chosen is None else chosen)
    counts = np.zeros((TABLE_SLOTS, 256), np.int64)
    state = np.zeros(symbols.STATE_FIELDS, np.int64)
    step = max(1, PIECE_BLOCKS // len(plan))
    blocks, masks = _buffers(min(step, across * down) * len(plan))
    for first in range(0, across * down, step):
        last = min(first + step, across * down)
        symbols.order_blocks(quantized, plan, across, first, last, blocks, masks)
        symbols.count_symbols(blocks, masks, 0, last - first, restart_interval, plan, state, counts)
    return counts


def _optimal_tables(
    counts: npt.NDArray[np.int64], plan: npt.NDArray[np.int64]
) -> dict[int, HuffmanTable]:
    """The optimal table of each slot that a plan uses."""
    used = sorted({int(slot) for slot in plan[:, [scan.DC_SLOT, scan.AC_SLOT]].ravel()})
    return {slot: optimal_table(counts[slot]) for slot in used}


def encode_scan(
    geometry: Geometry,
    quantized: npt.NDArray[np.int16],
    plan: npt.NDArray[np.int64],
    tables: dict[int, HuffmanTable],
    restart_interval: int = 0,
    chosen: Sequence[int] | None = None,
) -> list[bytes]:
    """Entropy-coded data of a scan, in pieces (T.81 F.1.2).

    Parameters
    ----------
    geometry, quantized, plan, restart_interval, chosen
        As for :func:`optimal_tables`.
    tables : dict
        By slot; with a code for every symbol that occurs.
    """
    across, down = geometry.scan_size(range(len(geometry.planes)) if chosen is None else chosen)
    coding = symbols.coding_tables(tables)
    step = max(1, PIECE_BLOCKS // len(plan))
    blocks, masks = _buffers(min(step, across * down) * len(plan))
    writer = symbols.new_writer(min(step, across * down) * len(plan))
    pieces = []
    for first in range(0, across * down, step):
        last = min(first + step, across * down)
        symbols.order_blocks(quantized, plan, across, first, last, blocks, masks)
        written = symbols.encode_blocks(
            blocks, masks, 0, last - first, across * down, restart_interval, plan, coding,
            writer,
        )  # fmt: skip
        pieces.append(writer.out[:written].tobytes())
    return pieces
