"""The whole decoder over streams of every process, whose content is known to the last bit."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import (
    JpegError,
    JpegUnsupportedError,
    decode,
    decode_coefficients,
    decode_partial,
    read_header,
)
from pyjpegml.testing import PROCESSES, Corrupted, Stream, corrupted, jpeg_streams

DCT = [name for name in PROCESSES if name != "lossless"]


@pytest.mark.parametrize("process", DCT)
@given(data=st.data(), threads=st.integers(1, 3))
def test_coefficients(process: str, data: st.DataObject, threads: int) -> None:
    stream: Stream = data.draw(jpeg_streams(processes=[process], complete=False))
    found = decode_coefficients(stream.data)
    assert len(found.components) == len(stream.coefficients)
    for got, expected in zip(found.components, stream.coefficients, strict=True):
        assert np.array_equal(got, expected)
    for table, expected in zip(found.qtables, stream.qtables, strict=True):
        assert np.array_equal(table, expected)
    header = found.header
    assert (header.width, header.height) == (stream.frame.width, stream.frame.height)
    assert header.precision == stream.frame.precision


@given(jpeg_streams(processes=["lossless"]))
def test_lossless_samples(stream: Stream) -> None:
    """Components as they are stored; each pixel has the sample that covers it."""
    frame = stream.frame
    pixels = decode(stream.data, color="stored")
    assert pixels.dtype == (np.uint8 if frame.precision <= 8 else np.uint16)
    planes = pixels.reshape(frame.height, frame.width, -1)
    y, x = np.arange(frame.height), np.arange(frame.width)
    for i, (component, samples) in enumerate(zip(frame.components, stream.samples, strict=True)):
        h, v = (component.h, component.v) if len(frame.components) > 1 else (1, 1)
        h_max, v_max = (frame.h_max, frame.v_max) if len(frame.components) > 1 else (1, 1)
        assert np.array_equal(planes[..., i], samples[np.ix_(y * v // v_max, x * h // h_max)])


@given(jpeg_streams(), st.integers(1, 3))
def test_pixels_are_libjpeg_turbos(stream: Stream, threads: int) -> None:
    """Wherever libjpeg-turbo decodes the file; and the same with threads, and partly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyjpegml.decoder.THREAD_PIXELS", 1)
        try:
            pixels = decode(stream.data, threads=threads)
        except JpegUnsupportedError:
            return
        assert np.array_equal(pixels, decode_partial(stream.data, threads=threads)[0])
    try:
        expected = imagecodecs.jpeg8_decode(stream.data)
    except imagecodecs.Jpeg8Error:
        return
    if expected.size != pixels.size:
        return
    expected = expected.reshape(pixels.shape)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not np.array_equal(pixels, expected):
        expected = (255 if pixels.dtype == np.uint8 else 4095) - expected
    assert np.array_equal(pixels, expected)


@pytest.mark.hostile
@given(corrupted(max_faults=2))
def test_damaged_files(damaged: Corrupted) -> None:
    """An array or a JpegError, as the fault demands; and never anything else."""
    try:
        pixels = decode(damaged.data)
    except JpegError as error:
        assert error.offset is None or 0 <= error.offset <= len(damaged.data)
        assert not isinstance(error, JpegUnsupportedError) or damaged.verdict != "same"
        assert damaged.verdict != "same"
    else:
        assert pixels.ndim in (2, 3)
        assert damaged.verdict != "error"
        if damaged.verdict == "same":
            assert np.array_equal(pixels, decode(damaged.stream.data))


@pytest.mark.hostile
@given(corrupted(max_faults=3))
def test_damaged_files_partly(damaged: Corrupted) -> None:
    try:
        pixels, report = decode_partial(damaged.data)
    except JpegError:
        return
    header = read_header(damaged.data)
    assert pixels.shape[:2] == (header.height, header.width)
    assert 0 <= report.sound_mcus <= report.mcus
