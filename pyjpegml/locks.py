"""How kernels of several threads agree, without Python.

To be woken by the operating system takes some 0.1 ms, in which a thread decodes a hundred thousand
pixels; and two threads that come back from kernels both want the interpreter's lock. So threads
that need each other often agree in their own code: a :func:`lock` is a number in shared memory, and
who has nothing to do looks at another until it changes (:func:`wait_for_news`), but not for long.
A thread that spins while another one wants its core loses more than it gains, so after about as
long as a wake-up takes the kernel returns, and Python naps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._jit import inlined
from .simd import vector_function

#: Looks at a number in shared memory before a kernel gives up: some 0.1 ms.
PATIENCE = 100_000


@vector_function
def _swap(numbers, place, value) -> int:
    return numbers.swap(value, place)


@vector_function
def _look(numbers, place) -> int:
    return numbers.load_acquire(place)


@vector_function
def _write(numbers, place, value):
    numbers.store_release(value, place)


@inlined
def lock(numbers, owner):
    """Wait until element 0 of an int64 array is 0, and make it 1: what follows is ours alone.

    Element 1 then is the number of the `owner`, 1 or more.
    """
    while _swap(numbers, 0, 1) != 0:
        while _look(numbers, 0) != 0:
            pass
    numbers[1] = owner


@inlined
def unlock(numbers):
    """Let others in, who see all that has been written so far."""
    numbers[1] = 0
    _write(numbers, 0, 0)


def let_in(numbers: npt.NDArray[np.int64], owner: int) -> None:
    """As :func:`unlock`, if the lock is the `owner`'s, whose kernel was left by an exception.

    With checks of bounds there may be one anywhere; others would wait for ever.
    """
    if numbers[1] == owner:
        numbers[:2] = 0


@inlined
def announce(numbers):
    """Count a piece of news in element 8, which is not on the line of the cache of element 0."""
    _write(numbers, 8, numbers[8] + 1)


@inlined
def wait_for_news(numbers, known, patience):
    """Whether element 8 comes to differ from `known` while it is looked at so many times."""
    while patience > 0 and _look(numbers, 8) == known:
        patience -= 1
    return patience > 0
