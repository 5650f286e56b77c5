"""Metadata: what a file says besides its pixels, kept byte for byte and read on demand.

::

    markers.next_segment ─ Metadata.segments ─ exif, orientation, icc, xmp, jfif, adobe, images ...

A :class:`Metadata` holds the APPn and COM segments of a file in their order, as views of the input:
to make one copies nothing, whatever the segments hold, and they can be written back as they are.
Each property parses its own segments when it is first asked for. No bytes make one of them fail:
what is wrong is told in :attr:`Metadata.warnings`, and what cannot be read is None or left out. All
take time and memory in proportion to the segments they read.

The formats stand in files of their own: :mod:`~pyjpegml.exif`, :mod:`~pyjpegml.icc`,
:mod:`~pyjpegml.xmp`, :mod:`~pyjpegml.jfif` (with Adobe's marker) and :mod:`~pyjpegml.containers`
(MPF and gain maps), with the functions that make segments. What the components of a frame mean is
decided from JFIF's and Adobe's markers by :func:`color_model`.

*Writing.* What was read is written back byte for byte (:func:`metadata_segments`). Other metadata
are made of parts (:meth:`Metadata.made_of`), or of those of a file by leaving some kinds out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from . import containers
from . import exif as exif_data
from . import icc as icc_profile
from . import jfif as jfif_data
from . import xmp as xmp_data
from .containers import OtherImage
from .jfif import Adobe, Jfif, Thumbnail
from .markers import APP0, APP14, COM, Frame, Segment, marker_name, next_segment, segment_bytes
from .segments import APP1, APP2, Payload, Problems, comment_segment, first_counts

KINDS: dict[str, tuple[int, bytes]] = {
    "JFIF": (APP0, jfif_data.JFIF),
    "JFXX": (APP0, jfif_data.JFXX),
    "Exif": (APP1, exif_data.SIGNATURE),
    "XMP": (APP1, xmp_data.SIGNATURE),
    "extended XMP": (APP1, xmp_data.EXTENSION),
    "ICC profile": (APP2, icc_profile.SIGNATURE),
    "MPF": (APP2, containers.MPF),
    "ISO gain map": (APP2, containers.ISO_GAIN_MAP),
    "Adobe": (APP14, jfif_data.ADOBE),
    "comment": (COM, b""),
}
"""Marker and signature of each kind of segment that is read."""

#: As many warnings are given of one kind of segment; a last one says how many there are besides.
MOST_WARNINGS = 8


def kind(code: int, payload: Payload) -> str | None:
    """What a segment holds, one of :data:`KINDS`; None for others."""
    for name, (marker, signature) in KINDS.items():
        if code == marker and payload[: len(signature)] == signature:
            return name
    return None


@dataclass(frozen=True, repr=False)
class Metadata:
    """The APPn and COM segments of a file, in order, and what they say.

    Two are equal if they hold the same segments.

    Attributes
    ----------
    segments : tuple of (code, payload)
        Second byte of the marker, and what stands behind the length: bytes, or a view of the input,
        which it keeps alive (see :meth:`detached`).
    offsets : tuple of int
        Byte offset of each segment's marker in the file; empty if they are of no file.

    Examples
    --------
    >>> from pyjpegml.icc import icc_segments
    >>> from pyjpegml.segments import comment_segment
    >>> metadata = Metadata((*icc_segments(b"a profile"), comment_segment(b"hello")))
    >>> metadata.icc, metadata.comments, metadata.orientation
    (b'a profile', (b'hello',), 1)
    """

    segments: tuple[tuple[int, Payload], ...] = ()
    offsets: tuple[int, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Metadata:
        """The metadata among the segments of a file, as :func:`markers.next_segment` gives them."""
        kept = [s for s in segments if s.code == COM or 0xE0 <= s.code <= 0xEF]
        return cls(tuple((s.code, s.payload) for s in kept), tuple(s.offset for s in kept))

    @classmethod
    def made_of(
        cls,
        *,
        jfif: Jfif | None = None,
        exif: bytes | None = None,
        xmp: bytes | None = None,
        extended_xmp: bytes = b"",
        icc: bytes | None = None,
        adobe: Adobe | None = None,
        comments: Iterable[bytes | str] = (),
    ) -> Metadata:
        """Metadata made of parts, in the order in which programs expect them.

        Parameters
        ----------
        jfif : Jfif, optional
            Version and density.
        exif : bytes, optional
            A TIFF file, as :attr:`exif` gives it.
        xmp, extended_xmp : bytes, optional
            A packet that does not fit into a segment is written as extended XMP.
        icc : bytes, optional
            A profile, which is split into chunks.
        adobe : Adobe, optional
            Transform of the colours.
        comments : iterable of bytes or str
            Text becomes UTF-8.

        Raises
        ------
        TypeError
            If comments are a single one.
        ValueError
            If a part is larger than its format can hold; the message says both sizes.

        Examples
        --------
        >>> from pyjpegml.jfif import Jfif
        >>> Metadata.made_of(jfif=Jfif((1, 1), 1, (300, 300)), comments=[b"hello"])
        <Metadata of 19 bytes: JFIF, comment>
        """
        segments: list[tuple[int, Payload]] = []
        if jfif is not None:
            segments.append(jfif_data.jfif_segment(jfif))
        if exif is not None:
            segments.append(exif_data.exif_segment(exif))
        if xmp is not None:
            segments += xmp_data.xmp_segments(xmp, extended_xmp)
        if icc is not None:
            segments += icc_profile.icc_segments(icc)
        if adobe is not None:
            segments.append(jfif_data.adobe_segment(adobe))
        if isinstance(comments, (bytes, str)):
            raise TypeError(f"comments are several: pass [{comments!r:.40}]")
        segments += [comment_segment(comment) for comment in comments]
        return cls(tuple(segments))

    def without(self, *kinds: str | None) -> Metadata:
        """The same without the segments of some :data:`KINDS`; None for those that are of none."""
        self._check_kinds(kinds)
        left_out = {i for name in kinds for i in self._numbers.get(name, [])}
        return Metadata(tuple(s for i, s in enumerate(self.segments) if i not in left_out))

    def only(self, *kinds: str | None) -> Metadata:
        """The segments of some :data:`KINDS` and no others."""
        self._check_kinds(kinds)
        return self.without(*({*KINDS, None} - set(kinds)))

    def of_first_image(self) -> Metadata:
        """The same without what is said of other images in the file, for files without them.

        That is their index (MPF); and where images are listed, the parameters of a gain map, and an
        XMP packet that lists them or says that there is a gain map.
        """
        if not self.images:
            return self.without("MPF")
        packet = memoryview(self.xmp or b"")
        told = bool(self._items[0]) or containers.has_gain_map_version(packet)
        return self.without("MPF", "ISO gain map", *(("XMP", "extended XMP") if told else ()))

    def replaced(self, name: str, payloads: Sequence[bytes]) -> Metadata:
        """The same with other payloads in place of those of a kind, one for each segment."""
        segments = list(self.segments)
        for i, payload in zip(self._numbers.get(name, []), payloads, strict=True):
            segments[i] = segments[i][0], payload
        return Metadata(tuple(segments), self.offsets)

    def _check_kinds(self, kinds: Iterable[str | None]) -> None:
        for name in kinds:
            if name is not None and name not in KINDS:
                raise ValueError(f"kinds of metadata are {', '.join(KINDS)}; not {name!r}")

    def detached(self) -> Metadata:
        """The same with copies of all payloads, so that the input can be freed or changed."""
        return Metadata(tuple((code, bytes(data)) for code, data in self.segments), self.offsets)

    def __reduce__(self) -> tuple[object, ...]:
        copy = self.detached()
        return Metadata, (copy.segments, copy.offsets)

    def __repr__(self) -> str:
        names = [kind(code, data) or marker_name(code) for code, data in self.segments]
        size = sum(len(data) for _, data in self.segments)
        return f"<Metadata of {size} bytes: {', '.join(dict.fromkeys(names)) or 'none'}>"

    # --- which segments ---------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> dict[str | None, list[int]]:
        """Which segments are of which kind."""
        numbers: dict[str | None, list[int]] = {}
        for i, (code, payload) in enumerate(self.segments):
            numbers.setdefault(kind(code, payload), []).append(i)
        return numbers

    def contents(self, name: str) -> list[memoryview]:
        """What stands behind the signature in each segment of a kind, one of :data:`KINDS`."""
        start = len(KINDS[name][1])
        numbers = self._numbers.get(name, [])
        return [memoryview(self.segments[i][1])[start:] for i in numbers]

    @property
    def others(self) -> tuple[tuple[int, Payload], ...]:
        """The segments that nothing here reads, such as Photoshop's APP13."""
        return tuple(self.segments[i] for i in self._numbers.get(None, []))

    # --- what they say ----------------------------------------------------------------------------

    @cached_property
    def exif(self) -> bytes | None:
        """Exif data, a TIFF file: all that stands behind ``Exif 00 00``."""
        parts = self._exif[0]
        return b"".join(parts) if parts else None

    @cached_property
    def _exif(self) -> tuple[list[memoryview], Problems]:
        return exif_data.exif_parts(self.contents("Exif"))

    @property
    def orientation(self) -> int:
        """Orientation by Exif, 1 to 8: 1 (upright) if missing, or anything else."""
        return self._orientation[0]

    @cached_property
    def _orientation(self) -> tuple[int, Problems]:
        if self.exif is None:
            return 1, []
        value, problems = exif_data.orientation(memoryview(self.exif))
        return value, [(0, problem) for problem in problems]

    @cached_property
    def icc(self) -> bytes | None:
        """ICC profile; None if there is none, or it cannot be put together."""
        chunks = self._icc[0]
        return None if chunks is None else b"".join(chunks)

    @cached_property
    def _icc(self) -> tuple[list[memoryview] | None, Problems]:
        return icc_profile.icc_chunks(self.contents("ICC profile"))

    @cached_property
    def xmp(self) -> bytes | None:
        """XMP packet, the first one, as it stands in the file: UTF-8."""
        packets = self.contents("XMP")
        return bytes(packets[0]) if packets else None

    @cached_property
    def extended_xmp(self) -> bytes | None:
        """Extension of the XMP packet; None if there is none, or it cannot be put together."""
        pieces = self._extended_xmp[0]
        return None if pieces is None else b"".join(pieces)

    @cached_property
    def _extended_xmp(self) -> tuple[list[memoryview] | None, Problems]:
        guid = None if self.xmp is None else xmp_data.extension_guid(self.xmp)
        return xmp_data.extension_pieces(guid, self.contents("extended XMP"))

    @property
    def jfif(self) -> Jfif | None:
        """JFIF's version and density; of several markers the last, as libjpeg has it."""
        return self._jfif[0]

    @cached_property
    def thumbnails(self) -> tuple[Thumbnail, ...]:
        """Thumbnails in JFIF and JFXX segments, whole ones."""
        return tuple(self._jfif[1] + self._jfxx[0])

    @cached_property
    def _jfif(self) -> tuple[Jfif | None, list[Thumbnail], Problems]:
        return jfif_data.parse_jfif(self.contents("JFIF"))

    @cached_property
    def _jfxx(self) -> tuple[list[Thumbnail], Problems]:
        return jfif_data.parse_jfxx(self.contents("JFXX"))

    @property
    def adobe(self) -> Adobe | None:
        """Adobe's marker; of several the last, as libjpeg has it."""
        return self._adobe[0]

    @cached_property
    def _adobe(self) -> tuple[Adobe | None, Problems]:
        return jfif_data.parse_adobe(self.contents("Adobe"))

    @property
    def comments(self) -> tuple[bytes, ...]:
        """Comments, in no stated encoding."""
        return tuple(bytes(comment) for comment in self.contents("comment"))

    @cached_property
    def images(self) -> tuple[OtherImage, ...]:
        """Images in the file besides the first, as MPF and Google's container list them."""
        packet = memoryview(self.xmp or b"")
        says_so = "ISO gain map" in self._numbers or containers.has_gain_map_version(packet)
        return containers.merged(self._mpf[0], self._items[0], says_so)

    @cached_property
    def _mpf(self) -> tuple[list[OtherImage], Problems]:
        indexes = self.contents("MPF")
        if not indexes:
            return [], []
        base = None
        if self.offsets:  # behind marker, length and signature
            base = self.offsets[self._numbers["MPF"][0]] + 4 + len(containers.MPF)
        images, problems = containers.mpf_images(indexes[0], base)
        return images, [*((0, problem) for problem in problems), *first_counts(indexes)]

    @cached_property
    def _items(self) -> tuple[list[OtherImage], Problems]:
        items, problems = containers.container_items(memoryview(self.xmp or b""))
        return items, [(0, problem) for problem in problems]

    @property
    def gain_map(self) -> OtherImage | None:
        """The gain map, by which a display shows more than the range of the first image."""
        return next((image for image in self.images if image.kind == containers.GAIN_MAP), None)

    def unlisted_bytes(self, end: int, size: int) -> int:
        """Bytes of a file behind `end`, where its first image ends, that are in no listed image.

        Parameters
        ----------
        end : int
            Offset of the first byte behind EOI.
        size : int
            Of the file.
        """
        return containers.unlisted_bytes(self.images, end, size)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the metadata, with the kind of segment and its offset."""
        found: list[tuple[str, Problems]] = [
            ("JFIF", self._jfif[2]),
            ("JFXX", self._jfxx[1]),
            ("Exif", self._orientation[1] + self._exif[1]),
            ("XMP", first_counts(self.contents("XMP")) + self._items[1]),
            ("extended XMP", self._extended_xmp[1]),
            ("ICC profile", self._icc[1]),
            ("MPF", self._mpf[1]),
            ("Adobe", self._adobe[1]),
        ]
        warnings: list[str] = []
        for name, problems in found:
            warnings += [
                f"{name}: {problem}{self._place(name, i)}"
                for i, problem in problems[:MOST_WARNINGS]
            ]
            if len(problems) > MOST_WARNINGS:
                warnings.append(f"{name}: and {len(problems) - MOST_WARNINGS} more defects")
        return tuple(warnings)

    def _place(self, name: str, i: int | None) -> str:
        """Where the i-th segment of a kind lies, for messages."""
        if i is None or not self.offsets:
            return ""
        return f", at byte {self.offsets[self._numbers[name][i]]}"


# --- what the components mean --------------------------------------------------------------------


@dataclass(frozen=True)
class ColorModel:
    """What the components of a frame mean.

    Attributes
    ----------
    name : str
        ``"grey"``, ``"YCbCr"``, ``"RGB"``, ``"CMYK"``, ``"YCCK"``, or ``"2 components"`` and so on
        where nobody says what they mean.
    inverted : bool
        Whether samples of CMYK or YCCK are 255 minus the ink: so Adobe's programs store them.
    warning : str or None
        What is wrong with the transform in Adobe's marker.
    """

    name: str
    inverted: bool = False
    warning: str | None = None


def color_model(metadata: Metadata, frame: Frame) -> ColorModel:
    """What the components of a frame mean, as libjpeg-turbo decides it.

    ==========  =============  ===================  ==================  =================
    Components  JFIF           Adobe                Frame               Meaning
    ==========  =============  ===================  ==================  =================
    1           any            any                  any                 grey
    3           yes            any                  any                 YCbCr
    3           no             transform 0          any                 RGB
    3           no             transform 1          any                 YCbCr
    3           no             another transform    any                 YCbCr, a warning
    3           no             no                   lossless            RGB
    3           no             no                   ids 'R', 'G', 'B'   RGB
    3           no             no                   any other           YCbCr
    4           any            no                   any                 CMYK
    4           any            transform 0          any                 CMYK, inverted
    4           any            transform 2          any                 YCCK, inverted
    4           any            another transform    any                 YCCK, inverted,
                                                                        a warning
    2, 5 ...    any            any                  any                 unknown
    ==========  =============  ===================  ==================  =================

    Parameters
    ----------
    metadata : Metadata
        Up to the first scan: what comes later does not count.
    frame : Frame
    """
    count = len(frame.components)
    adobe = metadata.adobe
    if count == 1:
        return ColorModel("grey")
    if count == 3:
        if metadata.jfif is not None:
            return ColorModel("YCbCr")
        if adobe is not None:
            if adobe.transform == 0:
                return ColorModel("RGB")
            return ColorModel("YCbCr", warning=_transform_warning(adobe, 1))
        rgb = tuple(c.identifier for c in frame.components) == tuple(b"RGB")
        lossless = frame.sof in (3, 7, 11, 15)
        return ColorModel("RGB" if rgb or lossless else "YCbCr")
    if count == 4:
        if adobe is None:
            return ColorModel("CMYK")
        if adobe.transform == 0:
            return ColorModel("CMYK", inverted=True)
        return ColorModel("YCCK", inverted=True, warning=_transform_warning(adobe, 2))
    return ColorModel(f"{count} components")


def _transform_warning(adobe: Adobe, expected: int) -> str | None:
    """What to say if the transform is neither 0 nor the one that fits the number of components."""
    if adobe.transform == expected:
        return None
    return f"the Adobe transform is {adobe.transform}; it is taken as {expected}"


# --- writing -------------------------------------------------------------------------------------


def metadata_segments(metadata: Metadata) -> bytes:
    """The segments as they stand in a file, in their order.

    What is said of other images is left out (:meth:`Metadata.of_first_image`): they are not there.

    Raises
    ------
    ValueError
        If a payload is longer than the 65533 bytes that a segment holds, or its marker is none of
        metadata.
    """
    kept = metadata.of_first_image().segments
    for code, _ in kept:
        if code != COM and not 0xE0 <= code <= 0xEF:
            raise ValueError(f"metadata stand in APPn and COM segments, not in {marker_name(code)}")
    return b"".join(segment_bytes(code, bytes(payload)) for code, payload in kept)


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """A file as an encoder makes it, with metadata of another file besides.

    JFIF's marker stays the first segment, and takes the density. What the components mean is said
    by the file's own JFIF or Adobe marker.

    Parameters
    ----------
    data : bytes
        SOI, a JFIF or an Adobe marker, and the rest.
    metadata : Metadata
    """
    own = next_segment(memoryview(data), 2, [])
    if kind(own.code, own.payload) != "JFIF":
        rest = metadata_segments(metadata.without("JFIF", "JFXX", "Adobe"))
        return data[:2] + rest + data[2:]
    jfif = data[own.offset : own.end]
    if metadata.jfif is not None:
        jfif = segment_bytes(*jfif_data.jfif_segment(jfif_data.sound(metadata.jfif)))
    rest = metadata_segments(metadata.without("JFIF", "Adobe"))
    return data[:2] + jfif + rest + data[own.end :]


def appearance(metadata: Metadata) -> Metadata:
    """Of the metadata of a file, what decides how its picture looks, and nothing else.

    That is: how far the pixels are apart and what the components mean (JFIF, Adobe), the ICC
    profile, and the orientation if it is not upright.
    """
    turned = metadata.orientation
    return Metadata.made_of(
        jfif=metadata.jfif and jfif_data.sound(metadata.jfif),
        exif=None if turned == 1 else exif_data.orientation_exif(turned),
        icc=metadata.icc,
        adobe=metadata.adobe,
    )


def with_color_model(metadata: Metadata, frame: Frame, model: ColorModel) -> Metadata:
    """The metadata with the markers by which decoders take the components for what they are.

    They stay as they are if they say so already; else JFIF's and Adobe's markers are exchanged.

    Parameters
    ----------
    metadata : Metadata
    frame : Frame
        That they will stand in.
    model : ColorModel
        What its components mean.
    """
    found = color_model(metadata, frame)
    if (found.name, found.inverted) == (model.name, model.inverted):
        return metadata
    transform = {"RGB": 0, "CMYK": 0, "YCbCr": 1, "YCCK": 2}[model.name]
    rest = metadata.without("JFIF", "JFXX", "Adobe")
    if model.name == "CMYK" and not model.inverted:
        return rest
    return Metadata((jfif_data.adobe_segment(Adobe(100, 0, 0, transform)), *rest.segments))
