"""What a person may save as a policy: every problem of a document at once, each with its rule, its place and the remedy. No I/O.

Errors keep a document from being saved; warnings go with it. Everything is bounded: the document's size, each expression's, how deep
it goes, what one rule and all of them may cost on a long message, and what each may cost at worst (`cost.py`), so no document takes the
process down or holds it up.

**Units**: characters; lines and characters inside an expression from 1.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError

from router.policy import shadow as policy_shadow
from router.policy.condition import Path, place, translated
from router.policy.cost import Cost, cost_of, require_affordable
from router.policy.expressions import SOURCE_CHARS_MAX, TREE_CHARS_MAX, Expression, compiled, type_complaints
from router.policy.fact_shapes import RULE_FACTS
from router.policy.fields import BY_NAME, QUEUE_FIELDS, fields_of, nearest
from router.policy.policy import BUDGET_S, DEFAULT_QUEUE, PolicyDocument, Rule, RuleDocument
from router.policy.sample import sample_facts
from router.policy.source import is_plain, mentions, patterns, place_in, without_presence
from shared.errors import Unprocessable
from shared.pattern_steps import pattern_steps

DOCUMENT_CHARS_MAX: Final = 300_000
PROBLEMS_MAX: Final = 50
PATTERN_CHARS_MAX: Final = 500
PATTERN_STEPS_MAX: Final = 20_000
"""Of all patterns of a document: what all its rules may cost is less."""
MEASURING_S: Final = 1.0
TOGETHER_S: Final = 4 * BUDGET_S
"""What all rules may take on a long message: whoever asks them about the past asks them all, without a budget."""
WORST_S: Final = 0.05
"""What one expression may take at worst: it cannot be stopped, and nothing else goes on meanwhile."""
WORST_TOGETHER_S: Final = 5 * WORST_S
_NAMED: Final = 3
_MEASURED: Final = 3
_NO_COST: Final = Cost(0.0, 0)
_REFERENCE: Final = "see GET /v1/policies/vocabulary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What exists in the workspace. None leaves a kind of name unchecked."""

    queues: Collection[str] | None = None
    skills: Collection[str] | None = None
    slas: Collection[str] | None = None
    plans: Collection[str] | None = None


