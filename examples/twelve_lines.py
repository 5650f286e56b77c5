"""
Every stage in twelve lines
===========================

Each piece below stands by itself: copy it, run it, change a number. With ``NUMBA_DISABLE_JIT=1``
all of it runs as plain Python, in seconds, so a debugger can step into every stage. The chapters
tell what the stages are for; clauses are those of ITU-T T.81.
"""

# %%
# Markers
# -------
# A file is a chain of segments (B.1.1). :mod:`pyjpegml.markers`, chapter 1.
import numpy as np

import pyjpegml
from pyjpegml import markers

data = pyjpegml.encode(np.full((8, 8), 200, np.uint8), quality=50)
for segment in markers.segments(data):
    print(f"{segment.offset:4} {segment.name:5} {bytes(segment.payload[:12]).hex(' ')}")
assert data.startswith(b"\xff\xd8")
assert data.endswith(b"\xff\xd9")

# %%
# Colour
# ------
# Red, green, blue and white as Y, Cb and Cr (T.871, clause 7). :mod:`pyjpegml.color`, chapter 2.
import numpy as np

from pyjpegml.color import rgb_to_ycbcr

rgb = np.array([[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]], np.uint8)
y, cb, cr = np.empty((3, 1, 4), np.uint8)
rgb_to_ycbcr(rgb, y, cb, cr)
print(y, cb, cr)
assert y.tolist() == [[76, 150, 29, 255]]
assert cb[0, 3] == cr[0, 3] == 128

# %%
# Sampling
# --------
# Four samples become one (A.1.1): their mean. :mod:`pyjpegml.sampling`, chapter 3.
import numpy as np

from pyjpegml.sampling import downsample

plane = np.arange(16, dtype=np.uint8).reshape(4, 4)
small = np.empty((2, 2), np.uint8)
downsample(plane, 2, 2, small)
print(plane, small, sep="\n")
assert small.tolist() == [[2, 5], [10, 13]]

# %%
# DCT
# ---
# One block there and back (A.3.3): a step is many frequencies. :mod:`pyjpegml.dct`, chapter 4.
import numpy as np

from pyjpegml.dct import forward_dct, inverse_dct

plane = np.where(np.arange(8) < 3, 40, 200).astype(np.uint8) * np.ones((8, 1), np.uint8)
coefficients, back = np.empty((1, 1, 64), np.int16), np.empty((8, 8), np.uint8)
forward_dct(plane, 1, 1, coefficients)
print(coefficients[0, 0, :8] / 8)
levels = ((coefficients + 4) >> 3).astype(np.int16)
inverse_dct(levels, 1, 1, np.ones(64, np.int32), back)
assert np.abs(back.astype(int) - plane).max() <= 1

# %%
# Quantization
# ------------
# Steps of quality 50, and what is left (A.3.4). :mod:`pyjpegml.quantize`, chapter 5.
import numpy as np

from pyjpegml.quantize import quantize, standard_qtables

table = standard_qtables(50)[0].reshape(64)
coefficients = (8 * 100 / (1 + np.arange(64))).astype(np.int16).reshape(1, 1, 64)
levels = np.empty((1, 1, 64), np.int16)
quantize(coefficients, table.astype(np.int32), 0.5, levels)
print(levels[0, 0])
assert (np.abs(levels * table - coefficients / 8) <= table / 2 + 1 / 8).all()

# %%
# Huffman
# -------
# The best code for some counts, of at most 16 bits (K.2). :mod:`pyjpegml.huffman`, chapter 6.
import numpy as np

from pyjpegml.explorer.trace import symbols_of
from pyjpegml.huffman import optimal_table

counts = np.zeros(256, np.int64)
counts[[0, 1, 2, 17]] = 50, 30, 15, 5
codes = symbols_of(optimal_table(counts))
print(codes)
assert [len(code) for code in codes] == [1, 2, 3, 4]
assert "1111" not in codes  # no code is made of ones only (Annex C)

# %%
# Stuffing
# --------
# A zero behind each FF of coded data (B.1.1.5). :mod:`pyjpegml.bitio`, chapter 1.
import numpy as np

from pyjpegml.bitio import stuff

raw = np.array([0x12, 0xFF, 0xD8, 0xFF], np.uint8)
out = np.zeros(8, np.uint8)
end = stuff(raw, 4, out, 0)
print(out[:end].tobytes().hex(" "))
assert out[:end].tolist() == [0x12, 0xFF, 0, 0xD8, 0xFF, 0]

