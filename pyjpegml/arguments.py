"""What may be given to an encoder, checked: each error says what would be accepted.

Nothing is ignored: options that mean nothing together are refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .header import SUBSAMPLINGS, Header
from .heads import CHROMA, MODELS
from .planes import BY_MATRIX, Image, dtype_of
from .quantize import standard_qtables
from .scripts import Scan

#: What the channels of an image may be, and as what a file may store them; the first unless told.
STORED_AS = {
    "grey": ("grey",),
    "RGB": ("YCbCr", "RGB", "grey"),
    "YCbCr": ("YCbCr",),
    "CMYK": ("CMYK", "YCCK"),
    "stored": tuple(MODELS),
}

#: What samples may be.
SAMPLES = {np.dtype(np.uint8), np.dtype(np.uint16)}


def check_image(image: npt.ArrayLike, color: str | None = None) -> npt.NDArray[np.uint8]:
    """The image as a C-contiguous (h, w), (h, w, 3) or (h, w, 4) uint8 array; copied only if it
    must be.

    It is a read-only view: kernels then need compiling for one kind of array only.

    Parameters
    ----------
    image : array_like
    color : str, optional
        ``"grey"``, ``"RGB"`` or ``"CMYK"``; by default one of the first two, by the shape.

    Raises
    ------
    TypeError
        If samples are not uint8.
    ValueError
        If the colour is none of these, or the shape is not an image's, or a side is not 1 to 65535.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise TypeError(
            f"samples must be uint8, not {array.dtype}; scale to 0..255, round, then "
            "astype(np.uint8)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if color not in (None, "grey", "RGB", "CMYK"):
        raise ValueError(f"color is grey, RGB or CMYK, or None; not {color!r}")
    channels = 1 if array.ndim == 2 else array.shape[2] if array.ndim == 3 else 0
    if channels == 4 and color is None:
        raise ValueError(
            'the image has 4 channels: if they are inks, pass color="CMYK"; an alpha channel JPEG '
            "cannot hold: flatten it onto a background, or drop it with image[:, :, :3]"
        )
    if channels not in (1, 3, 4):
        raise ValueError(
            "an image is (h, w), (h, w, 1), (h, w, 3), or (h, w, 4) of inks; this array is "
            f"{array.shape}"
        )
    if color is not None and channels != {"grey": 1, "RGB": 3, "CMYK": 4}[color]:
        raise ValueError(f"an image of {channels} channels is not {color}; it is {array.shape}")
    _check_sides(*array.shape[:2])
    return _read_only(array)


def _check_sides(height: int, width: int) -> None:
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise ValueError(f"sides are 1 to 65535 pixels; this image is {width}x{height}")


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A C-contiguous view that cannot be written to."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def check_picture(
    image: npt.ArrayLike | Sequence[npt.NDArray[Any]],
    color: str | None,
    stored_as: str | None,
    lossless: bool,
) -> tuple[Image, str, str]:
    """The image, what its channels are, and as what they are stored.

    Raises
    ------
    TypeError
        If samples are neither uint8 nor uint16.
    ValueError
        If the shape is not an image's, or does not fit the colours.
    """
    if color is not None and color not in STORED_AS:
        raise ValueError(f"color is one of {', '.join(STORED_AS)}, or None; not {color!r}")
    if stored_as is not None and stored_as not in MODELS:
        raise ValueError(f"stored_as is one of {', '.join(MODELS)}, or None; not {stored_as!r}")
    if single := given_planes(image):
        picture: Image = single
        count = len(picture)
        usual = {1: "grey", 3: "YCbCr"}.get(count)
    else:
        try:
            array = np.asarray(image)
        except ValueError:
            raise ValueError(
                "planes are a tuple of 1, 3 or 4 arrays of shape (h, w); these are "
                f"{', '.join(str(np.shape(part)) for part in cast(Sequence[Any], image))}"
            ) from None
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
            raise ValueError(
                "an image is (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), or a tuple of (h, w) "
                f"planes; this array is {array.shape}"
            )
        _check_sides(*array.shape[:2])
        picture = _read_only(array)
        count = 1 if array.ndim == 2 else array.shape[2]
        usual = {1: "grey", 3: "RGB"}.get(count)
    _check_samples(picture)
    if color is None and usual is None and single:
        raise ValueError(
            f"{count} planes are given; they are grey (1), YCbCr (3), or, if color says so, RGB "
            "(3) or CMYK (4)"
        )
    if color is None and usual is None:
        raise ValueError(
            f'the image has {count} channels: if they are inks, pass color="CMYK"; '
            "an alpha channel JPEG cannot hold: flatten it onto a background, or drop it with "
            "image[:, :, :3]"
        )
    channels = color or str(usual)
    planes = isinstance(picture, tuple)
    stored = stored_as or _usual_model(channels, count, lossless or planes)
    _check_models(channels, stored, count, lossless, planes)
    return picture, channels, stored


