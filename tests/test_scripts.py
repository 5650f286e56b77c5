"""Scan scripts: which are sound, and libjpeg's."""

from __future__ import annotations

import io

import numpy as np
import progressive_files
import pytest
from helpers import pillow_encode
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from progressive_scripts import sound_scripts

from pyjpegml.coefficients import Geometry
from pyjpegml.progression import Progression
from pyjpegml.scripts import Scan, check_script, interleaved, parse_script, usual_script

GREY, COLOR = [(1, 1)], [(2, 2), (1, 1), (1, 1)]


def scans_of(data: bytes) -> list[Scan]:
    stream = progressive_files.to_frame(data)
    assert stream.frame is not None
    geometry = Geometry(
        stream.frame.width, stream.frame.height, [(c.h, c.v) for c in stream.frame.components]
    )
    return [
        Scan(tuple(s.components), s.header.start, s.header.end, s.header.high, s.header.low)
        for s in progressive_files.scans(stream, geometry)
    ]


def test_usual_scripts_are_libjpegs() -> None:
    image = np.arange(20 * 30 * 4, dtype=np.uint8).reshape(20, 30, 4)
    cmyk = io.BytesIO()
    Image.fromarray(image, "CMYK").save(cmyk, "JPEG", progressive=True)
    assert scans_of(cmyk.getvalue()) == list(usual_script([(1, 1)] * 4))
    rgb = io.BytesIO()
    Image.fromarray(image[:, :, :3]).save(rgb, "JPEG", progressive=True, keep_rgb=True)
    assert scans_of(rgb.getvalue()) == list(usual_script([(1, 1)] * 3, chroma=False))
    for part, sampling in ((image[:, :, 0], GREY), (image[:, :, :3], COLOR)):
        data = pillow_encode(np.ascontiguousarray(part), progressive=True)
        assert scans_of(data) == list(usual_script(sampling))


@pytest.mark.parametrize(
    "sampling", [GREY, COLOR, [(1, 1)] * 2, [(4, 1)] * 4, [(4, 2), (2, 2), (1, 1)], [(1, 1)] * 6]
)
def test_usual_scripts_are_sound(sampling: list[tuple[int, int]]) -> None:
    """Also where an MCU of all components would have too many blocks, or there are too many."""
    for chroma in (False, True):
        script = usual_script(sampling, chroma)
        assert check_script(list(script), sampling) == script
    groups = interleaved(range(len(sampling)), sampling)
    assert [i for group in groups for i in group] == list(range(len(sampling)))
    assert (len(groups) == 1) == (len(sampling) < 5 and sum(h * v for h, v in sampling) <= 10)


@given(st.data())
def test_sound_scripts(data: st.DataObject) -> None:
    """They pass, and a decoder finds nothing wrong with their order, and nothing missing."""
    sampling = data.draw(st.sampled_from([GREY, COLOR, [(2, 1), (1, 2)], [(1, 1)] * 4]))
    script = data.draw(sound_scripts(sampling))
    assert check_script(script, sampling) == tuple(script)
    progression = Progression(len(sampling))
    for scan in script:
        assert not progression.begin(scan.components, scan.Ss, scan.Se, scan.Ah, scan.Al)
    assert not progression.coef_bits.any()


DC, AC = Scan((0,), 0, 0, 0, 0), Scan((0,), 1, 63, 0, 0)


