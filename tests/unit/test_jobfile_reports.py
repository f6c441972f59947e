"""What a job file says of reports, and what the reports say."""

from runner import report
from runner.jobfile import texts


def test_a_job_file_knows_the_placeholders_of_the_reports() -> None:
    assert report.PLACEHOLDERS == texts.REPORT_PLACEHOLDERS


def test_a_job_file_knows_the_formats_of_the_reports() -> None:
    assert tuple(report.FORMATS) == texts.REPORT_SUFFIXES
