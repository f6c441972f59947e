"""Where the tenant is and who we are to it, from the environment and files; never from a job file or argv.

The variables are the ones C1's own tools share. Each secret has a `..._FILE` twin that names a file.
Nothing here is shown by `repr`, and every error names a variable, never its value.
"""

import contextlib
import ipaddress
import logging
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runner.errors import SettingsError

log = logging.getLogger(__name__)

SECRET_PREFIX = "secret-token:conductorone.com:v1:"
"""What a client secret that is an Ed25519 key begins with; the prefix is part of the secret."""

_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_SECRET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A ready bearer token; it cannot be renewed."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client id and its secret, exchanged for tokens as they are needed."""

    client_id: str
    secret: str = field(repr=False)

    @property
    def is_key(self) -> bool:
        """Whether the secret is a signing key (then it never leaves this machine)."""
        return self.secret.startswith(SECRET_PREFIX)


@dataclass(frozen=True, slots=True)
class Settings:
    """One tenant and one credential."""

    origin: str  # scheme://host[:port], no trailing slash
    credential: AccessToken | ClientCredentials
    proxy: str | None = field(default=None, repr=False)  # may hold a password

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
        """Which credential this is; nothing secret."""
        credential = self.credential
        return credential.client_id if isinstance(credential, ClientCredentials) else "access token"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/auth/v1/token"

    @property
    def api_url(self) -> str:
        """The root of the API."""
        return f"{self.origin}/api/v1"


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings from `CONDUCTORONE_*` variables; raises `SettingsError` that says which variable to set."""
    credential = _credential(environ)
    origin = _origin(environ, credential)
    if origin.startswith("https:"):
        _check_authorities(environ)
    return Settings(origin, credential, _proxy(environ, origin))


def check_pin(pin: str | None, settings: Settings) -> None:
    """Raise `SettingsError` unless the job's tenant pin, if it has one, is the tenant of the settings."""
    if pin is not None and pin.lower() != settings.tenant:
        raise SettingsError(
            f"the job is for tenant {pin}, but the credentials lead to {settings.tenant}; nothing was sent. "
            "Use that tenant's credentials, or correct `tenant:` in the job file"
        )


def _credential(environ: Mapping[str, str]) -> AccessToken | ClientCredentials:
    token = _secret(environ, "CONDUCTORONE_ACCESS_TOKEN")
    if token is not None:
        return AccessToken(token)
    client_id = _secret(environ, "CONDUCTORONE_CLIENT_ID")
    secret = _secret(environ, "CONDUCTORONE_CLIENT_SECRET")
    if client_id is not None and secret is not None:
        return ClientCredentials(client_id, secret)
    if client_id is not None or secret is not None:
        missing = "CONDUCTORONE_CLIENT_SECRET" if secret is None else "CONDUCTORONE_CLIENT_ID"
        raise SettingsError(f"{missing} is not set; it goes with the other half of the credential (or {missing}_FILE)")
    raise SettingsError(
        "no credentials: set CONDUCTORONE_CLIENT_ID and CONDUCTORONE_CLIENT_SECRET (or their _FILE twins), "
        "or CONDUCTORONE_ACCESS_TOKEN; `--sandbox` needs none"
    )


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    value, path = environ.get(name), environ.get(f"{name}_FILE")
    if value and path:
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one of them")
    source = name
    if path:
        source = f"{name}_FILE ({path})"
        value = _read_secret(Path(path), source)
    if not value:
        return None
    value = value.rstrip("\r\n")
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise SettingsError(f"{source}: the value is empty, or has spaces, control or non-ASCII characters in it")
    return value


def _read_secret(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
            if _readable_by_all(path):
                log.warning("%s: everybody on this machine can read it; chmod 600 mends that", source)
    except OSError as error:
        raise SettingsError(f"{source}: cannot be read ({error.strerror})") from error
    if len(content) > _MAX_SECRET_BYTES:
        raise SettingsError(f"{source}: larger than {_MAX_SECRET_BYTES // 1024} KiB, so not a secret")
    try:
        return content.decode("ascii") or "\n"
    except UnicodeDecodeError:
        raise SettingsError(f"{source}: not plain text") from None


def _readable_by_all(path: Path) -> bool:
    """Whether any user can open the file: its own mode allows it, and so do those of the folders above."""
    above = (folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
    return bool(path.stat().st_mode & stat.S_IROTH) and all(above)


def _origin(environ: Mapping[str, str], credential: AccessToken | ClientCredentials) -> str:
    if url := environ.get("CONDUCTORONE_SERVER_URL"):
        return _origin_of_url(url.strip())
    if domain := environ.get("CONDUCTORONE_TENANT_DOMAIN"):
        return _origin_of_host(domain.strip(), "CONDUCTORONE_TENANT_DOMAIN")
    if isinstance(credential, ClientCredentials):
        _, at, rest = credential.client_id.partition("@")
        if not at:
            raise SettingsError(
                "CONDUCTORONE_CLIENT_ID names no host (it looks like <id>@<host>/<use>); "
                "set CONDUCTORONE_TENANT_DOMAIN to the tenant's full host name"
            )
        return _origin_of_host(rest.partition("/")[0], "CONDUCTORONE_CLIENT_ID")
    raise SettingsError(
        "the tenant is not known: set CONDUCTORONE_TENANT_DOMAIN to its full host name, such as acme.conductor.one"
    )


def _origin_of_host(host: str, source: str) -> str:
    host = host.lower()
    if "." not in host and _HOST.fullmatch(host):
        raise SettingsError(
            f"{source}: {host!r} is not a full host name; write {host}.conductor.one, or {host}.c1eu.ai for the EU"
        )
    if not _HOST.fullmatch(host):
        raise SettingsError(f"{source}: {host!r} is not a host name such as acme.conductor.one")
    return f"https://{host}"


def _origin_of_url(url: str) -> str:
    name = "CONDUCTORONE_SERVER_URL"
    try:
        parts = urlsplit(url)
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
    file = Path(environ.get(known.openssl_cafile_env, known.openssl_cafile))
    directory = Path(environ.get(known.openssl_capath_env, known.openssl_capath))
    with contextlib.suppress(OSError):
        if file.is_file() or (directory.is_dir() and any(directory.iterdir())):
            return
    raise SettingsError(
        f"no certificate authorities: there is nothing in {file} or {directory}; install the system's "
        "(ca-certificates), or set SSL_CERT_FILE to a bundle"
    )


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
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{name}: not the URL of an HTTP proxy, such as http://proxy.example.com:3128")
    return url
