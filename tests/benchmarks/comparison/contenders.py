"""Who is compared: the command that each of them is, for a given site."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.comparison.load import TOKEN, Site
from tests.benchmarks.comparison.tools import Tools

Command = list[str | Path]

_PEERS = Path(__file__).with_name("peers")
_BODY = "{}"
_CURL = (
    "--silent", "--no-progress-meter", "--request", "POST", "--data", _BODY, "--retry", "1000",
    "--header", "Content-Type: application/json", "--header", f"Authorization: Bearer {TOKEN}",
)  # fmt: skip
"""A retry waits as long as Retry-After says; with `--output /dev/null` it would fail, for that cannot be truncated."""

_FIRST = ("--no-preflight", "--no-verify")


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to get the connectors paused."""

    name: str
    command: Callable[[Site, Tools], Command | None]  # None: not to be had on this machine
    ours: bool = False
    pauses: bool = True  # whether it does the work, or is only started
    environment: Callable[[Site], dict[str, str]] = field(default=lambda site: _environment(site))


def _environment(site: Site) -> dict[str, str]:
    """The same small environment for everybody; nothing of the user's is read or written."""
    folder = str(site.folder)
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": folder,
        "CONDUCTORONE_ACCESS_TOKEN": TOKEN,
        "CONDUCTORONE_SERVER_URL": site.origin,
    }


def with_client_credentials(site: Site) -> dict[str, str]:
    """The same, but the token has to be fetched first, with a signed assertion."""
    environment = _environment(site)
    del environment["CONDUCTORONE_ACCESS_TOKEN"]
    return environment | {"CONDUCTORONE_CLIENT_ID": "benchmark@127.0.0.1/pcc", "CONDUCTORONE_CLIENT_SECRET": _secret()}


def _secret() -> str:
    """A client secret in C1's form: a signing key, made for this run."""
    import base64
    import json

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    key = Ed25519PrivateKey.generate()
    public = encoded(key.public_key().public_bytes_raw())
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": public, "d": encoded(key.private_bytes_raw())}
    return f"secret-token:conductorone.com:v1:{encoded(json.dumps(jwk).encode())}"


def c1_runner(*options: str) -> Callable[[Site, Tools], Command]:
    """`c1-runner run`, with journal and JSON report."""

    def command(site: Site, _: Tools) -> Command:
        return [*_run(site, site.job()), *options]

    return command


def _run(site: Site, job: Path) -> Command:
    report, state = site.folder / "report.json", site.folder / "state"
    concurrency = str(site.load.concurrency)
    return [*runner(), "run", job, "--report", report, "--state-dir", state, "--concurrency", concurrency]


def runner() -> Command:
    """The installed command beside this interpreter, or the module."""
    installed = Path(sys.executable).with_name("c1-runner")
    return [installed] if installed.exists() else [sys.executable, "-m", "runner"]


def _plan_tenant(site: Site, _: Tools) -> Command:
    return [*runner(), "plan", site.tenant_wide_job(), "--concurrency", str(site.load.concurrency), "--quiet"]


def _from_mappings(site: Site, _: Tools) -> Command:
    return [*_run(site, site.job(mapping=True)), *_FIRST]


def _bare_aiohttp(site: Site, _: Tools) -> Command:
    return [sys.executable, _PEERS / "bare_aiohttp.py", site.urls(), str(site.load.concurrency), TOKEN]


def _official_sdk(site: Site, tools: Tools) -> Command | None:
    if tools.sdk_python is None:
        return None
    return [tools.sdk_python, _PEERS / "official_sdk.py", site.urls(), str(site.load.concurrency), TOKEN]


def _go(site: Site, tools: Tools) -> Command | None:
    return None if tools.go_program is None else [tools.go_program, site.urls(), str(site.load.concurrency), TOKEN]


def _curl_parallel(site: Site, _: Tools) -> Command:
    parallel = ("--parallel", "--parallel-immediate", "--parallel-max", str(site.load.concurrency))
    return ["curl", *_CURL, *parallel, "--config", site.curl_config()]


def _xargs_curl(site: Site, _: Tools) -> Command:
    return ["xargs", "-a", site.urls(), "-P", str(site.load.concurrency), "-n", "1", "curl", *_CURL]


def _imports(_: Site, __: Tools) -> Command:
    return [sys.executable, "-c", "import aiohttp, anyio, tenacity, yaml"]


def _help(_: Site, __: Tools) -> Command:
    return [*runner(), "--help"]


def _validate(site: Site, _: Tools) -> Command:
    return [*runner(), "validate", site.job()]


IMPORTS = Contender("import aiohttp, anyio, tenacity, yaml", _imports, pauses=False)
HELP = Contender("c1-runner --help", _help, ours=True, pauses=False)
VALIDATE = Contender("c1-runner validate", _validate, ours=True, pauses=False)

EQUAL = Contender("c1-runner, equal work", c1_runner(*_FIRST), ours=True)
FULL = Contender("c1-runner, preflight and verification", c1_runner(), ours=True)
MAPPINGS = Contender("c1-runner, labelled mappings", _from_mappings, ours=True)
MINTING = Contender("c1-runner, signing in", c1_runner(*_FIRST), ours=True, environment=with_client_credentials)
PLAN = Contender("c1-runner plan, the whole tenant", _plan_tenant, ours=True, pauses=False)
AIOHTTP = Contender("bare aiohttp loop", _bare_aiohttp)
SDK = Contender("official Python SDK", _official_sdk)
GO = Contender("Go net/http", _go)
CURL = Contender("curl --parallel", _curl_parallel)
XARGS = Contender("xargs -P curl", _xargs_curl)
