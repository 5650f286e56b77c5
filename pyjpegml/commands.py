"""The commands of ``pyjpegml``: each takes the parsed arguments and returns an exit code.

What can go wrong is raised, and becomes one line on standard error in :mod:`pyjpegml.cli`. The
library is imported inside the commands, so that ``--help`` needs neither NumPy nor Numba.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import files
from ._jit import cache_directories, cache_root, jit_disabled
from .console import CommandError, ExitCode, report, say, show
from .errors import JpegError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .assembly import Progressive
    from .pictures import Picture, Samples
    from .scripts import Scan

#: What the arguments of ``--scans`` mean to the library, besides sequential scans of their own.
SCANS: dict[str, bool | str] = {"progressive": True, "sequential": False, "search": "search"}
SEPARATE = "separate"


# --- compress, encode, decode --------------------------------------------------------------------


def _check_output(name: str, inputs: Sequence[str]) -> None:
    try:
        files.check_output(name, inputs)
    except ValueError as error:
        message = f"{files.shown_output(name)}: {error}"
        raise CommandError(ExitCode.USAGE, message) from error


@contextmanager
def _jpeg_errors_of(name: str) -> Iterator[None]:
    """Turn errors about JPEG data into those of a command, with the file's name."""
    try:
        yield
    except JpegError as error:
        message = f"{files.shown_input(name)}: {error}"
        raise CommandError(ExitCode.BAD_JPEG, message) from error


def _read_picture(
    name: str, arguments: argparse.Namespace, keep: bool = False
) -> tuple[Picture, bytes]:
    """The picture in a file of any format, with all of its metadata or not; the file's bytes."""
    data = files.read_bytes(name)
    with _jpeg_errors_of(name):
        shown = files.shown_input(name)
        return files.read_picture(shown, data, arguments.background, keep), data


def _read_input(arguments: argparse.Namespace) -> tuple[Picture, bytes]:
    """The picture that is to become a JPEG, and the file's bytes."""
    picture, data = _read_picture(arguments.input, arguments, arguments.metadata == "keep")
    _tell_lost(arguments.input, picture)
    return picture, data


def _tell_lost(name: str, picture: Picture) -> None:
    """Say what of a file is not carried over."""
    for lost in picture.lost:
        say(f"{files.shown_input(name)}: warning: not carried over: {lost}")


def _refuse_inks(name: str, picture: Picture, done: str) -> None:
    """Refuse CMYK where the score of other colours is asked for."""
    if picture.color == "CMYK":
        message = f"{files.shown_input(name)}: its colours are CMYK, which cannot be {done}"
        raise CommandError(ExitCode.FILE_FAILED, message)


def _size_facts(data: bytes, pixels: Samples) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    bits_per_pixel = 8 * len(data) / (width * height)
    return {"width": width, "height": height, "bytes": len(data), "bits_per_pixel": bits_per_pixel}


def run_compress(arguments: argparse.Namespace) -> ExitCode:
    """The smallest JPEG that meets an MS-SSIM; or one for each of several files."""
    from .batch.names import paired

    try:
        pairs = paired(arguments.input, arguments.output)
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    if len(pairs) == 1:
        return _compress(argparse.Namespace(**{**vars(arguments), **pairs[0]}))
    codes = [ExitCode.DONE]
    for pair in pairs:
        if not arguments.json:
            show(f"{pair['output']}:", sys.stdout)
        try:
            codes.append(_compress(argparse.Namespace(**{**vars(arguments), **pair})))
        except (CommandError, files.FileError) as error:
            say(str(error))
            codes.append(error.code if isinstance(error, CommandError) else ExitCode.FILE_FAILED)
    return max(codes)


