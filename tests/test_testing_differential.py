"""Decoders side by side: classes, guarded processes, reports, the command."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from commands import Run

import pyjpegml
from pyjpegml.console import ExitCode
from pyjpegml.testing import corrupted, jpeg_streams, sets
from pyjpegml.testing.decoders import NAMES, read_picture
from pyjpegml.testing.differential import CLASSES, Options, run
from pyjpegml.testing.guards import Guard, compare
from pyjpegml.testing.report import as_html, as_json, as_text, write

SMALL = jpeg_streams(["baseline"], max_size=12, components=[1], without=["DNL"])
QUICK = Options(seconds=60, attempts=20)

#: Decoders of one line: a picture of 1x1, a signal, no end, no picture.
ONE_PIXEL = "printf 'P5 1 1 255 x' # {in}"
CRASH = "kill -SEGV $$ # {in}"
HANG = "sleep 10000 # {in}"
REFUSE = "echo no such thing >&2; exit 1 # {in}"
#: No picture, or another one, without EOI.
WHOLE = "test \"$(tail -c 2 {in} | od -An -tx1)\" = ' ff d9'"
STRICT = f"{WHOLE} && printf 'P5 1 1 255 x'"
TOUCHY = f"{WHOLE} && printf 'P5 1 1 255 x' || printf 'P5 1 1 255 y'"


# --- guards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        (ONE_PIXEL, "image", ""),
        (CRASH, "crashed", "signal 11"),
        (HANG, "hung", "no answer"),
        (REFUSE, "refused", "no such thing"),
        ("printf 'P5 9 9 255 x' # {in}", "refused", "and needs"),
    ],
)
def test_whatever_a_decoder_does_is_a_result(command: str, status: str, reason: str) -> None:
    with Guard(command, seconds=1 if status == "hung" else 60) as guard:
        for _ in range(2):  # the second time after a restart, if there was one
            outcome = guard.run(b"anything")
            assert outcome.status == status
            assert reason in outcome.reason
            assert (outcome.image is not None) == (status == "image")


def test_a_decoder_reads_the_file_and_writes_another() -> None:
    with Guard("printf 'P5 1 1 255 ' > {out}; head -c 1 {in} >> {out}", seconds=60) as guard:
        image = guard.run(b"A").image
    assert image is not None
    assert image.tolist() == [[65]]


def test_a_decoder_that_is_killed_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with Guard(HANG, seconds=0.1) as guard:
        assert guard.run(b"anything").status == "hung"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("checks", [0, 1])
def test_ours_tells_whether_it_checks_bounds(checks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", str(checks))
    monkeypatch.setattr(sets, "examples", lambda strategy, count: ())  # nothing is compiled
    _, version = NAMES["pyjpegml"]()
    assert version == pyjpegml.__version__ + ", bounds checked" * checks


def test_a_process_that_dies_is_started_again() -> None:
    with Guard("pillow", seconds=60) as guard:
        guard._process.kill()
        assert guard.run(b"").status == "crashed"
        assert guard.run(b"").status == "refused"


def test_unknown_decoders() -> None:
    with pytest.raises(ValueError, match="no such decoder: 'paint'; there are pyjpegml, pillow"):
        Guard("paint")


def test_pictures_are_read() -> None:
    np.testing.assert_array_equal(read_picture(b"P5 2 1 255\n\1\2"), [[1, 2]])
    np.testing.assert_array_equal(
        read_picture(b"P6\n1 1\n4095\n" + bytes(range(6))), [[[1, 515, 1029]]]
    )
    with pytest.raises(ValueError, match="no picture"):
        read_picture(b"")


def test_pictures_are_compared() -> None:
    a = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert compare(a, a[:, :, None], 1) == ("equal", 0)
    assert compare(a, a + np.uint16(1), 1) == ("near", 1)
    assert compare(a, a + np.uint8(2), 1) == ("differs", 2)
    assert compare(a, a.T, 1) == ("shape", 0)


# --- comparisons ----------------------------------------------------------------------------------


def test_each_file_has_a_class_for_each_decoder(tmp_path: Path) -> None:
    comparison = run(SMALL, ["pillow", ONE_PIXEL, CRASH, REFUSE], 6, options=QUICK)
    tallies = comparison.tallies
    assert tallies["pillow"].classes == {"equal": 6}
    assert set(tallies[ONE_PIXEL].classes) <= {"shape", "differs"}
    assert tallies[CRASH].classes == {"crashed": 6}
    assert tallies[REFUSE].classes == {"refused": 6}
    [refusal] = [finding for finding in comparison.findings if finding.decoder == REFUSE]
    assert (refusal.kind, refusal.count) == ("refused", 6)
    assert "no such thing" in refusal.reason
    frame = refusal.example.frame  # type: ignore[union-attr]
    assert (frame.width, frame.height) == (1, 1)

    data, page = write(comparison, tmp_path / "report")
    facts = json.loads(data.read_text(encoding="utf-8"))
    assert facts == json.loads(json.dumps(as_json(comparison)))
    assert facts["made_by"]["hypothesis"] == hypothesis.__version__
    assert [decoder["name"] for decoder in facts["decoders"]] == list(tallies)
    for decoder in facts["decoders"]:
        assert sum(decoder["classes"].values()) == 6
        assert set(decoder["classes"]) == set(CLASSES)
    html = page.read_text(encoding="utf-8")
    assert html == as_html(comparison)
    assert "no such thing" in html
    assert "data:image/jpeg;base64," in html
    assert f"{CRASH}: crashed" in as_text(comparison)


def test_equal_decoders_have_no_findings() -> None:
    pytest.importorskip("imagecodecs")
    comparison = run(SMALL, ["pillow", "imagecodecs"], 12)
    assert comparison.tallies["imagecodecs"].classes == {"equal": 12}
    assert comparison.findings == ()


def test_verdicts_on_damaged_files() -> None:
    """A picture where there must be none, none where nothing has changed, or another one."""
    comparison = run(corrupted(SMALL, faults=["no width"]), [REFUSE, ONE_PIXEL], 4, options=QUICK)
    assert comparison.damaged
    assert comparison.tallies[REFUSE].verdicts == {}
    assert comparison.tallies[ONE_PIXEL].classes == {"only here": 4}
    assert comparison.tallies[ONE_PIXEL].verdicts == {"accepted": 4}
    decoders = [ONE_PIXEL, STRICT, TOUCHY]
    plain = jpeg_streams(["baseline"], max_size=12, without=["trailing bytes", "DNL"])
    comparison = run(corrupted(plain, faults=["missing EOI"]), decoders, 4, options=QUICK)
    verdicts = [comparison.tallies[name].verdicts for name in decoders]
    assert verdicts == [{}, {"rejected": 4}, {"altered": 4}]


def test_decoders_are_named_once() -> None:
    with pytest.raises(ValueError, match="named twice"):
        run(SMALL, ["pillow", "pillow"], 1)
    with pytest.raises(ValueError, match="needs a decoder"):
        run(SMALL, [], 1)


# --- the command ----------------------------------------------------------------------------------


def test_command(run: Run, tmp_path: Path) -> None:
    arguments = ("--reference", "pillow", "--examples", "3", "--seconds", "60", "--attempts", "0")
    files = ("--process", "baseline", "--without", "DNL", "--report", str(tmp_path))
    code, out, err = run("difftest", "--decoder", REFUSE, *arguments, *files, "--json")
    assert code == ExitCode.DONE
    facts = json.loads(out)
    assert [decoder["name"] for decoder in facts["decoders"]] == ["pillow", REFUSE]
    assert facts == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert "report.html" in err


def test_command_exports(run: Run, tmp_path: Path) -> None:
    code, _, err = run("difftest", "--export", str(tmp_path), "--examples", "3", "--damaged")
    assert code == ExitCode.DONE
    assert "3 files in" in err
    assert sorted(path.suffix for path in tmp_path.glob("*.j*")) == [".jpg"] * 3 + [".json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--decoder", "paint"), "no such decoder: 'paint'"),
        (("--process", "hierarchical"), "no such process: 'hierarchical'; there are baseline"),
        (("--without", "luck"), "no such feature: 'luck'"),
    ],
)
def test_wrong_arguments(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run("difftest", "--reference", "pillow", *arguments)
    assert code == ExitCode.USAGE
    assert message in err
