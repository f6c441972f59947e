"""A reply that comes compressed although none was asked for: undone within the bound, or named."""

import zlib
from typing import NamedTuple

_ANY_HEADER = zlib.MAX_WBITS | 32  # gzip or zlib, whichever it is
_NO_HEADER = -zlib.MAX_WBITS  # what some servers send as deflate
_WBITS = {"gzip": (_ANY_HEADER,), "x-gzip": (_ANY_HEADER,), "deflate": (_ANY_HEADER, _NO_HEADER)}


class Unpacked(NamedTuple):
    """A body as it is now, and what is to be said of it."""

    body: bytes
    truncated: bool = False  # it ended before its compression did
    too_large: bool = False  # there was more than the bound
    packed: str = ""  # the compression that it still has


def unpack(body: bytes, encoding: str, limit: int) -> Unpacked:
    """The body without its compression `encoding` (a Content-Encoding), never longer than `limit` bytes."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return Unpacked(body)
    for wbits in _WBITS.get(name, ()):
        try:
            return _inflated(body, wbits, limit)
        except zlib.error:
            continue
    return Unpacked(body, packed=name)


def _inflated(body: bytes, wbits: int, limit: int) -> Unpacked:
    machine = zlib.decompressobj(wbits)
    found = machine.decompress(body, limit + 1)  # never more than that, whatever the body would become
    return Unpacked(found[:limit], truncated=not machine.eof, too_large=len(found) > limit)
