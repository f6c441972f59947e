"""Going on with a run: the command that its end prints does it, exactly as printed."""

import shlex
from signal import SIGTERM

from tests.e2e.contract_messages import Request, Response, problem
from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, Finished, Shell, outcomes

PAIRS = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]


def printed_command(done: Finished) -> list[str]:
    """The command under `Next:`, as a shell would take it apart."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  c1-runner continue")]
    program, *words = shlex.split(line)
    assert program == "c1-runner"
    return [str(COMMAND), *words]


def test_a_partly_failed_run_prints_the_command_that_repeats_what_failed_and_nothing_else(
    shell: Shell, server: ContractServer
) -> None:
    def hook(request: Request) -> Response | None:
        if request.path.endswith("con2/pause"):
            return problem(400, 3, "not now")
        return problem(502, 14, "bad gateway") if "/con3" in request.path else None

    server.hook = hook
    job = shell.job(PAIRS, extra="preflight: false\nreason: CHG-7\nreport: [out.json]\nretry: {attempts: 1}")
    options = ("--state-dir", "my state", "--concurrency", "1")
    failed = shell.run("run", job, *options, env=server.environment() | {"C1_RUNNER_STATE_DIR": ""})
    assert failed.code == 4
    assert outcomes(shell.report()) == {"app1/con1": "changed", "app1/con2": "failed", "app2/con3": "unknown"}
    server.hook = None
    before = len(server.posts())
    shell.write("job.yaml", "it is not read again\n")

    done = shell.pipe(printed_command(failed), env=server.environment() | {"C1_RUNNER_STATE_DIR": ""})

    assert (done.code, done.stderr) == (0, "")
    assert sorted(server.posts()[before:]) == ["app1/con2/pause", "app2/con3/pause"]
    assert set(outcomes(shell.report()).values()) == {"changed"}  # the same report, made anew
    assert (shell.report()["reason"], shell.report()["exit_code"]) == ("CHG-7", 0)
    assert "c1-runner continue" not in done.stdout  # only the way back is left


def test_an_interrupted_run_prints_the_command_that_finishes_it(shell: Shell, server: ContractServer) -> None:
    server.hold()
    running = shell.running("run", shell.job(PAIRS), "--concurrency", "1", env=server.environment())
    server.wait_for(lambda: len(server.posts()) == 1)
    running.signal(SIGTERM)
    running.see("SIGTERM")
    server.release()
    stopped = running.finish()
    assert stopped.code == 143
    assert "--only" not in " ".join(printed_command(stopped))

    done = shell.pipe([*printed_command(stopped), "--format", "json"], env=server.environment())

    assert done.code == 0
    assert set(outcomes(done.document).values()) == {"changed"}
    assert len(server.posts()) == 3
    nothing_left = shell.run("continue", env=server.environment())
    assert nothing_left.code == 6
    assert "has no target that is unknown or not_attempted: nothing to go on with" in nothing_left.stderr


def test_a_run_of_another_tenant_is_refused_before_anything_is_sent(shell: Shell, server: ContractServer) -> None:
    shell.run("run", shell.job([*PAIRS, ("app1", "gone")]), env=server.environment())
    with ContractServer(PAIRS).serving() as other:
        done = shell.run("continue", "--only", "failed", env=other.environment())

        assert done.code == 2
        assert "but the credentials lead to" in done.stderr
        assert other.requests == []
    assert shell.run("continue", "2020", env=server.environment()).code == 2
