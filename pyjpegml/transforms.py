"""Pictures turned, mirrored, cropped and made grey, without decoding a sample.

All of that is done to blocks of quantized coefficients (:mod:`pyjpegml.turning`), which are then
coded anew. A picture that is turned four times is the same again, bit for bit.

*Edges.* A mirror takes MCUs to other places as a whole. A picture whose width or height is no
multiple of theirs has an incomplete one at its right or lower edge, which a mirror would take to
the left or upper one, where no JPEG can have it. What then happens is the caller's choice:
``edges``. Transposing takes it from one edge to the other, and never meets the question.

*Metadata.* What the turned picture makes wrong is corrected: density, the size in Exif and, by
``"orient"``, the orientation in Exif and XMP. Thumbnails in Exif and JFIF show the picture as it
was, what is cropped away included, and are dropped.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from . import exif as exif_data
from . import jfif as jfif_data
from . import xmp as xmp_data
from .arguments import check_flag
from .assembly import Progressive
from .coefficients import Geometry
from .decoder import MAX_PIXELS
from .errors import JpegUnsupportedError
from .header import Data, Header
from .markers import FrameComponent
from .metadata import Metadata
from .rewriting import Levels, check_restart_interval, read_source
from .scans import MAX_SCANS
from .surroundings import keeps_others
from .turning import SIGNS, turn_blocks

#: Whether each turn transposes, and then mirrors from left to right, and from top to bottom.
TURNS = {
    "none": (False, False, False),
    "flip-horizontal": (False, True, False),
    "rotate180": (False, True, True),
    "flip-vertical": (False, False, True),
    "transpose": (True, False, False),
    "rotate90": (True, True, False),
    "transverse": (True, True, True),
    "rotate270": (True, False, True),
}

#: Which turn makes a picture upright, by its orientation of Exif, 1 to 8 (CIPA DC-008 4.6.5).
UPRIGHT = dict(enumerate(TURNS, 1))

EDGES = ("refuse", "trim", "leave")

Region = tuple[int, int, int, int]


def turned(
    levels: Levels,
    turn: str,
    edges: str = "refuse",
    region: Region | None = None,
    chosen: Sequence[int] | None = None,
) -> Levels:
    """A picture turned, and what of it is wanted.

    Parameters
    ----------
    levels : Levels
    turn : str
        One of :data:`TURNS`.
    edges : str
        One of :data:`EDGES`: what is done about MCUs that cannot be mirrored.
    region : (x, y, width, height), optional
        Part of the turned picture. It begins at the corner of an MCU.
    chosen : sequence of int, optional
        Components that stay; a single one is to have the picture's full resolution.

    Raises
    ------
    ValueError
        If edges cannot be mirrored, or the region is none.
    """
    transposed, across, down = TURNS[turn]
    kept = range(len(levels.qtables)) if chosen is None else chosen
    components = [levels.frame.components[i] for i in kept]
    if len(components) < len(levels.qtables):
        components = [replace(components[0], h=1, v=1)]
    size = levels.frame.width, levels.frame.height
    if transposed:
        components = [FrameComponent(c.identifier, c.v, c.h, c.table) for c in components]
        size = size[::-1]
    sampling = [(c.h, c.v) for c in components]
    whole = Geometry(*size, sampling)
    unit = 8 * whole.h_max, 8 * whole.v_max
    stored = ("height", "width") if transposed else ("width", "height")
    width = _mirrored_side(size[0], unit[0], stored[0], edges) if across else size[0]
    height = _mirrored_side(size[1], unit[1], stored[1], edges) if down else size[1]
    x, y, width, height = _check_region(region, (width, height), unit)
    geometry = Geometry(width, height, sampling)
    quantized = np.zeros(geometry.size, np.int16)
    for i, plane in zip(kept, geometry.planes, strict=True):
        old = levels.geometry.planes[i]
        turn_blocks(
            levels.quantized, old.offset, old.stride, transposed,
            size[0] // unit[0] * plane.h if across else 0,
            size[1] // unit[1] * plane.v if down else 0,
            x // unit[0] * plane.h, y // unit[1] * plane.v, SIGNS,
            quantized, plane.offset, plane.stride, plane.across, plane.down,
        )  # fmt: skip
    frame = replace(levels.frame, width=width, height=height, components=tuple(components))
    tables = [levels.qtables[i] for i in kept]
    if transposed:
        tables = [np.ascontiguousarray(table.T) for table in tables]
    return Levels(frame, geometry, quantized, tables, levels.color)


def _mirrored_side(side: int, unit: int, name: str, edges: str) -> int:
    """What is left of a side that is mirrored, of MCUs of so many pixels.

    Messages name it as it is called in the stored picture.
    """
    rest = side % unit
    if rest == 0 or edges == "leave":
        return side
    if edges == "trim" and side > unit:
        return side - rest
    drop = (
        f"'trim' drops {rest} of them, and 'leave' leaves those {rest} where they are"
        if side > unit
        else "nothing would be left without it, and 'leave' leaves it as it is"
    )
    raise ValueError(
        f"a {name} of {side} pixels is mirrored in units of {unit}, of which the last one is "
        f"incomplete: edges={drop}"
    )


def _check_region(region: Region | None, size: tuple[int, int], unit: tuple[int, int]) -> Region:
    """A region of a picture of a size, if it begins at the corner of an MCU."""
    if region is None:
        return 0, 0, *size
    try:
        x, y, width, height = (operator.index(number) for number in region)
    except (TypeError, ValueError):
        raise ValueError(f"region is (x, y, width, height) in whole pixels, not {region}") from None
    inside = x >= 0 and y >= 0 and x + width <= size[0] and y + height <= size[1]
    if width < 1 or height < 1 or not inside:
        raise ValueError(
            f"region is (x, y, width, height) within {size[0]}x{size[1]} pixels; this one is "
            f"{region}"
        )
    left, top = x % unit[0], y % unit[1]
    if left or top:
        larger = x - left, y - top, width + left, height + top
        raise ValueError(
            f"a region begins at multiples of {unit[0]} and {unit[1]} pixels in this picture; the "
            f"smallest one around {region} that does is {larger}"
        )
    return x, y, width, height


def transform(
    data: Data,
    op: str = "none",
    *,
    edges: str = "refuse",
    region: Region | None = None,
    grey: bool = False,
    progressive: Progressive | None = None,
    restart_interval: int | None = 0,
    metadata: str | Metadata = "keep",
    others: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_scans: int = MAX_SCANS,
) -> bytes:
    """Turn, mirror, crop a JPEG, or make it grey, without any loss.

    Parameters
    ----------
    data : bytes, buffer or binary file
        A JPEG of any process with a DCT, Huffman or arithmetic coding, 8 or 12 bits.
    op : str
        ``"rotate90"``, ``"rotate180"``, ``"rotate270"`` (clockwise), ``"flip-horizontal"`` (left
        and right change places), ``"flip-vertical"``, ``"transpose"``, ``"transverse"``, or
        ``"none"``: all of them of the picture as it is stored. ``"orient"`` turns it upright, as
        its Exif data say, and says so there.
    edges : str
        What is done about an incomplete MCU at an edge that is mirrored: ``"refuse"`` it as an
        error, ``"trim"`` it off, or ``"leave"`` it at its edge, where it will not fit its
        neighbours.
    region : (x, y, width, height), optional
        The part of the turned picture that is wanted. It begins at the corner of an MCU; the error
        of one that does not says which one to take.
    grey : bool
        Luma alone, of YCbCr or grey pictures.
    progressive : bool, "search" or sequence of Scan, optional
        Several scans that refine the picture, as for :func:`pyjpegml.encode`, or one; by default as
        the input.
    restart_interval : int or None
        MCUs between restart markers, 0 for none; None for as many as in the input.
    metadata : "keep", "strip" or Metadata
        Everything, byte for byte but for what is no longer right: density, size and orientation
        are corrected, thumbnails in Exif and JFIF dropped, and from a grey picture a profile that
        is for colours. Or only what decides how the picture looks (density, what the components
        mean, ICC profile, orientation); or others.
    others : "keep" or "drop", optional
        What becomes of other images behind the first, as for :func:`recode`. Those that would no
        longer fit a picture that is turned, cropped or made grey cannot be kept with it.
    max_pixels, max_scans : int
        As for :func:`pyjpegml.decode`.

    Returns
    -------
    bytes
        A Huffman-coded file, sequential or progressive.

    Raises
    ------
    JpegError
        If the data cannot be decoded; if the picture is lossless, which has no coefficients; or if
        it comes with others that would no longer fit (a gain map, the other eye) and are to be
        kept.
    ValueError
        If an argument is not as described, or asks for what cannot be done without loss.

    Examples
    --------
    >>> import numpy as np, pyjpegml
    >>> image = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    >>> data = pyjpegml.encode(image)
    >>> turned = pyjpegml.transform(data, "rotate90")
    >>> pyjpegml.decode(turned).shape
    (96, 64)
    >>> pyjpegml.transform(turned, "rotate270") == data
    True
    """
    if op not in (*TURNS, "orient"):
        raise ValueError(f"op is one of {', '.join(TURNS)} and orient, not {op!r}")
    if edges not in EDGES:
        raise ValueError(f"edges is one of {', '.join(EDGES)}, not {edges!r}")
    grey = check_flag("grey", grey)
    source = read_source(data, max_pixels, max_scans)
    header, levels = source.header, source.levels
    interval = check_restart_interval(restart_interval, header.restart_interval)
    kept = keeps_others(others, metadata)
    turn = UPRIGHT[header.metadata.orientation] if op == "orient" else op
    own = header.metadata
    if turn != "none" or region is not None or grey:
        if kept:
            _refuse_companions(own)
        levels = turned(levels, turn, edges, region, [0] if grey and _check_grey(header) else None)
        own = _still_right(own, header, levels, turn)
        if op == "orient" and turn != "none":
            own = _upright(own)
    if progressive is None:
        progressive = levels.frame.sof in (2, 10)
    return source.write(levels, own, metadata, progressive, True, interval, kept)


def _check_grey(header: Header) -> bool:
    """Whether there is colour to be left out; refuses pictures that have no luma to be had."""
    if header.color == "grey":
        return False
    if header.color != "YCbCr":
        raise ValueError(f"grey is the luma of YCbCr, and this picture is {header.color}")
    luma = header.components[0]
    if any(c.h > luma.h or c.v > luma.v for c in header.components):
        raise ValueError(
            f"the luma of this picture is coarser than its colour ({header.subsampling}), so that "
            "it makes no picture of the same size"
        )
    return True


def _refuse_companions(metadata: Metadata) -> None:
    """Refuse files with other images that show the same as the first."""
    kinds = [image.kind for image in metadata.images if image.kind != "motion photo"]
    if kinds:
        raise JpegUnsupportedError(
            f"other images follow the first ({', '.join(kinds)}), which would no longer fit it: "
            "others='drop' leaves them out"
        )


def _still_right(metadata: Metadata, header: Header, levels: Levels, turn: str) -> Metadata:
    """Metadata of a picture that was turned, cut, or made grey: what is not right any more is
    corrected or dropped.
    """
    frame = levels.frame
    changed = metadata.without("JFXX")
    if metadata.jfif is not None:
        jfif = jfif_data.sound(metadata.jfif)
        if TURNS[turn][0]:
            jfif = replace(jfif, density=jfif.density[::-1])
        payload = jfif_data.jfif_segment(jfif)[1]
        changed = changed.replaced("JFIF", [payload] * len(changed.contents("JFIF")))
    changed = _with_exif(changed, exif_data.without_thumbnail)
    if TURNS[turn][0]:
        changed = _with_exif(changed, exif_data.with_sides_exchanged)
    if (frame.width, frame.height) != (header.width, header.height):
        changed = _with_exif(
            changed, lambda exif: exif_data.with_size(exif, frame.width, frame.height)
        )
    of_colors = metadata.icc is not None and metadata.icc[16:20] != b"GRAY"
    if len(frame.components) < len(header.components) and of_colors:
        changed = changed.without("ICC profile")
    return changed


def _with_exif(metadata: Metadata, change: Callable[[bytes], bytes]) -> Metadata:
    """The same metadata with other Exif data, if there are any."""
    segments = metadata.contents("Exif")
    return metadata.replaced("Exif", exif_data.changed_segments(segments, change))


def _upright(metadata: Metadata) -> Metadata:
    """Metadata that say of the picture that it is upright."""
    metadata = _with_exif(metadata, lambda exif: exif_data.with_orientation(exif, 1))
    packets = metadata.contents("XMP")
    return metadata.replaced(
        "XMP", [xmp_data.SIGNATURE + xmp_data.with_upright_orientation(bytes(p)) for p in packets]
    )
