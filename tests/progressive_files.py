"""Whole progressive files through the stages, without the decoder around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from helpers import PAINTINGS
from hypothesis import strategies as st

from pyjpegml import bitio, decoder, markers, progressive, scan, smoothing, strips
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.huffman import AC, HuffmanTable, optimal_table
from pyjpegml.progression import Progression


@st.composite
def any_tables(draw: st.DrawFn) -> HuffmanTable:
    """Tables of any symbols, with codes of all lengths."""
    symbols = draw(st.lists(st.integers(0, 255), unique=True, min_size=1, max_size=256))
    counts = np.zeros(256, np.int64)
    growth = draw(st.sampled_from([1.0, 1.05, 1.5, 3.0]))
    counts[symbols] = np.floor(growth ** np.arange(len(symbols)).clip(0, 50))
    return optimal_table(counts)


def scan_plan(
    geometry: Geometry, components: list[tuple[int, int, int]]
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Plan, MCUs across and MCUs of a scan of (component, DC slot, AC slot)."""
    whole = geometry.scan_plan([(0, 0)] * len(geometry.planes))
    rows = []
    for component, dc, ac in components:
        part = whole[whole[:, scan.COMPONENT] == component]
        part[:, scan.DC_SLOT], part[:, scan.AC_SLOT] = dc, AC + ac
        rows.append(part)
    if len(components) > 1:
        return np.concatenate(rows), geometry.mcus_across, geometry.mcus
    plane = geometry.planes[components[0][0]]
    alone = rows[0][:1]
    alone[:, scan.H] = alone[:, scan.V] = 1
    return alone, plane.across, plane.across * plane.down


@dataclass
class Picture:
    """What the scans of a file make up."""

    stream: decoder.Stream
    geometry: Geometry
    coefficients: npt.NDArray[np.int16]
    masks: npt.NDArray[np.uint64]
    progression: Progression
    warnings: list[str] = field(default_factory=list)
    status: int = scan.OK
    reached: int = 1 << 16  # row of MCUs of the picture that the data of the last scan reach

    @property
    def qtables(self) -> list[npt.NDArray[np.uint16]]:
        frame = self.stream.frame
        assert frame is not None
        return [self.stream.qtables[c.table] for c in frame.components]


def to_frame(data: bytes) -> decoder.Stream:
    stream = decoder.Stream(memoryview(data), position=2)
    while stream.frame is None:
        stream.next()
    return stream


@dataclass
class Scan:
    """One scan of a file, ready for the kernels."""

    arguments: tuple[object, ...]
    header: markers.ScanHeader
    components: list[int]
    begin: int  # offset of the entropy-coded data


def scans(stream: decoder.Stream, geometry: Geometry) -> Iterator[Scan]:
    """Walk through the scans of a stream."""
    frame = stream.frame
    assert frame is not None
    order = [c.identifier for c in frame.components]
    data = np.frombuffer(stream.data, np.uint8)
    while stream.position < len(data):
        segment = stream.next()
        if segment.code == markers.EOI:
            return
        if segment.code != markers.SOS:
            continue
        header = markers.parse_scan(segment)
        parts = [(order.index(identifier), dc, ac) for identifier, dc, ac in header.components]
        plan, across, mcus = scan_plan(geometry, parts)
        restart = stream.restart_interval
        plain = np.empty(data.size - segment.end + bitio.PADDING, np.uint8)
        ends, numbers, offsets = np.zeros((3, mcus + 1), np.int64)
        found, stream.position = bitio.destuff(data, segment.end, plain, ends, numbers, offsets)
        if restart:
            mcus = min(mcus, found * restart)
        band = header.start, header.end, header.high, header.low
        tables = dict(stream.huffman_tables)
        yield Scan(
            (plain, ends, restart, mcus, plan, across, band, tables),
            header,
            [part[0] for part in parts],
            segment.end,
        )


def read(data: bytes) -> Picture:
    """All scans of a progressive file; stops where one has an error."""
    stream = to_frame(data)
    frame = stream.frame
    assert frame is not None
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    picture = Picture(
        stream,
        geometry,
        np.zeros(geometry.size, np.int16),
        np.zeros(geometry.size // 64, np.uint64),
        Progression(len(frame.components)),
    )
    for each in scans(stream, geometry):
        h = each.header
        picture.warnings += picture.progression.begin(
            each.components, h.start, h.end, h.high, h.low
        )
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        picture.status = progressive.decode_scan(
            *each.arguments, reader, picture.coefficients, picture.masks
        )
        if picture.status != scan.OK:
            picture.reached = int(reader[scan.MCU]) // each.arguments[5]  # type: ignore[operator]
            if len(each.components) == 1:
                picture.reached //= frame.components[each.components[0]].v
            break
    return picture


def smoothed(picture: Picture) -> npt.NDArray[np.int16]:
    """Coefficients as the inverse DCT is to take them."""
    if not smoothing.applies(picture.progression.coef_bits):
        return picture.coefficients
    frame, geometry = picture.stream.frame, picture.geometry
    assert frame is not None
    out = picture.coefficients.copy()
    for i, plane in enumerate(geometry.planes):
        levels = smoothing.scratch(plane.across)
        view = geometry.view(out, i)
        dc = view[..., 0].copy()
        v = frame.components[i].v
        for row in range(0, plane.down, v):
            last = min(row + v, plane.down)
            sound = row // v <= picture.reached
            smoothing.smooth_rows(
                dc, plane.across, plane.down, v, row, last,
                picture.qtables[i].reshape(64).astype(np.int32),
                picture.progression.known(i, sound), ZIGZAG, levels, view,
            )  # fmt: skip
    return out


def decode(data: bytes, color: str = "YCbCr") -> npt.NDArray[np.uint8]:
    """Pixels of a progressive file of 8 bits and usual sampling, also if its data end early."""
    picture = read(data)
    assert picture.status in (scan.OK, scan.ENDED_EARLY)
    planes = picture.geometry.reconstruct(smoothed(picture), picture.qtables)
    return strips.picture(picture.geometry, planes, PAINTINGS[color])


def cut(data: bytes) -> list[bytes]:
    """The file as it is behind each of its scans, the last excepted, with an EOI marker."""
    stream = to_frame(data)
    found = []
    while (segment := stream.next()).code != markers.EOI:
        if segment.code == markers.SOS:
            position = segment.end
            while data[position] != 0xFF or data[position + 1] in (0, *range(0xD0, 0xD8)):
                position += 1
            stream.position = position
            found.append(data[:position] + b"\xff\xd9")
    return found[:-1]
