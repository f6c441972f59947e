"""What a contender is given to do, in the form it takes: URLs, a configuration of curl, a job file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.comparison.nginx import PER_APP

TOKEN = "benchmark"  # nobody checks it


@dataclass(frozen=True, slots=True)
class Load:
    """So many connectors to pause, so many requests at once."""

    count: int
    concurrency: int

    def pairs(self) -> Iterator[tuple[str, str]]:
        """App id and connector id of each."""
        for number in range(self.count):
            app = f"app{number // PER_APP}"
            yield app, f"{app}c{number % PER_APP}"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one run takes place."""

    origin: str  # of the server
    folder: Path  # empty, of this run alone
    load: Load

    def urls(self) -> Path:
        """A file with one URL per line."""
        return self._write("urls", (f"{self._url(*pair)}\n" for pair in self.load.pairs()))

    def curl_config(self) -> Path:
        """The same as a configuration file of curl."""
        entries = (f'url = "{self._url(*pair)}"\n' for pair in self.load.pairs())
        return self._write("curl.conf", entries)

    def job(self, *, mapping: bool = False) -> Path:
        """The same as a job file, its pairs in short form or as labelled mappings."""
        form = "  - {{app_id: {0}, connector_id: {1}, name: Connector {1}}}\n" if mapping else "  - {0}/{1}\n"
        head = "version: 1\nname: benchmark\noperation: pause\nconnectors:\n"
        return self._write("job.yaml", [head, *(form.format(*pair) for pair in self.load.pairs())])

    def tenant_wide_job(self) -> Path:
        """A job over whatever connectors the tenant has."""
        text = "version: 1\nname: benchmark\noperation: pause\nreason: benchmark\nselect: {all: true}\n"
        return self._write("job.yaml", [text])

    def _url(self, app: str, connector: str) -> str:
        return f"{self.origin}/api/v1/apps/{app}/connectors/{connector}/pause"

    def _write(self, name: str, parts: Iterator[str] | list[str]) -> Path:
        path = self.folder / name
        with path.open("w") as file:
            file.writelines(parts)
        return path
