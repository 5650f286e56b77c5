"""Memory that kills the process when a kernel reads or writes beside an array.

Compiled loads and stores are not checked. So an array is put between two pages that nobody may
touch: flush against the page behind it, where one byte too far is a segmentation fault, or against
the page in front. What is left of its own pages holds a pattern, which must be there afterwards.
Memory of a read-only array can really not be written to: a vector's store does not ask.

Two ways to bring that to the library's kernels, both for a process of its own:
:func:`guarded_calls` moves every array that is passed to a kernel, at exactly the size that was
passed; :func:`guarded_arrays` makes those that the library asks NumPy for, which also holds when
several threads work on them at once. Vectors that are fetched ahead (``prefetch``) may lie anywhere:
the instruction never faults.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pyjpegml._jit import Kernel

PAGE = mmap.PAGESIZE
#: Where an array lies between its two forbidden pages.
PLACES = ("front", "back")
NO_ACCESS, READ_ONLY = 0, 1  # PROT_NONE, PROT_READ: the same on all systems that have them
_mprotect: Any = None
if os.name == "posix":
    _mprotect = getattr(ctypes.CDLL(None, use_errno=True), "mprotect", None)
AVAILABLE = _mprotect is not None


def _protect(address: int, size: int, protection: int) -> None:
    if _mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), protection) != 0:
        raise OSError(ctypes.get_errno(), "mprotect failed")


class Guarded:
    """An array between two pages that must not be touched.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype
    place : str
        ``"front"``: it starts where the forbidden page in front ends; ``"back"``: it ends where the
        one behind starts.
    fill : int
        What all bytes hold, those of the array and those that are left.
    """

    def __init__(self, shape: Any, dtype: Any, place: str, fill: int = 0xA5) -> None:
        size = math.prod(np.atleast_1d(shape).tolist()) * np.dtype(dtype).itemsize
        inner = -(-max(size, 1) // PAGE) * PAGE
        whole = np.frombuffer(mmap.mmap(-1, PAGE + inner + PAGE), np.uint8)
        self._inside = whole[PAGE : PAGE + inner]
        self._inside[:] = fill
        self._address = whole.ctypes.data
        _protect(self._address, PAGE, NO_ACCESS)
        _protect(self._address + PAGE + inner, PAGE, NO_ACCESS)
        start = {"front": 0, "back": inner - size}[place]
        self.array = self._inside[start : start + size].view(dtype).reshape(shape)
        self._fill = fill
        self._left = self._inside[:start], self._inside[start + size :]

    @classmethod
    def copy(cls, source: npt.NDArray[Any], place: str) -> Guarded:
        """One that holds what another array does."""
        made = cls(source.shape, source.dtype, place)
        made.array[...] = source
        return made

    def make_read_only(self) -> None:
        """From now on a store is a segmentation fault."""
        _protect(self._address + PAGE, self._inside.size, READ_ONLY)
        self.array.flags.writeable = False

    def check(self) -> None:
        """Nothing beside the array has been written to, in its own pages."""
        for left in self._left:
            if not (left == self._fill).all():
                raise AssertionError(
                    f"{np.count_nonzero(left != self._fill)} bytes beside an array "
                    f"{self.array.dtype}{list(self.array.shape)} were written to"
                )


class _Arguments:
    """Guarded copies of the arrays that are passed to one call."""

    def __init__(self, arguments: tuple[Any, ...], place: str) -> None:
        self.place = place
        # by address and size: what a caller passes twice stays one
        self.copies: dict[tuple[int, int], Guarded] = {}
        self.written: dict[tuple[int, int], npt.NDArray[Any]] = {}
        self.values = tuple(self._guard(argument) for argument in arguments)
        spans = sorted((address, address + size) for address, size in self.copies if size)
        for (_, end), (start, _) in pairwise(spans):
            assert end <= start, "arrays overlap in part: copies would not"
        for key, copy in self.copies.items():
            if key not in self.written:
                copy.make_read_only()

    def _guard(self, value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._guard(member) for member in value))
        # vector functions take no others
        if not isinstance(value, np.ndarray) or not value.flags.c_contiguous:
            return value
        key = value.ctypes.data, value.nbytes
        if key not in self.copies:
            self.copies[key] = Guarded.copy(value, self.place)
        copy = self.copies[key]
        array = copy.array.view(value.dtype).reshape(value.shape)
        if value.flags.writeable:
            self.written[key] = value
        else:
            array.flags.writeable = False
        return array

    def finish(self) -> None:
        """Give the caller what was written."""
        for key, copy in self.copies.items():
            copy.check()
            if key in self.written:
                target = self.written[key]
                target[...] = copy.array.view(target.dtype).reshape(target.shape)


@contextmanager
def guarded_calls(place: str) -> Iterator[None]:
    """Every kernel that is called from Python works on guarded copies of its arrays."""
    plain = Kernel.__call__

    def call(self: Kernel, *arguments: Any) -> Any:
        guarded = _Arguments(arguments, place)
        result = plain(self, *guarded.values)
        guarded.finish()
        return result

    Kernel.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        Kernel.__call__ = plain  # type: ignore[method-assign]


@contextmanager
def guarded_arrays(place: str, fill: int) -> Iterator[None]:
    """Arrays that the library asks ``numpy.empty`` or ``numpy.zeros`` for are guarded.

    Those from ``empty`` are full of bytes `fill`, on which nothing may depend.
    """
    import numba  # noqa: F401 - before there are other functions that it would take for NumPy's

    made: list[Guarded] = []
    plain = {name: getattr(np, name) for name in ("empty", "zeros")}

    def guarding(name: str) -> Callable[..., Any]:
        def make(shape: Any, dtype: Any = float, **options: Any) -> npt.NDArray[Any]:
            caller = sys._getframe(1).f_globals["__name__"]
            if options or not caller.startswith("pyjpegml."):
                array: npt.NDArray[Any] = plain[name](shape, dtype, **options)
                return array
            guarded = Guarded(shape, dtype, place, fill)
            made.append(guarded)  # other threads ask too: the last one of the list may be theirs
            if name == "zeros":
                guarded.array[...] = 0
            return guarded.array

        return make

    for name in plain:
        setattr(np, name, guarding(name))
    try:
        yield
        for each in made:
            each.check()
    finally:
        for name, function in plain.items():
            setattr(np, name, function)
