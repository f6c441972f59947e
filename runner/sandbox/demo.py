"""The demo tenant: small, readable, and with one of everything that can surprise a client."""

from __future__ import annotations

from runner.sandbox.population import Listed
from runner.sandbox.records import App, Connector, Ending, Pause, State, Sync, timestamp
from runner.sandbox.vocabulary import Cause

MINUTE = 60.0

_APPS = {
    "2aHRcore": "HR Core (Workday)",
    "2aOktaProd": "Okta",
    "2aGitHub": "GitHub Enterprise",
    "2aAwsOrg": "AWS Organization",
    "2aPayroll": "Payroll",
    "2aSlackUS": "Slack",
    "2aSlackEU": "Slack",  # two apps of one name: only the id tells them apart
    "2aOddNames": '=HYPERLINK("http://example.invalid";"Open")',
    "2aArchive": "Archive (no connectors)",
}

# app id, connector id, name, catalog id, what is special about it
_CONNECTORS = (
    ("2aHRcore", "2bWorkdayUS", "Workday US", "catalog-workday", "done"),
    ("2aHRcore", "2bWorkdayEU", "Workday EU", "catalog-workday", "done"),
    ("2aHRcore", "2bWorkdayAPAC", "Workday APAC", "catalog-workday", "syncing"),
    ("2aHRcore", "2bHRsheet", "Contractors spreadsheet", "catalog-csv", "never synced"),
    ("2aOktaProd", "2bOktaMain", "Okta production", "catalog-okta", "done"),
    ("2aOktaProd", "2bOktaPreview", "Okta preview", "catalog-okta", "paused"),
    ("2aOktaProd", "2bOktaAcquired", "Okta (acquired company)", "catalog-okta", "anomaly"),
    ("2aGitHub", "2bGitHubMain", "GitHub main organization", "catalog-github", "done"),
    ("2aGitHub", "2bGitHubOSS", "GitHub open source", "catalog-github", "done"),
    ("2aGitHub", "2bGitHubLabs", "GitHub labs", "catalog-github", "error"),
    ("2aGitHub", "2bGitHubOld", "GitHub (moved away)", "catalog-github", "deleted"),
    ("2aAwsOrg", "2bAwsRoot", "AWS management account", "catalog-aws", "done"),
    ("2aAwsOrg", "2bAwsProd", "AWS production", "catalog-aws", "done"),
    ("2aAwsOrg", "2bAwsStage", "AWS staging", "catalog-aws", "done"),
    ("2aAwsOrg", "2bAwsSecurity", "AWS security tooling", "catalog-mcp", "mcp"),
    ("2aAwsOrg", "2bAwsIdentity", "AWS IAM Identity Center", "catalog-aws-sso", "done"),
    ("2aPayroll", "2bPayrollUS", "Payroll US", "catalog-adp", "done"),
    ("2aPayroll", "2bPayrollDE", "Payroll DE", "catalog-adp", "failed and paused"),
    ("2aSlackUS", "2bSlack", "Slack workspace", "catalog-slack", "done"),
    ("2aSlackEU", "2bSlack", "Slack workspace", "catalog-slack", "done"),  # the pair is the key
    ("2aOddNames", "2bFormula", "=1+cmd|' /C calc'!A0", "catalog-odd", "done"),
    ("2aOddNames", "2bScript", "<script>alert(1)</script>", "catalog-odd", "done"),
    ("2aOddNames", "2bEmoji", "Connector 🚀 déjà-vu 名前", "catalog-odd", "done"),
    ("2aOddNames", "2bRightToLeft", "موصل \u202exslx.exe", "catalog-odd", "done"),
    ("2aOddNames", "2bNewline", 'line one\nline "two", [bold]\x1b[31mred', "catalog-odd", "done"),
)


def demo_population(now: float) -> Listed:
    """Return nine apps with 25 connectors, their last syncs shortly before `now` (epoch seconds)."""
    states = _states(now)
    apps = (App(app_id, name) for app_id, name in _APPS.items())
    connectors = (
        Connector(app_id, connector_id, name, catalog_id, states[special], mcp=special == "mcp")
        for app_id, connector_id, name, catalog_id, special in _CONNECTORS
    )
    return Listed(apps, connectors)


def _states(now: float) -> dict[str, State]:
    finished = Sync(now - 40 * MINUTE, now - 25 * MINUTE)
    failed = Sync(now - 20 * MINUTE, now - 18 * MINUTE, Ending.ERROR)
    running = Sync(now - 5 * MINUTE, now + 10 * MINUTE)
    paused = Pause(timestamp(now - 3 * 24 * 60 * MINUTE, 271))
    return {
        "done": State(sync=finished),
        "mcp": State(sync=finished),
        "error": State(sync=failed),
        "syncing": State(sync=running),
        "never synced": State(),
        "paused": State(paused, finished),
        "failed and paused": State(paused, failed),
        "anomaly": State(Pause(timestamp(now - 90 * MINUTE, 828), Cause.ANOMALY), finished),
        "deleted": State(sync=finished, deleted_at=now - 60 * 24 * 60 * MINUTE),
    }
