"""Job files: YAML text -> `Job`, with everything that is wrong at once and in its place.

load        what a file or standard input asks for
loads       the same from bytes
load_config what the user's configuration file says
json_schema the format of job files, for editors
"""

from runner.jobfile.config import Config, load_config
from runner.jobfile.load import json_schema, load, loads

__all__ = ["Config", "json_schema", "load", "load_config", "loads"]
