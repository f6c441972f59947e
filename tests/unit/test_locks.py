"""One run at a time: the kernel's lock, and the note of who holds it."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.base.errors import LockedError, StorageError
from runner.store import locks
from runner.store.locks import exclusive, lock, window_lives, window_lock

pytestmark = pytest.mark.anyio

SINCE = 1_790_000_000.0


def hold(directory: Path, job: str = "freeze", tenant: str = "acme.conductor.one", wait: float = 0.0) -> Any:
    return lock(directory, tenant, job, now=SINCE, wait=wait)


def lock_file(directory: Path) -> Path:
    (path,) = (directory / "locks").iterdir()
    return path


async def refusal(directory: Path) -> str:
    with pytest.raises(LockedError) as refused:
        async with hold(directory):
            pass
    return str(refused.value)


async def test_who_comes_second_hears_who_holds_it_since_when_and_where(tmp_path: Path) -> None:
    async with hold(tmp_path):
        said = await refusal(tmp_path)

    assert "job freeze on acme.conductor.one is being worked on by another run" in said
    assert f"process {os.getpid()} of {locks.user_name()} on {os.uname().nodename}" in said
    assert "since 2026-09-21T14:13:20+00:00" in said
    assert "--lock-wait" in said


async def test_another_job_and_another_tenant_have_locks_of_their_own(tmp_path: Path) -> None:
    async with hold(tmp_path), hold(tmp_path, job="thaw"), hold(tmp_path, tenant="other.conductor.one"):
        assert len(list((tmp_path / "locks").iterdir())) == 3


@pytest.mark.parametrize("error", [None, ValueError])
async def test_it_is_free_as_soon_as_the_block_ends_however_it_ends(
    tmp_path: Path, error: type[Exception] | None
) -> None:
    with pytest.raises(ValueError, match="x") if error else nullcontext():
        async with hold(tmp_path):
            if error:
                raise error("x")
    assert lock_file(tmp_path).read_bytes() == b""
    async with hold(tmp_path):
        pass


async def test_it_can_be_waited_for(tmp_path: Path) -> None:
    got_at: list[float] = []

    async def second() -> None:
        async with hold(tmp_path, wait=60):
            got_at.append(anyio.current_time())

    async with anyio.create_task_group() as group, hold(tmp_path):
        group.start_soon(second)
        await anyio.sleep(30)
        assert got_at == []
    assert 30 <= got_at[0] <= 31


async def test_waiting_ends_after_the_time_that_was_given(tmp_path: Path) -> None:
    async with hold(tmp_path):
        with pytest.raises(LockedError, match="since 2026-09-21"):
            async with hold(tmp_path, wait=60):
                pass
    assert 60 <= anyio.current_time() <= 61


async def test_waiting_can_be_cancelled_and_leaves_the_lock_to_others(tmp_path: Path) -> None:
    async with hold(tmp_path):
        with anyio.move_on_after(5) as scope:
            async with hold(tmp_path, wait=60):
                pass
        assert scope.cancelled_caught
    async with hold(tmp_path):
        pass


HOLDER = """
import sys, anyio
from pathlib import Path
from runner.store.locks import lock
async def main():
    async with lock(Path(sys.argv[1]), "acme.conductor.one", "freeze", now=1.0):
        print("held", flush=True)
        sys.stdin.read()
