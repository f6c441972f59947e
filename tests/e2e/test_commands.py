"""What a user types, and what they see: each command, on success and on failure."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from runner.report import FORMATS
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, REPOSITORY, Shell, outcomes

DEMO = str(REPOSITORY / "jobs/demo.yaml")
EXAMPLES = sorted(str(path) for path in (REPOSITORY / "jobs").glob("*.yaml"))
COMMANDS = ["run", "plan", "validate", "report", "runs", "schema", "sandbox"]
THREE = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]


def test_the_demo_tells_its_result_in_words(shell: Shell) -> None:
    done = shell.run("run", DEMO, "--sandbox")

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("All 8 connectors are paused.\n")
    assert "  paused          7\n  already paused  1\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert list(shell.directory.iterdir()) == [shell.path("state")]  # no report unless asked for


def test_one_run_writes_a_report_in_every_format(shell: Shell) -> None:
    paths = [f"reports/demo{suffix}" for suffix in FORMATS]

    done = shell.run("run", DEMO, "--sandbox", *(word for path in paths for word in ("--report", path)))

    assert (done.code, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("report: ")] == [f"report: {p}" for p in paths]
    assert sorted(path.name for path in shell.path("reports").iterdir()) == sorted(Path(path).name for path in paths)
    assert all(shell.path(path).read_text(encoding="utf-8") for path in paths)
    whole = shell.report("reports/demo.json")
    head, *lines = map(json.loads, shell.path("reports/demo.ndjson").read_text(encoding="utf-8").splitlines())
    assert (head["type"], head["run_id"], len(lines)) == ("run", whole["run_id"], 8)
    rows = list(csv.DictReader(io.StringIO(shell.path("reports/demo.csv").read_text(encoding="utf-8-sig"))))
    assert [row["outcome"] for row in rows] == [row["outcome"] for row in whole["results"]]


def test_a_report_name_can_hold_the_run_it_is_about(shell: Shell) -> None:
    done = shell.run("run", DEMO, "--sandbox", "--report", "{name}-{operation}-{run_id}.json", "--format", "json")

    assert done.code == 0
    assert shell.path(f"demo-pause-{done.document['run_id']}.json").exists()


@pytest.mark.parametrize("output_format", ["json", "ndjson", "csv"])
def test_stdout_is_data_alone_however_much_is_logged(shell: Shell, output_format: str) -> None:
    done = shell.run("run", DEMO, "--sandbox", "--format", output_format, "--report", "out.json", "-vv")

    assert done.code == 0
    read = {
        "json": lambda text: len(json.loads(text)["results"]),
        "ndjson": lambda text: len([json.loads(line) for line in text.splitlines()]) - 1,
        "csv": lambda text: len(list(csv.DictReader(io.StringIO(text)))),
    }
    assert read[output_format](done.stdout) == 8


def test_a_job_can_come_from_standard_input(shell: Shell, server: ContractServer) -> None:
    job = Path(shell.job(THREE))
    text = shell.path(str(job)).read_text(encoding="utf-8")
    shell.path(str(job)).unlink()

    done = shell.run("run", "-", "--report", "out.json", stdin=text, env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert set(outcomes(shell.report()).values()) == {"changed"}


def test_quiet_says_nothing_of_a_success_and_everything_of_a_failure(shell: Shell, server: ContractServer) -> None:
    good = shell.run("run", shell.job(THREE), "--quiet", env=server.environment())
    bad = shell.run("run", shell.job([*THREE, ("app1", "gone")]), "--quiet", env=server.environment())

    assert good == type(good)(0, "", "")
    assert bad.code == 4
    assert "3 of 4 connectors are paused" in bad.stdout
    assert "app1/gone" in bad.stdout


def test_verbose_names_each_request_on_stderr_alone(shell: Shell, server: ContractServer) -> None:
    plain = shell.run("run", shell.job(THREE), env=server.environment())
    verbose = shell.run("run", shell.job(THREE), "-vv", env=server.environment())

    assert plain.stderr == ""
    assert "con1" in verbose.stderr
    assert "con1" not in verbose.stdout


@pytest.mark.parametrize(("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["plain", "NO_COLOR"])
def test_colours_are_for_terminals_that_want_them(shell: Shell, env: dict[str, str], colored: bool) -> None:
    reading, writing = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "run", DEMO, "--sandbox"],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.DEVNULL,
        cwd=shell.directory,
        env=shell.environment | {"TERM": "xterm-256color"} | env,
    )
    os.close(writing)
    shown = _read_all(reading)

    assert process.wait() == 0
    assert b"All 8 connectors are paused." in shown
    assert (b"\x1b[" in shown) is colored


def _read_all(descriptor: int) -> bytes:
    """What a terminal is shown until the last process lets go of it."""
    shown = b""
    try:
        while chunk := os.read(descriptor, 65_536):
            shown += chunk
    except OSError:  # the other side is closed (EIO)
        pass
    finally:
        os.close(descriptor)
    return shown


@pytest.mark.parametrize("output_format", ["text", "ndjson"])
@pytest.mark.parametrize(("more", "code"), [((), 0), ((("app1", "gone"),), 4)], ids=["success", "failure"])
def test_a_reader_that_left_changes_no_exit_code(
    shell: Shell, server: ContractServer, output_format: str, more: tuple[tuple[str, str], ...], code: int
) -> None:
    job = shell.job([*THREE, *more])
    process = shell.start("run", job, "--format", output_format, "--report", "out.json", env=server.environment())
    assert process.stdout is not None
    process.stdout.close()  # `| head` that has seen enough, before the first byte
    assert process.stderr is not None

    assert process.stderr.read() == ""
    assert process.wait() == code
    assert len(shell.report()["results"]) == 3 + len(more)


def test_no_command_minds_a_reader_that_left(shell: Shell) -> None:
    shell.run("run", DEMO, "--sandbox")

    for arguments in (["report"], ["runs"], ["schema"], ["validate", DEMO], ["--help"]):
        process = shell.start(*arguments)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None

        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_validate_passes_every_example_job(shell: Shell) -> None:
    done = shell.run("validate", *EXAMPLES)

    assert (done.code, done.stderr) == (0, "")
    assert [line.partition(": ok, ")[0] for line in done.stdout.splitlines()] == EXAMPLES


def test_validate_shows_every_error_of_every_file_with_its_place(shell: Shell) -> None:
    shell.write("good.yaml", "version: 1\noperation: pause\nconnectors: [a/b]\n")
    shell.write("bad.yaml", "version: 1\noperation: paws\nconectors: [a/b]\nconnectors: [no, {app_id: a}]\n")

    done = shell.run("validate", "missing.yaml", "good.yaml", "bad.yaml")

    assert done.code == 2
    assert done.stdout == "good.yaml: ok, pause of 1 connector\n"
    missing, *bad = done.stderr.splitlines()
    assert missing == "missing.yaml: there is no such file"
    assert [line.split(": ")[0] for line in bad] == sorted(line.split(": ")[0] for line in bad)
    assert all(line.startswith("bad.yaml:") for line in bad)
    assert len(bad) >= 4
    assert "did you mean" in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_reads_standard_input_and_can_be_quiet(shell: Shell) -> None:
    text = "version: 1\noperation: pause\nconnectors: [a/b]\n"

    spoken = shell.run("validate", "-", stdin=text)
    quiet = shell.run("validate", "-", "--quiet", stdin=text)
    wrong = shell.run("validate", "-", "--quiet", stdin="version: 2\n")

    assert (spoken.code, spoken.stderr) == (0, "")
    assert spoken.stdout.endswith("ok, pause of 1 connector\n")
    assert quiet == type(quiet)(0, "", "")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert ":1:" in wrong.stderr


def test_the_printed_schema_is_the_shipped_one_and_accepts_the_example_jobs(shell: Shell) -> None:
    done = shell.run("schema")

    assert (done.code, done.stderr) == (0, "")
    assert done.document == json.loads((REPOSITORY / "jobs/job.schema.json").read_text(encoding="utf-8"))
    for path in EXAMPLES:
        jsonschema.validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")), done.document)


def test_the_package_runs_as_a_module_too(shell: Shell) -> None:
    module = shell.pipe([sys.executable, "-m", "runner", "--version"])

    assert module == shell.run("--version")
    assert module.stdout.startswith("c1-runner, version ")


def test_each_command_explains_itself_with_an_example(shell: Shell) -> None:
    for command in COMMANDS:
        done = shell.run(command, "--help")

        assert (done.code, done.stderr) == (0, "")
        assert f"c1-runner {command}" in done.stdout.partition("\n")[2]


def test_help_lists_the_commands_and_every_exit_code(shell: Shell) -> None:
    done = shell.run("--help")

    assert (done.code, done.stderr) == (0, "")
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert all(f"\n  {code} " in done.stdout for code in (0, 1, 2, 3, 4, 5, 6, 7, 75))
    assert "129, 130, 143" in done.stdout
