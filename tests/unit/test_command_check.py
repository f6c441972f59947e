"""What can be known of a window's command before anything is paused for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner.base.errors import UsageError
from runner.cli.command_check import check_command


def script(folder: Path, content: bytes) -> str:
    path = folder / "script"
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\ntrue\n",
        b"#!/bin/sh",
        b"#! /bin/sh -e\ntrue\n",
        b"#!/usr/bin/env sh\ntrue\n",
        b"#!" + sys.executable.encode() + b"\n",
        b"echo\r\n",
        b"",
        b"\x7fELF\r\n",
        b"#!/bin/sh\ntrue\r\n",
    ],
)
def test_what_can_start_may_start(tmp_path: Path, content: bytes) -> None:
    check_command(script(tmp_path, content))


@pytest.mark.parametrize("content", [b"#!/bin/sh\r\ntrue\r\n", b"#!/bin/sh\r", b"#!/usr/bin/env bash\r\n"])
def test_a_script_with_the_line_ends_of_windows_is_said_to_be_that(tmp_path: Path, content: bytes) -> None:
    path = script(tmp_path, content)

    with pytest.raises(UsageError, match=r"its lines end in CR LF, as on Windows.*nothing was sent"):
        check_command(path)
    with pytest.raises((OSError, subprocess.CalledProcessError)):  # and it is right: the system cannot start it
        subprocess.run([path], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("content", "shown"),
    [(b"#!/no/such/thing -x\n", "'/no/such/thing'"), (b"#!\n", "''"), (b"#!/\xfc\n", r"'/\ufffd'")],
)
def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path, content: bytes, shown: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_command(script(tmp_path, content))
    assert f"names the interpreter {shown}, which is not there; nothing was sent" in str(refused.value)


def test_what_cannot_be_read_is_left_to_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("shutil.which", lambda name: name)  # root may read everything but a folder

    check_command(str(tmp_path / "folder"))


def test_no_command_and_no_right_to_execute_it_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("#!/bin/sh\n")

    with pytest.raises(UsageError, match=r"file \(not executable\): no such command; nothing was sent"):
        check_command(str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"nowhere: no such command; nothing was sent"):
        check_command("nowhere")
