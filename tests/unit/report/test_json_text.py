"""JSON and NDJSON: the fields of the contract, valid, faithful, safe to look at."""

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.model import Outcome
from runner.report import json_schema, render
from runner.report.document import HEADER_FIELDS, RESULT_FIELDS, STATE_FIELDS, result
from runner.report.text import plain
from tests.unit.report.samples import HOSTILE, Sample, hostile, of_every_outcome, parsed, recorded


def as_text(format: str, sample: Sample) -> str:
    out = io.StringIO()
    render(format, sample.run, sample.targets, out)
    return out.getvalue()


def check_line(line: dict[str, Any]) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator(schema | {"allOf": [{"$ref": "#/$defs/line"}], "required": []}).validate(line)


def test_the_document_has_the_fields_of_the_contract_and_no_others(mixed: Sample) -> None:
    document = parsed(as_text("json", mixed))

    assert tuple(document) == (*HEADER_FIELDS, "results")
    assert document["schema"] == "c1-runner/report/1"
    assert document["job"] == {"name": "hr-freeze", "path": "jobs/hr-freeze.yaml", "sha256": "0" * 64}
    assert document["requests"] == {"total": 12, "retries": 8, "throttled": 2}
    assert document["by"] == {"user": "cron", "host": "ops-1"}
    assert document["until"] is None
    assert {tuple(result) for result in document["results"]} == {RESULT_FIELDS}
    assert tuple(document["results"][0]["before"]) == STATE_FIELDS


def test_times_are_utc_with_milliseconds_and_durations_are_seconds(mixed: Sample) -> None:
    document = parsed(as_text("json", mixed))

    assert document["started_at"] == "2026-11-23T16:26:11.042Z"
    assert document["finished_at"] == "2026-11-23T16:26:52.542Z"
    assert document["duration_s"] == 41.5
    assert document["results"][0]["duration_s"] == 0.75
    assert document["results"][1]["started_at"] is None
    assert document["results"][1]["duration_s"] is None


def test_counts_name_all_six_outcomes_and_add_up_to_the_results(mixed: Sample) -> None:
    document = parsed(as_text("json", mixed))

    assert list(document["counts"]) == [outcome.value for outcome in Outcome]
    assert sum(document["counts"].values()) == len(document["results"]) == 6
    assert [result["outcome"] for result in document["results"]] == [outcome.value for outcome in Outcome]


@pytest.mark.parametrize("format", ["json", "ndjson"])
def test_the_end_of_a_window_is_told(mixed: Sample, format: str) -> None:
    ending = Sample(mixed.store, mixed.run._replace(until=mixed.run.started_at + 3600))
    document, _ = json.JSONDecoder().raw_decode(as_text(format, ending))

    assert document["until"] == "2026-11-23T17:26:11.042Z"


def test_the_state_is_said_in_one_word(mixed: Sample) -> None:
    first = parsed(as_text("json", mixed))["results"][0]

    assert first["before"]["state"] == "active"
    assert first["after"]["state"] == "paused"
    assert first["after"]["paused_at"] == "2026-11-23T16:26:12.5Z"


def test_a_run_that_was_cut_off_has_no_end(tmp_path: Path) -> None:
    with recorded(tmp_path, of_every_outcome(), finish=None) as sample:
        document = parsed(as_text("json", sample))

    assert (document["finished_at"], document["duration_s"], document["exit_code"]) == (None, None, None)
    jsonschema.Draft202012Validator(json_schema()).validate(document)


def test_a_run_without_targets_is_a_valid_document(tmp_path: Path) -> None:
    with recorded(tmp_path, []) as sample:
        document = parsed(as_text("json", sample))

    assert document["results"] == []


def test_the_schema_is_one_and_accepts_every_form(mixed: Sample) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(parsed(as_text("json", mixed)))
    for line in as_text("ndjson", mixed).splitlines():
        check_line(json.loads(line))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("outcome", "lost"), ("started_at", "2026-11-23 16:26"), ("attempts", -1), ("app_id", "a/b")],
)
def test_the_schema_refuses_what_is_not_a_report(mixed: Sample, field: str, wrong: object) -> None:
    document = parsed(as_text("json", mixed))
    document["results"][0][field] = wrong

    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(document)


def test_the_schema_refuses_a_line_of_no_kind(mixed: Sample) -> None:
    line = parsed(as_text("ndjson", mixed).splitlines()[1]) | {"type": "other"}

    with pytest.raises(jsonschema.ValidationError):
        check_line(line)


def test_ndjson_is_the_run_and_then_the_same_results(mixed: Sample) -> None:
    head, *lines = map(parsed, as_text("ndjson", mixed).splitlines())
    document = parsed(as_text("json", mixed))

    assert head == {"type": "run"} | {key: document[key] for key in HEADER_FIELDS}
    assert lines == [{"type": "target", "run_id": document["run_id"]} | result for result in document["results"]]


@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1)))
def test_any_name_reads_back_the_same_and_shows_no_control(name: str) -> None:
    run, target = hostile(name)
    for format in ("json", "ndjson"):
        out = io.StringIO()
        render(format, run, [target], out)
        text = out.getvalue()
        result = parsed(text)["results"][0] if format == "json" else parsed(text.split("\n")[1])

        assert (result["connector_name"], result["error"], result["before"]["reason"]) == (name, name, name)
        assert all(plain(line) == line for line in text.split("\n"))


def test_targets_are_written_as_they_come_and_few_are_held_back(mixed: Sample) -> None:
    out = io.StringIO()
    held_back = []

    def watched() -> Any:
        for number, target in enumerate(list(mixed.targets) * 100):
            held_back.append(number - out.getvalue().count("connector_id"))
            yield target

    render("json", mixed.run, watched(), out)

    assert len(held_back) == 600
    assert max(held_back) < 100


def test_every_target_has_a_line_of_its_own_however_many_there_are(mixed: Sample) -> None:
    tricky = [target._replace(detail='}, {"app_id": "x"}, {"app_id": \n') for target in list(mixed.targets) * 100]
    out = io.StringIO()

    render("json", mixed.run, iter(tricky), out)

    results = [result(target) for target in tricky]
    assert json.loads(out.getvalue())["results"] == results
    lines = out.getvalue().partition('"results": [')[2].splitlines()[1:-2]
    assert [json.loads(line.strip().removesuffix(",")) for line in lines] == results
