"""What a service is: which events it handles, which jobs it runs, what it emits and what it needs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from waybill_contracts import Event

from chassis.health import Probe
from chassis.intake import BatchHandler
from chassis.jobs import JobKind
from chassis.names import Names


@dataclass(frozen=True)
class Service:
    """The wiring of one service; `app.run` gives it life, `docs/flow.md` is made from it."""

    name: str
    migrations: str
    handles: Mapping[type[Event], Callable[[Any], Awaitable[None]]] = field(default_factory=dict)
    batches: Mapping[str, BatchHandler] = field(default_factory=dict)
    jobs: Sequence[JobKind] = ()
    emits: Sequence[type[Event]] = ()
    probes: Mapping[str, Probe] = field(default_factory=dict)
    start: Sequence[Callable[[], Awaitable[None]]] = ()

    def __post_init__(self) -> None:
        if {event.topic for event in self.handles} & self.batches.keys():
            raise ValueError(f"{self.name}: a topic is taken either by event or in batches")

    @property
    def handled_topics(self) -> list[str]:
        """Nouns of the topics it reads."""
        return sorted({event.topic for event in self.handles} | self.batches.keys())

    def group(self, names: Names, topic: str) -> str:
        """Its consumer group of a topic: one each, so that a rebalance of one topic stops no other."""
        return names.group(self.name, topic)

    def topics(self, names: Names) -> list[str]:
        """Every topic that it reads or writes."""
        nouns = {*self.handled_topics, *(event.topic for event in self.emits)}
        return sorted({names.dead_letters(self.name), *map(names.topic, nouns)})
