"""`undo`, by the state directory or by a receipt, and what a resume or a sync by name leaves alone."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Shell, outcomes
from tests.e2e.windows import NAMES, PAIRS, QUICK

NOTHING_LEFT = "nothing that runs known here have paused on "


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with three active connectors."""
    with ContractServer(PAIRS).serving() as serving:
        yield serving


def test_undo_resumes_what_the_newest_run_has_paused_and_twice_changes_nothing(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    server.rows[PAIRS[0]].paused_at = "2026-01-01T00:00:00Z"
    paused = shell.run("run", shell.job(PAIRS, extra=QUICK), env=env)
    server.rows[PAIRS[1]].paused_at = "2030-01-01T00:00:00Z"  # resumed and paused again, by somebody else
    done = shell.run("undo", "--format", "json", env=env)
    again = shell.run("undo", done.document["run_id"], env=env)
    newest = shell.run("undo", env=env)

    assert paused.code == 0
    assert done.code == 4
    assert outcomes(done.document) == {NAMES[2]: "changed", NAMES[1]: "skipped"}
    assert (
        "somebody else has paused it since (2030-01-01T00:00:00Z): left alone" in done.document["results"][1]["detail"]
    )
    assert server.paused() == {NAMES[0], NAMES[1]}
    assert again.code == 2
    assert "is a resume: only what a run has paused can be undone" in again.stderr
    assert newest.code == 0
    assert newest.stdout.startswith(NOTHING_LEFT)
    assert server.posts().count(f"{NAMES[2]}/resume") == 1


def test_a_report_is_enough_to_undo_a_run_when_its_host_is_gone(shell: Shell, server: ContractServer) -> None:
    env = server.environment()
    server.rows[PAIRS[0]].paused_at = "2026-01-01T00:00:00Z"
    shell.run("run", shell.job(PAIRS, extra=QUICK), "--report", "out.json", env=env)
    shell.path("state").rename(shell.path("gone"))
    done = shell.run("undo", "--receipt", "out.json", env=env)
    left = server.paused()
    again = shell.run("undo", "--receipt", "out.json", env=env)

    assert (done.code, done.stderr) == (0, "")
    assert "All 2 connectors are active." in done.stdout
    assert left == {NAMES[0]}
    assert (again.code, "keeps nothing paused: nothing to undo" in again.stdout) == (0, True)


def test_a_receipt_that_is_none_sends_nothing(shell: Shell, server: ContractServer) -> None:
    env = server.environment()
    shell.run("run", shell.job(PAIRS[:1]), "--report", "out.json", env=env)
    shell.run("plan", "job.yaml", "-o", "plan.json", env=env)
    report = shell.report()
    shell.write("damaged.json", json.dumps(report)[:-20])
    shell.write("elsewhere.json", json.dumps(report | {"tenant": "other.conductor.one", "run_id": _other(report)}))
    already = len(server.requests)
    files = {
        "plan.json": "no JSON report of a pause that c1-runner has written",
        "damaged.json": "no JSON report of a pause that c1-runner has written",
        "elsewhere.json": "of a run on other.conductor.one, but the credentials lead to 127.0.0.1",
    }
    for name, why in files.items():
        done = shell.run("undo", "--receipt", name, env=env)
        assert (done.code, done.stdout) == (2, ""), name
        assert why in done.stderr, name
        assert "Traceback" not in done.stderr
    assert len(server.requests) == already


def test_a_resume_by_name_leaves_what_c1_has_paused_itself_unless_it_is_asked_for(shell: Shell) -> None:
    with shell.sandbox() as env:
        pairs = [("2aOktaProd", "2bOktaPreview"), ("2aOktaProd", "2bOktaAcquired")]
        done = shell.run("run", shell.job(pairs, "resume"), "--format", "json", env=env)
        asked_for = shell.run("run", "job.yaml", "--include-anomalies", "--format", "json", env=env)

    assert done.code == 4
    assert list(outcomes(done.document).values()) == ["changed", "skipped"]
    assert "check it there, or use --include-anomalies" in done.document["results"][1]["detail"]
    assert asked_for.code == 0
    assert list(outcomes(asked_for.document).values()) == ["unchanged", "changed"]


def test_a_sync_of_what_is_paused_is_skipped_and_says_so(shell: Shell, server: ContractServer) -> None:
    server.rows[PAIRS[1]].paused_at = "2026-01-01T00:00:00Z"
    done = shell.run("run", shell.job(PAIRS, "force_sync"), "--format", "json", env=server.environment())

    assert done.code == 4
    assert list(outcomes(done.document).values()) == ["changed", "skipped", "changed"]
    assert done.document["results"][1]["detail"] == "paused: a sync would not run; resume it first"
    assert f"{NAMES[1]}/force_sync" not in server.posts()


def _other(report: dict[str, str]) -> str:
    return f"{report['run_id'][:-6]}000000"
