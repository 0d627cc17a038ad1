"""CEL, behind one door: compile with caps, evaluate to yes, no or an error that is never mistaken for yes.

The engine does not raise on a runtime error: it returns a value whose type is ERROR and whose plain value is a non-empty text,
which is truthy. So only a value of type BOOL that is True counts as a match, whatever else comes back.

Crossing into the engine costs more than most conditions do, so neighbouring cheap ones are also compiled as one list and asked
together (`Block`); when anything in the list errs, each is asked by itself, so that an error stays with the rule that made it.

Source: Common Expression Language, language definition; `cel-expr-python` (the C++ implementation).
**Units**: characters for sizes. Identity: two expressions with the same source are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from router.policy.expression_errors import Complaint, complaints, kind_in_words, said
from router.policy.fields import BY_NAME, ROOTS
from router.policy.fitting import fitting
from router.policy.source import depth
from shared.errors import Unprocessable

SOURCE_CHARS_MAX: Final = 4_000
TREE_CHARS_MAX: Final = 60_000  # what a tree of allowed size may translate to
BLOCK_CHARS_MAX: Final = 20_000
DEPTH_MAX: Final = 24


@dataclass(frozen=True, slots=True)
class Facts:
    """What one message's rules are asked about, ready for the engine. Made once, used by every rule."""

    values: Mapping[str, Mapping[str, Any]]
    activation: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``matched`` only for a true boolean; ``error`` says why an expression could not be evaluated."""

    matched: bool
    error: str = ""


YES: Final = Answer(matched=True)
NO: Final = Answer(matched=False)


class Expression:
    """A compiled condition. Safe to share between tasks."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str, compiled: Any) -> None:
        self.source = source
        self._compiled = compiled

    def evaluate(self, facts: Facts) -> Any:
        """What the engine alone gives, as a plain value; for measuring. Raises RuntimeError where the engine does."""
        return self._compiled.eval(facts.activation).plain_value()

    def serialized(self) -> bytes:
        """The tree that the engine made of it, for `router/policy/cost.py`."""
        tree: bytes = self._compiled.serialize()
        return tree

    def ask(self, facts: Facts) -> Answer:
        """Never raises: what the engine refuses (a missing key, an iteration budget) is an error and no match."""
        try:
            given = self._compiled.eval(facts.activation)
            value = given.plain_value()
        except RuntimeError as error:
            return Answer(matched=False, error=said(str(error), self.source))
        # Only the type BOOL has these two as its plain values; an error is a text, whatever the expression's own type is.
        if value is True:
            return YES
        if value is False:
            return NO
        if given.type() != cel.Type.ERROR:
            return Answer(matched=False, error="the expression gives no yes or no")
        return Answer(matched=False, error=said(str(value), self.source))


class Block:
    """Neighbouring conditions asked in one crossing; None stands for a condition that is always met."""

    __slots__ = ("_expressions", "_together")

    def __init__(self, expressions: Sequence[Expression | None]) -> None:
        self._expressions = tuple(expressions)
        self._together: Any = None
        source = ",".join("true" if one is None else f"({one.source}\n)" for one in expressions)
        if len(expressions) > 1 and len(source) <= BLOCK_CHARS_MAX:
            try:
                self._together = _environment().compile(f"[{source}]")
            except RuntimeError:  # too much for one expression: each by itself, as always
                self._together = None

    def ask(self, facts: Facts) -> Sequence[Answer] | None:
        """One answer per condition, as each alone would give it; None when none is met and none errs."""
        if self._together is not None:
            try:
                values = self._together.eval(facts.activation).plain_value()
            except RuntimeError:
                values = None
            if type(values) is list:
                if not any(value is not False for value in values):
                    return None
                if all(value is True or value is False for value in values):
                    return [YES if value else NO for value in values]
        return [YES if one is None else one.ask(facts) for one in self._expressions]


@lru_cache(maxsize=1)
def _environment() -> Any:
    return cel.NewEnv(variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in ROOTS})


@lru_cache(maxsize=1)
def _typed_environment() -> Any:
    """The same names with every fact's own type, so that the engine's type check sees into them."""
    kinds = {
        "text": cel.Type.STRING, "number": cel.Type.INT, "yes_no": cel.Type.BOOL, "texts": cel.Type.List(cel.Type.STRING),
        "any": cel.Type.DYN,
    }  # fmt: skip
    names = {name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in ROOTS}
    names |= {name: kinds[field.type] for name, field in BY_NAME.items()}
    names["profile.attributes"] = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    names["queue"] = cel.Type.Map(cel.Type.STRING, cel.Type.Map(cel.Type.STRING, cel.Type.INT))
    return cel.NewEnv(variables=names)


def facts_of(values: Mapping[str, Mapping[str, Any]]) -> Facts:
    """The facts of one message. A name that is left out is an empty map, so a rule about it errs and does not match. The engine is given what
    fits it, ``values`` stay as they are.

    ``bulk`` is kept beside them: no rule asks it, the policy itself does (`router/policy/policy.py`).
    """
    whole = {name: values.get(name, {}) for name in ROOTS}
    activation = _environment().Activation(data=fitting(whole))
    return Facts(values={**whole, "bulk": values["bulk"]} if values.get("bulk") else whole, activation=activation)


@lru_cache(maxsize=4096)
def compiled(source: str, field: str = "when_cel", chars_max: int = SOURCE_CHARS_MAX) -> Expression:
    """Compiles a condition. Raises `Unprocessable` naming ``field``: too long, too deep, not CEL, not a yes or no."""
    if len(source) > chars_max:
        raise Unprocessable(
            f"an expression of {len(source)} characters", field=field, remedy=f"at most {chars_max}; split the rule in two"
        )
    if depth(source) > DEPTH_MAX:
        raise Unprocessable("an expression nested too deeply", field=field, remedy=f"at most {DEPTH_MAX} brackets within brackets")
    try:
        expression = _environment().compile(source)
    except TypeError as error:
        raise Unprocessable("not text: half of a character pair", field=field, remedy="write the character itself") from error
    except RuntimeError as error:
        first = complaints(str(error))[0]
        where = f" at line {first.line}, character {first.character}" if first.line else ""
        raise Unprocessable(
            f"{first.message}{where}", field=field, remedy=first.remedy, line=first.line, character=first.character
        ) from error
    kind = expression.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise Unprocessable(
            f"the expression gives {kind_in_words(kind.name().lower())}, not yes or no", field=field,
            remedy='compare it, like message.channel == "email"',
        )  # fmt: skip
    return Expression(source, expression)


def type_complaints(source: str) -> list[Complaint]:
    """What is wrong with the types in an expression that compiles; comparing two kinds of numbers is not."""
    try:
        expression = _typed_environment().compile(source)
    except RuntimeError as error:
        return [one for one in complaints(str(error)) if not one.numbers]
    kind = expression.return_type()
    if kind in (cel.Type.BOOL, cel.Type.DYN):
        return []
    named = kind_in_words(kind.name().lower())
    return [Complaint(message=f"the expression gives {named}, not yes or no", remedy='compare it, like message.channel == "email"')]
