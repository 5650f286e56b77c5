"""Arithmetic-coded scans: against a writer straight from T.81, and libjpeg-turbo's files."""

from __future__ import annotations

import csv
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from conftest import NO_JPEGTRAN
from helpers import (
    CONFORMANCE,
    assert_same_picture,
    natural,
    pillow_decode,
    pillow_encode,
    run_python,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from pyjpegml import arithmetic, bitio, header, markers, progression, scan, strips
from pyjpegml import scans as stored
from pyjpegml.coefficients import Geometry
from pyjpegml.testing import arithmetic as coder
from pyjpegml.testing import jpeg_streams
from pyjpegml.testing.stream import Component, Frame, Scan, Stream
from pyjpegml.testing.writer import Content, write_stream
from pyjpegml.threads import Crew

Coefficients = npt.NDArray[np.int16]

PROCESSES = ["arithmetic sequential", "arithmetic progressive"]

# --- a small decoder ------------------------------------------------------------------------------


@dataclass
class Decoded:
    """An arithmetic-coded file: its coefficients, and how each scan ended.

    With `step`, each call decodes so many restart intervals; with `skip`, only the last interval of
    each scan is decoded.
    """

    data: bytes
    step: int = 0
    skip: bool = False
    statuses: list[int] = field(default_factory=list)
    readers: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream = header.open_stream(memoryview(self.data))
        segment = self.stream.to_scan()
        frame = self.stream.frame
        assert frame is not None
        self.geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
        self.coefficients = np.zeros(self.geometry.size, np.int16)
        self.progression = progression.Progression(len(frame.components))
        self.names = [c.identifier for c in frame.components]
        self.tables = [c.table for c in frame.components]
        while segment.code != markers.EOI:
            if segment.code == markers.SOS:
                self.stream.position = self.scan(segment)
                if self.statuses[-1] != scan.OK or self.stream.position == len(self.data):
                    return
            segment = self.stream.next()

    def scan(self, segment: markers.Segment) -> int:
        assert self.stream.frame is not None
        head = markers.parse_scan(segment)
        chosen = [self.names.index(identifier) for identifier, _, _ in head.components]
        band = None
        if self.stream.frame.sof == 10:
            band = head.start, head.end, head.high, head.low
            assert self.progression.begin(chosen, *band) == []
        slots = [(dc, ac) for _, dc, ac in head.components]
        plan = self.geometry.scan_plan(slots, chosen)
        across, down = self.geometry.scan_size(chosen)
        self.plan, self.across = plan, across
        mcus, restart = across * down, self.stream.restart_interval
        source = np.frombuffer(self.data, np.uint8)
        plain = np.empty(source.size - segment.end + bitio.PADDING, np.uint8)
        ends, numbers, offsets = np.zeros((3, mcus + 1), np.int64)
        found, end = bitio.destuff(source, segment.end, plain, ends, numbers, offsets)
        if restart:
            mcus = min(mcus, found * restart)
        reader = np.zeros(scan.READER_FIELDS, np.int64)
        if restart and self.skip:
            reader[scan.MCU] = (mcus - 1) // restart * restart
        status = scan.OK
        while reader[scan.MCU] < mcus and status == scan.OK:
            last = min(mcus, reader[scan.MCU] + (self.step * restart or mcus))
            status = arithmetic.decode_scan(
                plain, ends[:found], restart, mcus, plan, across, band, self.stream.conditioning,
                reader, self.coefficients, int(last),
            )  # fmt: skip
            assert reader[scan.LEFT] == 0 or status != scan.OK
        assert reader[scan.BIT] <= 8 * ends[reader[scan.INTERVAL]]
        self.statuses.append(status)
        self.readers.append(reader)
        return int(end)

    def planes(self) -> list[Coefficients]:
        """Blocks of each component that hold samples, as the writer has them."""
        planes = []
        for i, plane in enumerate(self.geometry.planes):
            view = self.geometry.view(self.coefficients, i)[: plane.down, : plane.across]
            planes.append(view.reshape(plane.down, plane.across, 8, 8))
        return planes

    def picture(self) -> npt.NDArray[np.uint8]:
        qtables = [self.stream.qtables[i] for i in self.tables]
        planes = self.geometry.reconstruct(self.coefficients, qtables)
        color = strips.GREY if len(planes) == 1 else strips.YCBCR
        return strips.picture(self.geometry, planes, color)


def assert_same_content(stream: Stream, decoded: Decoded) -> None:
    assert decoded.statuses == [scan.OK] * len(stream.scans)
    for got, expected in zip(decoded.planes(), stream.coefficients, strict=True):
        assert np.array_equal(got, expected)
    for reader in decoded.readers:
        assert reader[scan.UNREAD] == 0


# --- the tables -----------------------------------------------------------------------------------


def test_estimation() -> None:
    """Table D.3, as the writer has it, in both meanings of a bin."""
    assert 2 * len(coder.ESTIMATION) == arithmetic.EVEN
    for row, (qe, less, more, switch) in enumerate(coder.ESTIMATION):
        for symbol in (0, 1):
            entry = int(arithmetic.ESTIMATION[2 * row + symbol])
            assert entry >> arithmetic.POINT == qe
            assert divmod(entry >> 8 & 255, 2) == (more, symbol)
            assert divmod(entry & 255, 2) == (less, symbol ^ switch)


# --- streams of the writer ------------------------------------------------------------------------


@given(jpeg_streams(PROCESSES), st.integers(0, 3))
def test_coefficients_come_back(stream: Stream, step: int) -> None:
    """Of all samplings, orders of scans, bits, conditioning and restarts; some at a time."""
    assert_same_content(stream, Decoded(stream.data, step))


@given(jpeg_streams(PROCESSES[:1]))
def test_the_last_interval_alone(stream: Stream) -> None:
    whole, alone = Decoded(stream.data), Decoded(stream.data, skip=True)
    assert alone.statuses == whole.statuses
    for got, expected in zip(alone.readers, whole.readers, strict=True):
        assert got[scan.INTERVAL] == expected[scan.INTERVAL]
        assert got[scan.BIT] == expected[scan.BIT]
    reached = alone.coefficients != 0
    assert np.array_equal(alone.coefficients[reached], whole.coefficients[reached])


# --- the end of the data --------------------------------------------------------------------------


def noise_file(seed: int) -> bytes:
    """A sequential file of noise, whose every block takes many bytes."""
    frame = Frame("arithmetic sequential", 8, 64, 48, (Component(1),))
    units = np.random.default_rng(seed).integers(-30, 30, (6, 8, 8, 8))
    content = Content((units,), {(0, 0): np.ones((8, 8), np.uint16)})
    return write_stream(frame, [Scan((0,), ((0, 0),))], content).data


@pytest.fixture(scope="module")
def noise() -> bytes:
    return noise_file(3)


def test_files_without_their_last_marker() -> None:
    for seed in range(20):
        data = noise_file(seed)
        whole, cut = Decoded(data), Decoded(data[:-2])
        assert np.array_equal(whole.coefficients, cut.coefficients)
        assert cut.statuses == [scan.OK]


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_file_that_is_cut(end: bytes, noise: bytes) -> None:
    """That is noticed, and the MCUs before the end are those of the whole file.

    Unless what is left is a legal file: zeros at the end need not be written (T.81 D.1.8), and may
    by chance be all that is missing to blocks that are zero.
    """
    start = noise.index(b"\xff\xda") + 10
    whole, missed = Decoded(noise), 0
    cuts = range(40, len(noise) - 20 - start, 9)
    for kept in cuts:
        cut = Decoded(noise[: start + kept] + end)
        if cut.statuses == [scan.OK]:
            missed += 1
            continue
        assert cut.statuses == [scan.ENDED_EARLY]
        [reader] = cut.readers
        sound = 64 * reader[scan.MCU]
        assert reader[scan.MCU] >= 48 * kept // (len(noise) - start) - 4
        assert np.array_equal(whole.coefficients[:sound], cut.coefficients[:sound])
    assert missed <= len(cuts) // 50


@given(jpeg_streams(PROCESSES[:1], without=["DNL", "restarts"]), st.integers(0, 10**4))
def test_any_file_that_is_cut(stream: Stream, kept: int) -> None:
    """If data are missing, whatever MCUs are called sound, they are."""
    assume(len(stream.scans) == 1)
    [(offset, part)] = stream.find("ECS")
    cut = Decoded(stream.data[: offset + kept * len(part.data) // 10**4])
    assert cut.statuses[0] in (scan.OK, scan.ENDED_EARLY)
    sound = cut.readers[0][scan.MCU] if cut.statuses[0] == scan.ENDED_EARLY else 0
    whole = Decoded(stream.data)
    plan, across = cut.plan, cut.across
    for mcu in range(sound):
        for block in plan:
            start, _ = scan.block_start.py_func(block, mcu // across, mcu % across)
            got, expected = (d.coefficients[start : start + 64] for d in (cut, whole))
            assert np.array_equal(got, expected)


@pytest.mark.parametrize("rows", [0, 1, 8])
def test_a_flat_end_needs_no_data(rows: int) -> None:
    """The writer leaves out zeros, and all that is behind the noise is made of them."""
    frame = Frame("arithmetic sequential", 8, 512, 8 * (rows + 8), (Component(1),))
    units = np.zeros((rows + 8, 64, 8, 8), np.int64)
    units[:rows] = np.random.default_rng(1).integers(-30, 30, (rows, 64, 8, 8))
    content = Content((units,), {(0, 0): np.ones((8, 8), np.uint16)})
    stream = write_stream(frame, [Scan((0,), ((0, 0),))], content)
    for data in (stream.data, stream.data[:-2], stream.data[:-2] + bytes(99) + b"\xff\xd9"):
        decoded = Decoded(data)
        assert decoded.statuses == [scan.OK]
        assert np.array_equal(decoded.planes()[0], stream.coefficients[0])


def test_surplus_bytes_are_counted(noise: bytes) -> None:
    [reader] = Decoded(noise[:-2] + bytes(20) + b"\xff\xd9").readers
    assert 17 <= reader[scan.UNREAD] <= 20


# --- errors ---------------------------------------------------------------------------------------


def spoilt(decisions: list[tuple[int, int, int]], band: tuple[int, int]) -> Decoded:
    """A scan of one block, made of (class, bin, decision); a bin of -1 is the even one.

    Behind them are more data than it needs: what is wrong is not that they end.
    """
    encoder, bins = coder.Encoder(), {}
    for kind, number, decision in decisions:
        if number < 0:
            encoder.code_equal(decision)
        else:
            encoder.code(bins.setdefault((kind, number), [0, 0]), decision)
    for i in range(64):
        encoder.code_equal(i & 1)
    process = PROCESSES[0] if band == (0, 63) else PROCESSES[1]
    frame = Frame(process, 8, 8, 8, (Component(1),))
    units = Content((np.zeros((1, 1, 8, 8), np.int64),), {(0, 0): np.ones((8, 8), np.uint16)})
    scans = [Scan((0,), ((0, 0),), *band)]
    if band[0] > 0:
        scans.insert(0, Scan((0,), ((0, 0),), 0, 0))
    parts = write_stream(frame, scans, units).parts
    last = max(i for i, part in enumerate(parts) if part.name == "ECS")
    data = b"".join(encoder.flush() if i == last else part.data for i, part in enumerate(parts))
    return Decoded(data)


ZERO_DC = [(0, 0, 0)]


@pytest.mark.parametrize("band", [(0, 63), (1, 63), (3, 9)])
def test_a_run_of_zeros_beyond_the_band(band: tuple[int, int]) -> None:
    first, last = max(band[0], 1), band[1]
    run = [(1, 3 * (k - 1) + 1, 0) for k in range(first, last + 1)]
    start = ZERO_DC if band[0] == 0 else []
    decoded = spoilt([*start, (1, 3 * (first - 1), 0), *run], band)
    assert decoded.statuses[-1] == scan.BAD_CODE
    run[-1] = (1, run[-1][1], 1)
    sound = [*start, (1, 3 * (first - 1), 0), *run, (1, -1, 1), (1, 3 * (last - 1) + 2, 0)]
    decoded = spoilt(sound, band)
    assert decoded.statuses[-1] == scan.OK
    assert decoded.coefficients.nonzero()[0].tolist() == [arithmetic.ZIGZAG[last]]
    assert decoded.coefficients.sum() == -1


@pytest.mark.parametrize("bits", [14, 15])
def test_magnitudes(bits: int) -> None:
    """Up to 32768, as libjpeg-turbo has it; that makes -32768 of both signs in 16 bits."""
    category = [(0, 3, 1), (0, 20, 1), *((0, 21 + i, 1) for i in range(bits - 1))]
    rest = [] if bits == 15 else [(0, 34, 0)] + [(0, 48, 1)] * 14 + [(1, 0, 1)]
    decoded = spoilt([(0, 0, 1), (0, 1, 1), *category, *rest], (0, 63))
    if bits == 15:
        assert decoded.statuses == [scan.BAD_CODE]
        assert not decoded.coefficients.any()
    else:
        assert decoded.statuses == [scan.OK]
        assert decoded.coefficients[0] == -32768
    x2 = 189
    category = [(1, 2, 1), (1, 2, 1), *((1, x2 + i, 1) for i in range(bits - 1))]
    rest = [] if bits == 15 else [(1, x2 + 13, 0)] + [(1, x2 + 27, 1)] * 14 + [(1, 3, 1)]
    decoded = spoilt([*ZERO_DC, (1, 0, 0), (1, 1, 1), (1, -1, 0), *category, *rest], (0, 63))
    assert decoded.statuses == [scan.BAD_CODE if bits == 15 else scan.OK]
    assert decoded.coefficients[1] == (0 if bits == 15 else -32768)


@pytest.mark.hostile
@given(jpeg_streams(PROCESSES, max_size=24), st.data())
def test_hostile_bytes(stream: Stream, data: st.DataObject) -> None:
    """Any bytes in place of the scans: a status, a place, and nothing written elsewhere."""
    assume("DNL" not in stream.features)
    noise = data.draw(st.binary(max_size=300)).replace(b"\xff", b"\xff\0")
    end = data.draw(st.sampled_from([b"\xff\xd9", b""]))
    parts = [noise if part.name == "ECS" else part.data for part in stream.parts]
    cut = len(parts) if end else max(i for i, p in enumerate(stream.parts) if p.name == "ECS") + 1
    decoded = Decoded(b"".join(parts[:cut]))
    assert set(decoded.statuses) <= {scan.OK, scan.BAD_CODE, scan.ENDED_EARLY}


# --- libjpeg-turbo --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jpegtran() -> str:
    """libjpeg-turbo's transcoder, version 3: the program that PYJPEGML_JPEGTRAN names."""
    if not (path := os.environ.get("PYJPEGML_JPEGTRAN")):
        pytest.skip(NO_JPEGTRAN)
    return path


def transcoded(jpegtran: str, data: bytes, *options: str) -> bytes:
    done = subprocess.run(
        [jpegtran, *options], input=data, capture_output=True, check=True, timeout=60
    )
    return done.stdout


def huffman_coefficients(data: bytes) -> Coefficients:
    """Coefficients of a sequential Huffman-coded file."""
    stream = header.open_stream(memoryview(data))
    return stored.Scans(stream, stream.to_scan(), 500, None, Crew(1)).coefficients


def real_blocks(decoded: Decoded, coefficients: Coefficients) -> list[Coefficients]:
    """Blocks of each component but dummies, which a transcoder writes anew."""
    return [
        decoded.geometry.view(coefficients, i)[: plane.down, : plane.across]
        for i, plane in enumerate(decoded.geometry.planes)
    ]


def assert_same_coefficients(decoded: Decoded, huffman: bytes) -> None:
    assert set(decoded.statuses) == {scan.OK}
    expected = real_blocks(decoded, huffman_coefficients(huffman))
    for got, other in zip(real_blocks(decoded, decoded.coefficients), expected, strict=True):
        assert np.array_equal(got, other)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [[], ["-restart", "3B"], ["-progressive"]], ids=" ".join)
def test_files_of_libjpeg_turbo(jpegtran: str, options: list[str], subsampling: str) -> None:
    image = natural((61, 83, 3), np.random.default_rng(5))
    original = pillow_encode(image, quality=92, subsampling=subsampling)
    decoded = Decoded(transcoded(jpegtran, original, "-arithmetic", *options))
    assert_same_coefficients(decoded, original)


@pytest.mark.parametrize("options", [[], ["-restart", "2"], ["-progressive"]], ids=" ".join)
def test_twelve_bits(jpegtran: str, options: list[str]) -> None:
    imagecodecs: ModuleType = pytest.importorskip("imagecodecs")
    image = natural((61, 83, 3), np.random.default_rng(6)).astype(np.uint16) * 16 + 7
    original = imagecodecs.jpeg8_encode(image, 97, bitspersample=12)
    decoded = Decoded(transcoded(jpegtran, original, "-arithmetic", *options))
    assert_same_coefficients(decoded, original)


def conformance_names() -> list[str]:
    """The sound arithmetic-coded files; one name that stands for them where there are none."""
    try:
        text = (CONFORMANCE / "MANIFEST.tsv").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ["(all files)"]
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [r["path"] for r in rows if r["sof"] in ("SOF9", "SOF10") and r["group"] == "valid"]


@pytest.mark.parametrize("name", conformance_names())
def test_conformance(conformance: Path, jpegtran: str, name: str) -> None:
    data = (conformance / name).read_bytes()
    assert_same_coefficients(Decoded(data), transcoded(jpegtran, data))


@pytest.mark.parametrize("name", conformance_names())
def test_pixels(conformance: Path, name: str) -> None:
    data = (conformance / name).read_bytes()
    assert_same_picture(Decoded(data).picture(), pillow_decode(data))


# --- as plain Python ------------------------------------------------------------------------------


def test_without_jit() -> None:
    """No warning of an overflow, the same coefficients."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from test_arithmetic import *
from hypothesis import settings

@settings(max_examples=8, derandomize=True, database=None, deadline=None)
@given(jpeg_streams(PROCESSES, max_size=16))
def check(stream):
    assert_same_content(stream, Decoded(stream.data))

check()
"""
    here = str(Path(__file__).parent)
    run_python(script, here, options=("-W", "error"), NUMBA_DISABLE_JIT="1")
