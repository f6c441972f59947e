"""Print the lowest version of everything that pyproject.toml declares, as constraints for pip.

    python .ci/lowest.py > lowest.txt && pip install --constraint lowest.txt .

A bound is a promise: what it names has to exist, and to work. What has no lower bound is left to pip.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:.*?)>=\s*(?P<version>[^,;\s]+)")


def lowest(project: dict[str, Any]) -> Iterator[str]:
    """A line `name==version` for each dependency with a lower bound, those of the extras after those of the program."""
    extras = project.get("optional-dependencies", {})
    for declared in (project["dependencies"], *extras.values()):
        for requirement in declared:
            if bound := _BOUND.match(requirement):
                yield f"{bound['name']}=={bound['version']}"


if __name__ == "__main__":
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    print("\n".join(lowest(tomllib.loads(text)["project"])))
