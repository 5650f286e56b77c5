"""The command ``inspect``: as JSON and as text, of sound, broken and unusual files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import RGB, Run
from PIL import Image

import pyjpegml
from pyjpegml import markers
from pyjpegml.console import ExitCode


def test_inspect_as_json(run: Run, tmp_path: Path) -> None:
    data = pyjpegml.encode(RGB, quality=90, subsampling="4:2:2", restart_interval=5)
    comment = markers.segment_bytes(markers.COM, "né à Nice\x1b\xff".encode("latin-1"))
    data = data[:2] + comment + data[2:] + b"more"
    path = tmp_path / "in.jpg"
    path.write_bytes(data)
    code, printed, complaint = run("inspect", str(path), "--json")
    assert (code, complaint) == (ExitCode.DONE, "")
    facts = json.loads(printed)
    header = pyjpegml.read_header(data)
    for name in (
        "width", "height", "process", "precision", "color", "subsampling", "quality",
        "quality_exact", "restart_interval", "jfif", "adobe_transform",
    ):  # fmt: skip
        assert facts[name] == getattr(header, name), name
    assert (facts["quality"], facts["quality_exact"], facts["restart_interval"]) == (90, True, 5)
    assert facts["components"] == [
        {"identifier": 1, "h": 2, "v": 1, "table": 0},
        {"identifier": 2, "h": 1, "v": 1, "table": 1},
        {"identifier": 3, "h": 1, "v": 1, "table": 1},
    ]
    assert {int(s): np.array(t).tolist() for s, t in facts["qtables"].items()} == {
        slot: table.tolist() for slot, table in header.qtables.items()
    }
    assert facts["comments"] == ["n\\xe9 \\xe0 Nice\x1b\\xff"]
    assert (facts["orientation"], facts["icc_profile"], facts["error"]) == (1, False, None)
    assert (facts["bytes"], facts["ends_with_eoi"], facts["bytes_behind_eoi"]) == (
        len(data), True, 4,
    )  # fmt: skip

    # the segments, laid end to end, are the file
    position = 0
    for segment in facts["segments"]:
        assert segment["offset"] == position
        assert data[position] == 0xFF
        assert markers.marker_name(data[position + 1]) == segment["marker"]
        if segment["length"] is not None:
            stored = int.from_bytes(data[position + 2 : position + 4])
            assert segment["length"] == stored
        position += 2 + (segment["length"] or 0) + (segment["coded_bytes"] or 0)
    assert position == len(data) - 4
    assert [s["identifier"] for s in facts["segments"] if s["marker"] == "APP0"] == ["JFIF"]
    assert sorted((t["kind"], t["slot"]) for t in facts["huffman_tables"]) == [
        ("AC", 0), ("AC", 1), ("DC", 0), ("DC", 1),
    ]  # fmt: skip
    for table in facts["huffman_tables"]:
        assert sum(table["bits"]) == len(table["symbols"]) > 0


def test_inspect_as_text(run: Run, tmp_path: Path) -> None:
    data = pyjpegml.encode(RGB, quality=90)
    comment = markers.segment_bytes(markers.COM, b"two\nlines \x1b[31m")
    path = tmp_path / "in.jpg"
    path.write_bytes(data[:2] + comment + data[2:])
    code, printed, complaint = run("inspect", str(path))
    assert (code, complaint) == (ExitCode.DONE, "")
    assert re.search(r"^pixels +96 x 72$", printed, re.MULTILINE)
    assert re.search(r"^process +baseline, 8 bits$", printed, re.MULTILINE)
    assert re.search(r"^quality +90 \(exact\)$", printed, re.MULTILINE)
    assert re.search(r"^comment +two lines \\x1b\[31m$", printed, re.MULTILINE)
    assert re.search(r"^ +\d+ +12  SOS and \d+ bytes of coded data$", printed, re.MULTILINE)
    rows = printed.split("quantization table 0\n")[1].splitlines()[:8]
    steps = [[int(step) for step in row.split()] for row in rows]
    assert steps == pyjpegml.read_header(data).qtables[0].tolist()


def test_inspect_a_progressive_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "progressive.jpg"
    Image.fromarray(RGB).save(path, progressive=True)
    facts = json.loads(run("inspect", str(path), "--json")[1])
    assert facts["process"] == "progressive"
    assert sum(segment["marker"] == "SOS" for segment in facts["segments"]) > 1
    assert run("inspect", str(path))[0] == ExitCode.DONE


def test_inspect_shows_what_stands_before_an_error(run: Run, jpg: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(jpg).read_bytes()[:100])
    code, printed, complaint = run("inspect", str(broken), "--json")
    facts = json.loads(printed)
    assert code == ExitCode.BAD_JPEG
    assert complaint == f"pyjpegml: {broken}: {facts['error']}\n"
    assert [segment["marker"] for segment in facts["segments"]] == ["SOI", "APP0", "DQT"]
    code, printed, again = run("inspect", str(broken))
    assert (code, again) == (ExitCode.BAD_JPEG, complaint)
    assert "DQT" in printed


def test_inspect_notices_a_missing_end(run: Run, jpg: str, tmp_path: Path) -> None:
    data = Path(jpg).read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(data[:-2])
    code, printed, _ = run("inspect", str(cut), "--json")
    assert code == ExitCode.DONE
    facts = json.loads(printed)
    assert facts["ends_with_eoi"] is False
    assert facts["decoding"]["sound_mcus"] == facts["decoding"]["mcus"]
    last = facts["segments"][-1]
    assert last["offset"] + 2 + last["length"] + last["coded_bytes"] == len(data) - 2
    assert "no EOI" in run("inspect", str(cut))[1]


def test_inspect_says_that_data_are_sound(run: Run, jpg: str) -> None:
    facts = json.loads(run("inspect", jpg, "--json")[1])
    assert facts["decoding"] == {
        "refused": None, "mcus": 30, "sound_mcus": 30, "problems": [], "warnings": [],
    }  # fmt: skip
    assert re.search("^sound MCUs +30 of 30, of all scans$", run("inspect", jpg)[1], re.MULTILINE)


def test_inspect_says_what_is_wrong_with_data(run: Run, tmp_path: Path) -> None:
    """The report of decode_partial: what, where, and how many MCUs are sound."""
    data = pyjpegml.encode(RGB, quality=90, restart_interval=5)
    start, gap = data.index(b"\xff\xd1"), data.index(b"\xff\xd3")
    data = data[: start + 40] + data[gap:-2]
    path = tmp_path / "damaged.jpg"
    path.write_bytes(data)
    _, report = pyjpegml.decode_partial(data)
    assert len(report.problems) == 2

    code, printed, complaint = run("inspect", str(path), "--json")
    facts = json.loads(printed)
    assert code == ExitCode.BAD_JPEG
    assert complaint == f"pyjpegml: {path}: {facts['error']}\n"
    assert facts["error"] == str(report.problems[0])
    assert facts["decoding"] == {
        "refused": None,
        "mcus": report.mcus,
        "sound_mcus": report.sound_mcus,
        "problems": [
            {"reason": problem.reason, "marker": "SOS", "offset": problem.offset}
            for problem in report.problems
        ],
        "warnings": ["the data end without an EOI marker"],
    }
    code, printed, again = run("inspect", str(path))
    assert (code, again) == (ExitCode.BAD_JPEG, complaint)
    for name, value in [
        ("sound MCUs", f"{report.sound_mcus} of 30, of all scans"),
        *(("problem", f"at byte {p.offset}: {p.reason}") for p in report.problems),
        ("warning", "the data end without an EOI marker"),
    ]:
        assert re.search(f"^{name} +{re.escape(value)}$", printed, re.MULTILINE), name


def test_inspect_of_a_process_that_is_not_decoded(run: Run, jpg: str, tmp_path: Path) -> None:
    """That is nothing wrong with the file."""
    data = Path(jpg).read_bytes().replace(b"\xff\xc0", b"\xff\xc5")
    path = tmp_path / "hierarchical.jpg"
    path.write_bytes(data)
    code, printed, complaint = run("inspect", str(path), "--json")
    assert (code, complaint) == (ExitCode.DONE, "")
    facts = json.loads(printed)
    assert "not supported" in facts["decoding"]["refused"]
    assert facts["decoding"]["refused"] in run("inspect", str(path))[1]


@pytest.mark.hostile
def test_inspect_of_real_and_broken_files(run: Run, conformance: Path) -> None:
    for path in sorted(conformance.glob("*/*")):
        code, printed, complaint = run("inspect", str(path), "--json")
        facts = json.loads(printed)
        assert code in (ExitCode.DONE, ExitCode.BAD_JPEG), path
        assert (code == ExitCode.DONE) == (complaint == "") == (facts["error"] is None), path
        assert run("inspect", str(path))[0] == code, path
