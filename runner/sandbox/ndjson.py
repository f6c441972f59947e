"""The oracle's file: one JSON object a line, on disk before the reply that depends on it is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any


class NdjsonFile:
    """Appends records and fsyncs them in one go. Blocks the loop: meant for crash tests, not for load."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> NdjsonFile:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def write(self, records: list[dict[str, Any]]) -> None:
        lines = "".join(f"{json.dumps(record)}\n" for record in records).encode()
        while lines:
            lines = lines[os.write(self._descriptor, lines) :]
        os.fsync(self._descriptor)
