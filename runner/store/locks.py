"""One run at a time per tenant and job: a kernel lock, which dies with its holder, and a note of who that is.

`flock` of the standard library, and nothing beside it: a library's stand-in for file systems without locks is a
file with a process id in it, and that outlives its process.
"""

import contextlib
import fcntl
import getpass
import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio

from runner.base.errors import LockedError, StorageError

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.2
"""Seconds between two tries for a lock that somebody holds."""

_LOOKS = 5
"""Tries within which whoever has just taken a lock has noted down who it is."""

_NOTE_BYTES = 4096

_QUESTION = 5.0
"""Seconds within which whoever asks whether a window lives has certainly let go of its lock again."""

_Note = dict[str, str | int]


@asynccontextmanager
async def lock(directory: Path, tenant: str, job: str, *, now: float, wait: float = 0.0) -> AsyncIterator[None]:
    """Hold the lock of `job` on `tenant` within the block.

    Raises `LockedError`, which says who holds it, when it is not free within `wait` seconds, and `StorageError`
    where locks cannot be had. A lock is never taken from anybody: when its holder is gone, the kernel has freed
    it. `now` is seconds since the epoch.
    """
    path = _path(directory, tenant, job)
    with _lock_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = await _acquire(path, f"job {job} on {tenant}", wait)
    try:
        _write(held, _holder(now))
        yield
    finally:
        _write(held, None)
        _close(held)


def under_way(directory: Path, tenant: str, job: str, pid: int, host: str) -> bool:
    """Whether the process that has begun a run of `job` is still at work on it.

    The lock is tried only where the process id leaves it open, so that nobody finds it taken by a question.
    """
    if host != platform.node() or pid == os.getpid() or not _alive(pid):
        return False
    try:
        held = _try(_path(directory, tenant, job), make=False)  # to ask needs no right to write
    except FileNotFoundError:
        return False
    except OSError:
        return True
    if held is not None:
        _close(held)
    return held is None


def is_gone(pid: int, host: str) -> bool:
    """Whether a process of this machine has ended for certain; its id may be another one's by now, which says no."""
    return host == platform.node() and not _alive(pid)


@contextmanager
def idle(directory: Path, tenant: str, job: str) -> Iterator[bool]:
    """Keep `job` on `tenant` from being begun within the block; False where it is being worked on.

    Whoever begins it meanwhile looks again for about a second. Raises `StorageError` where locks cannot be had.
    """
    path = _path(directory, tenant, job)
    with _lock_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = _try(path)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def window_lock(directory: Path, run_id: str) -> Iterator[None]:
    """Hold the lock which says that the window of run `run_id` lives, within the block; no child inherits it.

    Raises `StorageError` where it cannot be had. The kernel frees it when the process ends, however it ends. A
    process id is no such sign: in the next container the same one belongs to another process.
    """
    path = _window_path(directory, run_id)
    with ExitStack() as held:
        with _lock_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            held.enter_context(exclusive(path, _QUESTION))
        yield


def window_lives(directory: Path, run_id: str) -> bool:
    """Whether a process holds the lock of the window of run `run_id`; raises `StorageError` where nobody can tell.

    Reads alone are enough for it: nothing is made, and two who ask at once do not take each other for the window.
    """
    path = _window_path(directory, run_id)
    with _lock_errors(path):
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
    return False


def forget_window(directory: Path, run_id: str) -> None:
    """Remove what the lock of a window that is over, and recorded nowhere any more, has left."""
    with contextlib.suppress(OSError):
        _window_path(directory, run_id).unlink()


@contextmanager
def exclusive(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock on a file within the block; raises an `OSError`, after `patience` seconds a `TimeoutError`."""
    give_up = time.monotonic() + patience
    while (held := _try(path)) is None:
        if time.monotonic() >= give_up:
            raise TimeoutError(f"another process holds {path.name}")
        time.sleep(0.01)
    try:
        yield
    finally:
        _close(held)


def user_name() -> str:
    """Whoever this process runs as; a name that is no text is escaped, for a database takes none."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
    return name.encode("utf-8", "backslashreplace").decode()


def _path(directory: Path, tenant: str, job: str) -> Path:
    key = hashlib.sha256(f"{tenant}\n{job}".encode()).hexdigest()[:20]
    return directory / "locks" / f"{key}.lock"


def _window_path(directory: Path, run_id: str) -> Path:
    return directory / "locks" / f"window-{run_id}.lock"


@contextmanager
def _lock_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: the lock could not be taken ({error.strerror or error})") from error


def _try(path: Path, *, make: bool = True) -> int | None:
    """The open file that holds the lock; None if somebody else holds it. No child inherits it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if make else _open_to_ask(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _close(file)
        return None
    except BaseException:
        _close(file)
        raise
    return file


def _open_to_ask(path: Path) -> int:
    """Open a lock file for writing where we may, since some network file systems lock no other; else for reading."""
    try:
        return os.open(path, os.O_RDWR)
    except OSError:
        return os.open(path, os.O_RDONLY)


def _close(file: int) -> None:
    """Let go of a lock, whatever a failing disk says of it: what is done is done, and nobody is to wait for it."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)
    with contextlib.suppress(OSError):
        os.close(file)


async def _acquire(path: Path, what: str, wait: float) -> int:
    give_up, looks = anyio.current_time() + wait, 0
    while (held := _try(path)) is None:
        looks += 1
        holder = _read(path)
        if anyio.current_time() >= give_up and (looks >= _LOOKS or not _is_past(holder)):
            who = _described(holder)
            raise LockedError(f"{what} is being worked on by another run: {who}; --lock-wait waits for its end")
        if looks == 1:
            log.info("waiting for the lock: %s", _described(holder))
        await anyio.sleep(_LOOK_AGAIN)
    return held


def _write(held: int, holder: _Note | None) -> None:
    """Note down who holds a lock. The note is for people; the lock holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(held, 0)
        if holder is not None:
            os.pwrite(held, json.dumps(holder).encode(), 0)


def _holder(now: float) -> _Note:
    since = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    return {"user": user_name(), "pid": os.getpid(), "host": platform.node(), "since": since}


def _read(path: Path) -> _Note | None:
    try:
        with path.open("rb") as file:
            note = json.loads(file.read(_NOTE_BYTES))
    except (OSError, ValueError):
        return None
    known = isinstance(note, dict) and note.keys() >= {"user", "pid", "host", "since"} and type(note["pid"]) is int
    return note if known else None


def _is_past(holder: _Note | None) -> bool:
    """Whether a note is none, or that of a process that is gone: the holder has not written its own yet."""
    if holder is None or holder["host"] != platform.node():
        return holder is None
    return not _alive(int(holder["pid"]))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def _described(holder: _Note | None) -> str:
    if holder is None:
        return "who holds it is not known"
    return "process {pid} of {user} on {host}, since {since}".format_map(holder)
