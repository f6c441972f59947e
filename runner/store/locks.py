"""One run at a time per tenant and job: a kernel lock, which dies with its holder, and a note of who that is."""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
from filelock import FileLock, Timeout

from runner.errors import LockedError, StorageError

_LOOK_AGAIN = 0.2  # seconds


@asynccontextmanager
async def lock(directory: Path, tenant: str, job: str, *, now: float, wait: float = 0.0) -> AsyncIterator[None]:
    """Hold the lock of `job` on `tenant` within the block.

    Raises `LockedError`, which says who holds it, when it is not free within `wait` seconds. A lock is never
    taken from anybody: when its holder is gone, the kernel has freed it. `now` is seconds since the epoch.
    """
    path = _path(directory, tenant, job)
    note = path.with_suffix(".json")  # beside it: opening a lock file empties it
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = FileLock(path, timeout=0)
        await _acquire(held, note, f"job {job} on {tenant}", wait)
    except OSError as error:
        raise StorageError(f"{path}: the lock could not be taken ({error.strerror or error})") from error
    try:
        with contextlib.suppress(OSError):  # the note is for people; the lock holds without it
            note.write_text(json.dumps(_holder(now)), encoding="utf-8")
        yield
    finally:
        held.release()


def under_way(directory: Path, tenant: str, job: str, pid: int, host: str) -> bool:
    """Whether the process that has begun a run of `job` is still at work on it.

    The lock is tried only where the process id leaves it open, so that nobody finds it taken by a question.
    """
    if host != platform.node() or pid == os.getpid() or not _alive(pid):
        return False
    held = FileLock(_path(directory, tenant, job), timeout=0)
    try:
        held.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    held.release()
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _path(directory: Path, tenant: str, job: str) -> Path:
    key = hashlib.sha256(f"{tenant}\n{job}".encode()).hexdigest()[:20]
    return directory / "locks" / f"{key}.lock"


async def _acquire(held: FileLock, note: Path, what: str, wait: float) -> None:
    give_up = anyio.current_time() + wait
    while True:
        try:
            held.acquire(timeout=0)
        except Timeout:
            if anyio.current_time() >= give_up:
                raise LockedError(f"{what} is being worked on by another run: {_described(note)}") from None
            await anyio.sleep(_LOOK_AGAIN)
        else:
            return


def _holder(now: float) -> dict[str, str | int]:
    since = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "since": since}


def _described(note: Path) -> str:
    try:
        holder = json.loads(note.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, LookupError, TypeError):
        return "who holds it is not known"
