"""Where the tenant is and who we are to it, from the environment and files; never from a job file or argv.

The variables are the ones C1's own tools share. Each secret has a `..._FILE` twin that names a file.
Nothing here is shown by `repr`, and every error names a variable, never its value.
"""

import contextlib
import ipaddress
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runner.base import credential, paths
from runner.base.credential import CLIENT_ID, AccessToken, ClientCredentials, Credential
from runner.base.errors import SettingsError
from runner.base.signing_key import PREFIX as SECRET_PREFIX

__all__ = ["SECRET_PREFIX", "AccessToken", "ClientCredentials", "Settings", "check_pin", "from_environment"]

_URL = "CONDUCTORONE_SERVER_URL"
_DOMAIN = "CONDUCTORONE_TENANT_DOMAIN"
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """One tenant and one credential."""

    origin: str  # scheme://host[:port], no trailing slash
    credential: Credential
    proxy: str | None = field(default=None, repr=False)  # may hold a password

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Those of `CONDUCTORONE_*` variables; raises `SettingsError` that says which variable to set."""
        return from_environment(environ)

    @property
    def tenant(self) -> str:
        """The tenant as a job's pin names it: host, with the port where the address has one."""
        return urlsplit(self.origin).netloc

    @property
    def host(self) -> str:
        """The tenant's host name, without a port (the audience of a client assertion)."""
        return urlsplit(self.origin).hostname or ""

    @property
    def identity(self) -> str:
        """Which credential this is, without a secret: the client id, the token's subject, or a part of its hash."""
        return self.credential.identity

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/auth/v1/token"

    @property
    def api_url(self) -> str:
        """The root of the API."""
        return f"{self.origin}/api/v1"


def from_environment(environ: Mapping[str, str], now: float | None = None) -> Settings:
    """Settings from `CONDUCTORONE_*` variables; raises `SettingsError` that says which variable to set.

    `now` is the time in epoch seconds, this machine's where none is given: a token that ended long ago is refused.
    """
    held = credential.from_environment(environ, time.time() if now is None else now)
    origin = _origin(environ, held)
    if origin.startswith("https:"):
        _check_authorities(environ)
    return Settings(origin, held, _proxy(environ, origin))


def check_pin(pin: str | None, settings: Settings) -> None:
    """Raise `SettingsError` unless the job's tenant pin, if it has one, is the tenant of the settings."""
    if pin is not None and pin.lower() != settings.tenant:
        raise SettingsError(
            f"the job is for tenant {pin}, but the credentials lead to {settings.tenant}; nothing was sent. "
            "Use that tenant's credentials, or correct `tenant:` in the job file"
        )


def _origin(environ: Mapping[str, str], held: Credential) -> str:
    """Where the tenant is: as the variables of its host say, else as the client id does.

    The variables go before the id, as with C1's own tools; these do not agree on which of the two goes first.
    """
    given = {name: _origin_of(text, name) for name in (_URL, _DOMAIN) if (text := environ.get(name))}
    if len({urlsplit(origin).hostname for origin in given.values()}) > 1:
        hosts = " and ".join(f"{name} names {urlsplit(origin).hostname}" for name, origin in given.items())
        raise SettingsError(f"{hosts}, so the tenant is not certain; unset one of them. Nothing was sent")
    if given:
        return next(iter(given.values()))
    client_id = held.client_id if isinstance(held, ClientCredentials) else credential.secret(environ, CLIENT_ID)
    if client_id is None:
        raise SettingsError(
            "the tenant is not known: set CONDUCTORONE_TENANT_DOMAIN to its full host name, such as acme.conductor.one"
        )
    _, at, rest = client_id.partition("@")
    if not at:
        raise SettingsError(
            "CONDUCTORONE_CLIENT_ID names no host (it looks like <id>@<host>/<use>); "
            "set CONDUCTORONE_TENANT_DOMAIN to the tenant's full host name"
        )
    return _origin_of_host(rest.partition("/")[0], CLIENT_ID)


def _origin_of_host(host: str, source: str) -> str:
    host = host.lower()
    if "." not in host and _HOST.fullmatch(host):
        raise SettingsError(
            f"{source}: {host!r} is not a full host name; write {host}.conductor.one, or {host}.c1eu.ai for the EU"
        )
    if not _HOST.fullmatch(host):
        raise SettingsError(f"{source}: {host!r} is not a host name such as acme.conductor.one")
    return f"https://{host}"


def _origin_of(text: str, name: str) -> str:
    """The origin in a variable that holds a URL, or a host alone: either is understood in either variable."""
    text = text.strip()
    if "://" not in text and ":" not in text and text.lower() != "localhost":
        return _origin_of_host(text.removesuffix("/"), name)
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError(f"{name}: not a URL; write https://<tenant>.conductor.one") from None
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise SettingsError(f"{name}: give scheme and host only, such as https://acme.conductor.one")
    loopback = _is_loopback(host)
    if parts.scheme not in ("https", "http") or not (loopback or _HOST.fullmatch(host)):
        raise SettingsError(f"{name}: not a URL such as https://acme.conductor.one")
    if parts.scheme == "http" and not loopback:
        raise SettingsError(f"{name}: http:// is refused, the token would travel in clear; write https://{host}")
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != default else "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_authorities(environ: Mapping[str, str]) -> None:
    """Raise unless there is something to check a certificate with: no tenant's would be valid."""
    import ssl  # which commands without a tenant do not need

    known = ssl.get_default_verify_paths()
    file = _place(environ, known.openssl_cafile_env, known.openssl_cafile)
    directory = _place(environ, known.openssl_capath_env, known.openssl_capath)
    with contextlib.suppress(OSError):
        if file.is_file() or (directory.is_dir() and any(directory.iterdir())):
            return
    raise SettingsError(
        f"no certificate authorities: there is nothing in {file} or {directory}; install the system's "
        "(ca-certificates), or set SSL_CERT_FILE to a bundle"
    )


def _place(environ: Mapping[str, str], name: str, default: str) -> Path:
    """Where OpenSSL looks. It reads the variable itself, as it stands: a ~ would be passed over without a word."""
    written = environ.get(name, default)
    try:
        path = paths.expanded(written)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None
    if written.startswith("~"):
        raise SettingsError(f"{name}: OpenSSL reads it as it stands, with the ~; write {path}")
    return path


def _proxy(environ: Mapping[str, str], origin: str) -> str | None:
    """The proxy for the tenant, by the usual variables; a loopback address is never proxied."""
    scheme, host = urlsplit(origin).scheme, urlsplit(origin).hostname or ""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    name = next((name for name in names if environ.get(name)), None)
    if name is None or _is_loopback(host):
        return None
    for pattern in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(","):
        suffix = pattern.strip().lstrip("*").lstrip(".").lower()
        if pattern.strip() == "*" or (suffix and (host == suffix or host.endswith(f".{suffix}"))):
            return None
    return _checked_proxy(environ[name], name)


def _checked_proxy(proxy: str, name: str) -> str:
    """The proxy's URL; the error does not show it, for it may hold a password."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{name}: not the URL of an HTTP proxy, such as http://proxy.example.com:3128")
    return url
