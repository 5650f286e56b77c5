"""From a picture to the samples of a file's components: colour, downsampling, edges.

The stages of 8 bits are :mod:`pyjpegml.color` and :mod:`pyjpegml.sampling`, those of 12 bits
:mod:`pyjpegml.deep_encoder`; here is what comes between and around them.

*Colours.* An image's channels become a file's components in one of four ways: as they are, by
JFIF's matrix, or as inks, which Adobe's files hold the other way round: 255 is none. YCCK is the
matrix applied to C, M, Y as if they were R, G, B, and K turned round (the files of Adobe's programs
turn C, M, Y before it and the results after it, which comes to the same).

*Edges*, as in libjpeg: to the right the last column is repeated before samples are merged. Below,
the last row is repeated as far as merging needs it, that is to whole rows of samples of all
components; from there to whole blocks, the last merged row is.

*Arrays.* An image is (h, w) or (h, w, n), or a tuple of (h, w) planes, one a component, of which
those that have the size of their component already are taken as they are. The samples of a
component are (8 blocks down, 8 blocks across). All are uint8, or uint16 of 12 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import color, deep, deep_encoder, sampling
from .coefficients import Geometry

Samples = npt.NDArray[Any]
#: One array, or one for each component.
Image = Samples | tuple[Samples, ...]

#: Pairs of what the channels of an image are, and as what they are stored, that need the matrix.
BY_MATRIX = {("RGB", "YCbCr"), ("RGB", "grey"), ("CMYK", "YCCK")}


def component_planes(
    image: Image, geometry: Geometry, channels: str = "RGB", stored: str = "YCbCr"
) -> list[Samples]:
    """Samples of all components, downsampled, the edges repeated to whole blocks.

    Parameters
    ----------
    image : array or tuple of arrays
    geometry : Geometry
    channels : str
        What the image's channels are, ``"RGB"`` and so on; ``"stored"`` for what the file's
        components are.
    stored : str
        What these are, by the names of :class:`pyjpegml.metadata.ColorModel`.
    """
    top = 255 if dtype_of(image) == np.uint8 else 4095
    if isinstance(image, np.ndarray) and image.ndim == 2:
        full = [image]
    elif (channels, stored) in BY_MATRIX:
        assert isinstance(image, np.ndarray)
        full = _by_matrix(image, geometry)
        if stored == "YCCK":
            full.append(_padded(image[:, :, 3] ^ image.dtype.type(top), geometry))
    else:
        single = image if isinstance(image, tuple) else np.moveaxis(image, 2, 0)
        turned = [
            plane ^ plane.dtype.type(top) if channels == "CMYK" else plane for plane in single
        ]
        full = [
            plane if plane.shape == (part.height, part.width) else _padded(plane, geometry)
            for plane, part in zip(turned, geometry.planes, strict=True)
        ]
    return [_whole_blocks(full[i], geometry, i) for i in range(len(geometry.planes))]


def stored_samples(image: Image, channels: str, precision: int) -> Samples:
    """The components of a lossless file, (h, w) or (h, w, n): nothing but inks is changed.

    Parameters
    ----------
    image : array or tuple of arrays
    channels : str
        As for :func:`component_planes`.
    precision : int
        Bits of a sample.
    """
    samples = np.stack(image, axis=-1) if isinstance(image, tuple) else image
    if channels == "CMYK":
        samples = samples ^ samples.dtype.type((1 << precision) - 1)
    return samples


def dtype_of(image: Image) -> np.dtype[Any]:
    """uint8 or uint16."""
    return image[0].dtype if isinstance(image, tuple) else image.dtype


def _sizes(geometry: Geometry) -> tuple[int, int]:
    """Rows and columns of a picture whose edges are repeated as far as merging needs it."""
    rows = -(-geometry.height // geometry.v_max) * geometry.v_max
    return rows, 8 * geometry.h_max * geometry.mcus_across


def _by_matrix(image: Samples, geometry: Geometry) -> list[Samples]:
    """Y, Cb and Cr of the first three channels, edges repeated."""
    height, width = image.shape[:2]
    full = np.empty((3, *_sizes(geometry)), image.dtype)
    flat = np.ascontiguousarray(image[:, :, :3]).reshape(height, 3 * width)
    flat.flags.writeable = False
    if image.dtype == np.uint8:
        color.rgb_to_ycbcr(flat, *full)
    else:
        deep.rgb_to_ycbcr(flat, 12, *full)
    for plane in full:
        _repeat_edges(plane, height, width)
    return list(full)


def _padded(plane: Samples, geometry: Geometry) -> Samples:
    """A full plane, edges repeated."""
    height, width = plane.shape
    out = np.empty(_sizes(geometry), plane.dtype)
    out[:height, :width] = plane
    _repeat_edges(out, height, width)
    return out


def _whole_blocks(plane: Samples, geometry: Geometry, component: int) -> Samples:
    """Samples of a component, of a plane that has its size, or is a full one with edges."""
    part = geometry.planes[component]
    samples = np.empty((8 * part.down, 8 * part.across), plane.dtype)
    if plane.shape == (part.height, part.width):
        samples[: part.height, : part.width] = plane
        _repeat_edges(samples, part.height, part.width)
        return samples
    across, down = geometry.h_max // part.h, geometry.v_max // part.v
    rows = min(plane.shape[0] // down, len(samples))
    merge = sampling.downsample if plane.dtype == np.uint8 else deep_encoder.downsample
    merge(plane, across, down, samples[:rows])
    samples[rows:] = samples[rows - 1]
    return samples


def _repeat_edges(samples: Samples, height: int, width: int) -> None:
    """Fill what lies right of and below the picture with its last column and row."""
    samples[:height, width:] = samples[:height, width - 1 : width]
    samples[height:] = samples[height - 1]
