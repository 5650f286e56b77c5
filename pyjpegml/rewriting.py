"""Files written anew, with the same coefficients: nothing that a decoder sees changes.

::

    file ─ decode_coefficients ─ Levels ─ (transforms) ─ assembly ─ metadata back in place ─ file

What can be saved without touching a coefficient is the way in which they are coded: Huffman tables
made for them, a progressive order, no restart markers (:func:`recode`). :func:`encode_coefficients`
writes any set of them.

*Metadata* are written back byte for byte: APPn and COM segments in the order of the source, those
behind its first scan behind the last one, and whatever follows the end of the image. Other images
that follow there (MPO, Ultra HDR) stay as they are, and the index that says where they lie is
brought up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import markers
from .arguments import check_optimize, check_progressive
from .assembly import HUFFMAN_SLOTS, Progressive, assemble
from .coefficients import Geometry
from .decoder import MAX_PIXELS, Coefficients, decode_coefficients
from .errors import JpegFormatError
from .header import Data, Header, view_of
from .markers import Frame, Segment
from .metadata import (
    Metadata,
    appearance,
    color_model,
    metadata_segments,
    with_color_model,
)
from .progression import Progression
from .scans import MAX_SCANS
from .scripts import usual_script
from .surroundings import (
    Surroundings,
    all_segments,
    keeps_others,
    read_surroundings,
    sound_segments,
)


@dataclass(frozen=True)
class Levels:
    """A quantized picture: all of a file but its metadata and the way it is coded.

    Attributes
    ----------
    frame : Frame
        Of it the size, the precision, identifiers and sampling factors count.
    geometry : Geometry
    quantized : (geometry.size,) int16
    qtables : list of (8, 8) uint16
        Of each component.
    color : str
        What the components mean, as in :class:`pyjpegml.Header`.
    """

    frame: Frame
    geometry: Geometry
    quantized: npt.NDArray[np.int16]
    qtables: list[npt.NDArray[np.uint16]]
    color: str

    def write(
        self, segments: bytes, progressive: Progressive, optimize: bool | str, restart_interval: int
    ) -> bytes:
        """The file, with these metadata."""
        progressive = check_progressive(progressive)
        optimize = check_optimize(optimize, progressive is False, self.frame.precision)
        if progressive is True:
            progressive = usual_script(self.geometry.sampling, self.color == "YCbCr")
        return assemble(
            self.geometry, self.quantized, self.qtables, optimize=optimize, progressive=progressive,
            restart_interval=restart_interval, components=self.frame.components,
            precision=self.frame.precision, slots=None if optimize else HUFFMAN_SLOTS,
            segments=segments,
        )  # fmt: skip


# --- coefficients ---------------------------------------------------------------------------------


def frame_of(header: Header) -> Frame:
    """The frame header behind a header."""
    sof = next(n for n, name in markers.PROCESSES.items() if name == header.process)
    return Frame(sof, header.precision, header.height, header.width, header.components)


def levels_of(coefficients: Coefficients, complete: bool = True) -> Levels:
    """Coefficients in one array, when they are found to be legal (T.81 A.3.4, F.1.2).

    Parameters
    ----------
    coefficients : Coefficients
    complete : bool
        Whether all of their bits are known. If not, a negative DC is lower than it will be, down to
        -8192.

    Raises
    ------
    TypeError, ValueError
        If there are too many or too few of something, or one is out of its range; the message says
        where.
    """
    frame = frame_of(coefficients.header)
    count = len(frame.components)
    if frame.precision not in (8, 12) or not 1 <= count <= 4:
        raise ValueError(
            "a file of coefficients has 8 or 12 bits a sample and 1 to 4 components, not "
            f"{frame.precision} bits and {count} components"
        )
    found = len(coefficients.components), len(coefficients.qtables)
    if found != (count, count):
        raise ValueError(
            f"the header has {count} components; there are coefficients of {found[0]} and "
            f"quantization tables of {found[1]}"
        )
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    quantized = np.zeros(geometry.size, np.int16)
    qtables = []
    for i, plane in enumerate(geometry.planes):
        blocks = np.asarray(coefficients.components[i])
        expected = (plane.down, plane.across, 8, 8)
        if blocks.shape != expected:
            raise ValueError(
                f"component {i} of {frame.width}x{frame.height} pixels has coefficients of shape "
                f"{expected}, not {blocks.shape}"
            )
        if not np.issubdtype(blocks.dtype, np.integer):
            raise TypeError(f"coefficients are integers, and those of component {i} {blocks.dtype}")
        _check_range(i, blocks, frame.precision if complete else 12)
        view = geometry.view(quantized, i)[: plane.down, : plane.across]
        view[...] = blocks.reshape(plane.down, plane.across, 64)
        qtables.append(_checked_qtable(i, coefficients.qtables[i]))
    return Levels(frame, geometry, quantized, qtables, coefficients.header.color)


def _check_range(component: int, blocks: npt.NDArray[np.integer], precision: int) -> None:
    """Refuse coefficients that no category of T.81 Tables F.1 and F.2 holds.

    A DCT of P bits gives P + 3 bits with the sign; the least number of them is left to DC alone.
    """
    most = (4 << precision) - 1
    if int(blocks.min()) >= -most and int(blocks.max()) <= most:
        return
    outside = (blocks < -most) | (blocks > most)
    outside[..., 0, 0] = (blocks[..., 0, 0] < -most - 1) | (blocks[..., 0, 0] > most)
    if outside.any():
        row, column, v, u = (int(n) for n in np.argwhere(outside)[0])
        least = -most - 1 if v == u == 0 else -most
        raise ValueError(
            f"coefficient [{v}, {u}] of block ({row}, {column}) of component {component} is "
            f"{blocks[row, column, v, u]}; with {precision} bits a sample it is {least} to {most}"
        )


def _checked_qtable(component: int, table: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """A quantization table as (8, 8) uint16."""
    steps = np.asarray(table)
    if steps.shape != (8, 8) or not np.issubdtype(steps.dtype, np.integer):
        raise ValueError(
            f"a quantization table is (8, 8) integers; that of component {component} is "
            f"{steps.shape} {steps.dtype}"
        )
    if steps.min() < 1 or steps.max() > 65535:
        raise ValueError(
            f"steps of a quantization table are 1 to 65535; those of component {component} are "
            f"{steps.min()} to {steps.max()}"
        )
    return steps.astype(np.uint16)


def check_restart_interval(interval: int | str | None, own: int) -> int:
    """MCUs between restart markers; None for those of the source."""
    if interval is None:
        return own
    whole = isinstance(interval, (int, np.integer)) and not isinstance(interval, bool)
    if whole and 0 <= int(interval) <= 65535:
        return int(interval)
    raise ValueError(
        f"restart_interval is 0 to 65535 MCUs, or None for that of the source, not {interval!r}"
    )


def chosen_metadata(wanted: str | Metadata, own: Metadata) -> Metadata:
    """Which metadata a file gets, of its own ones or in place of them."""
    if isinstance(wanted, Metadata):
        return wanted
    if wanted == "keep":
        return own
    if wanted == "strip":
        return appearance(own)
    raise ValueError(f'metadata is "keep", "strip" or a Metadata object, not {wanted!r}')


def encode_coefficients(
    coefficients: Coefficients,
    *,
    progressive: Progressive = False,
    optimize: bool | str = True,
    restart_interval: int | None = None,
    metadata: str | Metadata = "keep",
) -> bytes:
    """Write quantized coefficients as a JPEG.

    ``decode_coefficients`` gives all of them back, with the tables, sampling factors, identifiers
    and metadata.

    Parameters
    ----------
    coefficients : Coefficients
        As :func:`pyjpegml.decode_coefficients` returns them; arrays and tables may be changed, or
        replaced by others of the same shapes. Sizes, precision, identifiers and sampling factors
        are those of its header.
    progressive : bool, "search" or sequence of Scan
        Several scans that refine the picture, instead of one; as for :func:`pyjpegml.encode`.
    optimize : bool or "scans"
        Huffman tables made for these coefficients, instead of Annex K's, which are for sequential
        files of 8 bits; ``"scans"`` as for :func:`pyjpegml.encode`.
    restart_interval : int, optional
        MCUs between restart markers, 0 for none; by default that of the header.
    metadata : "keep", "strip" or Metadata
        What stands in the header byte for byte; or only what decides how the picture looks
        (density, what the components mean, ICC profile, orientation); or others. What is said of
        other images in the file (MPF, gain maps) is left out, since they are not there.

    Returns
    -------
    bytes
        A baseline file if the coefficients allow it, else an extended sequential one; or a
        progressive one.

    Raises
    ------
    TypeError, ValueError
        If something is not as described, or no JPEG can hold a coefficient: the message says which.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> coefficients = pyjpegml.decode_coefficients(pyjpegml.encode(image))
    >>> coefficients.components[0][..., 4:, :] = 0
    >>> again = pyjpegml.decode_coefficients(pyjpegml.encode_coefficients(coefficients))
    >>> bool((again.components[0] == coefficients.components[0]).all())
    True
    """
    levels = levels_of(coefficients)
    header = coefficients.header
    interval = check_restart_interval(restart_interval, header.restart_interval)
    chosen = chosen_metadata(metadata, header.metadata)
    model = color_model(header.metadata, levels.frame)
    segments = metadata_segments(with_color_model(chosen, levels.frame, model))
    return levels.write(segments, progressive, optimize, interval)


# --- files ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A file that is to be written again.

    Attributes
    ----------
    header : Header
    levels : Levels
    around : Surroundings
        What stands around its picture.
    complete : bool
        Whether all bits of all coefficients were sent: decoders smooth pictures where some of a
        progressive file's scans are missing.
    intervals : frozenset of int
        Restart intervals of its scans.
    """

    header: Header
    levels: Levels
    around: Surroundings
    complete: bool
    intervals: frozenset[int]

    def write(
        self,
        levels: Levels,
        own: Metadata,
        metadata: str | Metadata,
        progressive: Progressive,
        optimize: bool | str,
        restart_interval: int,
        others: bool,
    ) -> bytes:
        """The file with other coefficients.

        Parameters
        ----------
        levels : Levels
        own : Metadata
            What to keep of the metadata before the first scan.
        metadata : "keep", "strip" or Metadata
        progressive, optimize, restart_interval
            As for :func:`encode_coefficients`.
        others : bool
            Whether other images behind this one stay.
        """
        chosen = chosen_metadata(metadata, own)
        if metadata == "keep":
            segments = all_segments(chosen) if others else metadata_segments(chosen)
        else:
            model = color_model(self.header.metadata, self.levels.frame)
            segments = metadata_segments(with_color_model(chosen, levels.frame, model))
        made = levels.write(segments, progressive, optimize, restart_interval)
        if metadata != "keep":
            return made
        return self.around.joined(made, chosen, others)