@pytest.mark.parametrize(
    ("script", "sampling", "reason"),
    [
        ([Scan((), 0, 0, 0, 0)], GREY, "1 to 4 components, not 0"),
        ([Scan((0, 1, 2, 3, 4), 0, 0, 0, 0)], [(1, 1)] * 5, "1 to 4 components, not 5"),
        ([Scan((1,), 0, 0, 0, 0)], GREY, "components are numbers from 0 to 0"),
        ([Scan((-1,), 0, 0, 0, 0)], COLOR, "components are numbers from 0 to 2"),
        ([Scan((1, 0), 0, 0, 0, 0)], COLOR, "in the order of the frame"),
        ([Scan((1, 1), 0, 0, 0, 0)], COLOR, "come once"),
        ([DC, Scan((0,), 5, 4, 0, 0)], GREY, "a band goes upwards"),
        ([DC, Scan((0,), 1, 64, 0, 0)], GREY, "within 0 to 63"),
        ([Scan((0,), 0, 63, 0, 0)], GREY, "DC is a band of its own"),
        ([DC, Scan((0, 1), 1, 63, 0, 0)], COLOR, "a scan of AC has one component"),
        ([Scan((0, 1), 0, 0, 0, 0)], [(4, 2), (4, 1)], "would have 12 blocks, and may have 10"),
        ([Scan((0,), 0, 0, 0, 14)], GREY, "Al is 0 to 13"),
        ([Scan((0,), 0, 0, 0, -1)], GREY, "Al is 0 to 13"),
        ([Scan((0,), 0, 0, 2, 0)], GREY, "a refinement sends one bit, from 1"),
        ([AC], GREY, "AC of component 0 comes before its DC"),
        ([DC, DC], GREY, "coefficient 0 of component 0 has had its first scan"),
        ([DC, AC, Scan((0,), 63, 63, 0, 0)], GREY, "coefficient 63 of component 0 has had its"),
        ([DC, Scan((0,), 1, 63, 1, 0)], GREY, "coefficient 1 of component 0 has had no first"),
        ([Scan((0,), 0, 0, 0, 2), Scan((0,), 0, 0, 1, 0)], GREY, "the lowest 2 bits are missing"),
        ([DC], GREY, "nothing of coefficient 1 of component 0"),
        ([DC, Scan((0,), 1, 63, 0, 2)], GREY, "all but the lowest 2 bits of coefficient 1"),
        ([], GREY, "nothing of coefficient 0 of component 0"),
    ],
)
def test_unsound_scripts(script: list[Scan], sampling: list[tuple[int, int]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        check_script(script, sampling)
    if script and "sends" not in reason and not reason.startswith(("nothing", "all but")):
        assert f"scan {len(script) - 1} of the script" in str(caught.value)


# --- scripts in words


@given(st.data())
def test_words(data: st.DataObject) -> None:
    """As libjpeg's programs take them: any spaces and commas, remarks, a last semicolon or none."""
    script = data.draw(sound_scripts([(1, 1)] * 3))
    gap = st.sampled_from([", ", ",", " ", "\n\t", " , "])
    text = ";".join(
        data.draw(gap).join(map(str, scan.components))
        + data.draw(st.sampled_from([":", " : ", ": # 1;\n"]))
        + f"{scan.Ss}{data.draw(st.sampled_from(['-', ' ', ' - ']))}{scan.Se}"
        + "".join(data.draw(gap) + str(n) for n in (scan.Ah, scan.Al))
        for scan in script
    )
    assert parse_script(text + data.draw(st.sampled_from(["", ";", ";\n# the end"]))) == tuple(
        script
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2;", "scan 0 is '0,1,2'; expected are components and Ss-Se, Ah, Al"),
        ("0: 0-0, 0, 0; 0: 1-63, 0", "scan 1 is '0: 1-63, 0'; expected"),
        ("0: 0-0, 0, 0;; 0: 1-63, 0, 0;", "scan 1 is ''; expected"),
        ("Y: 0-0, 0, 0;", "scan 0 is 'Y: 0-0, 0, 0'; expected"),
        ("0: 0-0, 0, -1;", "expected"),
        ("\u0660: 0-0, 0, 0;", "expected"),
    ],
)
def test_words_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_script(text)


def test_a_script_holds_scans() -> None:
    with pytest.raises(TypeError, match=r"number 0 is \(0, 0\)"):
        check_script([(0, 0)], GREY)  # type: ignore[list-item]
