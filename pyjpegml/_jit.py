"""The compile policy: the one place where a Python function becomes a Numba kernel.

Every kernel of the library is written as ``@kernel`` and nothing else; a test walks the syntax
trees to see that no bare ``numba.njit`` stands anywhere else. What the policy says:

*Lazy.* Importing :mod:`pyjpegml` imports no Numba. A :class:`Kernel` imports it at its first call,
and compiles (or loads from the cache) just that kernel and those it calls. Inside jitted code a
``Kernel`` is seen as the Numba dispatcher behind it, so kernels call each other as plain functions.

*Wholes and parts.* A kernel that Python calls is compiled as a *whole*, with all kernels that it
calls linked into it and optimised there. For those, being *parts* of it, Numba would make machine
code as well, that nobody calls; :func:`_compilers` leaves that out, which makes a first call
much shorter. Nor does Python look for garbage while Numba compiles: it makes many objects and
drops few.

*One thread, no interpreter lock.* Kernels are compiled ``nogil`` and never ``parallel``: threads
belong to the caller, because Numba's own pools survive neither ``fork`` nor a second thread.

*No reference counts* (``_nrt=False``). Numba counts the references to every array that a variable
names, a slice or an argument of an inlined helper included, with atomic instructions; in the
Huffman decoder they took longer than all else. Without them a kernel can make no array, which ours
never do, and not assign one slice to another, which Numba does by way of a copy.

*NumPy's division* (``error_model="numpy"``): no hidden branch for a zero divisor in a hot loop.

*A cache that cannot be stale.* Numba's disk cache does not see edits in the file of a *callee*,
freezes globals, and does not tell kernels with bounds checks from kernels without. So ours lives
in a directory named by a hash of everything a kernel depends on: all sources of this package, the
versions of Python, NumPy, Numba and llvmlite, the CPU's name and features, and Numba's switches
(:func:`cache_key`). An explicit ``NUMBA_CACHE_DIR`` says where that directory lies; otherwise it
is the user's cache directory. If neither can be written, kernels are compiled anew in every process
and one warning says so; ``import`` never fails for it.

A kernel of somebody else's belongs to the text of its own file, as it was when the kernel was made
(:func:`own_source`), for the hash knows nothing of it; one without a file, as in a notebook, is
compiled in each process.

``NUMBA_DISABLE_JIT=1`` runs the same source as plain Python, for stepping through it.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import os
import platform
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
# held while kernels are loaded, and while a process forks: a child has no other threads, and a lock
# that one of them held would stay locked in it
kernel_lock = threading.RLock()
_numba_ready = False


def _hold_during_fork(lock: Any) -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )


_hold_during_fork(kernel_lock)


class Kernel:
    """A function that is compiled by Numba when it is first called.

    Parameters
    ----------
    function : callable
        Plain Python function of arrays and scalars, in Numba's subset of the language.
    inline : bool
        Ask LLVM to inline it into its callers (small helpers that return tuples need it).
    reassociate : bool
        Let LLVM change the order of floating-point sums, so that it can vectorise them. Results may
        then differ between CPUs in the last bits.

    Attributes
    ----------
    py_func : callable
        The Python function as written.
    source : str or None
        Of a kernel outside of this package (:func:`own_source`).
    """

    def __init__(
        self, function: Callable[..., Any], inline: bool = False, reassociate: bool = False
    ) -> None:
        self.py_func = function
        self.inline = inline
        self.reassociate = reassociate
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.source = own_source(function)
        self._whole: Any = None
        self._part: Any = None
        self._call: Callable[..., Any] = self._first_call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__name__}>"

    def _first_call(self, *args: Any) -> Any:
        with kernel_lock:
            if self._call == self._first_call:  # no other thread was faster
                self._call = self._way()
        return self._call(*args)

    def _way(self) -> Callable[..., Any]:
        """How this process calls the kernel."""
        if jit_disabled():
            return self.py_func
        if _objects_enabled() and self.source is not None:
            from ._objects import Native

            return Native(self)
        return self.compiled

    def compiled(self, *args: Any) -> Any:
        """Call through Numba."""
        return self.dispatcher(*args)

    @property
    def dispatcher(self) -> Any:
        """The Numba dispatcher, made at the first use; nothing is compiled before it is called."""
        with kernel_lock:
            if self._whole is None:
                self._whole = make_dispatcher(self, no_cpython_wrapper=self.inline)
                if self.source is not None:
                    _keep_compiled(self._whole)
            return self._whole

    @property
    def numba_type(self) -> Any:
        """The type by which jitted code knows this function."""
        if not _objects_enabled():
            return self.dispatcher._numba_type_
        with kernel_lock:
            if self._part is None:
                _, part, summing_part = _compilers()
                self._part = make_dispatcher(
                    self,
                    no_cpython_wrapper=True,
                    pipeline_class=summing_part if self.reassociate else part,
                )
            return self._part._numba_type_

    def whole(self) -> Any:
        """A dispatcher for one compilation, whose object code is kept: no wrapper, no cache."""
        return make_dispatcher(self, no_cpython_wrapper=True, pipeline_class=_compilers()[0])


def own_source(function: Callable[..., Any]) -> str | None:
    """SHA-256 of the file of a function outside of this package; None if there is no such file.

    Empty for those inside, all of which :data:`SOURCES` stands for.
    """
    if function.__module__.startswith(f"{__package__}."):
        return ""
    try:
        return hashlib.sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()
    except OSError:
        return None


def kernel(function: Callable[..., Any]) -> Kernel:
    """Decorator: compile `function` at its first call, under the policy of this module."""
    return Kernel(function)


def inlined(function: Callable[..., Any]) -> Kernel:
    """Decorator like :func:`kernel` for a small helper that is always inlined into its callers."""
    return Kernel(function, inline=True)


def summing(function: Callable[..., Any]) -> Kernel:
    """Decorator like :func:`kernel` for a kernel whose floating-point sums may be reordered."""
    return Kernel(function, reassociate=True)


def jit_disabled() -> bool:
    """True if ``NUMBA_DISABLE_JIT`` asks for plain Python. Imports Numba only if it is unset."""
    value = os.environ.get("NUMBA_DISABLE_JIT", "")
    return value not in ("", "0")


def _objects_enabled() -> bool:
    from ._objects import enabled

    return enabled()


def cache_root() -> Path:
    """Where compiled kernels are kept: ``NUMBA_CACHE_DIR``, or ``pyjpegml`` in the user's cache."""
    if explicit := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(explicit)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "pyjpegml"