# %%
# Bits of a block
# ---------------
# Run, size, code, raw bits (F.1.2), cut from the file. :mod:`pyjpegml.scan`, chapter 6.
import numpy as np

import pyjpegml
from pyjpegml.explorer.trace import blocks

ramp = np.add.outer(np.arange(8) * 9, np.arange(8) * 20).astype(np.uint8)
[block] = blocks(pyjpegml.encode(ramp, quality=60))
for code in block.codes:
    print(f"place {code.place:2}: run {code.run}, {code.code} {code.raw}, {code.value}")
assert block.codes[0].value == block.levels[0, 0]

# %%
# Decoding
# --------
# Levels, then pixels (Annex F). :mod:`pyjpegml.decoder`, chapter 7.
import numpy as np

import pyjpegml

picture = np.arange(0, 240, 5, np.uint8).reshape(4, 4, 3)
data = pyjpegml.encode(picture, quality=100, subsampling="4:4:4")
found = pyjpegml.decode_coefficients(data)
print([levels.shape for levels in found.components], found.qtables[0][0])
assert np.abs(pyjpegml.decode(data).astype(int) - picture).max() < 5

# %%
# Progressive scans
# -----------------
# The same coefficients in several scans (G.1). :mod:`pyjpegml.scripts`, chapter 8.
import numpy as np

import pyjpegml
from pyjpegml.scripts import parse_script

wave = (128 + 100 * np.sin(np.arange(256) / 9)).astype(np.uint8).reshape(16, 16)
script = parse_script("0: 0-0, 0, 1; 0: 1-63, 0, 0; 0: 0-0, 1, 0;")
data = pyjpegml.encode(wave, quality=80, progressive=script)
print(pyjpegml.read_header(data).scans)
assert np.array_equal(pyjpegml.decode(data), pyjpegml.decode(pyjpegml.encode(wave, quality=80)))

# %%
# Lossless
# --------
# Differences to a prediction, and no DCT (Annex H). :mod:`pyjpegml.lossless`.
import numpy as np

import pyjpegml

picture = np.add.outer(np.arange(12) * 300, np.arange(16) * 400).astype(np.uint16)
data = pyjpegml.encode(picture, lossless=True, precision=16)
print(len(data), "bytes of", picture.nbytes)
assert np.array_equal(pyjpegml.decode(data), picture)

# %%
# Without decoding
# ----------------
# Turned, and in fewer bytes, with nothing lost. :mod:`pyjpegml.transforms` and
# :mod:`pyjpegml.rewriting`.
import numpy as np

import pyjpegml

picture = np.add.outer(np.arange(16) * 8, np.arange(32) * 4).astype(np.uint8)
data = pyjpegml.encode(picture, quality=90, optimize=False)
turned, smaller = pyjpegml.transform(data, "rotate180"), pyjpegml.recode(data)
print(len(data), len(smaller))
assert np.abs(pyjpegml.decode(turned)[::-1, ::-1].astype(int) - pyjpegml.decode(data)).max() <= 1
assert np.array_equal(pyjpegml.decode(smaller), pyjpegml.decode(data))

# %%
# Damage
# ------
# Half a file, and where it ends. :func:`pyjpegml.decode_partial`, chapter 13.
import numpy as np

import pyjpegml

noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
data = pyjpegml.encode(noise, quality=70)
picture, report = pyjpegml.decode_partial(data[: len(data) // 2])
print(f"{report.sound_mcus} of {report.mcus} MCUs: {report.problems[0]}")
assert not report.complete

# %%
# MS-SSIM
# -------
# The same error on a plain and on a busy picture. :mod:`pyjpegml.metrics`, chapter 9.
import numpy as np

import pyjpegml

rng = np.random.default_rng(1)
error = rng.integers(-4, 5, (24, 24))
for name, spread in (("plain", 1), ("busy", 90)):
    picture = rng.integers(128 - spread, 128 + spread, (24, 24))
    score = pyjpegml.ms_ssim(picture.astype(np.uint8), (picture + error).astype(np.uint8))
    print(f"{name}: {score:.4f}")
assert score > 0.99

# %%
# Sensitivity
# -----------
# What an error of each pattern will cost, block by block. :mod:`pyjpegml.sensitivity`, chapter 9.
import numpy as np

from pyjpegml.coefficients import Geometry
from pyjpegml.metrics import Reference
from pyjpegml.sensitivity import basis_energy, block_weights

picture = np.full((24, 48), 128, np.uint8)
picture[:, 24:] += np.random.default_rng(2).integers(0, 100, (24, 24), np.uint8)
weights = block_weights(Reference(picture), Geometry(48, 24, [(1, 1)]))[0]
W = weights @ basis_energy(scales=2)
print(W[1, :, 1])
assert W[1, 0, 1] > 5 * W[1, 5, 1]

# %%
# Tables in closed form
# ---------------------
# ``q = scale / sqrt(W)``. :mod:`pyjpegml.tables`, chapter 10.
import numpy as np

from pyjpegml.sensitivity import basis_energy
from pyjpegml.tables import closed_form_qtables

weights = np.array([0.05, 0.2, 1.0, 1.0, 0.3, 0.1]) @ basis_energy()
[table] = closed_form_qtables([weights], scale=6.0)
print(table)
assert np.abs(6.0 / np.sqrt(weights) - table.ravel()).max() <= 0.5

# %%
# Trellis
# -------
# Levels that cost least in loss and bits. :mod:`pyjpegml.trellis`, chapter 10.
import numpy as np

from pyjpegml.metrics import Reference
from pyjpegml.quantizer import Quantizer
from pyjpegml.scale_search import candidate

picture = np.random.default_rng(3).integers(90, 160, (16, 16), np.uint8)
plan, reference = candidate(picture, Reference(picture), "grey"), Reference(picture)
parts = plan.coefficients, plan.estimator.weights, plan.estimator.energies
quantizer = Quantizer(reference, plan.geometry, *parts, plan.qtables(0.5))
kept = [int((quantizer.trellis(price) != 0).sum()) for price in (0.0, 1e-5, 1e-4, 1e-3)]
print(kept)
assert kept == sorted(kept, reverse=True)

# %%
# Gradient
# --------
# Which way each sample should move: against its derivative. :mod:`pyjpegml.gradient`, chapter 10.
import numpy as np

from pyjpegml.descent import Descent
from pyjpegml.metrics import Reference, channel_planes, ms_ssim
from pyjpegml.scale_search import candidate

picture = np.random.default_rng(4).integers(60, 190, (16, 16), np.uint8)
worse, reference = picture // 16 * 16, Reference(picture)
plan = candidate(picture, reference, "grey")
descent = Descent(reference, plan.geometry, plan.estimator.weights, reference.crew)
descent.at_planes(channel_planes(worse[:, :, None]))
gradient = descent.gradients[0] / np.abs(descent.gradients[0]).max()
moved = np.rint(worse - 8 * gradient).astype(np.uint8)
assert ms_ssim(picture, moved) > ms_ssim(picture, worse)

# %%
# Prediction
# ----------
# What trees say of some features. :mod:`pyjpegml.predictor`, chapter 11.
import numpy as np

from pyjpegml.predictor import INPUTS, choose_model

model = choose_model(None)
usual = (model.low + model.high) / 2
for target in (0.97, 0.99, 0.995):
    usual[INPUTS.index("loss")] = np.log(1 - target)
    print(target, {name: round(value, 3) for name, value in model.predict(usual).items()})
assert model.covers(usual)

# %%
# The smallest file that is good enough
# -------------------------------------
# All of it together. :mod:`pyjpegml.rate`, chapter 10.
import numpy as np

import pyjpegml

picture = np.random.default_rng(5).integers(100, 150, (16, 24), np.uint8)
result = pyjpegml.compress(picture, ms_ssim=0.9, effort="fast")
print(result)
assert result.met
assert pyjpegml.ms_ssim(picture, pyjpegml.decode(result.data)) >= 0.9

# %%
# Vectors
# -------
# Eight rows of a block become its columns. :mod:`pyjpegml.simd`, chapter 14.
import numpy as np

from pyjpegml.simd import transpose, vector_function


@vector_function
def turn(source, out):
    for k, row in enumerate(transpose([source.load(8, 8 * k) for k in range(8)])):
        out.store(row, 8 * k)


source, out = np.arange(64, dtype=np.int16), np.empty(64, np.int16)
turn(source, out)
assert np.array_equal(out.reshape(8, 8), source.reshape(8, 8).T)

# %%
# Streams that are known to the last bit
# --------------------------------------
# An arithmetic-coded one, made for a seed (Annex D). :mod:`pyjpegml.testing`, chapter 13.
import pyjpegml
from pyjpegml.testing import example, jpeg_streams

stream = example(jpeg_streams(["arithmetic sequential"], max_size=16), 3)
print(stream.frame)
found = pyjpegml.decode_coefficients(stream.data).components
for got, expected in zip(found, stream.coefficients, strict=True):
    assert (got == expected).all()
