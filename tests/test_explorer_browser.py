"""The explorer's page in headless Chromium, driven by Playwright: what it shows is what the codec
says.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browsers
import numpy as np
import numpy.typing as npt
import pytest
from conftest import NO_CHROMIUM, NO_PLAYWRIGHT
from explorer_pages import PHOTO, data_of, facts_of
from helpers import picture
from test_explorer_trace import cut

import pyjpegml
from pyjpegml import markers
from pyjpegml.coefficients import Geometry
from pyjpegml.explorer import page as explorer
from pyjpegml.explorer.trace import blocks
from pyjpegml.huffman import AC, STANDARD_TABLES
from pyjpegml.inspection import facts as inspection_facts
from pyjpegml.planes import component_planes

#: Opens a page file with options of the browser's context; complaints fail the test at its end.
Open = Callable[..., Any]

WIDE = {"width": 1200, "height": 850}
NARROW = {"width": 360, "height": 700}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    program = browsers.program()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    complaints: list[str] = []
    contexts = []

    def opened(path: Path, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: fetched(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        drawn(page)
        return page

    def fetched(url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            complaints.append(f"it fetched {url}")

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    """The page of a JPEG."""
    folder = tmp_path_factory.mktemp("inspected")

    def write(data: bytes) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.html"
        path.write_bytes(explorer.inspection(data, inspection_facts(data), "photo.jpg"))
        return path

    return write


def drawn(page: Any) -> None:
    """Wait until the canvas has its size, and what was to be drawn is drawn: two frames."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def ready(page: Any, act: Callable[[], object]) -> None:
    """Do something, and wait until the page shows what comes of it."""
    before = page.get_attribute("html", "data-ready")
    act()
    page.wait_for_selector(f'html[data-ready]:not([data-ready="{before}"])', state="attached")
    drawn(page)


def matrix(page: Any, name: str) -> npt.NDArray[np.float64]:
    cells = page.locator(f'table[aria-label="{name}"] td').all_inner_texts()
    return np.array([float(text.replace("−", "-")) for text in cells]).reshape(8, 8)


def chosen(page: Any) -> tuple[int, int]:
    """Row and column of the block that is shown."""
    return int(page.input_value("#row")), int(page.input_value("#column"))


def choose(page: Any, row: int, column: int) -> None:
    page.fill("#column", str(column))
    page.press("#column", "Enter")
    page.fill("#row", str(row))
    page.press("#row", "Enter")
    assert chosen(page) == (row, column)


def shown_file(page: Any, text: str) -> bytes:
    """The file that a page shows, found by its size."""
    size = int(re.sub("[^0-9]", "", page.inner_text("#rate-facts b")))
    [i] = [i for i, v in enumerate(facts_of(text)["variants"]) if v["bytes"] == size]
    return data_of(text, f"file-{i}")


