"""The dials of a world: in what a tenant can differ from the one that anybody imagines.

Each dial has several settings, by name; the first is the plain one. A setting is something that was seen of C1, of
what stands before it, of clocks, or of colleagues.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations, product
from typing import NamedTuple


class Words(NamedTuple):
    """What stands beside the mark of a pause."""

    category: str
    reason: str


DROP = "Sync paused due to significant drop in sync data: 812 of 1,000 users are gone"
"""The reason that stands beside a pause of C1's anomaly check."""

DELIBERATE = {
    "USER": Words("SYNC_DISABLED_CATEGORY_USER", ""),
    "PAUSED": Words("PAUSED", ""),
    "CUSTOMER": Words("SYNC_DISABLED_CATEGORY_CUSTOMER", ""),
    "REQUESTED": Words("REQUESTED", "on request"),
    "opt-out": Words("", "system-customer-opt-out"),
    "opt-out, with a category": Words("SYNC_DISABLED_CATEGORY_PAUSED", "system-customer-opt-out"),
    "system": Words("", "system"),
    "blank": Words("", ""),
    "like the anomaly's": Words("SYNC_DISABLED_CATEGORY_PAUSED", ""),
}
"""What stands beside a pause that somebody has asked for, by the setting of `words`."""


class Clock(NamedTuple):
    """The tenant's clock against ours, and what ours does in the middle of the run that pauses."""

    offset: float = 0.0  # seconds that the tenant's clock is ahead
    step: float = 0.0  # seconds by which our clock jumps


CLOCKS = {
    "right": Clock(),
    "130 s ahead": Clock(130),
    "130 s behind": Clock(-130),
    "a day ahead": Clock(86_400),
    "a day behind": Clock(-86_400),
    "ours steps back": Clock(step=-600),
    "ours steps on": Clock(step=600),
    "ahead, and ours steps back": Clock(3600, -600),
}

DATES = {"present": 0.0, "absent": None, "3 s ahead": 3.0, "3 s behind": -3.0, "garbage": None}
"""Seconds that the `Date` header is ahead of the clock that makes the marks; None: no date to be read."""


class Gateway(NamedTuple):
    """What answers in C1's place: how, to which requests, in which phase, and how often."""

    kind: str
    where: str = "reads"  # reads, posts, all, or one: what is about one connector, but no listing
    phases: tuple[str, ...] = ("pause", "undo")
    first: int | None = None  # so many of each phase; None: no such bound
    share: float = 1.0  # so many of those that are left


