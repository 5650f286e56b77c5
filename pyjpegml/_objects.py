"""Compiled kernels kept as object code, and called without Numba.

Numba takes most of a second to start, even if all it does is load a kernel from its cache. But what
it makes is machine code, and llvmlite alone can load that in milliseconds. So the object code of a
kernel is kept, for each kind of arguments that it was called with; Numba is imported only when
there is none yet.

*Two pieces.* The kernel is Numba's::

    int32 kernel(result *, exception **, arguments ...)

with arrays taken apart: two null pointers (owners), the number of items and their size, the data,
the shape and the strides. The *entry* is ours, a function for Python as C extensions have them
(``METH_FASTCALL``), written in LLVM by :func:`_entry_object`. It sees whether the arguments are of
the kinds that this kernel was compiled for, takes the arrays apart, releases the interpreter lock
and calls the kernel. That takes well below a microsecond, and less than Numba's own way. Arguments
of other kinds go to the entry that was made before it, and at last to :class:`Native`, which finds
or compiles what they need. It all rests on public interfaces of Python, and on the layout of
NumPy's array object, which has not changed in its lifetime and is checked at start.

*Trust.* A file holds a checksum and the name of what it is; its directory is named by a hash of the
sources, versions, CPU name and features. Any ``NUMBA_`` variable but the cache's place turns the
store off, ``NUMBA_BOUNDSCHECK`` above all; so does ``PYJPEGML_OBJECTS=0``. Files are written under
a temporary name and renamed; a broken one is made anew. This file leans on interfaces that Numba
does not promise; when one of them fails, plain Numba does the work (:func:`give_up`).
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._jit import SOURCES, cache_root, kernel_lock, warn_uncached

if TYPE_CHECKING:
    from ._jit import Kernel

_FORMAT = "pyjpegml object 2"

#: Of Numba's runtime kernels name one function, which frees arrays that a kernel has made. Ours
#: make none, so an address that is never called stands for it.
_STAND_IN = "NRT_MemInfo_call_dtor"

#: What the entry calls of the interpreter.
_PYTHON = (
    "PyTuple_GetItem", "PyLong_AsLongLong", "PyFloat_AsDouble", "PyErr_Occurred",
    "PyEval_SaveThread", "PyEval_RestoreThread", "Py_BuildValue", "PyObject_Vectorcall",
)  # fmt: skip

# offsets in Python's objects: the type is the last field of the head
_HEAD = object.__basicsize__
_TYPE = _HEAD - 8
_DATA, _AXES, _SHAPE, _STRIDES, _DTYPE, _FLAGS = (_HEAD + k for k in (0, 8, 16, 24, 40, 48))

# flags of an array
_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400

# what stands in the tuple that an entry knows, before the types of its arguments
_OTHERWISE, _ARRAY, _INT, _FLOAT, _SINGLE, _BOOL, _TRUE, _FIRST = range(8)


def enabled() -> bool:
    """Whether kernels are kept and loaded as object code in this process."""
    harmless = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS"}  # the latter joblib sets; no kernel has any
    switches = {name for name in os.environ if name.startswith("NUMBA_")}
    return (
        not _given_up
        and os.environ.get("PYJPEGML_OBJECTS") != "0"
        and switches <= harmless
        and not Path(".numba_config.yaml").exists()
        and _layout_holds()
    )


_given_up = False


def give_up(given_up: bool = True) -> None:
    """An interface is not as this file knows it: from now on, plain Numba compiles and calls."""
    global _given_up
    _given_up = given_up


@lru_cache(1)
def _layout_holds() -> bool:
    """Whether objects lie in memory as the entries take them to."""
    if platform.python_implementation() != "CPython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    array = np.zeros((3, 5), np.int16)[:2]
    base = id(array)
    if np.ndarray.__basicsize__ < _FLAGS + 4:
        return False

    def word(address: int) -> int:
        return ctypes.c_int64.from_address(address).value

    def half(address: int) -> int:
        return ctypes.c_int32.from_address(address).value

    shape, strides = word(base + _SHAPE), word(base + _STRIDES)
    return (
        word(base + _TYPE) == id(np.ndarray)
        and word(base + _DATA) == array.__array_interface__["data"][0]
        and half(base + _AXES) == 2
        and word(base + _DTYPE) == id(np.dtype(np.int16))
        and half(base + _FLAGS) == array.flags.num
        and shape != 0 != strides
        and (word(shape), word(shape + 8)) == array.shape
        and (word(strides), word(strides + 8)) == array.strides
    )


@lru_cache(1)
def directory() -> Path:
    """Where the objects of this very build lie."""
    import llvmlite.binding as llvm

    facts = [
        _FORMAT,
        SOURCES,
        platform.python_version(),
        str(sys.implementation.cache_tag),
        np.__version__,
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
    if isinstance(argument, (int, np.int64)):
        return "int64"
    if isinstance(argument, np.float32):
        return "float32"
    return "float64" if isinstance(argument, float) else None


def _plain(argument: Any) -> Any:
    """An argument as the entries know it: no subclass, none of NumPy's numbers."""
    if isinstance(argument, tuple):
        members = [_plain(member) for member in argument]
        same = all(a is b for a, b in zip(members, argument, strict=True))
        return argument if same else type(argument)(*members)
    if isinstance(argument, np.ndarray):
        dtype = np.dtype(argument.dtype.name)
        exact = type(argument) is np.ndarray and argument.dtype is dtype
        return argument if exact else np.asarray(argument).view(dtype)
    for exact_type in (bool, int, float, np.float32):
        if type(argument) is exact_type:
            return argument
    return argument.item()


