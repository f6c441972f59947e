"""Patterns, and the rules made of them that leave connectors alone: `exclude` and `protected`."""

from runner.base import units
from runner.base.model import ConnectorKind, Exclusion, Target
from runner.jobfile import texts
from runner.jobfile.compound import Either, Key, ListOf, Section, Table
from runner.jobfile.scalars import Scalar, choice, text


def _exclusion(section: Section) -> Exclusion:
    if not section.places:
        section.problem("give app, connector, kind or several of them")
    return Exclusion(**section.values)


def _pair(written: str) -> Exclusion:
    try:
        return Exclusion(target=Target(*texts.pair(written)))
    except ValueError:
        expected = "expected APP/CONNECTOR, or {app: NAME}, {connector: NAME}, {kind: mcp} or several in one"
        raise ValueError(f"{expected}, not {units.shown(written)}") from None


PATTERNS = ListOf(text(texts.pattern, minLength=1), least=1, lenient=True)
"""One or more ids, names, globs or /regular expressions/."""


def _kind() -> Scalar[ConnectorKind]:
    words = choice(*ConnectorKind)
    return Scalar(lambda written: ConnectorKind(words.convert(written)), words.json, words.textual)


KIND = _kind()
"""What a connector is: connector or mcp."""

_PAIR = text(_pair, pattern=f"^{texts.PAIR_PATTERN}$", examples=["2aXkP/2cZnR"])

_NAMED = Table(
    {
        "app": Key(text(texts.pattern), "An app: its exact id, or its name as a glob or /regular expression/."),
        "connector": Key(
            text(texts.pattern), "A connector: its exact id, or its name as a glob or /regular expression/."
        ),
        "kind": Key(KIND, "A kind: mcp, the MCP servers, or connector, all others."),
    },
    _exclusion,
    {"minProperties": 1},
)

RULES = ListOf(Either(_PAIR, _NAMED))
"""Connectors to leave alone: pairs in short form, or apps and connectors by id or name, or by kind."""
