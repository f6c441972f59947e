"""Kinds of value made of others: lists, tables of known keys, and values with a short and a long form."""

from array import array
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple

from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from runner.base.policy import MAX_TARGETS
from runner.jobfile.kind import Kind, Schema, T, read_value
from runner.jobfile.source import Source, line_of, shape
from runner.jobfile.unknown import unknown_key


def _itself(item: Hashable) -> Hashable:
    return item


class ListOf(NamedTuple, Generic[T]):
    """Zero or more values of one kind; with `lenient`, one value may stand without its list."""

    item: Kind[T]
    least: int = 0
    lenient: bool = False
    distinct: Callable[[T], Hashable] = _itself  # no two entries may have this in common

    def read(self, source: Source, event: Event, at: str) -> tuple[T, ...] | None:
        if not isinstance(event, SequenceStartEvent):
            return self._read_single(source, event, at)
        items: list[T] = []
        lines = array("L")
        hashes: set[int] = set()  # not the entries' own keys: a list of pairs can be long
        count = 0
        while not isinstance(following := source.next(), SequenceEndEvent):
            count += 1
            if count > MAX_TARGETS:
                raise source.stop(following, f"{at}: more than {MAX_TARGETS:,} entries: split the job")
            item = read_value(self.item, source, following, at)
            if item is None:
                continue
            key = self.distinct(item)
            if hash(key) in hashes and (first := self._index(items, key)) is not None:
                source.problem(following, f"{at}: the same as on line {lines[first]}: keep one")
                continue
            hashes.add(hash(key))
            items.append(item)
            lines.append(line_of(following))
        if count < self.least:
            source.problem(event, f"{at}: the list is empty")
            return None
        return tuple(items) if len(items) == count else None

    def _index(self, items: list[T], key: Hashable) -> int | None:
        return next((index for index, item in enumerate(items) if self.distinct(item) == key), None)

    def _read_single(self, source: Source, event: Event, at: str) -> tuple[T, ...] | None:
        if self.lenient:
            item = read_value(self.item, source, event, at)
            return None if item is None else (item,)
        source.problem(event, f"{at}: expected a list, not {shape(event)}")
        source.skip(event)
        return None

    def schema(self) -> Schema:
        items = self.item.schema()
        array: Schema = {"type": "array", "items": items, "uniqueItems": True}
        if self.least:
            array["minItems"] = self.least
        return {"anyOf": [items, array]} if self.lenient else array


class Either(NamedTuple, Generic[T]):
    """One value in short form, a scalar, or in long form."""

    short: Kind[T]
    long: Kind[T]

    def read(self, source: Source, event: Event, at: str) -> T | None:
        return (self.short if isinstance(event, ScalarEvent) else self.long).read(source, event, at)

    def schema(self) -> Schema:
        return {"anyOf": [self.short.schema(), self.long.schema()]}


class Key(NamedTuple):
    """One key of a table."""

    kind: Kind[Any]
    help: str
    required: str | None = None  # what to write where it is missing
    json: Mapping[str, Any] = MappingProxyType({})  # more for the schema, such as a default

    def schema(self) -> Schema:
        return {"description": self.help, **self.kind.schema(), **self.json}


class Section:
    """A table as it was read: the values that could be used, and the place of every key."""

    def __init__(self, source: Source, place: Event, at: str) -> None:
        self.values: dict[str, Any] = {}
        self.places: dict[str, Event] = {}
        self.place = place
        self._source = source
        self.at = at

    def name_of(self, key: str) -> str:
        """The key's full name for messages."""
        return f"{self.at}.{key}" if self.at else key

    def problem(self, message: str, key: str | None = None) -> None:
        """Record what is wrong with the table, or with one of its keys."""
        name = self.name_of(key) if key else self.at
        place = self.places[key] if key else self.place
        self._source.problem(place, f"{name}: {message}" if name else message)


class Table(NamedTuple, Generic[T]):
    """A mapping of known keys to values of known kinds; `make` builds its value and judges the whole."""

    keys: Mapping[str, Key]
    make: Callable[[Section], T]
    json: Mapping[str, Any] = MappingProxyType({})
    title: str = "a job file"  # what the table is called that has no name of its own: the whole file

    def read(self, source: Source, event: Event, at: str) -> T | None:
        if not isinstance(event, MappingStartEvent):
            source.problem(event, f"{at or self.title}: expected `key: value` lines, not {shape(event)}")
            source.skip(event)
            return None
        section = Section(source, event, at)
        while not isinstance(key_event := source.next(), MappingEndEvent):
            key = self._key(source, key_event, section)
            value_event = source.next()
            if key is None:
                source.skip(value_event)
                continue
            section.places[key] = key_event
            value = read_value(self.keys[key].kind, source, value_event, section.name_of(key))
            if value is not None:
                section.values[key] = value
        for name, each in self.keys.items():
            if each.required and name not in section.places:
                section.problem(f"{name} is missing: add `{each.required}`")
        return self.make(section)

    def schema(self) -> Schema:
        required = [name for name, key in self.keys.items() if key.required]
        return {
            "type": "object",
            "properties": {name: key.schema() for name, key in self.keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **self.json,
        }

    def _key(self, source: Source, event: Event, section: Section) -> str | None:
        """The key that `event` is, or None for one that cannot be used."""
        if not isinstance(event, ScalarEvent):
            if not isinstance(event, AliasEvent):
                source.problem(event, f"a key must be one word, not {shape(event)}")
            source.skip(event)
            return None
        key: str = event.value
        if key not in self.keys:
            message = unknown_key(key, {name: getattr(each.kind, "keys", ()) for name, each in self.keys.items()})
            source.problem(event, f"{section.at}: {message}" if section.at else message)
            return None
        if key in section.places:
            first = line_of(section.places[key])
            source.problem(event, f"{section.name_of(key)}: the same key as on line {first}: keep one")
            return None
        return key