UNCHECKED: Final = Names()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. ``path`` leads to it in the document; line and character are inside its expression, 0 for none."""

    severity: Literal["error", "warning"]
    message: str
    remedy: str
    path: Path = ()
    rule: int | None = None
    name: str | None = None
    line: int = 0
    character: int = 0

    @property
    def field(self) -> str:
        """``rules[3] 'vip'.when.all[1].op``: the place as people read it."""
        if self.rule is None:
            return place(self.path) or "document"
        rest = place(self.path[2:])
        named = "" if self.name is None else f" {self.name!r}"
        return f"rules[{self.rule}]{named}" + (f".{rest}" if rest else "")

    def as_json(self) -> dict[str, Any]:
        """For a page: the same with the place in both ways."""
        return {**asdict(self), "path": list(self.path), "field": self.field}


class _Finder:
    """Gathers the problems of one document."""

    def __init__(self, document: Mapping[str, Any], names: Names) -> None:
        self.document = document
        self.names = names
        self.found: list[Problem] = []
        self.steps = 0  # of the patterns so far

    @property
    def full(self) -> bool:
        """Whether enough is wrong: nobody reads more, and looking for it takes time."""
        return len(self.found) >= PROBLEMS_MAX

    def add(self, message: str, remedy: str, path: Path = (), *, warning: bool = False, at: tuple[int, int] = (0, 0)) -> None:
        """Keeps a problem; its rule is read from the path."""
        rule = path[1] if len(path) > 1 and path[0] == "rules" and isinstance(path[1], int) else None
        name = None
        rules = self.document.get("rules")
        if rule is not None and isinstance(rules, list) and rule < len(rules) and isinstance(rules[rule], Mapping):
            said = rules[rule].get("name")
            name = said[:200] if isinstance(said, str) and said else None
        self.found.append(
            Problem(
                severity="warning" if warning else "error", message=message, remedy=remedy, path=path, rule=rule, name=name, line=at[0],
                character=at[1],
            )
        )  # fmt: skip

    def named(self, kind: str, name: str, known: Collection[str] | None, path: Path, at: tuple[int, int] = (0, 0)) -> None:
        """Complains of a name that does not exist."""
        if known is not None and name not in known:
            listed = ", ".join(sorted(known)[:20])
            remedy = f"{nearest(name, known)}one of {listed}" if listed else f"there is no {kind} yet: create one first"
            self.add(f"unknown {kind} {name[:200]!r}", remedy, path, at=at)


def problems_of(document: Any, names: Names = UNCHECKED) -> list[Problem]:
    """Everything that is wrong, errors first, at most 50. Never raises; the same document and names give the same answer."""
    if not isinstance(document, Mapping):
        return [Problem(severity="error", message="not a mapping", remedy="rules and default_queue")]
    finder = _Finder(document, names)
    if not _is_plain(finder, document):
        return finder.found
    try:
        parsed = PolicyDocument.model_validate(document)
    except ValidationError as error:
        wrong = [tuple(one["loc"]) for one in error.errors()]
        for one in error.errors()[:PROBLEMS_MAX]:
            finder.add(str(one["msg"]), "see the schema of policies", tuple(one["loc"]))
        _check_the_rest(finder, document, wrong)
    else:
        _check_rules(finder, list(enumerate(parsed.rules)))
        finder.named("queue", parsed.default_queue, names.queues, ("default_queue",))
    return sorted(finder.found, key=lambda one: one.severity == "warning")[:PROBLEMS_MAX]


def checked(document: Any, names: Names = UNCHECKED) -> list[Problem]:
    """The warnings of a document that may be saved. Raises `Unprocessable` for the first error, all of them in its details."""
    found = problems_of(document, names)
    errors = [one for one in found if one.severity == "error"]
    if not errors:
        return found
    first = errors[0]
    where = f" at line {first.line}, character {first.character}" if first.line else ""
    raise Unprocessable(f"{first.message}{where}", field=first.field, remedy=first.remedy, errors=[one.as_json() for one in found])


def _is_plain(finder: _Finder, document: Mapping[str, Any]) -> bool:
    """Whether the document is of a size and of letters that can be stored."""
    try:
        written = json.dumps(document, ensure_ascii=False)
        written.encode()
    except (RecursionError, TypeError):
        finder.add("the document is nested too deeply", "a policy has rules, and rules have conditions")
        return False
    except UnicodeEncodeError:
        finder.add("half of a character pair is in the document", "write the characters themselves")
        return False
    if len(written) > DOCUMENT_CHARS_MAX:
        finder.add(f"a document of {len(written)} characters", f"at most {DOCUMENT_CHARS_MAX}; move long lists into attributes")
        return False
    if "\\u0000" in written:
        finder.add("a text with the character NUL", "take it out")
        return False
    return True


def _check_the_rest(finder: _Finder, document: Mapping[str, Any], wrong: Sequence[Path]) -> None:
    """What else is wrong where some fields have the wrong shape: each rule without those, and nothing is said of what they leave open."""
    if not any(path[:1] == ("default_queue",) for path in wrong):
        finder.named("queue", document.get("default_queue", DEFAULT_QUEUE), finder.names.queues, ("default_queue",))
    if any(path == ("rules",) for path in wrong):
        return
    sound, torn = [], []
    for at, rule in enumerate(document.get("rules", ())):
        faults = {str(path[2]) if len(path) > 2 else "" for path in wrong if path[:2] == ("rules", at)}
        if not faults:
            sound.append((at, RuleDocument.model_validate(rule)))
        elif "" not in faults:
            kept = {name: value for name, value in rule.items() if name not in faults}
            try:
                torn.append((at, RuleDocument.model_validate({"name": f"rules[{at}]", **kept})))
            except ValidationError:
                continue  # It is told of already: a field by another of its names.
    _check_rules(finder, sound)
    told = len(finder.found)
    for one in torn:
        _check_rules(finder, [one])
    open_still = {path[:3] for path in wrong}
    finder.found[told:] = [one for one in finder.found[told:] if one.path[:3] not in open_still and len(one.path) > 2]


def _check_rules(finder: _Finder, parsed: Sequence[tuple[int, RuleDocument]]) -> None:
    """The rules with their places in the document, in its order."""
    seen: set[str] = set()
    rules: list[Rule] = []
    shadows = policy_shadow.Shadows()
    for at, rule in parsed:
        if finder.full:
            return
        path: Path = ("rules", at)
        if rule.name in seen:
            finder.add("two rules of this name", "rename one of them", (*path, "name"))
        seen.add(rule.name)
        _check_actions(finder, rule, path)
        before = len(finder.found)
        expression, parts = _check_condition(finder, rule, path)
        if any(one.severity == "error" for one in finder.found[before:]):
            continue
        above = shadows.above(parts)
        if above is not None:
            finder.add(
                f"never reached: rule {above!r} before it takes every message that this one would",
                f"move {rule.name!r} up, narrow {above!r}, or let it continue", path,
            )  # fmt: skip
        if "false" in parts:
            finder.add("never matches", "give its condition a member", (*path, "when"), warning=True)
        if not rule.goes_on:
            shadows.add(rule.name, parts)
        rules.append(Rule(place=at, says=rule, condition=expression))
    if not any(one.severity == "error" for one in finder.found):
        _check_times(finder, rules)


def _check_times(finder: _Finder, rules: Sequence[Rule]) -> None:
    worst = [(rule, _worst(rule.condition).seconds) for rule in rules if rule.condition is not None]
    _require_together(finder, worst, WORST_TOGETHER_S, "at worst")
    taken = measured(rules)
    dear = [(rule, seconds) for rule, seconds in taken if seconds >= BUDGET_S]
    for rule, seconds in dear:
        finder.add(
            f"takes {1000 * seconds:.0f} ms on a long message", f"at most {1000 * BUDGET_S:.0f} ms; use a shorter expression",
            ("rules", rule.place),
        )  # fmt: skip
    if not dear:
        _require_together(finder, taken, TOGETHER_S, "on a long message")


def _require_together(finder: _Finder, costs: Sequence[tuple[Rule, float]], most_s: float, when: str) -> None:
    """Complains where all rules together take too long, and names those that take most of it."""
    whole = sum(seconds for _, seconds in costs)
    if whole > most_s:
        first = sorted(costs, key=lambda one: -one[1])[:_NAMED]
        named = ", ".join(f"{rule.name[:50]!r} {1000 * seconds:.1f} ms" for rule, seconds in first)
        finder.add(
            f"the rules together take {1000 * whole:.0f} ms {when}, most of it {named}",
            f"at most {1000 * most_s:.0f} ms; shorten these, or take some rules out", ("rules",),
        )  # fmt: skip


def _worst(expression: Expression) -> Cost:
    """What it may cost at worst; nothing worth reckoning where it has neither loops nor patterns, as the document's size bounds those."""
    return _NO_COST if is_plain(expression.source) else cost_of(expression.serialized(), RULE_FACTS)


