"""The documents agree with the code: tables, commands, examples, links, and the files for schedulers."""

import ast
import contextlib
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement

from runner import jobfile, report
from runner.base import errors
from runner.base.errors import ExitCode
from runner.base.model import Outcome
from runner.cli.app import COMMANDS, app
from runner.jobfile.config import load_config
from runner.sandbox import Faults
from tests.test_layers import ROOMS

ROOT = Path(__file__).parents[1]
CLI, JOBS, REPORT, SANDBOX = (f"{room}/README.md" for room in ("runner/cli", "jobs", "runner/report", "runner/sandbox"))
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docker/README.md",
    JOBS,
    "runner/api/PACE.md",
    CLI,
    REPORT,
    SANDBOX,
    "tests/README.md",
)
LIMITS = {"README.md": (260, 16 * 1024)}
"""How long a document may be: lines and bytes."""

AD_HOC = ("pause", "resume", "sync")
GROUPS = {
    "*jobs*": ("run", "plan", *AD_HOC, "continue", "window"),
    "*ad hoc*": AD_HOC,
    "*undo*": ("undo", "expire"),
}
"""What the table of options calls several commands."""

each_document = pytest.mark.parametrize("document", DOCUMENTS)


@cache
def read(path: str) -> str:
    """The text of one of the project's files."""
    return (ROOT / path).read_text(encoding="utf-8")


def table(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of a document."""
    section = re.split(r"^#+ ", read(document).split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


def spans(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(document: str, *languages: str) -> list[str]:
    """The fenced blocks of a document in one of these languages."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```$", read(document), re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{indent}", "", text, flags=re.MULTILINE) for indent, language, text in found if language in languages
    ]


def all_blocks(*languages: str) -> list[str]:
    """The fenced blocks of all documents in one of these languages."""
    return [text for document in DOCUMENTS for text in blocks(document, *languages)]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by name, those within a group behind its name."""
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in command.commands.items())


def invocations(text: str) -> Iterator[list[str]]:
    """The arguments of every `c1-runner ...` in shell text."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        found: list[list[str]] = []
        open_, before = False, ""
        for token in lexer:
            if re.fullmatch(r"(.*/bin/)?c1-runner", token) and before != "--tag":  # an image of that name
                found.append([])
                open_ = True
            elif set(token) <= set("();<>|&"):
                open_ = False
            elif open_:
                found[-1].append(token)
            before = token
        yield from found


def parse(arguments: Iterable[str]) -> None:
    """Parse a command line as the program would, without carrying anything out; raises click's errors."""
    with app.make_context("c1-runner", list(arguments)) as context:
        group: click.Command = app
        while isinstance(group, click.Group) and (rest := [*context._protected_args, *context.args]):
            name, command, rest = group.resolve_command(context, rest)
            assert command is not None
            group, context = command, command.make_context(name, rest, parent=context)


def properties(schema: Any, root: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all properties of a JSON Schema, with `[]` for the items of a list."""
    if "$ref" in schema:
        node = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        yield from properties(node, root, prefix)
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
        yield from properties(part, root, prefix)
    if "items" in schema:
        yield from properties(schema["items"], root, f"{prefix.rstrip('.')}[].")
    for name, each in schema.get("properties", {}).items():
        yield prefix + name
        yield from properties(each, root, f"{prefix}{name}.")


def test_the_table_of_commands_is_the_programs() -> None:
    assert [spans(row[0]) for row in table(CLI, "Commands")] == [[name] for name, _ in commands()]


def test_the_table_of_options_is_the_programs() -> None:
    documented = {
        (command, option.split()[0], next(iter(spans(variable)), None))
        for options, variable, where, _ in table(CLI, "Options")
        for option in spans(options)
        for words in where.split(", ")
        for command in GROUPS.get(words, (words.strip("`"),))
    }
    actual = {
        (name, option, parameter.envvar)
        for name, command in commands()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }

    assert documented == actual


def test_no_variable_that_is_read_is_missing_from_the_tables() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "runner").rglob("*.py"))
    names = set(re.findall(r"[\"'](CONDUCTORONE_[A-Z_]+|C1_RUNNER_[A-Z_]+|NO_COLOR|GITHUB_[A-Z_]+)[\"']", source))
    documented = {name for row in (*table(CLI, "Environment"), *table(CLI, "Options")) for name in spans(" ".join(row))}

    assert names - documented == set()


def test_the_table_of_exit_codes_is_the_programs() -> None:
    documented = [int(code) for row in table(CLI, "Exit codes") for code in row[0].split(", ")]

    assert documented == [int(code) for code in ExitCode]


def test_the_table_of_exit_codes_uses_the_words_of_the_help() -> None:
    shown = " ".join(app.get_help(click.Context(app)).split())

    assert [meaning for _, meaning, _ in table(CLI, "Exit codes") if meaning not in shown] == []


def test_the_table_of_outcomes_is_the_programs() -> None:
    assert [spans(row[0])[0] for row in table(CLI, "Outcomes")] == [str(outcome) for outcome in Outcome]


def test_the_table_of_job_keys_is_the_schema() -> None:
    schema = jobfile.json_schema()
    documented = [key for row in table(JOBS, "Keys") for key in spans(row[0])]

    assert sorted(documented) == sorted(set(properties(schema, schema)))


def test_the_table_of_report_fields_is_the_schema() -> None:
    schema = report.json_schema()
    actual = set(properties(schema, schema)) - {"job", "counts", "requests", "by"}
    documented = [
        name.replace("…", state)
        for row in table(REPORT, "Fields")
        for name in spans(row[0])
        for state in (("results[].before", "results[].after") if "…" in name else ("",))
    ]

    assert sorted(documented) == sorted(actual)


def test_the_table_of_faults_is_the_sandboxs() -> None:
    documented = [name for row in table(SANDBOX, "Faults") for name in spans(row[0])]

    assert sorted(documented) == sorted(field.name for field in fields(Faults))


def test_every_message_of_the_catalogue_is_one_that_the_program_says() -> None:
    said = [
        " ".join(node.value.split())
        for path in (ROOT / "runner").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    parts = [
        part
        for message, *_ in table(CLI, "Messages")
        for part in re.split(r" ?… ?|JOB\.yaml:2:12: |select\.apps: |HTTP 404: ", message)
        if len(part) > 8
    ]

    assert len(parts) > 40
    assert [part for part in parts if not any(part.strip(" ():") in text for text in said)] == []


def said(node: ast.expr) -> str | None:
    """The text of a string in the code, `…` for what is filled in; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(value.value) if isinstance(value, ast.Constant) else "…" for value in values)
    return None


