"""Pictures of any size from one photograph, by mirrored tiles: real content, no seams."""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt

PHOTO = Path(__file__).resolve().parent.parent / "examples/data/coffee.png"

Picture = npt.NDArray[np.uint8]


def add_photos(parser: argparse.ArgumentParser) -> None:
    """The option ``--photos DIR``, for :func:`photos_of`."""
    parser.add_argument(
        "--photos", type=Path, help="a folder; the one photograph of this repository"
    )


def photos_of(arguments: argparse.Namespace) -> list[Path]:
    """The photographs that were asked for."""
    return sorted(arguments.photos.iterdir()) if arguments.photos else [PHOTO]


def photograph(path: Path = PHOTO) -> Picture:
    """An RGB photograph, (h, w, 3)."""
    picture = np.asarray(iio.imread(path))
    if picture.ndim != 3 or picture.dtype != np.uint8 or picture.shape[2] < 3:
        raise SystemExit(f"{path} is no RGB picture of 8 bits: {picture.shape} {picture.dtype}")
    return np.ascontiguousarray(picture[:, :, :3])


def square(photo: Picture, side: int) -> Picture:
    """The upper left `side` x `side` pixels of a plane that is tiled with a photograph.

    Neighbouring tiles are mirror images. No other memory of this size is used on the way.
    """
    height, width = photo.shape[:2]
    picture = np.empty((side, side, *photo.shape[2:]), np.uint8)
    for j, top in enumerate(range(0, side, height)):
        for i, left in enumerate(range(0, side, width)):
            place = picture[top : top + height, left : left + width]
            tile = photo[:: 1 - 2 * (j % 2), :: 1 - 2 * (i % 2)]
            place[:] = tile[: place.shape[0], : place.shape[1]]
    return picture


def grey(picture: Picture) -> Picture:
    """A grey picture of the same size: the green channel."""
    return np.ascontiguousarray(picture[:, :, 1])
