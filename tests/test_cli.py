"""The command line: every command, every exit code, one line for every error."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import pytest
from commands import GREY, RGB, Run, environment, process, standard_input

import pyjpegml
from pyjpegml import _jit, cli, encoder, yardstick
from pyjpegml.cli import main
from pyjpegml.console import EXIT_CODES, ExitCode
from pyjpegml.result import Result
from pyjpegml.warmup import TASKS

ANNOUNCE = cli._announce


# --- compress -------------------------------------------------------------------------------------


def test_compress(run: Run, png: str, out: str) -> None:
    code, printed, complaint = run("compress", png, out)
    assert (code, complaint) == (ExitCode.DONE, "")
    data = Path(out).read_bytes()
    assert pyjpegml.ms_ssim(RGB, pyjpegml.decode(data)) >= 0.99
    facts = dict(re.split(r"\s{2,}", line) for line in printed.splitlines())
    assert list(facts) == ["bytes", "bits per pixel", "MS-SSIM", "encodes", "subsampling"]
    assert int(facts["bytes"]) == len(data)
    assert float(facts["bits per pixel"]) == pytest.approx(8 * len(data) / GREY.size, abs=5e-5)
    assert facts["subsampling"] == pyjpegml.read_header(data).subsampling


def test_compress_reports_as_json(run: Run, png: str, out: str) -> None:
    code, printed, _ = run("compress", png, out, "--json", "--ms-ssim", "0.95", "--against-libjpeg")
    assert code == ExitCode.DONE
    facts = json.loads(printed)
    data = Path(out).read_bytes()
    assert facts["bytes"] == len(data)
    assert facts["bits_per_pixel"] == 8 * len(data) / GREY.size
    assert (facts["width"], facts["height"]) == (96, 72)
    assert facts["ms_ssim"] == pyjpegml.ms_ssim(RGB, pyjpegml.decode(data))
    assert (facts["target"], facts["met"]) == (0.95, True)
    assert facts["encodes"] >= 1
    libjpeg = facts["libjpeg"]
    assert libjpeg["met"] is True
    assert libjpeg["ms_ssim"] >= 0.95
    assert libjpeg["saved_percent"] == pytest.approx(100 * (1 - len(data) / libjpeg["bytes"]))


def test_compress_keeps_grey_grey(run: Run, tmp_path: Path, out: str) -> None:
    iio.imwrite(tmp_path / "grey.png", GREY)
    assert run("compress", str(tmp_path / "grey.png"), out)[0] == ExitCode.DONE
    assert pyjpegml.read_header(Path(out).read_bytes()).color == "grey"


def test_compress_reads_jpegs(run: Run, jpg: str, out: str) -> None:
    assert run("compress", jpg, out, "--ms-ssim", "0.9")[0] == ExitCode.DONE
    original = pyjpegml.decode(Path(jpg).read_bytes())
    assert pyjpegml.ms_ssim(original, pyjpegml.decode(Path(out).read_bytes())) >= 0.9


def test_compress_with_less_and_with_more_effort(run: Run, png: str, out: str) -> None:
    sizes = {}
    for effort in ("fast", "best"):
        assert run("compress", png, out, "--effort", effort)[0] == ExitCode.DONE
        sizes[effort] = Path(out).stat().st_size
    assert sizes["best"] < sizes["fast"]
    code, _, said = run("compress", png, out, "--no-progressive", "-v")
    assert code == ExitCode.DONE
    assert pyjpegml.read_header(Path(out).read_bytes()).process == "baseline"
    assert "luma steps" in said
    assert "target 0.99 met" in said


def test_compress_into_so_many_bytes(run: Run, png: str, out: str) -> None:
    most = "--max-bytes", "1500"
    assert run("compress", png, out, *most, "--ms-ssim", "0.99")[0] == ExitCode.TARGET_NOT_MET
    assert Path(out).stat().st_size <= 1500
    assert run("compress", png, out, *most)[0] == ExitCode.DONE
    assert Path(out).stat().st_size <= 1500
    Path(out).unlink()
    code, _, said = run("compress", png, out, "--max-bytes", "50", "--effort", "fast")
    assert code == ExitCode.TARGET_NOT_MET
    assert "at most 50 bytes" in said
    assert not Path(out).exists()


def test_a_target_that_no_file_meets(run: Run, png: str, out: str) -> None:
    code, printed, complaint = run("compress", png, out, "--ms-ssim", "1", "--json")
    assert code == ExitCode.TARGET_NOT_MET
    facts = json.loads(printed)
    assert facts["met"] is False
    score = pyjpegml.ms_ssim(RGB, pyjpegml.decode(Path(out).read_bytes()))
    assert facts["ms_ssim"] == score
    assert complaint == (
        f"pyjpegml: {out}: the target 1 was not met; the best file, at {score:.6f}, was written\n"
    )


def test_a_miss_is_compared_with_libjpeg_at_the_score_it_reached(
    run: Run, png: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def baseline(image: npt.NDArray[np.uint8], ms_ssim: float, **options: str | None) -> Result:
        asked.append(ms_ssim)
        return annex_k_baseline(image, ms_ssim, **options)

    annex_k_baseline = yardstick.annex_k_baseline
    monkeypatch.setattr(yardstick, "annex_k_baseline", baseline)
    code, printed, _ = run("compress", png, out, "--ms-ssim", "1", "--json", "--against-libjpeg")
    assert code == ExitCode.TARGET_NOT_MET
    assert asked == [json.loads(printed)["ms_ssim"]]
    assert asked[0] < 1


def test_no_saving_is_claimed_against_files_that_miss_the_target(
    run: Run, tmp_path: Path, out: str
) -> None:
    """On noise libjpeg's tables miss even at quality 100, because of 4:2:0."""
    source = str(tmp_path / "noise.png")
    iio.imwrite(source, np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8))
    arguments = ["compress", source, out, "--ms-ssim", "0.99", "--against-libjpeg"]
    code, printed, _ = run(*arguments, "--json")
    assert code == ExitCode.DONE
    libjpeg = json.loads(printed)["libjpeg"]
    assert libjpeg["ms_ssim"] < 0.99
    assert (libjpeg["met"], libjpeg["saved_percent"]) == (False, None)
    assert "saved             cannot be said" in run(*arguments)[1]