def test_a_click_shows_the_block_as_the_codec_has_it(
    open_page: Open, walkthrough_page: Path
) -> None:
    page, text = open_page(walkthrough_page), walkthrough_page.read_text("utf-8")
    data = shown_file(page, text)
    box = page.locator("#canvas").bounding_box()
    scale = min(box["width"] / PHOTO.shape[1], box["height"] / PHOTO.shape[0])
    corner = [
        (box[s] - scale * n) / 2 for s, n in (("width", PHOTO.shape[1]), ("height", PHOTO.shape[0]))
    ]
    traced = {(b.component, b.row, b.column): b for b in blocks(data)}
    header = pyjpegml.read_header(data)
    factors = [(c.h, c.v) for c in header.components]
    geometry = Geometry(header.width, header.height, factors)
    planes = component_planes(PHOTO, geometry)
    for x, y in [(3, 2), (60, 45), (116, 83), (20, 77)]:
        place = {s: c + scale * (n + 0.5) for s, c, n in zip("xy", corner, (x, y), strict=True)}
        page.locator("#canvas").click(position=place)
        row, column = chosen(page)
        assert (row, column) == (y // 8, x // 8)
        block = traced[0, row, column]
        assert np.array_equal(matrix(page, "Quantized coefficients"), block.levels)
        samples = planes[0][8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert np.array_equal(matrix(page, "Samples of Y"), samples)
        table = header.qtables[header.components[0].table]
        assert np.array_equal(matrix(page, "Quantization steps"), table)
        assert np.array_equal(
            matrix(page, "Dequantized coefficients"), block.levels * table.astype(int)
        )
        rows = page.locator("tr[data-entry]")
        codes = [r.locator("code").all_inner_texts() for r in rows.all()]
        assert ["".join(found) for found in codes] == [c.code + c.raw for c in block.codes]
        places = [r.locator(".mono").inner_text().replace(",", "") for r in rows.all()]
        assert places == [f"{c.bit >> 3}.{c.bit & 7}" for c in block.codes]
        own = "".join(page.locator(".byte [data-owner]").all_inner_texts())
        assert own == block.bits == cut(data, block.codes[0].bit, len(block.bits))
        for byte in page.locator(".byte[data-offset]").all():
            offset = int(byte.get_attribute("data-offset"))
            assert byte.locator(".row").inner_text() == f"{data[offset]:08b}"


def test_chroma_is_what_the_encoder_made_of_it(open_page: Open, walkthrough_page: Path) -> None:
    page, text = open_page(walkthrough_page), walkthrough_page.read_text("utf-8")
    page.get_by_role("radio", name="quality").check(force=True)
    data = shown_file(page, text)
    geometry = Geometry(PHOTO.shape[1], PHOTO.shape[0], [(2, 2), (1, 1), (1, 1)])
    planes = component_planes(PHOTO, geometry)
    levels = pyjpegml.decode_coefficients(data).components
    for c, name in ((1, "Cb"), (2, "Cr")):
        page.get_by_role("radio", name=name).check(force=True)
        down, across = levels[c].shape[:2]
        for row, column in [(0, 0), (down - 1, across - 1), (2, 3)]:
            choose(page, row, column)
            samples = planes[c][8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert np.array_equal(matrix(page, f"Samples of {name}"), samples)
            assert np.array_equal(matrix(page, "Quantized coefficients"), levels[c][row, column])


def test_the_slider_shows_another_file(open_page: Open, walkthrough_page: Path) -> None:
    page, text = open_page(walkthrough_page), walkthrough_page.read_text("utf-8")
    slider = page.locator("#slider")
    seen = []
    for key in ("Home", "ArrowRight", "End"):
        ready(page, functools.partial(slider.press, key))
        data = shown_file(page, text)
        seen.append(len(data))
        row, column = chosen(page)
        levels = pyjpegml.decode_coefficients(data).components[0][row, column]
        assert np.array_equal(matrix(page, "Quantized coefficients"), levels)
    assert seen == sorted(set(seen))
    assert slider.get_attribute("aria-valuetext") == "MS-SSIM 0.995"


def test_every_view_shows_something_else(open_page: Open, walkthrough_page: Path) -> None:
    page = open_page(walkthrough_page)
    pictures = set()
    views = page.locator("#view option").evaluate_all("all => all.map(o => o.value)")
    assert views == ["picture", "original", "side", "difference", "bits", "losses"]
    for view in views:
        ready(page, functools.partial(page.select_option, "#view", view))
        pictures.add(page.locator("#canvas").screenshot())
        assert page.is_visible("#legend") == (view in ("bits", "losses"))
        assert page.is_visible("#against") == (view in ("side", "difference"))
    assert len(pictures) == len(views)


def test_a_file_is_compared_with_each_of_the_others(
    open_page: Open, walkthrough_page: Path
) -> None:
    """More of them than the page keeps decoded: none that is shown may be given up."""
    page = open_page(walkthrough_page)
    ready(page, functools.partial(page.select_option, "#view", "side"))
    others = page.locator("#against option").evaluate_all("all => all.map(o => o.value)")
    pictures = set()
    for other in others:
        ready(page, functools.partial(page.select_option, "#against", other))
        pictures.add(page.locator("#canvas").screenshot())
    assert len(pictures) == len(others)


def test_the_keyboard_alone_is_enough(open_page: Open, walkthrough_page: Path) -> None:
    page = open_page(walkthrough_page)
    page.focus("#canvas")
    row, column = chosen(page)
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    assert chosen(page) == (row + 2, max(column + 1 - 8, 0))
    assert f"Block {chosen(page)[1]}, {chosen(page)[0]} of Y" in page.inner_text("#place")
    drawn(page)
    before = page.locator("#canvas").screenshot()
    page.keyboard.press("+")
    page.keyboard.press("+")
    drawn(page)
    assert page.locator("#canvas").screenshot() != before
    page.focus("tr[data-entry='0']")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.dataset.entry") == "1"
    assert page.locator(".byte .lit").count() > 0
    page.focus("details summary >> nth=0")
    page.keyboard.press("Enter")
    page.locator("details[open] pre").first.wait_for()


@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})]
)
def test_it_is_accessible(
    open_page: Open, walkthrough_page: Path, scheme: str, rules: dict[str, list[str]]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NO_PLAYWRIGHT)
    page = open_page(walkthrough_page, color_scheme=scheme, bypass_csp=True)
    page.locator("details summary").nth(2).click()
    page.locator("details[open] pre").first.wait_for()
    violations = axe.Axe().run(page, options=rules).response["violations"]
    told = [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in violations]
    assert told == []


