"""
14. Writing your own kernel
===========================

The stages run at the speed of C and are written in Python. This chapter writes one more of them in
the same ways: as plain loops that Numba compiles, and with the vector layer, where the programmer
says what the processor's wide registers shall do. Then it is tested, timed, and its machine code is
read.

The task: the sum of the squared errors of quantization (chapter 5; T.81, A.3.4), of millions of
coefficients. The photograph is the astronaut Eileen Collins (NASA, public domain), from
scikit-image.
"""

import re
import time
from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numba
import numpy as np

import pyjpegml
from pyjpegml._jit import jit_disabled, kernel
from pyjpegml.assembly import assemble
from pyjpegml.coefficients import Geometry
from pyjpegml.encoder import quantize_all
from pyjpegml.planes import component_planes
from pyjpegml.quantize import standard_qtables
from pyjpegml.simd import vector_function

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "astronaut.png")
height, width = photo.shape[:2]
table, chroma = standard_qtables(75)
geometry = Geometry(width, height, [(1, 1)])
luma = component_planes(photo, Geometry(width, height, [(1, 1)] * 3))[0]
coefficients = geometry.transform([luma])  # times 8, int16
levels = quantize_all(geometry, coefficients, [table])
coefficients, levels = coefficients.reshape(-1, 64), levels.reshape(-1, 64)
steps = 8 * table.reshape(64).astype(np.int16)

# %%
# First an oracle
# ---------------
# The formula, as plainly as possible, in numbers that cannot overflow. All that follows has to give
# the same.


def by_numpy(coefficients, levels, steps):
    errors = coefficients.astype(np.int64) - levels.astype(np.int64) * steps
    return int((errors * errors).sum())


expected = by_numpy(coefficients, levels, steps)
print(f"mean square error of a coefficient: {expected / 64 / coefficients.size:.3f}")

# %%
# Loops
# -----
# ``@kernel`` has Numba compile a function at its first call (Lam, Pitrou and Seibert, "Numba: a
# LLVM-based Python JIT compiler", 2015). Inside are numbers, arrays and loops; no lists, no new
# arrays (:mod:`pyjpegml._jit` says why). Nothing checks an index: that each is in range must be
# plain from the code.


@kernel
def by_loops(coefficients, levels, steps):
    """Sum of squared errors; (n, 64) int16 twice, and (64,) int16."""
    total = 0
    for block in range(coefficients.shape[0]):
        for k in range(64):
            error = np.int64(coefficients[block, k]) - np.int64(levels[block, k]) * steps[k]
            total += error * error
    return total


assert by_loops(coefficients, levels, steps) == expected

# %%
# Vectors
# -------
# A register of 512 bits holds 32 of these coefficients. A vector function works on whole vectors,
# by operators; its Python loops and calls run once, while it is compiled, so they cost nothing:
# :mod:`pyjpegml.simd` tells how. What the programmer owes is the range of each value. Of levels
# that were rounded, errors are at most half a step, 4 * 255 = 1020 in units of an eighth. ``madd``
# multiplies lanes of 16 bits and adds neighbours: at most 2 * 1020^2 in lanes of 32. Of eight
# blocks all squares together are at most 512 * 1020^2 < 2^30, so 32 bits are enough up to the last
# sum.
GROUP = 8


@vector_function
def group_error(coefficients, levels, steps, position) -> int:
    """Sum of squared errors of GROUP blocks from `position` on."""
    step, sums = steps.load(64), None
    for block in range(GROUP):
        at = position + 64 * block
        error = coefficients.load(64, at) - levels.load(64, at) * step
        squares = error.madd(error)  # 32 lanes
        sums = squares if sums is None else sums + squares
    while sums.lanes > 1:
        low, high = sums.halves()
        sums = low + high
    return sums.zext(64)


@kernel
def by_vectors(coefficients, levels, steps):
    """As :func:`by_loops`, for levels that were rounded to the nearest."""
    groups, total = coefficients.shape[0] // GROUP, 0
    for group in range(groups):  # the last one ends with block GROUP * groups <= shape[0]
        total += group_error(coefficients, levels, steps, 64 * GROUP * group)
    rest = GROUP * groups
    return total + by_loops(coefficients[rest:], levels[rest:], steps)


assert by_vectors(coefficients, levels, steps) == expected

# %%
# Step into it
# ------------
# Called from Python and not from a kernel, the same function runs on NumPy, operator by operator,
# and every vector can be looked at. ``NUMBA_DISABLE_JIT=1`` does so to whole kernels, and checks
# each load and store; compiled, ``NUMBA_BOUNDSCHECK=1`` does.
some = coefficients[:8].copy(), levels[:8].copy(), steps
assert group_error(*some, 0) == by_numpy(*some)

