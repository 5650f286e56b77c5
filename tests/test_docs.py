"""What the documentation and the README share with the repository."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from helpers import REPOSITORY

DOCS = REPOSITORY / "docs"

if not DOCS.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)

README = (REPOSITORY / "README.md").read_text("utf-8")


def blocks(text: str) -> list[str]:
    """Shell commands in a page of reStructuredText."""
    found = re.findall(r"^\.\. code-block:: sh\n\n((?:   .*\n)+)", text, re.MULTILINE)
    return [line.strip() for block in found for line in block.splitlines()]


def test_getting_started_has_the_readmes_commands() -> None:
    commands = blocks((DOCS / "getting_started.rst").read_text("utf-8"))
    assert len(commands) == 3
    for command in commands:
        assert f"\n{command}\n" in README


def test_screenshots_are_small() -> None:
    pictures = sorted((DOCS / "images").glob("*.jpg"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 200_000, picture
    shown = set(re.findall(r"docs/images/(\w+\.jpg)", README))
    assert shown <= {picture.name for picture in pictures}


def test_every_page_shows_screenshots_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    from screenshots import SHOTS

    shown = {
        name
        for page in DOCS.glob("*.rst")
        for name in re.findall(r":: made/(\w+)\.jpg", page.read_text("utf-8"))
    }
    assert shown <= set(SHOTS)
    assert {path.stem for path in (DOCS / "images").glob("*.jpg")} == set(SHOTS)


@pytest.mark.parametrize("guide", sorted((DOCS / "how_to").glob("*.py")), ids=lambda p: p.stem)
def test_guides_check_what_they_say(guide: Path) -> None:
    """They run when the documentation is built."""
    assert "\nassert " in guide.read_text("utf-8")