def _compress(arguments: argparse.Namespace) -> ExitCode:
    """One file."""
    _check_output(arguments.output, [arguments.input])
    keep = arguments.metadata == "keep"
    if arguments.others == "keep" and not keep:
        message = "--others keep needs --metadata keep: the lists of other images are metadata"
        raise CommandError(ExitCode.USAGE, message)
    picture, given = _read_picture(arguments.input, arguments, keep)
    recompressed = files.is_jpeg(given) and picture.maximum == 255
    if not recompressed:
        _tell_lost(arguments.input, picture)
    pixels = picture.scaled()
    color = "CMYK" if picture.color == "CMYK" else None

    from .inspection import columns
    from .metadata import with_metadata
    from .rate import compress
    from .yardstick import annex_k_baseline

    try:
        result = compress(
            given if recompressed else pixels,
            color=None if recompressed else color,
            ms_ssim=arguments.ms_ssim,
            max_bytes=arguments.max_bytes,
            effort=arguments.effort,
            progressive=arguments.progressive,
            metadata=arguments.metadata if recompressed else picture.metadata,
            others=arguments.others if recompressed else None,
            threads=None,
        )
    except JpegError as error:
        message = f"{files.shown_input(arguments.input)}: {error}"
        raise CommandError(ExitCode.BAD_JPEG, message) from error
    except ValueError as error:  # no file has so few bytes
        message = f"{files.shown_input(arguments.input)}: {error}"
        raise CommandError(ExitCode.TARGET_NOT_MET, message) from error
    target = result.target
    for note in result.notes:
        say(f"{files.shown_input(arguments.input)}: {note}")
    if arguments.verbose:
        show(result.explain(), sys.stderr)
    files.write_bytes(arguments.output, result.data)
    facts = _size_facts(result.data, pixels) | {
        "ms_ssim": result.ms_ssim,
        "target": target,
        "met": result.met,
        "encodes": result.encodes,
        "subsampling": result.subsampling,
    }
    rows: list[tuple[str, object]] = [
        ("bytes", facts["bytes"]),
        ("bits per pixel", f"{facts['bits_per_pixel']:.4f}"),
        ("MS-SSIM", f"{result.ms_ssim:.6f} (target {target:g})"),
        ("encodes", result.encodes),
        ("subsampling", result.subsampling),
    ]
    if arguments.against_libjpeg:
        other = annex_k_baseline(pixels, min(target, result.ms_ssim), color=color)
        size = len(with_metadata(other.data, picture.metadata))
        saved = 100 * (1 - len(result.data) / size) if other.met else None
        facts["libjpeg"] = {
            "bytes": size,
            "ms_ssim": other.ms_ssim,
            "met": other.met,
            "saved_percent": saved,
        }
        rows.append(("libjpeg's tables", f"{size} bytes, MS-SSIM {other.ms_ssim:.6f}"))
        reason = "cannot be said: libjpeg's tables do not reach this score"
        rows.append(("saved", reason if saved is None else f"{saved:.1f} %"))
    report(arguments, facts, columns(rows))
    if result.met:
        return ExitCode.DONE
    say(
        f"{files.shown_output(arguments.output)}: the target {target:g} was not met; "
        f"the best file, at {result.ms_ssim:.6f}, was written"
    )
    return ExitCode.TARGET_NOT_MET