# --- compare, warmup ------------------------------------------------------------------------------


def test_compare(run: Run, png: str, jpg: str) -> None:
    code, printed, complaint = run("compare", png, jpg, "--json")
    assert (code, complaint) == (ExitCode.DONE, "")
    decoded = pyjpegml.decode(Path(jpg).read_bytes())
    squared = np.square(RGB.astype(float) - decoded).mean()
    facts = json.loads(printed)
    assert facts["ms_ssim"] == pyjpegml.ms_ssim(RGB, decoded)
    assert facts["ms_ssim_luma"] == pyjpegml.ms_ssim(RGB, decoded, luma_only=True)
    assert facts["psnr"] == pytest.approx(10 * math.log10(255**2 / squared))
    assert facts["bytes"] == [os.path.getsize(png), os.path.getsize(jpg)]
    code, printed, _ = run("compare", png, jpg)
    assert code == ExitCode.DONE
    assert re.search(rf"^PSNR +{facts['psnr']:.3f} dB$", printed, re.MULTILINE)


def test_compare_equal_pictures(run: Run, png: str) -> None:
    facts = json.loads(run("compare", png, png, "--json")[1])
    assert (facts["ms_ssim"], facts["ms_ssim_luma"], facts["psnr"]) == (1.0, 1.0, None)
    assert "the pixels are equal" in run("compare", png, png)[1]


@pytest.mark.parametrize("other", [RGB[:-1], GREY], ids=["lower", "grey"])
def test_compare_pictures_of_different_kinds(
    fails: Callable[..., str], png: str, tmp_path: Path, other: npt.NDArray[np.uint8]
) -> None:
    path = str(tmp_path / "other.png")
    iio.imwrite(path, other)
    assert "96x72 RGB and 96x7" in fails(ExitCode.USAGE, "compare", png, path)


def test_compare_reads_standard_input_once(fails: Callable[..., str]) -> None:
    assert "only one" in fails(ExitCode.USAGE, "compare", "-", "-")


def test_warmup_lists_and_removes_what_is_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "pyjpegml-0123").mkdir()
    (tmp_path / "pyjpegml-0123" / "kernel.nbc").write_bytes(b"x" * 77)
    (tmp_path / "of another package").mkdir()
    code, printed, _ = run("warmup", "--where")
    assert code == ExitCode.DONE
    assert f"77 bytes  {tmp_path / 'pyjpegml-0123'}" in printed
    assert f"1 directories kept in {tmp_path}" in printed
    assert run("warmup", "--clean")[0] == ExitCode.DONE
    assert [path.name for path in tmp_path.iterdir()] == ["of another package"]


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_warmup_wants_a_number_of_processes(fails: Callable[..., str], number: str) -> None:
    assert "1 or more" in fails(ExitCode.USAGE, "warmup", f"--processes={number}")


