"""What the other contenders need: an environment for the official SDK, a compiled program."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_GO_SOURCE = Path(__file__).with_name("peers") / "pause.go"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where they are; None: not to be had here."""

    sdk_python: Path | None
    go_program: Path | None


def prepare(cache: Path) -> Tools:
    """Make what is missing in `cache`, and say on stderr what cannot be made."""
    cache.mkdir(parents=True, exist_ok=True)
    return Tools(_attempt("the official SDK", _install_sdk, cache), _attempt("the Go program", _build_go, cache))


def default_cache() -> Path:
    """Where tools are kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "c1-runner-benchmarks"


def _attempt(what: str, make: Callable[[Path], Path], cache: Path) -> Path | None:
    try:
        return make(cache)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"left out: {what} ({error})", file=sys.stderr)
        return None


def _install_sdk(cache: Path) -> Path:
    folder = cache / "sdk"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "conductorone-sdk"], check=True)
        ready.touch()
    return python


def _build_go(cache: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError("go is not installed")
    program = cache / "pause_go"
    subprocess.run([go, "build", "-o", program, _GO_SOURCE], check=True)
    return program
