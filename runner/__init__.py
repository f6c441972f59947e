"""c1-runner: asynchronous bulk operations (pause, resume, force_sync) for the connectors of a C1 tenant."""

__version__ = "0.1.0"
