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
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from . import markers, scan
from .coded import Coded
from .coefficients import Geometry
from .errors import JpegFormatError, JpegLimitError, JpegUnsupportedError
from .header import (
    MAX_METADATA,
    Data,
    Header,
    Stream,
    check_limits,
    header_of,
    lets_go,
    open_stream,
    view_of,
)
from .huffman import DecodingTables, decoding_tables
from .markers import Frame, ScanHeader, Segment
from .painting import (
    MODELS,
    Picture,
    check_color,
    converted,
    is_converted,
    oriented,
    paint,
    paint_lossless,
    painting,
)
from .scans import MAX_SCANS, LosslessScans, Scans, Tally, used_tables
from .strips import CALL_PIXELS, Layout, Rows, decode_strips, new_picture
from .threaded import Threaded
from .threads import Crew, check_threads, useful_threads
from .windows import Window, decode_part, window_of

#: Largest picture that is decoded unless the caller allows more: Pillow's limit.
MAX_PIXELS = 178_956_970

#: Bits a sample of each process that can be decoded, by number of its SOF marker.
PRECISIONS = {0: (8,), 1: (8, 12), 2: (8, 12), 3: tuple(range(2, 17)), 9: (8, 12), 10: (8, 12)}

#: Below that many pixels a thread, starting it costs more than it saves.
THREAD_PIXELS = 1 << 19

#: What stands before the scan is remembered up to this size; only metadata make it larger.
LARGEST_HEAD = 4096


