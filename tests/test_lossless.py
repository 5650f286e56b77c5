"""Lossless scans: against an encoder and decoder written from Annex H, and libjpeg-turbo."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from helpers import CONFORMANCE, natural, run_python
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles_lossless import Picture, Scan, difference_bits

from pyjpegml import bitio, deep, lossless, markers, scan
from pyjpegml.errors import JpegFormatError
from pyjpegml.huffman import HuffmanTable, decoding_tables
from pyjpegml.lossless import SampleGeometry, restart_lines

Array = npt.NDArray[np.uint16]

#: 17 codes: of one length, and of 2 to 16 bits.
FLAT = (0, 0, 0, 0, 17) + (0,) * 11
STEEP = (0, 3) + (1,) * 14

# --- a small decoder ------------------------------------------------------------------------------


class Decoded:
    """A lossless file: its planes, and how each scan ended.

    Planes are (height, width), without the point transform; `shifts` has it for each component.
    """

    def __init__(self, data: bytes) -> None:
        tables: dict[int, HuffmanTable] = {}
        self.statuses: list[int] = []
        self.readers: list[npt.NDArray[np.int64]] = []
        restart, position, view = 0, 0, memoryview(data)
        while True:
            segment = markers.next_segment(view, position, [])
            position = segment.end
            if markers.is_frame(segment.code):
                self.frame = markers.parse_frame(segment)
                self.geometry = SampleGeometry(
                    self.frame.width,
                    self.frame.height,
                    [(c.h, c.v) for c in self.frame.components],
                )
                self.samples = np.zeros(self.geometry.size, np.uint16)
                self.shifts = [0] * len(self.frame.components)
            elif segment.code == markers.DHT:
                tables |= markers.parse_huffman_tables(segment)
            elif segment.code == markers.DRI:
                restart = markers.parse_restart_interval(segment)
            elif segment.code == markers.SOS:
                position = self.scan(data, segment, tables, restart)
                if self.statuses[-1] != scan.OK:
                    return
            elif segment.code == markers.EOI:
                return

    def scan(
        self,
        data: bytes,
        segment: markers.Segment,
        tables: dict[int, HuffmanTable],
        restart: int,
    ) -> int:
        header = markers.parse_scan(segment)
        names = [c.identifier for c in self.frame.components]
        indexes = [names.index(identifier) for identifier, _, _ in header.components]
        slots = [dc for _, dc, _ in header.components]
        plan, across, down = self.geometry.scan_plan(indexes, slots)
        source = np.frombuffer(data, np.uint8)
        plain = np.empty(source.size - segment.end + bitio.PADDING, np.uint8)
        ends, numbers, offsets = np.zeros((3, across * down + 1), np.int64)
        found, end = bitio.destuff(source, segment.end, plain, ends, numbers, offsets)
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        status = lossless.decode_differences(
            plain, ends, restart, min(across * down, found * restart or across * down), plan, across,
            *decoding_tables(tables), np.zeros((len(plan), lossless.CURSOR_FIELDS), np.int64),
            reader, self.samples,
        )  # fmt: skip
        self.statuses.append(status)
        self.readers.append(reader)
        for i in indexes:
            plane = self.geometry.planes[i]
            lines = restart_lines(restart, across, plane.v if len(indexes) > 1 else 1)
            start = 1 << (self.frame.precision - header.low - 1)
            lossless.undifference(
                self.geometry.view(self.samples, i),
                plane.width, plane.height, header.start, lines, start,
            )  # fmt: skip
            self.shifts[i] = header.low
        return int(end)

    def plane(self, i: int) -> Array:
        """The samples of a component, with the point transform."""
        size = self.geometry.planes[i]
        return self.geometry.view(self.samples, i)[: size.height, : size.width] << self.shifts[i]

    def image(self) -> npt.NDArray[np.uint8] | Array:
        """Components of full size, as they are in the file: (h, w) or (h, w, n)."""
        geometry, count = self.geometry, len(self.shifts)
        kind = np.uint8 if self.frame.precision <= 8 else np.uint16
        out = np.empty((geometry.height, geometry.width * count), kind)
        for i, plane in enumerate(geometry.planes):
            across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
            view = geometry.view(self.samples, i)
            deep.place(view, across, down, self.shifts[i], out, i, count)
        return out if count == 1 else out.reshape(geometry.height, geometry.width, count)


# --- pictures -------------------------------------------------------------------------------------


def samples(kind: str, shape: tuple[int, int], precision: int, seed: int) -> list[list[int]]:
    """Lines of samples: noise, the extremes only, or a slope."""
    rng = np.random.default_rng(seed)
    top = 2**precision - 1
    if kind == "noise":
        values = rng.integers(0, top, shape, endpoint=True)
    elif kind == "extremes":
        values = top * rng.integers(0, 1, shape, endpoint=True)
    else:
        slope = np.add.outer(np.arange(shape[0]) * 3, np.arange(shape[1]))
        values = slope * rng.integers(1, 9) % (top + 1)
    lines: list[list[int]] = values.tolist()
    return lines


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[int, ...], bytes]:
    bits = draw(st.sampled_from([FLAT, STEEP]))
    return bits, bytes(draw(st.permutations(range(17))))


@st.composite
def pictures(draw: st.DrawFn, largest: int = 20, integral: bool = False) -> Picture:
    """All precisions, predictors, point transforms, samplings, orders of scans and restarts."""
    count = draw(st.integers(1, 4))
    factors = st.sampled_from([1, 2, 4] if integral else [1, 2, 3, 4])
    sampling = draw(st.lists(st.tuples(factors, factors), min_size=count, max_size=count))
    while sum(h * v for h, v in sampling) > 10:  # T.81 B.2.3
        widest = max(range(count), key=lambda i: sampling[i][0] * sampling[i][1])
        sampling[widest] = (1, 1)
    precision = draw(st.integers(2, 16))
    width, height = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    if count == 1:
        sampling = [(1, 1)]
    h_max, v_max = (max(pair[axis] for pair in sampling) for axis in (0, 1))
    kind, seed = draw(st.sampled_from(["noise", "extremes", "slope"])), draw(st.integers(0, 99))
    pt = draw(st.integers(0, precision - 1) | st.just(0))
    planes = []
    for i, (h, v) in enumerate(sampling):
        shape = -(-height * v // v_max), -(-width * h // h_max)
        lines = samples(kind, shape, precision, seed + i)
        planes.append([[s >> pt << pt for s in line] for line in lines])
    made = draw(st.lists(tables(), min_size=1, max_size=4))
    together = draw(st.integers(0, count))  # components of the first scan, the others alone
    groups = [list(range(together))] if together else []
    groups += [[i] for i in range(together, count)]
    scans = [
        Scan(
            group,
            [draw(st.integers(0, len(made) - 1)) for _ in group],
            draw(st.integers(1, 7)),
            pt,
            draw(st.integers(0, 3)),
        )
        for group in groups
    ]
    return Picture(width, height, precision, sampling, planes, made, scans)


@pytest.fixture(scope="module")
def imagecodecs() -> ModuleType:
    """libjpeg-turbo, which encodes and decodes lossless files."""
    module: ModuleType = pytest.importorskip("imagecodecs")
    return module


# --- the process ----------------------------------------------------------------------------------


@given(pictures(largest=9))
def test_the_oracle_undoes_itself(picture: Picture) -> None:
    for part in picture.scans:
        decoded = picture.decode_scan(part, picture.encode_scan(part))
        assert decoded == {i: picture.planes[i] for i in part.components}


@given(pictures())
def test_samples_come_back(picture: Picture) -> None:
    decoded = Decoded(picture.file())
    assert decoded.statuses == [scan.OK] * len(picture.scans)
    for i, plane in enumerate(picture.planes):
        assert decoded.plane(i).tolist() == plane
    for reader in decoded.readers:
        assert reader[scan.UNREAD] == 0


@given(st.integers(2, 16), st.integers(0, 99), st.integers(1, 12), st.integers(1, 12))
def test_no_prediction(precision: int, seed: int, width: int, height: int) -> None:
    """Predictor 0: the differences are the samples."""
    plane = samples("noise", (height, width), precision, seed)
    part = Scan([0], [0], 0, 0, 0)
    table = (FLAT, bytes(range(17)))
    picture = Picture(width, height, precision, [(1, 1)], [plane], [table], [part])
    assert Decoded(picture.file()).plane(0).tolist() == plane


@pytest.mark.parametrize("predictor", range(1, 8))
def test_all_differences(predictor: int) -> None:
    """Each of the 2**16 differences once, 32768 included, with predictions that wrap around."""
    plane = np.cumsum(np.arange(65536), dtype=np.uint16).reshape(256, 256)
    part = Scan([0], [0], predictor, 0, 0)
    picture = Picture(256, 256, 16, [(1, 1)], [plane.tolist()], [(STEEP, bytes(range(17)))], [part])
    assert np.array_equal(Decoded(picture.file()).plane(0), plane)


def test_all_categories() -> None:
    """Predictor 1 on one line makes any difference come true."""
    assert [difference_bits(d) for d in (0, 32768, -32768, 1, 65535)] == [
        (0, ""), (16, ""), (16, ""), (1, "1"), (1, "0"),
    ]  # fmt: skip
    steps = np.arange(0, 65536, 257)
    plane = np.cumsum(np.r_[32768, steps, 32768, 32767, 32769]).astype(np.uint16)[None]
    part = Scan([0], [0], 1, 0, 0)
    picture = Picture(
        plane.size, 1, 16, [(1, 1)], [plane.tolist()], [(FLAT, bytes(range(17)))], [part]
    )
    assert np.array_equal(Decoded(picture.file()).plane(0), plane)


@given(pictures(largest=12), st.data())
def test_a_scan_goes_on_from_any_interval(picture: Picture, data: st.DataObject) -> None:
    """With reader[MCU] at the start of an interval, all from there on is decoded."""
    whole = Decoded(picture.file())
    part = picture.scans[0]
    restart = part.lines * picture.mcus_across(part)
    geometry = whole.geometry
    plan, across, down = geometry.scan_plan(part.components, part.slots)
    source = np.frombuffer(picture.encode_scan(part) + b"\xff\xd9", np.uint8)
    plain = np.empty(source.size + bitio.PADDING, np.uint8)
    ends, numbers, offsets = np.zeros((3, across * down + 1), np.int64)
    found, _ = bitio.destuff(source, 0, plain, ends, numbers, offsets)
    huffman = decoding_tables({i: HuffmanTable(*table) for i, table in enumerate(picture.tables)})
    cursors = np.zeros((len(plan), lossless.CURSOR_FIELDS), np.int64)

    def differences(first: int) -> Array:
        out = np.zeros(geometry.size, np.uint16)
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        reader[scan.MCU] = first
        mcus = across * down
        assert (
            lossless.decode_differences(
                plain, ends, restart, mcus, plan, across, *huffman, cursors, reader, out
            )
            == scan.OK
        )
        assert reader[scan.MCU] == mcus
        return out

    interval = data.draw(st.integers(0, found - 1))
    row = interval * part.lines
    all_of_it, rest = differences(0), differences(interval * restart)
    for i in part.components:
        v = geometry.planes[i].v if len(part.components) > 1 else 1
        got, expected = geometry.view(rest, i), geometry.view(all_of_it, i)
        assert np.array_equal(got[row * v :], expected[row * v :])
        assert not got[: row * v].any()


def test_intervals_are_whole_rows() -> None:
    assert restart_lines(0, 7, 2) == 0
    assert restart_lines(21, 7, 2) == 6
    with pytest.raises(JpegFormatError, match="a multiple of the 7 MCUs in a row, not 20"):
        restart_lines(20, 7, 2)


# --- libjpeg-turbo --------------------------------------------------------------------------------


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [2, 5, 8, 9, 12, 13, 16])
@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3), (1, 1), (1, 40, 3), (40, 1)])
def test_files_of_libjpeg_turbo(
    imagecodecs: ModuleType, predictor: int, bits: int, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(predictor)
    image = natural(shape, rng).astype(np.uint16) << 8 | rng.integers(0, 256, shape, np.uint16)
    image >>= 16 - bits
    if bits <= 8:
        image = image.astype(np.uint8)
    data = imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=bits)
    decoded = Decoded(data)
    assert decoded.frame.precision == bits
    assert np.array_equal(decoded.image(), image)


def quirk(picture: Picture) -> bool:
    """libjpeg-turbo restarts the prediction of a component that is alone in its scan only where
    its V lines begin, though its MCUs are single lines."""
    return len(picture.planes) > 1 and any(
        len(part.components) == 1 and part.lines % picture.sampling[part.components[0]][1]
        for part in picture.scans
    )


@given(picture=pictures(integral=True))
def test_equal_to_libjpeg_turbo(imagecodecs: ModuleType, picture: Picture) -> None:
    """Point transforms, restarts, subsampled components (repeated), several scans."""
    assume(not quirk(picture))
    data = picture.file()
    expected = imagecodecs.jpeg8_decode(data)
    got = Decoded(data).image()
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


def conformance_names() -> list[str]:
    """The sound lossless files; one name that stands for them where there are none."""
    try:
        text = (CONFORMANCE / "MANIFEST.tsv").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ["(all files)"]
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [row["path"] for row in rows if row["sof"] == "SOF3" and row["group"] == "valid"]


@pytest.mark.parametrize("name", conformance_names())
def test_conformance(conformance: Path, imagecodecs: ModuleType, name: str) -> None:
    data = (conformance / name).read_bytes()
    decoded = Decoded(data)
    assert set(decoded.statuses) == {scan.OK}
    assert np.array_equal(decoded.image(), imagecodecs.jpeg8_decode(data))


# --- broken data ----------------------------------------------------------------------------------


def broken(bits: tuple[int, ...], symbols: bytes, data: bytes) -> Decoded:
    """A grey 4 x 2 file of 8 bits with the given table and entropy-coded data."""
    plane = [[0] * 4] * 2
    picture = Picture(4, 2, 8, [(1, 1)], [plane], [(bits, symbols)], [Scan([0], [0], 1, 0, 0)])
    picture.encode_scan = lambda part: data  # type: ignore[method-assign]
    return Decoded(picture.file())


ONE_BIT = (1,) + (0,) * 15


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("symbol", "data", "status", "mcu"),
    [
        (0, b"\0", scan.OK, 8),
        (0, b"", scan.ENDED_EARLY, 0),
        (3, b"\0\0", scan.ENDED_EARLY, 4),
        (0, b"\x3f", scan.BAD_CODE, 2),
        (16, b"\0", scan.OK, 8),
        (17, b"\0", scan.BAD_CATEGORY, 0),
        (255, b"\0", scan.BAD_CATEGORY, 0),
    ],
)
def test_what_is_wrong_and_where(symbol: int, data: bytes, status: int, mcu: int) -> None:
    decoded = broken(ONE_BIT, bytes([symbol]), data)
    assert decoded.statuses == [status]
    assert decoded.readers[0][scan.MCU] == mcu


@pytest.mark.hostile
@given(pictures(largest=12), st.data())
def test_hostile_bytes(picture: Picture, data: st.DataObject) -> None:
    """Any bytes in place of the scans: a status, and samples written nowhere else."""
    noise = data.draw(st.binary(max_size=300))
    symbols = st.sets(st.integers(0, 255), min_size=17, max_size=17).map(sorted).map(bytes)
    picture.tables = [(bits, data.draw(symbols)) for bits, _ in picture.tables]
    picture.encode_scan = lambda part: noise.replace(b"\xff", b"\xff\0")  # type: ignore[method-assign]
    decoded = Decoded(picture.file())
    assert decoded.statuses[-1] in (
        scan.OK, scan.ENDED_EARLY, scan.BAD_CODE, scan.BAD_CATEGORY,
    )  # fmt: skip
    for reader in decoded.readers:
        assert 0 <= reader[scan.BIT] <= 8 * (len(noise) + bitio.PADDING)


def test_without_jit(tmp_path: Path) -> None:
    """The kernels as plain Python: no warning of an overflow, the same samples."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from test_lossless import *
for predictor in range(8):
    plane = samples("extremes", (5, 7), 16, predictor)
    part = Scan([0], [0], predictor, 0, 2)
    picture = Picture(7, 5, 16, [(1, 1)], [plane], [(STEEP, bytes(range(17)))], [part])
    decoded = Decoded(picture.file())
    assert decoded.plane(0).tolist() == plane
    assert decoded.image().tolist() == plane
"""
    here = str(Path(__file__).parent)
    run_python(script, here, options=("-W", "error"), NUMBA_DISABLE_JIT="1")
