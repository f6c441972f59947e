"""A saved plan says all of the job and of the states, and a damaged one is refused in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.base.errors import StorageError, UsageError
from runner.base.model import ConnectorState, Exclusion, Job, OperationName, Outcome, Selection, Target
from runner.base.policy import LimitPolicy, RetryPolicy, Share, Timeouts
from runner.planning import saved as planfile
from runner.planning.preview import Preview
from runner.store import RunRecord, TargetRecord
from tests.unit.store_support import ACTIVE, PAUSED, start

JOB = Job(
    OperationName.PAUSE,
    "freeze",
    targets=(Target("app", "named", "Label"),),
    select=Selection(apps=("HR*",)),
    exclude=(Exclusion(app="Payroll"),),
    protected=(Exclusion(target=Target("app", "never")),),
    allow_empty=True,
    waves=(Share(1), Share(100, percent=True)),
    tenant="acme.conductor.one",
    reason="CHG-1",
    limits=LimitPolicy(concurrency=3, rate=2.5, max_targets=Share(5), max_failures=Share(9, percent=True), deadline=60),
    retry=RetryPolicy(attempts=2),
    timeouts=Timeouts(connect=1, request=2),
    preflight=False,
    verify=False,
    reports=("{name}.json",),
    path="jobs/freeze.yaml",
    sha256="00ff",
)


def row(connector_id: str, outcome: Outcome, before: ConnectorState | None = ACTIVE) -> TargetRecord:
    return TargetRecord(
        seq=0,
        target=Target("app", connector_id),
        app_name="HR",
        connector_name="Ö\u2028\x1b",
        outcome=outcome,
        detail=None,
        http_status=None,
        error=None,
        request_id=None,
        attempts=0,
        throttled=0,
        started_at=None,
        finished_at=None,
        before=before,
        after=None,
    )


ROWS = [row("one", Outcome.CHANGED), row("two", Outcome.UNCHANGED, PAUSED), row("three", Outcome.SKIPPED)]


def shown(*rows: TargetRecord) -> Preview:
    began = start()
    values: dict[str, Any] = {name: getattr(began, name) for name in began._fields}
    counts = dict.fromkeys(Outcome, 0)
    values |= dict.fromkeys(("finished_at", "exit_code", "stopped"))
    run = RunRecord(run=0, **values, requests=0, retries=0, throttled=0, counts=counts)
    return Preview(run, list(rows), apps=1, connectors=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a plan was saved."""
    path = tmp_path / "plan.json"
    planfile.save(path, JOB, shown(*ROWS))
    return path


def changed(path: Path, change: Callable[[Any], object], *, sealed: bool = True) -> None:
    """Edit the plan; `sealed` if its hash is made to fit, so that what is wrong has to be found out otherwise."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    if sealed:
        document["sha256"] = planfile.seal_of(document) if "targets" in document else ""
    path.write_text(json.dumps(document), encoding="utf-8")


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        planfile.load(path)
    return str(caught.value)


def test_what_is_to_be_done_comes_back_in_order_with_its_states(path: Path) -> None:
    plan = planfile.load(path)

    assert [str(target) for target in plan.job.targets] == ["app/one", "app/two"]
    assert plan.states == {"app/one": ACTIVE, "app/two": PAUSED}
    assert plan.tenant == "acme.conductor.one"
    assert plan.asked == JOB


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["targets"].pop(),
        lambda document: document["targets"][2].update(outcome="changed"),
        lambda document: document["job"].update(protected=[]),
        lambda document: document.pop("sha256"),
    ],
    ids=["a target less", "a skipped one after all", "nothing protected", "no seal"],
)
def test_a_plan_that_was_edited_is_refused(path: Path, change: Callable[[Any], object]) -> None:
    changed(path, change, sealed=False)

    assert "edited" in refusal(path) or "sha256" in refusal(path)


def test_a_plan_that_is_only_laid_out_otherwise_is_the_same(path: Path) -> None:
    changed(path, lambda document: document, sealed=False)

    assert planfile.load(path).job.reason == "CHG-1"


def test_the_job_comes_back_as_it_was_but_selects_nothing_any_more(path: Path) -> None:
    loaded = planfile.load(path).job

    for name in JOB.__slots__:
        if name not in ("targets", "select", "exclude"):
            assert getattr(loaded, name) == getattr(JOB, name), name
    assert (loaded.select, loaded.exclude) == (None, ())
    assert isinstance(loaded.operation, OperationName)


def test_a_plan_of_nothing_is_a_plan(tmp_path: Path) -> None:
    planfile.save(tmp_path / "plan.json", JOB, shown())

    assert planfile.load(tmp_path / "plan.json").job.targets == ()


def test_a_place_that_takes_no_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        planfile.save(tmp_path / "none" / "plan.json", JOB, shown(*ROWS))


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert "plan.json" in refusal(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", '"plan"', "[" * 100_000, '{"schema": "c1-runner/plan/2"}', '{"schema": []}', "\udcff",
     '{"schema": "c1-runner/plan/1"}', '{"schema": "c1-runner/plan/1", "tenant": "x", "job": {}, "targets": []}'],
    ids=lambda text: ascii(text[:30]),
)  # fmt: skip
def test_what_is_no_plan_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    message = refusal(tmp_path / "plan.json")

    assert len(message.splitlines()) == 1
    assert message.startswith(str(tmp_path / "plan.json"))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("tenant"),
        lambda document: document.pop("targets"),
        lambda document: document["targets"][0].pop("before"),
        lambda document: document["targets"][0].update(app_id="../../x"),
        lambda document: document["targets"][0].update(connector_id="a/b"),
        lambda document: document["targets"][0].update(connector_id=""),
        lambda document: document["targets"][0].update(app_id=7),
        lambda document: document["targets"][0].update(before={"paused_at": 1}),
        lambda document: document["targets"][0].update(before="active"),
        lambda document: document["targets"][0].update(outcome="chnged"),
        lambda document: document["targets"].append(document["targets"][0]),
        lambda document: document["job"].update(operation="destroy"),
        lambda document: document["job"].update(operation=None),
        lambda document: document["job"]["limits"].update(concurrency="many"),
        lambda document: document["job"]["limits"].update(concurrency=0),
        lambda document: document["job"]["limits"].update(concurrency=100_000),
        lambda document: document["job"].update(limits=None),
        lambda document: document.update(tenant=None),
    ],
    ids=[
        *("no tenant", "no targets", "no state", "app id that is a path", "connector id with a slash", "no id"),
        *("number as id", "number as mark", "text as state", "unknown outcome", "a pair twice", "unknown operation"),
        *("no operation", "words as concurrency", "no concurrency", "concurrency beyond bounds", "no limits"),
        "null tenant",
    ],
)
def test_a_plan_with_a_wrong_value_in_it_is_refused_in_one_line(path: Path, change: Callable[[Any], object]) -> None:
    changed(path, change)

    assert len(refusal(path).splitlines()) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_plan_cut_off_anywhere_is_refused(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole.rstrip()) - 1))
    broken = path.with_name("broken.json")
    broken.write_bytes(whole[:cut])

    assert len(refusal(broken).splitlines()) == 1
