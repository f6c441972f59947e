"""What job files say when they are right, and how they are found."""

import hashlib
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from runner import jobfile
from runner.base import policy
from runner.base.errors import JobFileError, UsageError
from runner.base.model import Exclusion, Job, OperationName, Selection, Target, Window
from runner.base.policy import LimitPolicy, RetryPolicy, Share, Timeouts
from runner.jobfile import source

FULL = """\
version: 1
name: hr-freeze
operation: pause                      # pause | resume | force_sync
tenant: acme.conductor.one            # a pin: any other tenant is refused
reason: "CHG-1234 HR migration"       # required with select.all
connectors:                           # pairs: mapping or short form; an optional label for the report
  - {app_id: 2aXkP, connector_id: 2bYmQ, name: Okta}
  - 2aXkP/2cZnR
select: {all: true}
exclude: [{app: "Payroll*"}, 2aXkP/2cZnR, {app: HR, connector: /^old/}]
protected: [{connector: "/root$/"}, 2dRtV/2eSuW]
allow_empty: true
waves: [1, 10%, 100%]
limits: {concurrency: 20, rate: 20/s, max_targets: 50, max_failures: 10%, deadline: 30m}
retry: {attempts: 7, outage: 30m}
timeouts: {connect: 5s, request: 500ms}
preflight: false
verify: false
report: ["reports/{name}-{started}.json", "reports/{name}-{started}.html"]
"""

SHORT = "version: 1\noperation: resume\nconnectors: [a/b]\n"


def loads(text: str | bytes, path: str = "jobs/night.yaml") -> Job:
    return jobfile.loads(text if isinstance(text, bytes) else text.encode(), path)


