"""The decoder: from bytes to pixels (T.81 clause 7.2 and Annex E.2), in plain Python over the
stages.

::

    bytes ─ markers ─ bitio.destuff ─ strips (scan ─ dct ─ sampling ─ color) ─ pixels

:func:`read_header` walks the segments up to the first scan; :func:`decode` goes on. Pixels are
equal to those of libjpeg-turbo in its default settings, because every stage rounds as it does.

Warnings, which are about things that do no harm to the pixels, are collected in the stream's list.
The :class:`Header` shows those up to the first scan as ``warnings``; nothing is printed, and there
are no global switches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from . import bitio, markers, scan
from .coefficients import Geometry
from .errors import JpegFormatError, JpegLimitError, JpegUnsupportedError
from .huffman import AC, DecodingTables, HuffmanTable, decoding_tables
from .markers import Frame, ScanHeader, Segment
from .quantize import estimated_quality
from .stretches import Rounds
from .strips import (
    COLORS,
    Layout,
    decode_strips,
    empty_picture,
    shaped,
)
from .threads import Crew, check_threads, useful_threads

Buffer = bytes | bytearray | memoryview

#: Largest picture that is decoded unless the caller allows more: Pillow's limit.
MAX_PIXELS = 178_956_970

#: Below that many pixels a thread, starting it costs more than it saves.
THREAD_PIXELS = 1 << 19

#: What stands before the scan is remembered up to this size; only metadata make it larger.
LARGEST_HEAD = 4096

SUBSAMPLINGS = {
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
}
"""Sampling factors (H, V) of Y, Cb, Cr by the usual name."""


@dataclass(frozen=True)
class Header:
    """What a file says about its picture before the first scan.

    Attributes
    ----------
    width, height : int
        In pixels; a height of 0 is only known behind the first scan (DNL).
    process : str
        Coding process, such as ``"baseline"`` or ``"progressive"`` (T.81 Table B.1).
    precision : int
        Bits of a sample.
    components : tuple of markers.FrameComponent
        Identifier, sampling factors and quantization table slot of each component.
    subsampling : str
        ``"4:2:0"`` and so on; ``"grey"`` for one component; else the factors, ``"2x2,1x2,1x1"``.
    color : str
        ``"grey"``, ``"YCbCr"``, ``"RGB"``, or ``"CMYK"`` or ``"YCCK"`` for four components.
    qtables : dict of int to (8, 8) uint16
        Quantization tables by slot, natural order.
    quality : int or None
        IJG quality nearest to the first component's table; None if that table is missing.
    quality_exact : bool
        Whether that table is exactly the one of this quality.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    jfif : bool
        Whether there is a JFIF marker.
    adobe_transform : int or None
        Colour transform in an Adobe marker.
    comments : tuple of bytes
    warnings : tuple of str
        What is not as it should be, but does no harm to the pixels.
    """

    width: int
    height: int
    process: str
    precision: int
    components: tuple[markers.FrameComponent, ...]
    subsampling: str
    color: str
    qtables: dict[int, npt.NDArray[np.uint16]]
    quality: int | None
    quality_exact: bool
    restart_interval: int
    jfif: bool
    adobe_transform: int | None
    comments: tuple[bytes, ...]
    warnings: tuple[str, ...]


@dataclass
class Stream:
    """State of a decoder that walks along a stream: the tables that are valid now (T.81 E.2.2)."""

    data: memoryview
    position: int = 0
    frame: Frame | None = None
    frame_segment: Segment | None = None
    qtables: dict[int, npt.NDArray[np.uint16]] = field(default_factory=dict)
    huffman_tables: dict[int, HuffmanTable] = field(default_factory=dict)
    restart_interval: int = 0
    jfif: bool = False
    adobe: int | None = None
    comments: list[bytes] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def next(self) -> Segment:
        """The next segment, its tables taken over (T.81 Figure E.6, E.7)."""
        segment = markers.next_segment(self.data, self.position, self.warnings)
        self.position = segment.end
        code = segment.code
        if code == markers.DQT:
            self.qtables.update(markers.parse_qtables(segment))
        elif code == markers.DHT:
            self.huffman_tables.update(markers.parse_huffman_tables(segment))
        elif code == markers.DRI:
            self.restart_interval = markers.parse_restart_interval(segment)
        elif markers.is_frame(code):
            if self.frame is not None:
                raise segment.error("there is a second frame header; one is allowed")
            self.frame = markers.parse_frame(segment)
            self.frame_segment = segment
        elif code == markers.COM:
            self.comments.append(bytes(segment.payload))
        elif code == markers.SOI:
            raise JpegFormatError("a second start of image", offset=segment.offset, marker="SOI")
        elif 0xD0 <= code <= 0xD7:
            self.warnings.append(f"{segment.name} outside of a scan, at byte {segment.offset}")
        elif markers.is_jfif(segment):
            self.jfif = True
        elif (transform := markers.adobe_transform(segment)) is not None:
            self.adobe = transform
        return segment

    def to_scan(self) -> Segment:
        """Walk to the next SOS segment and return it; the frame is known then."""
        while True:
            segment = self.next()
            if segment.code == markers.EOI:
                raise JpegFormatError(
                    "the image ends before a scan", offset=segment.offset, marker="EOI"
                )
            if segment.code == markers.SOS:
                if self.frame is None:
                    raise JpegFormatError(
                        "a scan before the frame header", offset=segment.offset, marker="SOS"
                    )
                return segment


def _view(data: Buffer) -> memoryview:
    """The bytes of what a caller gave."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"JPEG data are bytes, bytearray or memoryview, not {type(data).__name__}")
    return memoryview(data).cast("B").toreadonly()