class Native:
    """The way to a kernel's entries: finds or makes one for kinds of arguments not met before.

    Parameters
    ----------
    kernel : Kernel
        Once there is an entry, this calls it directly.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._entries: dict[tuple[str, ...], Callable[..., Any]] = {}
        self._local = threading.local()

    def __call__(self, *arguments: Any) -> Any:
        kinds = tuple(kind(argument) for argument in arguments)
        if None in kinds or getattr(self._local, "refused", False):
            return self._kernel.compiled(*arguments)
        with kernel_lock:
            entry = self._entries.get(kinds)  # type: ignore[arg-type]
            if entry is None:
                entry = self._loaded(kinds, arguments)  # type: ignore[arg-type]
        if entry is None:
            # Numba's lock first, and then ours: so it is too when Numba asks for a kernel's type
            with _compiler_lock(), kernel_lock:
                entry = self._entries.get(kinds)  # type: ignore[arg-type]
                if entry is None:
                    entry = self._made(kinds, arguments)  # type: ignore[arg-type]
        # an entry that refuses its arguments, or whose kernel fails, calls this object again, and
        # Numba raises the exception; another thread may have come before there was an entry
        self._local.refused = True
        try:
            return entry(*[_plain(argument) for argument in arguments])
        finally:
            self._local.refused = False

    def _loaded(
        self, kinds: tuple[str, ...], arguments: tuple[Any, ...]
    ) -> Callable[..., Any] | None:
        """An entry from the store, if there is one."""
        try:
            found = _load(self._kernel, kinds)
            return None if found is None else self._entry(found, kinds, arguments)
        except Exception:
            return None

    def _made(self, kinds: tuple[str, ...], arguments: tuple[Any, ...]) -> Callable[..., Any]:
        """An entry for what Numba compiles now; the way through Numba if there can be none."""
        kernel = self._kernel
        try:
            found = _compile(kernel, kinds, arguments)
            if found is not None:
                return self._entry(found, kinds, arguments)
        except Exception:
            give_up()
            try:
                _compile_plainly(kernel, arguments)
            except Exception:
                give_up(False)  # it is the call that is wrong
                raise
        self._entries[kinds] = kernel.compiled
        return self._entries[kinds]

    def _entry(
        self, found: tuple[str, bytes, bytes], kinds: tuple[str, ...], arguments: tuple[Any, ...]
    ) -> Callable[..., Any]:
        kernel = self._kernel
        entry = _function(*found, kinds, arguments, otherwise=kernel._call)
        kernel._call = self._entries[kinds] = entry
        return entry


def _compiler_lock() -> Any:
    """Numba's lock, which it holds while it compiles."""
    from numba.core.compiler_lock import global_compiler_lock

    return global_compiler_lock


def _path(kernel: Kernel, kinds: tuple[str, ...]) -> Path:
    names = [kernel.__module__, kernel.__qualname__, kernel.source or "", *kinds]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    return directory() / f"{kernel.__module__}.{kernel.__qualname__}-{digest}.o"


# --- compiling and saving ------------------------------------------------------------------------


def _compile(
    kernel: Kernel, kinds: tuple[str, ...], arguments: tuple[Any, ...]
) -> tuple[str, bytes, bytes] | None:
    """Name of the entry and both objects, kept for processes to come; None if Numba is to call."""
    import logging

    import numba
    from numba.core import config

    if config.BOUNDSCHECK or config.CPU_NAME is not None or config.OPT != 3:
        return None
    logging.getLogger("pyjpegml").info(
        "compiling %s.%s, once for this machine (kept in %s)",
        kernel.__module__, kernel.__qualname__, directory(),
    )  # fmt: skip
    dispatcher = kernel.whole()
    dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments))
    (compiled,) = dispatcher.overloads.values()
    result = _result_format(compiled.signature.return_type)
    if result is None or _foreign(compiled.library):
        return None
    code = bytes(compiled.library._get_compiled_object())
    path = _path(kernel, kinds)
    name = f"pyjpegml_{path.stem.rpartition('-')[2]}"
    entry = _entry_object(name, compiled.fndesc.llvm_func_name, kinds, result)
    facts = {
        "format": _FORMAT,
        "kernel": f"{kernel.__module__}.{kernel.__qualname__}",
        "kinds": kinds,
        "entry": name,
        "size": len(entry),
        "sha256": hashlib.sha256(entry + code).hexdigest(),
    }
    try:
        _write(path, json.dumps(facts).encode() + b"\n" + entry + code)
    except OSError:
        warn_uncached()
    return name, entry, code


