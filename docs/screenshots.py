"""Screenshots of the explorer, for the README and the documentation.

    python docs/screenshots.py          writes docs/images/*.jpg, anew
    python docs/screenshots.py FOLDER   writes them there

Needs Playwright and a Chromium (``PYJPEGML_CHROMIUM``, or ``chromium`` on the path). They are JPEGs
of this library, of course.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio

import pyjpegml

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "examples" / "data" / "coffee.png"
OUT = ROOT / "docs" / "images"

#: MS-SSIM of the screenshots to what Chromium showed: text has to stay sharp.
TARGET = 0.995
WIDE = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}


def show_map(page: Any) -> None:
    """Where in the picture the bits are."""
    page.select_option("#view", "bits")


def show_side(page: Any) -> None:
    """The original and the file, side by side, at the block."""
    page.select_option("#view", "side")
    page.click("#zoom-block")
    for _ in range(4):
        page.click("#zoom-out")


def show_block(page: Any) -> None:
    """The steps of one block."""
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.locator("#block").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('block').scrollIntoView()")


def show_tables(page: Any) -> None:
    """Four ways to one target."""
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.evaluate("document.getElementById('tables').scrollIntoView()")


#: name: (window, colour scheme, what is done before the picture is taken)
SHOTS: dict[str, tuple[dict[str, int], str, Callable[[Any], None]]] = {
    "explorer": (WIDE, "light", lambda page: None),
    "side": (WIDE, "light", show_side),
    "bits": (WIDE, "dark", show_map),
    "block": (WIDE, "light", show_block),
    "tables": (WIDE, "dark", show_tables),
    "phone": (PHONE, "light", show_block),
}


def make_page(path: Path) -> None:
    """The explorer's page of the photograph, by the command."""
    subprocess.run(
        [sys.executable, "-m", "pyjpegml", "walkthrough", str(PHOTO), "-o", str(path)], check=True
    )


def make_screenshots(page: Path, folder: Path) -> str:
    """Pictures of a page; returns why there are none, or nothing."""
    program = os.environ.get("PYJPEGML_CHROMIUM") or shutil.which("chromium")
    if program is None:
        return "there is no Chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return "there is no Playwright"
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (window, scheme, act) in SHOTS.items():
            opened = browser.new_page(viewport=window, color_scheme=scheme)
            opened.set_default_timeout(120_000)
            opened.goto(page.resolve().as_uri())
            opened.wait_for_selector("html[data-ready]", state="attached")
            act(opened)
            opened.wait_for_timeout(500)  # for the canvas to be drawn
            pixels = iio.imread(io.BytesIO(opened.screenshot()))[..., :3]
            result = pyjpegml.compress(pixels, ms_ssim=TARGET, threads=None)
            (folder / f"{name}.jpg").write_bytes(result.data)
            opened.close()
        browser.close()
    return ""


def main() -> int:
    """Write the screenshots."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "coffee.html"
        make_page(page)
        why_not = make_screenshots(page, Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
    if why_not:
        print(f"no screenshots: {why_not}", file=sys.stderr)
    return bool(why_not)


if __name__ == "__main__":
    sys.exit(main())
