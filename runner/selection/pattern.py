"""One pattern: an exact id or name, a glob on names, or a /regular expression/ on names."""

import fnmatch
import re
import unicodedata
import warnings
from typing import NamedTuple

from runner.model import ConnectorState
from runner.selection.effort import MOST_WAYS, tokens, ways, without_open_ends
from runner.units import shown

LONGEST_REGEX = 200
"""Characters of a regular expression."""

SEARCHED = 200
"""Characters of a name that a regular expression gets to see."""

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
    regex: re.Pattern[str] | None = None

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
            return self.regex.search(subject.text[:SEARCHED]) is not None
        return self.folded == subject.folded or (self.glob is not None and self.glob.match(subject.folded) is not None)


def compile_pattern(text: str) -> Pattern:
    """A pattern from what was written: `/.../` is a regular expression, `*`, `?` and `[` make a glob.

    Names are compared without regard to case and to the space around them, ids exactly. A regular expression
    may fit anywhere in the first 200 characters of a name. ValueError, in words that follow the name of the
    setting, for nothing at all and for a regular expression that is unfinished, broken or too long, or that
    can take for ever on the wrong name, as `(a+)+` and `(a|ab)*` can.
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


def _regex(text: str) -> re.Pattern[str]:
    if not text.endswith("/"):
        raise ValueError(f"{shown(text)} begins like a regular expression and must end with / (case never matters)")
    body = text[1:-1]
    if not body:
        raise ValueError("the regular expression is empty: write * for everything")
    if len(body) > LONGEST_REGEX:
        raise ValueError(f"a regular expression must have at most {LONGEST_REGEX} characters, not {len(body)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a future Python might read differently
            compiled = re.compile(body, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        why = "".join(each if each.isprintable() else "?" for each in str(error))  # it may quote the text
        raise ValueError(f"{shown(text)} is not a regular expression: {why}") from error
    if _repeats_a_repetition(body):
        raise ValueError(f"{shown(text)} repeats a repetition, which can take for ever: take one of the two out")
    if ways(without_open_ends(body), SEARCHED) > MOST_WAYS:
        raise ValueError(
            f"{shown(text)} fits in so many ways that it can take for ever: take out some of * + ? {{}} and |, "
            "or give alternatives that are repeated different first letters"
        )
    reduced = without_open_ends(body)
    return compiled if reduced == body else re.compile(reduced, re.IGNORECASE)


def _repeats_a_repetition(body: str) -> bool:
    """Whether a group that can repeat something more or less often is itself repeated."""
    groups = [False]  # for every group that is open: whether it holds such a repetition
    closed = False  # the same of the group that ended just before
    for token in tokens(body):
        if token in ("*", "+") or (token[0] == "{" and len(token) > 1):
            if closed:
                return True
            groups[-1] |= token in ("*", "+") or "," in token  # {3} is always the same
        ended = token == ")" and len(groups) > 1
        closed = groups.pop() if ended else False
        groups[-1] |= closed
        if token[0] == "(" and token[-1] != ")":
            groups.append(False)
    return False


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())
