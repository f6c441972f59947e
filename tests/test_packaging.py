"""What is shipped, and what the documents promise about it."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import runner

ROOT = Path(__file__).parents[1]

DEMO_COMMAND = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/c1-runner run jobs/demo.yaml --sandbox"
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"

LOCK_FILES = ["docker/requirements.lock", "docker/build.lock"]


def read(path: str) -> str:
    """The text of one of the project's files."""
    return (ROOT / path).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """The wheel, built from this tree without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def metadata(wheel: ZipFile, name: str) -> str:
    """One file of the wheel's dist-info folder."""
    return wheel.read(f"c1_runner-{runner.__version__}.dist-info/{name}").decode()


def locked(path: str) -> dict[str, str]:
    """The version of each distribution in a lock file."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", read(path), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: ZipFile) -> None:
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "runner").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == source


def test_the_wheel_says_that_it_is_typed(wheel: ZipFile) -> None:
    assert "runner/py.typed" in wheel.namelist()


def test_the_wheel_carries_its_licence(wheel: ZipFile) -> None:
    assert metadata(wheel, "licenses/LICENSE") == read("LICENSE")
    assert "License-Expression: Apache-2.0" in metadata(wheel, "METADATA").splitlines()


def test_the_wheel_installs_the_command(wheel: ZipFile) -> None:
    assert "c1-runner = runner.cli:main" in metadata(wheel, "entry_points.txt").splitlines()


def test_the_version_stands_in_one_place(wheel: ZipFile) -> None:
    assert f"Version: {runner.__version__}" in metadata(wheel, "METADATA").splitlines()
    assert project()["project"]["dynamic"] == ["version"]
    assert read("runner/base/version.py").count(f'"{runner.__version__}"') == 1


@pytest.mark.parametrize("command", [DEMO_COMMAND, TEST_COMMAND])
@pytest.mark.parametrize("document", ["README.md", ".ci/run"])
def test_the_two_commands_stand_word_for_word(document: str, command: str) -> None:
    assert command in read(document)


def test_every_python_that_is_promised_goes_through_the_same_checks() -> None:
    check = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]["check"]
    prefix = "Programming Language :: Python :: 3."
    classifiers = project()["project"]["classifiers"]

    assert [f"{prefix[:-2]}{version}" for version in check["strategy"]["matrix"]["python"]] == [
        name for name in classifiers if name.startswith(prefix)
    ]
    assert {"run": "bash .ci/run"} in check["steps"]


def test_the_image_has_a_base_to_choose_and_one_command() -> None:
    lines = read("docker/Dockerfile").splitlines()

    assert "ARG BASE_IMAGE=python:3.13-slim-bookworm" in lines
    assert {line.split()[1] for line in lines if line.startswith("FROM ")} == {"${BASE_IMAGE}"}
    assert lines[-1] == 'ENTRYPOINT ["c1-runner"]'


def test_the_image_runs_as_an_unprivileged_user_known_by_number() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", read("docker/Dockerfile"), re.MULTILINE)

    assert user is not None
    assert "0" not in user.groups()


@pytest.mark.parametrize("path", LOCK_FILES)
def test_every_locked_distribution_has_hashes(path: str) -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", read(path), flags=re.MULTILINE)[1:]

    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", LOCK_FILES)
def test_a_lock_file_names_no_host(path: str) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", read(path))


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("docker/requirements.lock", project()["project"]["dependencies"]),
        ("docker/build.lock", project()["build-system"]["requires"]),
    ],
)
def test_a_lock_file_fits_what_the_project_asks_for(path: str, wanted: list[str]) -> None:
    versions = locked(path)

    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), str(requirement)


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    """What `.ci/run` installs with them shows whether they work."""
    printed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "lowest.py"], check=True, capture_output=True, encoding="utf-8"
    ).stdout.splitlines()
    extras = project()["project"]["optional-dependencies"]
    declared = [Requirement(text) for text in (*project()["project"]["dependencies"], *extras["dev"])]
    lowest = {
        requirement.name: specifier.version
        for requirement in declared
        for specifier in requirement.specifier
        if specifier.operator == ">="
    }

    assert printed == [f"{name}=={version}" for name, version in lowest.items()]
    assert lowest.keys() >= {Requirement(text).name for text in project()["project"]["dependencies"]}


def test_there_is_no_extra_without_code_behind_it() -> None:
    assert project()["project"]["optional-dependencies"].keys() == {"dev"}