def _compile_plainly(kernel: Kernel, arguments: tuple[Any, ...]) -> None:
    import numba

    kernel.dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments))


def _result_format(numba_type: Any) -> str | None:
    """What a kernel returns, as Py_BuildValue wants it: "L" for int64, "d" for float64."""
    if str(numba_type) == "none":
        return ""
    members = list(numba_type) if hasattr(numba_type, "count") else [numba_type]
    words = [str(member) for member in members]
    letters = ["L" if word.startswith("Literal[int]") else _RESULTS.get(word) for word in words]
    return None if None in letters else "".join(map(str, letters))


_RESULTS = {"int64": "L", "float64": "d"}


def _foreign(library: Any) -> set[str]:
    """Functions that a kernel may call and that are not there without Numba."""
    declared = {f.name for f in library._final_module.functions if f.is_declaration}
    return {name for name in declared if not name.startswith("llvm.")} - {_STAND_IN}


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


# --- the entry -----------------------------------------------------------------------------------


def _leaves(word: str) -> list[str]:
    """The kinds of a named tuple's members."""
    return word[word.index("(") + 1 : -1].split(";")


def _dtype(word: str) -> np.dtype[Any]:
    """The dtype of an array's kind."""
    return np.dtype(word.removeprefix("readonly ").partition("[")[0])


def _entry_object(name: str, symbol: str, kinds: tuple[str, ...], result: str) -> bytes:
    """Object code of the function for Python, around the kernel's symbol.

    Its first argument is the tuple that :func:`_knowledge` makes, the others are Python's: where
    the arguments lie, and how many they are.
    """
    import llvmlite.binding as llvm
    from llvmlite import ir

    byte, half, word = ir.IntType(8), ir.IntType(32), ir.IntType(64)
    address, number = byte.as_pointer(), ir.DoubleType()
    null = ir.Constant(address, None)
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(address, [address, address, word]), name)
    known, given, count = function.args
    b = ir.IRBuilder(function.append_basic_block())
    refuse = function.append_basic_block()

    def external(returned: Any, name: str, *arguments: Any, more: bool = False) -> Any:
        kinds = [argument.type for argument in arguments]
        found = module.globals.get(name)
        return b.call(
            found or ir.Function(module, ir.FunctionType(returned, kinds, more), name), arguments
        )

    def load(where: Any, offset: int, type_: Any) -> Any:
        return b.load(b.bitcast(b.gep(where, [word(offset)]), type_.as_pointer()))

    def member(of: Any, k: int) -> Any:
        return external(address, "PyTuple_GetItem", of, word(k))

    def demand(condition: Any) -> None:
        then = function.append_basic_block()
        b.cbranch(condition, then, refuse)
        b.position_at_end(then)

    def same(a: Any, place: int) -> Any:
        return b.icmp_unsigned("==", b.ptrtoint(a, word), b.ptrtoint(member(known, place), word))

    def demand_type(argument: Any, place: int) -> None:
        demand(same(load(argument, _TYPE, address), place))

    flat: list[Any] = []
    place = _FIRST

    def take(argument: Any, word_: str) -> None:
        nonlocal place
        if word_.endswith(")"):
            demand_type(argument, place)
            place += 1
            for k, leaf in enumerate(_leaves(word_)):
                take(member(argument, k), leaf)
        elif word_.endswith("]"):
            demand_type(argument, _ARRAY)
            demand(same(load(argument, _DTYPE, address), place))
            place += 1
            axes = int(word_[word_.index("[") + 1 : -1])
            demand(b.icmp_signed("==", load(argument, _AXES, half), half(axes)))
            wanted = _CONTIGUOUS | _ALIGNED | _WRITEABLE
            flags = b.and_(load(argument, _FLAGS, half), half(wanted))
            if word_.startswith("readonly"):
                wanted -= _WRITEABLE
            demand(b.icmp_signed("==", flags, half(wanted)))
            shape, strides = (load(argument, k, address) for k in (_SHAPE, _STRIDES))
            sizes = [load(shape, 8 * k, word) for k in range(axes)]
            items = word(1)
            for size in sizes:
                items = b.mul(items, size)
            flat.extend([null, null, items, word(_dtype(word_).itemsize)])
            flat.append(load(argument, _DATA, address))
            flat.extend(sizes)
            flat.extend(load(strides, 8 * k, word) for k in range(axes))
        elif word_ == "bool":
            demand_type(argument, _BOOL)
            flat.append(b.zext(same(argument, _TRUE), byte))
        elif word_ == "float64":
            demand_type(argument, _FLOAT)
            flat.append(external(number, "PyFloat_AsDouble", argument))
        elif word_ == "float32":
            demand_type(argument, _SINGLE)
            value = external(number, "PyFloat_AsDouble", argument)
            flat.append(b.fptrunc(value, ir.FloatType()))
        else:
            demand_type(argument, _INT)
            value = external(word, "PyLong_AsLongLong", argument)
            with b.if_then(b.icmp_signed("==", value, word(-1)), likely=False):
                error = b.ptrtoint(external(address, "PyErr_Occurred"), word)
                with b.if_then(b.icmp_signed("!=", error, word(0)), likely=False):
                    b.ret(null)
            flat.append(value)

    demand(b.icmp_signed("==", count, word(len(kinds))))
    for k, each in enumerate(kinds):
        take(load(given, 8 * k, address), each)
    # room for the result, eight bytes a member, and for the exception
    room = b.alloca(word, len(result) + 1)
    results = b.bitcast(room, address)
    problem = b.bitcast(b.gep(room, [word(len(result))]), address)
    state = external(address, "PyEval_SaveThread")
    status = external(half, symbol, results, problem, *flat)
    external(ir.VoidType(), "PyEval_RestoreThread", state)
    demand(b.icmp_signed("==", status, half(0)))
    members = [load(results, 8 * k, word if c == "L" else number) for k, c in enumerate(result)]
    letters = bytearray(result.encode() + b"\0")
    text = ir.GlobalVariable(module, ir.ArrayType(byte, len(letters)), f"{name}_result")
    text.initializer, text.linkage, text.global_constant = (
        ir.Constant(text.value_type, letters), "internal", True
    )  # fmt: skip
    build = ir.Function(module, ir.FunctionType(address, [address], True), "Py_BuildValue")
    b.ret(b.call(build, [b.bitcast(text, address), *members]))

    b.position_at_end(refuse)
    arguments = member(known, _OTHERWISE), given, count, null
    b.ret(external(address, "PyObject_Vectorcall", *arguments))

    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    return bytes(_machine().emit_object(parsed))


