"""c1-runner as a library: keep connectors paused while some Python runs, and resume exactly those.

    CONDUCTORONE_CLIENT_ID=... CONDUCTORONE_CLIENT_SECRET=... python jobs/library.py jobs/maintenance-list.yaml

Runs in any event loop, a notebook's among them; prints nothing by itself, handles no signal, reads no configuration.
"""

import asyncio
import sys
from pathlib import Path

import runner


async def migrate() -> None:
    """What the connectors are paused for."""


async def main(path: str) -> None:
    """Pause what the job names, migrate, and resume it, whatever happens."""
    job = runner.load_job(path)
    with runner.Store(Path("state")) as store:
        context = runner.Context(runner.Settings.from_environment(), store)
        async with runner.window(job, context) as paused:
            print(f"paused {paused.counts[runner.Outcome.CHANGED]} by run {paused.run_id}")
            await migrate()
        print("resumed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
