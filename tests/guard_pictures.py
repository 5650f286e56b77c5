"""Checks of whole pictures and files: what the library makes and passes on is large enough."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from guard_checks import NAMES, SIZES, check, made, options, random
from guard_pages import PLACES, Guarded, guarded_arrays, guarded_calls
from helpers import CONFORMANCE, assert_same_picture
from support_checks import made as stream_of
from support_checks import scans_of

import pyjpegml
from pyjpegml import (
    JpegError,
    Options,
    assembly,
    encoder,
    packed_levels,
    reduced,
    stretches,
    strips,
    symbols,
    trellis,
)
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import ZIGZAG
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.quantize import standard_qtables
from pyjpegml.testing import PROCESSES, Stream
from pyjpegml.transforms import TURNS


def as_rgb(data: bytes) -> bytes:
    """The same file with components named R, G and B and no JFIF marker: it holds RGB itself."""
    assert data[2:4] == b"\xff\xe0"
    body = bytearray(data[:2] + data[4 + int.from_bytes(data[4:6], "big") :])
    frame, start = body.index(b"\xff\xc0") + 10, body.index(b"\xff\xda") + 5
    for i, letter in enumerate(b"RGB"):
        body[frame + 3 * i] = body[start + 2 * i] = letter
    return bytes(body)


def outcome(action: Callable[[], object]) -> object:
    """What is returned, or what the error says."""
    try:
        return action()
    except JpegError as error:
        return repr(error)


def assert_same(one: object, other: object) -> None:
    """Arrays, also in tuples and lists, or anything else."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert_same_picture(one, other)
    elif isinstance(one, (tuple, list)):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def same_outcome(
    action: Callable[[], object],
    threaded: Callable[[], object] | None = None,
    ways: tuple[str, ...] = PLACES,
) -> object:
    """With guards an action gives what it gives without; that is returned.

    Copies of arrays are not shared by threads: `threaded`, the same with several of them, is for
    arrays that are guarded themselves.
    """
    expected = outcome(action)
    if threaded is not None:  # compiles without guards, where NumPy's functions are its own
        assert_same(outcome(threaded), expected)
    for place in ways:
        with guarded_calls(place):
            assert_same(outcome(action), expected)
        with guarded_arrays(place, 0x5A if place == "front" else 0xC3):
            assert_same(outcome(threaded or action), expected)
    return expected


def round_trip(name: str, size: tuple[int, int], **more: object) -> None:
    """Encode and decode: within guarded calls and with guarded scratch as without."""
    image = made(name, size, "natural" if size[1] % 2 else "noise")
    data = same_outcome(partial(pyjpegml.encode, image, **options(name), **more))
    assert isinstance(data, bytes)
    for each in [data] if name == "grey" else [data, as_rgb(data)]:
        same_outcome(partial(pyjpegml.decode, each))


@check
def pictures() -> None:
    """All samplings over odd sizes; both ways of Huffman tables, with restarts and without."""
    for i, (name, size) in enumerate(itertools.product(NAMES, SIZES)):
        round_trip(name, size, optimize=False, restart_interval=i % 2)
        round_trip(name, size, optimize=True, restart_interval=i % 3)


@check
def longest_pictures() -> None:
    """As long as JPEG can say, and thin."""
    for name, size in itertools.product(NAMES, ((1, 65535), (65535, 1), (9, 65535), (65535, 7))):
        round_trip(name, size, optimize=False)


@check
def threads() -> None:
    """Pictures that are large enough for two threads, and what they share."""
    for name, size in itertools.product(NAMES, ((1031, 1033), (17, 65535))):
        image = made(name, size, "gradient")
        for interval in (0, 67) if size[0] > 17 else (0,):
            data = pyjpegml.encode(image, restart_interval=interval, **options(name))
            # compiles without guards, where NumPy's functions are its own
            expected = pyjpegml.decode(data, threads=2)
            pyjpegml.encode(image, restart_interval=interval, threads=2, **options(name))
            for place in PLACES:
                with guarded_arrays(place, 0x5A):
                    assert_same_picture(pyjpegml.decode(data, threads=2), expected)
                    again = pyjpegml.encode(
                        image, restart_interval=interval, threads=2, **options(name)
                    )
                assert again == data