def complaints() -> Iterator[str]:
    """Every message that ends a command or a run; for mistakes in a job file there is one row."""
    errors_of_ours = {name for name, value in vars(errors).items() if isinstance(value, type)}
    errors_of_ours -= {"StoppingError", "WindowError"}  # for this program, and for those who use it as a library
    for path in (ROOT / "runner").rglob("*.py"):
        if path.parent.name in ("sandbox", "jobfile") and path.name != "file.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in errors_of_ours:
                    text = said(first)
                case ast.Call(func=ast.Attribute(attr="request"), args=[first, *_]):
                    text = said(first)
                case _:
                    continue
            if text is not None and len(re.sub(r"\W", "", text)) > 10:
                yield text


def test_every_message_that_ends_a_command_or_a_run_is_in_the_catalogue() -> None:
    catalogue = [
        re.compile(".*?".join(re.escape(part.strip(" ():")) for part in message.split("…")), re.DOTALL)
        for message, *_ in table(CLI, "Messages")
        if message.strip("… ():")
    ]
    found = list(complaints())

    assert len(found) > 50
    assert [text for text in found if not any(pattern.search(text) for pattern in catalogue)] == []


def test_the_catalogues_exit_codes_exist() -> None:
    codes = {int(code) for row in table(CLI, "Messages") for code in re.findall(r"\d+", row[3])}

    assert codes <= {int(code) for code in ExitCode}


def test_every_document_is_checked() -> None:
    found = {path for folder in ("runner", "jobs", "docker", "tests") for path in (ROOT / folder).rglob("*.md")}

    assert {path.relative_to(ROOT).as_posix() for path in found | set(ROOT.glob("*.md"))} == set(DOCUMENTS)


def test_every_document_is_linked_from_the_readme_or_from_one_that_is() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        document = ahead.pop()
        if document in reached:
            continue
        reached.add(document)
        links = re.findall(r"\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        ahead += [(document.parent / link).resolve() for link in links]

    assert {path.relative_to(ROOT).as_posix() for path in reached} == set(DOCUMENTS)


@pytest.mark.parametrize("document", LIMITS)
def test_a_document_that_everybody_reads_stays_short(document: str) -> None:
    lines, size = LIMITS[document]

    assert len(read(document).splitlines()) <= lines
    assert len(read(document).encode()) <= size


@each_document
def test_every_command_line_of_a_document_parses(document: str) -> None:
    for arguments in (each for text in blocks(document, "sh") for each in invocations(text)):
        parse(arguments)


@each_document
def test_every_command_in_the_prose_of_a_document_exists(document: str) -> None:
    prose = re.sub(r"```.*?```", "", read(document), flags=re.DOTALL)

    for arguments in (each for span in spans(prose) if span.startswith("c1-runner ") for each in invocations(span)):
        with contextlib.suppress(click.MissingParameter):  # it may be only named
            parse(arguments)


def test_the_command_lines_are_found_at_all() -> None:
    found = [arguments[0] for text in all_blocks("sh") for arguments in invocations(text)]

    assert len(found) > 35
    assert set(found) >= {"run", "plan", "pause", "window", "undo", "connectors", "status", "init", "report", "sandbox"}


def test_a_command_line_that_the_program_does_not_know_is_noticed() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(["run", "job.yaml", "--no-such-option"])
    with pytest.raises(click.UsageError):
        parse(["undress"])
    with pytest.raises(click.UsageError):
        parse(["runs", "burn"])


@pytest.mark.parametrize("text", all_blocks("sh"), ids=lambda text: text.splitlines()[0][:40])
def test_every_shell_block_is_valid_shell(text: str) -> None:
    subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("text", all_blocks("yaml"), ids=lambda text: text.splitlines()[0])
def test_every_yaml_block_is_valid(text: str, tmp_path: Path) -> None:
    if text.startswith("version:"):
        assert jobfile.loads(text.encode(), "README.yaml").operation == "pause"
        return
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")

    assert load_config(tmp_path / "config.yaml").protected


@each_document
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    text, folder = read(document), (ROOT / document).parent
    linked = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|(?:src|srcset)=\"([^\"]+)\"", text)
    named = re.findall(r"`((?:runner|tests|docker|jobs|\.ci|\.github)/[\w./@-]*)`", text)

    assert [path for path in map("".join, linked) if not (folder / path).exists()] == []
    assert [path for path in named if not (ROOT / path).exists()] == []


