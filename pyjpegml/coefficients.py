"""Where the coefficients of a picture lie, and how planes become coefficients and back.

:class:`Geometry` does the arithmetic of T.81 A.1.1 and A.2.4 once: how large each component is, how
many blocks it has, how many an interleaved scan pads it to, and where its array lies in the one
flat int16 array that holds all of them (the layout is decided in ``docs/design.rst``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from . import scan
from .dct import forward_dct, inverse_dct
from .huffman import AC

Number = TypeVar("Number", np.int16, np.float32)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True)
class Plane:
    """Size of one component.

    Attributes
    ----------
    h, v : int
        Sampling factors, 1 to 4.
    width, height : int
        Samples that are part of the picture (T.81 A.1.1).
    across, down : int
        Blocks that hold them.
    stride, rows : int
        Blocks in the array: whole MCUs.
    offset : int
        Index of the first coefficient in the flat array.
    """

    h: int
    v: int
    width: int
    height: int
    across: int
    down: int
    stride: int
    rows: int
    offset: int


class Geometry:
    """Sizes of a picture's components.

    Parameters
    ----------
    width, height : int
        Of the picture, 1 to 65535.
    sampling : sequence of (H, V)
        Sampling factors of each component, 1 to 4.

    Attributes
    ----------
    planes : tuple of Plane
    h_max, v_max : int
        Largest sampling factors.
    mcus_across, mcus_down : int
        MCUs of an interleaved scan.
    size : int
        Coefficients of all components.
    """

    def __init__(self, width: int, height: int, sampling: Sequence[tuple[int, int]]) -> None:
        if len(sampling) == 1:
            sampling = [(1, 1)]  # one component is never interleaved: its factors mean nothing
        self.width = width
        self.height = height
        self.sampling = tuple(sampling)
        self.h_max = max(h for h, _ in sampling)
        self.v_max = max(v for _, v in sampling)
        self.mcus_across = _ceil_div(width, 8 * self.h_max)
        self.mcus_down = _ceil_div(height, 8 * self.v_max)
        planes = []
        offset = 0
        for h, v in sampling:
            plane_width = _ceil_div(width * h, self.h_max)
            plane_height = _ceil_div(height * v, self.v_max)
            plane = Plane(
                h=h,
                v=v,
                width=plane_width,
                height=plane_height,
                across=_ceil_div(plane_width, 8),
                down=_ceil_div(plane_height, 8),
                stride=self.mcus_across * h,
                rows=self.mcus_down * v,
                offset=offset,
            )
            planes.append(plane)
            offset += 64 * plane.stride * plane.rows
        self.planes = tuple(planes)
        self.size = offset

    @property
    def whole_ratios(self) -> bool:
        """Whether one sample of each component covers whole columns and rows of the picture."""
        return all(self.h_max % p.h == 0 == self.v_max % p.v for p in self.planes)

    @property
    def mcus(self) -> int:
        """MCUs of an interleaved scan of all components."""
        return self.mcus_across * self.mcus_down

    def view(self, coefficients: npt.NDArray[Number], component: int) -> npt.NDArray[Number]:
        """One component's array in the flat one: (rows, stride, 64), blocks of whole MCUs."""
        plane = self.planes[component]
        size = 64 * plane.stride * plane.rows
        return coefficients[plane.offset : plane.offset + size].reshape(
            plane.rows, plane.stride, 64
        )

    def scan_plan(
        self, slots: Sequence[tuple[int, int]], chosen: Sequence[int] | None = None
    ) -> npt.NDArray[np.int64]:
        """Plan of a scan (fields: :mod:`pyjpegml.scan`).

        A scan of one component is not interleaved: its MCU is one block, and there are no dummies
        (T.81 A.2.2).

        Parameters
        ----------
        slots : sequence of (DC, AC)
            Huffman table of each of its components, 0 to 3.
        chosen : sequence of int, optional
            Which components it has; all of them if not given.
        """
        chosen = range(len(self.planes)) if chosen is None else chosen
        rows = []
        for i, (dc, ac) in zip(chosen, slots, strict=True):
            plane = self.planes[i]
            h, v = (plane.h, plane.v) if len(chosen) > 1 else (1, 1)
            for row_in_mcu in range(v):
                for column in range(h):
                    row = [0] * scan.PLAN_FIELDS
                    row[scan.COMPONENT] = i
                    row[scan.OFFSET] = plane.offset
                    row[scan.STRIDE] = plane.stride
                    row[scan.ACROSS] = plane.across
                    row[scan.DOWN] = plane.down
                    row[scan.H], row[scan.V] = h, v
                    row[scan.COLUMN], row[scan.ROW] = column, row_in_mcu
                    row[scan.DC_SLOT] = dc
                    row[scan.AC_SLOT] = AC + ac
                    rows.append(row)
        return np.array(rows, np.int64)

    def scan_size(self, chosen: Sequence[int]) -> tuple[int, int]:
        """MCUs across and down in a scan of some components."""
        if len(chosen) > 1:
            return self.mcus_across, self.mcus_down
        plane = self.planes[chosen[0]]
        return plane.across, plane.down

    def transform(self, planes: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.int16]:
        """Forward DCT of all components.

        Parameters
        ----------
        planes : sequence of (8 down, 8 across) uint8
            Samples of each component, padded to whole blocks.

        Returns
        -------
        (size,) int16
            Coefficients times 8, dummy blocks zero.
        """
        coefficients = np.zeros(self.size, np.int16)
        for i, plane in enumerate(self.planes):
            forward_dct(planes[i], plane.down, plane.across, self.view(coefficients, i))
        return coefficients

    def reconstruct(
        self, coefficients: npt.NDArray[np.int16], qtables: Sequence[npt.NDArray[np.uint16]]
    ) -> list[npt.NDArray[np.uint8]]:
        """Dequantize and inverse DCT: the planes that any decoder starts its upsampling from.

        Parameters
        ----------
        coefficients : (size,) int16
        qtables : sequence of (8, 8) uint16
            Of each component.

        Returns
        -------
        list of (8 down, 8 across) uint8
        """
        planes = []
        for i, plane in enumerate(self.planes):
            samples = np.empty((8 * plane.down, 8 * plane.across), np.uint8)
            table = np.ascontiguousarray(qtables[i], np.int32).reshape(64)
            view = self.view(coefficients, i)
            inverse_dct(view, plane.down, plane.across, table, samples)
            planes.append(samples)
        return planes
