"""Reports of runs whose clock was set back or forward meanwhile: no time in them is negative, whatever the format."""

import io
import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.base.model import Outcome
from runner.report import FORMATS, Extras, recap, render
from runner.store import PaceSample, RunRecord, TargetRecord
from tests.unit.report.samples import START, hostile

NEGATIVE = re.compile(r"(?<![\w.])-[0-9][0-9,.]*( (ms|s|min|h)\b|/s)|=[\"\']-[0-9]|M-[0-9]")
"""A negative duration or rate in words, or a length or a place in a drawing that lies outside it."""

moments = st.floats(-4000, 4000)


def at_odds(end: float, spans: list[tuple[float, float]], waited: float) -> tuple[RunRecord, list[TargetRecord]]:
    """A run that ended so many seconds after its start, and targets with their two moments."""
    run, target = hostile("freeze")
    rows = [
        target._replace(
            seq=seq,
            outcome=Outcome.CHANGED,
            started_at=START + started,
            finished_at=START + finished,
            throttled=1,
            waited=waited,
        )
        for seq, (started, finished) in enumerate(spans)
    ]
    counts = dict.fromkeys(Outcome, 0) | {Outcome.CHANGED: len(rows)}
    return run._replace(finished_at=START + end, counts=counts, throttled=len(rows)), rows


@pytest.mark.parametrize("format", [*FORMATS.values(), "text"])
@given(
    end=moments,
    spans=st.lists(st.tuples(moments, moments), min_size=1, max_size=5),
    paces=st.lists(moments, max_size=5),
    waited=st.floats(0, 4000),
)
@example(end=-3600, spans=[(1, -3599)], paces=[-3600, 0], waited=5)
def test_no_time_is_negative(
    format: str, end: float, spans: list[tuple[float, float]], paces: list[float], waited: float
) -> None:
    run, rows = at_odds(end, spans, waited)
    pace = tuple(PaceSample(START + at, 10.0, 1) for at in sorted(paces))
    out = io.StringIO(newline="")
    if format == "text":
        out.write(recap(run, rows))
    else:
        render(format, run, rows, out, Extras(pace=pace))
    text = out.getvalue()

    assert not NEGATIVE.search(text), NEGATIVE.search(text)
    if format == "json":
        document = json.loads(text)
        assert all(row["duration_s"] >= 0 for row in (document, *document["results"]))
    if format == "junit":
        assert all(float(found.get("time", 0)) >= 0 for found in ElementTree.fromstring(text).iter())
