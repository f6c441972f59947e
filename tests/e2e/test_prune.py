"""`runs prune` beside other commands on the same state directory, each a process of its own."""

import contextlib
import sqlite3
import threading
from pathlib import Path

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Finished, Shell, outcomes
from tests.e2e.windows import NAMES, PAIRS, let_go, let_time_pass, until_told, window

PRUNE = ("runs", "prune", "--keep", "0")


def recorded(shell: Shell) -> list[str]:
    """The ids of the runs that are left."""
    with contextlib.closing(sqlite3.connect(shell.path("state/state.db"))) as state:
        return [run_id for (run_id,) in state.execute("SELECT run_id FROM runs ORDER BY run")]


def test_a_run_that_is_under_way_is_not_removed_however_old_it_is(shell: Shell, server: ContractServer) -> None:
    server.hold()
    running = shell.running("run", shell.job(PAIRS), "--format", "json", env=server.environment())
    server.wait_for(lambda: len(server.posts()) == 3)
    let_time_pass(shell, 7200)
    pruned = shell.run("runs", "prune", "--keep", "1s")
    server.release()
    done = running.finish()

    assert (pruned.code, pruned.stderr) == (0, "")
    assert pruned.stdout.splitlines() == [
        "0 runs removed",
        "1 old run is kept: under way, keeping something paused, uncertain, or bound to a younger one",
    ]
    assert (done.code, done.stderr) == (0, "")
    assert set(outcomes(done.document).values()) == {"changed"}
    assert shell.run("undo", env=server.environment()).code == 0
    assert server.paused() == set()


def test_a_window_over_what_is_paused_already_is_not_removed_while_its_command_runs(
    shell: Shell, server: ContractServer
) -> None:
    """It keeps nothing paused itself, and nobody holds its job's lock meanwhile."""
    for row in server.rows.values():
        row.paused_at = "2026-01-01T00:00:00Z"
    running = window(shell, server, "--quiet", "--", *until_told("exit 3"))
    running.see("at work", "stdout")
    let_time_pass(shell, 7200)
    pruned = shell.run(*PRUNE)
    let_go(shell)
    done = running.finish()
    afterwards = shell.run(*PRUNE)

    assert pruned.stdout.startswith("0 runs removed\n1 old run is kept")
    assert (done.code, done.stderr) == (3, "")
    assert afterwards.stdout.startswith("1 run removed\n")
    assert not list(Path(shell.path("state/locks")).glob("window-*"))


def test_pruning_says_how_many_runs_it_has_removed_and_how_many_old_ones_it_keeps_and_why(
    shell: Shell, server: ContractServer
) -> None:
    env = server.environment()
    why = "under way, keeping something paused, uncertain, or bound to a younger one"
    for arguments in (("pause", NAMES[0]), ("pause", NAMES[1]), ("sync", NAMES[2]), ("sync", NAMES[2])):
        assert shell.run(*arguments, "--yes", env=env).code == 0
    two_of_four = shell.run(*PRUNE)
    shell.run("resume", NAMES[0], "--yes", env=env)
    two_of_three = shell.run(*PRUNE)
    shell.run("resume", NAMES[1], "--yes", env=env)
    all_of_two = shell.run(*PRUNE)
    shell.run("sync", NAMES[2], "--yes", env=env)
    all_of_one = shell.run(*PRUNE)
    nothing = shell.run(*PRUNE)

    assert two_of_four.stdout == f"2 runs removed\n2 old runs are kept: {why}\n"
    assert two_of_three.stdout == f"2 runs removed\n1 old run is kept: {why}\n"
    assert all_of_two.stdout == "2 runs removed\n"
    assert all_of_one.stdout == "1 run removed\n"
    assert nothing.stdout == "0 runs removed\n"


def test_pruning_all_the_time_disturbs_nobody(shell: Shell, server: ContractServer) -> None:
    """Runs, windows, undos and continuations beside a loop that removes whatever it may."""
    env = server.environment()
    over = threading.Event()
    prunings: list[Finished] = []

    def prune() -> None:
        while not over.is_set():
            prunings.append(shell.run(*PRUNE))

    pruner = threading.Thread(target=prune)
    pruner.start()
    done: list[Finished] = []
    try:
        for number in range(2):
            done.append(window(shell, server, "--quiet", "--", "true", name=f"job{number}").finish())
            done.append(shell.run("run", shell.job(PAIRS), "--report", "out.json", env=env))
            done.append(shell.run("undo", env=env))
            done.append(shell.run("resume", *("/".join(pair) for pair in PAIRS), "--yes", env=env))
    finally:
        over.set()
        pruner.join()

    assert [each.code for each in done] == [0] * len(done), done
    assert all(each.stderr == "" for each in (*done, *prunings)), (done, prunings)
    assert {each.code for each in prunings} == {0}
    assert server.paused() == set()
    assert shell.run(*PRUNE).code == 0
    assert recorded(shell) == []
