"""What to say of a key that a job file does not have."""

import re
from collections.abc import Collection, Mapping

from runner.base.units import shown
from runner.jobfile.texts import did_you_mean

_is_credential = re.compile(
    r"secret|token|passw|credential|api_?key|private_?key|access_?key|client_?id|authori[sz]ation|bearer",
    re.IGNORECASE,
).search

_CREDENTIALS = (
    "credentials never stand in a job file: set CONDUCTORONE_CLIENT_ID and CONDUCTORONE_CLIENT_SECRET "
    "(or CONDUCTORONE_CLIENT_SECRET_FILE), or CONDUCTORONE_ACCESS_TOKEN, in the environment"
)


def unknown_key(key: str, known: Mapping[str, Collection[str]]) -> str:
    """The message for `key`, where `known` are the keys of its table, each with the keys below it."""
    if _is_credential(key):
        return f"{shown(key)}: {_CREDENTIALS}"
    if key == "<<":
        return "merge keys (<<) are not supported: write the keys out"
    below = [f"{parent}.{key}" for parent, children in known.items() if key in children]
    if below:
        return f"unknown key {shown(key)}: did you mean {' or '.join(below)}?"
    return f"unknown key {shown(key)}{did_you_mean(key, known) or ': known here are ' + ', '.join(known)}"