@lets_go
def decode(
    data: Data,
    *,
    color: str | None = None,
    tables: Data | None = None,
    scale: int = 1,
    region: tuple[int, int, int, int] | None = None,
    apply_orientation: bool = False,
    out: Picture | None = None,
    threads: int | None = 1,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
    max_metadata: int = MAX_METADATA,
) -> Picture:
    """Decode a JPEG to pixels.

    Sequential and progressive files with Huffman or arithmetic codes, of 8 or 12 bits a sample, and
    lossless ones of 2 to 16 bits with Huffman codes; of one to four components, with any sampling
    factors, in one scan or several. Anything else is refused by name. Pixels are equal to those of
    libjpeg-turbo (accurate inverse DCT, triangle upsampling, smoothing between the blocks of
    progressive files whose scans stop early).

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
    scale : int
        2, 4 or 8 for a picture of a half, a quarter or an eighth of the size, by smaller inverse
        transforms, which lossless files have not.
    region : (x, y, width, height), optional
        The part of the picture that is wanted, in pixels of the stored picture at its `scale`; the
        rest is not reconstructed. What is not needed for it is not looked at: of a file with one
        sequential scan of 8 bits, nothing behind the part's last row, and no restart interval
        before it. Damage there goes unnoticed.
    apply_orientation : bool
        Turn the picture upright, if its Exif data say how. By default it is left as it is stored.
    out : array, optional
        Where to put the pixels, and what is returned then; of the right shape. If it is
        C-contiguous, and nothing is to be converted or turned, they are decoded straight into it.
        What it holds after an exception is not said.
    threads : int or None
        How many threads may work on this picture; None for all useful cores. Small pictures never
        use more than one.
    max_pixels : int
        Pictures with more are refused before any memory is allocated.
    max_scans : int
        Files with more scans are refused when that is noticed; and those whose scans go over the
        picture so often that they could be meant to keep a decoder busy.
    max_metadata : int
        Files with more bytes of APPn and COM segments are refused when that is noticed; none of
        them has been copied then.

    Returns
    -------
    (h, w), (h, w, 3) or (h, w, 4) uint8 or uint16 array
        Grey; RGB in sRGB's usual meaning; or CMYK, 0 being no ink. Files of two components give
        (h, w, 2), as they are. Samples of more than 8 bits are uint16, below ``2**precision``.

    Raises
    ------
    JpegFormatError
        If the data break the standard, or entropy-coded data are missing.
    JpegUnsupportedError
        If they use a feature that this version cannot decode.
    JpegLimitError
        If the picture is larger than `max_pixels`, or has more scans than `max_scans` or more
        metadata than `max_metadata`.
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
    check_color(color)
    check_limits(max_pixels, max_scans, max_metadata)
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    size = markers.head_size(view)
    job = None
    if 0 < size <= LARGEST_HEAD and other is None:
        job = _remembered(bytes(view[:size]), max_pixels, max_metadata)
    if job is None:
        job = _prepare(view, other, max_pixels, max_metadata)
    pixels = job.frame.width * job.frame.height
    window = job.whole if region is None and scale == 1 else window_of(job.geometry, region, scale)
    job.check(window, color)
    orientation = job.orientation if apply_orientation else 1
    target = None
    if out is not None:
        _check_out(out, *job.kind_of_picture(window, color, orientation))
        if out.flags.carray and orientation == 1 and not is_converted(job.model, color):
            target = np.asarray(out)
    if job.single is not None and not (window.whole and scale == 1):
        kind = job.painting(color)
        picture, coded = decode_part(view, job.geometry, job.single, window, kind, target)
        if window.whole:
            _to_end(Stream(view, coded.end, job.frame, max_metadata=max_metadata))
    else:
        with Crew(useful_threads(threads, pixels // THREAD_PIXELS)) as crew:
            if job.single is not None:
                kind = job.painting(color)
                picture, position = _decode_single(view, job, job.single, kind, crew, target)
                if bytes(view[position : position + 2]) != b"\xff\xd9":  # EOI, nearly always
                    _to_end(Stream(view, position, job.frame, max_metadata=max_metadata))
            else:
                stream = open_stream(view, other, max_metadata)
                sos = stream.to_scan()
                picture, _ = _stored(stream, sos, job, color, window, max_scans, None, crew, target)
    picture = converted(picture, job.model, color, job.frame.precision)
    if orientation != 1:
        picture = oriented(picture, orientation)
    if out is None:
        return picture
    if picture is not target:
        out[...] = picture
    return out


def _check_out(out: object, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Refuse what the pixels cannot be put into."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is an array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out is to be {shape} {np.dtype(dtype)}; this one is {out.shape} {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is to be writable; this one is not")


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


@lets_go
def decode_partial(
    data: Data,
    *,
    color: str | None = None,
    tables: Data | None = None,
    threads: int | None = 1,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
    max_metadata: int = MAX_METADATA,
) -> tuple[Picture, Report]:
    """Decode what can be had of a damaged JPEG.

    Behind an error in entropy-coded data decoding goes on at the next restart marker. Where nothing
    came, the picture is grey. A Huffman-coded file that breaks off, or lacks restart intervals,
    looks as libjpeg-turbo shows it (which makes an MCU of zeros first where an interval is lost),
    but for the MCU in which it breaks off, and for the rest of that line of a lossless file. Where
    arithmetic-coded data end early, or bits are no code (as in a scan that refines what an interval
    lost before was to bring), libjpeg-turbo goes on with what they happen to say; here nothing is
    taken from them up to the next marker.

    Parameters
    ----------
    data, color, tables, threads, max_pixels, max_scans, max_metadata
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
    check_color(color)
    check_limits(max_pixels, max_scans, max_metadata)
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    job = _prepare(view, other, max_pixels, max_metadata)
    job.check(job.whole, color)
    stream = open_stream(view, other, max_metadata)
    problems: list[JpegFormatError] = []
    pixels = job.frame.width * job.frame.height
    with Crew(useful_threads(threads, pixels // THREAD_PIXELS)) as crew:
        sos = stream.to_scan()
        picture, tally = _stored(stream, sos, job, color, job.whole, max_scans, problems, crew)
    return converted(picture, job.model, color, job.frame.precision), Report(
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


@lets_go
def decode_coefficients(
    data: Data,
    *,
    tables: Data | None = None,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
    max_metadata: int = MAX_METADATA,
) -> Coefficients:
    """Decode a JPEG to its quantized DCT coefficients.

    Parameters
    ----------
    data, tables, max_pixels, max_scans, max_metadata
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
    >>> luma.shape, int(luma.any(axis=(0, 1)).sum())
    ((3, 4, 8, 8), 1)
    """
    check_limits(max_pixels, max_scans, max_metadata)
    view = view_of(data)
    other = None if tables is None else view_of(tables)
    job = _prepare(view, other, max_pixels, max_metadata)
    stream = open_stream(view, other, max_metadata)
    sos = stream.to_scan()
    if job.frame.sof == 3:
        raise job.unsupported("a lossless picture has samples, and no coefficients")
    header = header_of(stream, data)
    scans = Scans(stream, sos, max_scans, None, Crew(1))
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
    offset : int
        Of the frame header, in bytes.
    model : str
        What the components mean, as in :class:`Header`.
    inverted : bool
        Whether CMYK is stored as Adobe's programs do: 255 is no ink.
    orientation : int
        Of Exif, 1 to 8.
    geometry : Geometry
    single : Single or None
        The scan, if it is a sequential one of 8 bits that holds the whole picture.
    """

    frame: Frame
    offset: int
    model: str
    inverted: bool
    orientation: int
    geometry: Geometry
    single: Single | None

    @cached_property
    def whole(self) -> Window:
        """All of the picture, at its size."""
        return window_of(self.geometry, None, 1)

    def unsupported(self, what: str) -> JpegUnsupportedError:
        """An error that says where the frame header is."""
        return JpegUnsupportedError(what, offset=self.offset, marker=f"SOF{self.frame.sof}")

    def check(self, window: Window, color: str | None) -> None:
        """Refuse what a caller cannot have of this picture."""
        if self.frame.sof == 3 and window.denominator != 1:
            raise self.unsupported(
                "a lossless picture has no transform to be made smaller: scale=1"
            )
        if self.model not in MODELS and is_converted(self.model, color):
            raise self.unsupported(f'{self.model} cannot be converted to {color}, only be "stored"')

    def kind_of_picture(
        self, window: Window, color: str | None, orientation: int
    ) -> tuple[tuple[int, ...], npt.DTypeLike]:
        """Shape and samples of the array that a caller gets."""
        height, width = window.height, window.width
        if orientation >= 5:
            height, width = width, height
        channels = len(self.frame.components)
        if color not in (None, "stored"):
            channels = 1 if color == "grey" else 3
        shape = (height, width, channels)[: 2 if channels == 1 else 3]
        return shape, np.uint8 if self.frame.precision <= 8 else np.uint16

    def painting(self, color: str | None) -> int:
        """How the picture is painted."""
        return painting(len(self.frame.components), self.model, self.inverted, color)


@lru_cache(maxsize=16)
def _remembered(head: bytes, max_pixels: int, max_metadata: int) -> Job | None:
    """What :func:`_prepare` makes of a head, remembered; None if the height is not there.

    Many pictures of one kind have the same head; to read it and to build its tables would take
    longer than to decode them.
    """
    stream = open_stream(memoryview(head), None, max_metadata)
    sos = stream.to_scan()
    if stream.frame is not None and stream.frame.height == 0:
        return None
    return _job(stream, sos, max_pixels)


def _prepare(
    data: memoryview,
    tables: memoryview | None,
    max_pixels: int = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
) -> Job:
    """Read everything up to the first scan, and see that this version can decode it.

    No memory for the picture is allocated yet.
    """
    stream = open_stream(data, tables, max_metadata)
    return _job(stream, stream.to_scan(), max_pixels)


def _job(stream: Stream, sos: Segment, max_pixels: int) -> Job:
    """What a stream has told up to its first scan."""
    frame, segment = stream.frame, stream.frame_segment
    assert frame is not None and segment is not None

    def unsupported(what: str) -> JpegUnsupportedError:
        return JpegUnsupportedError(what, offset=segment.offset, marker=segment.name)

    if frame.sof not in PRECISIONS:
        raise markers.unsupported_frame(frame, segment)
    if frame.precision not in PRECISIONS[frame.sof]:
        bits = " or ".join(map(str, PRECISIONS[frame.sof])) if frame.sof != 3 else "2 to 16"
        raise segment.error(f"{frame.process} has {bits} bits a sample, not {frame.precision}")
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
    model = stream.color_model()
    orientation = stream.metadata().orientation
    return Job(frame, segment.offset, model.name, model.inverted, orientation, geometry, single)


def _single(stream: Stream, sos: Segment, header: ScanHeader, geometry: Geometry) -> Single | None:
    """The first scan, if it is a sequential one of 8 bits and of the whole picture."""
    frame = stream.frame
    assert frame is not None
    if frame.sof > 1 or frame.precision != 8:
        return None
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
    slots = {int(slot) for slot in plan[:, [scan.DC_SLOT, scan.AC_SLOT]].ravel()}
    qtables = np.array([stream.qtables[c.table].reshape(64) for c in frame.components], np.int32)
    layout = Layout(geometry)
    return Single(
        sos.end, stream.restart_interval, layout, layout.chunk_plan(plan),
        decoding_tables(used_tables(stream, sos, slots)), qtables,
    )  # fmt: skip


def _decode_single(
    view: memoryview,
    job: Job,
    single: Single,
    kind: int,
    crew: Crew,
    out: npt.NDArray[np.uint8] | None,
) -> tuple[npt.NDArray[np.uint8], int]:
    """Pixels of the one scan, and the offset of the marker that ends it."""
    geometry, restart = job.geometry, single.restart_interval
    mcus = geometry.mcus
    intervals = -(-mcus // restart) if restart else 1
    coded = Coded(view, single.start, intervals)
    if error := coded.misnumbered():
        raise error
    height, width = geometry.height, geometry.width
    if out is None:
        out, painted = new_picture(height, width, len(geometry.planes), kind)
    else:
        painted = Rows.of(out, 0, height)
    if len(crew) > 1 and coded.found >= intervals:
        threaded = Threaded(
            coded.plain, coded.ends[:intervals], restart, geometry, single.plan, single.tables,
            single.qtables, kind, out.reshape(-1), crew,
        )  # fmt: skip
        if threaded.run():
            return out, coded.end
    layout = single.layout
    reader = np.zeros(scan.READER_FIELDS, np.int64)
    there = min(mcus, coded.found * restart) if restart else mcus
    coefficients = np.zeros(64 * layout.blocks, np.int16)
    extents, samples = np.zeros(layout.blocks, np.uint8), np.empty(layout.samples, np.uint8)
    rows, status = max(1, CALL_PIXELS // (8 * geometry.v_max * width)), scan.OK
    for first in range(0, geometry.mcus_down, rows):
        status = decode_strips(
            first, min(first + rows, geometry.mcus_down), coded.plain, coded.ends, restart, there,
            single.plan, geometry.mcus_across, geometry.mcus_down, scan.PLACES, *single.tables,
            reader, coefficients, extents, single.qtables, layout.fields, samples,
            height, width, kind, painted.out, painted.middle, painted.tail,
        )  # fmt: skip
        if status != scan.OK:
            break
    if status != scan.OK:
        raise coded.broken(status, reader, mcus, int(reader[scan.INTERVAL]))
    if error := coded.incomplete():
        raise error
    painted.finish()
    return out, coded.end


def _stored(
    stream: Stream,
    sos: Segment,
    job: Job,
    color: str | None,
    window: Window,
    max_scans: int,
    problems: list[JpegFormatError] | None,
    crew: Crew,
    out: Picture | None = None,
) -> tuple[Picture, Tally]:
    """Pixels by way of all coefficients, or all samples, of the picture."""
    kind = job.painting(color)
    if job.frame.sof == 3:
        samples = LosslessScans(stream, sos, max_scans, problems, crew)
        return paint_lossless(samples, kind, window, out), samples.tally
    scans = Scans(stream, sos, max_scans, problems, crew)
    return paint(scans, kind, crew, window, out), scans.tally


def _to_end(stream: Stream) -> None:
    """Walk to EOI; a second scan has no place behind a complete one."""
    while True:
        if stream.is_over:
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
