"""The usual modes, encoded in one pass over small chunks: baseline files of grey and RGB pictures.

::

    pixels ─ fused.transform_mcus ─ symbols.encode_mcus ─ bytes

:func:`encode_pieces` takes 64 columns of a row of MCUs at a time through all stages
(:mod:`pyjpegml.fused`). With optimal Huffman tables that is done twice, once to count symbols and
once to code: quantized blocks of a large picture would be slower to keep, in three bytes a pixel of
memory, than to make again.

*Threads* encode pieces of some rows of MCUs. A piece needs two things of the one before: the DC
predictions, for which it makes the last MCU of that piece itself, and the bits that do not fill a
byte. So each piece is coded as if it began with a byte, and shifted by whichever thread finds that
the one before is done (:func:`pyjpegml.symbols.finish`). Nobody waits for that one as long as there
are writers. The bytes do not depend on the number of threads.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from . import fused, markers, symbols
from .coefficients import Geometry
from .heads import file_head, huffman_segments, model_of
from .huffman import AC, STANDARD_TABLES, TABLE_SLOTS
from .planes import Image
from .quantize import reciprocals
from .threads import Crew, useful_threads

#: Blocks that are coded in one go: bounds the scratch memory, of which only what is written to
#: becomes real. (From 4 MB on NumPy asks for memory in pages of 2 MB.)
PIECE_BLOCKS = 8000

#: Threads take pieces up to twice as large, since each costs a few calls: about so many each.
TURNS = 6

#: Writers for each thread: one that it codes with, and one that waits for a piece before.
WRITERS = 2

#: Below that many pixels a thread, starting it costs more than it saves.
THREAD_PIXELS = 1 << 18


@dataclass(frozen=True)
class _Setting:
    """What does not depend on the pixels, kept for the next picture of the same kind.

    Attributes
    ----------
    geometry : Geometry
    qtables : list of (8, 8) uint16
    plan : (blocks of an MCU, PLAN_FIELDS) int64
    reciprocals : (components, 192) int16
    restart_interval : int
    head : tuple of bytes
        All segments up to SOS without metadata, before and behind those of the Huffman tables.
    """

    geometry: Geometry
    qtables: list[npt.NDArray[np.uint16]]
    plan: npt.NDArray[np.int64]
    reciprocals: npt.NDArray[np.int16]
    restart_interval: int
    head: tuple[bytes, bytes]


@functools.lru_cache(maxsize=128)
def _setting(
    width: int,
    height: int,
    factors: tuple[tuple[int, int], ...],
    steps: tuple[bytes, ...],
    restart_interval: int,
) -> _Setting:
    geometry = Geometry(width, height, factors)
    qtables = [np.frombuffer(table, np.uint16).reshape(8, 8) for table in steps]
    return _Setting(
        geometry,
        qtables,
        geometry.scan_plan(model_of(len(factors)).huffman_slots),
        np.stack([reciprocals(table) for table in qtables]),
        restart_interval,
        _head(geometry, qtables, restart_interval),
    )


class _Scratch(threading.local):
    """What a thread needs while it encodes a chunk; it keeps no value from one call to the next."""

    def __init__(self) -> None:
        self.chunk = fused.new_planes(), *buffers(fused.CHUNK_BLOCKS)


def buffers(blocks: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Blocks and masks, with the spare one."""
    return np.empty((blocks + 1) * 64, np.int16), np.empty(blocks + 1, np.int64)


_SCRATCH = _Scratch()


