"""Streams of the testing kit against decoders that know nothing of it, and against oracles."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import pillow_decode, plain, run_python
from hypothesis import find, given, settings
from hypothesis import strategies as st
from PIL import UnidentifiedImageError

from pyjpegml.testing import (
    FEATURES,
    PROCESSES,
    Coding,
    Component,
    Content,
    Frame,
    Layout,
    Scan,
    Stream,
    coefficients,
    jpeg_streams,
    make_legal,
    qtables,
    sampling_factors,
    scan_scripts,
    write_stream,
)
from pyjpegml.testing.arithmetic import ESTIMATION, Encoder
from pyjpegml.testing.stream import ZIGZAG
from pyjpegml.testing.tables import STANDARD

FEW = settings(max_examples=20, database=None)

#: What libjpeg does not decode at all.
NOT_IN_LIBJPEG = ("DNL", "fractional sampling")
DCT_PROCESSES = [process for process in PROCESSES if process != "lossless"]


def test_nothing_of_the_kit_is_imported_with_the_package_and_no_codec_with_the_kit() -> None:
    run_python("import sys, pyjpegml; assert 'hypothesis' not in sys.modules")
    run_python(
        "import sys, pyjpegml.testing\n"
        "names = [n for n in sys.modules if n.startswith('pyjpegml.')]\n"
        "assert 'numba' not in sys.modules\n"
        "assert {n.split('.')[1] for n in names} == {'testing', 'errors'}, names"
    )


# --- content --------------------------------------------------------------------------------------


@given(
    jpeg_streams(
        processes=["baseline", "extended sequential"],
        without=["fill bytes", "other segments", "trailing bytes", "multiple scans", "DNL"],
    )
)
def test_sequential_streams_read_by_an_oracle(stream: Stream) -> None:
    """Coefficients, to the last bit, by a decoder that was written from Annex F.2."""
    segments, coded = oracles.file_parts(stream.data)
    [frame] = [payload for code, payload in segments if code in (0xC0, 0xC1)]
    assert frame[0] == stream.frame.precision
    assert int.from_bytes(frame[1:3]) == stream.frame.height
    assert int.from_bytes(frame[3:5]) == stream.frame.width
    [scan] = stream.scans
    factors = [(c.h, c.v) for c in stream.frame.components]
    if len(factors) == 1:
        factors = [(1, 1)]
    mcus = list(oracles.mcu_blocks(stream.frame.width, stream.frame.height, factors))
    tables = oracles.file_huffman_tables(stream.data)
    codes = {}
    for i, (dc, ac) in enumerate(scan.slots):
        codes[i, "DC"] = oracles.canonical_codes(*tables[dc])
        codes[i, "AC"] = oracles.canonical_codes(*tables[0x10 | ac])
    layout = [[i for i, *_ in mcu] for mcu in mcus]
    read = oracles.decode_scan(coded, layout, codes, scan.restart_interval)
    for places, blocks in zip(mcus, read, strict=True):
        for (i, row, column, real), block in zip(places, blocks, strict=True):
            if real:
                assert block == stream.coefficients[i][row, column].reshape(64).tolist()


def shown(stream: Stream) -> npt.NDArray[np.uint8] | None:
    """Its pixels; None if Pillow stumbles over a segment of which hardly more than the name is
    there, as random bytes may have it.
    """
    try:
        return pillow_decode(stream.data)
    except UnidentifiedImageError:
        assert any(name in stream.data for name in (b"ICC_PROFILE\0", b"Adobe", b"JFIF"))
        return None


@given(jpeg_streams(["baseline"], components=[1], without=NOT_IN_LIBJPEG))
def test_samples_of_a_baseline_stream(stream: Stream) -> None:
    """What the coefficients mean: Pillow shows the inverse DCT, as well as fixed point can."""
    [blocks], [table] = stream.coefficients, stream.qtables
    dequantized = blocks * table.astype(float)
    samples = np.clip(oracles.inverse_dct(dequantized) + 128, 0, 255)
    bound = oracles.inverse_dct_error(dequantized.reshape(*blocks.shape[:2], 64))
    down, across = blocks.shape[:2]
    rows = samples.transpose(0, 2, 1, 3).reshape(8 * down, 8 * across)
    bounds = np.kron(bound, np.ones((8, 8)))
    height, width = stream.frame.height, stream.frame.width
    got = shown(stream)
    if got is None:
        return
    assert (np.abs(got - rows[:height, :width]) <= bounds[:height, :width] + 0.5).all()


@pytest.mark.parametrize("process", DCT_PROCESSES)
def test_streams_decode_in_pillow_as_their_plain_twin(process: str) -> None:
    @settings(max_examples=80)
    @given(jpeg_streams([process], 32, [1, 3, 4], [8], without=NOT_IN_LIBJPEG))
    def check(stream: Stream) -> None:
        decoded = shown(stream)
        if decoded is not None:
            np.testing.assert_array_equal(decoded, pillow_decode(plain(stream)))

    check()


@given(
    jpeg_streams(
        DCT_PROCESSES[1:], precisions=[12], components=[1, 3], without=NOT_IN_LIBJPEG, max_size=32
    )
)
def test_twelve_bits_decode_in_imagecodecs_as_their_plain_twin(stream: Stream) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    np.testing.assert_array_equal(
        imagecodecs.jpeg8_decode(stream.data), imagecodecs.jpeg8_decode(plain(stream))
    )


def is_read_by_libjpeg(stream: Stream) -> bool:
    """libjpeg-turbo predicts across restart markers that are not between whole groups of V rows of
    a component, against T.81 H.1.2.1."""
    for scan in stream.scans:
        if len(scan.components) == 1:
            [i] = scan.components
            across = stream.frame.unit_size(i)[1]
            if scan.restart_interval % (across * stream.frame.components[i].v):
                return False
    return True


@given(
    jpeg_streams(
        ["lossless"], components=[1, 3], without=["larger chroma", *NOT_IN_LIBJPEG]
    ).filter(lambda s: s.color_model != "YCbCr" and is_read_by_libjpeg(s))
)
def test_lossless_samples_in_imagecodecs(stream: Stream) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    frame = stream.frame
    got = imagecodecs.jpeg8_decode(stream.data).reshape(frame.height, frame.width, -1)
    for i, (c, plane) in enumerate(zip(frame.components, stream.samples, strict=True)):
        if (c.h, c.v) == (frame.h_max, frame.v_max):
            np.testing.assert_array_equal(got[:, :, i], plane)


@settings(max_examples=15)
@given(jpeg_streams(["baseline"], max_size=20).filter(lambda s: "DNL" in s.features))
def test_height_behind_the_first_scan(stream: Stream) -> None:
    [(_, frame)] = stream.find("SOF0")
    [(_, dnl)] = stream.find("DNL")
    assert frame.data[5:7] == b"\0\0"
    assert int.from_bytes(dnl.data[4:6]) == stream.frame.height
    names = [part.name for part in stream.parts if part.name != "fill"]
    assert names[names.index("DNL") - 1] == "ECS"
    assert names[: names.index("DNL")].count("SOS") == 1


@given(jpeg_streams(["progressive", "arithmetic progressive"], complete=False))
def test_streams_cut_short_hold_what_their_scans_tell(stream: Stream) -> None:
    lows = {
        (i, k): scan.low
        for scan in stream.scans
        for i in scan.components
        for k in range(scan.start, scan.end + 1)
    }
    for i, blocks in enumerate(stream.coefficients):
        for k in range(64):
            values = blocks[:, :, ZIGZAG[k] // 8, ZIGZAG[k] % 8].astype(int)
            unit = 1 << lows[i, k] if (i, k) in lows else 1 << 20
            assert not (values % unit).any()
    everything = len(lows) == 64 * len(stream.coefficients) and not any(lows.values())
    assert stream.complete == everything
    assert ("cut short" in stream.features) == (not everything)


def test_the_longest_end_of_band_run() -> None:
    """32767 empty blocks are one run, those left another one; and each way to split it is read."""
    frame = Frame("progressive", 8, 8 * 256, 8 * 129, (Component(1),))
    units = np.zeros((129, 256, 8, 8), np.int64)
    units[-1, -1, 7, 7] = 3
    content = Content((units,), {(0, 0): np.full((8, 8), 50, np.uint16)})
    scans = [Scan((0,), ((0, 0),), end=0), Scan((0,), ((0, 0),), start=1, low=1)]
    scans.append(Scan((0,), ((0, 0),), start=1, high=1))
    stream = write_stream(frame, scans, content)
    tables = [part.data[21:] for _, part in stream.find("DHT")]
    # EOB14 and EOB8; the last block is three runs of 16 zeros and one of 14
    assert [set(symbols) for symbols in tables[1:]] == [{0xE0, 0x80, 0xF0, 0xE1}, {0xE0, 0x80}]
    np.testing.assert_array_equal(pillow_decode(stream.data), pillow_decode(plain(stream)))


# --- the arithmetic coder -------------------------------------------------------------------------


def test_arithmetic_coder_on_the_test_sequence_of_the_standard() -> None:
    """T.81 K.4.1: 256 decisions, one bin."""
    decisions = "00020051000000c00352872aaaaaaaaa82c02000fcd79ef674eaabf7697ee74c"
    encoder, state = Encoder(), [0, 0]
    for bit in format(int(decisions, 16), "0256b"):
        encoder.code(state, int(bit))
    coded = "655b5144f7969d517855bfff00fc5184c7cef93900287d46708ecbc0f6"
    assert encoder.flush().hex() == coded


def test_probability_estimation_table() -> None:
    assert len(ESTIMATION) == 113
    for qe, next_lps, next_mps, switch in ESTIMATION:
        assert 0 < qe < 0x8000
        assert max(next_lps, next_mps) < 113
        assert switch == (qe > 0x5500 and switch)  # the symbols change places near 0.5 only


# --- tables ---------------------------------------------------------------------------------------


@given(
    st.dictionaries(st.integers(0, 255), st.integers(1, 10**6), min_size=1),
    st.sampled_from(["optimal", "standard", "skewed", "flat"]),
    st.integers(1, 16),
    st.integers(0, 40),
)
def test_huffman_tables_are_legal(
    frequencies: dict[int, int], kind: str, length: int, unused: int
) -> None:
    for table_class in (0, 1):
        coding = Coding(kind, length, unused)
        table = coding.table(table_class, 0, Counter(frequencies))
        codes = table.codes()
        assert codes == oracles.canonical_codes(table.bits, table.symbols)
        assert set(frequencies) <= set(codes)
        assert len(codes) == len(table.symbols) == sum(table.bits)
        assert oracles.is_prefix_free(codes.values())
        assert not any(set(code) == {"1"} for code in codes.values())


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 1000), min_size=1, max_size=40))
def test_optimal_tables_cost_no_more_than_any_code_with_a_free_word(
    frequencies: dict[int, int],
) -> None:
    codes = Coding().table(0, 0, Counter(frequencies)).codes()
    cost = sum(count * len(codes[symbol]) for symbol, count in frequencies.items())
    weights = [*frequencies.values(), 0]  # the code of ones costs nothing, but is there
    lengths = oracles.package_merge(weights, 16)
    least = sum(w * n for w, n in zip(weights, lengths, strict=True))
    # K.2 gives the free word a weight of 1: no more than its length may be lost
    assert least <= cost <= least + 16


def test_standard_tables() -> None:
    tables = oracles.file_huffman_tables(pillow_standard())
    assert {
        k: (t.bits, t.symbols) for (c, s), t in STANDARD.items() for k in [16 * c + s]
    } == tables


def pillow_standard() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    return out.getvalue()


# --- strategies -----------------------------------------------------------------------------------


@given(st.data())
def test_scan_scripts_are_legal(data: st.DataObject) -> None:
    factors = data.draw(sampling_factors(data.draw(st.integers(1, 4))))
    script = data.draw(scan_scripts(factors))
    reached: dict[tuple[int, int], int] = {}
    for components, start, end, high, low in script:
        assert list(components) == sorted(components)
        assert (start == end == 0) or (1 <= start <= end <= 63 and len(components) == 1)
        if len(components) > 1:
            assert sum(factors[i][0] * factors[i][1] for i in components) <= 10
        for i in components:
            assert start == 0 or (i, 0) in reached, "AC before DC"
            for k in range(start, end + 1):
                if (i, k) in reached:
                    assert (high, low) == (reached[i, k], high - 1)
                else:
                    assert high == 0
                    assert low <= 13
                reached[i, k] = low
    assert reached == {(i, k): 0 for i in range(len(factors)) for k in range(64)}


@given(st.data())
def test_coefficients_are_those_of_a_forward_dct(data: st.DataObject) -> None:
    """A block lies within the range of samples, or is what their clipping made of it."""
    precision = data.draw(st.sampled_from([8, 12]))
    table = data.draw(qtables(255))
    [units] = data.draw(coefficients([(2, 2)], [table], precision))
    assert np.abs(units).max() <= 8 << (precision - 1)
    assert np.abs(units.reshape(-1, 64)[:, 1:]).max() < 8 << (precision - 1)
    samples = oracles.inverse_dct(units * table.astype(np.int64))
    half = 1 << (precision - 1)
    inside = (samples >= -half - 1e-6).all((2, 3)) & (samples <= half - 1 + 1e-6).all((2, 3))
    clipped = oracles.forward_dct(np.clip(samples, -half, half - 1)) / table
    # quantization moved each coefficient by half a step at most; clipping brings it no farther
    distance = np.abs(clipped - units) * table
    energy = np.sqrt((table.astype(float) ** 2).sum()) / 2
    assert (np.sqrt((distance**2).sum((2, 3)))[~inside] <= energy + 1e-6).all()
    kept = make_legal(units, table, precision)
    np.testing.assert_array_equal(kept[inside], units[inside])


@given(st.data())
def test_features_can_be_left_out(data: st.DataObject) -> None:
    feature = data.draw(st.sampled_from(sorted(FEATURES)))
    stream = data.draw(jpeg_streams(complete=False, max_size=16, without=[feature]))
    assert feature not in stream.features
    assert all(present in stream.text() for present in stream.features)


@given(
    st.sampled_from(sorted(PROCESSES)).flatmap(
        lambda process: jpeg_streams([process], components=[2, 3], max_size=20)
    )
)
def test_parameters_are_kept(stream: Stream) -> None:
    assert len(stream.frame.components) in (2, 3)
    assert 1 <= stream.frame.width <= 20
    assert 1 <= stream.frame.height <= 20
    assert stream.data == b"".join(part.data for part in stream.parts)
    for offset, part in zip(stream.offsets, stream.parts, strict=True):
        assert stream.data[offset : offset + len(part.data)] == part.data
    content = stream.samples or stream.coefficients
    sizes: list[tuple[int, ...]] = [
        stream.frame.unit_size(i) for i in range(len(stream.frame.components))
    ]
    assert [plane.shape[:2] for plane in content] == sizes


@pytest.mark.parametrize("process", ["baseline", "lossless", "arithmetic progressive"])
def test_examples_shrink_to_one_grey_pixel(process: str) -> None:
    stream = find(jpeg_streams([process]), lambda stream: True, settings=FEW)
    assert (stream.frame.width, stream.frame.height) == (1, 1)
    assert stream.color_model == "grey"
    assert not stream.features
    content: npt.NDArray[np.generic] = (stream.samples or stream.coefficients)[0]
    assert not content.any()


def test_wrong_parameters() -> None:
    for arguments, message in [
        ({"processes": ["hierarchical"]}, "no such process: 'hierarchical'; there are baseline"),
        ({"without": ["restart"]}, "no such feature: 'restart'; there are 12 bits"),
        ({"processes": ["baseline"], "precisions": [12]}, "baseline.* has samples of .12. bits"),
    ]:
        with pytest.raises(ValueError, match=message):
            find(jpeg_streams(**arguments), lambda stream: True)


COLORS = [
    # components, process, JFIF, Adobe, identifiers, model
    (1, "baseline", False, None, b"\1", "grey"),
    (2, "baseline", False, None, b"\1\2", "unknown"),
    (3, "baseline", False, None, b"\1\2\3", "YCbCr"),
    (3, "baseline", False, None, b"RGB", "RGB"),
    (3, "baseline", False, None, b"\0\1\2", "YCbCr"),
    (3, "baseline", False, 0, b"\1\2\3", "RGB"),
    (3, "baseline", False, 1, b"RGB", "YCbCr"),
    (3, "baseline", True, 0, b"RGB", "YCbCr"),
    (3, "lossless", False, None, b"\1\2\3", "RGB"),
    (3, "lossless", True, None, b"\1\2\3", "YCbCr"),
    (4, "baseline", False, None, b"\1\2\3\4", "CMYK"),
    (4, "baseline", False, 0, b"\1\2\3\4", "CMYK"),
    (4, "baseline", False, 2, b"\1\2\3\4", "YCCK"),
]


@pytest.mark.parametrize(("count", "process", "jfif", "adobe", "identifiers", "model"), COLORS)
def test_color_models(
    count: int, process: str, jfif: bool, adobe: int | None, identifiers: bytes, model: str
) -> None:
    frame = Frame(process, 8, 1, 1, tuple(Component(i) for i in identifiers))
    shape = (1, 1) if process == "lossless" else (1, 1, 8, 8)
    content = Content(
        tuple(np.zeros(shape, np.int64) for _ in identifiers),
        {(0, 0): np.ones((8, 8), np.uint16)},
    )
    scan = Scan(tuple(range(count)), ((0, 0),) * count, start=int(process == "lossless"))
    stream = write_stream(frame, [scan], content, layout=Layout(jfif=jfif, adobe=adobe))
    assert stream.color_model == model
