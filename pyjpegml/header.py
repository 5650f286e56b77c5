"""The head of a file: what it says about its picture before the first scan (T.81 Annex B).

:func:`read_header` walks the marker segments up to there. A :class:`Stream` is the state of such a
walk: which tables are valid now, and what was seen; the decoder takes one further, from scan to
scan.

*The caller's memory.* A ``bytearray`` cannot be resized, nor an ``mmap`` be closed, as long as
anything looks at it. So nothing does when a call is over: a :class:`Header` keeps the object itself
and looks at it when it is asked, and an exception keeps no variables of ours (:func:`lets_go`).

Warnings, which are about things that do no harm to the pixels, are collected in the stream's list;
nothing is printed, and there are no global switches.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt

from . import markers
from .errors import (
    JpegError,
    JpegFormatError,
    JpegLimitError,
    JpegUnsupportedError,
    without_calls,
)
from .huffman import HuffmanTable
from .markers import Frame, ScanHeader, Segment
from .metadata import ColorModel, Metadata, color_model
from .quantize import estimated_quality

#: What holds the bytes of a file; and what functions take as them: that, or what can be read.
Buffer = bytes | bytearray | memoryview | mmap
Data = Buffer | BinaryIO

P = ParamSpec("P")
T = TypeVar("T")

#: Most bytes of APPn and COM segments unless the caller allows more, and what each counts at least:
#: so much memory it takes, however short it is.
MAX_METADATA, LEAST_SEGMENT = 1 << 26, 1 << 9

SUBSAMPLINGS = {
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
    "4:1:1": ((4, 1), (1, 1), (1, 1)),
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
}
"""Sampling factors (H, V) of Y, Cb, Cr by the usual name."""


def lets_go(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose exceptions keep nothing of the data alive.

    A traceback holds the variables of all calls that it goes through, and so views of what was to
    be decoded. A :class:`JpegError` says what is wrong, and where in the data; its traceback begins
    here. Of other exceptions that callers expect the variables are cleared.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except JpegError as error:
            without_calls(error)
            raise
        except (TypeError, ValueError) as error:
            traceback.clear_frames(error.__traceback__)
            raise

    return wrapper


@dataclass(frozen=True)
class Header:
    """What a file says about its picture before the first scan.

    Attributes
    ----------
    width, height : int
        In pixels; a height of 0 is said nowhere in the data that were given.
    process : str
        Coding process, such as ``"baseline"`` or ``"progressive"`` (T.81 Table B.1).
    precision : int
        Bits of a sample.
    components : tuple of markers.FrameComponent
        Identifier, sampling factors and quantization table slot of each component.
    subsampling : str
        ``"4:2:0"`` and so on; ``"grey"`` for one component; else the factors, ``"2x2,1x2,1x1"``.
    color : str
        As :class:`pyjpegml.metadata.ColorModel` names it: ``"grey"``, ``"YCbCr"``, ``"RGB"``,
        ``"CMYK"``, ``"YCCK"`` or ``"2 components"``.
    qtables : dict of int to (8, 8) uint16
        Quantization tables by slot, natural order.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    huffman_tables : dict of int to HuffmanTable
        Huffman tables by slot, DC 0 to 3 and AC 4 to 7.
    stream_warnings : tuple of str
        What is not as it should be in the segments up to the first scan, without their metadata.
    data : bytes or buffer
        What was given; empty in a copy, or when it has been pickled. :attr:`metadata` and
        :attr:`scans` look at it when they are first asked for.
    places : tuple of (code, begin, end)
        Where the APPn and COM segments up to the first scan lie in it: from marker to end.
    """

    width: int
    height: int
    process: str
    precision: int
    components: tuple[markers.FrameComponent, ...]
    subsampling: str
    color: str
    qtables: dict[int, npt.NDArray[np.uint16]]
    huffman_tables: dict[int, HuffmanTable]
    restart_interval: int
    stream_warnings: tuple[str, ...]
    data: Buffer = field(repr=False, compare=False)
    places: tuple[tuple[int, int, int], ...] = field(repr=False)

    @cached_property
    def metadata(self) -> Metadata:
        """APPn and COM segments up to the first scan, byte for byte, and what they say.

        They are views of bytes that cannot change, and copies of any others.
        """
        view = view_of(self.data)
        found = Metadata.of(
            Segment(code, begin, view[begin + 4 : end], end) for code, begin, end in self.places
        )
        return found if isinstance(view.obj, bytes) else found.detached()

    def __getstate__(self) -> dict[str, Any]:
        """What a copy has: no data, but all that is found in them, if they are sound."""
        state = {**self.__dict__, "metadata": self.metadata.detached()}
        try:
            return {**state, "scans": self.scans, "data": b""}
        except JpegFormatError:
            return {**state, "data": bytes(view_of(self.data))}

    @cached_property
    @lets_go
    def scans(self) -> tuple[ScanHeader, ...]:
        """The header of each scan. To find them the whole file is gone through, when first asked.

        Raises
        ------
        JpegFormatError
            If a marker segment behind the first scan is broken.
        """
        found = (s for s in markers.segments(view_of(self.data)) if s.code == markers.SOS)
        return tuple(markers.parse_scan(segment) for segment in found)

    @property
    def quality(self) -> int | None:
        """IJG quality nearest to the first component's table; None if that table is missing."""
        return self._quality[0]

    @property
    def quality_exact(self) -> bool:
        """Whether that table is exactly the one of this quality."""
        return self._quality[1]

    @cached_property
    def _quality(self) -> tuple[int | None, bool]:
        table = self.qtables.get(self.components[0].table)
        return (None, False) if table is None else estimated_quality(table)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be, but does no harm to the pixels."""
        return *self.stream_warnings, *self.metadata.warnings

    @property
    def jfif(self) -> bool:
        """Whether there is a JFIF marker."""
        return self.metadata.jfif is not None

    @property
    def adobe_transform(self) -> int | None:
        """Colour transform in an Adobe marker."""
        return None if self.metadata.adobe is None else self.metadata.adobe.transform

    @property
    def comments(self) -> tuple[bytes, ...]:
        """What the COM segments hold."""
        return self.metadata.comments


@dataclass
class Stream:
    """State of a decoder that walks along a stream: the tables that are valid now (T.81 E.2.2)."""

    data: memoryview
    position: int = 0
    frame: Frame | None = None
    frame_segment: Segment | None = None
    qtables: dict[int, npt.NDArray[np.uint16]] = field(default_factory=dict)
    huffman_tables: dict[int, HuffmanTable] = field(default_factory=dict)
    conditioning: dict[int, int] = field(default_factory=dict)
    restart_interval: int = 0
    segments: list[Segment] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    max_metadata: int = MAX_METADATA
    metadata_size: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is left but, perhaps, the FF of a marker that was cut in half."""
        position = self.position
        while position < len(self.data) and self.data[position] == 0xFF:
            position += 1
        return position >= len(self.data)

    def next(self) -> Segment:
        """The next segment, its tables taken over (T.81 Figure E.6, E.7)."""
        told = len(self.warnings)
        segment = markers.next_segment(self.data, self.position, self.warnings)
        self.position = segment.end
        code = segment.code
        if code == markers.DQT:
            self.qtables.update(markers.parse_qtables(segment))
        elif code == markers.DHT:
            self.huffman_tables.update(markers.parse_huffman_tables(segment))
        elif code == markers.DAC:
            self.conditioning.update(markers.parse_conditioning(segment))
        elif code == markers.DRI:
            self.restart_interval = markers.parse_restart_interval(segment)
        elif markers.is_frame(code):
            if self.frame is not None:
                raise segment.error("there is a second frame header; one is allowed")
            self.frame = markers.parse_frame(segment)
            self.frame_segment = segment
        elif code == markers.COM or 0xE0 <= code <= 0xEF:
            self._keep(segment)
        elif code in (markers.DHP, markers.EXP):
            raise JpegUnsupportedError(
                "hierarchical coding is not supported", offset=segment.offset, marker=segment.name
            )
        elif code == markers.SOI:
            raise JpegFormatError("a second start of image", offset=segment.offset, marker="SOI")
        elif 0xD0 <= code <= 0xD7:
            self.warnings.append(f"{segment.name} outside of a scan, at byte {segment.offset}")
        if code in markers.SIZED and (surplus := markers.unneeded(segment)):
            self.warnings.append(
                f"the {segment.name} segment at byte {segment.offset} has {surplus} "
                f"byte{'s' * (surplus > 1)} more than it needs"
            )
        if len(self.warnings) > told:
            self._count(segment)  # of which there may be millions, each with a warning
        return segment

    def _keep(self, segment: Segment) -> None:
        """Remember a segment of metadata, if there are not too many bytes of them."""
        self._count(segment)
        self.segments.append(segment)

    def _count(self, segment: Segment) -> None:
        """Add a segment to the bytes that `max_metadata` limits."""
        self.metadata_size += max(LEAST_SEGMENT, segment.end - segment.offset)
        if self.metadata_size > self.max_metadata:
            raise JpegLimitError(
                f"up to here there are {self.metadata_size} bytes of metadata (each segment counts "
                f"{LEAST_SEGMENT} at least); max_metadata allows {self.max_metadata}",
                offset=segment.offset,
                marker=segment.name,
            )

    def metadata(self) -> Metadata:
        """What APPn and COM segments have said so far; they are read when asked."""
        return Metadata.of(self.segments)

    def color_model(self) -> ColorModel:
        """What the components mean."""
        assert self.frame is not None
        return color_model(self.metadata(), self.frame)

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
                if self.frame.height == 0:
                    self._find_height(segment)
                return segment

    def _find_height(self, sos: Segment) -> None:
        """Take a height that is not in the frame header from behind the first scan, if it is there
        (T.81 B.2.5).
        """
        assert self.frame is not None
        behind = markers.end_of_scan(self.data, sos.end)
        if bytes(self.data[behind : behind + 2]) == b"\xff\xdc":
            height = markers.parse_height(markers.next_segment(self.data, behind, []))
            self.frame = replace(self.frame, height=height)


