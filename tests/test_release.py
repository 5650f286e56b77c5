"""What goes with a release: the version is one, and what is to be deployed says what the command takes."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import REPOSITORY

import pyjpegml
from pyjpegml.cli import build_parser

DEPLOY = REPOSITORY / "docs" / "deploy"

if not DEPLOY.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)


def test_the_citation_has_this_version() -> None:
    citation: dict[str, Any] = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == pyjpegml.__version__
    assert citation["license"] == "BSD-3-Clause"


def test_the_table_of_dependencies_is_that_of_the_project() -> None:
    """bench/dependencies.py wrote it from the same file; always: and what Numba brings."""
    text = (REPOSITORY / "docs" / "dependencies.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[6:]]
    said: dict[str, set[str]] = {}
    for extra, requirement, _, _ in rows:
        said.setdefault(extra, set()).add(requirement)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {
        extra: {each for each in listed if not each.startswith("pyjpegml[")}
        for extra, listed in project["optional-dependencies"].items()
    }
    assert said.pop("always") >= set(project["dependencies"])
    assert said == wanted


def test_each_pod_does_its_part() -> None:
    job: dict[str, Any] = yaml.safe_load((DEPLOY / "job.yaml").read_text("utf-8"))
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    [container] = spec["template"]["spec"]["containers"]
    assert "command" not in container  # the image's entry point stays
    shards = set()
    for index in range(spec["completions"]):
        words = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["args"]]
        arguments = build_parser().parse_args(words)
        assert arguments.run.__name__ == "run_batch"
        shards.add(arguments.shard)
    assert shards == {(i, spec["completions"]) for i in range(spec["completions"])}


def test_the_image_runs_the_command() -> None:
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    words = dict(line.split(maxsplit=1) for line in lines if line[:1].isupper())
    assert yaml.safe_load(words["ENTRYPOINT"]) == ["pyjpegml"]
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(yaml.safe_load(words["CMD"]))
    assert stop.value.code == 0
    commands = [shlex.split(line) for line in lines if line.startswith("RUN pyjpegml")]
    assert [build_parser().parse_args(words[2:]).command for words in commands] == ["warmup"]


@pytest.mark.parametrize("name", ["SECURITY.md", "CITATION.cff"])
def test_what_goes_with_the_sources(name: str) -> None:
    assert f'"{name}"' in Path(REPOSITORY / "pyproject.toml").read_text("utf-8")
