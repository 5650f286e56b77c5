"""Object code of kernels: loaded without Numba, refused when it is not as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from helpers import REPOSITORY

from pyjpegml import _objects
from pyjpegml._jit import jit_disabled

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


def test_first_users_at_the_same_time_do_not_disturb_each_other(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    running = [
        subprocess.Popen([sys.executable, "-c", WORK], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    found = {tuple(json.loads(process.communicate()[0])[:2]) for process in running}
    assert len(found) == 1
    assert not list(tmp_path.rglob("*.tmp"))
    assert run(tmp_path) == (*found.pop(), False)


def test_kinds_tell_arguments_apart_as_numba_does():
    frozen = np.zeros((3, 4), np.int16)
    frozen.flags.writeable = False
    assert _objects.kind(np.zeros((3, 4), np.int16)) == "int16[2]"
    assert _objects.kind(frozen) == "readonly int16[2]"
    assert _objects.kind(np.zeros((3, 4), np.int16)[:, ::2]) is None
    assert _objects.kind(np.zeros(3, ">i2")) is None
    assert [_objects.kind(x) for x in (True, 3, 2.5, np.float32(1), np.int64(2), np.uint64(2))] == [
        "bool", "int64", "float64", "float32", "int64", "uint64",
    ]  # fmt: skip
    pair = namedtuple("Pair", "first second")
    assert _objects.kind(pair(3, np.zeros(3, np.int16))) == "Pair(int64;int16[1])"
    assert _objects.kind(pair(3, "text")) is None
    assert _objects.kind((3, 4)) is None
    assert _objects.kind("text") is None
    assert _objects.kind(None) is None


def test_modules_that_need_numba_are_not_kept():
    text = "declare i64 @llvm.smax.i64(i64, i64)\ndeclare ptr @NRT_Allocate(i64)\n"
    assert _objects._foreign(text) == set()
    assert _objects._foreign(text + "  %x = call ptr @NRT_Allocate(i64 8)\n") == {"NRT_Allocate"}
