"""The compile policy: what kernels may hold, when Numba is imported, a cache that is not stale."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import PACKAGE, SUBSAMPLINGS, picture, run_python

import pyjpegml
from pyjpegml import _jit, _objects

MODULES = sorted(PACKAGE.rglob("*.py"))
POLICY = {"kernel", "inlined", "summing"}
COMPILERS = {
    "njit",
    "jit",
    "vectorize",
    "guvectorize",
    "cfunc",
    "stencil",
    "generated_jit",
    "prange",
}
ALLOCATIONS = {
    "zeros", "empty", "ones", "full", "zeros_like", "empty_like", "ones_like", "full_like", "array",
    "arange", "copy", "astype", "concatenate", "append", "repeat", "stack",
}  # fmt: skip

modules = pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> set[str]:
    """Top packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return {node.module.split(".")[0]}
    return set()


def outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from outside_of_functions(child)


def kernels(path: Path) -> list[ast.FunctionDef]:
    return [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Name) and d.id in POLICY for d in node.decorator_list)
    ]


# --- what stands in the source --------------------------------------------------------------------


@modules
def test_numba_is_never_imported_with_a_module(path: Path) -> None:
    """And outside of the policy and the vector layer, which is a part of it, not at all."""
    if path.name == "_simd_llvm.py":
        return  # imported when a kernel is compiled: test_import_is_light
    for node in outside_of_functions(tree(path)):
        assert not imported(node) & {"numba", "llvmlite"}, f"line {node.lineno}"
    if path.name not in ("_jit.py", "_objects.py"):
        for node in ast.walk(tree(path)):
            assert not imported(node) & {"numba", "llvmlite"}, f"line {node.lineno}"


@modules
def test_only_the_policy_compiles(path: Path) -> None:
    for node in ast.walk(tree(path)):
        name = (
            node.id
            if isinstance(node, ast.Name)
            else node.attr
            if isinstance(node, ast.Attribute)
            else ""
        )
        if name in COMPILERS:
            assert path.name == "_jit.py", f"{name} in line {node.lineno}"
            assert name == "njit", f"{name} in line {node.lineno}"
        if isinstance(node, ast.keyword):
            assert node.arg != "parallel", f"line {node.lineno}"


def test_the_policy_has_these_decorators() -> None:
    """Kernels are found by these names in the other tests."""
    found = {
        node.name
        for node in tree(PACKAGE / "_jit.py").body
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "Kernel"
    }
    assert found == POLICY
    assert sum(len(kernels(path)) for path in MODULES) >= 20


@modules
def test_kernels_have_docstrings(path: Path) -> None:
    for node in kernels(path):
        assert ast.get_docstring(node) or node.name.startswith("_"), node.name


@modules
def test_kernels_allocate_nothing(path: Path) -> None:
    """Scratch memory is passed in, so that a kernel can also be compiled ahead of time."""
    for kernel in kernels(path):
        for node in ast.walk(kernel):
            where = f"{kernel.name}, line {getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in ALLOCATIONS, where
            assert not isinstance(
                node, (ast.List, ast.ListComp, ast.Dict, ast.DictComp, ast.Set)
            ), where


def test_no_module_is_named_like_a_public_function() -> None:
    """Else ``import pyjpegml.x`` would put a module where the function was."""
    assert not {path.stem for path in MODULES} & set(pyjpegml.__all__)


# --- what is imported, and when -------------------------------------------------------------------

HEAVY = ("numba", "llvmlite", "sklearn", "scipy", "skimage", "PIL", "imageio")


def test_import_is_light() -> None:
    """Neither Numba nor anything that only some functions need; not even NumPy."""
    script = f"import sys, pyjpegml; print([m for m in {(*HEAVY, 'numpy')} if m in sys.modules])"
    assert run_python(script).stdout.strip() == "[]"


def test_reading_a_header_compiles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(pyjpegml.encode(picture("flat", (8, 8, 3))))
    script = f"""
import sys, pyjpegml
print(pyjpegml.read_header(open(sys.argv[1], "rb").read()).width)
print([m for m in {HEAVY} if m in sys.modules])
"""
    assert run_python(script, str(file)).stdout.split("\n")[:2] == ["8", "[]"]


# --- the cache ------------------------------------------------------------------------------------

KEY = "from pyjpegml import _jit; print(_jit.cache_key())"


