"""What outputs are called.

The structure of folders is kept. A JPEG keeps its name; ``a.png`` becomes ``a.jpg``. Where that
name is another's as well (``a.png`` beside ``a.jpg`` or ``a.tif``), the old extension stays:
``a.png.jpg``. Names are told apart as the pickiest file systems do it: whatever their case, and
composed or not (Unicode's NFC).
"""

from __future__ import annotations

import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable

from pyjpegml.files import JPEG_SUFFIXES


def output_names(pictures: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Names of outputs, by those of the pictures in one folder.

    Parameters
    ----------
    pictures : iterable of str
        Names of files.
    others : iterable of str
        Names that cannot be had: those of folders.

    Examples
    --------
    >>> output_names(["a.jpg", "a.png", "b.tif", "C.JPEG"])
    {'C.JPEG': 'C.JPEG', 'a.jpg': 'a.jpg', 'a.png': 'a.png.jpg', 'b.tif': 'b.jpg'}
    """
    pictures = sorted(pictures)
    names = {name: name for name in pictures if name.lower().endswith(JPEG_SUFFIXES)}
    rest = {name: f"{os.path.splitext(name)[0]}.jpg" for name in pictures if name not in names}
    wanted = Counter(_key(name) for name in (*names, *rest.values(), *others))
    taken = {_key(name) for name in (*names, *others)}
    for name, short in rest.items():
        output = short if wanted[_key(short)] == 1 else f"{name}.jpg"
        while _key(output) in taken:
            output += ".jpg"
        taken.add(_key(output))
        names[name] = output
    return names


def paired(inputs: Iterable[str], output: str) -> list[dict[str, str]]:
    """What each of several files becomes: ``{"input": ..., "output": ...}``.

    Parameters
    ----------
    inputs : iterable of str
        Files; or patterns, where there is no file of that name.
    output : str
        A file; or a folder, which may have several.

    Raises
    ------
    ValueError
        If a pattern fits nothing, or several files have one name.
    """
    found: list[str] = []
    for name in inputs:
        if not glob.has_magic(name) or os.path.lexists(name):
            found.append(name)
        elif matches := sorted(glob.glob(name, recursive=True)):
            found += matches
        else:
            raise ValueError(f"{name}: no file has such a name")
    if len(found) == 1 and not os.path.isdir(output):
        return [{"input": found[0], "output": output}]
    if not os.path.isdir(output):
        raise ValueError(f"{output}: several files need a folder that is there, and this is none")
    bases = [os.path.basename(name) for name in found]
    if len(set(bases)) < len(bases):
        raise ValueError(f"{output}: some of the files have the same name: use batch for trees")
    names = output_names(bases)
    return [
        {"input": name, "output": os.path.join(output, names[base])}
        for name, base in zip(found, bases, strict=True)
    ]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
