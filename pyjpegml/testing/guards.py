"""A decoder in a process of its own: that it crashes or never ends is a result like any other.

Needs a POSIX system.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .decoders import check_name

_SLICE = 0.05
"""Seconds of one wait; they are counted, so that a stopped machine makes no decoder hang."""

START = 1800.0
"""Seconds that a decoder may take to start, which for ours may mean to be compiled."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a file.

    Attributes
    ----------
    status : str
        ``"image"``, ``"refused"``, ``"crashed"`` or ``"hung"``.
    image : array or None
        What was decoded.
    reason : str
        What the decoder said, or the signal that ended it.
    seconds : float
        Processor time, of programs that it ran as well; of a decoder that hung, what it was given.
    """

    status: str
    image: npt.NDArray[Any] | None = None
    reason: str = ""
    seconds: float = 0.0


class DecoderError(Exception):
    """A decoder could not be started."""


class Guard:
    """Runs a decoder in a process, which is started anew when it dies.

    Parameters
    ----------
    name : str
        One of :data:`pyjpegml.testing.decoders.NAMES`, or a command with ``{in}`` and perhaps
        ``{out}``.
    seconds : float
        How long a file may take before the decoder counts as hung.
    megabytes : int
        Most address space of the process.

    Raises
    ------
    ValueError
        If there is no such decoder.
    DecoderError
        If it cannot be started: not installed, for one.

    Examples
    --------
    >>> with Guard("pillow") as pillow:
    ...     pillow.run(b"no JPEG").status
    'refused'
    """

    def __init__(self, name: str, seconds: float = 10.0, megabytes: int = 4096) -> None:
        check_name(name)
        self.name = name
        self.seconds = seconds
        self.megabytes = megabytes
        self._start()

    def _start(self) -> None:
        their_requests, our_requests = os.pipe()
        our_answers, their_answers = os.pipe()
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- close() does it
        self._folder = tempfile.TemporaryDirectory(prefix="pyjpegml-difftest.")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "pyjpegml.testing.decoders", self.name,
                str(their_requests), str(their_answers), str(self.megabytes),
            ],
            pass_fds=(their_requests, their_answers),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._complaints,
            start_new_session=True,  # so that what a command has started can be ended with it
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": self._folder.name},
        )  # fmt: skip
        os.close(their_requests)
        os.close(their_answers)
        self._requests = Connection(our_requests, readable=False)
        self._answers = Connection(our_answers, writable=False)
        try:
            ready = self._wait(START) and self._answers.recv()
        except EOFError:
            ready = None
        if not ready:
            self._kill()
            self._complaints.seek(0)
            complaint = self._complaints.read().decode(errors="replace").strip()
            self.close()
            last = complaint.splitlines()[-1] if complaint else "it does not answer"
            raise DecoderError(f"the decoder {self.name!r} does not start: {last}")
        self.version: str = ready[1]

    def _wait(self, seconds: float) -> bool:
        return any(self._answers.poll(_SLICE) for _ in range(max(1, round(seconds / _SLICE))))

    def send(self, data: bytes) -> None:
        """Begin with a file; :meth:`receive` says what became of it."""
        with suppress(BrokenPipeError):  # receive() will tell
            self._requests.send_bytes(data)

    def receive(self) -> Outcome:
        """What became of the file that was sent."""
        try:
            if self._wait(self.seconds):
                status, content, seconds = self._answers.recv()
                if status == "image":
                    return Outcome(status, content, "", seconds)
                return Outcome(status, None, content, seconds)
            self._kill()
            outcome = Outcome("hung", None, f"no answer in {self.seconds:g} s", self.seconds)
        except (EOFError, ConnectionResetError):
            outcome = Outcome("crashed", None, _ending(self._process.wait()))
        self.close()
        self._start()
        return outcome

    def run(self, data: bytes) -> Outcome:
        """Decode a file."""
        self.send(data)
        return self.receive()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process."""
        self._requests.close()
        self._answers.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._kill()
        self._complaints.close()
        self._folder.cleanup()

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _ending(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def compare(expected: npt.NDArray[Any], got: npt.NDArray[Any], within: int) -> tuple[str, int]:
    """Class of two pictures, and the largest difference.

    Parameters
    ----------
    expected, got : array
    within : int
        Largest difference that counts as near.

    Returns
    -------
    tuple
        ``"equal"``, ``"near"``, ``"differs"`` or ``"shape"``, the last one with a difference of 0.
    """
    if expected.ndim == 2 and got.shape == (*expected.shape, 1):
        got = got[:, :, 0]
    if expected.shape != got.shape:
        return "shape", 0
    largest = int(np.abs(expected.astype(np.int64) - got).max(initial=0))
    if largest == 0:
        return "equal", 0
    return ("near" if largest <= within else "differs"), largest
