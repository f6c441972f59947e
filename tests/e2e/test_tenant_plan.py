"""`plan`, `plan -o` and `run --plan` through the installed command: reads alone, then exactly what was shown."""

import csv
import io
import itertools
import json
from collections.abc import Iterator

import jsonschema
import pytest

from tests.e2e.contract_server import ContractServer, Request, Response, Row, problem
from tests.e2e.shell import Shell, outcomes

PAIRS = [(f"app{number % 4}", f"con{number}") for number in range(10)]
ALL = "version: 1\nname: all\noperation: pause\nreason: CHG-1\nselect: {all: true}\n"


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with ten connectors in four apps, one of them paused."""
    with ContractServer(PAIRS).serving() as serving:
        serving.rows["app0", "con0"].paused_at = "2026-01-02T03:04:05Z"
        yield serving


def job(shell: Shell, extra: str = "") -> str:
    return shell.write("all.yaml", ALL + extra)


def test_a_plan_in_words_says_what_would_be_done_and_how_to_do_it(shell: Shell, server: ContractServer) -> None:
    done = shell.run("plan", job(shell, "exclude: [{connector: '*con1'}]\n"), env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("8 of 10 connectors would be paused.\n")
    assert "already paused" in done.stdout
    assert "excluded: connector *con1" in done.stdout
    assert "  c1-runner run all.yaml\n" in done.stdout
    assert server.posts() == []


def test_a_plan_as_json_has_the_shape_of_the_report(shell: Shell, server: ContractServer) -> None:
    schema = shell.run("schema", "report").document
    done = shell.run("plan", job(shell), "--format", "json", env=server.environment())

    jsonschema.validate(done.document, schema)
    assert sorted(outcomes(done.document).values()) == ["changed"] * 9 + ["unchanged"]
    assert done.document["counts"]["changed"] == 9
    assert done.document["results"][0]["app_name"] == "App app0"
    assert server.posts() == []
    assert "no runs yet" in shell.run("runs").stderr


def test_a_plan_as_csv_has_a_row_for_each_target(shell: Shell, server: ContractServer) -> None:
    done = shell.run("plan", job(shell), "--format", "csv", env=server.environment())

    assert [row["outcome"] for row in csv.DictReader(io.StringIO(done.stdout))].count("changed") == 9


def test_a_saved_plan_is_carried_out_once_and_then_refused(shell: Shell, server: ContractServer) -> None:
    shell.run("plan", job(shell), "-o", "plan.json", env=server.environment())
    server.rows["app9", "later"] = Row()  # not in the plan
    moved = shell.run("run", "--plan", "plan.json", env=server.environment())
    del server.rows["app9", "later"]
    planned = shell.run("plan", "all.yaml", "-o", "plan.json", env=server.environment())
    done = shell.run("run", "--plan", "plan.json", "--format", "json", env=server.environment())
    sent = len(server.posts())
    again = shell.run("run", "--plan", "plan.json", env=server.environment())

    assert (moved.code, "app9/later: is not in the plan" in moved.stderr) == (2, True)
    assert "c1-runner run --plan plan.json" in planned.stdout
    assert done.code == 0
    assert server.paused() == {"/".join(pair) for pair in PAIRS}
    assert (done.document["reason"], done.document["job"]["name"]) == ("CHG-1", "all")
    assert again.code == 2
    assert "was active, is paused since" in again.stderr
    assert len(server.posts()) == sent == 9


@pytest.mark.parametrize("damage", ["cut off", "another id"])
def test_a_damaged_plan_is_refused_in_one_line_with_nothing_sent(
    shell: Shell, server: ContractServer, damage: str
) -> None:
    shell.run("plan", job(shell), "-o", "plan.json", env=server.environment())
    path = shell.path("plan.json")
    text = path.read_text(encoding="utf-8")
    match damage:
        case "cut off":
            path.write_text(text[: len(text) // 2], encoding="utf-8")
        case "another id":
            path.write_text(text.replace('"con3"', '"../con3"'), encoding="utf-8")
    server.requests.clear()
    done = shell.run("run", "--plan", "plan.json", env=server.environment())

    assert done.code == 2
    assert done.stderr.startswith("c1-runner: plan.json: ")
    assert len(done.stderr.splitlines()) == 1
    assert server.requests == []


def test_a_plan_and_a_job_exclude_each_other(shell: Shell, server: ContractServer) -> None:
    for arguments in (("run",), ("run", job(shell), "--plan", "plan.json")):
        done = shell.run(*arguments, env=server.environment())
        assert done.code == 2
        assert "--plan" in done.stderr
    assert server.requests == []


@pytest.mark.parametrize(("partial", "code"), [((), 5), (("--partial",), 0)], ids=["whole", "partial"])
def test_an_app_that_cannot_be_listed_is_named_and_makes_exit_5_unless_partial_will_do(
    shell: Shell, server: ContractServer, partial: tuple[str, ...], code: int
) -> None:
    server.hook = lambda request: problem(400, 3, "no") if request.path.endswith("/app2/connectors") else None
    planned = shell.run("plan", job(shell), *partial, env=server.environment())
    done = shell.run("run", "all.yaml", *partial, "--report", "out.json", env=server.environment())
    report = shell.report()

    assert (planned.code, done.code, report["exit_code"]) == (code, code, code)
    assert all("App app2 (app2)" in text for text in (planned.stdout + planned.stderr, done.stderr, report["stopped"]))
    assert "not everything that was selected" in done.stdout
    assert server.paused() == {"/".join(pair) for pair in PAIRS if pair[0] != "app2"}


@pytest.mark.parametrize(("command", "limit"), [("run", "9"), ("plan", "90%")])
def test_a_plan_larger_than_max_targets_is_refused_before_anything_is_changed(
    shell: Shell, server: ContractServer, command: str, limit: str
) -> None:
    done = shell.run(command, job(shell, f"limits: {{max_targets: {limit}}}\n"), env=server.environment())

    assert done.code == 2
    assert "10 targets" in done.stderr
    assert server.posts() == []


@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_pin_refuses_any_other_tenant_before_any_request(
    shell: Shell, server: ContractServer, command: str
) -> None:
    done = shell.run(command, job(shell, "tenant: acme.conductor.one\n"), env=server.environment())

    assert done.code == 2
    assert "acme.conductor.one" in done.stderr
    assert server.requests == []


def test_a_plan_that_cannot_be_made_whole_is_none(shell: Shell) -> None:
    job(shell)
    with shell.sandbox("--apps", "30", "--connectors", "40", "--faults", "on=read,error=100%,error_status=400") as env:
        done = shell.run("plan", "all.yaml", "-o", "plan.json", env=env)

    assert done.code == 5
    assert not shell.path("plan.json").exists()
    assert "Traceback" not in done.stderr


def test_a_failing_first_wave_is_the_last(shell: Shell, server: ContractServer) -> None:
    server.hook = lambda request: problem(400, 3, "no") if request.method == "POST" and not request.is_token else None
    done = shell.run(
        "run", job(shell, "waves: [1, 100%]\nexclude: [app0/con0]\n"), "--format", "json", env=server.environment()
    )

    assert done.code == 5
    assert sorted(outcomes(done.document).values()) == ["failed"] + ["not_attempted"] * 8
    assert len(server.posts()) == 1
    assert "wave 1" in done.stderr


@pytest.mark.parametrize("command", [["plan"], ["run", "--no-verify"]])
def test_a_plan_of_a_tenant_that_does_not_come_to_an_end_ends_with_the_deadline(
    shell: Shell, server: ContractServer, command: list[str]
) -> None:
    pages = itertools.count()

    def hook(request: Request) -> Response | None:
        if request.path != "/api/v1/apps":
            return None
        number = next(pages)
        rows = [{"id": f"new{number}", "displayName": "another"}]
        return Response(body=json.dumps({"list": rows, "nextPageToken": f"{number + 1}"}).encode())

    server.hook = hook
    shell.write("job.yaml", "version: 1\noperation: pause\nselect: {apps: App app1}\n")
    done = shell.run(*command, "job.yaml", "--deadline", "1s", env=server.environment())

    assert (done.code, server.posts()) == (5, [])
    assert "the deadline of 1 s passed before the plan was known; nothing was sent" in done.stderr
