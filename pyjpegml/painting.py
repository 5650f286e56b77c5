"""From what a file holds to the pixels that a caller asked for, in plain Python over the stages.

Stored coefficients become pixels strip by strip, as those of a single scan do
(:mod:`pyjpegml.strips`); pictures of more than 8 bits, and lossless ones, plane by plane
(:mod:`pyjpegml.deep`). Then come conversions that a caller asked for: another colour model, another
orientation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import deep, reduced, smoothing, strips
from .coefficients import Geometry
from .color import cmyk_to_rgb, rgb_to_ycbcr
from .constants import ZIGZAG
from .reconstruction import paint_window
from .scaling import Scale
from .scans import LosslessScans, Scans
from .threads import Crew
from .windows import Window

#: uint8, or uint16 if there are more than 8 bits.
Picture = npt.NDArray[Any]

#: What can be asked for; and what components may mean, if they are to be converted.
COLORS = ("RGB", "grey", "YCbCr", "stored")
MODELS = ("grey", "YCbCr", "RGB", "CMYK", "YCCK")


def check_color(color: str | None) -> None:
    """Refuse what is no colour model that can be asked for."""
    if color is not None and color not in COLORS:
        raise ValueError(f"color is one of {', '.join(COLORS)}, or None; not {color!r}")


def painting(count: int, model: str, inverted: bool, color: str | None) -> int:
    """How components are painted (:mod:`pyjpegml.strips`), before :func:`converted`.

    Parameters
    ----------
    count : int
        Components.
    model : str
        What they mean.
    inverted : bool
        Whether CMYK is stored as 255 minus the ink.
    color : str or None
        What is asked for.
    """
    if count == 1 or (color == "grey" and model == "YCbCr"):
        return strips.GREY
    if color == "stored" or (color == "YCbCr" and model == "YCbCr"):
        return {3: strips.RGB, 4: strips.CMYK}.get(count, strips.OTHER)
    if model == "CMYK":
        return strips.INVERTED_CMYK if inverted else strips.CMYK
    paintings = {"YCbCr": strips.YCBCR, "RGB": strips.RGB, "YCCK": strips.YCCK}
    return paintings.get(model, strips.OTHER)


def paint(
    scans: Scans, color: int, crew: Crew, window: Window, out: Picture | None = None
) -> Picture:
    """Pixels of stored coefficients, which may be changed by :mod:`pyjpegml.smoothing`.

    Parameters
    ----------
    scans : Scans
    color : int
        As for :func:`pyjpegml.strips.paint_rows`.
    crew : Crew
        Each of its threads makes some rows of MCUs.
    window : Window
        What is wanted.
    out : array, optional
        Where it may be put, C-contiguous.
    """
    _smooth(scans)
    if scans.frame.precision != 8:
        return _cropped(_paint_deep(scans, color, window, out if window.whole else None), window)
    if not scans.geometry.whole_ratios:
        nearest = _paint_nearest if window.denominator == 1 else _paint_scaled
        return _cropped(nearest(scans, color, window), window)
    return paint_window(scans.geometry, scans.coefficients, _flat(scans), color, crew, window, out)


def _cropped(picture: Picture, window: Window) -> Picture:
    """The wanted part of the pixels of a window's MCUs."""
    if window.whole:
        return picture
    return np.ascontiguousarray(picture[window.slices])


def _paint_scaled(scans: Scans, color: int, window: Window) -> Picture:
    """As :func:`_paint_nearest`, at a scale."""
    coefficients = window.cut(scans.geometry, scans.coefficients)
    return reduced.picture(
        window.geometry, window.scale, coefficients, scans.component_qtables(), color
    )


def _flat(scans: Scans) -> npt.NDArray[np.int32]:
    """The quantization tables of all components, (n, 64)."""
    return np.array([table.reshape(64) for table in scans.component_qtables()], np.int32)


def _smooth(scans: Scans) -> None:
    """Put estimates of what a progressive file has not sent yet among its coefficients.

    Below the rows of MCUs that the data of the last scan reach, it counts what was known before it.
    """
    progression = scans.progression
    if progression is None or not smoothing.applies(progression.coef_bits):
        return
    geometry, qtables = scans.geometry, _flat(scans)
    for i, plane in enumerate(geometry.planes):
        view, v = geometry.view(scans.coefficients, i), scans.frame.components[i].v
        dc = view[..., 0].copy()
        middle = min((scans.last_row + 1) * v, plane.down)
        for sound, first, last in ((True, 0, middle), (False, middle, plane.down)):
            smoothing.smooth_rows(
                dc, plane.across, plane.down, v, first, last, qtables[i],
                progression.known(i, sound), ZIGZAG, smoothing.scratch(plane.across), view,
            )  # fmt: skip