# %%
# Test what is rare
# -----------------
# Photographs do not visit the edges. Made-up data do: sizes that leave a rest, the largest errors,
# either sign.
rng = np.random.default_rng(14)
for blocks in (0, 1, 7, 8, 9, 100):
    for largest in (1, 255):
        q = rng.integers(1, largest + 1, 64).astype(np.int16) * 8
        level = rng.integers(-4, 5, (blocks, 64)).astype(np.int16)
        error = rng.choice([-1, 0, 1], (blocks, 64)) * (q // 2)
        made = (level * q + error).astype(np.int16)
        assert by_vectors(made, level, q) == by_loops(made, level, q) == by_numpy(made, level, q)

# %%
# How fast
# --------
# The best of many runs, as the others were disturbed by something. A nanosecond is three or four
# cycles of the processor.


def best(call, *arguments):
    """Nanoseconds of a call, at best."""
    times = []
    for _ in range(20):
        start = time.perf_counter_ns()
        call(*arguments)
        times.append(time.perf_counter_ns() - start)
    return min(times)


took = {
    call.__name__: best(call, coefficients, levels, steps) / coefficients.size
    for call in (by_numpy, by_loops, by_vectors)
}
figure, axis = plt.subplots(figsize=(7.5, 1.9), layout="constrained")
bars = axis.barh(list(took), list(took.values()), color="tab:blue")
axis.bar_label(bars, [f"{value:.3f}" for value in took.values()], padding=3)
axis.set(xlabel="nanoseconds a coefficient", xscale="log", xlim=(0.01, 5 * max(took.values())))
axis.invert_yaxis()
plt.show()

# %%
# A bound to compare with: four bytes are read for each coefficient, and a core reads some ten bytes
# a nanosecond from memory, more from its caches. Where a kernel is near that, faster arithmetic is
# in vain (Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
# multicore architectures", 2009).
for name, value in took.items():
    print(f"{name}: {4 / value:.2f} bytes a nanosecond")

# %%
# The machine code
# ----------------
# To know what was made of it, read it: the innermost loop is what lies between a label and the jump
# back to it, and has the most vectors.


def inner_loop(function, *arguments):
    """The lines of a kernel's loop that name the most vector registers."""
    whole = function.whole()
    whole.compile(tuple(numba.typeof(argument) for argument in arguments))
    [assembly] = whole.inspect_asm().values()
    lines = [line.split("#")[0].rstrip() for line in assembly.splitlines()]
    labels, loops = {}, []
    for number, line in enumerate(lines):
        if found := re.match(r"(\S*LBB\w+):", line):
            labels[found[1]] = number
        elif (found := re.search(r"\s(j\w+|b\.?\w*)\s+(\S*LBB\w+)$", line)) and found[2] in labels:
            loops.append(lines[labels[found[2]] : number + 1])
    return max(loops, key=lambda loop: len(re.findall(r"\b[xyz]mm\d+|\bv\d+\.", "\n".join(loop))))


if not jit_disabled():
    for function in (by_loops, by_vectors):
        loop = inner_loop(function, coefficients, levels, steps)
        words = [line.split()[0] for line in loop if line.startswith("\t")]
        wide = sorted({word for word in words if "mul" in word or "madd" in word})
        print(f"{function.__name__}: {len(words)} instructions in the loop; multiplies by {wide}")
    print("\n".join(loop[:24]))

# %%
# By loops, numbers of 16 bits are widened to 64, because the code says so, and multiplied there:
# four times the registers. By vectors, they stay narrow; ``madd`` is one instruction (x86 calls it
# ``pmaddwd``). That is the whole secret of the codec's speed, besides keeping data in the cache.
#
# A profile
# ---------
# Before a stage is made faster, see what it takes of the whole. The encoder's stages one after the
# other over the whole picture, against the real encoder, which does them chunk by chunk while data
# are in the first cache (:mod:`pyjpegml.fused`):
ycc = Geometry(width, height, [(2, 2), (1, 1), (1, 1)])
qtables = [table, chroma, chroma]
planes = component_planes(photo, ycc)
transformed = ycc.transform(planes)
quantized = quantize_all(ycc, transformed, qtables)
stages = {
    "colour, sampling": best(component_planes, photo, ycc),
    "DCT": best(ycc.transform, planes),
    "quantization": best(quantize_all, ycc, transformed, qtables),
    "codes": best(assemble, ycc, quantized, qtables),
}
together = best(lambda: pyjpegml.encode(photo, quality=75))
assert assemble(ycc, quantized, qtables) == pyjpegml.encode(photo, quality=75)
figure, axis = plt.subplots(figsize=(7.5, 1.9), layout="constrained")
left = 0.0
for name, value in stages.items():
    axis.barh("stage by stage", value / luma.size, left=left, label=name)
    left += value / luma.size
axis.barh("encode", together / luma.size, color="tab:grey")
axis.set(xlabel="nanoseconds a pixel")
axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# ``bench/RESULTS.md`` has such figures made with care, and ``bench/instructions.md`` counts
# instructions, which do not depend on what else the machine does.
#
# Exercises
# ---------
# *Levels of zero make errors far above 1020. Is* ``by_vectors`` *still right?* For pictures it is:
# the squares of a block's coefficients are together those of its samples (chapter 4), at most 64 *
# 128^2, or 2^26 in eighths; eight blocks stay below 2^30.
dropped = np.zeros_like(levels)
assert by_vectors(coefficients, dropped, steps) == by_loops(coefficients, dropped, steps)

# %%
# *And of numbers that no picture has?* Sums of 32 bits overflow, in silence: that is what the range
# comments are for.
loud = np.full((8, 64), 20000, np.int16)
print(f"loops {by_loops(loud, dropped, steps)}, vectors {by_vectors(loud, dropped[:8], steps)}")
assert by_vectors(loud, dropped[:8], steps) != by_loops(loud, dropped[:8], steps)

# %%
# *How is it mended, and at what price?* Squares are widened to 64 bits before they are added up:
# ``squares.zext(64)``, twice the additions. *Why does a group have eight blocks?* The lanes are
# added up once for all of them. Try 1 and 32. *Try next:* a stage that is not there: a histogram of
# levels, chroma at a third of the columns, the largest absolute coefficient (``maximum``). An
# oracle, made-up data, and then speed, in this order.
