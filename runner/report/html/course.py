"""How the run went: the drawings of a run over time, each with a caption that says it in words and a key."""

from runner.report.extras import Extras
from runner.report.html.axis import axis_of
from runner.report.html.digest import OUTCOMES, Spans
from runner.report.html.flow import flow
from runner.report.html.markup import NOTHING, Markup, element, escaped
from runner.report.html.timeline import timeline
from runner.report.words import connectors, count_text, duration_text, outcome_words
from runner.store.records import RunRecord


def course(run: RunRecord, spans: Spans, extras: Extras) -> Markup:
    """The section, or nothing when nothing was attempted."""
    if not len(spans):
        return NOTHING
    axis = axis_of(run, spans)
    told = f"{connectors(len(spans))} in {duration_text(axis.length)}"
    if waited := sum(spans.throttled):
        told += f"; C1 asked to slow down during the work on {count_text(waited)} of them"
    keys = _keys(run, spans)
    held = {"waited": "held back by the limit"} if any(spans.waited) else {}
    pace = flow(axis, spans, extras.pace)
    refused = {"waited": "429: C1 asked to slow down"} if any(spans.throttled) else {}
    limit = {"limit": "limit, in requests per second"} if 'class="limit"' in pace else {}
    return element(
        "section",
        element("h2", Markup("How it went")),
        _figure("Work on each connector", told, timeline(axis, spans), keys | held),
        _figure("Pace", "Connectors finished per second", pace, keys | refused | limit),
        class_="course",
    )


def _figure(title: str, told: str, drawing: Markup, keys: dict[str, str]) -> Markup:
    if not drawing:
        return NOTHING
    caption = element("figcaption", element("b", escaped(title)), Markup(" "), escaped(f"{told}."))
    items = [element("li", escaped(words), class_=kind) for kind, words in keys.items()]
    return element("figure", caption, drawing, element("ul", *items, class_="legend"))


def _keys(run: RunRecord, spans: Spans) -> dict[str, str]:
    """What the colours mean that occur."""
    words = outcome_words(run)
    return {str(outcome): words[outcome] for place, outcome in enumerate(OUTCOMES) if place in spans.outcomes}