def source_hash() -> str:
    """SHA-256 over the path and the text of every source file of the package."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


#: Of the sources as they were imported: a process that compiles later, after an edit, must not
#: store the old code under the new sources' name.
SOURCES = source_hash()


def cache_facts() -> dict[str, str]:
    """Everything that compiled code depends on, by name; :func:`cache_key` is its hash.

    Numba's switches are read from ``numba.config`` (which follows the ``NUMBA_*`` variables), the
    CPU from llvmlite unless ``NUMBA_CPU_NAME`` or ``NUMBA_CPU_FEATURES`` set another.
    """
    import llvmlite
    import llvmlite.binding as llvm
    import numba
    import numpy
    from numba.core import config

    features = config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return {
        "sources": SOURCES,
        "package": str(_PACKAGE),
        "python": platform.python_implementation() + platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "machine": platform.machine(),
        "cpu": config.CPU_NAME or llvm.get_host_cpu_name(),
        "features": features,
        "vector width": str(getattr(config, "LLVM_VECTOR_WIDTH", "")),
        "boundscheck": str(config.BOUNDSCHECK),
        "disable jit": str(config.DISABLE_JIT),
        "opt": str(config.OPT),
        "loop vectorize": str(config.LOOP_VECTORIZE),
        "slp vectorize": str(config.SLP_VECTORIZE),
        "debug": str(config.DEBUGINFO_DEFAULT),
    }


def cache_key() -> str:
    """Twenty hexadecimal digits that name the cache directory of this build on this machine."""
    facts = cache_facts()
    text = "\n".join(f"{name}={facts[name]}" for name in sorted(facts))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def cache_directories() -> list[Path]:
    """All directories of compiled kernels below the cache's root, of this build and of others."""
    return sorted(path for path in cache_root().glob("pyjpegml-*") if path.is_dir())


_cache_dir: str | None = None
_warned = False


def cache_directory() -> Path:
    """The directory that holds the compiled kernels of this very build (see :func:`cache_key`)."""
    global _cache_dir
    if _cache_dir is None:
        _cache_dir = str(cache_root() / f"pyjpegml-{cache_key()}")
    return Path(_cache_dir)


def make_dispatcher(source: Kernel, **options: Any) -> Any:
    """A Numba dispatcher: the compile policy proper. Called with the lock held."""
    import numba

    _teach_numba()
    dispatcher = numba.njit(
        nogil=True,
        _nrt=False,
        no_cfunc_wrapper=True,  # nothing calls kernels from C
        error_model="numpy",
        forceinline=source.inline,
        fastmath={"reassoc", "contract"} if source.reassociate else False,
        **options,
    )(source.py_func)
    _forget_literals(dispatcher)
    return dispatcher


def _keep_compiled(dispatcher: Any) -> None:
    """Let Numba keep what it compiles in our directory, and nowhere else."""
    from numba.core import config

    if not writable(cache_directory()):  # Numba would fall back to places that have no key
        warn_uncached()
        return
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_directory())  # read once, when caching is switched on below
    try:
        dispatcher.enable_caching()
    finally:
        config.CACHE_DIR = before