@each_document
def test_every_anchor_leads_to_a_heading(document: str) -> None:
    for path, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", read(document)):
        target = (ROOT / document).parent / path if path else ROOT / document
        prose = re.sub(r"```.*?```", "", target.read_text(encoding="utf-8"), flags=re.DOTALL)
        headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert anchor in slugs


def test_the_plan_of_the_house_shows_every_room_in_its_order() -> None:
    plan = blocks("CONTRIBUTING.md", "text")[0]

    assert [line.split()[0] for line in plan.splitlines()] == list(ROOMS)


def test_every_dependency_is_accounted_for() -> None:
    wanted = [Requirement(text).name for text in tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]]
    explained = re.findall(r"^\| ([\w-]+) \|", read("CONTRIBUTING.md").split("## Dependencies")[1], re.MULTILINE)

    assert sorted(wanted) == sorted(set(explained) - {"Library", "---"})


@each_document
def test_no_document_names_a_machine_or_an_issue(document: str) -> None:
    assert re.findall(r"/work/|/root/|/tmp/|pypi|#\d+\b", read(document), re.IGNORECASE) == []


def test_the_pictures_are_made_by_a_script_and_fetch_nothing() -> None:
    picture = read(".github/terminal.svg")

    assert (ROOT / ".github/pictures/make.py").exists()
    assert re.findall(r"https?://(?!www\.w3\.org/)|@import|@font-face", picture) == []


def test_the_cron_file_runs_commands_that_exist() -> None:
    lines = [line for line in read("docker/cron/c1-runner").splitlines() if re.match(r"[\d*]", line)]

    assert len(lines) == 3
    for line in lines:
        *times, user, _ = line.split(maxsplit=6)
        assert len(times) == 5
        assert user == "c1"
        (arguments,) = invocations(line)
        parse(arguments)


def test_the_systemd_units_fit_together_and_run_a_command_that_exists() -> None:
    folder = ROOT / "docker/systemd"
    for service in folder.glob("*.service"):
        (arguments,) = invocations(unit(service)["Service"]["ExecStart"])
        parse(arguments)

    for timer in folder.glob("*.timer"):
        started = unit(timer)["Timer"]["Unit"]
        template, at, job = started.removesuffix(".service").partition("@")
        assert (folder / f"{template}{at}.service").exists()
        assert not at or (ROOT / "jobs" / f"{job}.yaml").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault_with_the_calendar() -> None:
    for timer in (ROOT / "docker/systemd").glob("*.timer"):
        calendar = unit(timer)["Timer"]["OnCalendar"]
        subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


def unit(path: Path) -> ConfigParser:
    """A systemd unit; of a repeated key the last one."""
    parser = ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def test_the_compose_file_builds_the_image_and_writes_where_the_image_may() -> None:
    service = yaml.safe_load(read("docker/compose.yaml"))["services"]["c1-runner"]

    assert (ROOT / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).resolve().exists()
    assert service["read_only"] is True
    mounted = {volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")}
    volumes = re.search(r"^VOLUME (\[.*\])$", read("docker/Dockerfile"), re.MULTILINE)
    assert volumes is not None
    assert mounted == set(yaml.safe_load(volumes[1]))


def test_the_cron_jobs_for_kubernetes_run_valid_jobs_as_the_images_user() -> None:
    documents = list(yaml.safe_load_all(read("docker/kubernetes/cronjob.yaml")))
    jobs = {
        f"/jobs/{name}": text
        for each in documents
        if each["kind"] == "ConfigMap"
        for name, text in each["data"].items()
    }
    pods = [each["spec"]["jobTemplate"]["spec"]["template"]["spec"] for each in documents if each["kind"] == "CronJob"]

    for pod in pods:
        (container,) = pod["containers"]
        parse(container["args"])
        assert all(jobfile.loads(jobs[path].encode(), path).window for path in container["args"][1:2])
        assert f"USER {pod['securityContext']['runAsUser']}:" in read("docker/Dockerfile")
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert len(pods) == 2
