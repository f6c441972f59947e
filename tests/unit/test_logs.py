"""Log lines for people and for machines, without a secret in them."""

import contextvars
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base import trace
from runner.cli import logs

TOKEN = "canary-4f9a.eyJzdWIiOiJ4In0.c2ln_bmF0-dXJl"
KEY = "secret-token:conductorone.com:v1:eyJrdHkiOiJPS1AiLCJkIjoiY2FuYXJ5In0"

SHAPES = {
    "a header": f"Authorization: Bearer {TOKEN}",
    "a header in lower case": f"authorization: bearer {TOKEN}",
    "a dictionary of headers": str({"Authorization": f"Bearer {TOKEN}", "Accept": "*/*"}),
    "a repr of headers": f"<CIMultiDict('Authorization': 'Bearer {TOKEN}', 'Accept': '*/*')>",
    "bytes": str(f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()),
    "a bound token": f"Authorization: DPoP {TOKEN}",
    "a quoted bearer": f"Bearer%20{TOKEN}",
    "a token reply": json.dumps({"access_token": TOKEN, "expires_in": 600}),
    "a pretty token reply": json.dumps({"access_token": TOKEN}, indent=2),
    "a token reply in a string": json.dumps(json.dumps({"access_token": TOKEN})),
    "a token reply in Python": str({"access_token": TOKEN}),
    "a form": f"grant_type=client_credentials&client_id=x&client_secret={TOKEN}&more=1",
    "a form with an assertion": f"client_assertion={TOKEN}&client_assertion_type=x",
    "an exchanged token": f"subject_token={TOKEN}",
    "a key": f"the secret {KEY} is damaged",
    "a key in a form": f"client_secret={KEY}".replace(":", "%3A"),
    "a quoted key alone": KEY.replace(":", "%3A"),
    "an environment": f"CONDUCTORONE_CLIENT_SECRET={KEY} CONDUCTORONE_ACCESS_TOKEN={TOKEN}",
    "an environment in Python": str({"CONDUCTORONE_CLIENT_SECRET": TOKEN}),
    "a proxy": f"cannot connect to http://user:{TOKEN}@proxy.example:3128",
    "several on one line": f"Bearer {TOKEN} Bearer {TOKEN} access_token={TOKEN}",
}

HARMLESS = [
    "target app1/con1: HTTP 404: no such connector (request-id: 4f9a)",
    "run 20261123-170000-abc123: 10 of 20 done",
    "set CONDUCTORONE_CLIENT_ID and CONDUCTORONE_CLIENT_SECRET (or their _FILE twins)",
    "the tenant refuses CONDUCTORONE_ACCESS_TOKEN; get a new token",
    "https://acme.conductor.one/api/v1/apps/app1/connectors/con1/pause",
    "a secret-token is missing",
]


def hides(text: str) -> bool:
    return "canary" not in text and TOKEN[10:] not in text and KEY[40:] not in text


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_shape_of_a_secret_gets_through(shape: str) -> None:
    assert hides(logs.redact(shape))
    assert "[redacted]" in logs.redact(shape)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert logs.redact(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert logs.redact(f"a=1&client_secret={TOKEN}&b=2") == "a=1&client_secret=[redacted]&b=2"


@given(st.text(), st.sampled_from(sorted(SHAPES)), st.text())
def test_wherever_a_secret_stands_it_does_not_get_through(before: str, shape: str, after: str) -> None:
    assert hides(logs.redact(f"{before} {SHAPES[shape]} {after}"))


# The handler


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = before
    root.setLevel(level)
    logs._for_machines = False


def logged(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def fail_with(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_secret_is_logged_in_a_message_an_argument_or_a_traceback(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str], log_format: str, shape: str
) -> None:
    logs.configure(verbose=2, quiet=False, log_format=log_format)
    log = logging.getLogger("runner.test")
    log.info("it said %s", shape)
    log.info("it said %r", shape)
    try:
        fail_with(shape)
    except ValueError:
        log.exception("a bug")
    shown = logged(capsys)

    assert hides(shown)
    assert shown.count("[redacted]") >= 3


@pytest.mark.parametrize(
    ("verbose", "quiet", "levels"),
    [
        (0, False, ["WARNING", "ERROR"]),
        (1, False, ["INFO", "WARNING", "ERROR"]),
        (2, False, ["DEBUG", "INFO", "WARNING", "ERROR"]),
        (9, False, ["DEBUG", "INFO", "WARNING", "ERROR"]),
        (0, True, ["ERROR"]),
        (2, True, ["ERROR"]),
    ],
)
def test_verbosity_chooses_the_level(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str], verbose: int, quiet: bool, levels: list[str]
) -> None:
    logs.configure(verbose=verbose, quiet=quiet, log_format="text")
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        logging.getLogger("runner.test").log(logging.getLevelNamesMapping()[level], "said")

    assert [line.split()[1] for line in logged(capsys).splitlines()] == levels


def test_a_line_for_machines_is_one_json_object(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(verbose=1, quiet=False, log_format="json")

    def work() -> None:
        trace.run_id.set("r1")
        logging.getLogger("runner").info("begun")
        trace.target.set(("app1", "con1"))
        trace.attempt.set(2)
        logging.getLogger("runner.engine.execute").warning("two\nlines, %s", "é\u202e")

    contextvars.copy_context().run(work)
    printed = logged(capsys)
    begun, document = (json.loads(line) for line in printed.splitlines())

    assert document.pop("time").endswith("+00:00")
    assert document == {
        "level": "warning",
        "logger": "runner.engine.execute",
        "run_id": "r1",
        "target": "app1/con1",
        "attempt": 2,
        "message": "two\nlines, é\u202e",
    }
    assert (begun["run_id"], begun["target"], begun["attempt"]) == ("r1", None, None)
    assert "\u202e" not in printed


def test_what_must_be_known_is_a_json_line_among_json_lines(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(verbose=0, quiet=True, log_format="json")
    logs.notice("stopped: the deadline has passed")
    logs.configure(verbose=0, quiet=True, log_format="text")
    logs.notice("stopped: the deadline has passed")
    first, second = logged(capsys).splitlines()

    assert json.loads(first)["message"] == "stopped: the deadline has passed"
    assert second == "c1-runner: stopped: the deadline has passed"


def test_a_line_for_people_is_one_line_whatever_stands_in_it(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(verbose=0, quiet=False, log_format="text")
    logging.getLogger("runner").warning("no app fits %s", "Okta\n\x1b[2J")

    assert logged(capsys).splitlines()[0].endswith("no app fits Okta\\n\\x1b[2J")


@given(
    st.text(),
    st.sampled_from(["client_secret=", "access_token: '", 'access_token": "', "Bearer ", ""]),
    st.text(st.characters(codec="utf-8") | st.sampled_from("\"'\\&\n\ud800")),
)
def test_a_line_for_machines_stays_json_whatever_is_said(before: str, key: str, after: str) -> None:
    record = logging.LogRecord("runner", logging.INFO, __file__, 1, before + key + after, None, None)

    line = logs._Json().format(record)
    assert isinstance(json.loads(line), dict)
    assert "\n" not in line


def test_a_traceback_is_kept_for_people_and_machines(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    for log_format in ("text", "json"):
        logs.configure(verbose=0, quiet=False, log_format=log_format)
        try:
            fail_with("it broke")
        except ValueError:
            logging.getLogger("runner").exception("a bug")
        assert "ValueError: it broke" in logged(capsys)
