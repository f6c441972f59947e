"""A run's JSON report as its receipts: what is taken in, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner import report
from runner.base.errors import UsageError
from runner.base.model import Look, Mark, Outcome
from runner.store import Store
from runner.windows import receipts

TENANT = "acme.conductor.one"
STATE: dict[str, Any] = {
    "state": "active",
    "paused_at": None,
    "sync_status": "SYNC_STATUS_DONE",
    "category": None,
    "reason": None,
    "sync_started_at": None,
    "sync_completed_at": None,
    "last_error": None,
}


def result(connector_id: str, **fields: Any) -> dict[str, Any]:
    """One result of a report."""
    return {
        "app_id": "app1",
        "connector_id": connector_id,
        "app_name": "App",
        "connector_name": connector_id,
        "outcome": "changed",
        "detail": None,
        "http_status": 200,
        "error": None,
        "request_id": None,
        "attempts": 1,
        "throttled": 0,
        "started_at": "2026-11-25T10:00:00.000Z",
        "finished_at": "2026-11-25T10:00:01.000Z",
        "duration_s": 1.0,
        "before": STATE,
        "after": STATE | {"state": "paused", "paused_at": "2026-11-25T10:00:00.500Z"},
        **fields,
    }


def document(**fields: Any) -> dict[str, Any]:
    """A report of three targets: one that was paused, one that was so already, one that nobody knows of."""
    paused = STATE | {"state": "paused", "paused_at": "2026-11-01T00:00:00Z"}
    return {
        "schema": "c1-runner/report/1",
        "run_id": "20261125-100000-abcdef",
        "job": {"name": "freeze", "path": "freeze.yaml", "sha256": "0" * 64},
        "operation": "pause",
        "tenant": "acme.conductor.one",
        "reason": "CHG-1",
        "started_at": "2026-11-25T10:00:00.000Z",
        "finished_at": "2026-11-25T10:00:02.000Z",
        "duration_s": 2.0,
        "exit_code": 4,
        "stopped": None,
        "counts": {},
        "requests": {"total": 3, "retries": 0, "throttled": 0},
        "results": [
            result("con1"),
            result("con2", outcome="unchanged", before=paused, after=None, started_at=None, finished_at=None),
            result("con3", outcome="unknown", after=None),
        ],
        **fields,
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a report."""

    def written(content: Any) -> Path:
        path = tmp_path / "report.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return written


def test_a_report_brings_what_its_run_keeps_paused(write: Callable[[Any], Path], tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        record = receipts.adopt(write(document()), store, TENANT)

        assert (record.run_id, record.tenant, record.reason) == (
            "20261125-100000-abcdef",
            "acme.conductor.one",
            "CHG-1",
        )
        assert record.counts[Outcome.CHANGED] == record.counts[Outcome.UNCHANGED] == record.counts[Outcome.UNKNOWN] == 1
        assert [(planned.target.connector_id, unclear is None) for planned, unclear in store.held(record)] == [
            ("con1", True),
            ("con3", False),
        ]
        holds = store.holds("acme.conductor.one")
        assert holds["app1", "con1"].marks.known == (Mark("2026-11-25T10:00:00.500Z", Look(None, None)),)
        assert holds["app1", "con2"].marks.known == ()
        assert len(holds["app1", "con3"].marks.spans) == 1


def test_a_run_that_is_known_is_not_taken_in_again(write: Callable[[Any], Path], tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        first = receipts.adopt(write(document()), store, TENANT)
        again = receipts.adopt(write(document(results=[])), store, TENANT)

        assert (again.run, again.planned) == (first.run, 3)
        assert len(store.runs()) == 1


def test_the_report_of_a_store_is_its_receipt(write: Callable[[Any], Path], tmp_path: Path) -> None:
    with Store(tmp_path / "here") as here, Store(tmp_path / "there") as there:
        record = receipts.adopt(write(document()), here, TENANT)
        path = tmp_path / "again.json"
        report.write(path, record, here.targets(record))
        receipts.adopt(path, there, TENANT)

        marks = [{pair: hold.marks for pair, hold in store.holds(record.tenant).items()} for store in (here, there)]
        assert marks[0] == marks[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not JSON", "no JSON report"),
        ("[]", "no JSON report"),
        ("{}", "no JSON report"),
        (document(schema="c1-runner/plan/1"), "c1-runner/plan/1"),
        (document(operation="resume"), "only a pause can be undone"),
        (document(run_id="plan"), "'plan' is no run id"),
        (document(run_id="../x"), "no run id"),
        (document(started_at="yesterday"), "'yesterday' is no time"),
        (document(results=[result("../con1")]), "no pair of ids"),
        (document(results=[result("con1"), result("con1")]), "names a connector twice"),
        (document(results=[result("con1", outcome="fine")]), "fine"),
        (document(results=[result("con1", after={"state": "paused"})]), "paused_at is missing"),
        (document(results=[result("con1", before=STATE | {"paused_at": 5})]), "not made of texts"),
        (document(results="none"), "no JSON report"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_report_of_a_pause_is_refused_whole(
    write: Callable[[Any], Path], tmp_path: Path, content: Any, words: str
) -> None:
    with Store(tmp_path / "state") as store:
        with pytest.raises(UsageError, match=r"report\.json: no JSON report of a pause") as refused:
            receipts.adopt(write(content), store, TENANT)

        assert words in str(refused.value)
        assert store.runs() == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store, pytest.raises(UsageError, match=r"gone\.json: cannot be read"):
        receipts.adopt(tmp_path / "gone.json", store, TENANT)


def test_the_report_of_another_tenant_is_refused_and_not_kept(write: Callable[[Any], Path], tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        with pytest.raises(UsageError, match=r"of a run on acme\.conductor\.one, but the credentials lead to other"):
            receipts.adopt(write(document()), store, "other.conductor.one")

        assert store.runs() == []


def test_a_report_with_half_a_character_is_refused_before_anything_of_it_is_taken_in(
    write: Callable[[Any], Path], tmp_path: Path
) -> None:
    path = write(document(reason="a\ud800"))

    with Store(tmp_path / "state") as store:
        with pytest.raises(UsageError, match=r"no JSON report of a pause that c1-runner has written .*surrogates"):
            receipts.adopt(path, store, TENANT)
        assert store.runs() == []


@pytest.mark.parametrize("number", ["1e999", "9999999999999999999999999999999", "-1"])
def test_a_number_that_is_no_count_is_refused(write: Callable[[Any], Path], tmp_path: Path, number: str) -> None:
    text = json.dumps(document()).replace('"attempts": 1', f'"attempts": {number}')
    with Store(tmp_path / "state") as store, pytest.raises(UsageError, match="no JSON report"):
        receipts.adopt(write(text), store, TENANT)
