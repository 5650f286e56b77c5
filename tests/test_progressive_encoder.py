"""Progressive files: the coefficients and pixels are kept, in our decoder and in libjpeg-turbo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from coefficients import assert_same_coefficients, scan_intervals
from helpers import (
    SUBSAMPLINGS,
    assert_same_picture,
    images,
    picture,
    pillow_decode,
    pillow_encode,
    run_python,
)
from hypothesis import given
from hypothesis import strategies as st
from progressive_scripts import sound_scripts
from test_progressive import random_coefficients

import pyjpegml
from pyjpegml import (
    assembly,
    decode,
    decode_coefficients,
    encode,
    encode_coefficients,
    read_header,
    recode,
)
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.progressive_encoder import LARGEST_DC, encode_scans
from pyjpegml.scripts import Scan, usual_script
from pyjpegml.threads import Crew

FLAT = np.full((8, 8), 1, np.uint16)


def assert_holds(data: bytes, geometry: Geometry, quantized: np.ndarray) -> None:
    """A file has these coefficients, and nothing is wrong with it."""
    for i, blocks in enumerate(decode_coefficients(data).components):
        plane = geometry.planes[i]
        wanted = geometry.view(quantized, i)[: plane.down, : plane.across]
        np.testing.assert_array_equal(blocks.reshape(wanted.shape), wanted)
    assert not pyjpegml.decode_partial(data)[1].problems
    assert read_header(data).process == "progressive"


@given(st.data())
def test_coefficients(data: st.DataObject) -> None:
    """Any sound script, sampling, restart interval and size; AC and DC up to what is legal."""
    factors = data.draw(
        st.sampled_from([*FACTORS.values(), ((1, 1),), ((2, 1), (1, 1), (1, 1), (1, 2))])
    )
    size = data.draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    geometry = Geometry(*size, factors)
    quantized = random_coefficients(
        geometry,
        data.draw(st.integers(0, 999)),
        data.draw(st.sampled_from([0.02, 0.2, 1])),
        data.draw(st.sampled_from([1, 20, 1023, 16383])),
        data.draw(st.sampled_from([0, 0.7, 1])),
    )
    script = data.draw(st.just(True) | sound_scripts(geometry.sampling))
    restart_interval = data.draw(st.sampled_from([0, 1, 3, 7, 65535]))
    made = assembly.assemble(
        geometry, quantized, [FLAT] * len(factors), progressive=script,
        restart_interval=restart_interval,
    )  # fmt: skip
    assert_holds(made, geometry, quantized)


@given(
    images(),
    st.integers(1, 100),
    st.sampled_from(SUBSAMPLINGS),
    st.sampled_from([{}, {"restart_interval": 1}, {"restart_interval": 5}, {"restart_rows": 2}]),
)
def test_pixels(
    image: np.ndarray, quality: int, subsampling: str, restarts: dict[str, int]
) -> None:
    """Those of the sequential file, here and in libjpeg-turbo."""
    options = {"quality": quality, "subsampling": subsampling, **restarts}
    data = encode(image, progressive=True, **options)  # type: ignore[arg-type]
    sequential = encode(image, **options)  # type: ignore[arg-type]
    assert_same_picture(decode(data), decode(sequential))
    assert_same_picture(decode(data), pillow_decode(data))
    for a, b in zip(
        decode_coefficients(data).components,
        decode_coefficients(sequential).components,
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1, 3), (700, 3, 3), (5, 700, 3)])
@pytest.mark.parametrize("kind", ["noise", "extremes", "flat"])
def test_extremes(shape: tuple[int, ...], kind: str) -> None:
    """Long runs of blocks, and noise at quality 100: full blocks of the largest values."""
    image = picture(kind, shape)
    for script in (
        True,
        [Scan((i,), 0, 0, 0, 0) for i in range(3)] + [Scan((i,), 1, 63, 0, 0) for i in range(3)],
    ):
        if script is not True and len(shape) == 2:
            continue
        data = encode(image, quality=100, subsampling="4:4:4", progressive=script)
        assert_same_picture(decode(data), pillow_decode(data))
        assert_same_picture(decode(data), decode(encode(image, quality=100, subsampling="4:4:4")))


def test_many_correction_bits() -> None:
    """A run of blocks with more of them than the 937 that libjpeg takes, in libjpeg-turbo too."""
    image = picture("checkerboard", (64, 640), 3)
    data = encode(image, quality=60, progressive=True)
    assert_same_picture(decode(data), pillow_decode(data))
    geometry = Geometry(8 * 400, 8 * 100, [(1, 1)])
    quantized = np.zeros(geometry.size, np.int16)
    quantized.reshape(-1, 64)[:, [8, 1, 9]] = [5, -6, 4]
    data = assembly.assemble(geometry, quantized, [FLAT * 9], progressive=True)
    assert_same_picture(decode(data), pillow_decode(data))
    assert_holds(data, geometry, quantized)


def test_the_usual_script_is_smaller_than_libjpegs(photo: np.ndarray) -> None:
    """The same scans, with fewer tables."""
    theirs = pillow_encode(photo, quality=75, subsampling="4:2:0", progressive=True)
    ours = encode(photo, quality=75, progressive=True)
    assert len(ours) < len(theirs)
    assert_same_picture(decode(ours), pillow_decode(theirs))


def test_threads_write_the_same_scans() -> None:
    geometry = Geometry(190, 150, [(2, 2), (1, 1), (1, 1)])
    quantized = random_coefficients(geometry, 1, 0.2, 9, 0.1)
    alone = encode_scans(geometry, quantized, restart_interval=9)
    with Crew(3) as crew:
        assert encode_scans(geometry, quantized, restart_interval=9, crew=crew) == alone


def test_identifiers_and_restart_interval() -> None:
    geometry = Geometry(30, 20, [(1, 1)] * 3)
    quantized = random_coefficients(geometry, 1, 0.1, 9, 0.1)
    body = b"".join(encode_scans(geometry, quantized, restart_interval=4, identifiers=(82, 71, 66)))
    assert body.startswith(b"\xff\xdd\0\4\0\4")
    sos = body[body.index(b"\xff\xda") :]
    assert (sos[4], sos[5], sos[7], sos[9]) == (3, 82, 71, 66)
    assert [body.count(bytes([0xFF, 0xD0 + k])) > 0 for k in range(3)] == [True, True, False]


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_of_each_scan_are_jpegtrans(
    jpegtran: Callable[..., bytes | None], subsampling: str, rows: int
) -> None:
    """Scans of one component have MCUs of one block, and so other rows than those of all."""
    image = picture("natural", (70, 90, 3))
    sequential = encode(image, subsampling=subsampling)
    theirs = jpegtran(sequential, "-progressive", "-restart", str(rows))
    assert theirs is not None
    ours = encode(image, subsampling=subsampling, progressive=True, restart_rows=rows)
    assert scan_intervals(ours) == scan_intervals(theirs)
    assert_same_coefficients(ours, theirs)
    assert len(ours) <= len(theirs)


@pytest.mark.parametrize("stored", ["RGB", "YCbCr"])
def test_scans_of_rgb_are_not_those_of_chroma(
    jpegtran: Callable[..., bytes | None], stored: str
) -> None:
    """As jpegtran has it, whose files are not smaller."""
    image = picture("natural", (90, 120, 3))
    for quality in (60, 95):
        sequential = encode(image, stored_as=stored, quality=quality)
        theirs = jpegtran(sequential, "-progressive", "-optimize")
        assert theirs is not None
        ours = encode(image, stored_as=stored, quality=quality, progressive=True)
        assert len(ours) <= len(theirs)
        assert (
            recode(sequential)
            == encode_coefficients(decode_coefficients(sequential), progressive=True)
            == ours
        )
        assert len(scan_intervals(ours)) == len(scan_intervals(theirs))


def test_rows_of_all_scans_alike_are_told_once() -> None:
    image = picture("natural", (70, 90))
    by_rows = encode(image, progressive=True, restart_rows=2)
    assert by_rows == encode(image, progressive=True, restart_interval=2 * 12)
    assert by_rows.count(b"\xff\xdd") == 1


@pytest.mark.parametrize(
    ("index", "value", "reason"),
    [
        (0, LARGEST_DC, "DC coefficients are -16384 to 16383; these are 0 to 16384"),
        (0, -LARGEST_DC - 1, "these are -16385 to 0"),
        (5, -32768, "there is one of -32768"),
    ],
)
def test_coefficients_without_symbols(index: int, value: int, reason: str) -> None:
    geometry = Geometry(9, 9, [(1, 1)])
    quantized = np.zeros(geometry.size, np.int16)
    quantized[index] = value
    with pytest.raises(ValueError, match=reason):
        encode_scans(geometry, quantized)


@pytest.mark.parametrize("progressive", [None, 1, "usual", usual_script])
def test_what_progressive_may_be(progressive: object) -> None:
    with pytest.raises(ValueError, match="progressive is"):
        encode(np.zeros((9, 9), np.uint8), progressive=progressive)  # type: ignore[arg-type]


def test_a_script_of_another_picture() -> None:
    with pytest.raises(ValueError, match="nothing of coefficient 0 of component 1"):
        encode(np.zeros((9, 9, 3), np.uint8), progressive=usual_script([(1, 1)]))


def test_plain_python_writes_the_same() -> None:
    script = """
import hashlib, numpy, pyjpegml
image = numpy.random.default_rng(1).integers(0, 256, (20, 27, 3), numpy.uint8)
for progressive in (True, "search"):
    data = pyjpegml.encode(image, quality=60, progressive=progressive, restart_interval=2)
    print(hashlib.sha256(data).hexdigest())
"""
    compiled = run_python(script).stdout
    assert compiled == run_python(script, options=("-W", "error"), NUMBA_DISABLE_JIT="1").stdout