def _open(data: Buffer) -> Stream:
    """A stream behind its SOI marker."""
    view = _view(data)
    if bytes(view[:2]) != b"\xff\xd8":
        found = bytes(view[:4]).hex(" ") or "nothing"
        raise JpegFormatError(
            f"not a JPEG: it should start with ff d8, and starts with {found}", offset=0
        )
    return Stream(view, position=2)


def _color(stream: Stream) -> str:
    """What the components mean. A JFIF marker beats Adobe's; without either, identifiers tell."""
    assert stream.frame is not None
    identifiers = tuple(c.identifier for c in stream.frame.components)
    count = len(identifiers)
    if count == 1:
        return "grey"
    if count == 3:
        if stream.jfif:
            return "YCbCr"
        if stream.adobe is not None:
            return "RGB" if stream.adobe == 0 else "YCbCr"
        lossless = stream.frame.sof in (3, 7, 11, 15)
        return "RGB" if lossless or identifiers == (0x52, 0x47, 0x42) else "YCbCr"
    if count == 4:
        return "YCCK" if stream.adobe == 2 else "CMYK"
    return f"{count} components"


def _subsampling(frame: Frame) -> str:
    """The usual name of the sampling factors, or the factors."""
    if len(frame.components) == 1:
        return "grey"
    h_max = max(c.h for c in frame.components)
    v_max = max(c.v for c in frame.components)
    if len(frame.components) == 3 and all(
        h_max % c.h == 0 == v_max % c.v for c in frame.components
    ):
        ratios = tuple((h_max // c.h, v_max // c.v) for c in frame.components)
        if ratios[0] == (1, 1) and ratios[1] == ratios[2]:
            names = {
                (1, 1): "4:4:4",
                (2, 1): "4:2:2",
                (2, 2): "4:2:0",
                (1, 2): "4:4:0",
                (4, 1): "4:1:1",
            }
            if ratios[1] in names:
                return names[ratios[1]]
    return ",".join(f"{c.h}x{c.v}" for c in frame.components)


def _header(stream: Stream) -> Header:
    frame = stream.frame
    assert frame is not None
    table = stream.qtables.get(frame.components[0].table)
    quality, exact = (None, False) if table is None else estimated_quality(table)
    return Header(
        width=frame.width,
        height=frame.height,
        process=frame.process,
        precision=frame.precision,
        components=frame.components,
        subsampling=_subsampling(frame),
        color=_color(stream),
        qtables=dict(stream.qtables),
        quality=quality,
        quality_exact=exact,
        restart_interval=stream.restart_interval,
        jfif=stream.jfif,
        adobe_transform=stream.adobe,
        comments=tuple(stream.comments),
        warnings=tuple(stream.warnings),
    )


def read_header(data: Buffer) -> Header:
    """Read what a JPEG says about its picture, without decoding it.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        A whole JPEG, or its beginning up to the first scan.

    Returns
    -------
    Header
        Also for processes that this version cannot decode.

    Raises
    ------
    JpegFormatError
        If the data are no JPEG, or break off before the first scan.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> header = pyjpegml.read_header(pyjpegml.encode(np.zeros((40, 60, 3), np.uint8), quality=90))
    >>> header.width, header.height, header.process, header.subsampling, header.quality
    (60, 40, 'baseline', '4:2:0', 90)
    """
    stream = _open(data)
    stream.to_scan()
    return _header(stream)


def decode(
    data: Buffer, *, threads: int | None = 1, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG to pixels.

    Baseline files of one or three components with 4:4:4, 4:2:2, 4:2:0 or 4:4:0 sampling in one
    interleaved scan; anything else is refused by name. Pixels are equal to those of libjpeg-turbo
    (accurate inverse DCT, triangle upsampling).

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        A whole JPEG. What follows its end is not looked at.
    threads : int or None
        How many threads may work on this picture; None for all useful cores. Small pictures never
        use more than one.
    max_pixels : int
        Pictures with more are refused before any memory is allocated.

    Returns
    -------
    (h, w) or (h, w, 3) uint8 array
        Grey, or RGB in sRGB's usual meaning; levels 0 to 255.

    Raises
    ------
    JpegFormatError
        If the data break the standard, or entropy-coded data are missing.
    JpegUnsupportedError
        If they use a feature that this version cannot decode.
    JpegLimitError
        If the picture is larger than `max_pixels`.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> data = pyjpegml.encode(np.full((20, 30), 77, np.uint8), quality=90)
    >>> pyjpegml.decode(data).shape, int(pyjpegml.decode(data).mean())
    ((20, 30), 77)
    """
    check_threads(threads)
    view = _view(data)
    size = markers.head_size(view)
    if 0 < size <= LARGEST_HEAD:
        job = _remembered(bytes(view[:size]), max_pixels)
    else:
        job = _prepare(view, max_pixels)
    size = job.frame.width * job.frame.height
    with Crew(useful_threads(threads, size // THREAD_PIXELS)) as crew:
        pixels, position = _decode_scan(view, job, crew)
    _to_end(Stream(view, position, job.frame))
    return pixels


@dataclass(frozen=True)
class Job:
    """All that a decoder knows when it comes to the data of the scan.

    Attributes
    ----------
    frame : Frame
    start : int
        Offset of the entropy-coded data.
    restart_interval : int
        In MCUs; 0 for none.
    color : str
        As in :class:`Header`.
    geometry : Geometry
    layout : Layout
    plan : (blocks of an MCU, PLAN_FIELDS) int64
        For the layout's buffers.
    tables : DecodingTables
    qtables : (n, 64) int32
        Natural order.
    """

    frame: Frame
    start: int
    restart_interval: int
    color: str
    geometry: Geometry
    layout: Layout
    plan: npt.NDArray[np.int64]
    tables: DecodingTables
    qtables: npt.NDArray[np.int32]


@lru_cache(maxsize=16)
def _remembered(head: bytes, max_pixels: int) -> Job:
    """What :func:`_prepare` makes of a head, remembered.

    Thumbnails and frames come in series from one encoder, and to parse their tables anew would take
    longer than to decode them.
    """
    return _prepare(memoryview(head), max_pixels)


def _prepare(data: memoryview, max_pixels: int) -> Job:
    """Read everything up to the first scan, and see that this version can decode it.

    No memory for the picture is allocated yet.
    """
    stream = _open(data)
    sos = stream.to_scan()
    frame = stream.frame
    assert frame is not None and stream.frame_segment is not None

    def unsupported(what: str) -> JpegUnsupportedError:
        return JpegUnsupportedError(what, offset=sos.offset, marker="SOS")

    if frame.sof != 0:
        raise markers.unsupported_frame(frame, stream.frame_segment)
    if frame.precision != 8:
        raise stream.frame_segment.error(f"baseline has 8 bits a sample, not {frame.precision}")
    if frame.height == 0:
        raise unsupported("a height that is defined behind the scan (DNL) is not supported")
    if frame.width * frame.height > max_pixels:
        raise JpegLimitError(
            f"{frame.width}x{frame.height} is {frame.width * frame.height} pixels; "
            f"max_pixels allows {max_pixels}",
            offset=stream.frame_segment.offset,
            marker=stream.frame_segment.name,
        )
    count = len(frame.components)
    if count not in (1, 3):
        raise unsupported(f"{count} components are not supported; 1 (grey) and 3 (YCbCr, RGB) are")
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    for plane in geometry.planes:
        if (
            geometry.h_max % plane.h
            or geometry.v_max % plane.v
            or (
                (geometry.h_max // plane.h, geometry.v_max // plane.v)
                not in ((1, 1), (2, 1), (2, 2), (1, 2))
            )
        ):
            raise unsupported(
                f"sampling {_subsampling(frame)} is not supported; each component may have all "
                "columns and rows, or half of either or both (4:4:4, 4:2:2, 4:2:0, 4:4:0)"
            )
    header: ScanHeader = markers.parse_scan(sos)
    if len(header.components) != count:
        raise unsupported(
            f"a scan of {len(header.components)} of {count} components is not supported; "
            "one interleaved scan is"
        )
    if [c[0] for c in header.components] != [c.identifier for c in frame.components]:
        raise sos.error("the components of the scan are not those of the frame, in its order")
    if sum(plane.h * plane.v for plane in geometry.planes) > 10:
        raise sos.error("an MCU has more than 10 blocks")  # T.81 B.2.3
    if (header.start, header.end, header.high, header.low) != (0, 63, 0, 0):
        stream.warnings.append("the scan header of a sequential scan should say 0, 63, 0, 0")
    if not stream.huffman_tables:
        raise unsupported("a stream without Huffman tables (as in Motion JPEG) is not supported")
    for component, (_, dc, ac) in zip(frame.components, header.components, strict=True):
        for slot, kind in ((dc, "DC"), (AC + ac, "AC")):
            if slot not in stream.huffman_tables:
                raise sos.error(f"{kind} Huffman table {slot % AC} is used, but not defined")
        if component.table not in stream.qtables:
            raise sos.error(f"quantization table {component.table} is used, but not defined")
    plan = geometry.scan_plan([(dc, ac) for _, dc, ac in header.components])
    qtables = np.array([stream.qtables[c.table].reshape(64) for c in frame.components], np.int32)
    layout = Layout(geometry)
    return Job(
        frame, sos.end, stream.restart_interval, _color(stream), geometry, layout,
        layout.chunk_plan(plan), decoding_tables(stream.huffman_tables), qtables,
    )  # fmt: skip


def _decode_scan(view: memoryview, job: Job, crew: Crew) -> tuple[npt.NDArray[np.uint8], int]:
    """Pixels of the interleaved scan, and the offset of the marker that ends it."""
    geometry, restart, start = job.geometry, job.restart_interval, job.start
    mcus = geometry.mcus
    intervals = -(-mcus // restart) if restart else 1
    data = np.frombuffer(view, np.uint8)
    plain = np.empty(data.size - start + bitio.PADDING, np.uint8)
    # no more intervals than asked for, and no more than the data can hold
    ends, numbers, offsets = np.empty((3, min(intervals, data.size - start) + 1), np.int64)
    found, position = bitio.destuff(data, start, plain, ends, numbers, offsets)

    def error(message: str, interval: int) -> JpegFormatError:
        return JpegFormatError(message, offset=int(offsets[min(interval, found - 1)]), marker="SOS")

    expected = np.arange(min(found, intervals) - 1) % 8
    for i in np.flatnonzero(numbers[: expected.size] != expected)[:1]:
        raise error(f"restart marker RST{numbers[i]} where RST{i % 8} should be", i)
    reader = np.zeros(scan.READER_FIELDS, np.int64)
    out = empty_picture(geometry, job.color)
    scan_data = (plain, ends, restart, min(mcus, found * restart) if restart else mcus)
    if len(crew) > 1 and found == intervals:
        rounds = Rounds(
            plain, ends[:found], restart, geometry, job.plan, job.tables, job.qtables,
            COLORS[job.color], out, crew,
        )  # fmt: skip
        if rounds.run():
            return shaped(out, geometry, job.color), position
    layout = job.layout
    status = decode_strips(
        *scan_data, job.plan, geometry.mcus_across, geometry.mcus_down, scan.PLACES,
        *job.tables, reader, np.zeros(64 * layout.blocks, np.int16),
        np.zeros(layout.blocks, np.uint8), job.qtables, layout.fields,
        np.empty(layout.samples, np.uint8), geometry.height, geometry.width,
        COLORS[job.color], out,
    )  # fmt: skip
    if status != scan.OK:
        what = {
            scan.ENDED_EARLY: "entropy-coded data end early",
            scan.BAD_CODE: "bits that are no Huffman code",
            scan.RUN_TOO_LONG: "a run of zeros goes beyond the block",
            scan.BAD_CATEGORY: "a DC category above 15",
        }[status]
        interval = int(reader[scan.INTERVAL])
        start, read = job.start, int(reader[scan.BIT]) // 8
        if interval > 0:
            start, read = int(offsets[interval - 1]) + 2, read - int(ends[interval - 1])
        raise JpegFormatError(
            f"{what}, in MCU {reader[scan.MCU]} of {mcus}",
            offset=_stuffed_offset(view, start, read),
            marker="SOS",
        )
    if found < intervals:
        raise error(f"{found} restart intervals where {intervals} should be", found - 1)
    if found > intervals:
        raise error(f"a restart marker behind the last of {intervals} intervals", intervals - 1)
    return shaped(out, geometry, job.color), position


def _stuffed_offset(data: memoryview, start: int, count: int) -> int:
    """Where in the file the `count`-th byte of an interval without its stuffing stands."""
    text = bytes(data[start : start + 2 * count])
    offset = count
    while (further := count + text.count(b"\xff\0", 0, offset)) > offset:
        offset = further
    return min(start + offset, len(data))


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
            raise JpegUnsupportedError(
                "more than one scan is not supported in a baseline file", offset=segment.offset
            )
