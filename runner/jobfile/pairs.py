"""Pairs of app id and connector id, as a mapping or in short form."""

from runner.base.model import ID_PATTERN, Target
from runner.jobfile.compound import Either, Key, ListOf, Section, Table
from runner.jobfile.scalars import text
from runner.jobfile.texts import PAIR_PATTERN, identifier, line, pair


def _short(written: str) -> Target:
    return Target(*pair(written))


def _target(section: Section) -> Target | None:
    values = section.values
    if "app_id" in values and "connector_id" in values:
        return Target(values["app_id"], values["connector_id"], values.get("name"))
    return None


_ID = text(identifier, unambiguous=True, pattern=f"^{ID_PATTERN}$")

SHORT_FORM = text(_short, pattern=f"^{PAIR_PATTERN}$", examples=["2aXkP/2bYmQ"])
"""`APP/CONNECTOR`."""

MAPPING = Table(
    {
        "app_id": Key(_ID, "The app's id in C1.", required="app_id: 2aXkP"),
        "connector_id": Key(_ID, "The connector's id in C1.", required="connector_id: 2bYmQ"),
        "name": Key(text(line), "A label for the report; it selects nothing."),
    },
    _target,
)
"""`{app_id: APP, connector_id: CONNECTOR, name: LABEL}`, the label being optional."""


PAIRS = ListOf(Either(SHORT_FORM, MAPPING), least=1, distinct=lambda target: target[:2])
"""The pairs of a job: at least one, each pair once, whatever its label."""
