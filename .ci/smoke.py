"""What an installed wheel must do without any extra: import, encode, decode, compress, score."""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np

import pyjpegml

home = Path(pyjpegml.__file__).parent
assert Path(sys.prefix) in home.parents, f"{home} is not the installed wheel"
assert (home / "py.typed").is_file()
assert importlib.metadata.version("pyjpegml") == pyjpegml.__version__

rows, columns = np.mgrid[:96, :128]
image = np.stack([2 * rows, columns, 255 - rows - columns], axis=-1).astype(np.uint8)

decoded = pyjpegml.decode(pyjpegml.encode(image, quality=90))
assert decoded.shape == image.shape
assert abs(decoded.astype(int) - image).max() < 32

result = pyjpegml.compress(image, ms_ssim=0.98)
assert result.met
assert pyjpegml.ms_ssim(image, pyjpegml.decode(result.data)) >= 0.98
print(f"pyjpegml {pyjpegml.__version__}: {result}")