def view_of(data: Data) -> memoryview:
    """The bytes of what a caller gave; files are read to their end."""
    if isinstance(data, (str, Path)):
        raise TypeError(f"JPEG data are bytes or a binary file, not a name: {str(data)!r}")
    if not isinstance(data, (bytes, bytearray, memoryview, mmap)) and hasattr(data, "read"):
        data = data.read()
    try:
        return memoryview(data).cast("B").toreadonly()  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"JPEG data are bytes, a buffer or a binary file, not {type(data).__name__}"
        ) from None


def check_limits(max_pixels: int, max_scans: int, max_metadata: int) -> None:
    """Refuse limits that are no whole numbers."""
    if type(max_pixels) is type(max_scans) is type(max_metadata) is int:
        return
    for limit in (max_pixels, max_scans, max_metadata):
        if not hasattr(limit, "__index__"):
            raise TypeError(
                "max_pixels, max_scans and max_metadata are whole numbers, but one of them is "
                f"{limit!r}"
            )


def open_stream(
    view: memoryview, tables: memoryview | None = None, max_metadata: int = MAX_METADATA
) -> Stream:
    """A stream behind its SOI marker.

    Parameters
    ----------
    view : memoryview
    tables : memoryview, optional
        Another stream, whose tables are valid at the beginning of this one (T.81 B.5).
    max_metadata : int
        Bytes of APPn and COM segments that either may have.
    """
    if bytes(view[:2]) != b"\xff\xd8":
        found = bytes(view[:4]).hex(" ") or "nothing"
        raise JpegFormatError(
            f"not a JPEG: it should start with ff d8, and starts with {found}", offset=0
        )
    stream = Stream(view, position=2, max_metadata=max_metadata)
    if tables is not None:
        before = open_stream(tables, None, max_metadata)
        while before.next().code not in (markers.EOI, markers.SOS):
            pass
        stream.qtables = before.qtables
        stream.huffman_tables = before.huffman_tables
    return stream