def _pieces(setting: _Setting, threads: int) -> list[tuple[int, int]]:
    """Rows of MCUs that are encoded in one go, as (first, last).

    Threads want pieces that begin with a restart interval, because the marker before it is put on a
    byte border that only its predecessor knows.
    """
    geometry = setting.geometry
    rows = max(1, PIECE_BLOCKS // (len(setting.plan) * geometry.mcus_across))
    if threads > 1:
        rows = max(rows, min(geometry.mcus_down // (TURNS * threads), 2 * rows))
    unit = 1
    if threads > 1 and setting.restart_interval:
        unit = setting.restart_interval // math.gcd(setting.restart_interval, geometry.mcus_across)
        rows = -(-rows // unit) * unit
    pieces, first = [], 0
    while (left := geometry.mcus_down - first) > 0:
        # the last ones are smaller, so that threads end at about the same time
        size = rows if threads == 1 else max(unit, min(rows, left // (2 * threads)), rows // 3)
        size = min(-(-size // unit) * unit, left)
        pieces.append((first, first + size))
        first += size
    return pieces


class _Work:
    """The encoding of one picture, by one thread or several.

    Parameters
    ----------
    picture : (h, w) or (h, 3 w) uint8
    setting : _Setting
    crew : Crew
    """

    def __init__(self, picture: npt.NDArray[np.uint8], setting: _Setting, crew: Crew) -> None:
        self.setting, self.crew = setting, crew
        self.pieces = _pieces(setting, len(crew))
        self.alone = len(crew) == 1 or len(self.pieces) == 1
        rows = self.pieces[0][1] - self.pieces[0][0]
        self.blocks = rows * setting.geometry.mcus_across * len(setting.plan)
        self.head = picture, setting.geometry.h_max, setting.geometry.v_max

    def count(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Symbols of the rows of MCUs from `first` to `last`, by Huffman slot."""
        setting = self.setting
        counts = np.zeros((TABLE_SLOTS, 256), np.int64)
        fused.count_rows(
            *self.head, first, last, setting.reciprocals, *_SCRATCH.chunk, setting.plan,
            setting.restart_interval, np.zeros(symbols.STATE_FIELDS, np.int64), counts,
        )  # fmt: skip
        return counts

    def code(
        self, first: int, last: int, coding: symbols.CodingTables, writer: symbols.Writer,
        apart: bool,
    ) -> int:  # fmt: skip
        """Code them; bytes of the writer's `out` (:func:`pyjpegml.fused.encode_rows`)."""
        setting = self.setting
        written: int = fused.encode_rows(
            *self.head, first, last, setting.geometry.mcus, setting.reciprocals, *_SCRATCH.chunk,
            setting.plan, setting.restart_interval, coding, writer, apart,
        )  # fmt: skip
        return written

    def counts(self) -> npt.NDArray[np.int64]:
        """Symbols of the whole picture, by Huffman slot."""
        if self.alone:
            return self.count(0, self.setting.geometry.mcus_down)
        counts = self.crew.each(lambda i: self.count(*self.pieces[i]), len(self.pieces))
        return sum(counts, np.zeros((TABLE_SLOTS, 256), np.int64))

    def write(self, coding: symbols.CodingTables, file: BytesIO) -> None:
        """The entropy-coded data; the same ones for any number of threads."""
        if self.alone:
            writer = symbols.new_writer(self.blocks)
            for piece in self.pieces:
                file.write(writer.out.data[: self.code(*piece, coding, writer, False)])
            return
        free: SimpleQueue[symbols.Writer] = SimpleQueue()
        writer = symbols.new_writer(self.blocks)
        free.put(writer)
        unmade = iter(range(WRITERS * len(self.crew) - 1))
        # pieces are finished one at a time, unless their restart intervals are while they are coded
        out = None if self.setting.restart_interval else writer.out
        numbers = iter(range(len(self.pieces)))
        coded: dict[int, tuple[symbols.Writer, int]] = {}
        # the piece that is finished next, and the bits that it finds pending
        following, pending, finishing = 0, (0, 0), threading.Lock()

        def finish() -> None:
            """Finish what can be finished, unless another thread does so."""
            nonlocal following, pending
            while following in coded and finishing.acquire(blocking=False):
                try:
                    while following in coded:
                        writer, written = coded.pop(following)
                        last = following == len(self.pieces) - 1
                        found, pending = pending, symbols.pending_bits(writer, *pending)
                        written = symbols.finish(writer, written, *found, last)
                        file.write(writer.out.data[:written])
                        free.put(writer)
                        following += 1
                finally:
                    finishing.release()

        def code(_: int) -> None:
            # a writer first: who has the number of a piece does not wait for anything
            if free.empty() and next(unmade, None) is not None:
                writer = symbols.new_writer(self.blocks, out)
            else:
                writer = self.crew.get(free)
                writer.state[:] = 0
            i = next(numbers)
            coded[i] = writer, self.code(*self.pieces[i], coding, writer, True)
            finish()

        self.crew.each(code, len(self.pieces))


def _head(
    geometry: Geometry, qtables: list[npt.NDArray[np.uint16]], restart_interval: int
) -> tuple[bytes, bytes]:
    """Segments behind the metadata, up to SOS, before and behind those of the Huffman tables."""
    model = model_of(len(qtables))
    components = model.components(geometry)
    frame = markers.Frame(0, 8, geometry.height, geometry.width, components)
    slots = zip(model.identifiers, model.huffman_slots, strict=True)
    behind = markers.restart_interval_bytes(restart_interval) if restart_interval else b""
    behind += markers.scan_bytes([(identifier, *pair) for identifier, pair in slots])
    return b"".join(file_head(frame, qtables)[2:]), behind


@functools.cache
def _standard_coding_tables() -> symbols.CodingTables:
    return symbols.coding_tables(STANDARD_TABLES)


@functools.cache
def _standard_segments(components: int) -> bytes:
    used = {slot: t for slot, t in STANDARD_TABLES.items() if components > 1 or slot % AC == 0}
    return huffman_segments(used)


def is_usual(
    image: Image,
    channels: str,
    stored: str,
    factors: tuple[tuple[int, int], ...],
) -> bool:
    """Whether :func:`encode_pieces` can do it, if all steps are below 256: grey, or YCbCr from RGB,
    of 8 bits, with the usual sampling factors.
    """
    return (
        not isinstance(image, tuple)
        and image.dtype == np.uint8
        and (channels, stored) in (("grey", "grey"), ("RGB", "YCbCr"))
        and max(factors[0]) <= 2
        and factors[1:] in ((), ((1, 1), (1, 1)))
    )


def encode_pieces(
    image: npt.NDArray[np.uint8],
    factors: Sequence[tuple[int, int]],
    qtables: Sequence[npt.NDArray[np.uint16]],
    segments: bytes,
    optimize: bool,
    restart_interval: int,
    threads: int | None,
) -> bytes:
    """A baseline file of a grey or RGB image.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) C-contiguous uint8
    factors : sequence of (H, V)
        Sampling factors of each component: those of Y 1 or 2, the others 1.
    qtables : sequence of (8, 8) uint16
        Of each component, with steps up to 255.
    segments : bytes
        JFIF's marker, and other metadata.
    optimize : bool
        Huffman tables made for this image.
    restart_interval : int
        In MCUs; 0 for none.
    threads : int or None
        How many may work on it; None for all useful cores.
    """
    height, width = image.shape[:2]
    setting = _setting(
        width, height, tuple(factors), tuple(table.tobytes() for table in qtables), restart_interval
    )
    picture = fused.read_only(image.reshape(height, -1))
    file = BytesIO()  # keeps the pieces once, where joining them would hold the file twice
    with Crew(useful_threads(threads, height * width // THREAD_PIXELS)) as crew:
        work = _Work(picture, setting, crew)
        if optimize:
            coding, codes = symbols.optimal_coding(work.counts(), setting.plan)
        else:
            coding, codes = _standard_coding_tables(), _standard_segments(len(qtables))
        before, behind = setting.head
        file.write(b"".join([b"\xff\xd8", segments, before, codes, behind]))
        work.write(coding, file)
    file.write(b"\xff\xd9")
    return file.getvalue()
