"""No kernel touches memory beside its arrays: each check runs in a process where that would kill it.

Compiled loads and stores of vectors are not checked, so each is proven in range in the docstring of
the kernel around it, which also says how large its arrays must be. The checks give kernels arrays of
exactly that size (``guard_stages.py``, ``guard_processes.py``), code and decode whole pictures, and
guard the library's own scratch (``guard_pictures.py``); by :mod:`guard_pages`. A check is a function
that is run in a fresh interpreter.
"""

from __future__ import annotations

import ast
import signal
from pathlib import Path

import guard_pictures  # noqa: F401 - registers its checks, as the others do
import guard_processes  # noqa: F401
import guard_stages  # noqa: F401
import numpy as np
import pytest
from guard_checks import CHECKS
from guard_pages import AVAILABLE, PLACES, Guarded
from helpers import PACKAGE, run_python

from pyjpegml._simd_numpy import NumpyPointer

pytestmark = pytest.mark.skipif(
    not AVAILABLE, reason="NO MPROTECT HERE: LOADS AND STORES ARE NOT TESTED"
)

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import test_guards
test_guards.CHECKS[sys.argv[2]]()
print("done")
"""

LONG = {
    "all_conformance_files",
    "many_broken_files",
    "many_broken_files_of_other_processes",
    "longest_pictures",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] if n in LONG else []) for n in CHECKS]
)
def test_nothing_beside_the_arrays(name: str, request: pytest.FixtureRequest) -> None:
    if "conformance" in name:
        request.getfixturevalue("conformance")
    tests = str(Path(__file__).parent)
    done = run_python(RUN, tests, name, options=("-X", "faulthandler"))
    assert done.stdout == "done\n"


# --- the checks themselves ------------------------------------------------------------------------

OVERRUN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from guard_pages import Guarded
from pyjpegml.color import copy_row
samples, out = (Guarded(size, np.uint8, place) for size, place in ((64, sys.argv[2]), (64, "back")))
if sys.argv[3] == "store":
    samples, out = out, samples
if sys.argv[3] == "readonly":
    out.make_read_only()
    out.array.flags.writeable = True
print("ready", flush=True)
copy_row(samples.array, int(sys.argv[4]), 1, out.array, int(sys.argv[5]))
"""


@pytest.mark.parametrize(
    ("place", "what", "offset", "position"),
    [
        ("back", "load", 1, 0),
        ("front", "load", -1, 0),
        ("back", "store", 0, 1),
        ("front", "store", 0, -1),
        ("back", "readonly", 0, 0),
    ],
)
def test_one_byte_too_far_is_fatal(place: str, what: str, offset: int, position: int) -> None:
    """Otherwise the checks would show nothing."""
    arguments = [str(Path(__file__).parent), place, what, str(offset), str(position)]
    with pytest.raises(AssertionError, match=rf"exit code -{signal.SIGSEGV:d}\nready\n") as caught:
        run_python(OVERRUN, *arguments, options=("-X", "faulthandler"))
    assert "Segmentation fault" in str(caught.value)


def test_the_last_byte_is_not_fatal() -> None:
    run_python(OVERRUN, str(Path(__file__).parent), "back", "load", "0", "0")


@pytest.mark.parametrize("place", PLACES)
def test_bytes_beside_an_array_are_looked_at(place: str) -> None:
    """What lies on the page of the array itself cannot be forbidden."""
    guarded = Guarded((3, 5), np.int16, place)
    assert (guarded.array == np.array(0xA5A5, np.uint16).view(np.int16)).all()
    guarded.array[:] = 1
    guarded.check()
    beside = guarded._inside[30 if place == "front" else -31 :][:1]
    beside[:] = 7
    with pytest.raises(AssertionError, match=r"1 bytes beside an array int16\[3, 5\]"):
        guarded.check()


#: All that can be done with a pointer.
POINTER_METHODS = {name for name in vars(NumpyPointer) if not name.startswith("_")}


def memory_functions() -> set[str]:
    """Vector functions that touch memory, themselves or by a function they call."""
    found = set()
    for path in sorted(PACKAGE.glob("*.py")):
        functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
        touching: set[str] = set()
        before = -1
        while len(touching) != before:
            before = len(touching)
            for function in functions:
                called = [n.func for n in ast.walk(function) if isinstance(n, ast.Call)]
                methods = {f.attr for f in called if isinstance(f, ast.Attribute)}
                names = {f.id for f in called if isinstance(f, ast.Name)}
                if methods & POINTER_METHODS or names & touching:
                    touching.add(function.name)
        for function in functions:
            decorators = {d.id for d in function.decorator_list if isinstance(d, ast.Name)}
            if function.name in touching and "vector_function" in decorators:
                found.add(f"pyjpegml.{path.stem}.{function.name}")
    return found


REACHED = """
import sys
sys.path.insert(0, sys.argv[1])
from pyjpegml.simd import VectorFunction
reached = set()
plain = VectorFunction._first_call
def call(self, *arguments):
    reached.add(f"{self.__module__}.{self.__name__}")
    return plain(self, *arguments)
VectorFunction._first_call = call
import guard_pictures
guard_pictures.tour()
import numpy as np
from pyjpegml import decode, decoder, encode
decoder.THREAD_PIXELS = 1
decode(encode(np.zeros((40, 40), np.uint8)), threads=2)
print(*sorted(reached))
"""


def test_every_vector_load_and_store_is_reached() -> None:
    """By the tour, and by threads; both are run with guards too."""
    tests = str(Path(__file__).parent)
    reached = set(run_python(REACHED, tests, NUMBA_DISABLE_JIT="1").stdout.split())
    expected = memory_functions()
    assert {
        "pyjpegml.color.convert_32", "pyjpegml.bitio._load_word", "pyjpegml.locks._swap"
    } <= expected  # fmt: skip
    assert expected <= reached
