"""Which sizes the components of a scaled picture are decoded at, as libjpeg chooses them.

At 1/n a component gets samples of size 8/n, unless it was subsampled: then it takes a
larger transform, up to 8, as long as its samples do not become more than the pixels. At 1/2 the
chroma of a 4:2:0 file is not upsampled at all; it takes the 8x8 transform. Both directions go
together (a transform is square), so at 1/2 the chroma of 4:2:2 stays at 4x4. What is left is
upsampled: ratios of 1 and 2 by the triangle filter (:mod:`pyjpegml.sampling`), but not at 1/8,
where libjpeg repeats samples, as for other ratios at any scale.

:func:`plan_scale` decides all that. A scaled picture is then like any other that has fewer pixels
and less subsampling, and that is how the plan describes it: as a :class:`Geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .coefficients import Geometry

#: A picture can be decoded at 1/n for these n.
DENOMINATORS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Scale:
    """How a picture is decoded at a scale; :func:`plan_scale` makes it.

    Attributes
    ----------
    denominator : int
        1, 2, 4 or 8.
    sizes : tuple of int
        Of each component the size of the inverse transform: 1, 2, 4 or 8.
    geometry : Geometry
        The scaled picture: its size, and sampling factors that say what is left to be upsampled.
        Its blocks and MCUs mean nothing.
    """

    denominator: int
    sizes: tuple[int, ...]
    geometry: Geometry

    def triangle(self, component: int) -> bool:
        """Whether a component is upsampled by the triangle filter, or not at all.

        Else its samples are repeated.
        """
        plane, picture = self.geometry.planes[component], self.geometry
        if (plane.h, plane.v) == (picture.h_max, picture.v_max):
            return True
        halved = picture.h_max in (plane.h, 2 * plane.h) and picture.v_max in (plane.v, 2 * plane.v)
        return halved and self.denominator < 8


def plan_scale(geometry: Geometry, denominator: int) -> Scale:
    """Sizes of the transforms, of the picture and of its components at a scale.

    Parameters
    ----------
    geometry : Geometry
        The picture as it was coded.
    denominator : int
        1, 2, 4 or 8.

    Raises
    ------
    ValueError
        For other denominators.

    Examples
    --------
    >>> scale = plan_scale(Geometry(101, 50, [(2, 2), (1, 1), (1, 1)]), 2)
    >>> scale.sizes, scale.geometry.width, scale.geometry.height, scale.geometry.sampling
    ((4, 8, 8), 51, 25, ((2, 2), (2, 2), (2, 2)))
    """
    if denominator not in DENOMINATORS:
        raise ValueError(f"a picture is decoded at 1/1, 1/2, 1/4 or 1/8, not 1/{denominator}")
    least = 8 // denominator
    sizes = []
    for plane in geometry.planes:
        size = least
        while (
            size < 8
            and geometry.h_max * least % (2 * size * plane.h) == 0
            and geometry.v_max * least % (2 * size * plane.v) == 0
        ):
            size *= 2
        sizes.append(size)
    scaled = Geometry(
        -(-geometry.width // denominator),
        -(-geometry.height // denominator),
        [
            (plane.h * size // least, plane.v * size // least)
            for plane, size in zip(geometry.planes, sizes, strict=True)
        ],
    )
    return Scale(denominator, tuple(sizes), scaled)
