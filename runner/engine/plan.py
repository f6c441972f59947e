"""What a run is to do: in the store before anything is sent, and growing while a selection is still being found."""

from collections.abc import Sequence
from typing import NamedTuple

from runner.base.model import Planned
from runner.engine.pool import Feed
from runner.engine.session import Observer
from runner.store import Journal


class Wave(NamedTuple):
    """Targets that are worked on before the next wave begins."""

    feed: Feed[Planned]
    size: int


class Plan:
    """The targets of a run, as many as are known."""

    def __init__(self, journal: Journal, observer: Observer) -> None:
        self._journal = journal
        self._observer = observer
        self.total = 0
        self.whole = True  # nothing is added any more
        self.seqs = set[int]()  # what this process works on; what an earlier one has settled is not told again

    def record(self, targets: Sequence[Planned], *, recorded: bool = False) -> None:
        """Put targets into the plan before anything is sent; `recorded` if they are in the store already."""
        if not recorded:
            self._journal.plan(targets)
        self.total += len(targets)
        self.seqs.update(planned.seq for planned in targets)

    def add(self, planned: Planned) -> Planned:
        """Put one more target into the plan, at its end; returns it with its place."""
        placed = planned._replace(seq=self.total)
        self.total += 1
        self.seqs.add(placed.seq)
        self._journal.add(placed)
        self._observer.planned(self.total, whole=False)
        return placed

    def will_grow(self) -> None:
        """More is added while it is worked on."""
        self.whole = False

    def is_whole(self) -> None:
        """Nothing is added any more."""
        self.whole = True
        self._journal.whole()
        self._observer.planned(self.total, whole=True)
