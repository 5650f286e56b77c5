"""The encoder: from pixels to bytes (T.81 clause 7.1), in plain Python over the stages.

::

    pixels ─┬─ pieces (color ─ sampling ─ dct ─ quantize ─ symbols) ─────────────────────── bytes
            ├─ planes ─ dct ─ quantize ─ coefficients ─ scans of symbols ──────────────────── ┤
            └─ lossless_encoder (differences ─ codes) ─────────────────────────────────────── ┘

:func:`encode` sends the usual modes, baseline files of grey and RGB pictures, the upper way
(:mod:`pyjpegml.pieces`), which keeps nothing of the picture; all other modes take the one in the
middle, by way of stored coefficients, or the lower one.

In the middle, :func:`analyse` does what depends on the picture only (up to the DCT),
:func:`quantize_all` what depends on the tables, :func:`assemble` the lossless rest: rate control
calls the first once and the others for every table that it tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import arguments, deep_encoder, markers, scan, symbols
from .arguments import restart_mcus
from .coefficients import Geometry
from .errors import JpegUnsupportedError
from .header import Header
from .heads import MODELS, file_head, huffman_segments
from .huffman import STANDARD_TABLES, TABLE_SLOTS, HuffmanTable, optimal_table
from .lossless_encoder import encode_lossless
from .pieces import PIECE_BLOCKS, buffers, encode_pieces, is_usual
from .planes import Samples, component_planes, stored_samples
from .quantize import quantize
from .threads import check_threads

#: Huffman tables, DC and AC, of Y, Cb, Cr and K.
HUFFMAN_SLOTS = ((0, 0), (1, 1), (1, 1), (0, 0))


def encode(
    image: npt.ArrayLike | Sequence[npt.NDArray[Any]],
    *,
    color: str | None = None,
    stored_as: str | None = None,
    quality: int | tuple[int, ...] | list[int] | None = None,
    qtables: npt.ArrayLike | Header | None = None,
    subsampling: str | Sequence[tuple[int, int]] | None = None,
    precision: int | None = None,
    lossless: bool = False,
    predictor: int | None = None,
    point_transform: int = 0,
    progressive: bool = False,
    optimize: bool = True,
    restart_interval: int = 0,
    restart_rows: int = 0,
    threads: int | None = 1,
) -> bytes:
    """Encode an image as a JPEG.

    By default as a baseline one, which everything opens; which other modes open where is said in
    the table of the documentation (Modes). Options that mean nothing together are refused.

    Parameters
    ----------
    image : (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) array, or tuple of (h, w) arrays
        Sides of 1 to 65535 pixels; any strides. uint8, or uint16 for 12 bits and for lossless
        files. A tuple holds planes, the components of the file: each of the size of the picture, to
        be downsampled, or already of the size that `subsampling` gives its component.
    color : str, optional
        What the channels are, as :func:`decode` names it: ``"grey"``, ``"RGB"``, ``"YCbCr"``,
        ``"CMYK"`` with 0 for no ink, or ``"stored"`` for components that go into the file as they
        are. By default grey or RGB; planes are grey or YCbCr. Four channels are never guessed.
    stored_as : str, optional
        What the components of the file are to be: RGB becomes ``"YCbCr"`` unless this is ``"RGB"``
        or ``"grey"``, and CMYK stays ``"CMYK"`` unless this is ``"YCCK"``. Lossless files keep what
        they are given.
    quality : int or tuple of int, optional
        IJG quality from 1 to 100, which scales the tables of Annex K; one for all components, two
        for luma (with K) and chroma, or one for each. 75 if no tables are given.
    qtables : array of int or Header, optional
        Quantization tables to use as they are, in natural order: (8, 8) for all components,
        (2, 8, 8) for luma and chroma, (n, 8, 8) for each of n components. Or the header of a file
        (:func:`read_header`), whose tables are kept. Steps above 255 make the file an extended
        sequential one. Excludes `quality`.
    subsampling : str or sequence of (H, V), optional
        ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"``, ``"4:4:0"``, ``"4:1:1"`` or ``"4:1:0"``, of no effect
        on grey images; or sampling factors from 1 to 4 of each component, as pairs or as text
        (``"2x2,1x1,1x1"``), so that ``Header.subsampling`` can be given. 4:2:0 for YCbCr and YCCK
        by default, else 4:4:4. More than ten blocks in an MCU make several scans.
    precision : int, optional
        Bits of a sample: 8 for uint8 and 12 for uint16; in lossless files 2 to 16, by default 8 and
        16.
    lossless : bool
        Keep every sample: by prediction instead of transform (SOF3).
    predictor : int, optional
        From 1 to 7 (T.81 Table H.1), of lossless files; the one that makes the file smallest if not
        given.
    point_transform : int
        Low bits that a lossless file drops, 0 by default.
    progressive : bool
        Not supported by this version.
    optimize : bool
        Huffman tables made for this image (some percent smaller), instead of Annex K's, which are
        for 8 bits.
    restart_interval : int
        MCUs between restart markers, 0 (none) to 65535; whole rows in lossless files.
    restart_rows : int
        The same in rows of MCUs, of each scan. Excludes `restart_interval`.
    threads : int or None
        How many threads may work on this image; None for all useful cores. The bytes are the same
        for any number. Small images, and modes other than baseline grey and YCbCr from RGB, never
        use more than one.

    Returns
    -------
    bytes
        With JFIF's marker, or Adobe's for RGB, CMYK and YCCK. With ``optimize=False`` the coded
        data of a baseline file are libjpeg-turbo's, byte for byte.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or does not go with the others.
    JpegUnsupportedError
        If `progressive` is set.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> data = pyjpegml.encode(image, quality=85)
    >>> int(abs(pyjpegml.decode(data).astype(int) - image).max()) <= 8
    True

    Every bit of a deep image, and the tables of another file:

    >>> deep = image.astype(np.uint16) << 8
    >>> np.array_equal(pyjpegml.decode(pyjpegml.encode(deep, lossless=True)), deep)
    True
    >>> again = pyjpegml.encode(pyjpegml.decode(data), qtables=pyjpegml.read_header(data))
    >>> pyjpegml.read_header(again).quality
    85
    """
    check_threads(threads)
    if progressive:
        raise JpegUnsupportedError("progressive encoding is not supported; baseline is")
    picture, channels, stored = arguments.check_picture(image, color, stored_as, lossless)
    precision = arguments.check_precision(picture, precision, lossless)
    interval, rows = arguments.check_restarts(restart_interval, restart_rows)
    arguments.check_lossless(lossless, predictor, point_transform, quality, qtables, optimize)
    if lossless and subsampling is None:
        subsampling = "4:4:4"
    factors = arguments.check_subsampling(subsampling, stored)
    height, width = arguments.check_sizes(picture, factors)
    model = MODELS[stored]
    if lossless:
        lines = arguments.check_lossless_mcus(factors, interval, rows, width)
        point_transform = arguments.check_point_transform(point_transform, precision)
        samples = stored_samples(picture, channels, precision)
        return encode_lossless(
            samples, model.components(Geometry(width, height, factors)), model.marker, precision,
            predictor, point_transform, lines,
        )  # fmt: skip
    if precision != 8 and not optimize:
        raise ValueError("Annex K's Huffman tables are for 8 bits: optimize is to be True")
    tables = arguments.check_tables(quality, qtables, stored, precision)
    narrow = qtables is None or all(int(table.max()) <= 255 for table in tables)
    if narrow and is_usual(picture, channels, stored, factors):
        assert not isinstance(picture, tuple)
        mcus_across = -(-width // (8 * factors[0][0]))
        return encode_pieces(
            picture, factors, tables, model.marker, optimize,
            restart_mcus(interval, rows, mcus_across), threads,
        )  # fmt: skip
    geometry = Geometry(width, height, factors)
    quantized = _quantized(geometry, component_planes(picture, geometry, channels, stored), tables)
    return assemble(
        geometry, quantized, tables, optimize=optimize, restart_interval=interval,
        restart_rows=rows, components=model.components(geometry), precision=precision,
        slots=model.huffman_slots, segments=model.marker,
    )  # fmt: skip


def _quantized(
    geometry: Geometry, planes: Sequence[Samples], qtables: Sequence[npt.NDArray[np.uint16]]
) -> npt.NDArray[np.int16]:
    """Levels of the samples of all components, of 8 or 12 bits."""
    if planes[0].dtype == np.uint8:
        return quantize_all(geometry, geometry.transform(planes), qtables)
    levels = np.zeros(geometry.size, np.int16)
    for i, part in enumerate(geometry.planes):
        table = np.ascontiguousarray(qtables[i], np.int32).reshape(64)
        deep_encoder.transform(
            planes[i], part.down, part.across, table, np.empty(64, np.int32),
            geometry.view(levels, i),
        )  # fmt: skip
    return levels


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
    geometry = Geometry(width, height, factors if image.ndim == 3 else [(1, 1)])
    return geometry, geometry.transform(component_planes(image, geometry))


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
    restart_interval: int = 0,
    restart_rows: int = 0,
    components: Sequence[markers.FrameComponent] | None = None,
    precision: int = 8,
    slots: Sequence[tuple[int, int]] = HUFFMAN_SLOTS,
    segments: bytes | None = None,
) -> bytes:
    """A sequential file of quantized coefficients (T.81 B.2.1), which loses nothing more.

    It is baseline if that can hold them (8 bits a sample, steps of at most 255, two Huffman tables
    of each kind), else extended sequential. Components that have equal quantization tables share
    one. There is one scan, or as many as blocks of an MCU need, of which one holds ten.

    Parameters
    ----------
    geometry : Geometry
    quantized : (geometry.size,) int16
    qtables : sequence of (8, 8) uint16
        Of each component.
    optimize : bool
        Huffman tables made for these coefficients, instead of Annex K's, which are for 8 bits.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    restart_rows : int
        The same in rows of MCUs of each scan; 0 for none.
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
    body: list[bytes] = []
    valid = 0
    for chosen in scan_groups(geometry):
        own = [slots[i] for i in chosen]
        plan = geometry.scan_plan(own, chosen)
        interval = restart_mcus(restart_interval, restart_rows, geometry.scan_size(chosen)[0])
        if optimize:
            tables = optimal_tables(geometry, quantized, plan, interval, chosen)
        else:
            tables = {slot: STANDARD_TABLES[slot] for slot in _used_slots(plan)}
        body.append(huffman_segments(tables))
        if interval != valid:
            body.append(markers.restart_interval_bytes(interval))
            valid = interval
        body.append(
            markers.scan_bytes(
                [(components[i].identifier, *pair) for i, pair in zip(chosen, own, strict=True)]
            )
        )
        body += encode_scan(geometry, quantized, plan, tables, interval, chosen)
    tables_of_two = max(max(pair) for pair in slots[:count]) <= 1
    narrow = max(int(table.max()) for table in qtables) <= 255
    frame = markers.Frame(
        0 if precision == 8 and tables_of_two and narrow else 1,
        precision, geometry.height, geometry.width, tuple(components),
    )  # fmt: skip
    return b"".join([*file_head(frame, qtables, segments), *body, b"\xff\xd9"])


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
    counts = count_scan(geometry, quantized, plan, restart_interval, chosen)
    return {slot: optimal_table(counts[slot]) for slot in _used_slots(plan)}


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
    blocks, masks = buffers(min(step, across * down) * len(plan))
    for first in range(0, across * down, step):
        last = min(first + step, across * down)
        symbols.order_blocks(quantized, plan, across, first, last, blocks, masks)
        symbols.count_symbols(blocks, masks, 0, last - first, restart_interval, plan, state, counts)
    return counts


def _used_slots(plan: npt.NDArray[np.int64]) -> list[int]:
    """The slots of Huffman tables that a plan names."""
    return sorted({int(slot) for slot in plan[:, [scan.DC_SLOT, scan.AC_SLOT]].ravel()})


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
    blocks, masks = buffers(min(step, across * down) * len(plan))
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