def _check_actions(finder: _Finder, rule: RuleDocument, path: Path) -> None:
    if rule.queue is None and not rule.goes_on:
        finder.add("a rule that decides without a queue", "name a queue or continue", (*path, "queue"))
    if rule.queue is not None:
        finder.named("queue", rule.queue, finder.names.queues, (*path, "queue"))
    if rule.sla is not None:
        finder.named("service level", rule.sla, finder.names.slas, (*path, "sla"))
    if rule.plan is not None:
        finder.named("plan", rule.plan, finder.names.plans, (*path, "plan"))
    for skill in rule.skills:
        finder.named("skill", skill, finder.names.skills, (*path, "skills", skill))


def _check_condition(finder: _Finder, rule: RuleDocument, path: Path) -> tuple[Expression | None, Sequence[str]]:
    """The compiled condition and what must hold for it; problems go to the finder."""
    if rule.when is not None and rule.when_cel is not None:
        finder.add("both when and when_cel", "keep one of them", path)
        return None, ()
    if rule.when is not None:
        where: Path = (*path, "when")
        done = translated(rule.when)
        for problem in done.problems:
            finder.add(problem.message, problem.remedy, (*where, *problem.path))
        for queue, inside in done.queues:
            finder.named("queue", queue, finder.names.queues, (*where, *inside))
        if done.problems:
            return None, ()
        expression = _compile(finder, done.source, where, TREE_CHARS_MAX)
        _check_worst(finder, expression, where)
        return expression, tuple(one for one in done.parts if one != "true")
    if rule.when_cel is None:
        return None, ()
    where = (*path, "when_cel")
    expression = _compile(finder, rule.when_cel, where, SOURCE_CHARS_MAX)
    before = len(finder.found)
    if expression is not None:
        _check_source(finder, rule.when_cel, where)
    if len(finder.found) == before:
        _check_worst(finder, expression, where)
    part = " ".join(rule.when_cel.split())
    return expression, () if part == "true" else (part,)


