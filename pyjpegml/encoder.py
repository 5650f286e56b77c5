"""The encoder: from pixels to bytes (T.81 clause 7.1), in plain Python over the stages.

::

    pixels ─┬─ pieces (color ─ sampling ─ dct ─ quantize ─ symbols) ─────────────────────── bytes
            ├─ planes ─ dct ─ quantize ─ coefficients ─ scans of symbols ──────────────────── ┤
            └─ lossless_encoder (differences ─ codes) ─────────────────────────────────────── ┘

:func:`encode` sends the usual modes, baseline files of grey and RGB pictures, the upper way
(:mod:`pyjpegml.pieces`), which keeps nothing of the picture; all other modes take the one in the
middle, by way of stored coefficients, or the lower one.

In the middle, :func:`analyse` does what depends on the picture only (up to the DCT),
:func:`quantize_all` what depends on the tables, :func:`pyjpegml.assembly.assemble` the lossless
rest: rate control calls the first once and the others for every table that it tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import arguments, deep_encoder
from .arguments import restart_mcus
from .assembly import Progressive, assemble
from .coefficients import Geometry
from .dct import forward_dct
from .header import Header
from .heads import MODELS
from .lossless_encoder import encode_lossless
from .markers import Frame, FrameComponent
from .metadata import ColorModel, Metadata, metadata_segments, with_color_model
from .pieces import encode_pieces, is_usual
from .planes import Samples, component_planes, stored_samples
from .quantize import quantize
from .scripts import usual_script
from .threads import Crew, check_threads

#: Parts of a component that threads quantize in turn.
QUANTIZED_PARTS = 8
#: Rows of MCUs that are analysed together.
ANALYSED_ROWS = 4


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
    progressive: Progressive = False,
    optimize: bool | str = True,
    restart_interval: int = 0,
    restart_rows: int = 0,
    metadata: Metadata | None = None,
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
    progressive : bool, "search" or sequence of Scan
        Send a coarse picture first, then what makes it finer: mostly smaller too. True: in the
        usual scans (:func:`pyjpegml.scripts.usual_script`). ``"search"``: in those that make the
        file smallest, which takes longer (:func:`pyjpegml.scan_search.best_script`). Or in scans of
        your own.
    optimize : bool or "scans"
        Huffman tables made for this image (some percent smaller), instead of Annex K's, which are
        for sequential files of 8 bits. ``"scans"``: and luma, or each component, in
        a sequential scan of its own, where that makes the file smaller; decoders need more memory
        for such files.
    restart_interval : int
        MCUs between restart markers, 0 (none) to 65535; whole rows in lossless files.
    restart_rows : int
        The same in rows of MCUs, of which each scan has its own: those of a single component are
        rows of its blocks. Excludes `restart_interval`.
    metadata : Metadata, optional
        What stands in the file besides the picture, byte for byte: that of another file
        (``read_header(data).metadata``), or made of parts (:meth:`Metadata.made_of`). JFIF's and
        Adobe's markers are exchanged if they do not say what the components are, and what is said
        of other images in that file is left out. A JFIF marker of no stated density by default.
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
    lossless = arguments.check_flag("lossless", lossless)
    progressive = arguments.check_progressive(progressive)
    if progressive is not False and lossless:
        raise ValueError("progressive and lossless exclude each other")
    picture, channels, stored = arguments.check_picture(image, color, stored_as, lossless)
    precision = arguments.check_precision(picture, precision, lossless)
    interval, rows = arguments.check_restarts(restart_interval, restart_rows)
    arguments.check_lossless(lossless, predictor, point_transform, quality, qtables)
    optimize = arguments.check_optimize(optimize, progressive is False and not lossless, precision)
    if lossless and subsampling is None:
        subsampling = "4:4:4"
    factors = arguments.check_subsampling(subsampling, stored)
    height, width = arguments.check_sizes(picture, factors)
    model = MODELS[stored]
    segments = model.marker if metadata is None else _segments(metadata, stored, lossless)
    if lossless:
        lines = arguments.check_lossless_mcus(factors, interval, rows, width)
        point_transform = arguments.check_point_transform(point_transform, precision)
        samples = stored_samples(picture, channels, precision)
        return encode_lossless(
            samples, model.components(Geometry(width, height, factors)), segments, precision,
            predictor, point_transform, lines,
        )  # fmt: skip
    tables = arguments.check_tables(quality, qtables, stored, precision)
    narrow = qtables is None or all(int(table.max()) <= 255 for table in tables)
    one_scan = progressive is False and not isinstance(optimize, str)
    if one_scan and narrow and is_usual(picture, channels, stored, factors):
        assert not isinstance(picture, tuple)
        mcus_across = -(-width // (8 * factors[0][0]))
        return encode_pieces(
            picture, factors, tables, segments, bool(optimize),
            restart_mcus(interval, rows, mcus_across), threads,
        )  # fmt: skip
    if progressive is True:
        progressive = usual_script(factors, stored == "YCbCr")
    geometry = Geometry(width, height, factors)
    quantized = _quantized(geometry, component_planes(picture, geometry, channels, stored), tables)
    return assemble(
        geometry, quantized, tables, optimize=optimize, progressive=progressive,
        restart_interval=interval, restart_rows=rows, components=model.components(geometry),
        precision=precision, slots=model.huffman_slots, segments=segments,
    )  # fmt: skip


def _segments(metadata: Metadata, stored: str, lossless: bool) -> bytes:
    """APPn and COM segments of a file, which say what its components mean."""
    if not isinstance(metadata, Metadata):
        raise TypeError(
            "metadata is a Metadata object, such as read_header(data).metadata or "
            f"Metadata.made_of(icc=profile), not {metadata!r}"
        )
    components = tuple(FrameComponent(i, 1, 1, 0) for i in MODELS[stored].identifiers)
    frame = Frame(3 if lossless else 0, 8, 1, 1, components)
    model = ColorModel(stored, inverted=stored in ("CMYK", "YCCK"))
    return metadata_segments(with_color_model(metadata, frame, model))


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
    image: npt.NDArray[np.uint8],
    factors: Sequence[tuple[int, int]],
    crew: Crew | None = None,
) -> tuple[Geometry, npt.NDArray[np.int16]]:
    """Colour, downsampling and DCT of an image, some rows of MCUs at a time: their samples stay in
    the cache, and threads can share the work. No stage looks beyond its MCU.

    Parameters
    ----------
    image : (h, w), (h, w, 3) or (h, w, 4) C-contiguous uint8
        Grey, RGB, or CMYK with 0 for no ink.
    factors : sequence of (H, V)
        Sampling factors of Y, Cb, Cr, and K; not used for grey.
    crew : Crew, optional

    Returns
    -------
    geometry : Geometry
    coefficients : (geometry.size,) int16
        Times 8, not quantized.
    """
    height, width = image.shape[:2]
    geometry = Geometry(width, height, factors if image.ndim == 3 else [(1, 1)])
    coefficients = np.zeros(geometry.size, np.int16)  # dummy blocks stay zero

    def band(k: int) -> None:
        first, side = k * ANALYSED_ROWS, 8 * geometry.v_max
        rows = image[side * first : side * (first + ANALYSED_ROWS)]
        part = Geometry(width, len(rows), geometry.sampling)
        for i, (samples, plane) in enumerate(
            zip(usual_planes(rows, part), part.planes, strict=True)
        ):
            view = geometry.view(coefficients, i)[first * plane.v :]
            forward_dct(samples, plane.down, plane.across, view)

    (Crew(1) if crew is None else crew).each(band, -(-geometry.mcus_down // ANALYSED_ROWS))
    return geometry, coefficients


def usual_planes(image: npt.NDArray[np.uint8], geometry: Geometry) -> list[npt.NDArray[np.uint8]]:
    """Samples of grey, YCbCr or YCCK from a picture with 1, 3 or 4 channels."""
    inks = len(geometry.planes) == 4
    return component_planes(image, geometry, *(("CMYK", "YCCK") if inks else ("RGB", "YCbCr")))


def quantize_all(
    geometry: Geometry,
    coefficients: npt.NDArray[np.int16],
    qtables: Sequence[npt.NDArray[np.uint16]],
    rounding: float = 0.5,
    crew: Crew | None = None,
) -> npt.NDArray[np.int16]:
    """Quantize the coefficients of all components, each with its own table.

    `rounding` is that of :func:`pyjpegml.quantize.quantize`; 1/2 rounds to the nearest. The
    threads of a crew share the work.
    """
    quantized = np.empty_like(coefficients)
    tables = [np.ascontiguousarray(table, np.int32).reshape(64) for table in qtables]
    tasks = [
        (i, plane.rows * k // QUANTIZED_PARTS, plane.rows * (k + 1) // QUANTIZED_PARTS)
        for i, plane in enumerate(geometry.planes)
        for k in range(QUANTIZED_PARTS)
    ]

    def part(task: int) -> None:
        i, first, last = tasks[task]
        source, target = geometry.view(coefficients, i), geometry.view(quantized, i)
        quantize(source[first:last], tables[i], rounding, target[first:last])

    (Crew(1) if crew is None else crew).each(part, len(tasks))
    return quantized
