"""What the process needs of the operating system before it starts."""

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from runner.base.errors import UsageError

_OTHER_FILES = 50
"""Files besides connections: state, reports, streams, libraries."""


def spare_the_collector() -> None:
    """Keep the garbage collector from walking modules and a plan that stay to the end, again and again."""
    gc.freeze()


def allow_connections(concurrency: int) -> None:
    """Raise the limit on open files if it is too low for `concurrency` connections; `UsageError` if it stays so."""
    try:
        import resource
    except ImportError:  # not on Windows, where there is no such limit
        return
    needed = 2 * concurrency + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        most = max(1, (hard - _OTHER_FILES) // 2)
        raise UsageError(
            f"the system allows {hard} open files, too few for a concurrency of {concurrency}; "
            f"use --concurrency {most}, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal cut short what is written within the block: the run is over, its account is not.

    A signal that somebody heeds cuts nothing short, and must not be lost.
    """
    before = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
