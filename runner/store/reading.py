"""The state file for who only reads it: no directory is made, no lock is taken, and no right to write is needed."""

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Self

from runner.store.database import Store, connect, migrate, storage_errors, version_of
from runner.store.schema import MIGRATIONS


class ReadOnlyStore(Store):
    """A store that is only read. It is empty where there is no state file.

    One of an older format is read from a copy in memory, since it must not be changed.
    """

    _uri = ""

    def __enter__(self) -> Self:
        with storage_errors(self.path):
            self._uri = _uri_of(self.path) or _in_memory()
            self._connection = self._reader()
            try:
                if version_of(self._connection) < len(MIGRATIONS):
                    self._connection = self._copied(self._connection)
                migrate(self._connection, self.path)
            except BaseException:
                self.__exit__()
                raise
        return self

    def _copied(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        self._uri = _in_memory()
        copy = self._reader()
        with contextlib.closing(connection):
            connection.backup(copy)
        return copy

    def _reader(self) -> sqlite3.Connection:
        if "mode=rw" in self._uri:
            return connect(self._uri)
        return sqlite3.connect(self._uri, isolation_level=None, uri=True)


def _uri_of(path: Path) -> str | None:
    """How to open a state file; None if there is none.

    Who may write opens it as writers do, for only those take their auxiliary files away again. Nobody else can make
    such files: where there are none, nobody is writing, and the file can be read as it is.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return None
    uri = path.absolute().as_uri()
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return f"{uri}?mode=rw"
    log = path.with_name(f"{path.name}-wal")
    return f"{uri}?mode=ro" if log.exists() else f"{uri}?mode=ro&immutable=1"


def _in_memory() -> str:
    return f"file:{secrets.token_hex(8)}?mode=memory&cache=shared"
