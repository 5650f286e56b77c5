"""What a browser makes of JPEG files: their pixels, as headless Chromium draws them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

#: Where it is, if it is installed.
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

#: Images are there when a page has loaded; what is drawn is decoded before the call returns.
PAGE = """<!DOCTYPE html><body>IMAGES<script>
function pixels(image) {
  if (!image.naturalWidth) return null;
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192)
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return [canvas.height, canvas.width, btoa(text)];
}
onload = () => {
  document.body.textContent = JSON.stringify([...document.images].map(pixels));
};
</script></body>"""


def chromium_version() -> str:
    """``"Chromium 120.0"`` and so on."""
    assert CHROMIUM
    done = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


def chromium_pixels(files: Sequence[bytes]) -> list[npt.NDArray[np.uint8] | None]:
    """RGB pixels of each file, (h, w, 3); None for those that the browser does not open."""
    assert CHROMIUM
    sources = (base64.b64encode(data).decode() for data in files)
    images = "".join(f'<img src="data:image/jpeg;base64,{source}">' for source in sources)
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "page.html"
        page.write_text(PAGE.replace("IMAGES", images))
        done = subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                f"--user-data-dir={directory}/profile", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip
    text = done.stdout
    found = json.loads(text[text.index("[") : text.rindex("]") + 1])
    return [
        None
        if one is None
        else np.frombuffer(base64.b64decode(one[2]), np.uint8).reshape(one[0], one[1], 4)[..., :3]
        for one in found
    ]
