"""The installed command as a process: its standard output, its standard error, its exit code."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

COMMAND = Path(sys.executable).with_name("c1-runner")
REPOSITORY = Path(__file__).parents[2]

PATIENCE = 120.0
"""Seconds after which a test that waits for the impossible gives up."""


@dataclass(frozen=True)
class Finished:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.stdout)


class Running:
    """A process under way, whose output is read as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._news = threading.Condition()
        self._texts = {"stdout": "", "stderr": ""}
        self._open = len(self._texts)
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def see(self, text: str, stream: str = "stderr") -> str:
        """Return the stream's output so far, once `text` is in it."""
        with self._news:
            self._news.wait_for(lambda: text in self._texts[stream] or not self._open, PATIENCE)
            assert text in self._texts[stream], f"never said {text!r}, but {self._texts}"
            return self._texts[stream]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self, within: float = PATIENCE) -> Finished:
        """Wait for the end, at most so many seconds."""
        code = self.process.wait(within)
        for reader in self._readers:
            reader.join(within)
        return Finished(code, self._texts["stdout"], self._texts["stderr"])

    def kill(self) -> None:
        """End it without a word; wait until it is gone."""
        self.process.kill()
        self.finish()

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self._texts[name] += line
                    self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()


class Shell:
    """Runs the command with a state directory of its own and no settings but the given ones."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "C1_RUNNER_STATE_DIR": str(directory / "state"),
            "C1_RUNNER_PROGRESS": "none",  # so that what is on stderr is what a test is about
            "SSL_CERT_FILE": os.devnull,  # each start would read all the system's authorities, a quarter of its time
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start the command; its output is read through pipes."""
        return self.launch([str(COMMAND), *arguments], env)

    def launch(self, command: Iterable[str], env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start any command, with the environment that ours gets."""
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=self.directory,
            env=self.environment | dict(env or {}),
        )
        self._started.append(process)
        return process

    def unmeasured(self) -> None:
        """Measure no coverage of what follows: its own data would meet the disk that a test breaks."""
        self.environment = {name: value for name, value in self.environment.items() if not name.startswith("COVERAGE")}

    def running(self, *arguments: str, env: Mapping[str, str] | None = None) -> Running:
        """Start the command; its output can be waited for."""
        return Running(self.start(*arguments, env=env))

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Finished:
        """Run the command to its end."""
        return self.pipe([str(COMMAND), *arguments], env=env, stdin=stdin)

    def pipe(self, command: Iterable[str], env: Mapping[str, str] | None = None, stdin: str = "") -> Finished:
        """Run any command to its end, with the environment that ours gets."""
        done = subprocess.run(
            list(command),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=self.directory,
            env=self.environment | dict(env or {}),
            timeout=PATIENCE,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, text: str) -> str:
        """Write a file into the working directory; returns its name."""
        (self.directory / name).write_text(text, encoding="utf-8")
        return name

    def job(self, pairs: Iterable[tuple[str, str]], operation: str = "pause", extra: str = "") -> str:
        """Write a job file over some pairs; returns its name. `extra` is YAML."""
        lines = "".join(f"  - {app_id}/{connector_id}\n" for app_id, connector_id in pairs)
        return self.write("job.yaml", f"version: 1\nname: job\noperation: {operation}\nconnectors:\n{lines}{extra}\n")

    def path(self, name: str) -> Path:
        """A file of the working directory."""
        return self.directory / name

    def report(self, name: str = "out.json") -> Any:
        """A JSON report that was written."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    @contextmanager
    def sandbox(self, *arguments: str) -> Iterator[dict[str, str]]:
        """A sandbox tenant in a process of its own; yields the variables that lead to it."""
        running = self.running("sandbox", *arguments)
        try:
            running.see("serving a simulated tenant")
            running.see("CONDUCTORONE_CLIENT_SECRET", "stdout")
            lines = running.see("\n", "stdout").splitlines()
            pairs = (line.removeprefix("export ").strip().partition("=") for line in lines)
            yield {name: value.strip("'") for name, _, value in pairs}
        finally:
            running.signal(signal.SIGTERM)
            running.finish()

    def end(self) -> None:
        """Leave no process behind, whatever a test forgot."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None and not stream.closed:
                    stream.close()


def outcomes(report: Any) -> dict[str, str]:
    """APP/CONNECTOR and outcome of each result of a report."""
    return {f"{row['app_id']}/{row['connector_id']}": row["outcome"] for row in report["results"]}
