"""Characters that look like YAML's own and are none, and unsettled merges, are named for what they are."""

import pytest
import yaml

from runner import jobfile
from runner.base.errors import JobFileError
from runner.jobfile import source

HEAD = "version: 1\noperation: pause\n"
JOB = HEAD + "connectors: [a/b]\n"
Case = tuple[str, list[str]]

NO_SPACE, NO_HYPHEN = "is no space to YAML: write a plain one", "begins no entry of a list: write a hyphen, -"
NBSP = f"U+00A0 (no-break space) {NO_SPACE}"
MERGE = "a merge has left its mark here: settle the conflict, and take the mark out"

SLIPS: dict[str, Case] = {
    "no-break spaces before a list": (
        HEAD + "connectors:\n\u00a0\u00a0- a/b\n\u00a0\u00a0- c/d\n",
        [f"4:1: {NBSP}", f"5:1: {NBSP}"],
    ),
    "a no-break space among others": (JOB + "limits:\n \u00a0rate: 5/s\n", [f"5:2: {NBSP}"]),
    "no-break spaces before keys": (
        JOB + "limits:\n\u00a0 rate: 5/s\n\u00a0 concurrency: 4\n",
        [f"5:1: {NBSP}", f"6:1: {NBSP}"],
    ),
    "a no-break space behind a hyphen": (HEAD + "connectors:\n  -\u00a0a/b\n", [f"4:4: {NBSP}"]),
    "a no-break space behind a key": (JOB + "name:\u00a0x\nreason: y\n", [f"4:6: {NBSP}"]),
    "the same in a section": (JOB + "limits:\n  rate:\u00a05/s\n", [f"5:8: {NBSP}"]),
    "an ideographic space": (
        HEAD + "connectors:\n\u3000- a/b\n",
        [f"4:1: U+3000 (ideographic space) {NO_SPACE}"],
    ),
    "en dashes": (
        HEAD + "connectors:\n  \u2013 a/b\n  \u2013 c/d\n",
        [f"4:3: U+2013 (en dash) {NO_HYPHEN}", f"5:3: U+2013 (en dash) {NO_HYPHEN}"],
    ),
    "an en dash below a hyphen": (
        JOB + "select:\n  apps:\n  - Okta*\n  \u2013 AWS*\n",
        [f"7:3: U+2013 (en dash) {NO_HYPHEN}"],
    ),
    "an en dash that would go on with the pattern above it": (
        JOB + "select:\n  apps:\n  - Okta*\n   \u2013 AWS*\n",
        [f"7:4: U+2013 (en dash) {NO_HYPHEN}"],
    ),
    "a bullet before a mapping": (
        HEAD + "connectors:\n\u2022 app_id: a\n",
        [f"4:1: U+2022 (bullet) {NO_HYPHEN}"],
    ),
    "what a merge leaves": (
        "version: 1\n<<<<<<< HEAD\noperation: pause\n=======\noperation: resume\n>>>>>>> other\nconnectors: [a/b]\n",
        [f"2:1: {MERGE}", f"4:1: {MERGE}", f"6:1: {MERGE}"],
    ),
    "what a merge in three parts leaves, with the line ends of Windows": (
        "version: 1\r\n<<<<<<< a\r\n||||||| b\r\n=======\r\n>>>>>>> c\r\n",
        [f"{line}:1: {MERGE}" for line in (2, 3, 4, 5)],
    ),
    "a version with a decimal point": (
        JOB.replace("1\n", "1.0\n", 1),
        ["1:10: version: expected 1, the only version there is, not 1.0"],
    ),
}

each_parser = pytest.mark.parametrize("parser", [yaml.CSafeLoader, yaml.SafeLoader])


@each_parser
@pytest.mark.parametrize(("text", "expected"), SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_is_named_for_what_it_is_and_nothing_else_is_said(
    text: str, expected: list[str], parser: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_Parser", parser)
    with pytest.raises(JobFileError) as refused:
        jobfile.loads(text.encode(), "job.yaml")
    assert str(refused.value).splitlines() == [f"job.yaml:{line}" for line in expected]


def test_no_more_slips_are_named_than_anybody_reads() -> None:
    with pytest.raises(JobFileError) as refused:
        jobfile.loads((HEAD + "connectors:\n" + "  \u2013 a/b\n" * 5000).encode(), "job.yaml")
    assert len(refused.value.problems) == 20


FINE = {
    "a name with a dash": "name: Okta \u2013 EU\n",
    "a name that begins with a dash": "name: \u2013 x\n",
    "a no-break space in a reason": 'reason: "\u00a0 10\u00a0000 users"\n',
    "a reason on two lines": "reason: >\n  \u2013 first\n  \u00a0 second\n",
    "a quoted reason on two lines": 'reason: "x\n  \u2013 y"\n',
    "equals signs in a comment": "# <<<<<<< no merge\n#=======\n",
    "a dash in a list in brackets": "select: {apps: [\u2013 x]}\n",
    "a dash in a comment": "# \u2013 x\n",
}


@each_parser
@pytest.mark.parametrize("text", FINE.values(), ids=FINE.keys())
def test_the_same_characters_are_fine_where_they_are_text(
    text: str, parser: type[yaml.SafeLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_Parser", parser)
    assert jobfile.loads((JOB + text).encode(), "job.yaml").targets
