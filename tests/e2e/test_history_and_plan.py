"""Looking back with `report` and `runs`, and ahead with `plan`."""

import re

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import REPOSITORY, Shell, outcomes

DEMO = str(REPOSITORY / "jobs/demo.yaml")
THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]


def test_a_report_made_later_is_the_report_made_at_once(shell: Shell) -> None:
    done = shell.run("run", DEMO, "--sandbox", "--report", "first.json")
    run_id = shell.report("first.json")["run_id"]

    newest = shell.run("report")
    again = shell.run("report", run_id[:-2], "--report", "again.json", "--report", "again.csv")
    printed = shell.run("report", run_id, "--format", "json")

    assert (newest.code, newest.stderr) == (0, "")
    assert newest.stdout.startswith(done.stdout.partition("report: ")[0].rstrip())
    assert again == type(again)(0, "report: again.json\nreport: again.csv\n", "")
    first = shell.path("first.json").read_bytes()
    assert shell.path("again.json").read_bytes() == first
    assert printed.stdout.encode() == first


def test_report_says_what_is_wrong_with_the_run_it_is_asked_for(shell: Shell) -> None:
    before = shell.run("report")
    shell.run("run", DEMO, "--sandbox")
    shell.run("run", DEMO, "--sandbox")

    unknown = shell.run("report", "19990101")
    several = shell.run("report", "2")

    assert (before.code, before.stdout) == (2, "")
    assert "no run yet" in before.stderr
    assert (unknown.code, unknown.stdout) == (2, "")
    assert "no run '19990101'" in unknown.stderr
    assert (several.code, several.stdout) == (2, "")
    assert "several runs" in several.stderr


def test_runs_lists_the_newest_run_first(shell: Shell, server: ContractServer) -> None:
    none = shell.run("runs")
    shell.run("run", DEMO, "--sandbox")
    shell.run("run", shell.job([*THREE, ("app1", "gone")]), env=server.environment())

    done = shell.run("runs")

    assert (none.code, none.stdout, none.stderr) == (0, "", "no runs yet\n")
    header, newest, oldest = done.stdout.splitlines()
    assert [*header.split()][:5] == ["RUN", "STARTED", "(UTC)", "TOOK", "BY"]
    assert re.search(r"\d m?s  +\S+@\S+  +job ", newest)
    assert "3 changed, 1 failed" in newest
    assert newest.endswith(" 4")
    assert "7 changed, 1 unchanged" in oldest
    assert oldest.endswith(" 0")


def test_plan_looks_and_touches_nothing(shell: Shell, server: ContractServer) -> None:
    server.rows["app1", "con2"].paused_at = "2026-01-01T00:00:00Z"
    job = shell.job([*THREE, ("app1", "gone")])

    done = shell.run("plan", job, "--format", "json", env=server.environment())

    assert (done.code, done.stderr) == (4, "")
    assert outcomes(done.document) == {
        "app1/con1": "changed",
        "app1/con2": "unchanged",
        "app2/con3": "changed",
        "app1/gone": "failed",
    }
    assert server.posts() == []
    assert {request.method for request in server.api()} == {"GET"}
    assert server.paused() == {"app1/con2"}
    assert shell.run("runs").stderr == "no runs yet\n"


def test_plan_never_says_that_something_was_done(shell: Shell, server: ContractServer) -> None:
    done = shell.run("plan", shell.job(THREE), "--report", "plan.csv", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert "would" in done.stdout.splitlines()[0]
    assert "are paused." not in done.stdout
    assert "c1-runner run job.yaml" in done.stdout
    assert "would be paused" in shell.path("plan.csv").read_text(encoding="utf-8")
