"""What cannot be right is refused with one clear message, before anything is sent or recorded."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Finished, Shell

GOOD = "version: 1\noperation: pause\nconnectors: [app1/con1]\n"
DAMAGED_KEY = "secret-token:conductorone.com:v1:bm90IGEga2V5"
EXPIRED = "eyJhbGciOiJFZERTQSJ9.eyJleHAiOjE2MDAwMDAwMDB9.c2ln"
"""A JSON web token whose `exp` is 1600000000."""

Env = dict[str, str | None]
"""Changes to a good environment; None takes a variable away."""

NO_CREDENTIALS: Env = {"CONDUCTORONE_CLIENT_ID": None, "CONDUCTORONE_CLIENT_SECRET": None}


def refused(shell: Shell, server: ContractServer, *arguments: str, env: Mapping[str, str | None]) -> Finished:
    """Run a command that must be refused: nothing on stdout, nothing sent, nothing recorded, no traceback."""
    wanted = {**server.environment(), **env}
    done = shell.run(*arguments, env={name: value for name, value in wanted.items() if value is not None})

    assert done.stdout == ""
    assert server.requests == []
    assert "Traceback" not in done.stderr
    assert _recorded_runs(shell) == 0
    return done


def _recorded_runs(shell: Shell) -> int:
    path = shell.path("state/state.db")
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        return count


def one_message(done: Finished) -> str:
    """Standard error, once it has been seen to be a single message."""
    assert done.stderr.startswith("c1-runner: ")
    assert done.stderr.count("\n") == done.stderr.count("\nTry 'c1-runner") + 1
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--frobnicate"], "No such option '--frobnicate'", id="an unknown option"),
        pytest.param(["--concurency", "5"], "'--concurrency'", id="a misspelt option"),
        pytest.param(["--concurrency", "10000"], "'--concurrency'", id="too much concurrency"),
        pytest.param(
            ["--report", "out.xls"], "out.xls: the report's format follows its suffix", id="an unknown suffix"
        ),
        pytest.param(["--report", "{when}.json"], "{when} is not known", id="an unknown placeholder"),
        pytest.param(["--faults", "error=5%"], "--faults goes with --sandbox", id="faults for a real tenant"),
        pytest.param(["--sandbox", "--faults", "eror=5%"], "did you mean error?", id="an unknown fault"),
    ],
)
def test_a_wrong_option_is_a_usage_error(shell: Shell, server: ContractServer, arguments: list[str], said: str) -> None:
    shell.write("job.yaml", GOOD)

    done = refused(shell, server, "run", "job.yaml", *arguments, env={})

    assert done.code == 2
    assert said in one_message(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["pausee"], "No such command 'pausee'", id="an unknown command"),
        pytest.param(["run"], "job", id="no job"),
        pytest.param(["validate"], "Missing argument 'JOB...'", id="nothing to validate"),
        pytest.param(["sandbox", "--port", "70000"], "'--port'", id="a port that does not exist"),
    ],
)
def test_a_wrong_command_is_a_usage_error(
    shell: Shell, server: ContractServer, arguments: list[str], said: str
) -> None:
    done = refused(shell, server, *arguments, env={})

    assert done.code == 2
    assert said in one_message(done)


def test_no_command_at_all_gets_the_help(shell: Shell, server: ContractServer) -> None:
    done = refused(shell, server, env={})

    assert done.code == 2
    assert done.stderr.startswith("Usage: c1-runner")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "job.yaml:1:1: the file is empty", id="an empty file"),
        pytest.param(GOOD + "oops: 1\n", "job.yaml:4:1: ", id="an unknown key"),
        pytest.param(GOOD + "client_secret: s3cret\n", "job.yaml:4:1: ", id="a credential"),
    ],
)
def test_a_wrong_job_file_is_refused_with_the_place(
    shell: Shell, server: ContractServer, content: str, said: str
) -> None:
    shell.write("job.yaml", content)

    done = refused(shell, server, "run", "job.yaml", env={})

    assert done.code == 2
    assert done.stderr.removeprefix("c1-runner: ").startswith(said)
    assert "s3cret" not in done.stderr


def test_a_job_file_that_is_not_there_or_not_a_file_is_said_so(shell: Shell, server: ContractServer) -> None:
    shell.path("folder").mkdir()

    missing = refused(shell, server, "run", "nowhere.yaml", env={})
    folder = refused(shell, server, "plan", "folder", env={})

    assert (missing.code, folder.code) == (2, 2)
    assert "nowhere.yaml: there is no such file" in one_message(missing)
    assert "folder: is a directory" in one_message(folder)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param(NO_CREDENTIALS, "no credentials: set CONDUCTORONE_CLIENT_ID and", id="no credentials"),
        pytest.param(
            {"CONDUCTORONE_CLIENT_SECRET": None, "CONDUCTORONE_CLIENT_SECRET_FILE": "nowhere"},
            "CONDUCTORONE_CLIENT_SECRET_FILE (nowhere): cannot be read (No such file or directory)",
            id="a secret file that is not there",
        ),
        pytest.param({"CONDUCTORONE_CLIENT_SECRET": DAMAGED_KEY}, "CONDUCTORONE_CLIENT_SECRET", id="a damaged key"),
        pytest.param(
            {"CONDUCTORONE_CLIENT_SECRET": None, "CONDUCTORONE_CLIENT_SECRET_FILE": "utf-16"},
            "CONDUCTORONE_CLIENT_SECRET_FILE (utf-16): not plain text but UTF-16",
            id="a key in UTF-16",
        ),
        pytest.param(
            {"CONDUCTORONE_ACCESS_TOKEN": EXPIRED}, "has expired: it was good until 2020-09-13", id="an old token"
        ),
        pytest.param(
            {"CONDUCTORONE_TENANT_DOMAIN": "acme.conductor.one"},
            "CONDUCTORONE_SERVER_URL names 127.0.0.1 and CONDUCTORONE_TENANT_DOMAIN names acme.conductor.one",
            id="two hosts",
        ),
        pytest.param(
            {"CONDUCTORONE_SERVER_URL": "http://tenant.example"}, "http:// is refused", id="plain http to elsewhere"
        ),
        pytest.param({"C1_RUNNER_CONCURRENCY": "ten"}, "C1_RUNNER_CONCURRENCY", id="a variable in place of a flag"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(shell: Shell, server: ContractServer, env: Env, said: str) -> None:
    """One of each kind; `tests/unit/test_settings.py` and `tests/unit/test_credential.py` have them all."""
    shell.write("job.yaml", GOOD)
    shell.path("utf-16").write_text(DAMAGED_KEY, encoding="utf-16")

    done = refused(shell, server, "run", "job.yaml", env=env)

    assert done.code == 2
    assert said in one_message(done)
    assert server.client.plain_secret not in done.stderr
    assert DAMAGED_KEY not in done.stderr
    assert "s3cret" not in done.stderr


def test_a_plan_needs_the_same_settings_as_a_run(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD)

    none = refused(shell, server, "plan", "job.yaml", env=NO_CREDENTIALS)
    damaged = refused(shell, server, "plan", "job.yaml", env={"CONDUCTORONE_CLIENT_SECRET": DAMAGED_KEY})

    assert (none.code, damaged.code) == (2, 2)
    assert "no credentials" in one_message(none)
    assert "CONDUCTORONE_CLIENT_SECRET" in one_message(damaged)


def test_a_job_for_another_tenant_is_refused(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD + "tenant: acme.conductor.one\n")

    done = refused(shell, server, "run", "job.yaml", env={})

    assert done.code == 2
    assert "the job is for tenant acme.conductor.one, but the credentials lead to 127.0.0.1" in one_message(done)
    assert "nothing was sent" in done.stderr


def test_a_job_for_this_very_tenant_is_carried_out(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD + f'tenant: "{server.url.removeprefix("http://")}"\n')

    done = shell.run("run", "job.yaml", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert server.posts() == ["app1/con1/pause"]


@pytest.mark.parametrize(
    ("command", "report", "said"),
    [
        pytest.param("run", "file/out.json", "file/out.json: ", id="below a file"),
        pytest.param("run", "folder.json", "folder.json: ", id="a directory"),
        pytest.param("run", "/proc/out.json", "/proc/out.json: ", id="no place at all"),
        pytest.param("plan", "file/out.json", "file/out.json: ", id="of a plan"),
    ],
)
def test_a_report_that_could_not_be_written_is_known_before_anything_is_sent(
    shell: Shell, server: ContractServer, command: str, report: str, said: str
) -> None:
    shell.write("file", "")
    shell.path("folder.json").mkdir()
    shell.write("job.yaml", GOOD)

    done = refused(shell, server, command, "job.yaml", "--report", "good.json", "--report", report, env={})

    assert done.code == 7
    assert said in one_message(done)
    assert "Nothing was sent" in done.stderr
    assert not shell.path("good.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "file/state/state.db: the state cannot be read or written", id="a place that cannot be"),
        pytest.param(b"no database at all\n" * 100, "state.db: the state file is damaged", id="a damaged file"),
    ],
)
@pytest.mark.parametrize("command", [["run", "job.yaml"], ["runs"]], ids=lambda words: words[0])
def test_state_that_cannot_be_kept_stops_everything(
    shell: Shell, server: ContractServer, command: list[str], content: bytes | None, said: str
) -> None:
    shell.write("job.yaml", GOOD)
    shell.write("file", "")
    where = "file/state"
    if content is not None:
        where = "damaged"
        shell.path("damaged").mkdir()
        shell.path("damaged/state.db").write_bytes(content)

    done = refused(shell, server, *command, "--state-dir", where, env={})

    assert done.code == 7
    assert said in one_message(done)


def test_a_state_directory_that_is_a_file_is_a_usage_error(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD)

    done = refused(shell, server, "run", "job.yaml", "--state-dir", "job.yaml", env={})

    assert done.code == 2
    assert "'job.yaml' is a file" in one_message(done)


def test_state_of_a_newer_version_is_left_alone(shell: Shell, server: ContractServer) -> None:
    shell.write("job.yaml", GOOD)
    shell.path("state").mkdir()
    with closing(sqlite3.connect(shell.path("state/state.db"))) as connection:
        connection.execute("PRAGMA user_version = 1000")
        connection.execute("CREATE TABLE runs (run INTEGER)")
        connection.commit()

    done = refused(shell, server, "run", "job.yaml", env={})

    assert done.code == 2
    assert "written by a newer c1-runner" in one_message(done)
