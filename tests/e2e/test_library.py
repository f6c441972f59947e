"""The example of the library, as a program of its own."""

import os
import subprocess
import sys

from tests.e2e.contract_server import ContractServer
from tests.e2e.shell import PATIENCE, REPOSITORY, Shell

PAIRS = [("app1", "con1"), ("app2", "con2")]


def test_the_example_pauses_and_resumes_what_a_job_names(shell: Shell) -> None:
    with ContractServer(PAIRS).serving() as server:
        done = subprocess.run(
            [sys.executable, REPOSITORY / "jobs/library.py", shell.job(PAIRS)],
            cwd=shell.directory,
            env=os.environ | shell.environment | server.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("paused 2 by run ")
        assert done.stdout.endswith("\nresumed\n")
        assert [each.rpartition("/")[2] for each in server.posts()] == ["pause", "pause", "resume", "resume"]
        assert server.paused() == set()
