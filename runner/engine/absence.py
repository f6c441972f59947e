"""That a connector does not exist any more has to be proven: one 404 is no evidence."""

from contextlib import aclosing

from runner.api.client import Client
from runner.base.errors import ApiError
from runner.base.model import AttemptClass, Planned, Verdict


class Absences:
    """Proves that connectors do not exist any more: by C1's own word, and by a listing that was read to its end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listed: dict[str, set[str] | None] = {}  # by app id; None: the app itself is gone
        self._apps: set[str] | None = None

    async def proven(self, planned: Planned) -> bool:
        """Whether a connector that C1 says does not exist is missing in the listing, too; raises `ApiError`."""
        app_id, connector_id, _ = planned.target
        if app_id not in self._listed:
            self._client.distrust()
            self._listed[app_id] = await self._list(app_id)
        listed = self._listed[app_id]
        return listed is None or connector_id not in listed

    async def _list(self, app_id: str) -> set[str] | None:
        found: set[str] = set()
        try:
            async with aclosing(self._client.connectors(app_id)) as pages:
                async for page in pages:
                    found.update(each.connector_id for each in page.connectors if not each.state.deleted)
        except ApiError as error:
            if error.verdict.missing and app_id not in await self._all_apps():
                return None
            raise
        return found

    async def _all_apps(self) -> set[str]:
        if self._apps is None:
            self._client.distrust()
            async with aclosing(self._client.apps()) as pages:
                self._apps = {app.app_id async for page in pages for app in page if not app.deleted}
        if not self._apps:  # an empty tenant is one that this credential may not see
            raise ApiError(Verdict(AttemptClass.AMBIGUOUS, "the tenant lists no app at all"))
        return self._apps