def test_warmup_leaves_nothing_to_compile(run: Run, png: str, jpg: str, tmp_path: Path) -> None:
    code, printed, said = run("warmup", "--processes", "2")
    assert code == ExitCode.DONE
    assert f"5 of {len(TASKS)} after" in said
    assert re.fullmatch(r"ready after \d+\.\d s \(kept in .*\)\n", printed)
    assert str(_jit.cache_root()) in printed
    iio.imwrite(tmp_path / "grey.png", GREY)
    with _jit.CompileWatch(lambda: None) as watch:
        for source in (png, jpg, str(tmp_path / "grey.png")):
            target, pixels = str(tmp_path / "out.jpg"), str(tmp_path / "out.png")
            assert run("compress", source, target, "--against-libjpeg")[0] == ExitCode.DONE
            assert run("encode", source, target, "--no-optimize")[0] == ExitCode.DONE
            assert run("decode", target, pixels)[0] == ExitCode.DONE
            assert run("compare", target, pixels)[0] == ExitCode.DONE
        for image in (RGB, GREY[:1, :1], RGB[::2, ::-1]):
            pyjpegml.decode(bytearray(pyjpegml.encode(image)))
    assert watch.seconds == 0


def test_long_compilation_is_announced(run: Run, jpg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(_jit.CompileWatch):
        def __enter__(self) -> _jit.CompileWatch:
            self._tell()
            return super().__enter__()

    monkeypatch.setattr(cli, "_announce", ANNOUNCE)
    monkeypatch.setattr(cli, "CompileWatch", Impatient)
    assert run("inspect", jpg)[2] == (
        f"pyjpegml: compiling kernels, once for this machine (kept in {_jit.cache_root()})\n"
    )


# --- errors and exit codes ------------------------------------------------------------------------


def test_help_tells_every_exit_code(run: Run) -> None:
    code, printed, _ = run("--help")
    assert code == ExitCode.DONE
    assert set(EXIT_CODES) == set(ExitCode)
    for number, meaning in EXIT_CODES.items():
        assert f"{number:3}  {meaning}\n" in printed


@pytest.mark.parametrize(
    "command", ["compress", "encode", "decode", "inspect", "compare", "warmup"]
)
def test_help_of_every_command(run: Run, command: str) -> None:
    code, printed, complaint = run(command, "--help")
    assert (code, complaint) == (ExitCode.DONE, "")
    assert printed.startswith(f"usage: pyjpegml {command} ")


def test_version(run: Run) -> None:
    assert run("--version") == (ExitCode.DONE, f"pyjpegml {pyjpegml.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "paint"),
        (["compress"], "IN, OUT"),
        (["compress", "in"], "OUT"),
        (["encode", "in"], "OUT"),
        (["decode", "in"], "OUT"),
        (["compare", "a"], "B"),
        (["compress", "in", "out", "--ms-ssim", "0"], "above 0"),
        (["compress", "in", "out", "--ms-ssim", "1.01"], "at most 1"),
        (["compress", "in", "out", "--ms-ssim", "nan"], "'nan'"),
        (["compress", "in", "out", "--ms", "0.9"], "--ms"),
        (["encode", "in", "out", "--quality", "0"], "from 1 to 100"),
        (["encode", "in", "out", "--quality", "101"], "from 1 to 100"),
        (["encode", "in", "out", "--quality", "high"], "'high'"),
        (["encode", "in", "out", "--quality", "5", "--qtables", "x"], "--qtables"),
        (["encode", "in", "out", "--quality", "90,0"], "from 1 to 100"),
        (["encode", "in", "out", "--quality", "5", "--lossless"], "--lossless"),
        (["encode", "in", "out", "--predictor", "8"], "from 1 to 7"),
        (["encode", "in", "out", "--subsampling", "4:2:1"], "not '4:2:1'"),
        (["encode", "in", "out", "--subsampling", "5x1,1x1,1x1"], "not '5x1,1x1,1x1'"),
        (["encode", "in", "out", "--stored-as", "CMYK"], "'CMYK'"),
        (["encode", "in", "out", "--restart-interval", "1", "--restart-rows", "1"], "not allowed"),
        (["encode", "in", "out", "--restart-interval", "65536"], "0 to 65535"),
        (["encode", "in", "out", "--progressive"], "--progressive"),
    ],
)
def test_wrong_usage(fails: Callable[..., str], arguments: list[str], words: str) -> None:
    message = fails(ExitCode.USAGE, *arguments)
    assert words in message
    assert "--help)" in message


