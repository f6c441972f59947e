"""c1-runner: asynchronous bulk operations (pause, resume, force_sync) for the connectors of a C1 tenant.

The library, as the command line uses it; each name is loaded when it is first asked for. Nothing here prints, reads
the user's configuration file, or handles a signal that `Context` does not ask for. Everything that waits is a
coroutine, for an event loop that may be running already.

load_job    a job file -> Job
plan        what a job would do, from live state
run         carry a job out -> RunResult; the account of each target is in the Store
undo        resume exactly what a run has paused, by its id
window      `async with`: paused while the block lasts, and resumed whatever happens in it
Settings    the tenant and the credential, `Settings.from_environment()`
Store       the state directory: runs, targets, leases
Context     what a run needs from outside: settings, store, observer
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runner.base.version import __version__

if TYPE_CHECKING:
    from runner.base.errors import RunnerError, WindowError
    from runner.base.model import Job, OperationName, Outcome, RunResult, Target
    from runner.base.settings import Settings
    from runner.engine.session import Context, Observer
    from runner.jobfile import load as load_job
    from runner.planning.preview import preview as plan
    from runner.runs import run
    from runner.store import Store
    from runner.windows.block import window
    from runner.windows.undo import undo_run as undo

__all__ = [
    "Context",
    "Job",
    "Observer",
    "OperationName",
    "Outcome",
    "RunResult",
    "RunnerError",
    "Settings",
    "Store",
    "Target",
    "WindowError",
    "__version__",
    "load_job",
    "plan",
    "run",
    "undo",
    "window",
]

_PLACES = {
    "Context": "runner.engine.session:Context",
    "Job": "runner.base.model:Job",
    "Observer": "runner.engine.session:Observer",
    "OperationName": "runner.base.model:OperationName",
    "Outcome": "runner.base.model:Outcome",
    "RunResult": "runner.base.model:RunResult",
    "RunnerError": "runner.base.errors:RunnerError",
    "Settings": "runner.base.settings:Settings",
    "Store": "runner.store:Store",
    "Target": "runner.base.model:Target",
    "WindowError": "runner.base.errors:WindowError",
    "load_job": "runner.jobfile:load",
    "plan": "runner.planning.preview:preview",
    "run": "runner.runs:run",
    "undo": "runner.windows.undo:undo_run",
    "window": "runner.windows.block:window",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
