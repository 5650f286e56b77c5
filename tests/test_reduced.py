"""Scaled decoding against means of boxes in real and in fixed point, and against djpeg itself."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import oracles_reduced as slow
import pytest
from conftest import NO_DJPEG
from helpers import PAINTINGS, Bytes, assert_same_picture, pillow_encode
from helpers import picture as made
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import assembly, bitio, decode, encode, encoder, huffman, markers, reduced, scan
from pyjpegml.coefficients import Geometry
from pyjpegml.dct import inverse_dct
from pyjpegml.huffman import STANDARD_TABLES, decoding_tables
from pyjpegml.quantize import standard_qtables
from pyjpegml.scaling import DENOMINATORS, plan_scale

SAMPLINGS = {
    "grey": ((1, 1),),
    "4:4:4": ((1, 1), (1, 1), (1, 1)),
    "4:2:2": ((2, 1), (1, 1), (1, 1)),
    "4:2:0": ((2, 2), (1, 1), (1, 1)),
    "4:4:0": ((1, 2), (1, 1), (1, 1)),
    "4:1:1": ((4, 1), (1, 1), (1, 1)),
    "4:1:0": ((4, 2), (1, 1), (1, 1)),
    "3x1": ((3, 1), (1, 1), (1, 1)),
    "1x4": ((1, 4), (1, 1), (1, 1)),
    "2x2, 2x1, 1x2": ((2, 2), (2, 1), (1, 2)),
    "coarse luma": ((1, 1), (2, 2), (2, 2)),
    "coarse luma, 4x1": ((1, 1), (4, 1), (1, 1)),
}
SCALED = (2, 4, 8)
KINDS = ("flat", "gradient", "noise", "extremes", "checkerboard", "natural")

names = st.sampled_from(sorted(SAMPLINGS))
seeds = st.integers(0, 2**32 - 1)
Coefficients = npt.NDArray[np.int16]


@dataclass
class Case:
    """Stored coefficients of a picture, and all that is needed to decode them."""

    geometry: Geometry
    coefficients: Coefficients
    qtables: list[npt.NDArray[np.uint16]]
    color: str

    def decode(self, denominator: int) -> Bytes:
        scale = plan_scale(self.geometry, denominator)
        painting = PAINTINGS[self.color]
        return reduced.picture(self.geometry, scale, self.coefficients, self.qtables, painting)

    def oracle_planes(self, denominator: int) -> list[Bytes]:
        """Each block on its own; the full transform is test_dct's business."""
        g = self.geometry
        planes = []
        for i, size in enumerate(slow.transform_sizes(g.sampling, denominator)):
            plane, view = g.planes[i], g.view(self.coefficients, i)
            samples = np.empty((size * plane.down, size * plane.across), np.uint8)
            steps = np.asarray(self.qtables[i], np.int32).reshape(64)
            if size == 8:
                inverse_dct(view, plane.down, plane.across, steps, samples)
            else:
                for row in range(plane.down):
                    for column in range(plane.across):
                        block = (view[row, column] * steps).reshape(8, 8)
                        where = np.s_[size * row :, size * column :]
                        samples[where][:size, :size] = slow.inverse(block, size)
            planes.append(samples)
        return planes

    def oracle(self, denominator: int) -> Bytes:
        g = self.geometry
        planes = self.oracle_planes(denominator)
        return slow.picture(g.width, g.height, g.sampling, denominator, planes, self.color)

    def file(self) -> bytes:
        """A baseline JPEG of these coefficients."""
        g = self.geometry
        count = len(g.planes)
        slots = [(0, 0), (1, 1), (1, 1)][:count]
        components = tuple(
            markers.FrameComponent(i + 1, h, v, i) for i, (h, v) in enumerate(g.sampling)
        )
        head = [
            b"\xff\xd8",
            markers.jfif_bytes(),
            *(markers.qtable_bytes(i, table) for i, table in enumerate(self.qtables)),
            *(markers.huffman_table_bytes(*pair) for pair in STANDARD_TABLES.items()),
            markers.frame_bytes(markers.Frame(0, 8, g.height, g.width, components)),
            markers.scan_bytes([(i + 1, *slot) for i, slot in enumerate(slots)]),
        ]
        plan = g.scan_plan(slots)
        coded = assembly.encode_scan(g, self.coefficients, plan, STANDARD_TABLES, 0)
        return b"".join([*head, *coded, b"\xff\xd9"])