@pytest.mark.parametrize("command", ["compress", "encode", "decode"])
def test_the_input_is_never_written_to(
    fails: Callable[..., str], jpg: str, tmp_path: Path, command: str
) -> None:
    before = Path(jpg).read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(jpg)
    for output in (jpg, str(link)):
        message = fails(ExitCode.USAGE, command, jpg, output)
        assert message == f"{output}: it is also read, and would be overwritten: name another file"
    assert Path(jpg).read_bytes() == before


def test_the_tables_are_never_written_to(
    fails: Callable[..., str], png: str, tmp_path: Path
) -> None:
    tables = tmp_path / "tables.json"
    tables.write_text("[]")
    fails(ExitCode.USAGE, "encode", png, str(tables), "--qtables", str(tables))
    assert tables.read_text() == "[]"


@pytest.mark.parametrize("command", ["compress", "encode", "compare", "inspect"])
def test_a_missing_input(
    fails: Callable[..., str], tmp_path: Path, png: str, out: str, command: str
) -> None:
    missing = str(tmp_path / "missing.png")
    others = {"inspect": [], "compare": [png]}.get(command, [out])
    message = fails(ExitCode.FILE_FAILED, command, missing, *others)
    assert message == f"{missing}: No such file or directory"


def test_an_output_in_no_directory(fails: Callable[..., str], png: str, out: str) -> None:
    """A parent that is a file; what permissions forbid fails alike, but not for root."""
    target = os.path.join(png, "out.jpg")
    assert fails(ExitCode.FILE_FAILED, "encode", png, target).startswith(f"{target}: ")


def test_a_directory_that_cannot_be_written(
    fails: Callable[..., str], png: str, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("permissions do not bind this user: root")
    target = str(locked / "out.jpg")
    assert fails(ExitCode.FILE_FAILED, "encode", png, target) == f"{target}: Permission denied"


def test_bytes_that_are_no_jpeg(fails: Callable[..., str], png: str, tmp_path: Path) -> None:
    target = str(tmp_path / "out.png")
    assert "not a JPEG" in fails(ExitCode.BAD_JPEG, "decode", png, target)
    code = main(["inspect", png])
    assert code == ExitCode.BAD_JPEG


@pytest.mark.parametrize("command", ["compress", "encode", "decode", "compare"])
def test_a_jpeg_that_cannot_be_decoded(
    fails: Callable[..., str], tmp_path: Path, jpg: str, command: str
) -> None:
    broken, lossless = tmp_path / "broken.jpg", tmp_path / "lossless.jpg"
    data = Path(jpg).read_bytes()
    broken.write_bytes(data[:-300])
    sof = data.index(b"\xff\xc0")
    lossless.write_bytes(data[:sof] + b"\xff\xc3" + data[sof + 2 :])
    other = jpg if command == "compare" else str(tmp_path / "out.png")
    for path, words in ((broken, "end early"), (lossless, "lossless")):
        message = fails(ExitCode.BAD_JPEG, command, str(path), other)
        assert message.startswith(f"{path}: ")
        assert words in message
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ExitCode.FILE_FAILED, "No space left"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
    ],
    ids=["disk full", "interrupted"],
)
@pytest.mark.parametrize("command", ["compress", "encode", "decode"])
def test_a_failure_while_writing_leaves_nothing(
    fails: Callable[..., str], jpg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: str, error: BaseException, code: ExitCode, words: str,
) -> None:  # fmt: skip
    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    target = tmp_path / "out.png"
    assert words in fails(code, command, jpg, str(target))
    assert os.listdir(tmp_path) == ["in.jpg"]
    target.write_bytes(b"old")
    fails(code, command, jpg, str(target))
    assert sorted(os.listdir(tmp_path)) == ["in.jpg", "out.png"]
    assert target.read_bytes() == b"old"


