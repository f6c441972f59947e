"""The table of connectors: one row each, complete without a script; a script pages, sorts and filters it."""

from collections.abc import Iterator, Mapping, Sequence

from runner.base.model import Outcome
from runner.report.document import duration
from runner.report.explain import reasons
from runner.report.html.markup import Markup, element, escaped, joined
from runner.report.text import shortened
from runner.report.words import count_text, duration_text, outcome_words, state_change
from runner.store.records import RunRecord, TargetRecord

COLUMNS = ("No.", "Outcome", "App", "Connector", "What happened", "State", "Tries", "Waits", "Took")
"""In the order of the cells; style sheet and script count on it."""

LONGEST = 400
"""Characters of a name or message that a page shows."""


def named(name: str | None, identity: str) -> Markup:
    """A name with its id, kept apart from the text around it whatever its direction."""
    code = element("code", escaped(identity))
    return joined([element("bdi", escaped(shortened(name, LONGEST))), code], " ") if name else code


def chip(outcome: Outcome, word: str) -> Markup:
    """An outcome's word in its colour."""
    return element("b", escaped(word), class_=f"chip {outcome}")


def said(target: TargetRecord) -> Markup:
    """What the record says of a target, and by which name the tenant knows the request."""
    parts = [element("span", escaped(shortened(reason, LONGEST))) for reason in reasons(target)]
    if target.request_id:
        parts.append(element("small", Markup("request "), element("code", escaped(target.request_id))))
    return joined(parts, " ")


class Row:
    """Makes the table's rows for one run; `__call__` with a target."""

    def __init__(self, words: Mapping[Outcome, str]) -> None:
        self._chips = {outcome: element("td", chip(outcome, word)) for outcome, word in words.items()}

    def __call__(self, target: TargetRecord) -> Markup:
        """The row of one target."""
        return element(
            "tr",
            element("td", escaped(str(target.seq + 1))),
            self._chips[target.outcome],
            element("td", named(target.app_name, target.target.app_id)),
            element("td", named(target.connector_name, target.target.connector_id)),
            element("td", said(target)),
            element("td", escaped(state_change(target))),
            element("td", escaped(str(target.attempts or ""))),
            element("td", escaped(str(target.throttled or ""))),
            _took(target),
            data_o=str(target.outcome),
        )


def table(run: RunRecord, rows: Sequence[bytes]) -> Iterator[Markup]:
    """The section with the table of these rows (UTF-8), its controls, and what it leaves out, piece by piece."""
    heads = [element("th", escaped(name), scope="col") for name in COLUMNS]
    yield Markup('<section class="all">')
    yield element("h2", Markup("Every connector"), id="connectors")
    yield _controls(run)
    yield joined([Markup('<table id="table">'), element("thead", element("tr", *heads)), Markup("<tbody>")])
    for row in rows:
        yield Markup(row.decode())
    yield Markup("</tbody></table>")
    yield _pager()
    if left_out := run.planned - len(rows):
        note = (
            f"The table ends here: {count_text(left_out)} more connectors without trouble are in the JSON, NDJSON "
            "and CSV forms of this report."
        )
        yield element("p", escaped(note), class_="muted")
    yield Markup("</section>")


def _controls(run: RunRecord) -> Markup:
    words = outcome_words(run)
    choices = [
        element("option", escaped(f"{word} ({count_text(run.counts[outcome])})"), value=str(outcome))
        for outcome, word in words.items()
        if run.counts[outcome]
    ]
    return element(
        "div",
        element(
            "label",
            element("span", Markup("Search")),
            element("input", id="search", type="search", placeholder="name, id, message", autocomplete="off"),
        ),
        element(
            "label",
            element("span", Markup("Outcome")),
            element("select", element("option", Markup("all"), value=""), *choices, id="outcome"),
        ),
        element("p", id="shown", role="status", aria_live="polite"),
        class_="controls",
        id="controls",
        hidden=True,
    )


def _pager() -> Markup:
    return element(
        "nav",
        element("button", Markup("Previous"), type="button", id="previous"),
        element("span", id="page"),
        element("button", Markup("Next"), type="button", id="next"),
        aria_label="Pages of the table",
        class_="pager",
        id="pager",
        hidden=True,
    )


def _took(target: TargetRecord) -> Markup:
    seconds = duration(target.started_at, target.finished_at)
    return element("td", escaped("" if seconds is None else duration_text(seconds)), data_v=seconds)