def test_cache_key_holds_numbas_switches() -> None:
    switches = [
        {},
        {"NUMBA_BOUNDSCHECK": "1"},
        {"NUMBA_OPT": "1"},
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"},
        {"NUMBA_DEBUGINFO": "1"},
    ]
    keys = [run_python(KEY, **env).stdout for env in switches]
    assert len(set(keys)) == len(switches)
    assert run_python(KEY).stdout == keys[0]


def test_cache_key_says_nothing_of_where_the_cache_is(tmp_path: Path) -> None:
    assert run_python(KEY, NUMBA_CACHE_DIR=str(tmp_path)).stdout == run_python(KEY).stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package, and in it two modules with a kernel each: ``outer``
    calls ``inner``."""
    home = tmp_path / "copy"
    shutil.copytree(PACKAGE, home / "pyjpegml", ignore=shutil.ignore_patterns("__pycache__"))
    inner = "from ._jit import kernel\n@kernel\ndef inner(n):\n    return n + 1\n"
    outer = (
        "from ._jit import kernel\nfrom .inner import inner\n"
        "@kernel\ndef outer(n):\n    return 10 * inner(n)\n"
    )
    (home / "pyjpegml" / "inner.py").write_text(inner)
    (home / "pyjpegml" / "outer.py").write_text(outer)
    return home


CALL = """
import json, warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    from pyjpegml import _jit
    from pyjpegml.outer import outer
    print(json.dumps({
        "result": outer(4),
        "hits": sum(outer.dispatcher.stats.cache_hits.values()),
        "directory": str(_jit.cache_directory()),
        "warnings": [[w.category.__name__, str(w.message)] for w in seen],
    }))
"""


def call(copy: Path, **env: str) -> dict[str, object]:
    return json.loads(run_python(CALL, path=copy, **env).stdout)


def cached_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix in (".nbi", ".nbc", ".o"))


def test_compiled_kernels_are_found_again(copy: Path, tmp_path: Path) -> None:
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYJPEGML_OBJECTS": "0"}
    first, second = (call(copy, **env) for _ in range(2))
    assert (first["result"], first["hits"], first["warnings"]) == (50, 0, [])
    assert (second["result"], second["hits"], second["warnings"]) == (50, 1, [])


def test_an_edited_callee_is_seen(copy: Path, tmp_path: Path) -> None:
    """Numba by itself would look at the file of ``outer`` only, and go on with the old code."""
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert call(copy, **env)["result"] == 50
    edited = copy / "pyjpegml" / "inner.py"
    edited.write_text(edited.read_text().replace("n + 1", "n + 2"))
    after = call(copy, **env)
    assert (after["result"], after["hits"]) == (60, 0)


def test_an_edit_while_a_process_runs_is_seen(copy: Path, tmp_path: Path) -> None:
    """A process that has read the old source may compile it after the edit; what it leaves in the
    cache must not be taken for the new one."""
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    edited = copy / "pyjpegml" / "inner.py"
    script = """
import sys
from pathlib import Path
from pyjpegml.outer import outer
path = Path(sys.argv[1])
path.write_text(path.read_text().replace("n + 1", "n + 2"))
print(outer(4))
"""
    assert run_python(script, str(edited), path=copy, **env).stdout.strip() == "50"
    assert call(copy, **env)["result"] == 60


def test_bounds_checks_are_not_lost(copy: Path, tmp_path: Path) -> None:
    """A kernel cached without them is not taken for one with them."""
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    call(copy, **env)
    assert call(copy, NUMBA_BOUNDSCHECK="1", **env)["hits"] == 0


def test_numba_cache_dir_wins(copy: Path, tmp_path: Path) -> None:
    cache, users = tmp_path / "cache", tmp_path / "users"
    made = call(copy, NUMBA_CACHE_DIR=str(cache), XDG_CACHE_HOME=str(users))
    assert Path(str(made["directory"])).parent == cache
    assert cached_files(cache)
    assert not cached_files(users)
    assert not cached_files(copy)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG is for other systems")
def test_else_the_users_cache_is_used(copy: Path, tmp_path: Path) -> None:
    users = tmp_path / "users"
    made = call(copy, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(users))
    assert Path(str(made["directory"])).parent == users / "pyjpegml"
    assert cached_files(users / "pyjpegml")
    assert not cached_files(copy)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("package_is_writable", [True, False])
def test_no_cache_is_a_warning(
    copy: Path, tmp_path: Path, explicit: bool, package_is_writable: bool
) -> None:
    """Folders that cannot be made (they lie below a file, which stops root too): one warning, right
    results, and nothing written elsewhere, above all not beside the sources, where Numba's own
    cache would be stale after the next edit of a callee."""
    barrier = tmp_path / "file"
    barrier.write_text("not a folder")
    below = str(barrier / "below")
    if not package_is_writable:
        (copy / "pyjpegml" / "__pycache__").write_text("not a folder")
    env = {"NUMBA_CACHE_DIR": below if explicit else "", "XDG_CACHE_HOME": below, "HOME": below}
    made = call(copy, **env)
    assert made["result"] == 50
    assert [kind for kind, _ in made["warnings"]] == ["RuntimeWarning"]
    assert "NUMBA_CACHE_DIR" in made["warnings"][0][1]
    assert not cached_files(copy)
    edited = copy / "pyjpegml" / "inner.py"
    edited.write_text(edited.read_text().replace("n + 1", "n + 2"))
    assert call(copy, **env)["result"] == 60


QUANTIZE = """
import threading, numpy as np
from pyjpegml.quantize import quantize
def work(out):
    quantize(np.arange(640, dtype=np.int16).reshape(1, 10, 64), np.full(64, 3, np.int32), 0.5, out)
