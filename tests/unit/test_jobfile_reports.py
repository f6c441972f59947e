"""What a job file says of reports, and what the reports say."""

import pytest

from runner import jobfile, report
from runner.base.errors import JobFileError
from runner.jobfile import texts

JOB = "version: 1\noperation: pause\nconnectors: [a/b]\nreport: "


def test_a_report_below_a_tilde_goes_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")

    assert jobfile.loads((JOB + '["~/{name}.json", ./x.csv]').encode(), "job").reports == (
        "/home/anna/{name}.json",
        "./x.csv",
    )


@pytest.mark.parametrize(
    ("path", "words"),
    [("$HOME/x.json", "nothing fills in $HOME here"), ("~nobody-here/x.json", "no user 'nobody-here'")],
)
def test_a_report_that_has_no_such_place_is_named_in_its_place(path: str, words: str) -> None:
    with pytest.raises(JobFileError) as refused:
        jobfile.loads(f"{JOB}{path}\n".encode(), "job")
    assert str(refused.value).startswith(f"job:4:9: report: '{path}': ")
    assert words in str(refused.value)


def test_a_job_file_knows_the_placeholders_of_the_reports() -> None:
    assert report.PLACEHOLDERS == texts.REPORT_PLACEHOLDERS


def test_a_job_file_knows_the_formats_of_the_reports() -> None:
    assert tuple(report.FORMATS) == texts.REPORT_SUFFIXES
