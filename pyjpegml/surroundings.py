"""What stands around the picture of a file: metadata before and in it, other images behind it.

::

    SOI ─ metadata ─ picture (metadata among its scans) ─ EOI ─ other images, trailers

A picture that is written anew gets all of that back byte for byte (:meth:`Surroundings.joined`),
but for what says where the other images lie. Those are found by two lists
(:mod:`pyjpegml.containers`): MPF's index counts from its own place in the file and says how long
the first image is; Google's container counts from the end, and may say that length too. Both are
brought up to date.

What follows the picture and is in neither list (a maker's trailer, an older kind of motion photo)
is kept with them, or dropped with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import containers, markers
from .errors import JpegFormatError
from .markers import EOI, Frame, Segment
from .metadata import (
    KINDS,
    Metadata,
    color_model,
    kind,
    metadata_segments,
    with_color_model,
)

END = b"\xff\xd9"
OTHERS = ("keep", "drop")


def keeps_others(others: str | None, metadata: object) -> bool:
    """Whether other images are to stay in a file.

    Parameters
    ----------
    others : "keep", "drop" or None
        None: as the metadata, all of them or none.
    metadata : "keep", "strip" or Metadata

    Raises
    ------
    ValueError
        If it is something else, or the images are to stay without the lists of them.
    """
    if others is None:
        return metadata == "keep"
    if others not in OTHERS:
        raise ValueError(f'others is "keep", "drop" or None, not {others!r}')
    if others == "keep" and metadata != "keep":
        raise ValueError(
            'others="keep" needs metadata="keep": the lists of the other images are metadata'
        )
    return others == "keep"


def all_segments(metadata: Metadata) -> bytes:
    """All segments as they stand in a file."""
    return b"".join(markers.segment_bytes(code, bytes(p)) for code, p in metadata.segments)


@dataclass(frozen=True)
class Surroundings:
    """A file without its picture.

    Attributes
    ----------
    data : memoryview
        The file.
    segments : tuple of Segment
        APPn and COM segments, wherever they stand.
    behind : Metadata
        Those behind the first scan.
    end : int
        Offset of the first byte behind EOI.
    """

    data: memoryview
    segments: tuple[Segment, ...]
    behind: Metadata
    end: int

    def joined(self, made: bytes, metadata: Metadata, others: bool) -> bytes:
        """A file with these surroundings.

        Parameters
        ----------
        made : bytes
            SOI, all segments of `metadata`, the picture, EOI.
        metadata : Metadata
            What stands before the picture. Of several MPF indexes or XMP packets the first counts.
        others : bool
            Whether what stands behind EOI follows.

        Raises
        ------
        JpegUnsupportedError
            If the index of other images contradicts the file.
        """
        view = memoryview(made)
        behind = all_segments(self.behind)
        if not others:
            return b"".join([view[:-2], behind, END])
        written = len(all_segments(metadata))
        rest = len(made) - written + len(behind)
        lengthened = metadata
        for _ in range(3):  # another number of digits moves the end, perhaps to yet another one
            lengthened = self._lengthened(metadata, rest + len(all_segments(lengthened)))
        segments = all_segments(self._indexed(lengthened, rest + len(all_segments(lengthened))))
        picture = view[2 + written : -2]
        return b"".join([view[:2], segments, picture, behind, END, self.data[self.end :]])

    def _lengthened(self, metadata: Metadata, end: int) -> Metadata:
        """The metadata with a container for a first image that ends at `end`."""
        packets = [bytes(packet) for packet in metadata.contents("XMP")]
        if not packets:
            return metadata
        packets[0] = containers.lengthened_primary(packets[0], self.end, end)
        signature = KINDS["XMP"][1]
        return metadata.replaced("XMP", [signature + packet for packet in packets])

    def _indexed(self, metadata: Metadata, end: int) -> Metadata:
        """The metadata with an index of the other images for a first one that ends at `end`."""
        indexes = metadata.contents("MPF")
        if not indexes:
            return metadata
        number = next(i for i, s in enumerate(metadata.segments) if kind(*s) == "MPF")
        signature = KINDS["MPF"][1]
        before = sum(4 + len(payload) for _, payload in metadata.segments[:number])
        offsets = [s.offset for s in self.segments if kind(s.code, s.payload) == "MPF"]
        moved = containers.moved_index(
            indexes[0],
            (offsets[0] + 4 + len(signature), 2 + before + 4 + len(signature)),
            (self.end, end),
        )
        return metadata.replaced("MPF", [signature + moved, *map(bytes, indexes[1:])])

    def spliced(self, metadata: Metadata, frame: Frame, behind: bool) -> bytes:
        """The picture as it is coded, with other metadata in place of its own.

        Parameters
        ----------
        metadata : Metadata
            Before the picture. Markers of what the components mean stay as they are needed.
        frame : Frame
        behind : bool
            Whether segments behind the first scan stay.
        """
        kept = len(self.segments) - len(self.behind.segments)
        before = Metadata.of(self.segments[:kept])
        chosen = with_color_model(metadata, frame, color_model(before, frame))
        parts: list[bytes | memoryview] = [b"\xff\xd8", metadata_segments(chosen)]
        position = 2
        for segment in self.segments[: kept if behind else None]:
            parts.append(self.data[position : segment.offset])
            position = segment.end
        return b"".join([*parts, self.data[position : self.end]])


def sound_segments(data: memoryview) -> list[Segment]:
    """Segments of a file that can be decoded, up to where it breaks off behind its last scan."""
    found = []
    try:
        for segment in markers.segments(data):
            found.append(segment)
    except JpegFormatError:
        pass  # what breaks off there is no part of the picture
    return found


def read_surroundings(data: memoryview, segments: Iterable[Segment] | None = None) -> Surroundings:
    """What stands around the picture of a file that can be decoded.

    Parameters
    ----------
    data : memoryview
    segments : iterable of Segment, optional
        Its sound ones, if they are known.
    """
    found: list[Segment] = []
    first_scan = end = len(data)
    for segment in sound_segments(data) if segments is None else segments:
        if segment.code == markers.COM or 0xE0 <= segment.code <= 0xEF:
            found.append(segment)
        elif segment.code == markers.SOS:
            first_scan = min(first_scan, segment.offset)
        elif segment.code == EOI:
            end = segment.end
    behind = Metadata.of(s for s in found if s.offset > first_scan)
    return Surroundings(data, tuple(found), behind, end)
