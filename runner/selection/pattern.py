"""One pattern: an exact id or name, a glob on names, or a /regular expression/ on names."""

import fnmatch
import re
import unicodedata
from typing import NamedTuple

from runner.base.model import ConnectorState
from runner.base.units import shown

LONGEST_REGEX = 200
"""Characters of a regular expression."""

STATUS_WORDS = ("active", "running", "paused", "error", "done", "disabled")
"""What `status` can name besides C1's own values, `SYNC_STATUS_...`."""

RAW_STATUS = "sync_status_"
"""How C1's own values begin, case folded."""

_is_glob = re.compile(r"[*?\[]").search


class Named(NamedTuple):
    """Something with an id and a name, made ready to be compared."""

    id: str
    text: str  # the name in Unicode's composed form, without space around it; empty where there is none
    folded: str  # the same without case


def named(identifier: str, name: str | None) -> Named:
    """An id and a name as patterns compare them."""
    text = _composed(name or "")
    return Named(identifier, text, _folded(text))


class Pattern(NamedTuple):
    """What `compile_pattern` makes of a text."""

    text: str
    folded: str
    glob: re.Pattern[str] | None = None  # for folded names
    regex: "Regex | None" = None

    @property
    def is_exact(self) -> bool:
        """Whether it stands for one id or name."""
        return self.glob is None and self.regex is None

    def matches(self, subject: Named) -> bool:
        """Whether it is the id of `subject`, or fits its name.

        A name that equals the text fits, although the text could be read as a glob: `AWS [prod]`.
        """
        if self.text == subject.id:
            return True
        if self.regex is not None:
            return self.regex.fits(subject.text)
        return self.folded == subject.folded or (self.glob is not None and self.glob.match(subject.folded) is not None)


def compile_pattern(text: str) -> Pattern:
    """A pattern from what was written: `/.../` is a regular expression, `*`, `?` and `[` make a glob.

    Names are compared without regard to case and to the space around them, ids exactly. A regular expression
    may fit anywhere in a name. ValueError, in words that follow the name of the setting, for nothing at all and for
    a regular expression that is unfinished, broken or too long.
    """
    composed = _composed(text)
    if not composed:
        raise ValueError("must not be empty")
    if composed.startswith("/") and composed != "/":
        return Pattern(composed, _folded(composed), regex=_regex(composed))
    folded = _folded(composed)
    glob = re.compile(fnmatch.translate(folded)) if _is_glob(folded) else None
    return Pattern(composed, folded, glob=glob)


def status_words(state: ConnectorState) -> list[Named]:
    """Every word that is true of a connector's synchronization, C1's own among them."""
    words = ["paused", "disabled"] if state.paused else ["active"]
    if state.status:
        raw = state.status.casefold()
        words += [raw, *(word for word in ("running", "error", "done") if raw == RAW_STATUS + word)]
    return [Named(word, word, word) for word in words]


def _regex(text: str) -> "Regex":
    if not text.endswith("/"):
        raise ValueError(f"{shown(text)} begins like a regular expression and must end with / (case never matters)")
    body = text[1:-1]
    if not body:
        raise ValueError("the regular expression is empty: write * for everything")
    if len(body) > LONGEST_REGEX:
        raise ValueError(f"a regular expression must have at most {LONGEST_REGEX} characters, not {len(body)}")
    try:
        return Regex(body)
    except ValueError as error:
        why = "".join(each if each.isprintable() else "?" for each in str(error))  # it may quote the text
        raise ValueError(f"{shown(text)} is not a regular expression: {why}") from None


class Regex:
    """A regular expression in RE2's syntax, in any case. No name can keep it busy: RE2 takes linear time.

    ValueError, in RE2's words, for what it does not understand, look-around and back-references among that.
    """

    def __init__(self, body: str) -> None:
        import re2  # takes a while to load, and few patterns need it

        options = re2.Options()
        options.case_sensitive, options.log_errors = False, False
        try:
            self._compiled = re2.compile(_encodable(body), options)
        except re2.error as error:
            why = error.args[0]
            raise ValueError(why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)) from None

    def fits(self, name: str) -> bool:
        """Whether it fits anywhere in a name."""
        return self._compiled.search(_encodable(name)) is not None


def _encodable(text: str) -> str:
    """A text that UTF-8 can have: half a surrogate pair is no character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())