def run_encode(arguments: argparse.Namespace) -> ExitCode:
    """A JPEG of a given quality, or with given tables, or without any loss."""
    tables = arguments.qtables
    inputs = [arguments.input, tables, arguments.script]
    _check_output(arguments.output, [name for name in inputs if name is not None])
    picture, _ = _read_input(arguments)
    bits = arguments.precision or (picture.maximum.bit_length() if arguments.lossless else 8)
    pixels = picture.scaled(bits)

    from .encoder import encode
    from .metadata import with_metadata

    progressive, optimize = _scans(arguments)
    usual = {"grey": "grey", "RGB": "YCbCr", "CMYK": "CMYK"}
    stored = arguments.stored_as or usual[picture.color]
    try:
        data = encode(
            pixels,
            color=picture.color,
            stored_as=arguments.stored_as,
            quality=arguments.quality,
            qtables=None if tables is None else _read_qtables(tables, stored),
            subsampling=arguments.subsampling,
            precision=bits,
            lossless=arguments.lossless,
            predictor=arguments.predictor,
            point_transform=arguments.point_transform,
            progressive=progressive,
            optimize=optimize,
            restart_interval=arguments.restart_interval,
            restart_rows=arguments.restart_rows,
            threads=None,
        )
    except ValueError as error:  # options that do not go together, or with this picture
        message = f"{files.shown_input(arguments.input)}: {error}"
        raise CommandError(ExitCode.USAGE, message) from error
    data = with_metadata(data, picture.metadata)
    files.write_bytes(arguments.output, data)
    facts = _size_facts(data, pixels)
    text = f"{facts['bytes']} bytes, {facts['bits_per_pixel']:.4f} bits per pixel"
    report(arguments, facts, text)
    return ExitCode.DONE


def _scans(arguments: argparse.Namespace) -> tuple[Progressive, bool | str]:
    """What the library's arguments `progressive` and `optimize` are to be."""
    if arguments.script is not None:
        return _read_script(arguments.script), arguments.optimize
    if arguments.scans != SEPARATE:
        return SCANS.get(arguments.scans, False), arguments.optimize
    if not arguments.optimize:
        message = "--scans separate and --no-optimize exclude each other: tables are the image's"
        raise CommandError(ExitCode.USAGE, message)
    return False, "scans"


def _read_script(name: str) -> tuple[Scan, ...]:
    """Scans from a file."""
    from .scripts import parse_script

    data = files.read_bytes(name)
    try:
        return parse_script(data.decode("ascii"))
    except ValueError as error:
        message = f"{files.shown_input(name)}: this is no scan script: {error}"
        raise CommandError(ExitCode.USAGE, message) from error


def _read_qtables(name: str, stored: str) -> npt.NDArray[np.uint16]:
    """Quantization tables, (components, 8, 8), from a JPEG, a .npy or a JSON file.

    Parameters
    ----------
    name : str
    stored : str
        What the components are that they are for.
    """
    from io import BytesIO

    import numpy as np

    from .arguments import check_qtables
    from .header import read_header

    data = files.read_bytes(name)
    try:
        if files.is_jpeg(data):
            with _jpeg_errors_of(name):
                return np.stack(check_qtables(read_header(data), stored))
        if data.startswith(b"\x93NUMPY"):
            tables = np.load(BytesIO(data), allow_pickle=False)
        else:
            tables = np.array(json.loads(data))
        return np.stack(check_qtables(tables, stored))
    except (ValueError, TypeError) as error:
        message = f"{files.shown_input(name)}: these are no quantization tables: {error}"
        raise CommandError(ExitCode.USAGE, message) from error


def run_decode(arguments: argparse.Namespace) -> ExitCode:
    """A JPEG's pixels, in another format."""
    name = files.shown_output(arguments.output)
    _check_output(arguments.output, [arguments.input])
    suffix = f".{arguments.format}" if arguments.format else Path(arguments.output).suffix
    if not suffix:
        message = f"{name}: no extension says which format to write: pass --format png"
        raise CommandError(ExitCode.USAGE, message)
    if suffix.lower() in files.JPEG_SUFFIXES:
        raise CommandError(
            ExitCode.USAGE,
            f"{name}: decode writes pixels in other formats, such as .png; "
            "encode and compress write JPEGs",
        )
    data = files.read_bytes(arguments.input)
    shown = files.shown_input(arguments.input)
    with _jpeg_errors_of(arguments.input):
        picture = files.read_jpeg(shown, data)

    from .pictures import picture_bytes

    turned = picture.metadata.orientation
    if turned != 1 and not arguments.ignore_orientation:
        raise CommandError(
            ExitCode.FILE_FAILED,
            f"{shown}: its Exif orientation is {turned}, which is not carried over: the picture "
            "would lie turned. Turn its pixels first (pyjpegml transform), or pass "
            "--ignore-orientation to take them as they are stored",
        )
    if picture.metadata.icc is not None:
        say(f"{shown}: warning: its ICC profile is dropped; colours are taken for sRGB")
    samples = picture.scaled(8 if picture.maximum <= 255 else 16)
    files.write_bytes(arguments.output, picture_bytes(name, samples, suffix))
    return ExitCode.DONE


