"""Placeholder until the learned pace is in; it only keeps a fixed rate."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaceSnapshot:
    rate: float | None
    gate_closed_for: float
    refused: int


class Pace:
    def __init__(self, *, rate: float | None = None, random: random.Random | None = None) -> None:
        self._rate, self._next, self._gate, self._refused = rate, 0.0, 0.0, 0

    def delay(self, now: float) -> float:
        return max(0.0, self._gate - now, self._next - now if self._rate else 0.0)

    def sent(self, now: float) -> None:
        if self._rate:
            self._next = max(self._next, now) + 1 / self._rate

    def accepted(self, sent_at: float, now: float) -> None: ...

    def lost(self, sent_at: float, now: float) -> None: ...

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> float:
        self._refused += 1
        wait = retry_after or 1.0
        self._gate = max(self._gate, now + wait)
        return wait

    def snapshot(self, now: float) -> PaceSnapshot:
        return PaceSnapshot(self._rate, max(0.0, self._gate - now), self._refused)