anyio.run(main)
"""


def holder(directory: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


async def test_a_killed_holder_leaves_no_lock_and_is_not_named_any_more(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert f"process {process.pid} of" in await refusal(tmp_path)
        process.kill()
        process.wait()

        assert str(process.pid) in lock_file(tmp_path).read_text()  # what it left
        # Somebody has taken it since, and has not said yet who it is.
        with exclusive(lock_file(tmp_path), 0):
            waited = anyio.current_time()
            await refusal(tmp_path)
            assert anyio.current_time() - waited >= 0.5
        async with hold(tmp_path):
            assert str(process.pid) not in lock_file(tmp_path).read_text()


async def test_a_note_that_comes_a_moment_late_is_waited_for(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(hold(tmp_path))
        note = lock_file(tmp_path).read_text()
        lock_file(tmp_path).write_text("")
        async with anyio.create_task_group() as group:

            async def note_down() -> None:
                await anyio.sleep(0.3)
                lock_file(tmp_path).write_text(note)

            group.start_soon(note_down)
            assert f"process {os.getpid()} of" in await refusal(tmp_path)


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": 1}', '{"user":"u","pid":"x","host":"h","since":"s"}', "\xff"])
async def test_a_note_that_makes_no_sense_does_no_harm(tmp_path: Path, note: str) -> None:
    async with hold(tmp_path):
        lock_file(tmp_path).write_bytes(note.encode("latin-1"))
        assert "who holds it is not known" in await refusal(tmp_path)


async def test_no_child_keeps_the_lock_when_its_parent_is_gone(tmp_path: Path) -> None:
    async with hold(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)  # noqa: ASYNC220 (it is not waited for)
    try:
        async with hold(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO, errno.EACCES, errno.ENOSPC])
async def test_where_there_are_no_locks_nothing_is_run_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match=r"locks/.*\.lock: the lock could not be taken \("):
        async with hold(tmp_path):
            pass


def test_a_file_can_be_held_for_a_moment_and_waiting_for_it_has_an_end(tmp_path: Path) -> None:
    again = exclusive(tmp_path / "open.lock", 0)
    with exclusive(tmp_path / "open.lock", 0), pytest.raises(TimeoutError, match=r"open\.lock"), again:
        pass
    with exclusive(tmp_path / "open.lock", 0):
        pass


RUN = "20261123-021500-abcdef"

WINDOW = """
import sys, subprocess
from pathlib import Path
from runner.store.locks import window_lock
with window_lock(Path(sys.argv[1]), sys.argv[2]):
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_a_window_lives_as_long_as_its_block(tmp_path: Path) -> None:
    with window_lock(tmp_path, RUN):
        assert window_lives(tmp_path, RUN)
        assert not window_lives(tmp_path, "20261123-021500-012345")
    assert not window_lives(tmp_path, RUN)


def test_who_asks_for_a_window_that_never_was_leaves_no_file_behind(tmp_path: Path) -> None:
    assert not window_lives(tmp_path, RUN)
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_is_killed_does_not_live_though_its_command_does(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WINDOW, str(tmp_path), RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        command = int(process.stdout.readline())
        try:
            assert window_lives(tmp_path, RUN)
            process.kill()
            process.wait()
            assert not window_lives(tmp_path, RUN)
            os.kill(command, 0)  # it is still there
        finally:
            os.kill(command, signal.SIGKILL)


def test_two_who_ask_at_once_do_not_take_each_other_for_the_window(tmp_path: Path) -> None:
    with window_lock(tmp_path, RUN):
        pass
    file = os.open(tmp_path / "locks" / f"window-{RUN}.lock", os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not window_lives(tmp_path, RUN)
    finally:
        os.close(file)


def test_a_window_waits_until_whoever_asks_has_let_go(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    file = os.open(tmp_path / "locks" / f"window-{RUN}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_SH)
    letting_go = threading.Timer(0.2, os.close, (file,))
    letting_go.start()
    with window_lock(tmp_path, RUN):
        assert window_lives(tmp_path, RUN)
    letting_go.join()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO, errno.EACCES, errno.ENOSPC])
def test_where_there_are_no_locks_no_window_is_held_and_none_is_called_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with window_lock(tmp_path, RUN):
        pass

    def flock(file: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(StorageError, match=r"window-.*\.lock: the lock could not be taken \("),
        window_lock(tmp_path, RUN),
    ):
        pass
    with pytest.raises(StorageError, match=r"window-.*\.lock: the lock could not be taken \("):
        window_lives(tmp_path, RUN)