def case(name: str, size: tuple[int, int], seed: int, kind: str, quality: int = 75) -> Case:
    """Coefficients of a picture of each component by itself."""
    geometry = Geometry(*size, SAMPLINGS[name])
    luminance, chrominance = standard_qtables(quality)
    qtables = [luminance, chrominance, chrominance][: len(geometry.planes)]
    planes = [
        made(kind, (8 * p.down, 8 * p.across), seed + i) for i, p in enumerate(geometry.planes)
    ]
    coefficients = encoder.quantize_all(geometry, geometry.transform(planes), qtables)
    return Case(geometry, coefficients, qtables, "grey" if name == "grey" else "YCbCr")


# --- transforms -----------------------------------------------------------------------------------


def reduce_blocks(coefficients: npt.ArrayLike, size: int, steps: npt.ArrayLike = 1) -> Bytes:
    """(n, 8, 8) coefficients side by side to (n, size, size) samples."""
    flat = np.ascontiguousarray(coefficients, np.int16).reshape(-1)
    count = flat.size // 64
    qtable = np.broadcast_to(np.asarray(steps, np.int32).reshape(-1), 64).copy()
    samples = np.empty((size, size * count), np.uint8)
    reduced.inverse_reduced(
        flat, 0, count, 1, count, qtable, size, samples.reshape(-1), 0, size * count
    )
    return samples.reshape(size, count, size).swapaxes(0, 1)


def blocks(seed: int, count: int) -> npt.NDArray[np.int64]:
    """Legal coefficients: of pictures, quantized and dequantized."""
    rng = np.random.default_rng(seed)
    g = Geometry(8 * count, 8, [(1, 1)])
    samples = made(str(rng.choice(KINDS)), (8, 8 * count), seed)
    table = rng.integers(1, int(rng.choice([1, 4, 40, 255])), 64, endpoint=True).reshape(8, 8)
    levels = encoder.quantize_all(g, g.transform([samples]), [table.astype(np.uint16)])
    return levels.reshape(count, 8, 8).astype(np.int64) * table


@pytest.mark.parametrize("size", [1, 2, 4])
@given(seeds, st.integers(1, 24))
def test_reduced_transforms(size: int, seed: int, count: int) -> None:
    """Any number of blocks side by side: groups, a last group that overlaps, single blocks."""
    coefficients = blocks(seed, count)
    got = reduce_blocks(coefficients, size)
    assert got.tolist() == [slow.inverse(block, size) for block in coefficients]


@given(seeds, st.integers(1, 12))
def test_size_8_is_the_full_transform(seed: int, count: int) -> None:
    coefficients = blocks(seed, count).astype(np.int16)
    samples = np.empty((8, 8 * count), np.uint8)
    source = coefficients.reshape(1, count, 64)
    inverse_dct(source, 1, count, np.ones(64, np.int32), samples)
    got = reduce_blocks(coefficients, 8)
    assert np.array_equal(got, samples.reshape(8, count, 8).swapaxes(0, 1))


@pytest.mark.parametrize("size", [1, 2, 4])
@given(seeds)
def test_samples_are_means_of_boxes(size: int, seed: int) -> None:
    """Of the transform in real numbers, which is what the whole thing is about; half a level is
    lost by rounding, and a twentieth in the fixed point."""
    coefficients = blocks(seed, 1)[0]
    means = (slow.mean_of_boxes(coefficients, size) + 128).clip(0, 255)
    assert np.abs(reduce_blocks(coefficients, size)[0] - means).max() <= 0.55


