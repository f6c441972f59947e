"""A state file of version 0.1.0 (schema 4): all that is in it can be reported, gone on with and undone.

`state-4.sql` was dumped from runs against a tenant of twelve connectors, two processes of which were killed:

freeze   a window over con0 to con2, open for an hour, whose process is gone
nightly  con3, con2 (joined: freeze had paused it) and con4, without an end; its undo was cut off after con4, with
         con2 left to freeze, and a request for con3 under way
mixed    con7 failed after an unclear answer, con6 unknown, con5 not attempted, con8 paused
cut-off  con9 and con10 paused, a request for con11 under way

`state-4-tenant.json` has the marks that this tenant showed then.
"""

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from runner import report
from runner.base.errors import ExitCode
from runner.base.settings import from_environment
from runner.runs import OPEN, proceed
from runner.sandbox import environment
from runner.sandbox.records import Pause, State
from runner.store import RunRecord, Store
from runner.windows.undo import due, undo, undo_job
from tests.sim.conftest import Bench, counts, job, open_tenant, pairs

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
TARGETS = pairs(12, per_app=3)


async def test_everything_in_an_older_state_file_can_be_reported_gone_on_with_and_undone(tmp_path: Path) -> None:
    async with open_tenant(TARGETS) as server:
        settings = from_environment(environment(server))
        for pair, mark in json.loads((DATA / "state-4-tenant.json").read_text(encoding="utf-8")).items():
            app_id, _, connector_id = pair.partition("/")
            server.tenant._states[app_id, connector_id] = State(pause=Pause(mark))
        await asyncio.sleep(24 * 3600)
        with older_store(tmp_path / "state", settings.tenant) as store:
            b = Bench(server, settings, store)
            reported(store, tmp_path)

            undone = record_of(store, "nightly", "resume")
            assert counts(await proceed(undone, undo_job(job([]), undone), OPEN, b.context())) == CUT_OFF_UNDO
            mixed = record_of(store, "mixed")
            again = await b.proceed(mixed.run_id, replace(job([]), name="mixed"))
            assert counts(again) == {"changed": 3, "failed": 1}
            for job_name in ("freeze", "nightly", "mixed", "cut-off"):
                await undo_all(b, record_of(store, job_name))
            reported(store, tmp_path)

        assert not [pair for pair, state in server.tenant.changed() if state.pause is not None]


async def test_an_open_window_of_an_older_version_is_due(tmp_path: Path) -> None:
    with older_store(tmp_path / "state", "the-tenant") as store:
        assert [record.job_name for record in due(store, "the-tenant", store.run().started_at + 3600)] == ["freeze"]


async def test_what_an_older_version_said_in_a_sentence_has_a_column(tmp_path: Path) -> None:
    with older_store(tmp_path / "state", "the-tenant") as store:
        undone = {row.target.connector_id: row for row in store.targets(record_of(store, "nightly", "resume"))}
        mixed = {row.target.connector_id: row.unproven for row in store.targets(record_of(store, "mixed"))}

        assert undone["con2"].left_to == record_of(store, "freeze").run_id
        assert {row.left_to for name, row in undone.items() if name != "con2"} == {None}
        assert mixed == {"con5": False, "con6": False, "con7": True, "con8": False}


CUT_OFF_UNDO = {"changed": 2, "skipped": 1}
"""con4 was resumed, con3 is now, and con2 is left to the window."""


async def undo_all(b: Bench, record: RunRecord) -> None:
    """Undo a run; nothing may be left that it holds."""
    result = await undo(record, undo_job(job([]), record), b.context())
    assert result is None or result.exit_code == ExitCode.OK, b.rows(result)
    assert b.store.held(record) == []


def reported(store: Store, tmp_path: Path) -> None:
    """Every run of the store can be reported."""
    for record in store.runs():
        path = tmp_path / f"{record.run_id}.json"
        report.write(path, record, store.targets(record))
        document = json.loads(path.read_text(encoding="utf-8"))
        assert len(document["results"]) == sum(record.counts.values())


def older_store(directory: Path, tenant: str) -> Store:
    """The older file as a version of today opens it; its runs were on `tenant`."""
    directory.mkdir(mode=0o700)
    connection = sqlite3.connect(directory / "state.db")
    script = (DATA / "state-4.sql").read_text(encoding="utf-8")
    connection.executescript(script.replace("the-tenant", tenant))
    connection.close()
    return Store(directory)


def record_of(store: Store, job_name: str, operation: str = "pause") -> RunRecord:
    """The only run of a job."""
    [found] = [run for run in store.runs() if (run.job_name, run.operation) == (job_name, operation)]
    return found
