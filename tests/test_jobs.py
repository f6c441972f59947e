"""The example jobs: each one loads, says what it is for, and agrees with the published schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runner import jobfile
from runner.base.model import OperationName
from runner.sandbox.demo import demo_population

JOBS = Path(__file__).parent.parent / "jobs"
EXAMPLES = sorted(JOBS.glob("*.yaml"))
SCHEMA_FILE = JOBS / "job.schema.json"
MODELINE = "# yaml-language-server: $schema=./job.schema.json"

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def test_there_is_an_example_of_every_operation() -> None:
    assert {jobfile.load(path).operation for path in EXAMPLES} == set(OperationName)


@each_example
def test_an_example_loads(path: Path) -> None:
    assert jobfile.load(path).targets or jobfile.load(path).select


@each_example
def test_an_example_agrees_with_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(jobfile.json_schema()).validate(yaml.safe_load(path.read_text("utf-8")))


@each_example
def test_an_example_tells_editors_where_the_schema_is_and_people_what_it_does(path: Path) -> None:
    first, second, third, *_ = path.read_text("utf-8").splitlines()
    assert (first, second, third[:2]) == (MODELINE, "#", "# ")


@each_example
def test_an_example_for_a_real_tenant_pins_it(path: Path) -> None:
    assert path.name == "demo.yaml" or jobfile.load(path).tenant == "acme.conductor.one"


def test_the_schema_beside_the_examples_is_the_one_the_program_prints() -> None:
    assert json.loads(SCHEMA_FILE.read_text("utf-8")) == jobfile.json_schema()


def test_the_schema_is_a_schema_and_describes_every_key() -> None:
    schema = jobfile.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert [name for name, key in _properties(schema) if not key.get("description")] == []


def test_the_resume_list_undoes_the_maintenance_list() -> None:
    paused, resumed = (jobfile.load(JOBS / name) for name in ("maintenance-list.yaml", "resume-list.yaml"))
    assert paused.targets == resumed.targets


def test_the_demo_pauses_connectors_of_the_sandbox_of_which_one_is_paused_already() -> None:
    job = jobfile.load(JOBS / "demo.yaml")
    population = demo_population(now=1_800_000_000.0)
    connectors = [population.connector(target.app_id, target.connector_id) for target in job.targets]
    assert job.tenant is None
    assert [each.initial.deleted_at for each in connectors if each] == [None] * len(job.targets)
    assert sum(each.initial.pause is not None for each in connectors if each) == 1


def _properties(schema: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every named property of a schema, at any depth."""
    if isinstance(schema, list):
        return [found for each in schema for found in _properties(each)]
    if not isinstance(schema, dict):
        return []
    own = list(schema.get("properties", {}).items()) if "if" not in schema.get("properties", {}) else []
    return own + [found for name, each in schema.items() if name != "if" for found in _properties(each)]