@pytest.mark.parametrize("size", [1, 2, 4])
def test_each_coefficient_with_its_own_step(size: int) -> None:
    rng = np.random.default_rng(3)
    steps = rng.integers(1, 9, (8, 8))
    coefficients = rng.integers(-6, 7, (21, 8, 8))
    got = reduce_blocks(coefficients, size, steps)
    assert got.tolist() == [slow.inverse(block * steps, size) for block in coefficients]


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33])
def test_only_the_blocks_of_the_component_are_touched(size: int, columns: int) -> None:
    """In an array and a plane that are larger, from a place within them."""
    rows, pitch, position, offset, stride = 3, columns + 2, 128, 11, size * columns + 5
    rng = np.random.default_rng(columns)
    coefficients = np.full(position + 64 * pitch * rows, 1000, np.int16)
    view = coefficients[position:].reshape(rows, pitch, 64)
    view[:, :columns] = rng.integers(-9, 10, (rows, columns, 64))
    samples = np.full(offset + size * rows * stride + 40, 0x55, np.uint8)
    qtable = np.arange(1, 65, dtype=np.int32)
    reduced.inverse_reduced(
        coefficients, position, pitch, rows, columns, qtable, size, samples, offset, stride
    )
    end = offset + size * rows * stride
    plane = samples[offset:end].reshape(size * rows, stride)
    expected = [np.hstack(reduce_blocks(view[row, :columns], size, qtable)) for row in range(rows)]
    assert np.array_equal(plane[:, : size * columns], np.vstack(expected))
    assert (plane[:, size * columns :] == 0x55).all()
    assert (samples[:offset] == 0x55).all()
    assert (samples[end:] == 0x55).all()


@pytest.mark.parametrize("size", [1, 2, 4])
@given(seeds)
def test_any_coefficients_give_samples(size: int, seed: int) -> None:
    """Those of broken files too; what they are nobody has said."""
    rng = np.random.default_rng(seed)
    coefficients = rng.integers(-32768, 32767, (17, 8, 8), endpoint=True)
    steps = rng.integers(1, 65535, (8, 8), endpoint=True)
    assert reduce_blocks(coefficients, size, steps).shape == (17, size, size)


@pytest.mark.parametrize("size", [1, 2, 4])
@given(seeds, st.integers(1, 5), st.integers(1, 3))
def test_deep_transforms(size: int, seed: int, columns: int, rows: int) -> None:
    """12 bits: coefficients 16 times as large, and one bit less between the passes."""
    steps = np.random.default_rng(seed).integers(1, 16, 64, endpoint=True).astype(np.int32)
    legal = 16 * blocks(seed, rows * columns).reshape(rows, columns, 64)
    coefficients = np.rint(legal / steps).astype(np.int16)
    samples = np.empty((size * rows, size * columns), np.uint16)
    reduced.inverse_deep(
        coefficients.reshape(-1), 0, columns, rows, columns, steps, size,
        samples.reshape(-1), 0, size * columns,
    )  # fmt: skip
    got = samples.reshape(rows, size, columns, size).swapaxes(1, 2)
    expected = [
        [slow.inverse((block * steps).reshape(8, 8), size, 12) for block in row]
        for row in coefficients
    ]
    assert got.tolist() == expected


# --- plans ----------------------------------------------------------------------------------------