@check
def callers_memory() -> None:
    """The picture and the file of the caller: read to the last byte and not beyond, not written."""
    for place, name, size in itertools.product(PLACES, NAMES, (*SIZES, (1, 65535), (3, 4097))):
        image = made(name, size)
        data = pyjpegml.encode(image, **options(name))
        pixels = pyjpegml.decode(data)
        given = Guarded.copy(image, place)
        given.make_read_only()
        for optimize in (False, True):
            expected = pyjpegml.encode(image, optimize=optimize, **options(name))
            assert pyjpegml.encode(given.array, optimize=optimize, **options(name)) == expected
        for cut in (data, data[:-1], data[:-2], data[:-3], data[: 3 * len(data) // 4]):
            file = Guarded.copy(np.frombuffer(cut, np.uint8), place)
            file.make_read_only()
            try:
                assert_same_picture(pyjpegml.decode(memoryview(file.array)), pixels)
            except JpegError:
                assert cut != data


@check
def stages_of_rate_control() -> None:
    """What a search does, trellis and gradient included, and the metric."""
    for name, size, asked in (
        ("grey", (1, 1), {}), ("grey", (41, 37), {"progressive": False}), ("4:2:0", (17, 33), {}),
        ("4:2:0", (7, 65), {"effort": "best"}), ("4:2:0", (33, 24), {"effort": "fast"}),
    ):  # fmt: skip
        image = made(name, size, "natural")
        other = pyjpegml.decode(pyjpegml.encode(image, quality=40))

        def compressed(image: np.ndarray = image, asked: dict[str, object] = asked) -> bytes:
            # a page of each array is guarded, and the system has so many: no long searches
            options = Options(max_encodes=8)
            return pyjpegml.compress(image, ms_ssim=0.95, options=options, **asked).data

        assert isinstance(same_outcome(compressed), bytes)
        same_outcome(partial(pyjpegml.ms_ssim, image, other))


# --- files ----------------------------------------------------------------------------------------


def check_files(ways: tuple[str, ...]) -> None:
    paths = sorted(CONFORMANCE.glob("*/*"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        same_outcome(
            partial(pyjpegml.decode, data), partial(pyjpegml.decode, data, threads=2), ways
        )


@check
def conformance_files() -> None:
    check_files(("back",))


@check
def all_conformance_files() -> None:
    check_files(PLACES)


def hostile_files(rounds: int) -> Iterator[bytes]:
    """Sound files cut anywhere, with bytes replaced, and with the hardest Huffman tables."""
    rng = random()
    for number, name in itertools.product(range(rounds), NAMES):
        size = int(rng.integers(1, 80)), int(rng.integers(1, 200))
        data = pyjpegml.encode(
            made(name, size), quality=int(rng.integers(1, 101)), optimize=number % 2 == 0,
            restart_interval=int(rng.integers(0, 5)), **options(name),
        )  # fmt: skip
        scan_data = data.index(b"\xff\xda") + 8
        for _ in range(6):
            changed = bytearray(data[: int(rng.integers(scan_data, len(data) + 1))])
            first = scan_data if rng.random() < 0.8 else 20
            for _ in range(int(rng.integers(0, 6))):
                changed[int(rng.integers(min(first, len(changed) - 1), len(changed)))] = int(
                    rng.choice([0, 255, 0xD0, 0xD1, int(rng.integers(0, 256))])
                )
            yield bytes(changed)


@check
def broken_files() -> None:
    for data in hostile_files(rounds=6):
        same_outcome(partial(pyjpegml.decode, data))


@check
def many_broken_files() -> None:
    for data in hostile_files(rounds=200):
        same_outcome(partial(pyjpegml.decode, data))


@check
def windows() -> None:
    """Parts of pictures, and scales: of sequential files, and of stored coefficients."""
    rng = random()
    for name, (height, width) in itertools.product((*NAMES, "4:1:1"), SIZES[1::2]):
        image = made(name, (height, width), "natural")
        for more in ({}, {"restart_interval": 3}, {"progressive": True}):
            data = pyjpegml.encode(image, **options(name), **more)
            for scale in (1, 2, 4, 8):
                high, wide = -(-height // scale), -(-width // scale)
                x, y = int(rng.integers(0, wide)), int(rng.integers(0, high))
                region = (
                    x,
                    y,
                    int(rng.integers(1, wide - x + 1)),
                    int(rng.integers(1, high - y + 1)),
                )
                for part in (None, region, (wide - 1, high - 1, 1, 1)):
                    same_outcome(partial(pyjpegml.decode, data, scale=scale, region=part))


def channels_of(count: int, size: tuple[int, int], bits: int) -> np.ndarray:
    shape = size if count == 1 else (*size, count)
    dtype = np.uint8 if bits == 8 else np.uint16
    return random(sum(size)).integers(0, 1 << bits, shape, dtype)


MODES = (
    (1, 12, {}), (3, 12, {}), (3, 12, {"subsampling": "4:1:0", "progressive": True}),
    (3, 12, {"stored_as": "RGB", "restart_rows": 1}), (4, 8, {"color": "CMYK"}),
    (4, 8, {"color": "CMYK", "stored_as": "YCCK", "progressive": True}),
    (3, 8, {"stored_as": "RGB", "optimize": "scans"}), (3, 8, {"optimize": "scans"}),
    (3, 8, {"subsampling": "4:1:1"}), (3, 8, {"subsampling": "4x4,1x1,1x1"}),
    (3, 8, {"subsampling": "1x1,2x2,2x1"}), (3, 8, {"subsampling": "3x1,1x1,1x1"}),
    (1, 8, {"progressive": "search"}), (3, 8, {"progressive": "search", "restart_interval": 2}),
    (1, 8, {"lossless": True}), (3, 8, {"lossless": True, "restart_rows": 2}),
    (3, 16, {"lossless": True}), (4, 16, {"lossless": True, "color": "CMYK"}),
)  # fmt: skip


@check
def modes() -> None:
    """What the encoder can write, in the best quality, and what is read of it again."""
    for (count, bits, asked), size in itertools.product(MODES, SIZES):
        image = channels_of(count, size, bits)
        more = asked if "lossless" in asked else asked | {"quality": 100}
        data = same_outcome(partial(pyjpegml.encode, image, **more))
        assert isinstance(same_outcome(partial(pyjpegml.decode, data)), np.ndarray)
        same_outcome(partial(pyjpegml.decode, data, region=(size[1] // 2, size[0] // 2, 1, 1)))


@check
def rewritten_files() -> None:
    for name, size in itertools.product(("grey", "4:2:0", "4:1:1"), SIZES[1::3]):
        data = pyjpegml.encode(made(name, size, "natural"), **options(name))
        for progressive in (False, True, "search"):
            same_outcome(partial(pyjpegml.recode, data, progressive=progressive))
        for op in TURNS:
            same_outcome(partial(pyjpegml.transform, data, op, edges="leave"))


@check
def callers_arrays() -> None:
    """Pixels that go into an array of the caller's: nothing behind it is touched."""
    for place, size, (count, bits, asked) in itertools.product(PLACES, SIZES, MODES):
        data = pyjpegml.encode(channels_of(count, size, bits), **asked)
        pixels = pyjpegml.decode(data)
        out = Guarded(pixels.shape, pixels.dtype, place)
        assert_same_picture(pyjpegml.decode(data, out=out.array), pixels)
        out.check()


def streams() -> Iterator[Stream]:
    """Files of all processes and of odd sampling factors, with restarts and without."""
    for process, precision, factors in itertools.product(
        PROCESSES, (8, 12), (((1, 1),), ((2, 2), (1, 1), (1, 1)), ((3, 2), (2, 1), (1, 2)))
    ):
        if process == "baseline" and precision == 12:
            continue
        scans = scans_of(process, len(factors))
        yield stream_of(process, precision=precision, factors=factors, scans=scans)
        mcus = 21 if process == "lossless" and len(factors) == 1 else 3
        if process == "lossless" and len(factors) > 1:
            continue  # whose restart intervals are whole rows
        restarts = [replace(scan, restart_interval=mcus) for scan in scans]
        yield stream_of(process, precision=precision, factors=factors, scans=restarts)
    for count in (1, 3, 5):  # smoothed
        yield stream_of("progressive", scans=scans_of("progressive", 3)[:count])


@check
def other_processes() -> None:
    for stream in streams():
        pixels = same_outcome(partial(pyjpegml.decode, stream.data))
        assert isinstance(pixels, np.ndarray)
        same_outcome(partial(pyjpegml.decode, stream.data, scale=2, region=(1, 2, 3, 4)))
        same_outcome(lambda data=stream.data: pyjpegml.decode_coefficients(data).components)


def broken_processes(rounds: int) -> None:
    """The same files cut, or with other bytes in their scans."""
    rng = random()
    for stream, _ in itertools.product(streams(), range(rounds)):
        start = stream.data.index(b"\xff\xda")
        changed = bytearray(stream.data[: int(rng.integers(start, len(stream.data)))])
        for _ in range(int(rng.integers(0, 4))):
            changed[int(rng.integers(start, len(changed)))] = int(rng.integers(0, 256))
        same_outcome(partial(pyjpegml.decode, bytes(changed)))
        same_outcome(lambda data=bytes(changed): pyjpegml.decode_partial(data)[0])


@check
def broken_files_of_other_processes() -> None:
    broken_processes(rounds=5)


@check
def many_broken_files_of_other_processes() -> None:
    broken_processes(rounds=200)


def tour() -> None:
    """A little of everything."""
    for name, optimize in zip(NAMES, itertools.cycle((True, False)), strict=False):
        image = made(name, (17, 37), "natural")
        data = pyjpegml.encode(image, optimize=optimize, quality=50, **options(name))
        pyjpegml.decode(data)
        for scale in (1, 2, 4, 8):
            pyjpegml.decode(data, scale=scale)
            pyjpegml.decode(data, scale=scale, region=(3, 1, 1, 1))
        geometry, coefficients = encoder.analyse(image, FACTORS.get(name, ((1, 1),)))
        tables = list(standard_qtables(10))
        tables = [tables[0], tables[1], tables[1]][: len(geometry.planes)]
        levels = encoder.quantize_all(geometry, coefficients, tables)
        assembly.assemble(geometry, levels, tables, optimize=optimize)
        planes = geometry.reconstruct(levels, tables)
        strips.picture(geometry, planes, strips.GREY if name == "grey" else strips.YCBCR)
        pyjpegml.decode(pyjpegml.encode(made(name, (8, 33), "flat"), quality=1, **options(name)))
    pyjpegml.decode(as_rgb(data))
    for count, bits, asked in MODES:
        data = pyjpegml.encode(channels_of(count, (9, 17), bits), **asked)
        pyjpegml.decode(data)
        if "lossless" not in asked:
            pyjpegml.transform(data, "transverse", edges="leave")
            pyjpegml.transform(data, "flip-vertical", edges="leave")
    for process, count in (
        ("arithmetic sequential", None), ("arithmetic progressive", None),
        ("progressive", 1), ("progressive", 3),
    ):  # fmt: skip
        pyjpegml.decode(stream_of(process, scans=scans_of(process, 3)[:count]).data)
    tour_of_kernels()


def tour_of_kernels() -> None:
    """Those that small pictures do not come to, or that nothing calls yet."""
    blocks, steps = np.ones(64, np.int16), np.ones(64, np.int32)
    for size in (1, 2, 4):
        reduced.inverse_deep(
            blocks, 0, 1, 1, 1, steps, size, np.zeros(size * size, np.uint16), 0, size
        )
    for size in (2, 4):
        many = np.ones(64 * 32 // size, np.int16)
        count = many.size // 64
        reduced.inverse_reduced(
            many, 0, count, 1, count, steps, size, np.zeros(32 * size, np.uint8), 0, 32
        )
    layout = strips.Layout(Geometry(8, 8, ((1, 1),)))
    stretches.clear_stretch(np.ones(64 * layout.blocks, np.int16), layout.fields, 0, 1)
    symbols.finish(symbols.new_writer(1), 0, 5, 3, True)
    levels = np.ones((2, 3, 64), np.int16)
    trellis.count_ac(levels, ZIGZAG, 1, 63, 2, 3, True, np.zeros(256, np.int64))
    packed_levels.find_masks(levels.ravel(), np.zeros(6, np.uint64))
    costs, ends = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8)
    trellis.drop_blocks(costs, ends, np.float32(0), 1, 63, levels)


@check
def short_tour() -> None:
    for place in PLACES:
        with guarded_calls(place):
            tour()