def _check_samples(image: Image) -> None:
    """Refuse samples that are neither all uint8 nor all uint16."""
    found = {plane.dtype for plane in image} if isinstance(image, tuple) else {image.dtype}
    if len(found) > 1 or not found <= SAMPLES:
        raise TypeError(
            f"samples must be uint8 or uint16, not {' and '.join(sorted(map(str, found)))}; "
            "scale to 0..255, round, then astype(np.uint8)"
        )


def given_planes(image: object) -> tuple[npt.NDArray[Any], ...]:
    """The planes, if an image is given as a tuple or list of them, one for each component."""
    if not isinstance(image, (tuple, list)) or not 1 <= len(image) <= 4:
        return ()
    if not all(isinstance(plane, np.ndarray) and plane.ndim == 2 for plane in image):
        return ()
    return tuple(_read_only(plane) for plane in image)


def _usual_model(channels: str, count: int, kept: bool) -> str:
    """As what channels are stored if nobody says; `kept` if they cannot be converted."""
    if channels != "stored":
        return channels if kept else STORED_AS[channels][0]
    if count != 1:
        raise ValueError(
            f'color="stored" does not say what the {count} components are: pass stored_as, one of '
            + ", ".join(name for name, model in MODELS.items() if len(model.groups) == count)
        )
    return "grey"


@functools.lru_cache(maxsize=128)
def _check_models(channels: str, stored: str, count: int, lossless: bool, planes: bool) -> None:
    """Refuse colours that do not fit each other, or the number of channels."""
    wanted = len(MODELS[stored if channels == "stored" else channels].groups)
    if count != wanted:
        name = f"components of {stored}" if channels == "stored" else f"channels of {channels}"
        raise ValueError(f"{name} are {wanted}; the image has {count}")
    accepted = STORED_AS[channels]
    if lossless or planes:
        accepted = tuple(name for name in accepted if (channels, name) not in BY_MATRIX)
    if stored not in accepted:
        why = " by a lossless file" if lossless else " from planes" if planes else ""
        raise ValueError(f"{channels} is stored as {' or '.join(accepted)}{why}, not as {stored}")


def check_precision(image: Image, precision: int | None, lossless: bool) -> int:
    """Bits of a sample."""
    if precision is None and dtype_of(image) == np.uint8:
        return 8
    deep = dtype_of(image) == np.uint16
    usual = 12 if deep else 8
    allowed = range(2, 17 if deep else 9) if lossless else range(usual, usual + 1)
    if precision is None:
        precision = allowed[-1]
    if isinstance(precision, bool) or not isinstance(precision, (int, np.integer)):
        raise TypeError(f"precision is a number of bits, not {precision!r}")
    if precision not in allowed:
        bits = f"{allowed[0]} to {allowed[-1]}" if lossless else f"{allowed[0]}"
        raise ValueError(
            f"{dtype_of(image)} samples have {bits} bits"
            + (" in a lossless file" if lossless else ", or others with lossless=True")
            + f", not {precision}"
        )
    if precision < 8 * dtype_of(image).itemsize:
        largest = max(int(a.max()) for a in (image if isinstance(image, tuple) else (image,)))
        if largest >> precision:
            raise ValueError(
                f"samples of {precision} bits are 0 to {(1 << precision) - 1}; "
                f"the largest is {largest}"
            )
    return int(precision)


