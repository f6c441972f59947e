"""Report files: named from templates, written whole or not at all."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import StorageError, UsageError
from runner.report import FORMATS, PLACEHOLDERS, check, expand, write
from runner.store import TargetRecord
from tests.unit.report.samples import HOSTILE, Sample, hostile


def breaking(sample: Sample) -> Iterator[TargetRecord]:
    yield next(sample.targets)
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_suffix_gives_a_file(mixed: Sample, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, mixed.run, mixed.targets)

    assert "con0" in path.read_text(encoding="utf-8")


def test_missing_directories_are_made(mixed: Sample, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "out.JSON"
    write(path, mixed.run, mixed.targets)

    assert len(json.loads(path.read_text())["results"]) == 6


def test_an_unknown_suffix_is_refused_with_the_list(mixed: Sample, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"out\.txt: .*\.json, \.ndjson, \.csv"):
        write(tmp_path / "out.txt", mixed.run, mixed.targets)


def test_a_failing_write_leaves_the_old_file_and_nothing_beside_it(mixed: Sample, tmp_path: Path) -> None:
    directory = tmp_path / "reports"
    directory.mkdir()
    path = directory / "out.json"
    path.write_text("old")

    with pytest.raises(StorageError, match=r"out\.json: .*No space left.*c1-runner report"):
        write(path, mixed.run, breaking(mixed))

    assert path.read_text() == "old"
    assert list(directory.iterdir()) == [path]


class Killed(BaseException):
    """The process is gone."""


STEPS = ("open", "fsync", "replace")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [OSError, Killed])
def test_at_whatever_step_it_fails_the_report_is_the_old_one_or_the_new_one_and_whole(
    mixed: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str, kind: type[BaseException]
) -> None:
    path = tmp_path / "reports" / "out.json"
    rows = list(mixed.targets)
    write(path, mixed.run, iter(rows))
    new, really = path.read_text(), getattr(os if step != "replace" else Path, step)
    path.write_text("old")

    def failing(*values: object) -> object:
        if when == "before":
            raise kind(5, "Input/output error")
        really(*values)
        raise kind(5, "Input/output error")

    monkeypatch.setattr(os if step != "replace" else Path, step, failing)
    with pytest.raises(StorageError if kind is OSError else Killed):
        write(path, mixed.run, iter(rows))
    monkeypatch.undo()

    assert path.read_text() == (new if (step, when) == ("replace", "after") else "old")
    assert [other for other in path.parent.iterdir() if other.suffix != ".tmp"] == [path]


def test_an_error_of_the_reader_leaves_nothing_behind(mixed: Sample, tmp_path: Path) -> None:
    def lost() -> Iterator[TargetRecord]:
        yield next(mixed.targets)
        raise StorageError("state.db: damaged")

    with pytest.raises(StorageError, match=r"^state\.db: damaged$"):
        write(tmp_path / "reports" / "out.csv", mixed.run, lost())

    assert list((tmp_path / "reports").iterdir()) == []


def test_a_directory_in_the_way_is_named(mixed: Sample, tmp_path: Path) -> None:
    (tmp_path / "out.json").mkdir()

    with pytest.raises(StorageError, match=r"out\.json: .*is a directory"):
        write(tmp_path / "out.json", mixed.run, mixed.targets)


def test_a_parent_that_is_a_file_is_named(mixed: Sample, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("")

    with pytest.raises(StorageError, match=r"could not be written"):
        write(tmp_path / "reports" / "out.json", mixed.run, mixed.targets)


def test_others_may_read_a_report_and_nobody_else_write_it(mixed: Sample, tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        write(tmp_path / "out.json", mixed.run, mixed.targets)
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o644


def test_a_template_names_the_run(mixed: Sample) -> None:
    path = expand("reports/{name}/{operation}-{started}-{run_id}.json", mixed.run)

    assert path == Path("reports/hr-freeze/pause-20261123T162611Z-20261123-162611-ab12cd.json")


def test_a_port_in_the_tenant_does_no_harm(mixed: Sample) -> None:
    assert expand("{tenant}.csv", mixed.run._replace(tenant="127.0.0.1:8080")) == Path("127.0.0.1-8080.csv")


@pytest.mark.parametrize("template", ["{nmae}.json", "{name}.{started}", "report", "{name}.yaml"])
def test_a_template_that_cannot_become_a_report_is_refused(template: str) -> None:
    with pytest.raises(UsageError):
        check(template)


def test_an_unknown_placeholder_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"\{nmae\}.*\{name\}, \{started\}"):
        check("{nmae}.json")


@given(name=st.one_of(st.sampled_from(("../../etc/passwd", "..", "", "-rf", "a/b\\c", *HOSTILE)), st.text()))
def test_no_name_leaves_the_directory_or_hides(name: str) -> None:
    run, _ = hostile(name)
    path = expand("reports/{name}.json", run)

    assert path.parent == Path("reports")
    assert path.name[0] not in ".-"
    assert path.suffix == ".json"
    assert len(os.fsencode(path.name)) <= 85


def test_every_placeholder_has_a_value(mixed: Sample) -> None:
    for name in PLACEHOLDERS:
        assert "{" not in str(expand(f"{{{name}}}.json", mixed.run))
