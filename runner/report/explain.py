"""What went wrong with a target, in plain words, and what can be done about it.

The words follow from the HTTP status and the outcome alone; what the tenant itself said stands beside them.
"""

from runner.base.model import Outcome
from runner.store.records import TargetRecord

_STATUS = {
    400: ("C1 did not accept the request.", "Check the ids in the job file."),
    401: ("C1 did not accept the access token.", "Check that the credential is still valid."),
    403: (
        "This credential may not do this, or a gateway before C1 refused the request.",
        "It needs the rights of a Connector Administrator or a Super Administrator, unless a gateway spoke: see below.",
    ),
    404: (
        "C1 knows no such connector in this app, or a gateway before C1 did not pass the request on.",
        "It may have been deleted, or the ids belong to another tenant, unless a gateway spoke: see below.",
    ),
    409: ("Something else was changing the connector at the same time.", "Try it again in a moment."),
    429: ("C1 kept asking to slow down.", "Try it again later, or with a lower rate."),
}
_SERVER = (
    "C1 had a fault of its own each time it was asked.",
    "Try again later; C1's support can look up the request id.",
)
_REDIRECT = ("The answer led to another address, which is never followed.", "Check the tenant's host name.")
_OTHER = ("C1 refused the request.", "What it said stands below.")
_SILENCE = ("No clear answer came back.", "Look at the connector's state before anything else is done.")
_UNSENT = ("No request got through.", "Check the network, the proxy and the tenant's host name.")
_OWN = ("No request was sent for it.", "The reason stands below.")


def explanation(target: TargetRecord) -> tuple[str, str]:
    """Two sentences about a failed or unknown target: what happened, and what to do."""
    status = target.http_status
    if target.outcome is Outcome.UNKNOWN and (status is None or status < 300 or status >= 500):
        return _SILENCE
    if status is None:
        return _UNSENT if target.error and target.attempts else _OWN
    if status in _STATUS:
        return _STATUS[status]
    if status >= 500:
        return _SERVER
    return _REDIRECT if 300 <= status < 400 else _OTHER


def reasons(target: TargetRecord) -> list[str]:
    """What the record says of its outcome, nothing twice: the detail, then the last error."""
    return list(dict.fromkeys(text for text in (target.detail, target.error) if text))
