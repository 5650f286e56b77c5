"""The explorer's page as a file: its data, what it may not do, and the commands that write it."""

from __future__ import annotations

import base64
import io
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from commands import Run
from explorer_pages import PHOTO, data_of, facts_of
from helpers import picture
from PIL import Image

import pyjpegml
from pyjpegml.console import ExitCode
from pyjpegml.explorer import page, pixels, similarity, variants
from pyjpegml.inspection import facts as inspection_facts
from pyjpegml.metrics import Reference

NAME = "</script><img src=x onerror=alert(1)>&.png"


@pytest.fixture(scope="module")
def walkthrough(walkthrough_page: Path) -> str:
    return walkthrough_page.read_text("utf-8")


class Elements(HTMLParser):
    """Tags of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# --- the page -------------------------------------------------------------------------------------


def test_it_holds_the_very_files_and_their_scores(walkthrough: str) -> None:
    facts = facts_of(walkthrough)
    wanted = [("quality", q) for q in variants.QUALITIES] + [
        ("target", t) for t in variants.TARGETS
    ]
    assert [(v["kind"], v["value"]) for v in facts["variants"]] == wanted
    reference = Reference(PHOTO)
    for i, variant in enumerate(facts["variants"]):
        data = data_of(walkthrough, f"file-{i}")
        assert len(data) == variant["bytes"]
        assert reference.score(pyjpegml.decode(data)) == pytest.approx(variant["msSsim"], abs=1e-12)
        assert pyjpegml.read_header(data).process == "baseline"
        if variant["kind"] == "quality":
            assert data == pyjpegml.encode(PHOTO, quality=variant["value"])
        else:
            assert variant["msSsim"] >= variant["value"]
        losses = zlib.decompress(data_of(walkthrough, f"losses-{i}"))
        assert len(losses) == -(-PHOTO.shape[0] // 8) * -(-PHOTO.shape[1] // 8)
    original = np.asarray(Image.open(io.BytesIO(data_of(walkthrough, "original"))))
    assert np.array_equal(original, PHOTO)


def test_it_compares_four_ways_to_make_tables(walkthrough: str) -> None:
    tables = facts_of(walkthrough)["tables"]
    assert [t["name"] for t in tables] == ["Annex K", "Best steps", "Learned", "Closed loop"]
    assert all(t["met"] and t["msSsim"] >= variants.COMPARED for t in tables)
    annex_k, loop = tables[0], tables[-1]
    assert loop["bytes"] < annex_k["bytes"]
    assert np.array(annex_k["qtables"]).shape == (3, 64)
    luma = np.array(annex_k["qtables"][0], np.uint16)
    assert pyjpegml.quantize.estimated_quality(luma)[1]


def test_it_fetches_nothing(walkthrough: str) -> None:
    elements = Elements(walkthrough).found
    assert "link" not in {tag for tag, _ in elements}
    for tag, attributes in elements:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith("#"), attributes
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|\bimport\(", walkthrough)
    policy = next(a["content"] for t, a in elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")


def test_names_are_text_and_never_markup() -> None:
    data = pyjpegml.encode(PHOTO)
    text = page.inspection(data, {"error": "<b>bad</b>"}, NAME).decode()
    assert facts_of(text)["name"] == NAME
    assert facts_of(text)["problem"] == "<b>bad</b>"
    assert "img" not in {tag for tag, _ in Elements(text).found}
    scripts = Path(page.__file__).parent / "page"
    for script in scripts.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write", script.read_text()
        )
    assert {script.name for script in scripts.glob("*.js")} == set(page.SCRIPTS)


def test_files_that_browsers_do_not_open_bring_their_picture() -> None:
    deep = picture("natural", (20, 30, 3)).astype(np.uint16) << 4
    for samples, data in {
        12: pyjpegml.encode(deep),
        8: pyjpegml.encode(PHOTO, lossless=True),
    }.items():
        text = page.inspection(data, {"error": None}, "x.jpg").decode()
        shown = np.asarray(Image.open(io.BytesIO(data_of(text, "decoded"))))
        assert np.array_equal(shown, pyjpegml.decode(data) >> (samples - 8))
        assert data_of(text, "file-0") == data
        assert facts_of(text)["opens"] is False


def test_files_that_only_some_browsers_open_bring_theirs_too() -> None:
    data = pyjpegml.encode(PHOTO)
    text = page.inspection(data, inspection_facts(data), "x.jpg").decode()
    assert 'id="decoded"' not in text
    assert facts_of(text)["opens"]
    sos = data.index(b"\xff\xda")
    for odd in (data[:sos] + b"\0\0" + data[sos:], data[: sos + len(data[sos:]) // 2]):
        text = page.inspection(odd, inspection_facts(odd), "x.jpg").decode()
        shown = np.asarray(Image.open(io.BytesIO(data_of(text, "decoded"))))
        assert np.array_equal(shown, pyjpegml.decode_partial(odd)[0])


# --- its parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (7, 5, 3), (33, 64, 3), (40, 3)])
def test_png_is_without_loss(shape: tuple[int, ...]) -> None:
    for kind in ("noise", "natural"):
        image = picture(kind, shape)
        opened = Image.open(io.BytesIO(pixels.png_bytes(image)))
        opened.load()
        assert np.array_equal(np.asarray(opened), image)


def test_of_a_large_original_a_part_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture("noise", (200, 300, 3))
    assert pixels.original_of(image, 10**6).width == 300
    monkeypatch.setattr(pixels, "SIDES", (160, 80, 40))
    part = pixels.original_of(image, 30_000)
    assert (part.left, part.top, part.width, part.height) == (96, 48, 80, 80)
    assert len(part.png) <= 30_000
    shown = np.asarray(Image.open(io.BytesIO(part.png)))
    assert np.array_equal(shown, image[48:128, 96:176])


def scored(values: npt.NDArray[np.float32]) -> float:
    return float(np.clip(1 - values.mean(dtype=np.float64), 0, 1))


@pytest.mark.parametrize("kind", ["natural", "noise", "gradient"])
def test_windows_lose_what_the_metric_says(kind: str) -> None:
    """Of pictures with one scale, whose score is the mean over windows to the power of 1.0001."""
    image = picture(kind, (20, 19), seed=4)
    other = pyjpegml.decode(pyjpegml.encode(image, quality=30))
    losses = similarity.window_losses(image, other, luminance=True)
    assert losses.shape == (10, 9)
    assert scored(losses) ** 1.0001 == pytest.approx(Reference(image).score(other), abs=1e-5)


def test_the_map_shows_where() -> None:
    image = picture("natural", (170, 200, 3), seed=5)
    assert not similarity.block_losses(image, image).any()
    other = image.copy()
    other[80:96, 120:136] = 128
    losses = similarity.block_losses(image, other)
    assert losses.shape == (22, 25)
    hurt = np.zeros(losses.shape, np.bool_)
    hurt[10:12, 15:17] = True
    assert losses[hurt].min() > losses[~hurt].max()  # neighbours share coarse scales
    assert losses[hurt].min() > 4 * np.median(losses)
    packed = variants.packed_losses(losses)
    assert np.allclose((packed / 255.0) ** 2, losses, atol=0.005)


@pytest.mark.parametrize("shape", [(3, 5), (12, 90, 3), (161, 163)])
def test_maps_of_all_sizes(shape: tuple[int, ...]) -> None:
    image = picture("natural", shape)
    other = pyjpegml.decode(pyjpegml.encode(image, quality=20))
    losses = similarity.block_losses(image, other)
    assert losses.shape == (-(-shape[0] // 8), -(-shape[1] // 8))
    assert 0 < losses.max() <= 1
    assert losses.min() >= 0


def test_the_largest_files_are_left_out() -> None:
    made = [
        variants.Variant("quality", size, bytes(size - 4), 0.9, bytes(4))
        for size in (10, 40, 20, 30)
    ]
    kept, left = variants.fitting(made, 60)
    assert [v.value for v in kept] == [10, 20, 30]
    assert [v.value for v in left] == [40]
    kept, left = variants.fitting(made, 59)  # maps count
    assert [v.value for v in kept] == [10, 20]
    kept, left = variants.fitting(made, 5)
    assert [v.value for v in kept] == [10]
    assert len(left) == 3


def test_a_page_has_the_bytes_that_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture("noise", (80, 96, 3))
    whole = page.walkthrough(image, "x.png")
    assert facts_of(whole.decode())["leftOut"] == []
    monkeypatch.setattr(page, "OWN_BYTES", 100_000)
    monkeypatch.setattr(page, "MOST_BYTES", len(whole) - 1000)
    small = page.walkthrough(image, "x.png")
    assert facts_of(small.decode())["leftOut"]
    assert len(small) <= page.MOST_BYTES


# --- the commands ---------------------------------------------------------------------------------


def test_walkthrough_turns_the_photograph_upright(run: Run, tmp_path: Path) -> None:
    image = picture("natural", (16, 24, 3))
    exif = Image.Exif()
    exif[0x112] = 6
    source, target = tmp_path / "in.png", tmp_path / "page.html"
    Image.fromarray(image).save(source, exif=exif)
    assert run("walkthrough", str(source), "-o", str(target)) == (ExitCode.DONE, "", "")
    text = target.read_text("utf-8")
    assert (facts_of(text)["width"], facts_of(text)["height"]) == (16, 24)
    shown = np.asarray(Image.open(io.BytesIO(data_of(text, "original"))))
    assert np.array_equal(shown, np.rot90(image, -1))
    assert facts_of(text)["name"] == "in.png"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.png", "page.html"]


def test_inspect_writes_a_page(run: Run, tmp_path: Path) -> None:
    data = pyjpegml.encode(PHOTO, progressive=True)
    source, target = tmp_path / "in.jpg", tmp_path / "page.html"
    source.write_bytes(data)
    assert run("inspect", "--html", str(target), str(source)) == (ExitCode.DONE, "", "")
    text = target.read_text("utf-8")
    assert data_of(text, "file-0") == data
    assert facts_of(text)["process"] == "progressive"

    source.write_bytes(data[: len(data) // 2])
    code, printed, complaint = run("inspect", "--html", str(target), str(source))
    assert (code, printed) == (ExitCode.BAD_JPEG, "")
    assert facts_of(target.read_text("utf-8"))["problem"] in complaint

    target.unlink()
    source.write_bytes(b"\xff\xd8nothing")
    code, _, complaint = run("inspect", "--html", str(target), str(source))
    assert code == ExitCode.BAD_JPEG
    assert "in.jpg" in complaint
    assert not target.exists()
    code, _, complaint = run("inspect", "--html", str(source), str(source))
    assert code == ExitCode.USAGE
    assert source.read_bytes() == b"\xff\xd8nothing"


def test_inks_are_refused(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    source.write_bytes(pyjpegml.encode(picture("natural", (16, 16, 4)), color="CMYK"))
    code, _, complaint = run("walkthrough", str(source), "-o", str(tmp_path / "page.html"))
    assert code == ExitCode.FILE_FAILED
    assert "CMYK" in complaint


def test_data_are_base64(walkthrough: str) -> None:
    found = re.findall(r'<script type="text/plain" id="([a-z0-9-]+)">([^<]*)</script>', walkthrough)
    assert len(found) == 1 + 2 * len(facts_of(walkthrough)["variants"])
    for _, text in found:
        assert base64.b64decode(text, validate=True)
