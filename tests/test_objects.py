"""Object code of kernels: loaded without Numba, refused when it is not as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import REPOSITORY

from pyjpegml import _objects
from pyjpegml._jit import Kernel, jit_disabled

WORK = """
import sys, json, hashlib
import numpy as np, pyjpegml
image = np.add.outer(np.arange(50) * 3, np.arange(70) * 2).astype(np.uint8)[:, :, None].repeat(3, 2)
image[:, :, 1] //= 2
data = pyjpegml.encode(image, quality=80)
pixels = pyjpegml.decode(data)
print(json.dumps([hashlib.sha256(data).hexdigest(), hashlib.sha256(pixels).hexdigest(),
                  "numba" in sys.modules]))
"""

pytestmark = pytest.mark.skipif(jit_disabled(), reason="nothing is compiled")


def run(cache: Path, **variables: str) -> tuple[str, str, bool]:
    """What a fresh process makes of a small picture, and whether it imported Numba."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(REPOSITORY), **variables}
    command = [sys.executable, "-W", "error", "-c", WORK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    data, pixels, numba = json.loads(done.stdout)
    return data, pixels, numba


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, str]]:
    """A cache that one process has filled, and what it made."""
    cache = tmp_path_factory.mktemp("objects")
    data, pixels, numba = run(cache)
    assert numba
    return cache, (data, pixels)


def objects(cache: Path) -> list[Path]:
    return sorted(cache.glob("pyjpegml-objects-*/*.o"))


def test_a_later_process_does_the_same_without_numba(filled):
    cache, made = filled
    assert len(objects(cache)) > 5
    data, pixels, numba = run(cache)
    assert (data, pixels) == made
    assert not numba


@pytest.mark.parametrize(
    "variables", [{"PYJPEGML_OBJECTS": "0"}, {"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_OPT": "2"}]
)
def test_switches_turn_the_store_off(filled, variables):
    cache, made = filled
    before = objects(cache)
    if "NUMBA_BOUNDSCHECK" in variables or "NUMBA_OPT" in variables:
        environment = {**os.environ, **variables}
        code = "from pyjpegml import _objects; print(_objects.enabled())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "False"
    else:
        assert run(cache, **variables) == (*made, True)
    assert objects(cache) == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "other kernel", "no json"])
def test_a_damaged_object_is_not_used(filled, damage, tmp_path):
    cache, made = filled
    copy = tmp_path / "cache"
    subprocess.run(["cp", "-r", str(cache), str(copy)], check=True)
    for path in objects(copy):
        data = path.read_bytes()
        head, _, code = data.partition(b"\n")
        facts = json.loads(head)
        if damage == "truncated":
            data = data[:-7]
        elif damage == "flipped":
            data = data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]
        elif damage == "empty":
            data = b""
        elif damage == "no json":
            data = b"x" + data
        else:
            facts["kernel"] = "pyjpegml.other.kernel"
            data = json.dumps(facts).encode() + b"\n" + code
        path.write_bytes(data)
    assert run(copy) == (*made, True)
    assert run(copy) == (*made, False), "it has been made anew"


def test_first_users_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Sixteen of them, all of which find nothing and compile."""
    script = tmp_path / "script.py"
    script.write_text("""
import sys, time
import numpy as np
from pyjpegml._jit import kernel

@kernel
def total(a):
    n = 0
    for x in a:
        n += x
    return n

sys.stdin.read()  # until all are ready
print(total(np.arange(5)), "numba" in sys.modules)
""")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    running = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(16)
    ]
    for process in running:
        process.stdin.close()
    assert {process.stdout.read().split()[0] for process in running} == {"10"}
    assert [process.wait() for process in running] == [0] * 16
    for process in running:
        process.stdout.close()
    assert len(objects(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.tmp"))
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        input="",
    )
    assert done.stdout.split() == ["10", "False"]


OWN = """
import numpy as np
from pyjpegml._jit import kernel
from pyjpegml.simd import vector_function

@vector_function
def scaled(a) -> int:
    return a.load(1) * FACTOR

@kernel
def product(a):
    return scaled(a)