ANSWERS = {
    "404 plain": (404, "text/plain; charset=utf-8", b"default backend - 404"),
    "401 page": (401, "text/html", b"<html><body><h1>401 Authorization Required</h1></body></html>"),
    "403 page": (403, "text/html", b"<html><body>Access denied. Your support ID is: 1234567</body></html>"),
    "502 page": (502, "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "200 page": (200, "text/html", b"<html><body>Sign in to your organization</body></html>"),
    "404 of C1": (404, "application/json", b'{"code":5,"message":"not found (request-id: w-0)","details":[]}'),
}
"""Status, content type and body by the kind of a gateway; the last is C1's own answer, where it should be none."""

GATEWAYS: dict[str, Gateway | None] = {
    "none": None,
    "404 plain to 3 reads of the undo": Gateway("404 plain", phases=("undo",), first=3),
    "404 plain to all reads of the undo": Gateway("404 plain", phases=("undo",)),
    "404 plain to some reads": Gateway("404 plain", share=0.3),
    "404 plain to 2 posts": Gateway("404 plain", "posts", first=2),
    "403 page to some reads": Gateway("403 page", share=0.3),
    "403 page to 2 posts": Gateway("403 page", "posts", first=2),
    "401 page to 2 reads of the undo": Gateway("401 page", phases=("undo",), first=2),
    "502 page to some": Gateway("502 page", "all", share=0.2),
    "200 page to 3 reads of the undo": Gateway("200 page", phases=("undo",), first=3),
    "200 page to 2 posts": Gateway("200 page", "posts", first=2),
    "404 of C1 to one read of the undo": Gateway("404 of C1", "one", ("undo",), first=1),
    "404 of C1 to all reads of one in the undo": Gateway("404 of C1", "one", ("undo",)),
    "404 of C1 to all in the undo": Gateway("404 of C1", "all", ("undo",)),
}


class Twice(NamedTuple):
    """Which replies come twice on their connection, and how long after the first the second one does."""

    where: str
    after: float = 0.0


TWICE = {
    "a post's twice": Twice("posts"),
    "a post's twice, late": Twice("posts", 0.005),
    "a read's twice": Twice("reads"),
    "a read's twice, late": Twice("reads", 0.005),
}
HELD_UP = {"held up 45 s": 45.0, "held up 100 s": 100.0}
"""Seconds until the first request to pause one connector arrives."""

APPLIED_LATER, READ_LAG, CLOSES_AFTER = 5.0, 20.0, 0.010
"""Seconds from the reply to the effect, from a write to the reads that show it, and from a reply to the close."""


@dataclass(frozen=True)
class Dials:
    """One setting of each dial."""

    words: str = "USER"
    status: str = "DONE"
    clock: str = "right"
    date: str = "present"
    mark: str = "kept"
    fields: str = "shown"
    gateway: str = "none"
    ids: str = "right"
    listing: str = "plain"
    replies: str = "plain"
    actor: str = "nobody"
    plan: str = "pairs"

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.turned().items()) or "plain"

    def turned(self) -> dict[str, str]:
        """The dials that are not plain."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}

    @property
    def renews(self) -> bool:
        """Whether to pause what is paused makes a new mark."""
        return self.mark == "renewed"

    @property
    def selects(self) -> bool:
        """Whether the job selects its connectors; where listings are odd it has to, to see them."""
        return self.plan == "selection" or self.listing in ("null page", "page twice", "endless")


SETTINGS: dict[str, tuple[str, ...]] = {
    "words": tuple(DELIBERATE),
    "status": ("DONE", "DISABLED", "RUNNING", "null"),
    "clock": tuple(CLOCKS),
    "date": tuple(DATES),
    "mark": ("kept", "renewed"),
    "fields": ("shown", "hidden"),
    "gateway": tuple(GATEWAYS),
    "ids": (
        "right",
        "another's, in the undo",
        "another's, always",
        "another app's, in the undo",
        "rows of another app",
    ),
    "listing": ("plain", "overshoot", "null page", "page twice", "endless"),
    "replies": ("plain", *TWICE, "closed soon", *HELD_UP, "applied later", "read late"),
    "actor": (
        "nobody",
        "pauses before our post",
        "resumes and pauses again",
        "resumes",
        "deletes",
        "deletes softly",
        "deletes, still listed",
        "anomaly after our resume",
        "anomaly meanwhile",
        "system meanwhile",
        "changes the words",
    ),
    "plan": ("pairs", "selection"),
}
"""The settings of each dial, the plain one first."""


def singles() -> Iterator[Dials]:
    """Each dial alone, with each of its settings."""
    for name, settings in SETTINGS.items():
        for setting in settings[1:]:
            yield Dials(**{name: setting})


def pairs(*, every: bool = False) -> Iterator[Dials]:
    """Each two dials: with one setting of each, which differ from pair to pair, or with `every` one."""
    odd = {name: settings[1:] for name, settings in SETTINGS.items()}
    for (place, one), (other_place, other) in combinations(enumerate(odd), 2):
        if every:
            chosen = list(product(odd[one], odd[other]))
        else:
            chosen = [(odd[one][other_place % len(odd[one])], odd[other][place % len(odd[other])])]
        for first, second in chosen:
            dials = Dials(**{one: first, other: second})
            if undecidable(dials) is None:
                yield dials


ONCE_WRONG = (
    Dials(clock="ours steps back", fields="hidden"),
    Dials(clock="ours steps back", gateway="404 of C1 to one read of the undo"),
    Dials(clock="ahead, and ours steps back", gateway="404 plain to all reads of the undo"),
    Dials(date="3 s ahead", replies="held up 45 s"),
    Dials(gateway="403 page to 2 posts", replies="a post's twice, late"),
    Dials(gateway="403 page to some reads", replies="a read's twice, late"),
)
"""Worlds in which something of ours was forgotten once, found by playing every setting of every two dials."""


def undecidable(dials: Dials) -> str | None:
    """Why nobody could tell in this world whose pause it is; such worlds are not asked about."""
    before = dials.actor == "pauses before our post"
    if before and dials.date in ("absent", "garbage"):
        return "whether a mark is older than our request shows only against the tenant's clock"
    if before and dials.date == "3 s behind":
        return "5 s before our request look like 2 s, and 3 s must be allowed for"
    return None