outs = [np.empty((1, 10, 64), np.int16) for _ in range(4)]
barrier = threading.Barrier(4)
threads = [threading.Thread(target=lambda o=o: (barrier.wait(), work(o))) for o in outs]
[t.start() for t in threads]
[t.join() for t in threads]
expected = (np.arange(640) + 12) // 24
print(sum(np.array_equal(o.ravel(), expected) for o in outs))
"""


def test_processes_and_threads_on_one_cold_cache(tmp_path: Path) -> None:
    """Two processes of four threads each start together; all are right, and leave a sound cache."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    env |= {"PYTHONPATH": str(PACKAGE.parent), "NUMBA_CACHE_DIR": str(tmp_path)}
    env |= {"PYJPEGML_OBJECTS": "0"}  # what is tested is Numba's cache
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", QUANTIZE],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=3600) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert [out.strip() for out, _ in said] == ["4", "4"]
    again = {"NUMBA_CACHE_DIR": str(tmp_path), "PYJPEGML_OBJECTS": "0"}
    assert run_python(QUANTIZE, **again).stdout.strip() == "4"


# --- kernels as plain Python ----------------------------------------------------------------------

SMALL = """
import hashlib, json, sys
import numpy as np
import pyjpegml
image = np.load(sys.argv[1])
made = {}
for name in json.loads(sys.argv[2]):
    for channels in ([image[..., 0]] if name == "grey" else [image]):
        options = {} if name == "grey" else {"subsampling": name}
        data = pyjpegml.encode(channels, quality=85, restart_interval=1, **options)
        pixels = pyjpegml.decode(data)
        made[name] = [hashlib.sha256(each).hexdigest() for each in (data, pixels.tobytes())]
print(json.dumps([made, "numba" in sys.modules]))
"""


def test_without_jit_results_are_the_same(tmp_path: Path) -> None:
    """The sources run as plain Python too, without Numba and without a warning of overflow."""
    image = picture("noise", (17, 9, 3))
    np.save(tmp_path / "image.npy", image)
    options = [str(tmp_path / "image.npy"), json.dumps(["grey", *SUBSAMPLINGS])]
    done = run_python(SMALL, *options, options=("-W", "error"), NUMBA_DISABLE_JIT="1")
    made, numba_imported = json.loads(done.stdout)
    assert not numba_imported
    for name, (coded, decoded) in made.items():
        channels, rest = (image[..., 0], {}) if name == "grey" else (image, {"subsampling": name})
        data = pyjpegml.encode(channels, quality=85, restart_interval=1, **rest)
        assert coded == hashlib.sha256(data).hexdigest(), name
        assert decoded == hashlib.sha256(pyjpegml.decode(data).tobytes()).hexdigest(), name


# --- compile watches ------------------------------------------------------------------------------

WATCH = """
import json, sys, threading
from pyjpegml._jit import CompileWatch
from pyjpegml.outer import outer
said, told = [], threading.Event()
class Watch(CompileWatch):
    # compiles until it has been told: a machine may be too busy for the timer
    def stop(self):
        if self._depth == 1 and self._timer and self._left < 1:
            told.wait()
        super().stop()
def tell():
    said.append("compiling")
    told.set()
with Watch(tell, after=float(sys.argv[1])) as watch:
    outer(4)
with CompileWatch(lambda: said.append("again"), after=0.0) as second:
    outer(5)
print(json.dumps([said, watch.seconds, second.seconds]))
"""


