"""The plan of the house, and the proof that the code keeps to it.

Every import counts: at the top of a file, inside a function, under TYPE_CHECKING, or through `import_module`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = "runner"
SOURCE = Path(__file__).parents[1] / PACKAGE

EVERYTHING = "everything below"

# Top to bottom, as a job goes. A room is a file or a folder of runner/; beside it, the rooms below that it may import.
ROOMS = {
    "__main__": "cli",
    "cli": EVERYTHING,
    "sandbox": "",  # the other side of the wire
    "__init__": "windows runs planning engine store jobfile base",  # the library's names, for whoever imports it
    "windows": "runs engine store api base",
    "runs": "planning engine store api base",
    "planning": "engine jobfile selection store api base",
    "engine": "store api base",
    "report": "store base",
    "store": "base",
    "api": "base",
    "jobfile": "selection base",
    "selection": "base",
    "base": "",
}

# Each of these libraries has its doors; no other room knows it.
DOORS = {
    "aiohttp": "api sandbox",
    "click": "cli",
    "cryptography": "api sandbox",
    "jwt": "api sandbox",
    "platformdirs": "cli",
    "re2": "selection",
    "rich": "cli",
    "sqlite3": "store",
    "tenacity": "api",
    "yaml": "jobfile cli",
    "yarl": "api sandbox",
}


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package, by its dotted name."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        """The file or folder directly under the package that this file belongs to."""
        return self.name.split(".")[1] if "." in self.name else "__init__"

    @property
    def folder(self) -> str:
        """The dotted name that this file's relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def find_modules(source: Path) -> dict[str, Module]:
    """Every file of the package in the folder `source`, by dotted name."""
    modules = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        name = ".".join([PACKAGE, *(part for part in parts if part != "__init__")])
        modules[name] = Module(name, path)
    return modules


def imported_names(module: Module) -> Iterator[str]:
    """The dotted names that a file imports, with names taken `from` a module added to it."""
    for node in ast.walk(ast.parse(module.path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = absolute(module, node.level, node.module)
                yield from (f"{base}.{alias.name}" for alias in node.names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def absolute(module: Module, level: int, name: str | None) -> str:
    """The absolute form of `from <level dots><name> import ...` as written in `module`."""
    if not level:
        return name or ""
    start = module.folder.split(".")
    return ".".join([*start[: len(start) - level + 1], *([name] if name else [])])


def arrows(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Which files of the package each file imports, itself left out."""
    return {
        module.name: {
            found for name in imported_names(module) if (found := nearest(name, modules)) and found != module.name
        }
        for module in modules.values()
    }


def nearest(name: str, modules: dict[str, Module]) -> str | None:
    """The module that an imported name is, or stands in; None for anything outside the package."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def allowed(room: str) -> set[str]:
    """The other rooms that this room may import."""
    if ROOMS.get(room) == EVERYTHING:
        return {*list(ROOMS)[list(ROOMS).index(room) + 1 :]}
    return {*ROOMS.get(room, "").split()}


def trespasses(modules: dict[str, Module]) -> list[str]:
    """Every import between rooms that the plan does not show."""
    return [
        f"{name} imports {other}"
        for name, others in arrows(modules).items()
        for other in sorted(others)
        if modules[other].room != modules[name].room and modules[other].room not in allowed(modules[name].room)
    ]


def cycle(modules: dict[str, Module]) -> list[str]:
    """Files that import each other in a ring; empty if there are none."""
    try:
        TopologicalSorter(arrows(modules)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def strangers(modules: dict[str, Module]) -> list[str]:
    """Every library imported by a room that is none of its doors."""
    return [
        f"{module.name} imports {library}"
        for module in modules.values()
        for library in sorted({name.split(".")[0] for name in imported_names(module)} & DOORS.keys())
        if module.room not in DOORS[library].split()
    ]


def test_the_plan_leads_downward_only() -> None:
    order = list(ROOMS)

    for place, room in enumerate(order[:-1]):
        assert allowed(room) <= {*order[place + 1 :]}


def test_only_the_command_line_imports_the_sandbox() -> None:
    assert [room for room in ROOMS if "sandbox" in allowed(room)] == ["cli"]


def test_every_file_stands_in_a_room_of_the_plan() -> None:
    assert {module.room for module in find_modules(SOURCE).values()} <= ROOMS.keys()


def test_imports_go_downward_only() -> None:
    assert trespasses(find_modules(SOURCE)) == []


def test_no_files_import_each_other_in_a_ring() -> None:
    assert cycle(find_modules(SOURCE)) == []


def test_each_library_is_known_only_where_its_door_is() -> None:
    assert strangers(find_modules(SOURCE)) == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An empty package to break the rules in."""
    for path in (
        "__init__.py",
        "base/__init__.py",
        "base/model.py",
        "base/errors.py",
        "selection/__init__.py",
        "selection/rules.py",
        "api/__init__.py",
        "api/client.py",
        "api/pace.py",
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "import runner.api.client",
        "from runner import api",
        "from runner.api import client",
        "from runner.api.client import Client",
        "from ..api.client import Client",
        "from .. import api",
        "def work():\n    from runner.api import client",
        "if TYPE_CHECKING:\n    from runner.api import client",
        "import_module('runner.api')",
        "importlib.import_module('runner.api.client')",
    ],
)
def test_an_upward_import_is_seen_however_it_is_written(house: Path, line: str) -> None:
    (house / "selection/rules.py").write_text(line)

    assert [found.partition(".api")[0] for found in trespasses(find_modules(house))] == [
        "runner.selection.rules imports runner"
    ]


def test_imports_within_a_room_and_downward_are_fine(house: Path) -> None:
    (house / "api/client.py").write_text("from . import pace\nfrom ..base.errors import ApiError")
    (house / "selection/rules.py").write_text("import anyio\nfrom runner.base.model import Target")

    assert trespasses(find_modules(house)) == []
    assert cycle(find_modules(house)) == []


def test_a_ring_within_one_room_is_seen(house: Path) -> None:
    (house / "api/client.py").write_text("from runner.api.pace import Pace")
    (house / "api/pace.py").write_text("def lazily():\n    from runner.api.client import Client")

    assert set(cycle(find_modules(house))) == {"runner.api.client", "runner.api.pace"}


def test_a_library_beside_its_door_is_seen(house: Path) -> None:
    (house / "selection/rules.py").write_text("def work():\n    from aiohttp import web")
    (house / "api/client.py").write_text("import aiohttp.client")

    assert strangers(find_modules(house)) == ["runner.selection.rules imports aiohttp"]


def test_every_door_leads_to_a_room() -> None:
    assert {*chain.from_iterable(rooms.split() for rooms in DOORS.values())} <= ROOMS.keys()
