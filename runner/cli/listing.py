"""How far a listing is, on the terminal of whoever waits for it."""

import sys
import time
from contextlib import AbstractContextManager, suppress

_FIRST = 1.0  # seconds without a word
_EVERY = 0.2  # seconds between two of them
_WIPE = "\r\x1b[2K"


def words(apps: int, connectors: int) -> str:
    """What was found so far."""
    return f"{connectors:,} connectors in {apps:,} apps found so far"


class Listing(AbstractContextManager["Listing"]):
    """To be called with what was found so far; says it on stderr, if that is a terminal, and takes it away again."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _FIRST
        self._shown = False

    def __call__(self, apps: int, connectors: int) -> None:
        """Say it, if there is anybody to see it and the last time is long enough ago."""
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next = now + _EVERY
            self._write(f"{_WIPE}listing: {words(apps, connectors)}")
            self._shown = True

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._write(_WIPE)

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
