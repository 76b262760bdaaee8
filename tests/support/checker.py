"""The one judge of every fault: what was committed, what the topic has, what a consumer did with it.

committed ⊆ delivered; delivered ids ⊆ committed; per record, first deliveries in order; effects = distinct ids; topic = state = tables.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from mainstem.publisher.encoding import event_id_of
from mainstem.state import Held, State

EVERY = bytes(16), b"\xff" * 16


def judge(
    state: State, records: Sequence[Any], effects: Sequence[str] | None, tables: dict[str, str] | None
) -> list[str]:
    """What is wrong; empty where nothing is. `effects`, `tables`: what a consumer has, where there was one."""
    heads = [{name: value.decode() for name, value in each.headers} for each in records]
    held = [each for each in state.mending.held(*EVERY) if each.sequence == each.published_sequence]
    found = list(_lost(state, held, heads))
    found += [f"never committed: {id_}" for id_ in sorted({head["ce_id"] for head in heads} - _possible(state, heads))]
    found += _out_of_order(heads, [each.partition for each in records])
    found += list(_topic_differs(state, held, records))
    if effects is not None:
        twice = [id_ for id_, count in Counter(effects).items() if count > 1]
        found += [f"effect more than once: {id_}" for id_ in twice]
        found += [f"effect of nothing: {id_}" for id_ in set(effects) - {head["ce_id"] for head in heads}]
    if tables is not None:
        live = {f"r-{each.id.hex()}" for each in held if not each.withdrawn}
        found += [f"tables differ: {sorted(live ^ set(tables))[:3]}"] if live != set(tables) else []
    return found


def told_otherwise(records: Sequence[Any]) -> list[str]:
    """Ids under which more than one content was told: the same event again says the same."""
    said: dict[str, set[str]] = {}
    for each in records:
        id_ = dict(each.headers)["ce_id"].decode()
        told = "" if each.value is None else json.dumps(json.loads(each.value)["record"], sort_keys=True)
        said.setdefault(id_, set()).add(told)
    return sorted(id_ for id_, told in said.items() if len(told) > 1)


def last_id(state: State, each: Held) -> str:
    """The id of a record's published change."""
    return event_id_of(f"r-{each.id.hex()}", state.mending.epochs(each.site).of(each.number), each.sequence)


def _lost(state: State, held: Sequence[Held], heads: Sequence[dict[str, str]]) -> "list[str]":
    delivered = {head["ce_id"] for head in heads}
    return [f"not delivered: {each.id.hex()}" for each in held if last_id(state, each) not in delivered]


def _possible(state: State, heads: Sequence[dict[str, str]]) -> set[str]:
    """Ids of the changes that the state has made: each record's, in every epoch, up to its last."""
    highest = {f"r-{each.id.hex()}": each.sequence for each in state.mending.held(*EVERY)}
    epochs = {int(head["ce_sequence"].split(".")[0]) for head in heads}
    known = {head["ce_subject"] for head in heads}
    most = max((int(head["ce_sequence"].split(".")[1]) for head in heads), default=0)
    return {
        event_id_of(record, epoch, sequence)
        for record in known
        for epoch in epochs
        for sequence in range(1, (highest.get(record, 0) if epoch == max(epochs) else most) + 1)
    }


def _out_of_order(heads: Sequence[dict[str, str]], partitions: Sequence[int]) -> list[str]:
    """First deliveries, of a record within a partition: one that goes over to another subject may go to another; what comes again
    may be older."""
    last: dict[tuple[str, int], tuple[int, int]] = {}
    seen: set[str] = set()
    wrong = []
    for head, partition in zip(heads, partitions, strict=True):
        if head["ce_id"] in seen:
            continue
        seen.add(head["ce_id"])
        epoch, sequence = map(int, head["ce_sequence"].split("."))
        place = head["ce_subject"], partition
        if (epoch, sequence) < last.get(place, (0, 0)):
            wrong.append(f"out of order: {head['ce_subject']} {head['ce_sequence']}")
        last[place] = (epoch, sequence)
    return wrong


def _topic_differs(state: State, held: Sequence[Held], records: Sequence[Any]) -> list[str]:
    """What the topic says last of each key is what the state has published."""
    last = {record.key: record for record in records}
    wrong = []
    for each in held:
        key = f"s-{each.subject.hex()}/r-{each.id.hex()}".encode()
        said = last.get(key)
        if (
            said is None
            or (said.value is None) != each.withdrawn
            or dict(said.headers)["ce_id"].decode() != last_id(state, each)
        ):
            wrong.append(f"topic is not the state: {each.id.hex()}")
    return wrong


def effects_of(engine: Any) -> list[str]:
    """What a `Latest` did."""
    with engine.connect() as db:
        return [event for (event,) in db.execute(text("select event from effect"))]