def test_narrow_screens_scroll_down_only(open_page: Open, walkthrough_page: Path) -> None:
    page = open_page(walkthrough_page, viewport=NARROW, has_touch=True, is_mobile=True)
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= NARROW["width"]
    box = page.locator("#canvas").bounding_box()
    page.touchscreen.tap(box["x"] + 5, box["y"] + 5)
    assert chosen(page) == (0, 0)
    for button in page.locator("button:visible").all():
        assert button.bounding_box()["height"] >= 32


def test_it_reads_well_in_print(open_page: Open, walkthrough_page: Path) -> None:
    page = open_page(walkthrough_page, viewport={"width": 700, "height": 1000})
    shape = page.evaluate("() => canvas.height / canvas.width")
    page.emulate_media(media="print")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 700
    box = page.locator("#canvas").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(shape, rel=0.01)  # not squeezed
    for control in ("#view", "#slider", "nav"):
        assert page.is_hidden(control)
    four = [card.bounding_box()["y"] for card in page.locator("#table-cards .step").all()]
    assert len(four) == 4
    assert len(set(four)) == 1  # side by side


def test_a_page_that_is_loaded_again_begins_anew(open_page: Open, walkthrough_page: Path) -> None:
    """Browsers would put controls back to where they were, and the page not know of it."""
    page = open_page(walkthrough_page)
    controls = page.locator("main select, main input[id]")
    assert controls.count() == 7
    assert {c.get_attribute("autocomplete") for c in controls.all()} == {"off"}


def every_block(page: Any) -> list[npt.NDArray[np.int16]]:
    """All coefficients that the page's decoder has read, natural order, by component."""
    found = page.evaluate(
        "() => state.jpeg.planes.map(p => [p.rows, p.stride, p.down, p.across, [...p.coefficients]])"
    )
    return [
        np.array(values, np.int16).reshape(rows, stride, 8, 8)[:down, :across]
        for rows, stride, down, across, values in found
    ]


def without_tables(data: bytes) -> bytes:
    """A file that leaves its Huffman tables to the standard, as frames of Motion JPEG do."""
    left = [(s.offset, s.end) for s in markers.segments(data) if s.name == "DHT"]
    ends = [0, *(end for _, end in left)]
    starts = [*(start for start, _ in left), len(data)]
    assert left
    return b"".join(data[end:start] for end, start in zip(ends, starts, strict=True))


GREY = picture("natural", (40, 33), seed=2)
NO_TABLES = without_tables(pyjpegml.encode(PHOTO, optimize=False))
INSPECTED = {
    "progressive": pyjpegml.encode(PHOTO, progressive=True),
    "progressive, searched": pyjpegml.encode(PHOTO, progressive="search", quality=93),
    "progressive, restart rows": pyjpegml.encode(PHOTO, progressive=True, restart_rows=1),
    "restart intervals": pyjpegml.encode(PHOTO, quality=95, restart_interval=3),
    "luma apart": pyjpegml.encode(np.tile(PHOTO, (2, 2, 1)), quality=95, optimize="scans"),
    "4:1:0": pyjpegml.encode(PHOTO, subsampling="4:1:0"),
    "grey": pyjpegml.encode(GREY, quality=99),
    "CMYK": pyjpegml.encode(picture("natural", (20, 30, 4)), color="CMYK"),
    "12 bits": pyjpegml.encode(PHOTO.astype(np.uint16) << 4, quality=90),
    "noise": pyjpegml.encode(picture("noise", (40, 40, 3)), quality=100),
    "no Huffman tables": NO_TABLES,
}


@pytest.mark.parametrize("name", INSPECTED)
def test_inspected_files_have_the_codecs_coefficients(
    open_page: Open, inspected: Callable[[bytes], Path], name: str
) -> None:
    data = INSPECTED[name]
    page = open_page(inspected(data))
    for got, wanted in zip(
        every_block(page), pyjpegml.decode_coefficients(data).components, strict=True
    ):
        assert np.array_equal(got, wanted)
    assert page.is_hidden("#rate")
    # each scan's bits, block after block and padding apart, are all of its coded data
    scans = page.evaluate(
        """() => state.jpeg.scans.map((scan) => [scan.coded.size, scan.problem,
            scan.parts.reduce((sum, part) => sum + part.ends.reduce((a, b) => a + b, 0)
                - part.starts.reduce((a, b) => a + b, 0), 0), scan.coded.intervalEnds.length])"""
    )
    assert len(scans) == len(pyjpegml.read_header(data).scans)
    for size, problem, bits, intervals in scans:
        assert problem is None
        assert 0 <= 8 * size - bits < 8 * intervals