def read_source(data: Data, max_pixels: int, max_scans: int) -> Source:
    """A file's coefficients, and where all of its metadata lie.

    Raises
    ------
    JpegError
        As :func:`pyjpegml.decode_coefficients`; or if a coefficient is out of its range.
    """
    view = view_of(data)
    coefficients = decode_coefficients(view, max_pixels=max_pixels, max_scans=max_scans)
    frame = frame_of(coefficients.header)
    segments = sound_segments(view)
    scans: list[Segment] = []
    intervals: set[int] = set()
    last: Segment | None = None  # that says the interval of the scans to come
    for segment in segments:
        if segment.code == markers.SOS:
            scans.append(segment)
            intervals.add(markers.parse_restart_interval(last) if last else 0)
        elif segment.code == markers.DRI:
            last = segment
    complete = frame.sof not in (2, 10) or _all_sent(frame, scans)
    try:
        levels = levels_of(coefficients, complete)
    except ValueError as error:
        raise JpegFormatError(str(error)) from None
    around = read_surroundings(view, segments)
    return Source(coefficients.header, levels, around, complete, frozenset(intervals))


def _all_sent(frame: Frame, scans: Sequence[Segment]) -> bool:
    """Whether the scans of a progressive file send all bits of all coefficients."""
    identifiers = [c.identifier for c in frame.components]
    progression = Progression(len(identifiers))
    for segment in scans:
        scan = markers.parse_scan(segment)
        chosen = [identifiers.index(c[0]) for c in scan.components]
        progression.begin(chosen, scan.start, scan.end, scan.high, scan.low)
    return not progression.coef_bits.any()


