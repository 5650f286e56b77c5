"""The line below every table: which machine, which versions, which day."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import pyjpegml


def processor() -> str:
    """Name of the processor, as Linux tells it, else as Python does."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions_line() -> str:
    """Versions of what the code is made with."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "llvmlite"))
    return f"Python {platform.python_version()}, {versions}, pyjpegml {pyjpegml.__version__}"


def machine_line() -> str:
    """Processor, cores, system and versions in one sentence."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}; {versions_line()}"