print(product(np.array([7])))
"""


@pytest.mark.parametrize("store", ["0", "1"])
def test_a_kernel_of_ones_own_is_never_older_than_its_file(tmp_path: Path, store: str) -> None:
    """The hash of the package does not know it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    environment["PYJPEGML_OBJECTS"] = store
    script = tmp_path / "own.py"
    for factor in ("6", "5"):
        text = OWN.replace("FACTOR", factor)
        script.write_text(text)
        for command, given in (([str(script)], ""), (["-"], text)):
            done = subprocess.run(
                [sys.executable, *command],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                input=given,
            )
            assert done.stdout.split() == [str(7 * int(factor))], done.stderr
    assert len(objects(tmp_path)) == 2 * int(store), "that without a file is not kept"


def test_kinds_tell_arguments_apart_as_numba_does():
    frozen = np.zeros((3, 4), np.int16)
    frozen.flags.writeable = False
    assert _objects.kind(np.zeros((3, 4), np.int16)) == "int16[2]"
    assert _objects.kind(frozen) == "readonly int16[2]"
    assert _objects.kind(np.zeros((3, 4), np.int16)[:, ::2]) is None
    assert _objects.kind(np.zeros(3, ">i2")) is None
    assert [_objects.kind(x) for x in (True, 3, 2.5, np.int64(2), np.float64(2), np.float32(1))] == [
        "bool", "int64", "float64", "int64", "float64", "float32",
    ]  # fmt: skip
    pair = namedtuple("Pair", "first second")
    assert _objects.kind(pair(3, np.zeros(3, np.int16))) == "Pair(int64;int16[1])"
    for other in (pair(3, "text"), (3, 4), "text", None, np.uint64(2), np.int32(1)):
        assert _objects.kind(other) is None


# --- entries -------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "first second")


def weigh(array, pair, n, x, flag):
    """A kernel of every kind of argument; fails on purpose for n = -9."""
    if n == -9:
        raise ValueError("minus nine")
    total = 0
    for i in range(array.shape[0]):
        for j in range(array.shape[1]):
            total += array[i, j] * (j + 1)
    pair.first[0] = total
    return total + n * pair.second + (1000 if flag else 0), x / 2


@pytest.fixture
def weighing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    _objects.directory.cache_clear()
    for name in [name for name in os.environ if name.startswith("NUMBA_")]:
        if name != "NUMBA_CACHE_DIR":
            pytest.skip(f"{name} turns the store off")
    yield Kernel(weigh)
    _objects.directory.cache_clear()


ARRAY = np.arange(6, dtype=np.int16).reshape(2, 3)
EXPECTED = (
    (1000 + 7 * 3 + sum(int(ARRAY[i, j]) * (j + 1) for i in range(2) for j in range(3))),
    1.25,
)


def pair(second: object = 3) -> Pair:
    return Pair(np.zeros(1, np.int64), second)


def test_an_entry_passes_every_kind_of_argument(weighing: Kernel) -> None:
    given = pair()
    assert weighing(ARRAY, given, 7, 2.5, True) == EXPECTED
    assert type(weighing._call).__name__ == "builtin_function_or_method"
    assert weighing._whole is None, "plain Numba was not asked"
    assert given.first[0] == EXPECTED[0] - 1021
    assert weighing(ARRAY, pair(), 7, 2.5, False) == (EXPECTED[0] - 1000, 1.25)
    assert weighing(ARRAY, pair(), -1, 2.5, True)[0] == EXPECTED[0] - 8 * 3
    assert weighing(ARRAY, pair(), -(2**62), 0.0, False)[1] == 0
    assert len(list(_objects.directory().iterdir())) == 1


def test_what_is_equal_to_numba_needs_no_other_entry(weighing: Kernel) -> None:
    class Sub(np.ndarray):
        pass

    weighing(ARRAY, pair(), 7, 2.5, True)
    for arguments in (
        (ARRAY, pair(np.int64(3)), np.int64(7), np.float64(2.5), np.True_),
        (ARRAY.view(Sub), pair(), 7, 2.5, True),
        (np.asarray(ARRAY, np.dtype(np.int16).newbyteorder("=")), pair(), 7, 2.5, True),
    ):
        assert weighing(*arguments) == EXPECTED
    assert weighing._whole is None
    assert len(list(_objects.directory().iterdir())) == 1


