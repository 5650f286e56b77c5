"""The public surface: names, docstrings, and use from many threads and processes."""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import KINDS, PACKAGE, SUBSAMPLINGS, picture, run_python
from test_jit import MODULES, kernels, tree

import pyjpegml


@pytest.mark.parametrize("name", pyjpegml.__all__)
def test_names_can_be_imported(name: str) -> None:
    value = getattr(pyjpegml, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)
    assert name in dir(pyjpegml)


def test_all_is_sorted_and_complete() -> None:
    assert pyjpegml.__all__ == sorted(pyjpegml.__all__)
    assert set(pyjpegml._HOME) <= set(pyjpegml.__all__)


def test_no_module_is_named_like_a_public_name() -> None:
    """Its import would put it in the place of the function."""
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(pyjpegml.__all__)


def test_star_import() -> None:
    space: dict[str, object] = {}
    exec("from pyjpegml import *", space)
    assert set(pyjpegml.__all__) <= set(space)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'pyjpegml' has no attribute 'encodee'"):
        pyjpegml.encodee  # noqa: B018
    assert not hasattr(pyjpegml, "encodee")


# --- docstrings -----------------------------------------------------------------------------------


def documented(docstring: str, section: str) -> list[str] | None:
    """Names in a section of a NumPy-style docstring, in order; None if there is no such section."""
    lines = inspect.cleandoc(docstring).splitlines()
    heads = [i for i, line in enumerate(lines) if line == section and set(lines[i + 1]) == {"-"}]
    if not heads:
        return None
    names = []
    for line in lines[heads[0] + 2 :]:
        if not line or line.startswith(" "):
            continue
        if re.fullmatch("-+", line):
            names.pop()  # that was the title of the next section
            break
        names += [name.strip(" *") for name in line.split(" : ")[0].split(",")]
    else:
        return names
    return names


def parameters(node: ast.FunctionDef) -> list[str]:
    given = node.args
    rest = [given.vararg, given.kwarg]
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *(a for a in rest if a)]
    return [a.arg for a in every if a.arg not in ("self", "cls")]


@pytest.mark.parametrize(
    "function", [v for n in pyjpegml.__all__ if inspect.isfunction(v := getattr(pyjpegml, n))],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_public_functions_document_their_parameters(function: Callable[..., object]) -> None:
    docstring = inspect.getdoc(function) or ""
    assert documented(docstring, "Parameters") == list(inspect.signature(function).parameters)
    assert documented(docstring, "Returns")
    assert documented(docstring, "Raises")
    assert ">>> " in docstring


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_documented_parameters_are_those_of_the_signature(path: Path) -> None:
    """Wherever a function or kernel has a Parameters section, it is complete."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            listed = documented(ast.get_docstring(node) or "", "Parameters")
            assert listed is None or sorted(listed) == sorted(parameters(node)), node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_kernels_document_their_parameters(path: Path) -> None:
    """Kernels that are not helpers have the section, or speak of every parameter in a sentence."""
    for node in kernels(path):
        docstring = ast.get_docstring(node) or ""
        if not node.name.startswith("_") and documented(docstring, "Parameters") is None:
            words = set(re.findall(r"\w+", docstring))
            unsaid = [name for name in parameters(node) if name not in words]
            is_helper = any(
                isinstance(d, ast.Name) and d.id == "inlined" for d in node.decorator_list
            )
            assert is_helper or not unsaid, f"{node.name}: {unsaid}"


# --- threads and processes ------------------------------------------------------------------------


def jobs() -> list[tuple[np.ndarray, str]]:
    return [
        (picture(kind, (60 + 7 * i, 50 + 5 * i, 3), i), SUBSAMPLINGS[i % 4])
        for i, kind in enumerate(2 * sorted(KINDS))
    ]


def there_and_back(job: tuple[np.ndarray, str]) -> tuple[bytes, bytes]:
    image, subsampling = job
    data = pyjpegml.encode(image, quality=80, subsampling=subsampling, restart_interval=3)
    return data, pyjpegml.decode(data).tobytes()


def test_threads_do_not_disturb_each_other() -> None:
    """Eight threads, different pictures at once, many times: as one after the other."""
    work = 8 * jobs()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(there_and_back, work))
    assert together[: len(jobs())] == [there_and_back(job) for job in jobs()]
    assert together == 8 * together[: len(jobs())]


def test_spawned_processes() -> None:
    """Workers of a pool that share nothing but the cache on disk."""
    image = picture("natural", (40, 50, 3))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        data = pool.submit(pyjpegml.encode, image, quality=80).result()
        pixels = pool.submit(pyjpegml.decode, data).result()
        with pytest.raises(pyjpegml.JpegFormatError, match="in DQT at byte 4"):
            pool.submit(pyjpegml.decode, b"\xff\xd8\xff\xdb\0\1").result()
    assert data == pyjpegml.encode(image, quality=80)
    assert np.array_equal(pixels, pyjpegml.decode(data))


@pytest.mark.skipif(sys.platform != "linux", reason="fork is safe and usual on Linux only")
def test_forked_processes() -> None:
    """Children of a process whose kernels have run: no pool of threads is lost in the fork."""
    script = """
import multiprocessing, numpy as np, pyjpegml
image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
data = pyjpegml.encode(image)
pixels = pyjpegml.decode(data)
def work(n):
    return pyjpegml.encode(image) == data and np.array_equal(pyjpegml.decode(data), pixels)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(pool.map(work, range(8))))
"""
    assert run_python(script).stdout.strip() == "8"
