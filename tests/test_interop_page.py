"""The code in docs/interop.rst does what is said there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from batches import make_picture
from helpers import REPOSITORY
from imageio.config import known_plugins
from PIL import Image

from pyjpegml.interop.imageio_plugin import NAME
from pyjpegml.interop.pillow_plugin import FORMAT

PAGE = REPOSITORY / "docs" / "interop.rst"

if not PAGE.is_file():
    pytest.skip("not a checkout", allow_module_level=True)

FOUND = re.findall(
    r"^\.\. code-block:: python\n(?:   :.*\n)*\n((?:(?:   .*)?\n)+)", PAGE.read_text("utf-8"), re.M
)
BLOCKS = [textwrap.dedent(block) for block in FOUND if "import torch" not in block]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Plugins are registered for this test only."""
    yield
    known_plugins.pop(NAME, None)
    if FORMAT in Image.OPEN:
        Image.ID.remove(FORMAT)
        for table in (Image.OPEN, Image.SAVE, Image.MIME):
            del table[FORMAT]


def test_all_blocks_are_seen() -> None:
    text = PAGE.read_text("utf-8")
    assert len(FOUND) == text.count("code-block:: python") == len(BLOCKS) + 1


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("photo.jpg", "photo2.jpg")):
        make_picture(tmp_path / name, i, side=64)
    before = set(tmp_path.iterdir())
    exec(compile(block, str(PAGE), "exec"), {})
    if "small.jpg" in block or "photos.zarr" in block:
        assert set(tmp_path.iterdir()) > before
