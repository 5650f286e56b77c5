"""Photographs of 2 megapixels and more, made of Debian's packages of wallpapers.

    python bench/wallpapers.py FOLDER [--megapixels 2.4]

Downloads the packages with ``apt-get`` (nothing is installed), takes the photographs out of them,
reduces larger ones, after which little is left of what their JPEGs have lost, and writes PNGs to
FOLDER. They are a panel for other scripts of this folder: larger, and often smoother, than the
pictures on which constants were chosen. Their licences are in the packages, below
``usr/share/doc``; none of them is part of this repository.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

#: Package, folder, photographs (other wallpapers are drawn).
SOURCES: tuple[tuple[str, str, str], ...] = (
    ("lomiri-wallpapers-16.04", "backgrounds", "aitzgorri free friends greentock life Bridge "
     "picosdeeuropa sunset"),
    ("lomiri-wallpapers-20.04", "backgrounds", "Dragonfly Kleiber Picture_0B Wine seeding"),
    ("mate-backgrounds", "backgrounds/mate/nature", "Aqua Blinds Dune Garden LadyBird RainDrops "
     "Storm TwoWings Wood YellowFlower"),
    ("plasma-workspace-wallpapers", "wallpapers", "BytheWater ColdRipple ColorfulCups DarkestHour "
     "EveningGlow FallenLeaf Grey Kite OneStandsOut Path summer_1am"),
)  # fmt: skip


def unpacked(folder: Path) -> Path:
    """All packages' files below a folder."""
    for package, *_ in SOURCES:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, folder / "root"], check=True)
    return folder / "root/usr/share"


def found(root: Path, name: str) -> Path:
    """The file of a photograph: named after it, with its author; or the only one of its folder."""
    own = root / name / "contents/images/2560x1600.jpg"
    return own if own.exists() else next(root.glob(f"{name}*.jpg"))


def main() -> None:
    """Parse arguments, download, reduce, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megapixels", type=float, default=2.4)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        root = unpacked(Path(downloads))
        for _, folder, names in SOURCES:
            for name in names.split():
                with Image.open(found(root / folder, name)) as image:
                    picture = image.convert("RGB")
                width, height = picture.size
                factor = math.sqrt(arguments.megapixels * 1e6 / (width * height))
                if factor < 0.95:
                    size = round(width * factor), round(height * factor)
                    picture = picture.resize(size, Image.Resampling.LANCZOS)
                picture.save(arguments.folder / f"{name}.png")
                print(name, *picture.size, flush=True)


if __name__ == "__main__":
    main()
