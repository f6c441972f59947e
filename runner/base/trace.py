"""What is being worked on, for whoever writes a log line meanwhile. Tasks inherit it, each has its own."""

from contextvars import ContextVar

run_id: ContextVar[str | None] = ContextVar("run_id", default=None)
target: ContextVar[tuple[str, str] | None] = ContextVar("target", default=None)
"""App id and connector id."""
attempt: ContextVar[int | None] = ContextVar("attempt", default=None)
"""Which attempt at the target, from 1; None before the first one."""
