"""
13. Breaking JPEGs
==================

Files are cut off, disks flip bits, and some files are made to do harm. A decoder has to turn any
bytes at all into a picture or an error, and an encoder can help it. This chapter damages files: by
hand, by chance, and by a tool that knows what each damage means (:mod:`pyjpegml.testing`, which
tests any codec).

The photograph is Chelsea the cat, by Stéfan van der Walt, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import HealthCheck, given, settings

import pyjpegml
from pyjpegml import markers
from pyjpegml.testing import corrupted, example, jpeg_streams, shrink

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "chelsea.png")
plain = pyjpegml.encode(photo, quality=75)
restarting = pyjpegml.encode(photo, quality=75, restart_rows=1)
print(f"{len(plain)} bytes; {len(restarting)} with restart markers")

# %%
# Restart markers
# ---------------
# Codes have no marks between them, and DC is a sum of differences: after a wrong bit all that
# follows may be wrong. Restart markers, RST0 to RST7 in turn, cut the data into intervals (T.81,
# B.2.4.4): each begins at a byte, and its predictions at 0 (E.1.4). DRI says how many MCUs an
# interval has; here it is a row of them.
[dri] = [segment for segment in markers.segments(restarting) if segment.name == "DRI"]
mcus = int.from_bytes(bytes(dri.payload), "big")
print(f"an interval has {mcus} MCUs of 16 pixels, the picture is {photo.shape[1]} pixels wide")
assert mcus == -(-photo.shape[1] // 16)


def data_of(file):
    """Where the entropy-coded data begin and end."""
    sos = next(segment for segment in markers.segments(file) if segment.code == markers.SOS)
    return sos.end, len(file) - 2


# %%
# One wrong bit
# -------------
# Flip one bit of the coded data, at random, and decode what there is. Which pixels are wrong? Do it
# a hundred times, and see the worst of them. :func:`pyjpegml.decode_partial` never gives up on
# coded data: behind an error it goes on at the next restart marker, and it reports what it met.
rng = np.random.default_rng(13)
worst, shares, noticed = {}, {}, {}
for name, file in (("no restarts", plain), ("a restart each row", restarting)):
    sound, (start, end) = pyjpegml.decode(file), data_of(file)
    shares[name], noticed[name] = [], 0
    for _ in range(100):
        broken = bytearray(file)
        broken[rng.integers(start, end)] ^= 1 << rng.integers(8)
        picture, report = pyjpegml.decode_partial(bytes(broken))
        share = (picture != sound).any(axis=2).mean()
        if share >= max(shares[name], default=0):
            worst[name] = picture, report
        shares[name].append(share)
        noticed[name] += not report.complete
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axis, (name, (picture, report)) in zip(axes, worst.items(), strict=True):
    axis.imshow(picture)
    axis.set_title(f"the worst of 100 flips, {name}", fontsize=10)
    axis.axis("off")
    for problem in report.problems:
        print(f"{name}: {problem}")
plt.show()

# %%
# Most flips are harmless, and that is the bad news: they hit the raw bits of one coefficient, or
# codes fall into step again by chance, the data are still a legal stream, and *no* decoder can
# notice. JPEG has no checksum.
figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
for name, values in shares.items():
    axis.plot(np.sort(values)[::-1] * 100, label=name)
    print(f"{name:18} noticed {noticed[name]} of 100, wrong pixels: {np.median(values):.2%} in the "
          f"median, {np.mean(values):.1%} in the mean, {max(values):.0%} at worst")  # fmt: skip
axis.set(yscale="log", xlabel="flips, the worst first", ylabel="pixels wrong, %")
axis.legend()
plt.show()
assert np.mean(shares["a restart each row"]) < np.mean(shares["no restarts"]) / 5
assert max(noticed.values()) < 50

# %%
# With restarts the mean damage is a small part, and it ends with its row, nearly always: in the
# worst case above the flip made a false marker, whose number says that intervals are missing.

# %%
# Errors that say where
# ---------------------
# :func:`pyjpegml.decode` is strict: what is not sound is a :class:`pyjpegml.JpegError`, with what
# is wrong, the marker, and the offset of the byte. Other exceptions never come of bytes, however
# they were made.
start, end = data_of(plain)
sof = next(segment for segment in markers.segments(plain) if segment.name == "SOF0").offset
cases = {
    "not a JPEG": b"GIF89a" + plain[6:],
    "cut off in its head": plain[:100],
    "cut off in its data": plain[: (start + end) // 2],
    "no height": plain[: sof + 5] + bytes(2) + plain[sof + 7 :],
    "a bomb, 65500 pixels square": plain[: sof + 5] + b"\xff\xdc\xff\xdc" + plain[sof + 9 :],
    "sampled 7 times": plain[: sof + 11] + b"\x71" + plain[sof + 12 :],
    "a lost interval": restarting.replace(
        restarting[restarting.index(b"\xff\xd1") : restarting.index(b"\xff\xd2")], b""
    ),
}
for name, file in cases.items():
    try:
        pyjpegml.decode(file)
        raise AssertionError("it was taken for sound")
    except pyjpegml.JpegError as error:
        print(f"{name}:\n    {type(error).__name__}: {error}")

# %%
# With their numbers, restart markers tell how many intervals are missing, so what follows is not
# moved up:
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axis, name in zip(axes, ("cut off in its data", "a lost interval"), strict=True):
    picture, report = pyjpegml.decode_partial(cases[name])
    axis.imshow(picture)
    axis.set_title(f"{name}: {report.sound_mcus} of {report.mcus} MCUs", fontsize=10)
    axis.axis("off")
plt.show()
sound = pyjpegml.decode(restarting)
assert np.array_equal(picture[-100:], sound[-100:])

# %%
# Streams that are known to the last bit
# --------------------------------------
# To test a decoder, one wants files of all kinds, with what must come out. Strategies of Hypothesis
# (MacIver and Hatfield-Dodds, "Hypothesis: A new approach to property-based testing", 2019) make
# them: any legal sampling, tables, scans, restarts; a writer of their own codes them, which shares
# no line with the library's encoder. This is the whole test of a decoder of coefficients:
calm = settings(
    max_examples=25, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@calm
@given(jpeg_streams(["baseline", "progressive"], precisions=[8], max_size=24))
def test_coefficients(stream):
    found = pyjpegml.decode_coefficients(stream.data).components
    for got, expected in zip(found, stream.coefficients, strict=True):
        assert (got == expected).all()


test_coefficients()

# %%
# And a bug? This is how many programs find the size of a JPEG. It looks right, and works on every
# file at hand.


def size_of(data):
    """Width and height from the frame header."""
    at = data.index(b"\xff\xc0")
    height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
    return width, height


assert size_of(plain) == (photo.shape[1], photo.shape[0])
streams = jpeg_streams(["baseline"], max_size=24)


def is_wrong(stream):
    return size_of(stream.data) != (stream.frame.width, stream.frame.height)


seed = next(number for number in range(200) if is_wrong(example(streams, number)))
small = shrink(streams, seed, is_wrong)
print(f"Seed {seed} is a counterexample. In its simplest form:")
print(small.text(0))
print(f"found {size_of(small.data)}, but it is {small.frame.width, small.frame.height}")
assert pyjpegml.read_header(small.data).height == small.frame.height

# %%
# The frame header may say that the height is 0: a scanner did not know it yet, and a DNL segment
# behind the first scan tells (B.2.5). Nor is the first FF C0 always a frame header: Exif data hold
# a thumbnail, which is a JPEG with a frame header of its own.
#
# Damage with a verdict
# ---------------------
# ``corrupted()`` damages such streams by one named fault, and knows what T.81 says of it: an error
# must come (``"error"``), the content must be the same (``"same"``), or either may be.
met = {"error": [0, 0], "same": [0, 0], "any": [0, 0]}


@calm
@given(corrupted(jpeg_streams(["baseline"], precisions=[8], max_size=24)))
def test_damage(damaged):
    try:
        report = pyjpegml.decode_partial(damaged.data)[1]
        refused = not report.complete
    except pyjpegml.JpegError:
        refused = True
    met[damaged.verdict][refused] += 1
    assert damaged.verdict != "same" or not refused, damaged.text()
    assert damaged.verdict != "error" or refused, damaged.text()


test_damage()
for verdict, (taken, refused) in met.items():
    print(f"{verdict:6} taken {taken}, refused {refused}")

# %%
# Exercises
# ---------
# *What do restart markers cost?* A row each is cheap. One for each MCU is not: two bytes, filling
# bits, and DC that starts from 0 again.
for interval in (0, 100, 10, 1):
    size = len(pyjpegml.encode(photo, quality=75, restart_interval=interval))
    print(f"interval {interval:3}: {size} bytes, {size / len(plain) - 1:+.1%}")

# %%
# *How far is a wrong bit felt in a progressive file?* In all that later scans bring to these
# blocks. But the picture of the earlier ones stays:
progressive = pyjpegml.encode(photo, quality=75, progressive=True)
broken = bytearray(progressive)
broken[len(broken) // 2 : len(broken) // 2 + 40] = bytes(40)
picture, report = pyjpegml.decode_partial(bytes(broken))
print(f"MS-SSIM {pyjpegml.ms_ssim(photo, picture):.4f} instead of "
      f"{pyjpegml.ms_ssim(photo, pyjpegml.decode(progressive)):.4f}")  # fmt: skip

# %%
# *Why has a decoder limits, beside errors?* Because a legal file of a kilobyte may ask for
# gigabytes (the bomb above), or for a thousand scans over them. ``max_pixels``, ``max_scans`` and
# ``max_metadata`` of :func:`pyjpegml.decode` say how much is yours to spend. *Try next:* ``pyjpegml
# difftest --decoder pillow --examples 200 --report DIR`` shows such files to several decoders and
# compares them; and point the strategies at the decoder that you use.
