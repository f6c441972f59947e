"""Who we are to the tenant, from `CONDUCTORONE_*` variables and the files that their `..._FILE` twins name.

No `repr` shows a secret, and every error names a variable, never its value.
"""

import codecs
import hashlib
import json
import logging
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runner.base import paths, signing_key
from runner.base.errors import SettingsError

log = logging.getLogger(__name__)

TOKEN = "CONDUCTORONE_ACCESS_TOKEN"
CLIENT_ID = "CONDUCTORONE_CLIENT_ID"
CLIENT_SECRET = "CONDUCTORONE_CLIENT_SECRET"

_MAX_SECRET_BYTES = 64 * 1024
_LAST_MOMENT = 253_402_300_800
"""Epoch seconds at which the year 10000 begins: no token lives so long, and no date goes further."""

_CLOCK_DOUBT = 86_400.0
"""Seconds by which this machine's clock may be wrong; whether a token that ended since is over, the tenant knows."""

_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A ready bearer token; it cannot be renewed."""

    value: str = field(repr=False)

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds at which it ends, as it says itself (`exp`, RFC 7519); None when it does not say so.

        Nothing is verified: this tells a person when to expect the end, and no more.
        """
        moment = _claims(self.value).get("exp")
        if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 < moment < _LAST_MOMENT:
            return None
        return float(moment)

    @property
    def subject(self) -> str | None:
        """Whose token it is, as it says itself (`sub`); None when it does not say so in plain words."""
        subject = _claims(self.value).get("sub")
        if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= _LONGEST_SUBJECT:
            return None
        return subject

    @property
    def identity(self) -> str:
        """Which credential it is, without a secret: its subject, or the beginning of its hash."""
        return self.subject or f"sha256:{hashlib.sha256(self.value.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client id and its secret, exchanged for tokens as they are needed."""

    client_id: str
    secret: str = field(repr=False)

    @property
    def is_key(self) -> bool:
        """Whether the secret is a signing key (then it never leaves this machine)."""
        return self.secret.startswith(signing_key.PREFIX)

    @property
    def expires_at(self) -> None:
        """Never, as far as is known here: tokens are renewed as they are needed."""
        return

    @property
    def identity(self) -> str:
        """Which credential it is, without a secret."""
        return self.client_id


Credential = AccessToken | ClientCredentials


def from_environment(environ: Mapping[str, str], now: float) -> Credential:
    """The credential that the variables hold at `now` (epoch seconds); `SettingsError` says which one to set."""
    token = secret(environ, TOKEN)
    if token is not None:
        return _unexpired(AccessToken(token), now)
    client_id, client_secret = secret(environ, CLIENT_ID), secret(environ, CLIENT_SECRET)
    if client_id is not None and client_secret is not None:
        return ClientCredentials(client_id, client_secret)
    if client_id is not None or client_secret is not None:
        missing = CLIENT_SECRET if client_secret is None else CLIENT_ID
        raise SettingsError(f"{missing} is not set; it goes with the other half of the credential (or {missing}_FILE)")
    raise SettingsError(
        "no credentials: set CONDUCTORONE_CLIENT_ID and CONDUCTORONE_CLIENT_SECRET (or their _FILE twins), "
        "or CONDUCTORONE_ACCESS_TOKEN; `--sandbox` needs none"
    )


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """The value of a variable or of the file that its twin names, None where neither is set; never a damaged one."""
    value, path = environ.get(name), environ.get(f"{name}_FILE")
    if value and path:
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one of them")
    source = name
    if path:
        source = f"{name}_FILE ({path})"
        value = _content(path, source)
    if not value:
        return None
    value = value.rstrip("\r\n")
    _check(value, name, source)
    return value


def _check(value: str, name: str, source: str) -> None:
    """Raise unless the value can be what it is taken for. A key goes nowhere but into the secret's variable."""
    wrong = _fault_of_key(value, name)
    if wrong is not None:
        raise SettingsError(f"{source}: this looks like a signing key, but {wrong}. Nothing was sent")
    if value.startswith((f"{name}=", "export ")):
        raise SettingsError(f"{source}: the value begins with the variable's name; give the value alone")
    if len(value) > 1 and value[0] == value[-1] and value[0] in signing_key.QUOTES:
        raise SettingsError(f"{source}: there are quotes around the value, as if they were a part of it; take them out")
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise SettingsError(f"{source}: the value is empty, or has spaces, control or non-ASCII characters in it")


def _fault_of_key(value: str, name: str) -> str | None:
    if name == CLIENT_SECRET:
        return signing_key.fault(value)
    if name == TOKEN and _claims(value):  # a token may carry the public key that it is bound to
        return None
    return f"it stands in the wrong place: put it into {CLIENT_SECRET}" if signing_key.looks_like_one(value) else None


def _content(path: str, source: str) -> str:
    try:
        file = paths.expanded(path)
        with file.open("rb") as opened:
            content = opened.read(_MAX_SECRET_BYTES + 1)
            if _readable_by_all(file):
                log.warning("%s: everybody on this machine can read it; chmod 600 mends that", source)
    except OSError as error:
        raise SettingsError(f"{source}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SettingsError(f"{source}: {error}") from None
    if len(content) > _MAX_SECRET_BYTES:
        raise SettingsError(f"{source}: larger than {_MAX_SECRET_BYTES // 1024} KiB, so not a secret")
    return _text(content, source) or "\n"


def _text(content: bytes, source: str) -> str:
    """What a file holds, as text; the marks that editors put before it are not taken for a part of it."""
    if b"\0" in content or content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SettingsError(f"{source}: not plain text but UTF-16; save it as UTF-8, without a byte order mark")
    if content.startswith(codecs.BOM_UTF8):
        raise SettingsError(f"{source}: not plain text: a byte order mark stands before it; save it without one")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise SettingsError(f"{source}: not plain text") from None


def _readable_by_all(path: Path) -> bool:
    """Whether any user can open the file: its own mode allows it, and so do those of the folders above."""
    above = (folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
    return bool(path.stat().st_mode & stat.S_IROTH) and all(above)


def _unexpired(token: AccessToken, now: float) -> AccessToken:
    """The token, unless it ended so long ago that no clock's error explains it."""
    end = token.expires_at
    if end is not None and end < now - _CLOCK_DOUBT:
        raise SettingsError(
            f"CONDUCTORONE_ACCESS_TOKEN has expired: it was good until {_moment(end)}, and by this machine's clock "
            f"it is {_moment(now)}; get a new token. Nothing was sent"
        )
    return token


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _claims(token: str) -> Mapping[str, object]:
    """What a JSON web token says of itself, unverified; nothing for any other token, however it is made."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(signing_key.decoded(parts[1]))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
