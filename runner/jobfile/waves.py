"""Waves: how far the work goes before the failures are looked at again."""

from yaml.events import Event, SequenceEndEvent, SequenceStartEvent

from runner.base.policy import MAX_WAVES, Share
from runner.base.units import shown
from runner.jobfile.kind import Kind, Schema, read_value
from runner.jobfile.source import Source, shape


class Waves:
    """A list of shares of the plan, each entry saying how much is done when its wave has ended.

    Numbers have to grow, and so has per cent; how `5` compares to `10%` is for the plan to say. The list ends
    with 100% or with a number; after a number, what is left of the plan is one more wave.
    """

    def __init__(self, share: Kind[Share]) -> None:
        self._share = share

    def read(self, source: Source, event: Event, at: str) -> tuple[Share, ...] | None:
        if not isinstance(event, SequenceStartEvent):
            source.problem(event, f"{at}: expected a list such as [1, 10%, 100%], not {shape(event)}")
            source.skip(event)
            return None
        waves: list[Share] = []
        count = 0
        last: Event = event
        while not isinstance(following := source.next(), SequenceEndEvent):
            count, last = count + 1, following
            wave = read_value(self._share, source, following, at)
            if count == MAX_WAVES + 1:
                source.problem(following, f"{at}: expected at most {MAX_WAVES} entries")
            if wave is None:
                continue
            if (message := _misfit(waves, wave)) is not None:
                source.problem(following, f"{at}: {message}")
            waves.append(wave)
        if not count:
            source.problem(event, f"{at}: the list is empty")
        elif len(waves) == count and waves[-1].percent and waves[-1].value < 100:
            source.problem(last, f"{at}: the last wave must be 100% or a number, not {shown(str(waves[-1]))}")
        return tuple(waves)

    def schema(self) -> Schema:
        return {"type": "array", "items": self._share.schema(), "minItems": 1, "maxItems": MAX_WAVES}


def _misfit(before: list[Share], wave: Share) -> str | None:
    """Why `wave` cannot follow those before it."""
    if Share(100, percent=True) in before:
        return f"{wave} cannot follow 100%, which is everything"
    same = [each for each in before if each.percent == wave.percent]
    if same and same[-1].value >= wave.value:
        return f"must grow: {wave} comes after {same[-1]}"
    return None
