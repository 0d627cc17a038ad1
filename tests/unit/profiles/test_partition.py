"""The partition under any order, any rule and any retraction."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from profiles.blocked import blocked_reason
from profiles.explain import path_between
from profiles.partition import DEFAULT_RULES, LINK_KINDS, RENEWED, Link, Node, Partition, Rules, partition
from shared.handle import ASSURANCES, assurance_rank

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=10)
KINDS = ("email", "phone", "external_id", "visitor", "wa_id")
BLOCKED = {"email": "noreply@ornek.com", "phone": "000", "external_id": "null", "visitor": "undefined", "wa_id": "-1"}


def node(place: int, kind: str = "email", *, value: str | None = None, seen: int = 0, shared: bool = False) -> Node:
    return Node(
        id=UUID(int=place + 1), kind=kind, value=value or f"v{place}", first_seen_at=START + timedelta(minutes=seen), shared=shared
    )


def link(a: int, b: int, *, assurance: str = "channel_verified", kind: str = "same_message", seen: int = 0) -> Link:
    return Link(a=UUID(int=a + 1), b=UUID(int=b + 1), kind=kind, assurance=assurance, first_seen_at=START + timedelta(minutes=seen))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Node], list[Link], list[tuple[UUID, UUID]]]:
    count = draw(st.integers(2, 12))
    nodes = []
    for place in range(count):
        kind = draw(st.sampled_from(KINDS))
        blocked = draw(st.integers(0, 9)) == 0
        nodes.append(
            node(
                place, kind, value=BLOCKED[kind] if blocked else None, seen=draw(st.integers(0, 3)),
                shared=draw(st.integers(0, 9)) == 0,
            )
        )  # fmt: skip
    places = st.integers(0, count - 1)
    times = st.integers(0, 5)
    links = []
    for _ in range(draw(st.integers(0, 24))):
        a, b = draw(places), draw(places)
        if a == b:
            continue
        # A new name of a handle is one of its own kind.
        kinds = [one for one in LINK_KINDS if one != RENEWED or nodes[a].kind == nodes[b].kind]
        made = link(
            min(a, b), max(a, b), assurance=draw(st.sampled_from(ASSURANCES)), kind=draw(st.sampled_from(kinds)), seen=draw(times)
        )
        if draw(st.integers(0, 7)) == 0:
            made = replace(made, expires_at=NOW + timedelta(minutes=draw(st.integers(-1, 1))))
        if draw(st.integers(0, 7)) == 0:
            made = replace(made, retracted_at=START)
        links.append(made)
    cannot = [(UUID(int=a + 1), UUID(int=b + 1)) for a, b in draw(st.lists(st.tuples(places, places), max_size=3)) if a != b]
    return nodes, links, cannot


def groups(found: Partition) -> set[frozenset[UUID]]:
    return {frozenset(members) for members in found.components.values()}


@given(worlds(), st.randoms(use_true_random=False), st.booleans())
def test_any_order_of_links_and_handles_gives_the_same_partition(world, random, tight) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    rules = Rules(limit=2) if tight else DEFAULT_RULES
    first = partition(nodes, links, cannot, as_of=NOW, rules=rules)
    shuffled_nodes, shuffled_links, shuffled_cannot = list(nodes), [*links, *links[:3]], [(b, a) for a, b in cannot]
    for things in (shuffled_nodes, shuffled_links, shuffled_cannot):
        random.shuffle(things)
    second = partition(shuffled_nodes, shuffled_links, shuffled_cannot, as_of=NOW, rules=rules)
    assert (first.components, first.head_of, first.shared) == (second.components, second.head_of, second.shared)


@given(worlds(), st.booleans())
def test_no_component_breaks_a_rule(world, tight) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    rules = Rules(limit=2) if tight else DEFAULT_RULES
    known = {node.id: node for node in nodes}
    found = partition(nodes, links, cannot, as_of=NOW, rules=rules)
    assert sorted(member for members in found.components.values() for member in members) == sorted(known)
    for head, members in found.components.items():
        people = [known[member] for member in members]
        assert head == min(people, key=lambda node: (node.first_seen_at, node.id)).id
        for kind in KINDS:
            held = [node for node in people if node.kind == kind]
            names = sum(one.kind == RENEWED and one.a in members and known[one.a].kind == kind for one in found.joined)
            assert len(held) - names <= rules.limits.get(kind, rules.limit)
            if kind in rules.immutable_unique:
                assert len({(node.scope, node.value) for node in held}) <= 1
        assert not any(a in members and b in members for a, b in cannot)
        if len(members) > 1:
            assert not any(node.shared or node.id in found.shared for node in people)
            assert not any(blocked_reason(node.kind, node.value) for node in people)


@given(worlds(), st.integers(0, 11), st.integers(0, 11), st.sampled_from(ASSURANCES))
def test_a_link_taken_back_leaves_what_was_there_before(world, a, b, assurance) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    made = link(a % len(nodes), b % len(nodes), assurance=assurance)
    before = partition(nodes, links, cannot, as_of=NOW)
    partition(nodes, [*links, made], cannot, as_of=NOW)
    after = partition(nodes, [*links, replace(made, retracted_at=NOW)], cannot, as_of=NOW)
    assert after == before


@given(worlds(), st.integers(0, 11), st.integers(0, 11))
def test_an_unverified_claim_changes_nobody(world, a, b) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    claim = link(a % len(nodes), b % len(nodes), assurance="asserted", kind="agent")
    assert partition(nodes, [*links, claim], cannot, as_of=NOW) == partition(nodes, links, cannot, as_of=NOW)


@given(worlds(), st.booleans())
def test_the_weakest_link_changes_nothing_about_what_stronger_ones_joined(world, tight) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    rules = Rules(limit=2) if tight else DEFAULT_RULES
    whole = partition(nodes, links, cannot, as_of=NOW, rules=rules)
    tried = [*whole.joined, *(link for link, _ in whole.dropped)]
    if not tried:
        return
    weakest = max(tried, key=lambda link: (-assurance_rank(link.assurance), LINK_KINDS.index(link.kind), link.first_seen_at))
    without = partition(nodes, [link for link in links if link != weakest], cannot, as_of=NOW, rules=rules)
    if without.shared == whole.shared:
        stronger = [link for link in whole.joined if _strength(link) > _strength(weakest)]
        assert [link for link in without.joined if _strength(link) > _strength(weakest)] == stronger


def _strength(link: Link) -> tuple[int, int, float]:
    return (assurance_rank(link.assurance), -LINK_KINDS.index(link.kind), -link.first_seen_at.timestamp())


@given(worlds())
def test_the_links_that_joined_are_a_tree_of_each_component(world) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    found = partition(nodes, links, cannot, as_of=NOW)
    assert len(found.joined) == sum(len(members) - 1 for members in found.components.values())
    for members in found.components.values():
        for member in members:
            path = path_between(found.joined, members[0], member)
            at = members[0]
            for step in path:
                assert at in (step.a, step.b)
                at = step.b if step.a == at else step.a
            assert at == member
    heads = list(found.components)
    assert all(path_between(found.joined, heads[0], other) == [] for other in heads[1:])


@given(worlds())
def test_a_part_that_no_link_leaves_can_be_decided_alone(world) -> None:  # type: ignore[no-untyped-def]
    nodes, links, cannot = world
    whole = partition(nodes, links, cannot, as_of=NOW)
    reached, grown = {nodes[0].id}, True
    while grown:
        more = {end for link in links for end in (link.a, link.b) if {link.a, link.b} & reached}
        grown, reached = not more <= reached, reached | more
    part = partition([node for node in nodes if node.id in reached], links, cannot, as_of=NOW)
    assert groups(part) == {group for group in groups(whole) if group & reached}


def test_two_handles_that_the_channel_vouches_for_are_one_person_named_by_the_older() -> None:
    found = partition([node(0, seen=5), node(1, "phone", seen=1)], [link(0, 1)], as_of=NOW)
    assert found.components == {UUID(int=2): (UUID(int=2), UUID(int=1))}


def test_the_limit_drops_the_weakest_link() -> None:
    nodes = [node(0, "phone"), *(node(place) for place in range(1, 8))]
    links = [link(0, place, seen=place) for place in range(1, 7)] + [link(0, 7, assurance="authenticated", seen=99)]
    found = partition(nodes, links, as_of=NOW)
    assert len(found.components[UUID(int=1)]) == 6
    assert [(refused.b, why) for refused, why in found.dropped] == [(UUID(int=6), "limit"), (UUID(int=7), "limit")]


def test_two_customer_ids_meet_in_one_browser_and_stay_two_and_the_browser_is_nobodys() -> None:
    nodes = [node(0, "visitor"), node(1, "external_id"), node(2, "external_id")]
    one = partition(nodes, [link(0, 1)], as_of=NOW)
    assert groups(one) == {frozenset({UUID(int=1), UUID(int=2)}), frozenset({UUID(int=3)})}
    both = partition(nodes, [link(0, 1), link(0, 2)], as_of=NOW)
    assert len(both.components) == 3
    assert both.shared == {UUID(int=1)}


def test_a_family_address_joins_the_first_customer_id_and_never_two() -> None:
    nodes = [node(0), node(1, "external_id"), node(2, "external_id")]
    found = partition(nodes, [link(0, 2, seen=2), link(0, 1, seen=1)], as_of=NOW)
    assert groups(found) == {frozenset({UUID(int=1), UUID(int=2)}), frozenset({UUID(int=3)})}
    assert found.dropped[0][1] == "immutable_unique"


def test_a_cannot_link_outweighs_any_evidence() -> None:
    nodes = [node(0), node(1, "phone"), node(2, "wa_id")]
    links = [link(0, 1, assurance="authenticated"), link(1, 2, assurance="authenticated", seen=1)]
    found = partition(nodes, links, [(UUID(int=1), UUID(int=3))], as_of=NOW)
    assert groups(found) == {frozenset({UUID(int=1), UUID(int=2)}), frozenset({UUID(int=3)})}


def test_assurances_are_ordered() -> None:
    assert [assurance_rank(assurance) for assurance in ASSURANCES] == [0, 1, 2]


def test_an_expired_or_retracted_link_joins_nobody_and_a_blocked_value_neither() -> None:
    nodes = [node(0), node(1, "phone"), node(2, "external_id", value="null")]
    good = link(0, 1)
    assert len(partition(nodes, [good], as_of=NOW).components) == 2
    for bad in (replace(good, expires_at=NOW), replace(good, retracted_at=START), link(0, 2), link(0, 1, assurance="asserted")):
        assert len(partition(nodes, [bad], as_of=NOW).components) == 3


def test_a_handle_that_meets_more_customers_than_its_kind_may_is_nobodys() -> None:
    customers = [node(place, "external_id") for place in range(1, 5)]
    links = [link(0, place, seen=place) for place in range(1, 5)]
    for kind, fan_out, shared in (("phone", {}, True), ("phone", {"phone": 4}, False), ("email", {}, True)):
        found = partition([node(0, kind), *customers], links, as_of=NOW, rules=Rules(fan_out=fan_out))
        assert (found.shared == {UUID(int=1)}) is shared
        assert len(found.components) == (5 if shared else 4)
