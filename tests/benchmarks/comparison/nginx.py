"""The other side of the wire: Debian's nginx, on a loopback port, for as long as a block lasts.

It answers what a tenant answers: `{}` to a pause, a token to a sign-in, and with `stateful` the listings of
apps and connectors, in which a paused connector shows as paused. Nobody here wrote it, so it favours nobody.

Packages: nginx-light, libnginx-mod-http-echo, libnginx-mod-http-lua.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_MODULES = Path("/usr/lib/nginx/modules")
_LUA = Path(__file__).with_name("tenant.lua")
_STARTS_WITHIN = 5.0  # seconds

PER_APP = 4
"""Connectors of an app, in every load and every listing."""

APPS = 5_000
"""Apps of the tenant, as its listing shows them."""


@dataclass(frozen=True, slots=True)
class Server:
    """What the server is like."""

    rate: int | None = None  # requests per second and
    burst: int = 0  # how many more at once, before 429 with Retry-After: 1
    latency: float = 0.0  # seconds to every reply
    stateful: bool = False  # remembers what is paused, and lists it


class Request(NamedTuple):
    """A line of the access log."""

    ended_at: float  # seconds since the epoch
    seconds: float
    status: int
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    origin: str
    log: Path

    def requests(self) -> Iterator[Request]:
        """What it answered; complete only when it has ended."""
        with self.log.open() as lines:
            for line in lines:
                ended_at, seconds, status, method, path = line.split(" ", 4)
                yield Request(float(ended_at), float(seconds), int(status), method, path.rstrip("\n"))


def missing() -> list[str]:
    """The packages that would have to be installed."""
    have = {
        "nginx-light": shutil.which("nginx") is not None or Path("/usr/sbin/nginx").exists(),
        "libnginx-mod-http-echo": (_MODULES / "ngx_http_echo_module.so").exists(),
        "libnginx-mod-http-lua": (_MODULES / "ngx_http_lua_module.so").exists(),
    }
    return [package for package, there in have.items() if not there]


@contextmanager
def serving(server: Server, directory: Path) -> Iterator[Running]:
    """A fresh nginx with an empty log and an empty bucket; its files go into `directory`."""
    directory.mkdir()
    port = _free_port()
    (directory / "nginx.conf").write_text(_configuration(server, directory, port))
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    errors = directory / "error.log"
    process = subprocess.Popen([binary, "-p", directory, "-e", errors, "-c", directory / "nginx.conf"])
    try:
        _await_port(port, process, errors)
        yield Running(f"http://127.0.0.1:{port}", directory / "access.log")
    finally:
        process.send_signal(signal.SIGQUIT)  # lets the workers write their logs
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes], errors: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"nginx did not start:\n{errors.read_text()}")


def _configuration(server: Server, directory: Path, port: int) -> str:
    return _FRAME.format(
        modules=_MODULES,
        directory=directory,
        port=port,
        zone=f"limit_req_zone $server_name zone=limit:1m rate={server.rate}r/s;" if server.rate else "",
        limit=f"limit_req zone=limit burst={server.burst} nodelay;" if server.rate else "",
        pause=_pause(server),
        lua=_LUA,
        apps=APPS,
        per_app=PER_APP,
        latency=server.latency,
    )


def _pause(server: Server) -> str:
    """The reply to a pause: `return` is the quickest, but goes past limits; `echo` knows latency, Lua state."""
    if server.stateful:
        return "content_by_lua_block { tenant.pause() }"
    if server.latency:
        return f"echo_sleep {server.latency:g}; echo -n '{{}}';"
    return "echo -n '{}';" if server.rate else "return 200 '{}';"


_FRAME = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_echo_module.so;
load_module {modules}/ngx_http_lua_module.so;
events {{ worker_connections 1024; }}
http {{
    log_format line '$msec $request_time $status $request_method $uri';
    access_log {directory}/access.log line buffer=64k;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 10000000;
    default_type application/json;
    map $status $retry_after {{ 429 1; default ""; }}
    add_header Retry-After $retry_after always;
    limit_req_status 429;
    limit_req_log_level info;
    lua_shared_dict paused 64m;
    init_by_lua_block {{ tenant = dofile("{lua}")({apps}, {per_app}, {latency:g}) }}
    {zone}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        server_name bench;
        error_page 429 @throttled;
        location @throttled {{ return 429 '{{"code": 8, "message": "slow down", "details": []}}'; }}
        location ~ ^/api/v1/apps/[^/]+/connectors/[^/]+/pause$ {{ {limit} {pause} }}
        location = /auth/v1/token {{
            return 200 '{{"access_token": "benchmark", "token_type": "Bearer", "expires_in": 3600}}';
        }}
        location = /api/v1/apps {{ content_by_lua_block {{ tenant.list_apps() }} }}
        location ~ ^/api/v1/apps/(?<app>[^/]+)/connectors$ {{ content_by_lua_block {{ tenant.list_connectors() }} }}
        location / {{ return 404 '{{"code": 5, "message": "not found", "details": []}}'; }}
    }}
}}
"""