# --- recode, transform ----------------------------------------------------------------------------


def run_recode(arguments: argparse.Namespace) -> ExitCode:
    """A JPEG in fewer bytes, with the same coefficients."""
    from .rewriting import recode

    interval = arguments.restart_interval
    return _rewrite(
        arguments, recode, progressive=SCANS[arguments.scans],
        restart_interval="any" if interval is None else interval,
    )  # fmt: skip


def run_transform(arguments: argparse.Namespace) -> ExitCode:
    """A JPEG turned, cropped or made grey."""
    from .transforms import transform

    return _rewrite(
        arguments, transform, op=arguments.op, edges=arguments.edges, region=arguments.region,
        grey=arguments.grey, progressive=SCANS.get(arguments.scans),
        restart_interval=arguments.restart_interval or 0,
    )  # fmt: skip


def _rewrite(
    arguments: argparse.Namespace, function: Callable[..., bytes], **options: Any
) -> ExitCode:
    """Write what a function makes of a JPEG, and say what became of its size."""
    _check_output(arguments.output, [arguments.input])
    data = files.read_bytes(arguments.input)
    name = files.shown_input(arguments.input)
    try:
        with _jpeg_errors_of(arguments.input):
            made = function(data, metadata=arguments.metadata, others=arguments.others, **options)
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"{name}: {error}") from error
    files.write_bytes(arguments.output, made)
    percent = 100 * (len(made) / len(data) - 1)
    facts = {"bytes_before": len(data), "bytes": len(made)}
    report(arguments, facts, f"{len(data)} bytes became {len(made)}, {percent:+.1f} %")
    return ExitCode.DONE


# --- batch ---------------------------------------------------------------------------------------


def run_batch(arguments: argparse.Namespace) -> ExitCode:
    """All pictures of a tree, compressed into another one."""
    from .batch.command import run_batch as run

    return run(arguments)


# --- inspect -------------------------------------------------------------------------------------


def run_inspect(arguments: argparse.Namespace) -> ExitCode:
    """What a JPEG says about itself, and whether its data are sound."""
    from . import inspection

    if arguments.html is not None:
        _check_output(arguments.html, [arguments.input])
    name, data = files.shown_input(arguments.input), files.read_bytes(arguments.input)
    facts = inspection.facts(data)
    if arguments.html is None:
        report(arguments, facts, inspection.text(facts))
    else:
        from .explorer.page import inspection as inspection_page

        with _jpeg_errors_of(arguments.input):
            page = inspection_page(data, facts, Path(name).name)
        files.write_bytes(arguments.html, page)
    if facts["error"]:
        raise CommandError(ExitCode.BAD_JPEG, f"{name}: {facts['error']}")
    return ExitCode.DONE


def run_walkthrough(arguments: argparse.Namespace) -> ExitCode:
    """A page that shows how JPEGs are made of a photograph."""
    _check_output(arguments.output, [arguments.input])
    picture, _ = _read_picture(arguments.input, arguments, keep=True)
    _refuse_inks(arguments.input, picture, "shown step by step")

    from .explorer.page import walkthrough
    from .painting import oriented

    pixels = oriented(picture.scaled(), picture.metadata.orientation)
    page = walkthrough(pixels, Path(files.shown_input(arguments.input)).name)
    files.write_bytes(arguments.output, page)
    return ExitCode.DONE


# --- compare, warmup -----------------------------------------------------------------------------


