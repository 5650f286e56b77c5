"""
First steps
===========

From a photograph to the smallest JPEG that this library makes of it at a given MS-SSIM.
"""

from pathlib import Path

import imageio.v3 as iio

import pyjpegml

image = iio.imread(Path(__file__).parent / "data" / "coffee.png")
print(f"{image.shape[1]}x{image.shape[0]} pixels, {image.nbytes} bytes")

# %%
# MS-SSIM is 1 for equal pictures. At 0.99 most people see no difference at reading distance.
result = pyjpegml.compress(image, ms_ssim=0.99)
print(result)

# %%
# The guarantee is about the bytes in hand: decoded again, they score what the result says.
decoded = pyjpegml.decode(result.data)
score = pyjpegml.ms_ssim(image, decoded)
print(f"MS-SSIM of the decoded file: {score:.6f}")
assert result.met
assert score >= 0.99

# %%
# What the file says about itself, before any pixel is decoded.
header = pyjpegml.read_header(result.data)
print(f"{header.process}, {header.color} {header.subsampling}; luminance table:")
print(header.qtables[header.components[0].table])

# %%
# A plain quality needs no search. The same score costs more bytes that way: no quality fits an
# image, and the tables of 1992 were not made for this metric.
plain = pyjpegml.encode(image, quality=90)
plain_score = pyjpegml.ms_ssim(image, pyjpegml.decode(plain))
print(f"quality 90: {len(plain)} bytes at MS-SSIM {plain_score:.6f}")
print(f"compress:   {len(result.data)} bytes at MS-SSIM {score:.6f}")
