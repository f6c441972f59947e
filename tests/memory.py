"""Where tests keep their files that are not about the disk."""

import shutil
from pathlib import Path

_SHARED = Path("/dev/shm")
_ENOUGH = 2**28
"""Bytes; a container may have less than a thorough check needs."""

MEMORY = _SHARED if _SHARED.is_dir() and shutil.disk_usage(_SHARED).free > _ENOUGH else None
"""A directory in memory, for a state file waits for the disk at each commit: nine tenths of the time of a busy run.
None: the usual one."""
