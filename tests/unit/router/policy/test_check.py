"""Policies: what is refused when saved, where, and what the editor is told to do about it."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.check import DOCUMENT_CHARS_MAX, Names, Problem, checked, measured, problems_of
from router.policy.policy import policy_of
from shared.errors import Unprocessable

KNOWN = Names(queues=["q", "destek"], skills=["tr"])


def problem_of(**rule: Any) -> Problem:
    """The only problem of a policy with this one rule."""
    (found,) = problems_of({"rules": [{"name": "r", "queue": "q", **rule}], "default_queue": "q"}, KNOWN)
    return found


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"name": "r", "when_cel": "messag.channel == 'x'", "queue": "q"}, "when_cel"),
        ({"name": "r", "when_cel": "message.chanel == 'x'", "queue": "q"}, "when_cel"),
        ({"name": "r", "when_cel": "1 + 1", "queue": "q"}, "when_cel"),
        ({"name": "r", "when_cel": "1 +", "queue": "q"}, "when_cel"),
        ({"name": "r", "when_cel": "||".join(["signals.complaint"] * 2200), "queue": "q"}, "when_cel"),
        ({"name": "r", "when_cel": "(" * 40 + "true" + ")" * 40, "queue": "q"}, "when_cel"),
        ({"name": "r", "when": {"field": "message.nope", "op": "is", "value": 1}, "queue": "q"}, "when.field"),
        ({"name": "r", "when": {"all": [{"field": "now.hour", "op": "near", "value": 1}]}, "queue": "q"}, "when.all[0].op"),
        ({"name": "r", "when": {"all": "x"}, "queue": "q"}, "when.all"),
        ({"name": "r", "when": {"field": "now.hour", "op": "is", "value": {}}, "queue": "q"}, "when.value"),
        ({"name": "r", "when_cel": "true"}, "queue"),
        ({"name": "r", "when_cel": "true", "queue": "nowhere"}, "queue"),
        ({"name": "r", "when_cel": "true", "queue": "q", "skills": {"klingon": 1}}, "skills.klingon"),
        ({"name": "r", "when_cel": "true", "queue": "q", "boost_s": 10**6}, "boost_s"),
        ({"name": "r", "when_cel": "true", "queue": "q", "colour": 1}, "colour"),
        ({"name": "r", "when_cel": "true", "when": {"all": []}, "queue": "q"}, "rules[0]"),
    ],
)
def test_a_bad_rule_is_refused_by_name_and_place(rule: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked({"rules": [rule], "default_queue": "q"}, KNOWN)
    assert "'r'" in str(refused.value)
    assert field in str(refused.value.field)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("source", "line", "character", "said", "remedy"),
    [
        ('message.channel == "email" &&\n  messge.text == "x"', 2, 3, "unknown name messge.text", "did you mean message?"),
        ('message.chanel == "x"', 1, 9, "unknown name message.chanel", "did you mean message.channel?"),
        ('message["chanel"] == "x"', 1, 9, "unknown name message.chanel", "did you mean message.channel?"),
        ("message.attachments == 'x'", 1, 21, "== does not go with a number and a text", "vocabulary"),
        ("// 'a comment'\nmessage.channel > 3", 2, 17, "> does not go with a text and a number", "vocabulary"),
        ('profile.tags == "vip"', 1, 14, "== does not go with a list of texts and a text", "vocabulary"),
        ('now.open == "yes"', 1, 10, "== does not go with yes or no and a text", "vocabulary"),
        ('queue["q"].waitng > 3', 1, 12, "unknown figure waitng", "waiting"),
        ('queue["destk"].waiting > 3', 1, 7, "unknown queue 'destk'", "did you mean destek?"),
        ("signals.complaint &&", 1, 21, "syntax error", "documentation"),
        ('message.text.matches("(a")', 1, 22, "invalid regular expression", "RE2"),
        ('message.text.matches("(a{1000}){1000}")', 1, 22, "patterns too large together", "small counts"),
        ('matches(message.text, "' + "a" * 600 + '")', 1, 23, "a pattern of 602 characters", "500"),
        ("message.text.matches(message.subject)", 1, 22, "not written here", "write the pattern"),
        ("message.text", 0, 0, "gives a text, not yes or no", "compare it"),
        (" + ".join(["message.text"] * 60) + ' == ""', 0, 0, "too many parts in a row", "split"),
    ],
)
def test_an_expression_is_refused_where_it_is_wrong(source: str, line: int, character: int, said: str, remedy: str) -> None:
    found = problem_of(when_cel=source)
    assert (found.line, found.character) == (line, character)
    assert said in found.message
    assert remedy in found.remedy
    assert found.path == ("rules", 0, "when_cel")


@pytest.mark.parametrize(
    ("leaf", "path", "said", "remedy"),
    [
        ({"field": "message.chanel", "op": "is", "value": "x"}, ("field",), "unknown field", "did you mean message.channel?"),
        ({"field": "message.channel", "op": "iss", "value": "x"}, ("op",), "unknown operator", "did you mean is?"),
        ({"field": "message.channel", "op": "more", "value": "x"}, ("op",), "is a text, which more does not ask", "contains"),
        ({"field": "profile.tags", "op": "is", "value": "vip"}, ("op",), "is a list of texts", "has"),
        (
            {"field": "message.attachments", "op": "is", "value": "2"},
            ("value",),
            "a text is compared with a number",
            "write a number",
        ),
        ({"field": "now.open", "op": "is", "value": 1}, ("value",), "a number is compared with yes or no", "yes or no"),
        ({"field": "message.channel", "op": "in", "value": ["a", 1]}, ("value", 1), "a number is compared with a text", "a text"),
        ({"field": "now.hour", "op": "is", "value": 10**30}, ("value",), "not a value", "2^53"),
        ({"field": "now.hour", "op": "is", "value": float("nan")}, ("value",), "not a value", "a number"),
        ({"field": "queue.destk.waiting", "op": "more", "value": 1}, ("field",), "unknown queue", "did you mean destek?"),
        ({"field": "queue.q.weight", "op": "more", "value": 1}, ("field",), "unknown field", "queue.<name>.waiting"),
    ],
)
def test_a_tree_is_refused_where_it_is_wrong(leaf: dict[str, Any], path: tuple[Any, ...], said: str, remedy: str) -> None:
    found = problem_of(when={"all": [{"field": "now.open", "op": "is_true"}, {"not": leaf}]})
    assert found.path == ("rules", 0, "when", "all", 1, "not", *path)
    assert said in found.message
    assert remedy in found.remedy


def test_numbers_of_both_kinds_and_presence_are_no_type_errors() -> None:
    rules = [
        {"name": "a", "when_cel": "signals.urgency > 1 || message.attachments >= 0.5", "queue": "q"},
        {"name": "b", "when_cel": 'has(profile.tier) && profile.tier in ["gold"] || !has(profile.csat)', "queue": "q"},
        {"name": "c", "when_cel": 'profile.attributes.plan == 3 && profile.tags.exists(t, t.startsWith("v"))', "queue": "q"},
        {"name": "d", "when_cel": 'queue["q"].waiting > 10 && "chat" in conversation.channels', "queue": "q"},
        {"name": "e", "when": {"field": "profile.attributes.x", "op": "more", "value": 2.5}, "queue": "q"},
    ]
    assert checked({"rules": rules, "default_queue": "q"}, KNOWN) == []


def test_every_problem_is_told_at_once_and_first_the_errors() -> None:
    rules = [
        {"name": "empty", "when": {"any": []}, "queue": "q"},
        {"name": "a", "when_cel": "1 +", "queue": "q"},
        {"name": "a", "when": {"any": [{"field": "x", "op": "is", "value": 1}, {"field": "y", "op": "near"}]}},
    ]
    found = problems_of({"rules": rules, "default_queue": "gone"}, KNOWN)
    assert [one.severity for one in found] == ["error"] * 7 + ["warning"]
    assert {one.rule for one in found} == {0, 1, 2, None}
    with pytest.raises(Unprocessable) as refused:
        checked({"rules": rules, "default_queue": "gone"}, KNOWN)
    assert len(refused.value.details["errors"]) == 8
    assert json.dumps(refused.value.details["errors"])


EMAIL = {"field": "message.channel", "op": "is", "value": "email"}
VIP = {"field": "profile.tags", "op": "has", "value": "vip"}
URGENT = {"field": "signals.urgency", "op": "more", "value": 0.5}


@pytest.mark.parametrize(
    ("earlier", "later", "reached"),
    [
        ({}, {"when": EMAIL}, False),
        ({"when_cel": "true"}, {"when": EMAIL}, False),
        ({"when": {"all": []}}, {"when": EMAIL}, False),
        ({"when": EMAIL}, {"when": {"all": [VIP, {"all": [EMAIL]}]}}, False),
        ({"when": {"all": [VIP, EMAIL]}}, {"when": EMAIL}, True),
        ({"when": {"field": "message.channel", "op": "in", "value": ["chat", "email"]}}, {"when": EMAIL}, False),
        ({"when": {"field": "message.channel", "op": "in", "value": ["chat, email"]}}, {"when": EMAIL}, True),
        ({"when": URGENT}, {"when": {**URGENT, "value": 0.7}}, False),
        ({"when": URGENT}, {"when": {**URGENT, "op": "at_least"}}, True),
        ({"when": URGENT}, {"when": {**URGENT, "op": "is", "value": 0.5}}, True),
        ({"when": EMAIL, "continue": True}, {"when": EMAIL}, True),
        ({"when_cel": "signals.complaint && now.open"}, {"when_cel": "signals.complaint  &&\n now.open"}, False),
    ],
)
def test_a_rule_that_is_never_reached_is_refused(earlier: dict[str, Any], later: dict[str, Any], reached: bool) -> None:
    rules = [{"name": "first", "queue": "q", **earlier}, {"name": "second", "queue": "q", **later}]
    found = problems_of({"rules": rules, "default_queue": "q"}, KNOWN)
    assert [one.message.partition(":")[0] for one in found] == ([] if reached else ["never reached"])


def test_what_is_too_large_or_no_document_at_all_is_refused() -> None:
    deep: Any = {"field": "now.open", "op": "is_true"}
    for _ in range(9):
        deep = {"not": deep}
    assert "nested" in problem_of(when=deep).message
    very_deep: Any = []
    for _ in range(100_000):
        very_deep = [very_deep]
    assert "nested" in problems_of({"rules": very_deep}, KNOWN)[0].message
    assert "too many conditions" in problem_of(when={"all": [EMAIL] * 101}).message
    assert "40000 characters" in problem_of(when_cel="x" * 40_000).message
    long = {"field": "message.text", "op": "in", "value": ["x" * 1000] * 1000}
    assert str(DOCUMENT_CHARS_MAX) in problem_of(when=long).remedy
    assert "200" in problems_of({"rules": [{"name": str(n), "queue": "q"} for n in range(201)]}, KNOWN)[0].message
    assert "character pair" in problem_of(when_cel="'\ud800' == ''").message
    assert "NUL" in problem_of(tags=["\x00"]).message
    nothing: list[Any] = [None, [], "x", 3]
    for document in nothing:
        assert problems_of(document, KNOWN)


def of_rules(*sources: str) -> list[Problem]:
    rules = [{"name": f"r{n}", "when_cel": source, "queue": "q", "continue": True} for n, source in enumerate(sources)]
    return problems_of({"rules": rules, "default_queue": "q"}, KNOWN)


def test_what_each_rule_takes_is_measured_for_a_bounded_time() -> None:
    document = {"rules": [{"name": str(n), "when_cel": "now.open", "queue": "q"} for n in range(9)], "default_queue": "q"}
    rules = policy_of(document).rules
    assert [rule.name for rule, _ in measured(rules, lambda: 0.0)] == [str(n) for n in range(9)]
    ticks = itertools.count(0, 0.1)
    taken = measured(rules, lambda: next(ticks))
    assert [(rule.name, round(seconds, 3)) for rule, seconds in taken] == [("0", 0.1), ("1", 0.1)]


def test_a_rule_that_would_use_up_the_budget_is_refused() -> None:
    slow = "[" + ",".join(["1"] * 66) + "]"
    (found,) = of_rules(f"{slow}.all(a, {slow}.all(b, !message.text.contains('zzz')))")
    assert (found.rule, found.message.endswith("ms on a long message"), found.remedy[:12]) == (0, True, "at most 5 ms")


def test_rules_that_take_too_long_together_are_refused_and_the_dearest_named() -> None:
    words = "[" + ",".join(f'"zq{n}"' for n in range(150)) + "]"
    dear = f"{words}.exists(w, message.text.contains(w) || message.subject.contains(w))"
    (found,) = of_rules("now.open", *[f"{dear} && now.hour == {n}" for n in range(60)])
    assert (found.path, found.severity) == (("rules",), "error")
    assert "rules together take" in found.message
    assert found.message.endswith(" ms")
    assert found.message.count("'r") == 3
    assert "'r0'" not in found.message
    assert found.remedy.startswith("at most 20 ms")
    assert of_rules(*[f"{dear} && now.hour == {n}" for n in range(4)]) == []


NUMBERS = "[" + ",".join(["1"] * 20) + "]"
DOUBLED = "[message.text]" + ".map(x, x + x)" * 20 + '.exists(x, x == "a")'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (DOUBLED, "more than a million letters"),
        ("[profile.tags]" + ".map(x, x + x)" * 20 + ".exists(x, size(x) == 1)", "more than a million letters"),
        (f"{NUMBERS}.all(a, {NUMBERS}.all(b, {NUMBERS}.all(c, !message.text.contains('zz'))))", "may take"),
        (f"profile.tags.all(a, {NUMBERS}.all(b, !message.text.matches('(a|b)zz')))", "may take"),
        ("message.text.matches('(.{1,200}){1,4}9')", "may take"),
        ("(now.open ? message.text : message.subject).matches('([ab]{1,90}){1,11}c')", "may take"),
        # A program is made anew at every turn.
        (f"[{','.join(['0'] * 200)}].exists(x, 'a'.matches('\\\\PMb'))", "may take"),
    ],
)
def test_what_is_dear_for_one_message_only_is_refused(source: str, said: str) -> None:
    """No message that is measured comes to it: it stands behind a condition."""
    (found,) = of_rules(f'message.channel == "carrier pigeon" && ({source})')
    assert said in found.message
    assert found.path == ("rules", 0, "when_cel")


def test_what_all_rules_may_cost_at_worst_is_bounded() -> None:
    many = of_rules(*[f'message.kind == "{n}" && message.text.matches("a.{{0,99}}b")' for n in range(10)])
    assert ["at worst" in one.message for one in many] == [True]


@pytest.mark.parametrize(
    "source",
    [
        'profile.tags.exists(t, t.matches("^vip-[0-9]{1,9}$"))',
        "profile.tags.exists(t, message.text.contains(t))",
        '["iade", "return", "refund"].exists(w, message.text.contains(w) || message.subject.contains(w))',
        'message.text.matches("(?i)\\\\b(iade|return|geri ödeme|refund)\\\\b.{0,40}sipari[sş]")',
        'message.text.matches("TR[0-9]{2}( ?[0-9]{4}){5} ?[0-9]{2}")',
        'profile.attributes.plans.exists(p, p in ["gold", "silver"])',
        "queue.exists(q, queue[q].waiting > 30)",
    ],
)
def test_what_people_write_is_not_too_dear(source: str) -> None:
    assert of_rules(source) == []


def test_looking_for_what_is_wrong_takes_a_bounded_time() -> None:
    tree = {"any": [{"field": "message.subject", "op": "is", "value": str(n)} for n in range(20)]}
    typos = "||".join(f'message.subjet == "{n}"' for n in range(50))
    for condition in ({"when": tree}, {"when_cel": typos}, {"when_cel": 'message.text.matches("(ab?a?){900}c")'}):
        rules = [{"name": str(n), "queue": "gone", **condition} for n in range(200)]
        begun = time.process_time()
        assert problems_of({"rules": rules, "default_queue": "q"}, KNOWN)
        assert time.process_time() - begun < 5


def test_bombs_cost_little_and_never_take_the_process_down() -> None:
    numbers = "[" + ",".join(["1"] * 100) + "]"
    bombs = [
        f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, a == b || c == 1)))",
        'message.text.matches("(x+x+)+y")',
        "||".join(["true"] * 10_000),
        "!" * 3_000 + "true",
        "-" * 3_000 + "1 == 1",
        "[" * 200 + "]" * 200 + " == []",
        "true" + " ? true : false" * 200,
        "message" + ".a" * 1_500,
        "'" * 3_999,
        DOUBLED,
        f"now.open || {DOUBLED}",
    ]
    for bomb in bombs:
        begun = time.process_time()
        problems_of({"rules": [{"name": "bomb", "when_cel": bomb, "queue": "q"}], "default_queue": "q"}, KNOWN)
        assert time.process_time() - begun < 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: (
    st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "op", "value", "x"]), inner, max_size=4)
)))  # fmt: skip
def test_any_tree_is_answered_with_problems_or_compiles(tree: Any) -> None:
    document = {"rules": [{"name": "r", "when": tree, "queue": "q"}], "default_queue": "q"}
    if not any(one.severity == "error" for one in problems_of(document, KNOWN)):
        assert policy_of(document).rules


_PIECES = [
    "message", ".channel", '["x"]', "==", "&&", "(", ")", "[", "]", "'", '"', "matches(", '"a"', "1", "0.5", "has(", "//", "\n", "?",
    ":", ",", "in", "true", "queue", "!", "r'", '"""', "profile.attributes.x", ".exists(t, t == 1)", "\\", "{", "}",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_as_an_expression_is_answered(source: str) -> None:
    document = {"rules": [{"name": "r", "when_cel": source, "queue": "q"}], "default_queue": "q"}
    for one in problems_of(document, KNOWN):
        assert one.message
        assert one.remedy


def test_wrong_shapes_hide_no_other_problems_and_a_rule_without_a_name_goes_by_its_place() -> None:
    rules = [
        {"when_cel": "message.chanel == 'x'", "queue": "q"},
        {"name": "b", "when_cel": "true", "queue": "nowhere", "boost_s": "x"},
        {"name": "c", "when_cel": "messge.x == 1", "queue": "q"},
        {"name": "d", "when_cel": "true", "queue": 3},
        7,
        {"name": "e", "queue": "q"},
    ]
    found = problems_of({"rules": rules, "default_queue": "nowhere"}, KNOWN)
    assert [one.field for one in found] == [
        "rules[0].name", "rules[1] 'b'.boost_s", "rules[3] 'd'.queue", "rules[4]", "default_queue", "rules[2] 'c'.when_cel",
        "rules[0].when_cel", "rules[1] 'b'.queue",
    ]  # fmt: skip
    assert {one.name for one in found if one.rule == 0} == {None}
