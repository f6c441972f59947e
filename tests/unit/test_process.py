"""What the process needs of the operating system: room for its connections, and no signal in the last moment."""

import os
import resource
import signal

import pytest

from runner.base.errors import UsageError
from runner.cli.process import allow_connections, undisturbed


class Limits:
    """The limit on open files, as the system keeps it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.now = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "after"),
    [
        (1024, 4096, 1024),
        (256, 4096, 450),
        (256, 450, 450),
        (256, resource.RLIM_INFINITY, 450),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_the_connections_need(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, after: int
) -> None:
    limits = Limits(monkeypatch, soft, hard)
    allow_connections(200)

    assert limits.now == (after, hard)


def test_a_limit_that_cannot_be_raised_is_said_with_the_concurrency_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, 128, 256)
    with pytest.raises(UsageError, match=r"allows 256 open files.*--concurrency 103") as refused:
        allow_connections(200)
    allow_connections(103)

    assert "ulimit -n" in str(refused.value)
    assert limits.now == (256, 256)


def test_no_signal_cuts_the_account_short_and_handlers_come_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    outside = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}  # whoever measures heeds some
    try:
        with undisturbed():
            for number in numbers:
                os.kill(os.getpid(), number)
        assert [signal.getsignal(number) for number in numbers] == [signal.SIG_DFL] * 3
    finally:
        for number, handler in outside.items():
            signal.signal(number, handler)
