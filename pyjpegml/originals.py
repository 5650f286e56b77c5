"""What :func:`pyjpegml.compress` is given, and what its files hold besides the picture.

::

    array of grey, RGB or inks ─┬─ pixels ─ search ─┐
    JPEG ─ decode ──────────────┘                   ├─ the smaller one
       └── recode, without loss ────────────────────┘

Of a JPEG there is always a file without any loss, which is never larger than the JPEG itself
(:func:`pyjpegml.recode`). What comes out is no larger than that.

*Inks* are scored as they are given, each of the four by itself, and stored as YCCK: the matrix of
JFIF takes C, M and Y for R, G and B, and K is a component like Y.

*Other images* behind the first, and the lists of them, go along or are left out
(:mod:`pyjpegml.surroundings`). So do metadata between scans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from .arguments import check_image
from .decoder import decode
from .errors import JpegError, JpegUnsupportedError
from .header import Header, read_header
from .heads import model_of
from .markers import APP0, Frame, FrameComponent, jfif_bytes
from .metadata import ColorModel, Metadata, metadata_segments, with_color_model
from .rewriting import chosen_metadata, frame_of, recode
from .surroundings import Surroundings, all_segments, keeps_others, read_surroundings

#: A file this many times smaller than what the usual progressive scans make of the JPEG without
#: loss is smaller than what any scans make of it: those share its bits of DC.
FAR = 4


@dataclass(frozen=True)
class Original:
    """A picture that is to be compressed.

    Attributes
    ----------
    pixels : (h, w), (h, w, 3) or (h, w, 4) uint8
    segments : bytes
        APPn and COM segments of files that are made of it.
    finish : callable or None
        Puts into such a file what stands behind its picture.
    jpeg : Jpeg or None
        The file that it comes in.
    notes : tuple of str
        What became of the other images in the file.
    """

    pixels: npt.NDArray[np.uint8]
    segments: bytes
    finish: Callable[[bytes], bytes] | None = None
    jpeg: Jpeg | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Jpeg:
    """A JPEG that is to be made smaller.

    Attributes
    ----------
    data : bytes
    header : Header
    around : Surroundings
    metadata : "keep", "strip" or Metadata
        Which are asked for.
    others : bool
        Whether other images stay.
    """

    data: bytes
    header: Header
    around: Surroundings
    metadata: str | Metadata
    others: bool

    def without_loss(self, progressive: bool, size: int) -> bytes:
        """The smallest file without any loss.

        Parameters
        ----------
        progressive : bool
            Whether files may be progressive that are written anew.
        size : int
            Of a file with some loss. What is FAR from being as small need not be the smallest.
        """
        write = partial(
            recode, self.data, metadata=self.metadata, others="keep" if self.others else "drop"
        )
        try:
            made = write(progressive=progressive)
            if progressive and len(made) < FAR * size:
                made = min(made, write(progressive="search"), key=len)
        except JpegError:  # it is lossless, or has coefficients that no file should have
            made = self._as_it_is()
        return made

    def _as_it_is(self) -> bytes:
        """The file, with other metadata."""
        if self.others:
            return self.data
        chosen = chosen_metadata(self.metadata, self.header.metadata)
        return self.around.spliced(chosen, frame_of(self.header), self.metadata == "keep")


def read_original(
    image: npt.ArrayLike | bytes,
    color: str | None = None,
    metadata: str | Metadata | None = None,
    others: str | None = None,
    threads: int | None = 1,
) -> Original:
    """What :func:`pyjpegml.compress` is given, by its own arguments.

    Raises
    ------
    TypeError, ValueError
        If one of them is something else.
    JpegError
        If it is a JPEG that cannot be decoded, or of a kind that is not taken.
    """
    metadata = "keep" if metadata is None else metadata
    kept = keeps_others(others, metadata)
    if not isinstance(image, (bytes, bytearray, memoryview)):
        pixels = check_image(image, color)
        given = chosen_metadata(metadata, Metadata())
        return Original(pixels, metadata_segments(_labelled(given, pixels)))
    if color is not None:
        raise ValueError(f"color={color!r} is for arrays: a JPEG says itself what it holds")
    data = bytes(image)
    header = read_header(data)
    if len(header.components) not in (1, 3, 4) or header.precision != 8:
        raise JpegUnsupportedError(
            f"compress takes JPEG files of 8 bits with 1, 3 or 4 components; this one has "
            f"{len(header.components)} components of {header.precision} bits"
        )
    inks = "CMYK" if len(header.components) == 4 else None
    pixels = check_image(decode(data, threads=threads), inks)
    around = read_surroundings(memoryview(data))
    chosen = chosen_metadata(metadata, header.metadata)
    chosen = _labelled(chosen, pixels)
    finish = None
    if metadata == "keep" and (kept or around.behind.segments):
        finish = partial(around.joined, metadata=chosen, others=kept)
    jpeg = Jpeg(data, header, around, metadata, kept)
    segments = all_segments(chosen) if kept else metadata_segments(chosen)
    return Original(pixels, segments, finish, jpeg, _notes(jpeg))


def _labelled(metadata: Metadata, pixels: npt.NDArray[np.uint8]) -> Metadata:
    """Metadata that say what the components of a file made of these pixels are."""
    if pixels.shape[2:] == (4,):
        model = model_of(4)
        frame = Frame(0, 8, 1, 1, tuple(FrameComponent(i, 1, 1, 0) for i in model.identifiers))
        return with_color_model(metadata, frame, ColorModel("YCCK", inverted=True))
    kept = metadata.without("Adobe", "JFXX")
    if kept.contents("JFIF"):
        return kept
    return Metadata(((APP0, jfif_bytes()[4:]), *kept.segments))


def _notes(jpeg: Jpeg) -> tuple[str, ...]:
    """What becomes of the other images in a file."""
    done = "kept" if jpeg.others else "dropped"
    size, metadata = len(jpeg.data), jpeg.header.metadata
    notes = [f"{done}: {image.kind} of {image.size} bytes" for image in metadata.images]
    if rest := metadata.unlisted_bytes(jpeg.around.end, size):
        notes.append(f"{done}: {rest} bytes behind the picture, in no list of images")
    return tuple(notes)
