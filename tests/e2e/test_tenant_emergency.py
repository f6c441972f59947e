"""Without a job file, in a hurry: what is asked, what is shown, and what the tenant gets to see of it."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import COMMAND, PATIENCE, Shell, outcomes
from tests.e2e.windows import newest_run

PAIRS = [(f"app{number % 3}", f"con{number}") for number in range(7)]
REASON = ("--reason", "INC-77: directory outage")


@pytest.fixture
def server() -> Iterator[ContractServer]:
    """A tenant with seven connectors in three apps, one of them paused."""
    with ContractServer(PAIRS).serving() as serving:
        serving.rows["app0", "con0"].paused_at = "2026-01-02T03:04:05Z"
        yield serving


def test_all_without_terminal_and_without_yes_sends_nothing_at_all(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--all", *REASON, env=server.environment())

    assert done.code == 2
    assert "--yes" in done.stderr
    assert server.requests == []


@pytest.mark.parametrize(
    "arguments",
    [("resume", "--all", *REASON), ("sync", "app1/con1"), ("pause", "--targets", "-")],
    ids=["resume", "sync", "targets"],
)
def test_no_command_asks_where_nobody_can_answer(
    shell: Shell, server: ContractServer, arguments: tuple[str, ...]
) -> None:
    done = shell.run(*arguments, env=server.environment(), stdin="app1/con1\n")

    assert done.code == 2
    assert server.requests == []


@pytest.mark.parametrize("command", ["pause", "resume", "sync"])
def test_all_needs_a_reason(shell: Shell, server: ContractServer, command: str) -> None:
    done = shell.run(command, "--all", "--yes", env=server.environment())

    assert done.code == 2
    assert "--reason" in done.stderr
    assert server.requests == []


def test_a_command_without_connectors_is_no_command_for_all(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--yes", env=server.environment())

    assert done.code == 2
    assert "--all" in done.stderr
    assert server.requests == []


def test_yes_pauses_everything_and_the_reason_is_kept(shell: Shell, server: ContractServer) -> None:
    done = shell.run("pause", "--all", *REASON, "--yes", "--report", "out.json", env=server.environment())

    assert (done.code, done.stderr) == (0, "")
    assert server.paused() == {"/".join(pair) for pair in PAIRS}
    assert len(server.posts()) == 6
    assert shell.report()["reason"] == "INC-77: directory outage"
    assert sorted(outcomes(shell.report()).values()) == ["changed"] * 6 + ["unchanged"]


def test_what_was_paused_by_pairs_can_be_resumed_and_synced_the_same_way(shell: Shell, server: ContractServer) -> None:
    paused = shell.run("pause", "app1/con1", "app2/con2", "app1/con1", "--yes", env=server.environment())
    resumed = shell.run("resume", "app1/con1", "--yes", env=server.environment())
    synced = shell.run("sync", "app2/con5", "--yes", env=server.environment())

    assert (paused.code, resumed.code, synced.code) == (0, 0, 0)
    assert server.paused() == {"app0/con0", "app2/con2"}
    assert sorted(server.posts()[:2]) == ["app1/con1/pause", "app2/con2/pause"]
    assert server.posts()[2:] == ["app1/con1/resume", "app2/con5/force_sync"]


@pytest.mark.parametrize("pair", ["../con1"])
def test_what_is_no_pair_is_refused_before_anything_is_sent(shell: Shell, server: ContractServer, pair: str) -> None:
    done = shell.run("pause", "--yes", "--", pair, env=server.environment())

    assert done.code == 2
    assert "APP/CONNECTOR" in done.stderr
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--all", "app1/con1", *REASON), "app1/con1 names some of them"),
        (("--all", "--targets", "-", *REASON), "--targets - names some of them"),
        (("--all", "--reason", "  "), "must not be empty"),
        (("--all", *REASON, "--exclude", "/pay(/"), "not a regular expression"),
        (("--all", *REASON, "--exclude", "/(a)\\1/"), "not a regular expression: invalid escape"),
    ],
    ids=["all and a pair", "all and a list", "blank reason", "broken regex", "back-reference"],
)
def test_what_cannot_be_meant_is_refused_in_words_with_nothing_sent(
    shell: Shell, server: ContractServer, arguments: tuple[str, ...], words: str
) -> None:
    done = shell.run("pause", *arguments, "--yes", env=server.environment(), stdin="app1/con1\n")

    assert done.code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert server.requests == []


def test_all_and_a_run_cannot_be_meant_together(shell: Shell, server: ContractServer) -> None:
    shell.run("pause", "app1/con1", "--yes", env=server.environment())
    server.requests.clear()
    run_id = newest_run(shell)
    done = shell.run("pause", "--all", "--from-run", run_id, *REASON, "--yes", env=server.environment())

    assert done.code == 2
    assert f"--from-run {run_id} names some of them" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.requests == []


def test_an_exclusion_that_fits_nothing_is_told_and_one_that_fits_a_connector_is_not(
    shell: Shell, server: ContractServer
) -> None:
    exclude = ("--exclude", "Connector con1", "--exclude", "Conector con2")
    done = shell.run("pause", "--all", *REASON, *exclude, "--yes", env=server.environment())

    assert done.code == 0
    assert "app1/con1" not in server.paused()
    assert "'Conector con2' fits no app and no connector: did you mean 'Connector con2'?" in done.stderr
    assert "'Connector con1'" not in done.stderr


def test_what_has_no_name_to_be_seen_is_left_alone_where_an_exclusion_might_mean_it(
    shell: Shell, server: ContractServer
) -> None:
    server.rows["app1", "con1"].named = False
    done = shell.run("pause", "--all", *REASON, "--exclude", "Connector con1", "--yes", env=server.environment())

    assert done.code == 5
    assert "app1/con1" not in server.paused()
    assert "app1/con1: its name could not be read, and a rule may leave it alone" in done.stdout + done.stderr
    assert "'Connector con1' fits no app and no connector" in done.stderr
    assert "(but not everything could be listed)" in done.stderr


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, shell: Shell, *arguments: str, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [str(COMMAND), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=shell.directory,
            env=shell.environment | env | {"TERM": "xterm", "COLUMNS": "120"},
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def see(self, words: str) -> None:
        """Return when the words were shown."""
        until = time.monotonic() + PATIENCE
        while words not in self.text and self._more(until):
            pass
        assert words in self.text

    def answer(self, line: str) -> int:
        """Type a line; returns the exit code."""
        os.write(self._master, f"{line}\n".encode())
        return self.finish()

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self) -> int:
        """Read to the end; returns the exit code."""
        until = time.monotonic() + PATIENCE
        while self._more(until):
            pass
        os.close(self._master)
        return self._process.wait(PATIENCE)

    def _more(self, until: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        try:
            data = os.read(self._master, 65_536) if ready else b""
        except OSError:  # the other side is gone
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)


def name_of(server: ContractServer) -> str:
    return server.url.removeprefix("http://")


def test_a_terminal_shows_tenant_numbers_and_changes_before_it_asks(shell: Shell, server: ContractServer) -> None:
    terminal = Terminal(shell, "pause", "--all", *REASON, "--exclude", "Connector con[12]", env=server.environment())
    terminal.see("to go on")
    shown = terminal.text
    mutated = server.posts()
    terminal.answer("")

    assert mutated == []
    assert name_of(server) in shown
    assert re.search(r"3 apps with 7 connectors", shown)
    assert "4 of 7 connectors would be paused" in shown
    assert "already paused" in shown
    assert shown.count("excluded: connector Connector con[12]") == 2


@pytest.mark.parametrize("answer", ["acme.conductor.one"])
def test_another_name_than_the_tenants_changes_nothing(shell: Shell, server: ContractServer, answer: str) -> None:
    terminal = Terminal(shell, "pause", "--all", *REASON, env=server.environment())
    terminal.see("to go on")
    code = terminal.answer(answer)

    assert code == 2
    assert "nothing was sent" in terminal.text
    assert server.posts() == []


def test_the_tenants_name_goes_on(shell: Shell, server: ContractServer) -> None:
    terminal = Terminal(shell, "pause", "--all", *REASON, env=server.environment())
    terminal.see("to go on")
    code = terminal.answer(f" {name_of(server).upper()} ")

    assert code == 0
    assert server.paused() == {"/".join(pair) for pair in PAIRS}


def test_an_interrupt_at_the_question_leaves_with_nothing_sent(shell: Shell, server: ContractServer) -> None:
    terminal = Terminal(shell, "resume", "app0/con0", env=server.environment())
    terminal.see("to go on")
    code = terminal.interrupt()

    assert code == 130
    assert "nothing was sent" in terminal.text
    assert server.posts() == []


def test_before_the_question_a_long_plan_is_summed_up_again(shell: Shell) -> None:
    many = [(f"app{number}", "con") for number in range(40)]
    with ContractServer(many).serving() as server:
        terminal = Terminal(shell, "pause", "--all", *REASON, env=server.environment())
        terminal.see("to go on")
        terminal.answer("")

    assert terminal.text.count("40 of 40 connectors would be paused.") == 2
    assert "and 25 more" in terminal.text
    assert len(terminal.text.splitlines()) < 30


def test_an_excluded_app_is_counted_as_the_tenants_and_shown_as_left_alone(
    shell: Shell, server: ContractServer
) -> None:
    terminal = Terminal(shell, "pause", "--all", *REASON, "--exclude", "App app1", env=server.environment())
    terminal.see("to go on")
    terminal.answer("")

    assert "3 apps with 7 connectors" in terminal.text
    assert "excluded: app App app1" in terminal.text
