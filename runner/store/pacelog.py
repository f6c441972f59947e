"""How the pace of a run went, in a bounded number of samples."""

from runner.store.journal import Journal

MOST = 500
"""Samples of one run; one more, and every second one goes."""

_FINEST = 0.25
"""Seconds between two looks at the start of a run."""

_LOOKS = 200
"""From when on the looks grow rarer: a run is shown with about this resolution, however long it is."""

_UNLIMITED = 10_000.0
"""Requests per second: a pace that is still doubling in search of a limit limits nothing above this."""


class PaceLog:
    """Records the pace where it has changed. A run that nothing slows down costs nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        earlier = journal.paces()  # of a run that is gone on with
        self._moments = [at for at, _ in earlier]
        self._throttled_before = earlier[-1][1] if earlier else 0
        self._last: tuple[float | None, int] = (None, self._throttled_before)

    @staticmethod
    def pause_after(elapsed: float) -> float:
        """Seconds until the next look, `elapsed` seconds after the first one."""
        return max(_FINEST, elapsed / _LOOKS)

    def note(self, at: float, rate: float | None, throttled: int) -> None:
        """Record the pace at `at` (epoch seconds): requests per second, and 429s since this process began."""
        told = None if rate is None or rate > _UNLIMITED else float(f"{rate:.3g}")
        now = (told, self._throttled_before + throttled)
        if now == self._last:
            return
        self._last = now
        self._journal.pace(at, *now)
        self._moments.append(at)
        if len(self._moments) > MOST:
            for moment in self._moments[1:-1:2]:
                self._journal.forget_pace(moment)
            del self._moments[1:-1:2]
