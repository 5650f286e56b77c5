"""What outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml.batch.names import output_names, paired


@pytest.mark.parametrize(
    ("pictures", "outputs"),
    [
        (["a.png"], ["a.jpg"]),
        (["a.jpg", "b.JPEG"], ["a.jpg", "b.JPEG"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png.jpg"]),
        (["a.png", "a.tif"], ["a.png.jpg", "a.tif.jpg"]),
        (["A.JPG", "a.png"], ["A.JPG", "a.png.jpg"]),
        (["a.jpg", "a.png", "a.png.jpg"], ["a.jpg", "a.png.jpg.jpg", "a.png.jpg"]),
        (["cafe\u0301.png", "caf\u00e9.jpg"], ["cafe\u0301.png.jpg", "caf\u00e9.jpg"]),
        (["v1.2.png"], ["v1.2.jpg"]),
    ],
)
def test_names(pictures: list[str], outputs: list[str]) -> None:
    names = output_names(pictures)
    assert [names[picture] for picture in pictures] == outputs


def test_a_folder_has_its_name() -> None:
    assert output_names(["a.png"], ["a.jpg"]) == {"a.png": "a.png.jpg"}


@given(st.sets(st.from_regex(r"[ab]{1,2}(\.png|\.jpg|\.tif){1,3}", fullmatch=True)), st.randoms())
def test_no_two_files_have_one_name(pictures: set[str], random: object) -> None:
    names = output_names(pictures)
    assert names.keys() == pictures
    assert len(set(names.values())) == len(pictures)
    assert all(name.endswith(".jpg") for name in names.values())
    shuffled = list(pictures)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert output_names(shuffled) == names


def test_pairs(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "[c].png"):
        (tmp_path / name).touch()
    a, b, c = (str(tmp_path / name) for name in ("a.png", "b.png", "[c].png"))
    out, folder = str(tmp_path / "out.jpg"), tmp_path / "folder"
    folder.mkdir()
    assert paired([a], out) == [{"input": a, "output": out}]
    assert paired(["-"], "-") == [{"input": "-", "output": "-"}]
    assert paired([c], out) == [{"input": c, "output": out}]  # a name before it is a pattern
    assert paired([f"{tmp_path}/?.png"], str(folder)) == [
        {"input": a, "output": str(folder / "a.jpg")},
        {"input": b, "output": str(folder / "b.jpg")},
    ]
    with pytest.raises(ValueError, match="no file has such a name"):
        paired([f"{tmp_path}/*.tif"], str(folder))
    with pytest.raises(ValueError, match="need a folder"):
        paired([a, b], out)
    with pytest.raises(ValueError, match="the same name"):
        paired([a, a], str(folder))
