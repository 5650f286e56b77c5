"""Compiled kernels kept as object code, and called without Numba.

Numba takes most of a second to start, even if all it does is load a kernel from its cache. But what
it made is machine code, and llvmlite alone can load that in milliseconds. So whenever Numba has
compiled a kernel for some kind of arguments, its object code is kept beside Numba's own cache; a
later process that has not imported Numba calls it through ctypes.

*Saving.* Numba's optimised LLVM module holds the kernel as a plain function

    int32 kernel(result *, exception **, arguments ...)

and two wrappers for Python, which need the interpreter's symbols. The wrappers are cut out of its
text; what is left is assembled again. Of Numba's runtime it names one function, which frees arrays
that a kernel has made: ours make none, so an address that is never called stands for it.

*Calling.* An array is passed as Numba lays it out: two null pointers (its owners), the number of
items and their size, the data, the shape and the strides. The kind of each argument is looked at in
every call, as Numba does; a kind that is not in the store goes to Numba.

*Trust.* A file holds a checksum and the name of what it is; its directory is named by a hash of the
sources, versions, CPU name and features. Any ``NUMBA_`` variable but the cache's place turns the
store off, ``NUMBA_BOUNDSCHECK`` above all; so do ``PYJPEGML_OBJECTS=0`` and a process that has
imported Numba already. Files are written under a temporary name and renamed. This file leans on
interfaces that Numba does not promise; if one of them fails, plain Numba does the work.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._jit import _lock

if TYPE_CHECKING:
    from ._jit import Kernel

#: After so many calls through ctypes, each of which costs some ten microseconds more, a process is
#: long-lived enough for Numba's start.
CALLS = 500

_FORMAT = "pyjpegml object 1"
_STAND_IN = "NRT_MemInfo_call_dtor"
_SCALARS: dict[str, Any] = {
    "int64": ctypes.c_int64,
    "uint64": ctypes.c_uint64,
    "float64": ctypes.c_double,
    "float32": ctypes.c_float,
    "bool": ctypes.c_bool,
}


def enabled() -> bool:
    """Whether kernels are kept and loaded as object code in this process."""
    switches = [name for name in os.environ if name.startswith("NUMBA_")]
    return (
        os.environ.get("PYJPEGML_OBJECTS") != "0"
        and sys.maxsize > 2**32
        and all(name == "NUMBA_CACHE_DIR" for name in switches)
        and not Path(".numba_config.yaml").exists()
    )


@lru_cache(1)
def directory() -> Path:
    """Where the objects of this very build lie."""
    import llvmlite.binding as llvm

    from ._jit import SOURCES, cache_root

    facts = [
        _FORMAT,
        SOURCES,
        version("numba"),
        version("llvmlite"),
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    ]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:20]
    return cache_root() / f"pyjpegml-objects-{key}"


def kind(argument: Any) -> str | None:
    """The type of an argument as a word, ``"int16[2]"`` or ``"readonly uint8[1]"`` for arrays.

    A named tuple is ``"Name(kind;kind)"``. None if the store does not keep kernels for it.
    """
    if isinstance(argument, tuple) and hasattr(argument, "_fields"):
        words = [kind(member) for member in argument]
        if any(word is None or word.endswith(")") for word in words):
            return None
        return f"{type(argument).__name__}({';'.join(map(str, words))})"
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        if not flags.c_contiguous or not flags.aligned or not argument.dtype.isnative:
            return None
        word = f"{argument.dtype.name}[{argument.ndim}]"
        return word if flags.writeable else "readonly " + word
    if isinstance(argument, (bool, np.bool_)):
        return "bool"
    if isinstance(argument, int):
        return "int64"
    if isinstance(argument, float) and not isinstance(argument, np.generic):
        return "float64"
    name = argument.dtype.name if isinstance(argument, np.generic) else ""
    return name if name in _SCALARS else None


def _path(kernel: Kernel, kinds: tuple[str, ...]) -> Path:
    text = "\n".join([kernel.__module__, kernel.__qualname__, *kinds])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return directory() / f"{kernel.__module__}.{kernel.__qualname__}-{digest}.o"


# --- saving --------------------------------------------------------------------------------------


def save(kernel: Kernel, arguments: tuple[Any, ...]) -> None:
    """Keep what Numba has just compiled for these arguments, if it can be kept."""
    from numba.core import config

    kinds = tuple(kind(argument) for argument in arguments)
    plain = config.BOUNDSCHECK in (None, 0) and config.CPU_NAME is None and config.OPT == 3
    if not plain or None in kinds:
        return
    path = _path(kernel, kinds)  # type: ignore[arg-type]
    if path.exists():
        return
    try:
        compiled = list(kernel.dispatcher.overloads.values())[-1]
        if compiled.library._disable_inspection:
            return  # loaded from Numba's cache, which keeps no text
        result = _result_words(compiled.signature.return_type)
        text = compiled.library.get_llvm_str()
        name = compiled.fndesc.llvm_func_name
        if result is None:
            return
        text = _without_wrappers(text)
        if _foreign(text):
            return
        code = _assemble(text, compiled.library)
        facts = {
            "format": _FORMAT,
            "kernel": f"{kernel.__module__}.{kernel.__qualname__}",
            "kinds": kinds,
            "symbol": name,
            "result": result,
            "sha256": hashlib.sha256(code).hexdigest(),
        }
        _write(path, json.dumps(facts).encode() + b"\n" + code)
    except (AttributeError, RuntimeError, OSError):
        return  # another Numba, or a directory that cannot be written: nothing is lost but time


def _result_words(numba_type: Any) -> list[str] | None:
    """Names of the scalars that a kernel returns, none for None."""
    name = str(numba_type)
    if name == "none":
        return []
    members = list(numba_type) if hasattr(numba_type, "count") else [numba_type]
    words = [re.sub(r"Literal\[int\].*", "int64", str(member)) for member in members]
    return words if all(word in _SCALARS and word != "bool" for word in words) else None


def _without_wrappers(text: str) -> str:
    """An LLVM module without Numba's two wrappers for Python."""
    return re.sub(
        r"^define [^\n]*@(_ZN7cpython|cfunc\.)[^\n]*\{\n.*?^\}\n", "", text, flags=re.M | re.S
    )