def _paint_nearest(scans: Scans, color: int, window: Window) -> Picture:
    """Pixels of components whose sizes are no whole parts of the picture's, such as 2 : 3 columns.

    No rule says how to make them; each pixel takes the sample that covers it.
    """
    geometry, coefficients = window.geometry, window.cut(scans.geometry, scans.coefficients)
    full = Geometry(geometry.width, geometry.height, [(1, 1)] * len(geometry.planes))
    planes = geometry.reconstruct(coefficients, scans.component_qtables())
    y, x = np.arange(geometry.height), np.arange(geometry.width)
    whole = [
        plane[np.ix_(y * part.v // geometry.v_max, x * part.h // geometry.h_max)]
        for plane, part in zip(planes, geometry.planes, strict=True)
    ]
    return strips.picture(full, whole, color)


def _paint_deep(scans: Scans, color: int, window: Window, out: Picture | None) -> Picture:
    """Pixels of 12 bits."""
    geometry, scale, qtables = window.geometry, window.scale, _flat(scans)
    coefficients = window.cut(scans.geometry, scans.coefficients)
    planes = []
    for i in range(1 if color == strips.GREY else len(geometry.planes)):
        plane, size = geometry.planes[i], scale.sizes[i]
        samples = np.empty((size * plane.down, size * plane.across), np.uint16)
        if size == 8:
            view = geometry.view(coefficients, i)
            deep.reconstruct(view, plane.down, plane.across, qtables[i], samples)
        else:
            reduced.inverse_deep(
                coefficients, plane.offset, plane.stride, plane.down, plane.across, qtables[i],
                size, samples.reshape(-1), 0, samples.shape[1],
            )  # fmt: skip
        planes.append(_full_size(scale, i, samples))
    scaled = scale.geometry
    return _place(planes, scaled.height, scaled.width, scans.frame.precision, color, out)


def _full_size(
    scale: Scale, component: int, samples: npt.NDArray[np.uint16]
) -> npt.NDArray[np.uint16]:
    """A component of 12 bits at the size of the scaled picture, or larger."""
    geometry, plane = scale.geometry, scale.geometry.planes[component]
    if not scale.triangle(component):
        return reduced.repeat(samples, geometry, component)
    across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
    if across == down == 1:
        return samples
    out = np.empty((down * plane.height, across * plane.width), np.uint16)
    deep.upsample(samples, plane.width, plane.height, across, down, out)
    return out


def paint_lossless(
    scans: LosslessScans, color: int, window: Window, out: Picture | None = None
) -> Picture:
    """Pixels of a lossless picture: uint8 up to 8 bits, else uint16; into `out`, if it is given."""
    geometry, precision = scans.geometry, scans.frame.precision
    planes = []
    y, x = (
        np.arange(first, first + count)
        for first, count in ((window.y, window.height), (window.x, window.width))
    )
    for i in range(1 if color == strips.GREY else len(geometry.planes)):
        part, samples = geometry.planes[i], geometry.view(scans.samples, i)
        # each pixel takes the sample that covers it
        if not window.whole or geometry.h_max % part.h or geometry.v_max % part.v:
            samples = samples[np.ix_(y * part.v // geometry.v_max, x * part.h // geometry.h_max)]
            across = down = 1
        else:
            across, down = geometry.h_max // part.h, geometry.v_max // part.v
        plane = np.empty((window.height, window.width), np.uint16)
        deep.place(samples, across, down, scans.shifts[i], plane, 0, 1)
        planes.append(plane)
    return _place(planes, window.height, window.width, precision, color, out)


def _place(
    planes: list[npt.NDArray[np.uint16]],
    height: int,
    width: int,
    precision: int,
    color: int,
    out: Picture | None,
) -> Picture:
    """The picture of planes at full size, converted as `color` says."""
    top = (1 << precision) - 1
    if color in (strips.YCBCR, strips.YCCK):
        deep.ycbcr_to_rgb(*planes[:3], precision, width, height, 0)
    channels = len(planes)
    if out is None:
        shape = (height, width, channels)[: 2 if channels == 1 else 3]
        out = np.empty(shape, np.uint16 if precision > 8 else np.uint8)
    rows = out.reshape(height, channels * width)
    for channel, plane in enumerate(planes):
        deep.place(plane, 1, 1, 0, rows, channel, channels)
    if color == strips.INVERTED_CMYK:
        out ^= out.dtype.type(top)
    elif color == strips.YCCK:
        out[..., 3] ^= out.dtype.type(top)
    return out


def is_converted(model: str, color: str | None) -> bool:
    """Whether a picture is still to be :func:`converted` when it has been painted.

    Parameters
    ----------
    model : str
        What the components of the file mean.
    color : str or None
        One of COLORS.
    """
    painted = color in (None, "stored", model) or (model == "YCbCr" and color != "RGB")
    return not painted


def converted(picture: Picture, model: str, color: str | None, precision: int) -> Picture:
    """A painted picture in the colours that were asked for.

    Parameters
    ----------
    picture : array
    model : str
        What the components of the file mean.
    color : str or None
        One of COLORS.
    precision : int
        Bits of a sample.
    """
    if not is_converted(model, color):
        return picture
    if model == "grey":
        centre = 1 << (precision - 1)
        first, *others = (
            (picture, picture, picture) if color == "RGB" else (picture, centre, centre)
        )
        return np.stack(np.broadcast_arrays(first, *others), axis=-1).astype(picture.dtype)
    rgb = cmyk_to_rgb(picture, precision) if picture.shape[2] == 4 else picture
    if color == "RGB":
        return rgb
    flat = np.ascontiguousarray(rgb).reshape(rgb.shape[0], -1)
    if precision != 8:
        planes = np.empty((3, *rgb.shape[:2]), rgb.dtype)
        deep.rgb_to_ycbcr(flat, precision, *planes)
    else:
        planes = np.empty((3, *rgb.shape[:2]), np.uint8)
        flat.flags.writeable = False
        rgb_to_ycbcr(flat, *planes)
    return planes[0] if color == "grey" else np.ascontiguousarray(np.moveaxis(planes, 0, 2))


def oriented(picture: Picture, orientation: int) -> Picture:
    """A picture turned upright.

    Parameters
    ----------
    picture : array
    orientation : int
        Of Exif, 1 to 8: where its first row and column stand.
    """
    if orientation >= 5:
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
