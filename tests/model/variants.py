"""What is explored: the protocol within each set of bounds, and simpler protocols that lack one protection each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.model.protocol import Protocol
from tests.model.world import ABSENT, EXPIRING, PRESENT, Bounds

THREE = (ABSENT, PRESENT, EXPIRING)

PLAIN = Bounds("writes, turns and recoveries")
DEATHS = Bounds("dying invocations and lingering writes", deaths=True, lingering=True)
POISON = Bounds("poisoned records", poison=True)
HUNG = Bounds("turns that hang and wake up", zombies=True)
ZOMBIES = Bounds("turns and gates that hang and wake up", zombies=True, reassert=True)
WORKERS = Bounds("copy workers", workers=True)
UNANSWERED = Bounds("copy workers and lingering writes", workers=True, lingering=True, log=1)
TTL = Bounds("items that expire", values=THREE, ttl=True)
CONSUMERS = Bounds("items that expire, every change owed", values=THREE, ttl=True, consumers=True)
LATE_CLIENTS = Bounds("beyond: a seal that spreads late", late_clients=1)
LATE_REPLICATOR = Bounds("beyond: a fence that spreads late", late_replicator=1)
LATE_DELIVERY = Bounds("beyond: a record that comes late to the mirror", late_delivery=1)
LATE_STREAM = Bounds("beyond: a record that comes late to the turn", late_stream=1)

WITHIN = (PLAIN, DEATHS, POISON, ZOMBIES, WORKERS, UNANSWERED, TTL, CONSUMERS)
BEYOND = (LATE_CLIENTS, LATE_REPLICATOR, LATE_DELIVERY, LATE_STREAM)

DEEP = (
    replace(PLAIN, name="deep: three values, three records", values=(0, 1, 2), log=3),
    replace(DEATHS, name="deep: deaths, three records", log=3, poison=True),
    replace(ZOMBIES, name="deep: zombies, deaths and lingering writes", deaths=True, lingering=True),
    replace(ZOMBIES, name="deep: zombies, three values", values=(0, 1, 2)),
    replace(WORKERS, name="deep: workers and zombies", zombies=True),
    replace(UNANSWERED, name="deep: workers and lingering writes", log=2),
    replace(TTL, name="deep: items that expire, deaths", deaths=True),
    replace(LATE_CLIENTS, name="deep: three waits that end early", late_clients=2, late_replicator=1),
)


EXPIRED_AND_LATE = replace(TTL, name="known limit: items that expire and lingering writes", lingering=True)
"""Here the protocol does not hold: to a comparison an expired item is no difference, so one that landed late stays."""


@dataclass(frozen=True)
class Variant:
    """The protocol without one protection, bounds in which that shows, and words of the fault that comes of it."""

    without: str
    bounds: Bounds
    fault: str

    @property
    def protocol(self) -> Protocol:
        return replace(Protocol(), **{self.without: False})


LOST = "clients find"
DIFFER = "the tables differ"
UNKNOWN = "nobody knows"

VARIANTS = (
    Variant("settle", PLAIN, LOST),
    Variant("seal", PLAIN, LOST),
    Variant("spread", PLAIN, LOST),
    Variant("fence", PLAIN, LOST),
    Variant("drain", LATE_REPLICATOR, LOST),
    Variant("look", PLAIN, LOST),
    Variant("read_again", LATE_CLIENTS, LOST),
    Variant("answered", PLAIN, LOST),
    Variant("open_refuses_ours", DEATHS, LOST),
    Variant("hold", LATE_CLIENTS, UNKNOWN),
    Variant("open_then_release", LATE_CLIENTS, LOST),
    Variant("token", HUNG, LOST),
    Variant("one_holder", HUNG, LOST),
    Variant("own_fence", HUNG, LOST),
    Variant("revision", HUNG, LOST),
    Variant("fresh_revisions", HUNG, LOST),
    Variant("undo_in_order", HUNG, DIFFER),
    Variant("forward_only", PLAIN, LOST),
    Variant("owner_read", PLAIN, DIFFER),
    Variant("echoes_end", CONSUMERS, LOST),
    Variant("registers_first", PLAIN, LOST),
    Variant("registers_put_off", PLAIN, LOST),
    Variant("by_age", PLAIN, LOST),
    Variant("workers_register", WORKERS, LOST),
    Variant("failure_voids", DEATHS, DIFFER),
    Variant("failure_undoes", DEATHS, LOST),
    Variant("compare_from_start", DEATHS, DIFFER),
    Variant("compare_waits", DEATHS, DIFFER),
    Variant("damage_looks_back", POISON, LOST),
    Variant("late_found", LATE_DELIVERY, UNKNOWN),
)

SECOND_LINES = (("workers_check", replace(WORKERS, log=1)),)
"""Protections behind others: without one of these alone the model still holds."""