def _foreign(text: str) -> set[str]:
    """Functions that a module calls and that are not there without Numba."""
    declared = set(re.findall(r'^declare [^\n]*?@"?([^"(\s]+)"?\(', text, flags=re.M))
    called = {name for name in declared if len(re.findall(rf'@"?{re.escape(name)}"?\b', text)) > 1}
    return {name for name in called if not name.startswith("llvm.")} - {_STAND_IN}


def _assemble(text: str, library: Any) -> bytes:
    """Object code of an optimised module, for the machine that Numba compiles for."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.verify()
    code: bytes = library.codegen._tm.emit_object(module)
    return code


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


# --- loading and calling -------------------------------------------------------------------------


class Native:
    """A kernel that is called through its object code, or through Numba where there is none.

    Parameters
    ----------
    kernel : Kernel
    """

    _left = CALLS  # of all kernels together

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        Native._left -= 1
        if Native._left < 0 or "numba" in sys.modules:
            self._kernel.use_numba()
            return self._kernel.compiled(*arguments)
        leaves = _members(arguments)
        key = (len(arguments), *map(_quick_kind, leaves))
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._find(arguments)
        return function(arguments, leaves)

    def _find(self, arguments: tuple[Any, ...]) -> Callable[..., Any]:
        kinds = tuple([kind(argument) for argument in arguments])
        with _lock:  # one engine, and nobody forks meanwhile
            loaded = None if None in kinds else _load(self._kernel, kinds)  # type: ignore[arg-type]
        if loaded is None:
            return lambda arguments, leaves: self._kernel.compiled(*arguments)
        address, result = loaded
        return _caller(self._kernel, address, kinds, result)  # type: ignore[arg-type]


def _quick_kind(leaf: Any) -> Any:
    """What :func:`kind` depends on, found faster."""
    if type(leaf) is np.ndarray:
        return leaf.dtype, leaf.ndim, leaf.flags.num
    return type(leaf)


def _load(kernel: Kernel, kinds: tuple[str, ...]) -> tuple[int, list[str]] | None:
    """Address and result of a kernel in the store; None if it is not there, or not sound."""
    try:
        data = _path(kernel, kinds).read_bytes()
    except OSError:
        return None
    head, _, code = data.partition(b"\n")
    try:
        facts = json.loads(head)
    except ValueError:
        return None
    sound = (
        isinstance(facts, dict)
        and facts.get("format") == _FORMAT
        and facts.get("kernel") == f"{kernel.__module__}.{kernel.__qualname__}"
        and facts.get("kinds") == list(kinds)
        and facts.get("sha256") == hashlib.sha256(code).hexdigest()
    )
    if not sound:
        return None
    return _link(code, facts["symbol"]), facts["result"]


@lru_cache(1)
def _engine() -> Any:
    """The linker, with a stand-in for the one function of Numba's runtime that objects name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    llvm.add_symbol(_STAND_IN, ctypes.cast(_never, ctypes.c_void_p).value)
    return engine


# arrays that come from outside have no owner whom a kernel could release
_never = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda owner: None)


def _link(code: bytes, symbol: str) -> int:
    import llvmlite.binding as llvm

    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address: int = engine.get_function_address(symbol)
    return address


def _leaves(word: str) -> list[str]:
    """The kinds of a named tuple's members, or the kind itself."""
    return word[word.index("(") + 1 : -1].split(";") if word.endswith(")") else [word]


def _members(arguments: tuple[Any, ...]) -> list[Any]:
    """Arguments with named tuples taken apart, as Numba passes them."""
    members: list[Any] = []
    for argument in arguments:
        if isinstance(argument, tuple):
            members += argument
        else:
            members.append(argument)
    return members


def _caller(
    kernel: Kernel, address: int, kinds: tuple[str, ...], result: list[str]
) -> Callable[..., Any]:
    """A Python function around the machine code for arguments of these kinds."""
    types: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    dimensions = []
    leaves = [leaf for word in kinds for leaf in _leaves(word)]
    for word in leaves:
        if word.endswith("]"):
            axes = int(word[word.index("[") + 1 : -1])
            dimensions.append(axes)
            types += [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p]
            types += [ctypes.c_int64] * (2 * axes)
        else:
            dimensions.append(-1)
            types.append(_SCALARS[word])
    native = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)
    fields = [(f"f{i}", _SCALARS[word]) for i, word in enumerate(result)]
    structure = type("Result", (ctypes.Structure,), {"_fields_": fields})

    def call(arguments: tuple[Any, ...], members: list[Any]) -> Any:
        flat: list[Any] = []
        for argument, axes in zip(members, dimensions, strict=True):
            if axes < 0:
                flat.append(argument)
            else:
                data = argument.__array_interface__["data"][0]
                flat += (None, None, argument.size, argument.itemsize, data)
                flat += argument.shape + argument.strides
        out, problem = structure(), ctypes.c_void_p()
        status = native(ctypes.byref(out), ctypes.byref(problem), *flat)
        if status != 0:
            return kernel.compiled(*arguments)  # Numba raises the exception
        values = tuple(getattr(out, name) for name, _ in fields)
        return values if len(values) > 1 else values[0] if values else None

    return call
