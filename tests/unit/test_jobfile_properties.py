"""What holds for every job and for every sequence of bytes."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import jobfile
from runner.base import units
from runner.base.errors import UsageError
from runner.base.model import Exclusion, Job, OperationName, Selection, Target
from runner.base.policy import LimitPolicy, RetryPolicy, Share, Timeouts
from runner.jobfile import source

VALIDATOR = jsonschema.Draft202012Validator(jobfile.json_schema())


class QuotedDumper(yaml.SafeDumper):
    """Writes every text in quotes, as an id such as `1e3` needs."""


QuotedDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
words = st.text("abcXYZ019 äß漢🚀'\"#:,[]{}!&*%@?|>=~-", min_size=1, max_size=40).map(str.strip).filter(bool)
names = st.text("abcXYZ019äß漢🚀 '#,[]{}!&%@=~-", min_size=1, max_size=100).map(str.strip).filter(bool)
patterns = st.text("abcXYZ01?*[]ä -", min_size=1, max_size=20).map(str.strip).filter(bool)
pattern_lists = st.lists(patterns, unique=True, max_size=3).map(tuple)
shares = st.builds(Share, st.integers(1, 500).map(float)) | st.builds(
    Share, st.integers(1, 1000).map(lambda tenth: tenth / 10), st.just(True)
)
targets = st.lists(st.builds(Target, ids, ids, st.none() | words), max_size=5, unique_by=lambda target: target[:2]).map(
    tuple
)
selections = (
    st.none()
    | st.just(Selection(all=True))
    | st.builds(Selection, apps=pattern_lists.filter(bool), owners=pattern_lists)
)
exclusions = (
    st.builds(Exclusion, app=patterns, connector=st.none() | patterns)
    | st.builds(Exclusion, connector=patterns)
    | st.builds(Exclusion, target=st.builds(Target, ids, ids, st.none()))
)
waves = st.lists(st.integers(1, 1000), unique=True, max_size=5).map(
    lambda sizes: (Share(0.5, percent=True), *(Share(float(size)) for size in sorted(sizes)), Share(100, percent=True))
)
limits = st.builds(
    LimitPolicy,
    concurrency=st.integers(1, 200),
    rate=st.none() | st.integers(1, 1000).map(float),
    max_targets=st.none() | shares,
    max_failures=st.none() | shares,
    deadline=st.none() | st.integers(1, 604_800).map(float),
)
hosts = st.sampled_from(["acme.conductor.one", "x.c1eu.ai", "127.0.0.1:8080", "localhost", "[::1]:1"])
jobs = st.builds(
    Job,
    operation=st.sampled_from(OperationName),
    name=names,
    targets=targets,
    select=selections,
    exclude=st.lists(exclusions, unique=True, max_size=4).map(tuple),
    protected=st.lists(exclusions, unique=True, max_size=4).map(tuple),
    allow_empty=st.booleans(),
    waves=st.just(()) | waves,
    tenant=st.none() | hosts,
    reason=words,
    limits=limits,
    retry=st.builds(RetryPolicy, attempts=st.integers(1, 20), outage=st.integers(30, 86_400).map(float)),
    timeouts=st.builds(Timeouts, connect=st.integers(1, 120).map(float), request=st.integers(1, 600).map(float)),
    preflight=st.booleans(),
    verify=st.booleans(),
    reports=st.lists(st.sampled_from(["a.json", "{name}/{started}.CSV", "{run_id}.md"]), unique=True).map(tuple),
).filter(lambda job: job.targets or job.select)


def document(job: Job) -> dict[str, Any]:
    """The plain data of a job file that asks for `job`."""
    optional = {
        "tenant": job.tenant,
        "connectors": [pair(target) for target in job.targets],
        "select": selection(job.select),
        "exclude": [exclusion(each) for each in job.exclude],
        "protected": [exclusion(each) for each in job.protected],
        "waves": [str(each) for each in job.waves],
    }
    bounds = {
        "concurrency": job.limits.concurrency,
        "rate": job.limits.rate and f"{job.limits.rate:g}/s",
        "max_targets": job.limits.max_targets and str(job.limits.max_targets),
        "max_failures": job.limits.max_failures and str(job.limits.max_failures),
        "deadline": job.limits.deadline and units.duration_text(job.limits.deadline),
    }
    return {
        "version": 1,
        "name": job.name,
        "operation": job.operation.value,
        "reason": job.reason,
        **{key: value for key, value in optional.items() if value},
        "limits": {key: value for key, value in bounds.items() if value is not None},
        "allow_empty": job.allow_empty,
        "retry": {"attempts": job.retry.attempts, "outage": units.duration_text(job.retry.outage)},
        "timeouts": {"connect": units.duration_text(job.timeouts.connect), "request": int(job.timeouts.request)},
        "preflight": job.preflight,
        "verify": job.verify,
        "report": list(job.reports),
    }


def pair(target: Target) -> dict[str, str] | str:
    """A pair in short form where it has no label."""
    if target.name is None:
        return str(target)
    return {"app_id": target.app_id, "connector_id": target.connector_id, "name": target.name}


def selection(select: Selection | None) -> dict[str, Any] | None:
    """The keys of a selection that say something."""
    if select is None:
        return None
    if select.all:
        return {"all": True}
    return {key: list(each) for key, each in (("apps", select.apps), ("owners", select.owners)) if each}


def exclusion(each: Exclusion) -> dict[str, str] | str:
    """An exclusion as it is written."""
    if each.target is not None:
        return str(each.target)
    return {key: text for key, text in (("app", each.app), ("connector", each.connector)) if text is not None}


def loaded(text: str, job: Job) -> Job:
    """What `text` asks for, without its origin."""
    found = jobfile.loads(text.encode(), "x.yaml")
    return Job(**{key: getattr(found, key) for key in job.__slots__} | {"path": None, "sha256": None})


@settings(deadline=None)
@given(jobs)
def test_a_job_written_as_yaml_reads_back_as_the_same_job(job: Job) -> None:
    assert loaded(yaml.dump(document(job), Dumper=QuotedDumper, allow_unicode=True), job) == job


@settings(deadline=None)
@given(jobs)
def test_a_job_written_as_json_reads_back_as_the_same_job(job: Job) -> None:
    assert loaded(json.dumps(document(job), ensure_ascii=False), job) == job


@settings(deadline=None)
@given(jobs)
def test_the_schema_accepts_what_the_loader_accepts(job: Job) -> None:
    VALIDATOR.validate(document(job))


ODD_BYTES = [
    *(b"\t", b"\0", b"\xff", b"&a ", b"*a", b"!!x ", b"<<: ", b"? ", b"- ", b"[", b"}", b'"', b"'", b"|\n", b": "),
    *(b"\n---\n", b"...", b"%YAML 1.1\n", b"${X}", b"\xc2\x85", b"\xe2\x80\xa8", b"\\ud800", b"#", b",", b"9" * 400),
]
SEED = b"""version: 1
operation: pause
reason: "why"
connectors:
  - {app_id: a, connector_id: b, name: "x\\u0041"}
  - a/c
select: {all: true}
exclude: [{app: "P*"}, a/c]
protected: [{connector: "/x/"}]
waves: [1, 10%, 100%]
limits: {concurrency: 10, rate: 20/s, max_failures: 10%, deadline: 30m}
report: ["{name}.json"]
"""


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A good file in which some stretches are replaced by odd ones."""
    data = SEED
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data = data[:start] + draw(st.sampled_from(ODD_BYTES) | st.binary(max_size=4)) + data[end:]
    return data


@pytest.mark.parametrize("parser", [yaml.CSafeLoader, yaml.SafeLoader])
@settings(deadline=None)
@given(data=damaged_files() | st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_bytes_give_a_job_or_problems_in_their_places(parser: type[yaml.SafeLoader], data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_Parser", parser)
        try:
            job = jobfile.loads(data, "x.yaml")
        except UsageError as error:
            lines = str(error).split("\n")
            assert all(line.startswith("x.yaml:") and line.isprintable() for line in lines)
        else:
            assert job.targets or job.select
