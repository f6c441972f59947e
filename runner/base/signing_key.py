"""A client secret that is a signing key, and what merely looks like one.

A key signs, and never leaves this machine (`runner.api.assertion`). A key that was damaged on its way here
(quoted, cut, with a variable's name before it) is no key any more, but what it holds is as secret as before:
whoever takes it for a plain secret gives it away. Nothing here shows a value.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

PREFIX = "secret-token:conductorone.com:v1:"
"""What a client secret that is an Ed25519 key begins with; the prefix is part of the secret."""

QUOTES = "'\"`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"

_KEY_BYTES = 32  # of an Ed25519 key, private or public (RFC 8032)

_marks = re.compile(  # of C1's secrets, of PEM, of a JSON web key (RFC 7517, 8037), of PKCS #8: Ed25519, RSA, EC
    rb"secret-token:|conductorone\.com:v1:|private key"
    rb"|[\"'](?:kty|crv|d|x)[\"']\s*:\s*[\"']"
    rb"|\x06\x03\x2b\x65\x70\x04|\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01|\x2a\x86\x48\xce\x3d\x02\x01",
    re.IGNORECASE,
).search
_base64_runs = re.compile(r"[A-Za-z0-9+/_-]{8,}").findall
_is_encoded = re.compile(r"[A-Za-z0-9_-]+={0,2}").fullmatch
_is_assigned = re.compile(  # in a shell, a .env file, YAML; base64 that is padded is none
    r"\s*(?:(?:export|set)\s+)?(?:\$env:)?[A-Za-z_]\w*\s*(?:=(?!=*\s*$)|:\s)", re.IGNORECASE
).match


def looks_like_one(value: str) -> bool:
    """Whether there is a private key in the value, or a part of one, in whatever wrapping."""
    return any(_marks(reading) for reading in _readings(value))


def fault(value: str) -> str | None:
    """What is wrong with a value that looks like a key, to follow "but"; None for a good key, and for anything else."""
    if not looks_like_one(value):
        return None
    if is_assigned(value):
        return "a variable's name stands before it: give the value alone"
    if is_quoted(value):
        return "there are quotes around it: take them out"
    if not value.startswith(PREFIX):
        return f"it does not begin with {PREFIX}, as C1 issues it: copy it again, whole"
    return _fault_of_body(value.removeprefix(PREFIX))


def is_quoted(value: str) -> bool:
    """Whether a quotation mark stands at an end of the value."""
    return value.strip()[:1] in set(QUOTES) or value.strip()[-1:] in set(QUOTES)


def is_assigned(value: str) -> bool:
    """Whether the value begins with a name that it is assigned to, as in a shell or a YAML file."""
    return _is_assigned(value) is not None


def _readings(value: str) -> Iterator[bytes]:
    """The value as it stands, without percent signs, and decoded from base64 wherever it may begin."""
    yield value.encode("utf-8", "replace")
    yield unquote(value, errors="replace").encode("utf-8", "replace")
    for run in _base64_runs("".join(value.split())):
        for piece in ("A" * missing + run for missing in range(4)):  # characters that were cut off before it
            yield base64.urlsafe_b64decode(piece[: -1 if len(piece) % 4 == 1 else None] + "==")


def _fault_of_body(encoded: str) -> str | None:
    if any(character.isspace() for character in encoded):
        return "there are spaces or line breaks in it: it is one line without any"
    if not _is_encoded(encoded):
        return "there are characters in it that no key has: copy it again, alone and whole"
    try:
        document = json.loads(decoded(encoded))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return "it was cut or changed: copy it again, whole"
    if document.get("crv") != "Ed25519" or "d" not in document:
        return "it holds no private Ed25519 key: make a new credential"
    if not all(_is_whole(document.get(name)) for name in ("d", "x")):
        return "it was cut or changed: copy it again, whole"
    return None


def _is_whole(part: object) -> bool:
    try:
        return isinstance(part, str) and len(decoded(part)) == _KEY_BYTES
    except ValueError:
        return False


def decoded(text: str) -> bytes:
    """Bytes from base64url with or without padding; ValueError for anything else."""
    if not _is_encoded(text):
        raise ValueError("not base64url")
    bare = text.rstrip("=")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))  # its binascii.Error is a ValueError