@pytest.mark.parametrize("after", ["0", "0.001"])
def test_a_compile_watch_announces_once(copy: Path, tmp_path: Path, after: str) -> None:
    """Two kernels are compiled, one within the other: it says so once; then nothing is compiled."""
    done = run_python(WATCH, after, path=copy, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    said, seconds, second = json.loads(done.stdout)
    assert said == ["compiling"]
    assert seconds > 0.001
    assert second == 0


def test_a_compile_watch_is_silent_while_nothing_compiles(copy: Path, tmp_path: Path) -> None:
    """Loading from the cache is not compiling; nor is a compilation shorter than is allowed."""
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    said, seconds, _ = json.loads(run_python(WATCH, "100", path=copy, **env).stdout)
    assert said == []
    assert seconds > 0
    said, seconds, _ = json.loads(run_python(WATCH, "0", path=copy, **env).stdout)
    assert (said, seconds) == ([], 0)


# --- few specialisations --------------------------------------------------------------------------


def test_one_compilation_serves_all_kinds_of_input() -> None:
    """Whether arrays and buffers are writable must not make a user wait again."""
    script = """
import numpy as np, pyjpegml
from pyjpegml import bitio, fused
image = np.zeros((40, 40, 3), np.uint8)
frozen = image.copy()
frozen.flags.writeable = False
data = pyjpegml.encode(image)
pyjpegml.encode(frozen)
for kind in (bytes, bytearray, memoryview):
    pyjpegml.decode(kind(data))
print([len(k.dispatcher.signatures) for k in (fused.encode_rows, bitio.destuff)])
"""
    assert run_python(script, PYJPEGML_OBJECTS="0").stdout.strip() == "[1, 1]"


def test_after_warmup_nothing_is_left_to_compile(tmp_path: Path) -> None:
    """Small or large, grey or RGB, whatever is done with it."""
    script = """
import gc
import numpy as np, pyjpegml
from pyjpegml._jit import Kernel
from pyjpegml.warmup import warmup
def signatures():
    kernels = [k for k in gc.get_objects() if isinstance(k, Kernel)]
    return {str(k): len(k.dispatcher.signatures) for k in kernels}
warmup()
before = signatures()
rng = np.random.default_rng(1)
for shape in ((20, 30), (300, 330), (20, 30, 3), (300, 330, 3)):
    image = rng.integers(0, 256, shape, np.uint8)
    for progressive in (True, False):
        pyjpegml.compress(image, ms_ssim=0.9, progressive=progressive, threads=2)
    pyjpegml.ms_ssim(image, 255 - image, luma_only=True)
    pyjpegml.ms_ssim(image, np.zeros_like(image))
    pyjpegml.decode(bytearray(pyjpegml.encode(image, quality=3, restart_interval=1)))
print({k: n for k, n in signatures().items() if n != before.get(k)})
"""
    assert run_python(script, PYJPEGML_OBJECTS="0").stdout.strip() == "{}"


@pytest.mark.skipif(
    not _objects.enabled() or _jit.jit_disabled(), reason="the store of objects is turned off"
)
def test_after_warmup_numba_is_not_even_imported() -> None:
    """Whatever public function is called first."""
    script = """
import sys
import numpy as np, pyjpegml
rng = np.random.default_rng(1)
for shape in ((20, 30), (300, 330), (20, 30, 3), (300, 330, 3), (1100, 1100, 3)):
    image = rng.integers(0, 256, shape, np.uint8)
    for threads in (1, 2):
        for optimize in (False, True):
            data = pyjpegml.encode(
                image, quality=3, restart_interval=1, optimize=optimize, threads=threads)
            pyjpegml.decode(bytearray(data), threads=threads)
    if image.shape[0] < 1000:
        pyjpegml.compress(image, ms_ssim=0.9)
        pyjpegml.ms_ssim(image, 255 - image, luma_only=True)
        pyjpegml.ms_ssim(image, np.zeros_like(image))
print("numba" in sys.modules)
"""
    run_python("from pyjpegml.warmup import warmup; warmup()")
    assert run_python(script).stdout.strip() == "False"
