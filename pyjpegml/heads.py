"""What stands before the first scan, as an encoder writes it (T.81 B.2.1).

::

    SOI ─ JFIF or Adobe, and other metadata ─ DQT, one for each distinct table ─ SOF ─ DHT

A :class:`Model` says what components mean, and how a file tells it: by JFIF's marker or Adobe's and
by their identifiers, which are those that libjpeg writes. The same meaning decides which of Annex
K's tables a component takes if it has none of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import markers
from .coefficients import Geometry
from .huffman import HuffmanTable

LUMA, CHROMA = 0, 1


@dataclass(frozen=True)
class Model:
    """What the components of a file mean, and how it says so.

    Attributes
    ----------
    groups : tuple of int
        LUMA or CHROMA for each component: which of Annex K's tables fit it, and which slot of
        Huffman tables it has.
    identifiers : tuple of int
        Names of the components in frame and scan headers.
    adobe_transform : int or None
        What Adobe's marker says of the colours; None for a JFIF marker instead.
    """

    groups: tuple[int, ...]
    identifiers: tuple[int, ...]
    adobe_transform: int | None = None

    @cached_property
    def marker(self) -> bytes:
        """The segment that says what the components mean."""
        if self.adobe_transform is None:
            return markers.jfif_bytes()
        return markers.adobe_bytes(self.adobe_transform)

    def components(self, geometry: Geometry) -> tuple[markers.FrameComponent, ...]:
        """Identifiers and sampling factors, for a frame header; all with table 0."""
        return tuple(
            markers.FrameComponent(identifier, h, v, 0)
            for identifier, (h, v) in zip(self.identifiers, geometry.sampling, strict=True)
        )

    @cached_property
    def huffman_slots(self) -> tuple[tuple[int, int], ...]:
        """Huffman tables of each component, DC and AC."""
        return tuple((group, group) for group in self.groups)


MODELS = {
    "grey": Model((LUMA,), (1,)),
    "YCbCr": Model((LUMA, CHROMA, CHROMA), (1, 2, 3)),
    "RGB": Model((LUMA,) * 3, tuple(b"RGB"), 0),
    "CMYK": Model((LUMA,) * 4, tuple(b"CMYK"), 0),
    "YCCK": Model((LUMA, CHROMA, CHROMA, LUMA), (1, 2, 3, 4), 2),
}
"""By the names of :class:`pyjpegml.metadata.ColorModel`."""


def model_of(components: int) -> Model:
    """What so many components mean if nothing else is said: grey, YCbCr, or YCCK."""
    return MODELS[{1: "grey", 3: "YCbCr", 4: "YCCK"}[components]]


def file_head(
    frame: markers.Frame, qtables: Sequence[npt.NDArray[np.uint16]], segments: bytes | None = None
) -> list[bytes]:
    """SOI, metadata, quantization tables and frame header, whose slots of tables are chosen here.

    Parameters
    ----------
    frame : Frame
    qtables : sequence of (8, 8) uint16
        Of each component; equal ones are written once.
    segments : bytes, optional
        APPn and COM segments; by default JFIF's.
    """
    distinct: list[npt.NDArray[np.uint16]] = []
    components = []
    for component, table in zip(frame.components, qtables, strict=True):
        equal = [k for k, other in enumerate(distinct) if np.array_equal(other, table)]
        components.append(replace(component, table=equal[0] if equal else len(distinct)))
        if not equal:
            distinct.append(table)
    head = [b"\xff\xd8", markers.jfif_bytes() if segments is None else segments]
    head += [markers.qtable_bytes(slot, table) for slot, table in enumerate(distinct)]
    head.append(markers.frame_bytes(replace(frame, components=tuple(components))))
    return head


def huffman_segments(tables: dict[int, HuffmanTable]) -> bytes:
    """DHT segments of tables by slot, DC 0 to 3 and AC 4 to 7 (T.81 B.2.4.2)."""
    return b"".join(markers.huffman_table_bytes(slot, tables[slot]) for slot in sorted(tables))
