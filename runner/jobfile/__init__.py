"""Job files: YAML text -> `Job`, with everything that is wrong at once and in its place.

load        what a file or standard input asks for
loads       the same from bytes
json_schema the format, for editors
"""

from runner.jobfile.load import json_schema, load, loads

__all__ = ["json_schema", "load", "loads"]