@functools.cache
def _compilers() -> tuple[Any, Any, Any]:
    """Numba's compiler for wholes, for parts and for summing parts, where object code is kept.

    In a whole, its parts are made internal: whatever of them is inlined everywhere then vanishes,
    and objects from different processes, where Numba may give different functions one name, cannot
    be mixed up. Parts are neither optimised nor turned into machine code, for the whole will be;
    only those that LLVM is to vectorise are optimised by themselves, where it sees that arrays are
    different arguments. Inlined among slices of one array, the loops of MS-SSIM took three times
    as long. This leans on interfaces that Numba does not promise
    (:func:`pyjpegml._objects.give_up`).
    """
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler

    class Codegen:
        """The code generator, but for the environments of functions that have no address."""

        def __init__(self, codegen: Any) -> None:
            self._codegen = codegen

        def __getattr__(self, name: str) -> Any:
            return getattr(self._codegen, name)

        def set_env(self, name: str, environment: Any) -> None:
            pass

    class Whole(JITCodeLibrary):  # type: ignore[misc, unused-ignore]
        def _optimize_final_module(self) -> None:
            for function in self._final_module.functions:
                if function.linkage.name == "linkonce_odr" and not function.is_declaration:
                    function.linkage = "internal"
            super()._optimize_final_module()

    class SummingPart(JITCodeLibrary):  # type: ignore[misc, unused-ignore]
        @property
        def codegen(self) -> Any:
            return Codegen(self._codegen)

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._finalized = True

        def get_pointer_to_function(self, name: str) -> int:
            return 0

    class Part(SummingPart):
        def _optimize_functions(self, module: Any) -> None:
            module.data_layout = self._codegen._data_layout

        def _optimize_final_module(self) -> None:
            pass

    def compiler(library_class: Any) -> Any:
        class Own(Compiler):  # type: ignore[misc, unused-ignore]
            def __init__(
                self, typing: Any, target: Any, library: Any, args: Any, *rest: Any, **options: Any
            ) -> None:
                if library is None:
                    library = library_class(target.codegen(), library_class.__name__)
                    library.enable_object_caching()
                super().__init__(typing, target, library, args, *rest, **options)

        return Own

    return compiler(Whole), compiler(Part), compiler(SummingPart)


def _forget_literals(dispatcher: Any) -> None:
    """Compile a kernel that is called as ``f(0)`` for integers, not for the number 0 too.

    Numba types a variable that starts as 0 and then counts first as that number, and would compile
    what is called with it twice; in the encoder that was half of the time.
    """
    from numba.core.types.misc import unliteral

    resolve = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        plain = {name: unliteral(kind) for name, kind in kws.items()}
        return resolve(tuple(unliteral(kind) for kind in args), plain)

    dispatcher.get_call_template = get_call_template


def writable(directory: Path) -> bool:
    """Whether files can be made in a directory, which is made if need be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def warn_uncached() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"pyjpegml cannot write to {cache_directory()}: its kernels are compiled anew in every "
            "process (seconds). Set NUMBA_CACHE_DIR to a writable directory.",
            RuntimeWarning,
            stacklevel=2,
        )


def _teach_numba() -> None:
    """Let jitted code see a :class:`Kernel` as its dispatcher, and compile watches hear of it."""
    global _numba_ready
    if _numba_ready:
        return
    from numba.core import event
    from numba.core.compiler_lock import global_compiler_lock
    from numba.extending import typeof_impl

    @typeof_impl.register(Kernel)  # type: ignore[untyped-decorator, unused-ignore]
    def typeof_kernel(value: Kernel, context: Any) -> Any:
        return value.numba_type

    class Relay(event.Listener):  # type: ignore[misc, unused-ignore]
        depth, collecting = 0, False  # Numba's lock is held

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.collecting = gc.isenabled()
                gc.disable()
            self.depth += 1
            for watch in list(_watches):
                watch.start()

        def on_end(self, event: Any) -> None:
            for watch in list(_watches):
                watch.stop()
            self.depth -= 1
            if self.depth == 0 and self.collecting:
                gc.enable()

    event.register("numba:compile", Relay())
    _hold_during_fork(global_compiler_lock)
    _numba_ready = True


_watches: list[CompileWatch] = []


class CompileWatch:
    """Tells a person when compilation takes long: ``with CompileWatch(announce): ...``.

    Parameters
    ----------
    announce : callable
        Called once, from a timer thread, when Numba has been compiling for `after` seconds in all.
    after : float
        Seconds of compilation that pass in silence.
    """

    def __init__(self, announce: Callable[[], None], after: float = 1.0) -> None:
        self._announce = announce
        self._left = after
        self._announced = False
        self._timer: threading.Timer | None = None
        self._depth = 0
        self._began = 0.0
        self.seconds = 0.0

    def __enter__(self) -> CompileWatch:
        _watches.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _watches.remove(self)
        self._depth = min(self._depth, 1)
        self.stop()

    def start(self) -> None:
        """A kernel starts to compile; those that it calls are counted within it."""
        self._depth += 1
        if self._depth > 1:
            return
        self._began = time.perf_counter()
        if not self._announced:
            self._timer = threading.Timer(max(self._left, 0.0), self._tell)
            self._timer.daemon = True
            self._timer.start()

    def _tell(self) -> None:
        self._announced = True
        self._announce()

    def stop(self) -> None:
        """A kernel has been compiled."""
        if self._depth == 0:
            return
        self._depth -= 1
        if self._depth == 0:
            took = time.perf_counter() - self._began
            self.seconds += took
            self._left -= took
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
