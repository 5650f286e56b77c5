"""
Keep metadata, or drop them
===========================

Files say more than pixels: how the camera was held, what the colours mean, who took the picture,
and where. This page keeps it all, or what decides how the picture looks, or drops what is private.
"""

from pathlib import Path

import imageio.v3 as iio

import pyjpegml
from pyjpegml import Metadata
from pyjpegml.jfif import Jfif

repository = Path(__file__).resolve().parents[2]
photo = iio.imread(repository / "examples" / "data" / "coffee.png")


def told(data):
    """What a file says of itself, in a line."""
    metadata = pyjpegml.read_header(data).metadata
    icc = metadata.icc and f"profile of {len(metadata.icc)} bytes"
    xmp = metadata.xmp and f"XMP of {len(metadata.xmp)} bytes"
    comments = [comment.decode() for comment in metadata.comments]
    return f"{len(data):,} bytes, density {metadata.jfif.density}, {icc}, {xmp}, {comments}"


# %%
# A file with metadata
# --------------------
# An array has none; what the file is to say is given with it. Here a density of 300 pixels an
# inch, a packet of XMP, a comment, and bytes that stand for an ICC profile.
packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
metadata = Metadata.made_of(
    jfif=Jfif((1, 2), 1, (300, 300)), icc=bytes(500), xmp=packet, comments=["a private note"]
)
data = pyjpegml.encode(photo, quality=92, metadata=metadata)
print(told(data))

# %%
# Keep everything
# ---------------
# JPEGs are given as bytes to :func:`~pyjpegml.compress`, :func:`~pyjpegml.recode` and
# :func:`~pyjpegml.transform`, and keep their metadata byte for byte. A file that was decoded to an
# array first has lost them.
smaller = pyjpegml.compress(data, ms_ssim=0.98).data
print(told(smaller))
kept = pyjpegml.read_header(smaller).metadata
assert kept.segments == pyjpegml.read_header(data).metadata.segments

# %%
# Keep what decides how the picture looks
# ---------------------------------------
# ``"strip"`` leaves the profile, the density and an orientation that is not upright, and nothing
# that tells of people and places.
public = pyjpegml.compress(data, ms_ssim=0.98, metadata="strip").data
print(told(public))
stripped = pyjpegml.read_header(public).metadata
assert stripped.icc == kept.icc
assert not stripped.xmp
assert not stripped.comments

# %%
# Choose
# ------
# Metadata are objects: take kinds of them away, or keep only some. :func:`~pyjpegml.recode` loses
# nothing of the picture; it writes the same coefficients.
chosen = pyjpegml.read_header(data).metadata.without("comment")
without_note = pyjpegml.recode(data, metadata=chosen)
print(told(without_note))
assert (pyjpegml.decode(without_note) == pyjpegml.decode(data)).all()

# %%
# Turn a picture upright
# ----------------------
# ``pyjpegml.transform(data, "orient")`` turns the coefficients as the orientation says, without
# loss, and then says upright; sizes and densities in the metadata follow the turn. Programs that
# ignore the orientation show such a file rightly. This one is turned by a quarter:
turned = pyjpegml.transform(data, "rotate90", edges="trim")
header = pyjpegml.read_header(turned)
print(f"{header.width} × {header.height} pixels: {told(turned)}")

# %%
# What is read, and what becomes of defects: :doc:`/metadata`; what a turn changes:
# :doc:`/lossless`. In the shell:
#
# .. code-block:: sh
#
#    pyjpegml compress --metadata strip camera.jpg public.jpg
#    pyjpegml recode camera.jpg smaller.jpg
#    pyjpegml transform orient camera.jpg upright.jpg
#    pyjpegml inspect public.jpg