def test_every_scan_of_a_progressive_file_is_traced(
    open_page: Open, inspected: Callable[[bytes], Path]
) -> None:
    """Read once more with a log, each block of each scan takes the bits that it took before."""
    page = open_page(inspected(INSPECTED["progressive, searched"]))
    wrong = page.evaluate(
        """() => { let wrong = 0; let traced = 0;
            for (const scan of state.jpeg.scans) for (const part of scan.parts) {
                for (let i = 0; i < part.starts.length; i++) {
                    if (part.ends[i] === part.starts[i]) continue;
                    const trace = scan.trace(state.jpeg.planes, part.component, i);
                    let at = part.starts[i];
                    for (const entry of trace.log) { wrong += entry.from !== at; at = entry.to; }
                    wrong += at !== part.ends[i]; traced++;
                } }
            return [wrong, traced > 100]; }"""
    )
    assert wrong == [0, True]
    scans = page.evaluate(
        """() => state.jpeg.scans.filter((scan) => scan.partOf(0)).map((scan) => {
            const index = state.row * state.jpeg.planes[0].stride + state.column;
            return scan.trace(state.jpeg.planes, 0, index).log.map((entry) => entry.from); })"""
    )
    assert len(scans) > 1
    for i, wanted in enumerate(scans):
        page.select_option("#scan", str(i))
        rows = page.locator("tr[data-entry]").all()
        assert [int(row.get_attribute("data-from")) for row in rows] == wanted


def test_what_cannot_be_shown_is_said(open_page: Open, inspected: Callable[[bytes], Path]) -> None:
    page = open_page(inspected(pyjpegml.encode(PHOTO, lossless=True)))
    assert "no blocks to show" in page.inner_text("#refusal")
    assert "decoded by pyjpegml" in page.inner_text("#problems")
    assert page.locator("details").count() > 4

    data = INSPECTED["4:1:0"]
    page = open_page(inspected(data[: len(data) * 2 // 3]))
    assert "end early" in page.inner_text("#problems")
    sos = next(s for s in page.locator("details").all() if "SOS" in s.inner_text())
    assert int(sos.get_attribute("data-offset")) == data.index(b"\xff\xda")


@pytest.mark.parametrize("odd", [True, False])
def test_of_a_file_that_the_browser_refuses_another_picture_is_shown(
    open_page: Open, inspected: Callable[[bytes], Path], odd: bool
) -> None:
    """If the page has one, which it does for files with something odd about them."""
    data = pyjpegml.encode(PHOTO)
    sos = data.index(b"\xff\xda")
    page = open_page(inspected(data[:sos] + b"\0\0" + data[sos:] if odd else data))
    before = page.locator("#canvas").screenshot()
    refuse = """() => { const open = createImageBitmap;
        createImageBitmap = (blob, options) => (blob.type === "image/jpeg" ? Promise.reject() : open(blob, options));
        layers.clear(); chooseVariant(state.variant); }"""
    assert "This browser" not in page.inner_text("#problems")
    ready(page, lambda: page.evaluate(refuse))
    page.get_by_text("This browser does not open the file.").wait_for()
    told = page.inner_text("#problems")
    assert ("decoded by pyjpegml" in told) == odd
    assert ("no picture of it" in told) == (not odd)
    assert page.evaluate("() => viewer.layers.left !== null") == odd
    assert (page.locator("#canvas").screenshot() == before) == odd  # pixels are Chromium's own


def test_the_standards_tables_are_shown_where_the_file_has_none(
    open_page: Open, inspected: Callable[[bytes], Path]
) -> None:
    page = open_page(inspected(NO_TABLES))
    assert "T.81 K.3" in page.inner_text("#problems")
    steps = page.locator(".step", has_text="Symbols and codes")
    assert "the standard's tables DC0 and AC0" in steps.first.inner_text()
    page.locator("#standard-tables summary").click()
    told = page.locator("#standard-tables pre").inner_text()
    for slot, table in STANDARD_TABLES.items():
        kind = "AC" if slot >= AC else "DC"
        [lines] = re.findall(rf"^{kind}{slot % AC}: .*\n((?:  .*\n?)+)", told, re.MULTILINE)
        wanted = [
            (
                f"{code:0{length}b}",
                f"{symbol >> 4}/{symbol & 15}" if slot >= AC else f"size {symbol}",
            )
            for code, length, symbol in zip(
                table.codes(), table.code_lengths(), table.symbols, strict=True
            )
        ]
        assert [tuple(line.split(maxsplit=1)) for line in lines.splitlines()] == wanted

    with_tables = open_page(inspected(pyjpegml.encode(PHOTO, optimize=False)))
    assert with_tables.is_hidden("#problems")
    assert with_tables.locator("#standard-tables").count() == 0


def test_the_anatomy_is_the_file(open_page: Open, inspected: Callable[[bytes], Path]) -> None:
    data = INSPECTED["progressive"]
    page = open_page(inspected(data))
    offsets = [int(d.get_attribute("data-offset")) for d in page.locator("details").all()]
    wanted = [s["offset"] for s in inspection_facts(data)["segments"]]
    assert sorted(set(wanted) - set(offsets)) == []
    assert offsets == sorted(offsets)