def check_subsampling(
    subsampling: str | Sequence[tuple[int, int]] | None, stored: str = "YCbCr"
) -> tuple[tuple[int, int], ...]:
    """Sampling factors of each component.

    Parameters
    ----------
    subsampling : str, sequence of (H, V), or None
        A usual name, factors, factors as text (as in :class:`pyjpegml.Header`), or None for 4:2:0
        where there is chroma.
    stored : str
        What the components are.
    """
    if subsampling is None or isinstance(subsampling, str):
        return _named_factors(subsampling, stored)
    return _check_factors(subsampling, len(MODELS[stored].groups))


@functools.lru_cache(maxsize=128)
def _named_factors(subsampling: str | None, stored: str) -> tuple[tuple[int, int], ...]:
    """Sampling factors of a name, or of factors as text."""
    groups = MODELS[stored].groups
    chroma = CHROMA in groups
    if subsampling is None:
        subsampling = "4:2:0" if chroma else "4:4:4"
    if stored == "grey" and (subsampling == "grey" or subsampling in SUBSAMPLINGS):
        return ((1, 1),)  # there is no colour
    if subsampling in SUBSAMPLINGS:
        if not chroma and subsampling != "4:4:4":
            raise ValueError(
                f"subsampling of {stored} is 4:4:4, as none of its components is chroma, or "
                f"factors of each; not {subsampling}"
            )
        luma, chroma_factors, _ = SUBSAMPLINGS[subsampling]
        return tuple(chroma_factors if group == CHROMA else luma for group in groups)
    if re.fullmatch(r"\dx\d(,\dx\d)*", subsampling):
        pairs = [(int(pair[0]), int(pair[2])) for pair in subsampling.split(",")]
        return _check_factors(pairs, len(groups))
    return _check_factors(subsampling, len(groups))


def _check_factors(factors: object, count: int) -> tuple[tuple[int, int], ...]:
    """Sampling factors that were given one by one."""
    names = ", ".join(SUBSAMPLINGS)
    try:
        pairs = [(h, v) for h, v in factors]  # type: ignore[attr-defined]
        whole = all(isinstance(n, (int, np.integer)) and 1 <= n <= 4 for p in pairs for n in p)
    except (TypeError, ValueError):
        pairs, whole = [], False
    if isinstance(factors, str) or not whole or len(pairs) != count:
        raise ValueError(
            f"subsampling is one of {names}, or {count} pairs (H, V) of factors 1 to 4, one for "
            f"each component; not {factors!r}"
        )
    if count == 1 and pairs != [(1, 1)]:
        raise ValueError(
            f"factors of a single component mean nothing (T.81 A.2.2): (1, 1), not {pairs[0]}"
        )
    h_max, v_max = (max(pair[k] for pair in pairs) for k in (0, 1))
    for h, v in pairs:
        if h_max % h or v_max % v:
            raise ValueError(
                f"a component of factors {h}x{v} beside {h_max}x{v_max} would have "
                f"{h}/{h_max} of the columns and {v}/{v_max} of the rows: sizes are 1, 1/2, 1/3 or "
                "1/4 of the largest, for samples are merged whole"
            )
    return tuple((int(h), int(v)) for h, v in pairs)