factors = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(
    st.integers(1, 200), st.integers(1, 200), st.lists(factors, min_size=1, max_size=4),
    st.sampled_from(DENOMINATORS),
)  # fmt: skip
def test_plans(width: int, height: int, sampling: list[tuple[int, int]], denominator: int) -> None:
    """All sampling factors there are: sizes as libjpeg chooses them, and samples for each pixel."""
    geometry = Geometry(width, height, sampling)
    scale = plan_scale(geometry, denominator)
    scaled = scale.geometry
    assert list(scale.sizes) == slow.transform_sizes(geometry.sampling, denominator)
    assert (scaled.width, scaled.height) == (-(-width // denominator), -(-height // denominator))
    assert (scaled.h_max, scaled.v_max) == (geometry.h_max, geometry.v_max)
    tables = [np.ones(64, np.uint16)] * len(geometry.planes)
    coefficients = np.zeros(geometry.size, np.int16)
    planes = reduced.reconstruct(geometry, scale, coefficients, tables)
    for i, (samples, plane) in enumerate(zip(planes, scaled.planes, strict=True)):
        assert reduced.repeat(samples, scaled, i).shape == (scaled.height, scaled.width)
        if scaled.h_max % plane.h == 0 and scaled.v_max % plane.v == 0:
            assert samples.shape >= (plane.height, plane.width)
            assert samples.shape[1] >= plane.width


@pytest.mark.parametrize("denominator", [0, -1, 3, 16])
def test_other_scales_are_refused(denominator: int) -> None:
    with pytest.raises(ValueError, match=f"1/8, not 1/{denominator}$"):
        plan_scale(Geometry(8, 8, [(1, 1)]), denominator)


# --- pictures -------------------------------------------------------------------------------------


@given(
    names, st.tuples(st.integers(1, 70), st.integers(1, 70)), seeds, st.sampled_from(KINDS),
    st.sampled_from([20, 75, 100]), st.sampled_from(SCALED),
)  # fmt: skip
def test_scaled_pictures(
    name: str, size: tuple[int, int], seed: int, kind: str, quality: int, denominator: int
) -> None:
    picture = case(name, size, seed, kind, quality)
    assert_same_picture(picture.decode(denominator), picture.oracle(denominator))


@pytest.mark.parametrize("name", sorted(SAMPLINGS))
@pytest.mark.parametrize("width", [255, 256, 257, 300])
def test_wide_pictures(name: str, width: int) -> None:
    """Whole groups of blocks."""
    picture = case(name, (width, 9), width, "natural")
    for denominator in SCALED:
        assert_same_picture(picture.decode(denominator), picture.oracle(denominator))


def test_components_that_are_rgb() -> None:
    picture = case("4:2:0", (35, 21), 5, "natural")
    picture.color = "RGB"
    for denominator in SCALED:
        assert_same_picture(picture.decode(denominator), picture.oracle(denominator))


def test_ratios_that_are_not_whole() -> None:
    """libjpeg refuses them; each pixel takes the sample that it lies in."""
    geometry = Geometry(48, 8, [(3, 1), (2, 1), (2, 1)])
    planes = [made("noise", (8, 8 * p.across), i) for i, p in enumerate(geometry.planes)]
    tables = [np.ones((8, 8), np.uint16)] * 3
    coefficients = encoder.quantize_all(geometry, geometry.transform(planes), tables)
    scale = plan_scale(geometry, 2)
    assert scale.sizes == (4, 4, 4)
    y, cb, cr = reduced.reconstruct(geometry, scale, coefficients, tables)
    columns = [2 * x // 3 for x in range(24)]
    expected = np.stack([y, cb[:, columns], cr[:, columns]], axis=-1)
    got = reduced.picture(geometry, scale, coefficients, tables, PAINTINGS["RGB"])
    assert_same_picture(got, expected)


# --- djpeg ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def djpeg() -> str:
    """libjpeg-turbo's decoder, version 3: the program that PYJPEGML_DJPEG names."""
    if not (path := os.environ.get("PYJPEGML_DJPEG")):
        pytest.skip(NO_DJPEG)
    return path


def djpeg_decode(djpeg: str, data: bytes, denominator: int) -> npt.NDArray[np.unsignedinteger]:
    """Pixels from its PNM, whose header is ``P5`` or ``P6``, size and largest sample.

    Exit code 2 stands for warnings.
    """
    command = [djpeg, "-pnm", "-scale", f"1/{denominator}"]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    if done.returncode not in (0, 2):
        done.check_returncode()
    kind, size, largest, pixels = done.stdout.split(b"\n", 3)
    width, height = (int(n) for n in size.split())
    samples = np.frombuffer(pixels, np.uint8 if int(largest) < 256 else ">u2")
    samples = samples.astype(samples.dtype.newbyteorder("="))
    return samples.reshape(height, width, *((3,) if kind == b"P6" else ()))


def stored(data: bytes) -> Case | None:
    """The coefficients in a file, if it is baseline with one scan, grey or of three components."""
    view = memoryview(data)
    qtables: dict[int, npt.NDArray[np.uint16]] = {}
    tables: dict[int, huffman.HuffmanTable] = {}
    frame, restart, rgb, jfif = None, 0, False, False
    for segment in markers.segments(data):
        if segment.code == markers.DQT:
            qtables |= markers.parse_qtables(segment)
        elif segment.code == markers.DHT:
            tables |= markers.parse_huffman_tables(segment)
        elif segment.code == markers.DRI:
            restart = markers.parse_restart_interval(segment)
        elif markers.is_frame(segment.code):
            frame = markers.parse_frame(segment)
        elif markers.is_jfif(segment):
            jfif = True
        elif markers.adobe_transform(segment) == 0:
            rgb = True
        elif segment.code == markers.SOS:
            header = markers.parse_scan(segment)
            break
    else:
        return None
    if frame is None or frame.sof != 0 or frame.height == 0 or not tables:
        return None
    if len(frame.components) not in (1, 3) or len(header.components) != len(frame.components):
        return None
    rgb = not jfif and (rgb or [c.identifier for c in frame.components] == list(b"RGB"))
    g = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    plain = np.empty(len(data) + bitio.PADDING, np.uint8)
    ends, numbers, offsets = np.zeros((3, g.mcus + 1), np.int64)
    bitio.destuff(np.frombuffer(view, np.uint8), segment.end, plain, ends, numbers, offsets)
    coefficients = np.zeros(g.size, np.int16)
    reader = np.zeros(scan.READER_FIELDS, np.int64)
    for row in range(g.mcus_down):
        status = scan.decode_mcus(
            plain, ends, restart, g.mcus, g.scan_plan([c[1:] for c in header.components]), row, 0,
            g.mcus_across, scan.PLACES, *decoding_tables(tables), reader, coefficients,
            np.zeros(g.size // 64, np.uint8),
        )  # fmt: skip
        if status != scan.OK:
            return None
    color = "grey" if len(g.planes) == 1 else "RGB" if rgb else "YCbCr"
    return Case(g, coefficients, [qtables[c.table] for c in frame.components], color)


@pytest.mark.parametrize("name", sorted(SAMPLINGS))
def test_djpeg_on_odd_sizes(djpeg: str, name: str) -> None:
    for width in range(1, 71):
        height = width * 29 % 71
        kind = KINDS[width % len(KINDS)]
        picture = case(name, (width, height), width, kind, (30, 75, 95)[width % 3])
        data = picture.file()
        for denominator in DENOMINATORS:
            expected = djpeg_decode(djpeg, data, denominator)
            assert_same_picture(picture.decode(denominator), expected)
            assert_same_picture(decode(data, scale=denominator), expected)


@pytest.mark.parametrize("name", sorted(SAMPLINGS))
def test_djpeg_on_larger_pictures(djpeg: str, name: str) -> None:
    for quality in (10, 85):
        picture = case(name, (517, 301), quality, "natural", quality)
        for denominator in DENOMINATORS:
            expected = djpeg_decode(djpeg, picture.file(), denominator)
            assert_same_picture(picture.decode(denominator), expected)


@pytest.mark.parametrize("subsampling", ["grey", "4:4:4", "4:2:2", "4:2:0"])
def test_djpeg_on_files_of_pillow(djpeg: str, photo: Bytes, subsampling: str) -> None:
    grey = subsampling == "grey"
    image, options = (photo[..., 1], {}) if grey else (photo, {"subsampling": subsampling})
    for quality in (5, 50, 92):
        data = pillow_encode(image, quality=quality, **options)
        picture = stored(data)
        assert picture is not None
        for denominator in DENOMINATORS:
            expected = djpeg_decode(djpeg, data, denominator)
            assert_same_picture(picture.decode(denominator), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_djpeg_on_12_bits(djpeg: str, kind: str) -> None:
    """Grey: what stands behind the transform of deep samples is not here."""
    for width in range(1, 71, 3):
        g = Geometry(width, 71 - width, [(1, 1)])
        plane = g.planes[0]
        table = np.full((8, 8), 1 + width, np.uint16)
        levels = 2 * g.transform([made(kind, (8 * plane.down, 8 * plane.across), width)])
        coefficients = np.rint(levels / table.reshape(64)[np.arange(levels.size) % 64])
        coefficients = coefficients.astype(np.int16)
        plan = g.scan_plan([(0, 0)])
        counts = assembly.count_scan(g, coefficients, plan)
        tables = {0: huffman.optimal_table(counts[0]), 4: huffman.optimal_table(counts[4])}
        frame = markers.Frame(1, 12, g.height, g.width, (markers.FrameComponent(1, 1, 1, 0),))
        data = b"".join(
            [
                b"\xff\xd8",
                markers.qtable_bytes(0, table),
                *(markers.huffman_table_bytes(*pair) for pair in tables.items()),
                markers.frame_bytes(frame),
                markers.scan_bytes([(1, 0, 0)]),
                *assembly.encode_scan(g, coefficients, plan, tables, 0),
                b"\xff\xd9",
            ]
        )
        for denominator in SCALED:
            scale = plan_scale(g, denominator)
            (size,) = scale.sizes
            samples = np.empty((size * plane.down, size * plane.across), np.uint16)
            reduced.inverse_deep(
                coefficients, 0, plane.stride, plane.down, plane.across,
                table.astype(np.int32).reshape(64), size, samples.reshape(-1), 0, samples.shape[1],
            )  # fmt: skip
            expected = djpeg_decode(djpeg, data, denominator)
            got = samples[: scale.geometry.height, : scale.geometry.width]
            assert np.array_equal(got, expected)


@pytest.mark.parametrize("name", [*sorted(SAMPLINGS)])
def test_djpeg_on_pictures_of_12_bits(djpeg: str, name: str) -> None:
    for width in range(1, 71, 4):
        image = made("natural", (71 - width, width, 3), width).astype(np.uint16) * 16 + 7
        options = {"color": "grey"} if name == "grey" else {"subsampling": SAMPLINGS[name]}
        if name == "grey":
            image = image[..., 0].copy()
        for progressive in (False, True):
            data = encode(image, progressive=progressive, **options)
            for denominator in DENOMINATORS:
                expected = djpeg_decode(djpeg, data, denominator)
                assert_same_picture(decode(data, scale=denominator), expected)


def test_djpeg_on_conformance_files(djpeg: str, conformance: Path) -> None:
    compared = 0
    for path in sorted((conformance / "valid").iterdir()):
        data = path.read_bytes()
        if not data.startswith(b"\xff\xd8") or (picture := stored(data)) is None:
            continue
        for denominator in DENOMINATORS:
            try:
                expected = djpeg_decode(djpeg, data, denominator)
            except subprocess.CalledProcessError as error:
                assert b"fractional sampling" in error.stderr, path.name
                continue
            assert_same_picture(picture.decode(denominator), expected)
            compared += 1
    assert compared > 0