def subsampling_name(frame: Frame) -> str:
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
                (4, 2): "4:1:0",
            }
            if ratios[1] in names:
                return names[ratios[1]]
    return ",".join(f"{c.h}x{c.v}" for c in frame.components)


def header_of(stream: Stream, data: Data) -> Header:
    """What a stream knows at its first scan, of data that were given; a file's are kept."""
    frame = stream.frame
    assert frame is not None
    model = stream.color_model()
    given = cast(Buffer, data if isinstance(data, Buffer) else stream.data.obj)
    return Header(
        width=frame.width,
        height=frame.height,
        process=frame.process,
        precision=frame.precision,
        components=frame.components,
        subsampling=subsampling_name(frame),
        color=model.name,
        qtables=dict(stream.qtables),
        huffman_tables=dict(stream.huffman_tables),
        restart_interval=stream.restart_interval,
        stream_warnings=(*stream.warnings, *filter(None, [model.warning])),
        data=given,
        places=tuple((s.code, s.offset, s.end) for s in stream.segments),
    )


@lets_go
def read_header(data: Data, *, max_metadata: int = MAX_METADATA) -> Header:
    """Read what a JPEG says about its picture, without decoding it.

    Parameters
    ----------
    data : bytes, buffer or binary file
        A whole JPEG, or its beginning up to the first scan. Nothing behind that is looked at, and
        metadata are passed over; only a file object is read to its end, which an mmap saves.
    max_metadata : int
        Files with more bytes of APPn and COM segments are refused when that is noticed; none of
        them has been copied then.

    Returns
    -------
    Header
        Also for processes that this version cannot decode.

    Raises
    ------
    JpegFormatError
        If the data are no JPEG, or break off before the first scan.
    JpegLimitError
        If there are more metadata than `max_metadata`.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> header = pyjpegml.read_header(pyjpegml.encode(np.zeros((40, 60, 3), np.uint8), quality=90))
    >>> header.width, header.height, header.process, header.subsampling, header.quality
    (60, 40, 'baseline', '4:2:0', 90)
    """
    check_limits(0, 0, max_metadata)
    stream = open_stream(view_of(data), None, max_metadata)
    stream.to_scan()
    return header_of(stream, data)
