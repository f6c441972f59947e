"""A simulated C1 tenant that other clients of C1's API can talk to, with faults on demand.

It imports nothing of `runner` outside this package: a shared constant would make the fake and the
client wrong together.
"""

from runner.sandbox.actions import Action, Kind
from runner.sandbox.demo import demo_population
from runner.sandbox.faults import Faults, FaultsError
from runner.sandbox.generated import Generated
from runner.sandbox.keys import Credential
from runner.sandbox.oracle import Arrival, Event, Oracle
from runner.sandbox.population import Listed, Open, Population, of_pairs
from runner.sandbox.records import App, Connector, Ending, Pause, State, Sync
from runner.sandbox.server import SandboxServer, environment, serve
from runner.sandbox.tenant import Behaviour, NotFound, Tenant
from runner.sandbox.tokens import TENANT_HOST, TokenDesk
from runner.sandbox.vocabulary import Cause, Vocabulary

__all__ = [
    "TENANT_HOST",
    "Action",
    "App",
    "Arrival",
    "Behaviour",
    "Cause",
    "Connector",
    "Credential",
    "Ending",
    "Event",
    "Faults",
    "FaultsError",
    "Generated",
    "Kind",
    "Listed",
    "NotFound",
    "Open",
    "Oracle",
    "Pause",
    "Population",
    "SandboxServer",
    "State",
    "Sync",
    "Tenant",
    "TokenDesk",
    "Vocabulary",
    "demo_population",
    "environment",
    "of_pairs",
    "serve",
]
