"""The decoder: from bytes to pixels (T.81 clause 7.2 and Annex E.2), in plain Python over the
stages.

::

    bytes ─ markers ─ bitio.destuff ─┬─ strips (scan ─ dct ─ sampling ─ color) ──────────── pixels
                                     └─ scans ─ stored coefficients ─ dct ─ sampling ─ color ─┘

The upper way is for files with one sequential scan: nothing but strips of the picture is ever kept.
All others take the lower one. Pixels are equal to those of libjpeg-turbo in its default settings,
because every stage rounds as it does.

:func:`decode` raises when entropy-coded data are missing or wrong; :func:`decode_partial` returns
what can be had, and says what was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from . import markers, scan, strips
from .coded import Coded
from .coefficients import Geometry
from .color import cmyk_to_rgb, rgb_to_ycbcr
from .errors import JpegFormatError, JpegLimitError, JpegUnsupportedError
from .header import Data, Header, Stream, color_model, header_of, open_stream, view_of
from .huffman import DecodingTables, decoding_tables
from .markers import Frame, ScanHeader, Segment
from .scans import MAX_SCANS, Scans, used_tables
from .stretches import Rounds
from .strips import SLACK, Layout, decode_strips, empty_picture, finish_strips, shaped
from .threads import Crew, check_threads, useful_threads

#: Largest picture that is decoded unless the caller allows more: Pillow's limit.
MAX_PIXELS = 178_956_970

#: Pixels that are decoded in one go: in between, a call can be interrupted.
CALL_PIXELS = 1 << 22

#: Below that many pixels a thread, starting it costs more than it saves.
THREAD_PIXELS = 1 << 19

#: What stands before the scan is remembered up to this size; only metadata make it larger.
LARGEST_HEAD = 4096


def decode(
    data: Data,
    *,
    color: str | None = None,
    tables: Data | None = None,
    out: npt.NDArray[np.uint8] | None = None,
    threads: int | None = 1,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG to pixels.

    Sequential files with Huffman codes and 8 bits a sample, of one to four components, with any
    sampling factors, in one scan or several; anything else is refused by name. Pixels are equal to
    those of libjpeg-turbo (accurate inverse DCT, triangle upsampling).

    Parameters
    ----------
    data : bytes, buffer or binary file
        A whole JPEG. What follows its end is not looked at.
    color : str, optional
        ``"RGB"``, ``"grey"`` or ``"YCbCr"``, to which other models are converted (CMYK without a
        profile, so that colours are approximate); ``"stored"`` for the components as they are, only
        upsampled. By default grey, RGB or CMYK, whatever the file is.
    tables : bytes, buffer or binary file, optional
        A stream of tables, for files that come without theirs (T.81 B.5).
    out : uint8 array, optional
        Where to put the pixels, and what is returned then; of the right shape.
    threads : int or None
        How many threads may work on this picture; None for all useful cores. Small pictures never
        use more than one.
    max_pixels : int
        Pictures with more are refused before any memory is allocated.
    max_scans : int
        Files with more scans are refused when that is noticed.

    Returns
    -------
    (h, w), (h, w, 3) or (h, w, 4) uint8 array
        Grey; RGB in sRGB's usual meaning; or CMYK, 0 being no ink. Files of two components give
        (h, w, 2), as they are.

    Raises
    ------
    JpegFormatError
        If the data break the standard, or entropy-coded data are missing.
    JpegUnsupportedError
        If they use a feature that this version cannot decode.
    JpegLimitError
        If the picture is larger than `max_pixels`, or has more scans than `max_scans`.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> data = pyjpegml.encode(np.full((20, 30), 77, np.uint8), quality=90)
    >>> pyjpegml.decode(data).shape, int(pyjpegml.decode(data).mean())
    ((20, 30), 77)
    """
    check_threads(threads)
    _check_color(color)
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    size = markers.head_size(view)
    job = None
    if 0 < size <= LARGEST_HEAD and other is None:
        job = _remembered(bytes(view[:size]), max_pixels)
    if job is None:
        job = _prepare(view, other, max_pixels)
    pixels = job.frame.width * job.frame.height
    painting = _painting(job, color)
    with Crew(useful_threads(threads, pixels // THREAD_PIXELS)) as crew:
        if job.single is not None:
            picture, position = _decode_single(view, job, job.single, painting, crew)
            _to_end(Stream(view, position, job.frame))
        else:
            stream = open_stream(view, other)
            picture = _paint(Scans(stream, stream.to_scan(), max_scans), painting, crew)
    picture = _converted(picture, job.model, color)
    if out is None:
        return picture
    if out.shape != picture.shape or out.dtype != picture.dtype:
        raise ValueError(
            f"out is to be {picture.shape} {picture.dtype}; this one is {out.shape} {out.dtype}"
        )
    out[...] = picture
    return out


@dataclass(frozen=True)
class Report:
    """What :func:`decode_partial` found.

    Attributes
    ----------
    problems : tuple of JpegFormatError
        What is wrong with entropy-coded data, and at which byte; empty if nothing is.
    warnings : tuple of str
        What is not as it should be, but does no harm to the pixels.
    mcus : int
        MCUs of all scans that there are.
    sound_mcus : int
        How many of them were decoded without a problem.
    """

    problems: tuple[JpegFormatError, ...]
    warnings: tuple[str, ...]
    mcus: int
    sound_mcus: int

    @property
    def complete(self) -> bool:
        """Whether all that was found is sound."""
        return not self.problems


def decode_partial(
    data: Data,
    *,
    color: str | None = None,
    tables: Data | None = None,
    threads: int | None = 1,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
) -> tuple[npt.NDArray[np.uint8], Report]:
    """Decode what can be had of a damaged JPEG.

    Behind an error in entropy-coded data decoding goes on at the next restart marker. Where nothing
    came, the picture is grey.

    Parameters
    ----------
    data, color, tables, threads, max_pixels, max_scans
        As for :func:`decode`.

    Returns
    -------
    picture : array
        As :func:`decode` returns it.
    report : Report

    Raises
    ------
    JpegError
        As :func:`decode`, if there is no frame header or no scan, or its parameters or tables are
        missing or wrong, so that no pixel can be told.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> data = pyjpegml.encode(np.full((20, 30), 77, np.uint8), quality=90)
    >>> picture, report = pyjpegml.decode_partial(data[:-5])
    >>> picture.shape, report.complete, report.sound_mcus < report.mcus
    ((20, 30), False, True)
    """
    check_threads(threads)
    _check_color(color)
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    job = _prepare(view, other, max_pixels)
    stream = open_stream(view, other)
    problems: list[JpegFormatError] = []
    scans = Scans(stream, stream.to_scan(), max_scans, problems)
    pixels = job.frame.width * job.frame.height
    with Crew(useful_threads(threads, pixels // THREAD_PIXELS)) as crew:
        picture = _paint(scans, _painting(job, color), crew)
    tally = scans.tally
    return _converted(picture, job.model, color), Report(
        tuple(problems), tuple(stream.warnings), tally.mcus, tally.sound
    )


@dataclass(frozen=True)
class Coefficients:
    """The quantized coefficients of a picture: what a JPEG holds, nothing lost.

    Attributes
    ----------
    components : list of (down, across, 8, 8) int16
        Blocks of each component, rows of blocks first; frequencies in natural order: [v, u].
    qtables : list of (8, 8) uint16
        Of each component.
    header : Header
    """

    components: list[npt.NDArray[np.int16]]
    qtables: list[npt.NDArray[np.uint16]]
    header: Header


def decode_coefficients(
    data: Data,
    *,
    tables: Data | None = None,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
) -> Coefficients:
    """Decode a JPEG to its quantized DCT coefficients.

    Parameters
    ----------
    data, tables, max_pixels, max_scans
        As for :func:`decode`.

    Returns
    -------
    Coefficients

    Raises
    ------
    JpegError
        As :func:`decode`.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> data = pyjpegml.encode(np.full((20, 30), 77, np.uint8), quality=90)
    >>> (luma,) = pyjpegml.decode_coefficients(data).components
    >>> luma.shape, luma.any(axis=(0, 1)).sum()
    ((3, 4, 8, 8), 1)
    """
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    _prepare(view, other, max_pixels)
    stream = open_stream(view, other)
    sos = stream.to_scan()
    header = header_of(stream)
    scans = Scans(stream, sos, max_scans)
    components = []
    for i, plane in enumerate(scans.geometry.planes):
        blocks = scans.geometry.view(scans.coefficients, i)[: plane.down, : plane.across]
        components.append(blocks.reshape(plane.down, plane.across, 8, 8))
    return Coefficients(components, scans.component_qtables(), header)


@dataclass(frozen=True)
class Single:
    """A sequential scan that holds the whole picture.

    Attributes
    ----------
    start : int
        Offset of the entropy-coded data.
    restart_interval : int
        In MCUs; 0 for none.
    layout : Layout
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        For the layout's buffers.
    tables : DecodingTables
    qtables : (n, 64) int32
        Natural order.
    """

    start: int
    restart_interval: int
    layout: Layout
    plan: npt.NDArray[np.int64]
    tables: DecodingTables
    qtables: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Job:
    """All that a decoder knows when it comes to the first scan.

    Attributes
    ----------
    frame : Frame
    model : str
        What the components mean, as in :class:`Header`.
    inverted : bool
        Whether CMYK is stored as Adobe's programs do: 255 is no ink.
    geometry : Geometry
    single : Single or None
        The scan, if it holds the whole picture.
    """

    frame: Frame
    model: str
    inverted: bool
    geometry: Geometry
    single: Single | None


@lru_cache(maxsize=16)
def _remembered(head: bytes, max_pixels: int) -> Job | None:
    """What :func:`_prepare` makes of a head, remembered; None if the height is not there.

    Many pictures of one kind have the same head; to read it and to build its tables would take
    longer than to decode them.
    """
    stream = open_stream(memoryview(head))
    stream.to_scan()
    if stream.frame is not None and stream.frame.height == 0:
        return None
    return _prepare(memoryview(head), None, max_pixels)


def _prepare(data: memoryview, tables: memoryview | None, max_pixels: int) -> Job:
    """Read everything up to the first scan, and see that this version can decode it.

    No memory for the picture is allocated yet.
    """
    stream = open_stream(data, tables)
    sos = stream.to_scan()
    frame, segment = stream.frame, stream.frame_segment
    assert frame is not None and segment is not None

    def unsupported(what: str) -> JpegUnsupportedError:
        return JpegUnsupportedError(what, offset=segment.offset, marker=segment.name)

    if frame.sof not in (0, 1):
        raise markers.unsupported_frame(frame, segment)
    if frame.sof == 0 and frame.precision != 8:
        raise segment.error(f"baseline has 8 bits a sample, not {frame.precision}")
    if frame.precision != 8:
        raise unsupported(f"{frame.precision} bits a sample are not supported; 8 are")
    if frame.height == 0:
        raise segment.error("the height is 0, and there is no DNL segment behind the scan", 1)
    if frame.width * frame.height > max_pixels:
        raise JpegLimitError(
            f"{frame.width}x{frame.height} is {frame.width * frame.height} pixels; "
            f"max_pixels allows {max_pixels}",
            offset=segment.offset,
            marker=segment.name,
        )
    count = len(frame.components)
    if count > 4:
        raise unsupported(f"{count} components are not supported; 1 to 4 are")
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    single = _single(stream, sos, markers.parse_scan(sos), geometry)
    return Job(frame, color_model(stream), stream.adobe is not None, geometry, single)


COLORS = ("RGB", "grey", "YCbCr", "stored")


def _check_color(color: str | None) -> None:
    if color is not None and color not in COLORS:
        raise ValueError(f"color is one of {', '.join(COLORS)}, or None; not {color!r}")


def _painting(job: Job, color: str | None) -> int:
    """How the components are painted (:mod:`pyjpegml.strips`), before :func:`_converted`."""
    count = len(job.frame.components)
    if count == 1 or (color == "grey" and job.model == "YCbCr"):
        return strips.GREY
    if color == "stored" or (color == "YCbCr" and job.model == "YCbCr"):
        return {3: strips.RGB, 4: strips.CMYK}.get(count, strips.OTHER)
    if job.model == "CMYK":
        return strips.INVERTED_CMYK if job.inverted else strips.CMYK
    paintings = {"YCbCr": strips.YCBCR, "RGB": strips.RGB, "YCCK": strips.YCCK}
    return paintings.get(job.model, strips.OTHER)


def _converted(
    picture: npt.NDArray[np.uint8], model: str, color: str | None
) -> npt.NDArray[np.uint8]:
    """A painted picture in the colours that were asked for."""
    if color in (None, "stored") or color == model or (model == "YCbCr" and color != "RGB"):
        return picture
    if model == "grey":
        first, *others = (picture, picture, picture) if color == "RGB" else (picture, 128, 128)
        return np.stack(np.broadcast_arrays(first, *others), axis=-1).astype(np.uint8)
    if picture.ndim != 3 or picture.shape[2] == 2:
        raise JpegUnsupportedError(f'{model} cannot be converted to {color}; it can be "stored"')
    if picture.shape[2] == 4:
        picture = cmyk_to_rgb(picture)
    if color == "RGB":
        return picture
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    rgb = np.ascontiguousarray(picture).reshape(picture.shape[0], -1)
    rgb.flags.writeable = False
    rgb_to_ycbcr(rgb, *planes)
    return planes[0] if color == "grey" else np.moveaxis(planes, 0, 2)


def _single(stream: Stream, sos: Segment, header: ScanHeader, geometry: Geometry) -> Single | None:
    """The first scan, if it is a sequential one of the whole picture."""
    frame = stream.frame
    assert frame is not None
    if [c[0] for c in header.components] != [c.identifier for c in frame.components]:
        return None
    if not geometry.whole_ratios:
        return None
    if len(geometry.planes) > 1 and sum(plane.h * plane.v for plane in geometry.planes) > 10:
        raise sos.error("an MCU has more than 10 blocks")  # T.81 B.2.3
    plan = geometry.scan_plan([(dc, ac) for _, dc, ac in header.components])
    for component in frame.components:
        if component.table not in stream.qtables:
            raise sos.error(f"quantization table {component.table} is used, but not defined")
    qtables = np.array([stream.qtables[c.table].reshape(64) for c in frame.components], np.int32)
    layout = Layout(geometry)
    return Single(
        sos.end, stream.restart_interval, layout, layout.chunk_plan(plan),
        decoding_tables(used_tables(stream, sos, plan)), qtables,
    )  # fmt: skip


def _decode_single(
    view: memoryview, job: Job, single: Single, painting: int, crew: Crew
) -> tuple[npt.NDArray[np.uint8], int]:
    """Pixels of the one scan, and the offset of the marker that ends it."""
    geometry, restart = job.geometry, single.restart_interval
    mcus = geometry.mcus
    intervals = -(-mcus // restart) if restart else 1
    coded = Coded(view, single.start, intervals)
    if error := coded.misnumbered():
        raise error
    out = empty_picture(geometry, painting)
    if len(crew) > 1 and coded.found == intervals:
        rounds = Rounds(
            coded.plain, coded.ends, restart, geometry, single.plan, single.tables, single.qtables,
            painting, out, crew,
        )  # fmt: skip
        if rounds.run():
            return shaped(out, geometry), coded.end
    layout = single.layout
    reader = np.zeros(scan.READER_FIELDS, np.int64)
    there = min(mcus, coded.found * restart) if restart else mcus
    coefficients = np.zeros(64 * layout.blocks, np.int16)
    extents, samples = np.zeros(layout.blocks, np.uint8), np.empty(layout.samples, np.uint8)
    rows, status = max(1, CALL_PIXELS // (8 * geometry.v_max * geometry.width)), scan.OK
    for first in range(0, geometry.mcus_down, rows):
        status = decode_strips(
            first, min(first + rows, geometry.mcus_down), coded.plain, coded.ends, restart, there,
            single.plan, geometry.mcus_across, geometry.mcus_down, scan.PLACES, *single.tables,
            reader, coefficients, extents, single.qtables, layout.fields, samples,
            geometry.height, geometry.width, painting, out,
        )  # fmt: skip
        if status != scan.OK:
            break
    if status != scan.OK:
        raise coded.broken(status, reader, mcus, int(reader[scan.INTERVAL]))
    if error := coded.miscounted():
        raise error
    return shaped(out, geometry), coded.end


def _paint(scans: Scans, color: int, crew: Crew) -> npt.NDArray[np.uint8]:
    """Pixels of stored coefficients; each thread makes some rows of MCUs."""
    geometry = scans.geometry
    if not geometry.whole_ratios:
        return _paint_nearest(scans, color)
    out = empty_picture(geometry, color)
    line = (out.size - SLACK) // geometry.height
    stored = np.zeros((len(geometry.planes), strips.LAYOUT_FIELDS), np.int64)
    for fields, plane in zip(stored, geometry.planes, strict=True):
        fields[strips.BLOCKS], fields[strips.CHUNK_STRIDE] = plane.offset // 64, plane.stride
    qtables = np.array([table.reshape(64) for table in scans.component_qtables()], np.int32)
    layout = Layout(geometry)
    rows, strip = geometry.mcus_down, 8 * geometry.v_max

    def paint(k: int) -> None:
        first, last = (rows * i // len(crew) for i in (k, k + 1))
        top, bottom = strip * first, min(strip * last, geometry.height)
        # what is written beyond the last of these rows is another thread's
        middle = max(top, bottom - 1 - 63 // geometry.width)
        tail = np.empty((bottom - middle) * line + SLACK, np.uint8)
        extents = np.empty(geometry.size // 64, np.uint8)
        finish_strips(
            scans.coefficients, extents, qtables, stored, layout.fields,
            max(first - 1, 0), min(last + 1, rows), rows, np.empty(layout.samples, np.uint8),
            top, middle, bottom, geometry.height, geometry.width, color, out, tail,
        )  # fmt: skip
        out[middle * line : bottom * line] = tail[: (bottom - middle) * line]

    crew.all(paint)
    return shaped(out, geometry)


def _paint_nearest(scans: Scans, color: int) -> npt.NDArray[np.uint8]:
    """Pixels of components whose sizes are no whole parts of the picture's, such as 2 : 3 columns.

    No rule says how to make them; each pixel takes the sample that covers it.
    """
    geometry = scans.geometry
    full = Geometry(geometry.width, geometry.height, [(1, 1)] * len(geometry.planes))
    planes = geometry.reconstruct(scans.coefficients, scans.component_qtables())
    y, x = np.arange(geometry.height), np.arange(geometry.width)
    whole = [
        plane[np.ix_(y * part.v // geometry.v_max, x * part.h // geometry.h_max)]
        for plane, part in zip(planes, geometry.planes, strict=True)
    ]
    return strips.picture(full, whole, color)


def _to_end(stream: Stream) -> None:
    """Walk to EOI; a second scan has no place behind a complete one."""
    while True:
        if stream.position >= len(stream.data):
            stream.warnings.append("the data end without an EOI marker")
            return
        try:
            segment = stream.next()
        except JpegFormatError as error:
            stream.warnings.append(f"behind the last scan: {error}")
            return
        if segment.code == markers.EOI:
            return
        if segment.code == markers.SOS:
            raise segment.error("a second scan of components that have had one")
