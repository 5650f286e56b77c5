"""Settings of Hypothesis, and the data that tests read from disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from commands import RGB, Run
from helpers import CONFORMANCE, REPOSITORY, natural
from hypothesis import HealthCheck, Phase, settings
from PIL import Image

import pyjpegml
from pyjpegml import cli
from pyjpegml.cli import main
from pyjpegml.console import ExitCode

settings.register_profile(
    "ci",
    deadline=None,  # the first example of a test may compile kernels
    max_examples=60,
    derandomize=True,  # the same is said of the same tree; the other profiles look further
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
CI = settings.get_profile("ci")
settings.register_profile("random", CI, derandomize=False)  # as quick, and --hypothesis-seed counts
settings.register_profile("long", CI, derandomize=False, max_examples=2000)
settings.register_profile("mutants", CI, phases=[Phase.explicit, Phase.generate])  # no shrinking
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

NO_CONFORMANCE = "the conformance files are not there"
NO_CHROMIUM = "PYJPEGML_CHROMIUM names no Chromium, and there is none on the PATH"
NO_PLAYWRIGHT = "playwright or axe-playwright-python is not installed"
NO_DJPEG = "PYJPEGML_DJPEG does not name a djpeg of libjpeg-turbo 3"
NO_JPEGTRAN = "PYJPEGML_JPEGTRAN does not name a jpegtran of libjpeg-turbo 3"


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of real and broken files: MANIFEST.tsv, valid/, broken/."""
    if not (CONFORMANCE / "MANIFEST.tsv").is_file():
        pytest.skip(f"{NO_CONFORMANCE}: {CONFORMANCE}")
    return CONFORMANCE


@pytest.fixture(scope="session")
def walkthrough_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of the explorer, made once."""
    from explorer_pages import PHOTO

    from pyjpegml.explorer.page import walkthrough

    path = tmp_path_factory.mktemp("explorer") / "page.html"
    path.write_bytes(walkthrough(PHOTO, "photo.png"))
    return path


@pytest.fixture(scope="session")
def jpegtran() -> Callable[..., bytes | None]:
    """libjpeg-turbo's transcoder: the program that PYJPEGML_JPEGTRAN names, or that of the PATH.

    Called with a file and options, it gives a file, or None if it refuses.
    """
    program = os.environ.get("PYJPEGML_JPEGTRAN") or shutil.which("jpegtran")
    if program is None:
        pytest.skip(NO_JPEGTRAN)

    def run(data: bytes, *options: str) -> bytes | None:
        done = subprocess.run([program, *options], input=data, capture_output=True, timeout=300)
        return done.stdout if done.returncode in (0, 2) and done.stdout else None  # 2: warnings

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it loudly if something to compare with was missing: a quiet skip looks like a pass."""

    def skipped(reason: str) -> int:
        reports = terminalreporter.stats.get("skipped", [])
        return sum(isinstance(r, pytest.TestReport) and reason in str(r.longrepr) for r in reports)

    if missed := skipped(NO_CONFORMANCE):
        terminalreporter.section("NOT TESTED ON CONFORMANCE FILES", red=True, bold=True)
        terminalreporter.line(
            f"{missed} TESTS WERE SKIPPED: NO CONFORMANCE FILES IN {CONFORMANCE}. "
            "SET PYJPEGML_CONFORMANCE TO THEIR FOLDER.",
            red=True,
        )
    programs = (
        ("DJPEG", NO_DJPEG), ("JPEGTRAN", NO_JPEGTRAN), ("CHROMIUM", NO_CHROMIUM),
        ("CHROMIUM BY PLAYWRIGHT", NO_PLAYWRIGHT),
    )  # fmt: skip
    for program, reason in programs:
        if missed := skipped(reason):
            terminalreporter.section(f"NOT COMPARED WITH {program}", red=True, bold=True)
            terminalreporter.line(f"{missed} TESTS WERE SKIPPED: {reason}.", red=True)


@pytest.fixture(scope="session")
def photo() -> npt.NDArray[np.uint8]:
    """An RGB photograph: that of the README, or where it is missing one made of 1/f noise."""
    path = REPOSITORY / "examples" / "data" / "coffee.png"
    if path.exists():
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    return natural((400, 600, 3), np.random.default_rng(2))


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def png(tmp_path: Path) -> str:
    """An RGB picture as a PNG file."""
    path = tmp_path / "in.png"
    Image.fromarray(RGB).save(path)
    return str(path)


@pytest.fixture
def jpg(tmp_path: Path) -> str:
    """The same as a JPEG file."""
    path = tmp_path / "in.jpg"
    path.write_bytes(pyjpegml.encode(RGB, quality=90))
    return str(path)


@pytest.fixture
def out(tmp_path: Path) -> str:
    """A name for an output."""
    return str(tmp_path / "out.jpg")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``main`` here; returns the exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def fails(run: Run) -> Callable[..., str]:
    """Run ``main``, which must fail with this code and one line; returns that line's message."""

    def call(code: ExitCode, *arguments: str) -> str:
        got, printed, complaint = run(*arguments)
        assert (got, printed) == (code, "")
        assert complaint.startswith("pyjpegml: ")
        assert complaint.count("\n") == 1
        assert complaint.endswith("\n")
        return complaint.removeprefix("pyjpegml: ").rstrip("\n")

    return call


@pytest.fixture(autouse=True)
def _quiet_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What compiles, and when, depends on the tests that ran before."""
    monkeypatch.setattr(cli, "_announce", lambda: None)
