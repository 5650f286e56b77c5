"""What is installed along: packages, versions, licences; writes docs/dependencies.md.

    python bench/dependencies.py [--out FILE]

Of the package itself all that ``pip install pyjpegml`` brings, of each extra what it names; with
the versions of this environment, and the licences that the packages declare themselves.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

from report import table

ROOT = Path(__file__).resolve().parent.parent


def name_of(requirement: str) -> str:
    """``"numpy"`` of ``"numpy>=1.26"``."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def declared() -> dict[str, list[str]]:
    """Requirements in pyproject.toml: of the package (``""``), and of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def closure(requirements: list[str]) -> list[str]:
    """These, and what they require without any extra."""
    found = {name_of(requirement): requirement for requirement in requirements}
    waiting = list(found)
    while waiting:
        for requirement in requires(waiting.pop()) or []:
            name = name_of(requirement)
            if ";" not in requirement and name not in found:
                found[name] = requirement
                waiting.append(name)
    return list(found.values())


def facts(name: str) -> tuple[str, str]:
    """Version and licence of a package that is installed."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed", ""
    licence = said["License-Expression"] or "; ".join(
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier") or []
        if each.startswith("License :: ")
    )
    return said["Version"], licence or (said["License"] or "").split("\n")[0]


def rows() -> list[list[str]]:
    """A row for each package of each extra."""
    return [
        [extra or "always", requirement.replace(" ", ""), *facts(name_of(requirement))]
        for extra, listed in declared().items()
        for requirement in sorted(listed if extra else closure(listed))
        if not requirement.startswith("pyjpegml[")
    ]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "dependencies.md")
    arguments = parser.parse_args()
    lines = [
        "# Dependencies",
        "",
        "What `pip install pyjpegml` brings, and what each extra names; versions are those that "
        "were installed when `bench/dependencies.py` wrote this, licences what the packages "
        "declare.",
        "",
        *table(["extra", "package", "version", "licence"], rows()),
    ]
    arguments.out.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