def with_line(line: str) -> Job:
    return loads(f"{SHORT}{line}\n")


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers; the second one is there where it was built without libyaml."""
    monkeypatch.setattr(source, "_Parser", getattr(yaml, request.param))


@pytest.mark.usefixtures("parser")
def test_every_key_of_the_format_arrives_in_the_job() -> None:
    assert loads(FULL) == Job(
        operation=OperationName.PAUSE,
        name="hr-freeze",
        targets=(Target("2aXkP", "2bYmQ", "Okta"), Target("2aXkP", "2cZnR")),
        select=Selection(all=True),
        exclude=(
            Exclusion(app="Payroll*"),
            Exclusion(target=Target("2aXkP", "2cZnR")),
            Exclusion(app="HR", connector="/^old/"),
        ),
        protected=(Exclusion(connector="/root$/"), Exclusion(target=Target("2dRtV", "2eSuW"))),
        allow_empty=True,
        waves=(Share(1), Share(10, percent=True), Share(100, percent=True)),
        tenant="acme.conductor.one",
        reason="CHG-1234 HR migration",
        limits=LimitPolicy(20, 20.0, Share(50), Share(10, percent=True), 1800.0),
        retry=RetryPolicy(attempts=7, outage=1800.0),
        timeouts=Timeouts(5.0, 0.5),
        preflight=False,
        verify=False,
        reports=("reports/{name}-{started}.json", "reports/{name}-{started}.html"),
        path="jobs/night.yaml",
        sha256=hashlib.sha256(FULL.encode()).hexdigest(),
    )


def test_what_a_job_does_not_say_has_the_defaults_of_the_policy() -> None:
    job = loads(SHORT)
    assert job == Job(OperationName.RESUME, "night", (Target("a", "b"),), path=job.path, sha256=job.sha256)


def test_a_selection_alone_is_a_job() -> None:
    text = "version: 1\noperation: pause\nselect: {apps: [HR*, 2aX], status: error, owners: [ann@example.com]}\n"
    assert loads(text).select == Selection(apps=("HR*", "2aX"), status=("error",), owners=("ann@example.com",))


@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("{for: 2h}", Window(7200.0)),
        ("{for: 90}", Window(90.0)),
        ("{until: 2026-12-01T02:00+01:00}", Window(until="2026-12-01T02:00+01:00")),
        ('{until: "05:00", time_zone: Europe/Berlin}', Window(until="05:00", time_zone="Europe/Berlin")),
        ("{until: 2026-12-01 02:00, time_zone: UTC}", Window(until="2026-12-01 02:00", time_zone="UTC")),
    ],
)
def test_a_window_ends_after_a_time_or_at_a_moment(written: str, window: Window) -> None:
    assert loads(f"version: 1\noperation: pause\nconnectors: [a/b]\nwindow: {written}\n").window == window


def test_resumes_have_a_rate_of_their_own() -> None:
    assert loads(SHORT).limits.resume_rate == 5
    assert loads(f"{SHORT}limits: {{resume_rate: 30/m}}\n").limits.resume_rate == 0.5


@pytest.mark.parametrize(
    "status", ["active", "Paused", "disabled", "SYNC_STATUS_ERROR", "sync_status_new", "err*", "/run|done/"]
)
def test_a_status_is_a_word_a_value_of_c1_or_a_pattern(status: str) -> None:
    text = f"version: 1\noperation: pause\nselect: {{status: '{status}'}}\n"
    assert loads(text).select == Selection(status=(status,))


@pytest.mark.parametrize("written", ["[5]", "[100%]", "[1, 10]", "[10%, 5, 20%, 10]", "[2.5%, 100%, ]"])
def test_waves_grow_by_kind_and_end_with_everything_or_with_a_number(written: str) -> None:
    assert [str(each) for each in with_line(f"waves: {written}").waves] == written.strip("[], ").split(", ")


@pytest.mark.parametrize("written", ["on", "no", "yes", "0123", "1:30", "1_000", "2026-11-23", "0x1F", "1e3", "True"])
@pytest.mark.usefixtures("parser")
def test_yaml_guesses_never_happen(written: str) -> None:
    assert loads(f"{SHORT.replace('a/b', '{app_id: a, connector_id: b, name: ' + written + '}')}").targets == (
        Target("a", "b", written),
    )
    assert with_line(f"reason: {written}").reason == written


@pytest.mark.parametrize("written", ["'0123'", '"no"', "'1e3'", '"2026-11-23"', "'null'"])
def test_an_id_in_quotes_is_taken_as_written(written: str) -> None:
    text = f"version: 1\noperation: pause\nconnectors: [{{app_id: {written}, connector_id: x}}]\n"
    assert loads(text).targets[0].app_id == written[1:-1]


@pytest.mark.parametrize(
    ("written", "tenant"),
    [
        ("acme.conductor.one", "acme.conductor.one"),
        ("x.c1eu.ai", "x.c1eu.ai"),
        ("ACME.Conductor.One", "acme.conductor.one"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("localhost:1", "localhost:1"),
        ("'[::1]:443'", "[::1]:443"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_tenant_is_a_full_host_or_a_loopback_address(written: str, tenant: str) -> None:
    assert with_line(f"tenant: {written}").tenant == tenant


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("jobs/hr freeze.yaml", "hr freeze"),
        ("a.b.yml", "a.b"),
        ("<stdin>", "stdin"),
        ("x:y?.yaml", "x-y-"),
        (" . .yaml", "job"),
        ("\x07.yaml", "-"),
        ("j" * 150 + ".yaml", "j" * 100),
        ("", "job"),
    ],
)
def test_a_job_without_a_name_is_called_after_its_file(path: str, name: str) -> None:
    assert loads(SHORT, path).name == name


def test_one_report_needs_no_list_and_a_block_of_text_is_one_line() -> None:
    job = with_line("report: out.csv\nreason: >\n  Nightly\n  sync")
    assert (job.reports, job.reason) == (("out.csv",), "Nightly sync")


@pytest.mark.usefixtures("parser")
def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    windows = b"\xef\xbb\xbf" + SHORT.replace("\n", "\r\n").encode()
    assert loads(windows).targets == (Target("a", "b"),)


def test_columns_are_not_moved_by_a_byte_order_mark() -> None:
    with pytest.raises(JobFileError) as caught:
        loads(b"\xef\xbb\xbfversoin: 1\r\noperation: paus\r\nconnectors: [a/b]")
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(1, 1), (1, 1), (2, 12)]


def test_a_file_is_loaded_under_its_path(tmp_path: Path) -> None:
    path = tmp_path / "evening.yaml"
    path.write_text(SHORT)
    job = jobfile.load(path)
    assert (job.name, job.path) == ("evening", str(path))


@pytest.mark.parametrize("path", ["-", Path("-")])
def test_a_dash_is_standard_input(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(SHORT.encode())))
    job = jobfile.load(path)
    assert (job.name, job.path) == ("stdin", "<stdin>")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no-such\.yaml: there is no such file$"):
        jobfile.load(tmp_path / "no-such.yaml")


def test_a_folder_is_no_job_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a directory, not a job file$"):
        jobfile.load(tmp_path)


def test_a_path_through_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be read: Not a directory$"):
        jobfile.load(tmp_path / "file" / "job.yaml")


def test_a_file_beyond_the_bound_is_refused_unparsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_JOB_BYTES", 2**20)
    path = tmp_path / "big.yaml"
    path.write_bytes(b"[" * (2**20 + 1))
    with pytest.raises(UsageError, match=r"big\.yaml: larger than 1 MiB: split the job$"):
        jobfile.load(path)


def test_one_target_more_than_allowed_is_refused_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.jobfile.compound.MAX_TARGETS", 2)
    head = "version: 1\noperation: pause\nconnectors:\n- a/b\n- a/c\n"
    assert len(loads(head).targets) == 2
    with pytest.raises(JobFileError, match=r":6:3: connectors: more than 2 entries: split the job$"):
        loads(head + "- a/d\n")


def test_a_long_list_is_not_a_deep_one() -> None:
    entries = "".join(f"- {{app_id: a, connector_id: b{number}}}\n" for number in range(100))
    assert len(loads("version: 1\noperation: pause\nconnectors:\n" + entries).targets) == 100


def test_a_collision_of_hashes_is_no_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.jobfile.compound.hash", lambda _: 1, raising=False)
    assert len(loads(SHORT.replace("a/b", "a/b, a/c, b/a")).targets) == 3


def test_errors_are_one_line_each_in_the_order_of_the_file() -> None:
    with pytest.raises(JobFileError) as caught:
        loads("version: 2\nlimits: {rate: fast}\nconectors: [a/b]\n", "x.yaml")
    assert str(caught.value).splitlines() == [
        "x.yaml:1:1: nothing is selected: add `connectors:` with a list of pairs, or `select:`",
        "x.yaml:1:1: operation is missing: add `operation: pause`",
        "x.yaml:1:10: version: expected 1, the only version there is, not 2",
        "x.yaml:2:16: limits.rate: expected a rate such as 20/s, 600/m or 1000/h, not 'fast'",
        "x.yaml:3:1: unknown key 'conectors': did you mean 'connectors'?",
    ]
