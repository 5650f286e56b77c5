"""Pictures by path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import RGB

import pyjpegml
from pyjpegml.paths import read, write


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    size = write(path, RGB, quality=90, subsampling="4:4:4")
    data = pyjpegml.encode(RGB, quality=90, subsampling="4:4:4")
    assert path.read_bytes() == data
    assert size == len(data)
    assert np.array_equal(read(path), pyjpegml.decode(data))
    assert np.array_equal(read(str(path), scale=2), pyjpegml.decode(data, scale=2))
    write(path, data[:-2] + b"\xff\xd9")
    assert path.read_bytes() == data


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    (tmp_path / "empty").touch()
    with pytest.raises(pyjpegml.JpegFormatError):
        read(tmp_path / "empty")
    with pytest.raises(TypeError, match="quality cannot be heeded"):
        write(tmp_path / "a.jpg", b"\xff\xd8", quality=3)
    with pytest.raises(pyjpegml.JpegFormatError):
        read(__file__)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
