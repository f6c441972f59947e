"""The bar on a terminal, drawn by rich; imported where there is one."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from runner.cli.counting import Counting

_FEW = 10
"""So many targets must be done before the time that is left can be told."""


def bar(counting: Counting) -> Progress:
    """A bar that shows what `counting` knows whenever it is drawn; gone when the run is over."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _HowFar(counting),
        TimeElapsedColumn(),
        _TimeLeft(counting),
        _State(counting),
        console=Console(stderr=True),
        transient=True,
        expand=True,
        auto_refresh=False,  # its thread would look at the run from outside the event loop
    )


class _Column(ProgressColumn):
    def __init__(self, counting: Counting) -> None:
        super().__init__()
        self._counting = counting


class _HowFar(_Column):
    def render(self, task: Task) -> Text:
        bad = self._counting.bad
        return Text.assemble(self._counting.progress, (f", {bad} bad" if bad else "", "red"), no_wrap=True)


class _TimeLeft(_Column):
    """Told only when it can be: the plan is known to its end, and some of it is done."""

    def render(self, task: Task) -> Text:
        done, elapsed = self._counting.done, task.elapsed
        if self._counting.growing or done < _FEW or not elapsed or done >= self._counting.total:
            return Text("")
        seconds = int(elapsed / done * (self._counting.total - done))
        minutes, seconds = divmod(seconds, 60)
        return Text(f"{minutes}:{seconds:02} left", no_wrap=True)


class _State(_Column):
    def render(self, task: Task) -> Text:
        return Text(self._counting.state, style="yellow", overflow="ellipsis", no_wrap=True)