def _compile(finder: _Finder, source: str, where: Path, chars_max: int) -> Expression | None:
    try:
        return compiled(source, "", chars_max)
    except Unprocessable as error:
        at = (error.details.get("line", 0), error.details.get("character", 0))
        message = error.message.removesuffix(f" at line {at[0]}, character {at[1]}")
        finder.add(message, error.remedy or _REFERENCE, where, at=at)
        return None


def _check_worst(finder: _Finder, expression: Expression | None, where: Path) -> None:
    if expression is not None:
        try:
            require_affordable(_worst(expression), field="", seconds_max=WORST_S)
        except Unprocessable as error:
            finder.add(error.message, error.remedy or _REFERENCE, where)


def _check_source(finder: _Finder, source: str, where: Path) -> None:
    """Names, types and patterns of an expression that compiles."""
    before = len(finder.found)
    for one in mentions(source):
        if finder.full:
            return
        at = place_in(source, one.at)
        if one.root == "queue":
            if one.field:
                finder.named("queue", one.field, finder.names.queues, where, at)
            if one.more and one.more not in QUEUE_FIELDS:
                finder.add(
                    f"unknown figure {one.more[:100]}", f"one of {', '.join(QUEUE_FIELDS)}", where, at=place_in(source, one.more_at)
                )
        elif one.field and one.field not in fields_of(one.root):
            known = [f"{one.root}.{name}" for name in sorted(fields_of(one.root))]
            name = f"{one.root}.{one.field}"
            finder.add(f"unknown name {name[:100]}", f"{nearest(name, BY_NAME)}one of {', '.join(known)}", where, at=at)
    for pattern, start in patterns(source):
        _check_pattern(finder, pattern, where, place_in(source, start))
    if len(finder.found) == before:
        for complaint in type_complaints(without_presence(source)):
            finder.add(complaint.message, complaint.remedy, where, at=(complaint.line, complaint.character))


def _check_pattern(finder: _Finder, pattern: str | None, where: Path, at: tuple[int, int]) -> None:
    if pattern is None:
        finder.add("matches() with a pattern that is not written here", "write the pattern as a text", where, at=at)
        return
    if len(pattern) > PATTERN_CHARS_MAX:
        finder.add(f"a pattern of {len(pattern)} characters", f"at most {PATTERN_CHARS_MAX}; use several rules", where, at=at)
        return
    finder.steps += pattern_steps(pattern)
    if finder.steps > PATTERN_STEPS_MAX:
        # Asked or not: the engine makes a program of each, and lets nothing else go on meanwhile.
        finder.add(
            "patterns too large together", "small counts, fewer classes of letters (\\p), fewer rules with patterns", where, at=at
        )
        return
    error = compiled(f'"".matches({pattern})', "").ask(sample_facts()).error
    if error:
        finder.add(error, "patterns are RE2: no look-around, no back-references, counts up to 1000", where, at=at)


def measured(rules: Sequence[Rule], clock: Callable[[], float] = time.thread_time) -> list[tuple[Rule, float]]:
    """Rules that ask anything, with what each takes on a message as long as rules see one, in seconds; measured for a second."""
    taken: list[tuple[Rule, float]] = []
    ends_at = clock() + MEASURING_S
    for rule in rules:
        if clock() > ends_at:
            break
        if rule.condition is None:
            continue
        best = math.inf
        for _ in range(_MEASURED):
            began = clock()
            rule.condition.ask(sample_facts())
            best = min(best, clock() - began)
        taken.append((rule, best))
    return taken