def test_interruption_while_working(
    fails: Callable[..., str], png: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder, "encode", interrupt)
    assert fails(ExitCode.INTERRUPTED, "encode", png, out) == "interrupted"
    assert not Path(out).exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("no\nsuch luck"), ExitCode.INTERNAL, "ZeroDivisionError: no such luck"),
        (OSError(errno.EACCES, "No", "cache"), ExitCode.FILE_FAILED, "cache: No"),
        (MemoryError("3 GiB"), ExitCode.FILE_FAILED, "not enough memory: 3 GiB"),
    ],
    ids=["fault", "cache", "memory"],
)
def test_faults(
    fails: Callable[..., str], png: str, out: str, monkeypatch: pytest.MonkeyPatch,
    error: Exception, code: ExitCode, words: str,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(encoder, "encode", fail)
    assert words in fails(code, "encode", png, out)
    with pytest.raises(type(error)):
        main(["encode", png, out, "--debug"])


@pytest.mark.filterwarnings("always")
def test_warnings_of_the_library_are_one_line(
    run: Run, png: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pyjpegml.encode(RGB)

    def warn(*_: object, **__: object) -> bytes:
        warnings.warn("it is\nlate", RuntimeWarning, stacklevel=1)
        return data

    monkeypatch.setattr(encoder, "encode", warn)
    code, _, complaint = run("encode", png, out)
    assert (code, complaint) == (ExitCode.DONE, "pyjpegml: warning: it is late\n")


def test_names_in_any_script(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "фото ü 图.png", tmp_path / "größe é.jpg"
    iio.imwrite(source, RGB)
    assert run("encode", str(source), str(target))[0] == ExitCode.DONE
    assert target.read_bytes() == pyjpegml.encode(RGB)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\udcffb"])
def test_names_that_a_terminal_would_obey(
    fails: Callable[..., str], tmp_path: Path, name: str
) -> None:
    message = fails(ExitCode.FILE_FAILED, "inspect", str(tmp_path / name))
    assert message.isprintable()


# --- pipes ----------------------------------------------------------------------------------------


def test_standard_input_and_output(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, png: str
) -> None:
    standard_input(monkeypatch, Path(png).read_bytes())
    assert main(["encode", "-", "-"]) == ExitCode.DONE
    captured = capsysbinary.readouterr()
    assert captured.out == pyjpegml.encode(RGB)
    assert captured.err.endswith(b" bits per pixel\n")
    standard_input(monkeypatch, captured.out)
    assert main(["decode", "-", "-", "--format", "png"]) == ExitCode.DONE
    data, complaint = capsysbinary.readouterr()
    assert complaint == b""
    assert np.array_equal(iio.imread(data), pyjpegml.decode(captured.out))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["encode", "-", "-"], ExitCode.FILE_FAILED),
        (["decode", "-", "-", "--format", "png"], ExitCode.BAD_JPEG),
        (["inspect", "-"], ExitCode.BAD_JPEG),
    ],
)
def test_errors_about_standard_input(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: ExitCode
) -> None:
    standard_input(monkeypatch, b"some text")
    if arguments[0] == "inspect":
        assert main(arguments) == code
    else:
        assert fails(code, *arguments).startswith("<stdin>: ")


def test_a_terminal_is_spared(
    fails: Callable[..., str], png: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert fails(ExitCode.USAGE, "encode", png, "-").startswith("<stdout>: it is a terminal")


def test_a_pipe_of_processes(png: str) -> None:
    encoded = process("compress", "-", "-", "--json", stdin=Path(png).read_bytes())
    assert encoded.returncode == ExitCode.DONE
    assert json.loads(encoded.stderr[encoded.stderr.index(b"{") :])["bytes"] == len(encoded.stdout)
    decoded = process("decode", "-", "-", "--format", "png", stdin=encoded.stdout)
    assert decoded.returncode == ExitCode.DONE
    assert np.array_equal(iio.imread(decoded.stdout), pyjpegml.decode(encoded.stdout))


@pytest.mark.parametrize("arguments", [["encode", "{png}", "-"], ["inspect", "{jpg}"]])
def test_nobody_reads_the_output(png: str, jpg: str, arguments: list[str]) -> None:
    command = [argument.format(png=png, jpg=jpg) for argument in arguments]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyjpegml", *command],
            stdout=writer, stderr=subprocess.PIPE, env=environment(), check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.returncode == ExitCode.FILE_FAILED
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr
    assert b"ignored" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_behind_standard_output(jpg: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pyjpegml", "inspect", jpg],
            stdout=full, stderr=subprocess.PIPE, env=environment(), check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.FILE_FAILED
    assert done.stderr == b"pyjpegml: <stdout>: No space left on device\n"


def test_help_imports_neither_numpy_nor_numba() -> None:
    code = (
        "import sys; from pyjpegml.cli import main; assert main(['--help']) == 0; "
        "sys.exit(sorted({'numpy', 'numba', 'imageio'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
