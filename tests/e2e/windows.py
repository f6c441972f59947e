"""Maintenance windows in tests: their commands, which say when they run and end when they may, and their output."""

import contextlib
import json
import shlex
import sqlite3
from typing import Any

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import Running, Shell

PAIRS = [("app1", "con1"), ("app1", "con2"), ("app2", "con3")]
NAMES = ["/".join(pair) for pair in PAIRS]
PAUSES = [f"{name}/pause" for name in NAMES]

QUICK = "limits: {concurrency: 1, resume_rate: 100/s}"
"""Requests one after the other, and resumes without a wait in between."""


def until_told(then: str = "", *, word: str = "go", look_every: float = 0.05) -> list[str]:
    """A command that says `at work`, waits until the file `word` is there, and does something then."""
    return ["sh", "-c", f"echo at work; until [ -e {word} ]; do sleep {look_every}; done; {then}"]


def window(shell: Shell, server: ContractServer, *arguments: str, extra: str = QUICK, name: str = "job") -> Running:
    """A window over all three connectors under way; `arguments` end with `--` and the command."""
    lines = "".join(f"  - {pair}\n" for pair in NAMES)
    text = f"version: 1\nname: {name}\noperation: pause\nreason: CHG-7\nconnectors:\n{lines}{extra}\n"
    job = shell.write(f"{name}.yaml", text)
    return shell.running("window", job, *arguments, env=server.environment())


def let_go(shell: Shell, word: str = "go") -> None:
    """Let a command that waits go on."""
    shell.write(word, "")


def documents(text: str) -> list[Any]:
    """The JSON documents that stand in a text, among other lines."""
    found, decoder = [], json.JSONDecoder()
    while (start := text.find("{\n")) >= 0:
        document, end = decoder.raw_decode(text[start:])
        found.append(document)
        text = text[start + end :]
    return found


def next_command(text: str, word: str) -> list[str]:
    """The arguments of the first command with this word that a text says to type."""
    _, start, rest = text.partition(f"c1-runner {word} ")
    assert start, f"no {word} in {text!r}"
    return [word, *shlex.split(rest.splitlines()[0].partition("`")[0])]


def newest_run(shell: Shell) -> str:
    """The id of the run that was begun last."""
    with contextlib.closing(sqlite3.connect(shell.path("state/state.db"))) as state:
        [run_id] = state.execute("SELECT run_id FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    return str(run_id)


def let_time_pass(shell: Shell, seconds: float) -> None:
    """As if all that is recorded had happened so much earlier."""
    with contextlib.closing(sqlite3.connect(shell.path("state/state.db"))) as state, state:
        for table, columns in (("runs", _RUN_TIMES), ("targets", _TARGET_TIMES)):
            state.execute(f"UPDATE {table} SET {', '.join(f'{name} = {name} - {seconds}' for name in columns)}")


_RUN_TIMES = ("started_at", "finished_at", "until")
_TARGET_TIMES = (
    *("intent_at", "started_at", "finished_at", "unclear_at", "joined_at", "ending_at", "released_at"),
    *("sent_from", "sent_until"),
)
