"""What commands say, and how they end: exit codes, and lines on standard output and error.

Reports go to standard output, or to standard error if the picture itself goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import sys
from enum import IntEnum
from typing import Any, TextIO

from . import files


class ExitCode(IntEnum):
    """What ``pyjpegml`` returns to the shell."""

    DONE = 0
    TARGET_NOT_MET = 1
    USAGE = 2
    BAD_JPEG = 3
    FILE_FAILED = 4
    INTERNAL = 70
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.TARGET_NOT_MET: "compress: the target was not met; the best file was written",
    ExitCode.USAGE: "wrong usage or argument",
    ExitCode.BAD_JPEG: "a JPEG is broken, or uses what this version cannot decode",
    ExitCode.FILE_FAILED: "a file cannot be read or written, or holds no picture for a JPEG",
    ExitCode.INTERNAL: "a fault in pyjpegml itself",
    ExitCode.INTERRUPTED: "interrupted",
}


class CommandError(Exception):
    """A command cannot go on: an exit code, and one line that says why."""

    def __init__(self, code: ExitCode, message: str) -> None:
        self.code = code
        super().__init__(message)


def say(message: str) -> None:
    """One line on standard error."""
    show(f"pyjpegml: {' '.join(message.split())}", sys.stderr)


def show(text: str, stream: TextIO) -> None:
    """Lines of text; what a terminal would obey, or the stream cannot encode, is escaped."""
    lines = (
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in text.split("\n")
    )
    encoding = stream.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def report(arguments: argparse.Namespace, facts: dict[str, Any], text: str) -> None:
    """Facts as JSON or as text, on standard output unless the picture goes there."""
    to_stdout = getattr(arguments, "output", None) == files.DASH
    as_json = getattr(arguments, "json", False)
    show(json.dumps(facts, indent=2) if as_json else text, sys.stderr if to_stdout else sys.stdout)