def recode(
    data: Data,
    *,
    progressive: Progressive = True,
    restart_interval: int | str | None = "any",
    metadata: str | Metadata = "keep",
    others: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
) -> bytes:
    """Write a JPEG smaller, with the same coefficients.

    Huffman tables are made for them, and the scans are those that are asked for. What is not
    smaller than the input in this way comes back as it is: so the result is never larger, and to
    recode it again changes nothing.

    Parameters
    ----------
    data : bytes, buffer or binary file
        A JPEG of any process with a DCT, Huffman or arithmetic coding, 8 or 12 bits.
    progressive : bool, "search" or sequence of Scan
        Several scans that refine the picture, which are smaller for all but very small pictures;
        or a sequential file. ``"search"``: the smallest of all that is tried, which takes longer;
        sequential scans of luma, or of each component, are among it.
    restart_interval : "any", int or None
        MCUs between restart markers: none are written by default, and a file that comes back as it
        is keeps its own. A number is what the file is to have in all scans, 0 being none, though
        another one may make it larger than the input. None for as many as in the input.
    metadata : "keep", "strip" or Metadata
        Everything byte for byte; or only what decides how the picture looks (density, what the
        components mean, ICC profile, orientation); or others, which may make the file larger.
    others : "keep" or "drop", optional
        What becomes of other images behind the first (MPO, Ultra HDR), and of whatever else follows
        it: they stay as they are, with all metadata, and the lists of them are brought up to date;
        or they go, with what is said of them. By default they stay if all metadata do.
    max_pixels, max_scans : int
        As for :func:`pyjpegml.decode`.

    Returns
    -------
    bytes
        With the same coefficients and pixels as the input. It is the input, but for metadata, if
        that is not larger and has the restart interval that is asked for; and if a progressive file
        stops early, because decoders smooth it.

    Raises
    ------
    JpegError
        If the data cannot be decoded; if the picture is lossless, which has no coefficients; or if
        an index of other images (MPF) contradicts the file, so that it could not be kept right.
    ValueError
        If an argument is not as described, or metadata do not fit into a segment; or if another
        restart interval is asked for of a progressive file that stops early.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> data = pyjpegml.encode(image, optimize=False)
    >>> smaller = pyjpegml.recode(data, progressive=False)
    >>> len(smaller) < len(data)
    True
    >>> bool((pyjpegml.decode(smaller) == pyjpegml.decode(data)).all())
    True
    """
    progressive = check_progressive(progressive)
    any_interval = isinstance(restart_interval, str) and restart_interval == "any"
    source = read_source(data, max_pixels, max_scans)
    own = source.header.metadata
    wanted = 0 if any_interval else restart_interval
    interval = check_restart_interval(wanted, source.header.restart_interval)
    chosen, kept = chosen_metadata(metadata, own), keeps_others(others, metadata)
    given = bytes(source.around.data)
    if not kept:
        given = source.around.spliced(chosen, source.levels.frame, metadata == "keep")
    right = any_interval or restart_interval is None or source.intervals == {interval}
    if not source.complete:
        if right:
            return given
        raise ValueError(
            "the scans of this progressive file stop early, so that it stays as it is: restart "
            f"intervals are {', '.join(map(str, sorted(source.intervals)))}, and cannot become "
            f"{interval}"
        )
    tried: list[tuple[Progressive, bool | str]] = [(progressive, True)]
    if progressive == "search":
        tried.append((False, "scans"))
    made = [source.write(source.levels, own, metadata, *way, interval, kept) for way in tried]
    return min([given] * right + made, key=len)
