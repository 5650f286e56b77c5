"""Seed small faults into the kernels, one at a time, and see that the tests catch each.

    python bench/mutants.py                     all, and docs/mutants.md is written
    python bench/mutants.py NAME [NAME ...]     some, to look at

Each mutant is one replaced text in a copy of the package. The tests that should notice run there,
from the file of the kernel's stage to the testing kit's round trips, up to the first that fails;
kernels run as plain Python (``NUMBA_DISABLE_JIT=1``), so that nothing has to be compiled. Then the
tests that noticed a mutant run on the package as it is, and must pass. A mutant that was let pass is
shown to the whole suite, compiled, before it counts as a survivor.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from machine import versions_line

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "mutants.md"
SECONDS = 1800
"""A process of tests that takes more of the processor, or eight times as long by the clock, has
caught its mutant: it hangs."""

KIT = "tests/test_kit_codec.py"


@dataclass(frozen=True)
class Mutant:
    """A fault: in the file `module`, `old`, which must stand there once, becomes `new`."""

    name: str
    module: str
    old: str
    new: str
    tests: str


def _mutants() -> list[Mutant]:
    """All faults, by module."""
    faults: dict[tuple[str, str], list[tuple[str, str, str]]] = {
        ("constants", f"test_constants.py {KIT}"): [
            ("zigzag walks odd diagonals upwards", "if diagonal % 2 else", "if not diagonal % 2 else"),
            ("a luminance step of Table K.1", "[16, 11, 10, 16,", "[16, 11, 10, 17,"),
            ("a code count of Table K.5", "(0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125)",
             "(0, 2, 1, 3, 3, 2, 4, 3, 5, 4, 5, 4, 0, 0, 1, 125)"),
        ],
        ("dct", "test_dct.py"): [
            ("a factor of the transform off by one", "_F_1_175 = 9633", "_F_1_175 = 9634"),
            ("one bit less kept between the passes", "_EXTRA = 2", "_EXTRA = 1"),
            ("a pass rounds down", "(1 << (shift - 1))", "0"),
            ("level shift of the decoder off by one", "[(row + 128).to_uint8() for row in rows]",
             "[(row + 127).to_uint8() for row in rows]"),
            ("odd inputs of the inverse swapped", "_rotate(t[3] + t[7], t[1] + t[5],",
             "_rotate(t[3] + t[5], t[1] + t[7],"),
            ("four blocks taken where three are left", "if column + 4 <= columns:\n                forward_four",
             "if column + 3 <= columns:\n                forward_four"),
        ],
        ("quantize", f"test_quantize.py {KIT}"): [
            ("halves of negative values rounded up", "target[k] = level if c >= 0 else -level",
             "target[k] = level if c >= 0 else -np.int32(n * (np.float32(0.125) / np.float32(q)) - np.float32(0.02))"),
            ("rounding a quarter too low", "np.float32(8.0 * rounding), np.float32(4.0)",
             "np.float32(8.0 * rounding), np.float32(2.0)"),
            ("quality scale of 50 from the other branch", "if quality < 50 else", "if quality <= 50 else 1 +"),
            ("reciprocal rounded down", "-(-(1 << (16 + shift)) // steps)", "(1 << (16 + shift)) // steps"),
        ],
        ("color", "test_color.py"): [
            ("a factor of luma off by one", "_Y_R, _Y_G, _Y_B = 19595, 38470, 7471",
             "_Y_R, _Y_G, _Y_B = 19594, 38471, 7471"),
            ("chroma rounds halves up", "_CENTRE = (128 << 16) + _HALF - 1", "_CENTRE = (128 << 16) + _HALF"),
            ("wrong clamp above white", "maximum(0).minimum(255) |", "maximum(0).minimum(254) |"),
            ("green without its rounding", "_G_CR + 65536]) + _HALF", "_G_CR + 65536])"),
            ("inks left as they are", "(ink ^ turned for ink in inks)", "(ink for ink in inks)"),
        ],
        ("sampling", "test_sampling.py"): [
            ("means that always round up", "_IN_TURN_4, _IN_TURN_2 = (1, 2), (0, 1)",
             "_IN_TURN_4, _IN_TURN_2 = (2, 2), (1, 1)"),
            ("the triangle leans the wrong way", "_store_pairs((triple + before + 1) >> 2, (triple + after + 2) >> 2",
             "_store_pairs((triple + after + 1) >> 2, (triple + before + 2) >> 2"),
            ("the triangle's rounding not in turn", "(triple + before + 8) >> 4", "(triple + before + 7) >> 4"),
            ("the box's half forgotten", "half = np.int32(across * down // 2)", "half = np.int32(0)"),
            ("narrow components filtered too", "if across == 2 and width <= 2:", "if across == 2 and width <= 1:"),
        ],
        ("bitio", f"test_bitio.py {KIT}"): [
            ("no zero behind FF in whole words", "            out[position + kept] = 0\n            position += 1",
             "            out[position + kept] = 0"),
            ("no zero behind FF at the end", "        if byte == 255:\n", "        if byte == 256:\n"),
            ("RST7 taken for the end of the scan", "elif 0xD0 <= code <= 0xD7:", "elif 0xD0 <= code < 0xD7:"),
            ("a bit too many after a refill", "return accumulator, n | 56,", "return accumulator, n | 57,"),
            ("fill bytes kept as data", "while j < size and data[j] == 255:", "while j < size and data[j] == 254:"),
        ],
        ("huffman", f"test_huffman.py {KIT}"): [
            ("codes not doubled at a new length", "            code <<= 1\n\n    def arrays",
             "            code += 0\n\n    def arrays"),
            ("the code of ones allowed", "if count and code >= 1 << length:", "if count and code > 1 << length:"),
            ("values of one raw bit extended wrongly", "if raw < span >> 1 else raw", "if raw <= span >> 1 else raw"),
            ("runs one too short", "size, step = symbol & 15, (symbol >> 4) + 1", "size, step = symbol & 15, (symbol >> 4)"),
            ("ties of counts by the smaller value", "tree = counts[value] << 9 | 256 - value",
             "tree = counts[value] << 9 | value"),
            ("codes of 17 bits left", "for i in range(lengths.size - 1, 16, -1):", "for i in range(lengths.size - 1, 17, -1):"),
        ],
        ("scan", f"test_scan.py {KIT}"): [
            ("predictions kept over restarts", "                reader[LEFT] = min(reader[LEFT], restart_interval)\n            reader[READ_PREDICTIONS:] = 0",
             "                reader[LEFT] = min(reader[LEFT], restart_interval)"),
            ("negative values one too large", "value += (-1 << size) + 1", "value += (-1 << size) + 2"),
            ("a run beyond the block passes", "if status == OK and 63 < k < END_STEP:", "if status == OK and 64 < k < END_STEP:"),
            ("blocks of an MCU in columns", "row = mcu_row * block[V] + block[ROW]", "row = mcu_row * block[V] + block[COLUMN]"),
            ("data that end early pass", "past = 8 * np.int64(position) - (n & 63) > end",
             "past = 8 * np.int64(position) - (n & 63) > end + 64"),
        ],
        ("symbols", f"test_symbols.py {KIT}"): [
            ("bits of negative values without the -1", "bits = (value + (value >> 63)) & ((1 << size) - 1)\n    return (((",
             "bits = value & ((1 << size) - 1)\n    return ((("),
            ("sixteen zeros are seventeen", "                run -= 16\n            size = size_of(value)",
             "                run -= 17\n            size = size_of(value)"),
            ("no end of block", "    return p + (1 if last < 63 else 0)", "    return p"),
            ("the last byte filled with zeros", "raw[whole] |= 255 >> left", "raw[whole] |= 0"),
            ("restart markers count from 1", "(done // restart_interval - 1) % 8", "(done // restart_interval) % 8"),
        ],
        ("progressive", f"test_progressive.py {KIT}"): [
            ("a run of blocks one too long", "blocks = max(blocks, 1)\n                done += blocks\n                index += blocks",
             "blocks = max(blocks, 1) + (blocks > 1)\n                done += blocks\n                index += blocks"),
            ("correction bits of the wrong sign", "((value >> 63 | 1) << shift) & -(change & 1)",
             "((-value >> 63 | 1) << shift) & -(change & 1)"),
            ("a refinement of DC one bit too high", "coefficients[start]) | bit << shift)", "coefficients[start]) | bit << shift + 1)"),
            ("a lost run of blocks", "        if done > count:\n            eob_run = done - count\n            done = count",
             "        if done > count:\n            done = count"),
        ],
        ("progressive_symbols", f"test_progressive_symbols.py test_progressive_encoder.py {KIT}"): [
            ("runs of blocks limited too late", "LONGEST_RUN = 32767", "LONGEST_RUN = 32768"),
            ("AC shifted with its sign", "magnitude = ((value ^ sign) - sign) >> shift", "magnitude = abs(value >> shift)"),
            ("a run of blocks lost at restarts", "        if until_restart == 0:\n            if run_of_blocks > 0:\n                p = _put_run(records, p, run_of_blocks, counts)\n                run_of_blocks = 0",
             "        if until_restart == 0:\n            if run_of_blocks > 0:\n                run_of_blocks = 0"),
            ("signs of new coefficients swapped", "positive = 1 if negative[block] & target == 0 else 0",
             "positive = 0 if negative[block] & target == 0 else 1"),
        ],
        ("arithmetic", f"test_arithmetic.py {KIT}"): [
            ("a probability of Table D.3", "(0x2586, 14, 2, 0)", "(0x2585, 14, 2, 0)"),
            ("symbols do not change places", "if lower == smaller:", "if lower:"),
            ("Kx counted from the next one", "_AC_LOW if k <= low else _AC_HIGH", "_AC_LOW if k < low else _AC_HIGH"),
            ("small differences up to L", "if magnitude > (1 << (bounds & 15)) >> 1:", "if magnitude >= (1 << (bounds & 15)) >> 1:"),
            ("statistics kept over restarts", "    contexts[:] = 0\n    bins[:] = 0\n", "    contexts[:] = 0\n"),
        ],
        ("lossless", f"test_lossless.py {KIT}"): [
            ("category 16 as 0", "size, constant = 0, 1 << 15", "size, constant = 0, 0"),
            ("first sample of a line from the left", "if y == 0 or (interval > 0 and y % interval == 0):",
             "if y == 0 or (interval > 0 and y % interval == 1):"),
        ],
    }  # fmt: skip
    return [
        Mutant(name, f"{module}.py", old, new, tests)
        for (module, tests), rows in faults.items()
        for name, old, new in rows
    ]


MUTANTS = _mutants()


def copy_of_checkout(folder: Path) -> None:
    """All that git has under its eyes: tests look at the README, bench/ and .ci/ as well."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def seed(folder: Path, mutant: Mutant) -> None:
    """Make the fault in a copy of the package."""
    path = folder / "pyjpegml" / mutant.module
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise SystemExit(
            f"{mutant.name}: {mutant.module} has {mutant.old!r} {text.count(mutant.old)} times"
        )
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def run_tests(folder: Path, tests: list[str], jit: bool) -> str | None:
    """The first test that fails, ``"hangs"``, or None if all pass."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "HYPOTHESIS_PROFILE": "mutants",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        "PYJPEGML_CONFORMANCE": os.environ.get(
            "PYJPEGML_CONFORMANCE", str(ROOT.parent / "shared" / "conformance")
        ),
    }
    if not jit:
        environment["NUMBA_DISABLE_JIT"] = "1"
    seconds = SECONDS * (5 if jit else 1)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    try:
        done = subprocess.run(
            [*command, *tests], cwd=folder, env=environment, capture_output=True, text=True,
            timeout=8 * seconds, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        return "hangs"
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", done.stdout, re.MULTILINE)
    if not found:
        raise SystemExit(f"pytest failed, but no test:\n{done.stdout}\n{done.stderr}")
    return found[1].partition("[")[0]


def paths(tests: str) -> list[str]:
    """Test files of a mutant."""
    return [name if "/" in name else f"tests/{name}" for name in tests.split()]


def catch(mutant: Mutant, tests: list[str], jit: bool) -> str | None:
    """The one of these tests that notices a mutant."""
    with tempfile.TemporaryDirectory(prefix="pyjpegml-mutant.") as name:
        folder = Path(name)
        copy_of_checkout(folder)
        seed(folder, mutant)
        return run_tests(folder, tests, jit)


def baseline(tests: list[str]) -> None:
    """See that tests which have noticed mutants pass without any."""
    with tempfile.TemporaryDirectory(prefix="pyjpegml-mutant.") as name:
        folder = Path(name)
        copy_of_checkout(folder)
        if failed := run_tests(folder, sorted(set(tests)), False):
            raise SystemExit(f"{failed} fails without any mutant, with NUMBA_DISABLE_JIT=1")


def page(caught: dict[str, str | None]) -> str:
    """docs/mutants.md."""
    survivors = [name for name, test in caught.items() if test is None]
    lines = [
        "# Mutants",
        "",
        f"`bench/mutants.py` seeds {len(caught)} small faults into the kernels, one at a time; "
        f"the tests caught {len(caught) - len(survivors)} of them. {versions_line()}.",
        "",
        "| fault | in | caught by |",
        "|---|---|---|",
    ]
    for mutant in MUTANTS:
        if mutant.name in caught:
            test = caught[mutant.name]
            shown = f"`{test}`" if test else "**nothing**"
            lines.append(f"| {mutant.name} | `{mutant.module}` | {shown} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run all mutants, or those named."""
    names = sys.argv[1:]
    if wrong := [name for name in names if name not in {mutant.name for mutant in MUTANTS}]:
        raise SystemExit(f"no such mutant: {wrong[0]!r}")
    with tempfile.TemporaryDirectory() as folder:  # so that a text that has moved is known at once
        for mutant in MUTANTS:
            shutil.copytree(ROOT / "pyjpegml", Path(folder) / "pyjpegml", dirs_exist_ok=True)
            seed(Path(folder), mutant)
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    caught: dict[str, str | None] = {}
    for whole_suite in (False, True):
        for mutant in chosen:
            if caught.get(mutant.name):
                continue
            began = time.monotonic()
            tests = ["tests"] if whole_suite else paths(mutant.tests)
            caught[mutant.name] = catch(mutant, tests, whole_suite)
            took = time.monotonic() - began
            print(f"{mutant.name}: {caught[mutant.name] or 'SURVIVES'} ({took:.0f} s)", flush=True)
            if not names:  # as far as it goes
                PAGE.write_text(page(caught), encoding="utf-8")
        if not whole_suite:
            baseline([f"tests/{test}" for test in caught.values() if test and test != "hangs"])
    return int(None in caught.values())


if __name__ == "__main__":
    sys.exit(main())