def run_compare(arguments: argparse.Namespace) -> ExitCode:
    """MS-SSIM and PSNR of two images."""
    names = arguments.first, arguments.second
    if names == (files.DASH, files.DASH):
        raise CommandError(ExitCode.USAGE, "only one of the two images can be standard input")
    (first, a_data), (second, b_data) = (_read_picture(name, arguments) for name in names)
    for name, picture in zip(names, (first, second), strict=True):
        _refuse_inks(name, picture, "compared")
    a, b = first.scaled(), second.scaled()
    if a.shape != b.shape:
        sizes = " and ".join(_dimensions(pixels) for pixels in (a, b))
        message = (
            f"{files.shown_input(names[1])}: only images of the same kind can be compared: {sizes}"
        )
        raise CommandError(ExitCode.USAGE, message)

    from .inspection import columns
    from .metrics import ms_ssim, psnr

    decibels = psnr(a, b)
    facts = {
        "width": a.shape[1],
        "height": a.shape[0],
        "bytes": [len(a_data), len(b_data)],
        "ms_ssim": ms_ssim(a, b),
        "ms_ssim_luma": ms_ssim(a, b, luma_only=True),
        "psnr": decibels if math.isfinite(decibels) else None,
    }
    rows: list[tuple[str, object]] = [
        ("MS-SSIM", f"{facts['ms_ssim']:.6f}"),
        ("MS-SSIM of luma", f"{facts['ms_ssim_luma']:.6f}"),
        (
            "PSNR",
            f"{decibels:.3f} dB" if math.isfinite(decibels) else "infinite: the pixels are equal",
        ),
        ("bytes", f"{len(a_data)} and {len(b_data)}"),
    ]
    report(arguments, facts, columns(rows))
    return ExitCode.DONE


def _dimensions(pixels: Samples) -> str:
    height, width = pixels.shape[:2]
    return f"{width}x{height} {'grey' if pixels.ndim == 2 else 'RGB'}"


def run_warmup(arguments: argparse.Namespace) -> ExitCode:
    """Compile all kernels; or say where they are kept, or remove them."""
    if arguments.where or arguments.clean:
        sizes = []
        for directory in cache_directories():
            size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
            sizes.append(f"{size:10d} bytes  {directory}")
            if arguments.clean:
                shutil.rmtree(directory)
        said = "removed" if arguments.clean else "kept"
        show("\n".join([*sizes, f"{len(sizes)} directories {said} in {cache_root()}"]), sys.stdout)
        return ExitCode.DONE

    from .threads import useful_threads
    from .warmup import TASKS, warmup

    done: list[str] = []

    def progress(name: str) -> None:
        done.append(name)
        say(f"{len(done)} of {len(TASKS)} after {time.perf_counter() - began:.1f} s: {name}")

    began = time.perf_counter()
    warmup(useful_threads(arguments.processes, len(TASKS)), progress)
    seconds = time.perf_counter() - began
    kept = "NUMBA_DISABLE_JIT is set" if jit_disabled() else f"kept in {cache_root()}"
    report(arguments, {}, f"ready after {seconds:.1f} s ({kept})")
    return ExitCode.DONE


def run_train(arguments: argparse.Namespace) -> ExitCode:
    """A model of one's own photographs."""
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise CommandError(ExitCode.FILE_FAILED, f"{folder} is not a directory")
    _check_output(arguments.output, [])
    try:
        from .training import train_folder
    except ImportError as error:
        message = f"{error}; train needs what pip install 'pyjpegml[train]' brings"
        raise CommandError(ExitCode.FILE_FAILED, message) from error
    try:
        data = train_folder(
            folder, Path(arguments.records or f"{arguments.output}.jsonl"),
            processes=arguments.processes, seconds=60 * arguments.minutes,
        )  # fmt: skip
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"{folder}: {error}") from error
    files.write_bytes(arguments.output, data)
    report(arguments, {"bytes": len(data)}, f"{arguments.output}: {len(data)} bytes")
    return ExitCode.DONE