def _knowledge(
    kinds: tuple[str, ...], arguments: tuple[Any, ...], otherwise: Callable[..., Any]
) -> tuple[Any, ...]:
    """What an entry compares its arguments with."""
    found: list[Any] = [otherwise, np.ndarray, int, float, np.float32, bool, True]
    for word, argument in zip(kinds, arguments, strict=True):
        leaves = [word]
        if word.endswith(")"):
            found.append(type(argument))
            leaves = _leaves(word)
        found += [_dtype(leaf) for leaf in leaves if leaf.endswith("]")]
    return tuple(found)


# --- loading -------------------------------------------------------------------------------------


def _load(kernel: Kernel, kinds: tuple[str, ...]) -> tuple[str, bytes, bytes] | None:
    """Name of the entry and both objects from the store; None if not there, or not sound."""
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
    return facts["entry"], code[: facts["size"]], code[facts["size"] :]


@lru_cache(1)
def _machine() -> Any:
    """The machine that entries are made for."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(jit=True)


@lru_cache(1)
def _engine() -> Any:
    """The linker, which finds the interpreter's functions, and a stand-in for Numba's."""
    import llvmlite.binding as llvm

    _machine()
    own = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), own)
    llvm.add_symbol(_STAND_IN, ctypes.cast(_never, ctypes.c_void_p).value)
    for name in _PYTHON:
        function = getattr(ctypes.pythonapi, name)
        llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    return engine


# arrays that come from outside have no owner whom a kernel could release
_never = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda owner: None)


class _Method(ctypes.Structure):
    """PyMethodDef: a function in C as Python knows it."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_FASTCALL = 0x80
_methods: list[_Method] = []  # as long as there are functions that point to them: for good


def _function(
    name: str,
    entry: bytes,
    code: bytes,
    kinds: tuple[str, ...],
    arguments: tuple[Any, ...],
    otherwise: Callable[..., Any],
) -> Callable[..., Any]:
    """The entry as a function of Python. Called with the lock held."""
    import llvmlite.binding as llvm

    engine = _engine()
    for each in (code, entry):
        engine.add_object_file(llvm.ObjectFileRef.from_data(each))
    engine.finalize_object()
    _methods.append(_Method(name.encode(), engine.get_function_address(name), _FASTCALL, None))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p],
    )
    made: Callable[..., Any] = new(
        ctypes.addressof(_methods[-1]), _knowledge(kinds, arguments, otherwise), None
    )
    return made