def check_sizes(image: Image, factors: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Height and width of the picture; its planes, if it has such, are to fit the factors."""
    if not isinstance(image, tuple):
        return image.shape[0], image.shape[1]
    height, width = (max(plane.shape[k] for plane in image) for k in (0, 1))
    _check_sides(height, width)
    h_max, v_max = (max(pair[k] for pair in factors) for k in (0, 1))
    for i, (plane, (h, v)) in enumerate(zip(image, factors, strict=True)):
        small = -(-height * v // v_max), -(-width * h // h_max)
        if plane.shape not in (small, (height, width)):
            raise ValueError(
                f"plane {i} of a picture of {width}x{height} is {small[1]}x{small[0]} with "
                f"factors {h}x{v} of {h_max}x{v_max}, or {width}x{height} to be merged; "
                f"not {plane.shape[1]}x{plane.shape[0]}"
            )
    return height, width


def check_qtables(
    qtables: npt.ArrayLike | Header, stored: str = "YCbCr"
) -> list[npt.NDArray[np.uint16]]:
    """One (8, 8) uint16 table a component, of one for all, luma's and chroma's, or all of them."""
    groups = MODELS[stored].groups
    if isinstance(qtables, Header):
        return _tables_of(qtables, stored)
    tables = np.asarray(qtables)
    if tables.shape in ((8, 8), (64,)):
        tables = tables[None]
    counts = _counts(stored)
    if tables.ndim < 2 or tables.shape[1:] not in ((8, 8), (64,)) or len(tables) not in counts:
        raise ValueError(
            f"qtables is (8, 8), or {' or '.join(map(str, counts))} such tables for {stored}, or a "
            f"file's header (read_header); this one is {tables.shape}"
        )
    if not np.issubdtype(tables.dtype, np.integer):
        raise TypeError(f"steps of a quantization table are integers, not {tables.dtype}")
    if tables.min() < 1 or tables.max() > 65535:
        raise ValueError(
            f"steps of a quantization table are 1 to 65535; these are {tables.min()} to "
            f"{tables.max()}"
        )
    steps = list(tables.reshape(-1, 8, 8).astype(np.uint16))
    return _spread(steps, groups)


def _counts(stored: str) -> list[int]:
    """How many tables or qualities may be given."""
    groups = MODELS[stored].groups
    return sorted({1, max(groups) + 1, len(groups)})


def _spread(values: list[Any], groups: Sequence[int]) -> list[Any]:
    """A value for each component: its own, that of luma or chroma, or the only one."""
    if len(values) == len(groups):
        return values
    return [values[min(group, len(values) - 1)] for group in groups]


def _tables_of(header: Header, stored: str) -> list[npt.NDArray[np.uint16]]:
    """The tables of each component of a file."""
    if header.color != stored:
        raise ValueError(
            f"the tables are those of {header.color} components, and these are {stored}: "
            f'with stored_as="{header.color}" they can be kept'
        )
    try:
        return [header.qtables[component.table] for component in header.components]
    except KeyError as error:
        raise ValueError(
            f"quantization table {error} is not defined before the first scan of that file"
        ) from None


def check_tables(
    quality: int | tuple[int, ...] | list[int] | None,
    qtables: npt.ArrayLike | Header | None,
    stored: str,
    precision: int,
) -> list[npt.NDArray[np.uint16]]:
    """The quantization table of each component, by quality or as given."""
    if qtables is not None:
        if quality is not None:
            raise ValueError("quality and qtables exclude each other: give one of them")
        return check_qtables(qtables, stored)
    groups = MODELS[stored].groups
    if quality is None:
        quality = 75
    some: object = quality
    if isinstance(some, np.ndarray):
        raise TypeError(f"several qualities are a tuple or a list, not an array: {some!r}")
    if not isinstance(quality, (tuple, list)):
        return _quality_tables(quality, groups, precision == 8)
    counts = _counts(stored)
    if len(quality) not in counts:
        raise ValueError(
            f"quality is a number, or {' or '.join(map(str, counts))} of them for {stored}, "
            f"not {quality!r}"
        )
    each = _spread(list(quality), groups)
    return [_quality_tables(each[i], groups, precision == 8)[i] for i in range(len(groups))]


@functools.lru_cache(maxsize=128, typed=True)
def _quality_tables(
    quality: int, groups: tuple[int, ...], baseline: bool
) -> list[npt.NDArray[np.uint16]]:
    """Annex K's tables at a quality, for each component."""
    tables = standard_qtables(quality, baseline=baseline)
    return [tables[group] for group in groups]


def check_restarts(restart_interval: int, restart_rows: int) -> tuple[int, int]:
    """MCUs, and rows of MCUs, between restart markers: one of them at most is not 0."""
    for name, value, unit in (
        ("restart_interval", restart_interval, "MCUs"),
        ("restart_rows", restart_rows, "rows of MCUs"),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not 0 <= value <= 65535:
            raise ValueError(f"{name} is 0 to 65535 {unit}, not {value!r}")
    if restart_interval and restart_rows:
        raise ValueError("restart_interval and restart_rows exclude each other: give one of them")
    return int(restart_interval), int(restart_rows)


def check_flag(name: str, value: object) -> bool:
    """An option that is on or off."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return bool(value)


def check_progressive(progressive: object) -> bool | str | tuple[Scan, ...]:
    """In which scans a file is sent; whether a script is sound is seen with the picture."""
    if isinstance(progressive, (bool, np.bool_)):
        return bool(progressive)
    if isinstance(progressive, (list, tuple)):
        return tuple(progressive)
    if isinstance(progressive, str) and progressive == "search":
        return progressive
    raise ValueError(
        f"progressive is False, True, 'search' or a list or tuple of Scan, not {progressive!r}"
    )


def check_lossless(
    lossless: bool,
    predictor: int | None,
    point_transform: int,
    quality: object,
    qtables: object,
) -> None:
    """Refuse options of lossless files elsewhere, and those of all others there."""
    if not lossless:
        if predictor is not None or point_transform:
            raise ValueError("predictor and point_transform belong to lossless=True")
        return
    if quality is not None or qtables is not None:
        raise ValueError("a lossless file has no quality and no qtables: nothing is quantized")
    whole = isinstance(predictor, (int, np.integer)) and not isinstance(predictor, bool)
    if predictor is not None and not (whole and 1 <= predictor <= 7):
        raise ValueError(f"predictor is 1 to 7 (T.81 Table H.1), or None; not {predictor!r}")


def check_optimize(optimize: object, sequential: bool, precision: int) -> bool | str:
    """Which Huffman tables there are to be; refuses those that there are not for such files."""
    if isinstance(optimize, str) and optimize == "scans" and sequential:
        return optimize
    if not isinstance(optimize, (bool, np.bool_)):
        raise ValueError(
            f"optimize is a bool, or of sequential files 'scans', not {optimize!r} for this one"
        )
    if not optimize and (precision != 8 or not sequential):
        raise ValueError(
            "Annex K's Huffman tables are for sequential files of 8 bits: optimize is to be True"
        )
    return bool(optimize)


def check_point_transform(point_transform: int, precision: int) -> int:
    """Bits that a lossless file drops."""
    whole = isinstance(point_transform, (int, np.integer)) and not isinstance(point_transform, bool)
    if not whole or not 0 <= point_transform < precision:
        raise ValueError(
            f"point_transform is 0 to {precision - 1} of {precision} bits, not {point_transform!r}"
        )
    return int(point_transform)


def check_lossless_mcus(
    factors: Sequence[tuple[int, int]], interval: int, rows: int, width: int
) -> int:
    """Lines between restart markers of a lossless file, whose components are all of one size."""
    if any(pair != (1, 1) for pair in factors):
        raise ValueError("lossless files are written without subsampling: 4:4:4, or None")
    mcus = restart_mcus(interval, rows, width)
    if mcus % width:
        raise ValueError(
            f"the restart interval of a lossless file is a multiple of its {width} MCUs in a row "
            f"(T.81 Table B.7), not {interval}: pass restart_rows"
        )
    return mcus // width


def restart_mcus(restart_interval: int, restart_rows: int, mcus_across: int) -> int:
    """The restart interval of a scan in MCUs, of which so many are in a row.

    Raises
    ------
    ValueError
        If that many rows have more MCUs than a restart interval can.
    """
    interval = restart_interval or restart_rows * mcus_across
    if interval > 65535:
        raise ValueError(
            f"a restart interval is at most 65535 MCUs; {restart_rows} rows of {mcus_across} are "
            f"more, {65535 // mcus_across} rows would not be"
        )
    return interval
