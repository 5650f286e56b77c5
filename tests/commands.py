"""What the tests of the command line share: pictures, processes, standard input."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import pyjpegml

PACKAGE_PARENT = Path(pyjpegml.__file__).resolve().parent.parent

#: Arguments in; exit code, standard output and standard error out.
Run = Callable[..., tuple[int, str, str]]


def picture(height: int = 72, width: int = 96) -> npt.NDArray[np.uint8]:
    """A gradient with some noise, RGB."""
    rng = np.random.default_rng(20)
    y, x = np.mgrid[:height, :width]
    gradient = np.stack([2 * x, 2 * y, x + y], 2) + 20
    return np.clip(gradient + rng.normal(0, 4, gradient.shape), 0, 255).astype(np.uint8)


RGB = picture()
GREY = RGB[:, :, 1].copy()


def process(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """``python -m pyjpegml`` as a process of its own."""
    command = [sys.executable, "-m", "pyjpegml", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment(), check=False)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