def test_other_kinds_get_entries_of_their_own(weighing: Kernel) -> None:
    frozen = ARRAY.copy()
    frozen.flags.writeable = False
    for _ in range(2):
        for array in (ARRAY, frozen, ARRAY.astype(np.uint8), ARRAY.astype(np.int64)):
            assert weighing(array, pair(), 7, 2.5, True) == EXPECTED
        assert weighing(ARRAY, pair(), 7, np.float32(2.5), True) == EXPECTED
    assert weighing._whole is None
    assert len(list(_objects.directory().iterdir())) == 5


def test_what_no_entry_takes_goes_to_numba(weighing: Kernel) -> None:
    assert weighing(ARRAY, pair(), 7, 2.5, True) == EXPECTED
    assert weighing(np.repeat(ARRAY, 2, axis=1)[:, ::2], pair(), 7, 2.5, True) == EXPECTED
    assert weighing._whole is not None
    with pytest.raises(ValueError, match="minus nine"):
        weighing(ARRAY, pair(), -9, 2.5, True)
    with pytest.raises(TypeError):
        weighing(ARRAY, pair())
    with pytest.raises(OverflowError):
        weighing(ARRAY, pair(), 2**70, 2.5, True)
    assert weighing(ARRAY, pair(), 7, 2.5, True) == EXPECTED


def test_threads_may_call_one_kernel_first(weighing: Kernel) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: weighing(ARRAY, pair(), 7, 2.5, True), range(64)))
    assert results == [EXPECTED] * 64
    assert len(list(_objects.directory().iterdir())) == 1


def test_arguments_are_not_kept(weighing: Kernel) -> None:
    array, given = ARRAY.copy(), pair()
    weighing(array, given, 7, 2.5, True)
    before = sys.getrefcount(array), sys.getrefcount(given.first)
    for _ in range(100):
        weighing(array, given, 7, 2.5, True)
    assert (sys.getrefcount(array), sys.getrefcount(given.first)) == before


CHANGES = {
    "no class": "del codegen.JITCodeLibrary",
    "other arguments": "codegen.JITCodeLibrary.__init__ = lambda self, codegen, name, more: None",
    "no object code": "codegen.JITCodeLibrary._get_compiled_object = None",
    "no linker": "del llvmlite.binding.ObjectFileRef",
    "no machine": "del llvmlite.binding.targets.TargetMachine.emit_object",
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_numba_does_the_work_itself(tmp_path: Path, change: str) -> None:
    """Interfaces that Numba does not promise may go: what was kept is not read, nothing is kept."""
    script = tmp_path / "script.py"
    script.write_text(f"""
import numpy as np
import numba, llvmlite.binding
import numba.core.codegen as codegen
from pyjpegml import _jit, _objects

# what Numba itself uses stays as it was
codegen.JITCPUCodegen._library_class = type(
    "Library", (codegen.CPUCodeLibrary,), dict(vars(codegen.JITCodeLibrary)))
{CHANGES[change]}

@_jit.kernel
def one_more(n):
    return n + 1

@_jit.kernel
def add(a, n):
    return a[0] + one_more(n)

print(add(np.arange(3), 5), add(np.arange(3), 6), _objects.enabled())
""")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["6", "7", "False"], done.stderr


def test_a_child_process_goes_on_with_what_was_loaded(filled) -> None:
    """Threads are not carried over by a fork; machine code is."""
    cache, _ = filled
    script = (
        WORK
        + """
import os
child = os.fork()
if child == 0:
    same = pyjpegml.encode(image, quality=80) == data and (pyjpegml.decode(data) == pixels).all()
    os._exit(0 if same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_place_to_write_all_works(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("not a directory")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(nowhere), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", WORK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr.count("RuntimeWarning: pyjpegml cannot write to") == 1


def test_compiling_is_logged(tmp_path: Path) -> None:
    """For those who wonder what a first call waits for."""
    code = """
import logging, numpy as np
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
from pyjpegml.color import copy_row
copy_row(np.zeros(64, np.uint8), 0, 64, np.empty(64, np.uint8), 0)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    for said in ("pyjpegml: compiling pyjpegml.color.copy_row, once for this machine", ""):
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr.startswith(said)
        assert bool(said) == bool(done.stderr)
