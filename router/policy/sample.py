"""A message as long as rules ever see one, with every fact there: what a rule may cost is measured on it when it is saved."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from router.policy.expressions import Facts, facts_of
from router.policy.fields import BY_NAME, QUEUE_FIELDS, ROOTS, TEXT_CHARS_SEEN, Type

_VALUES: Final[dict[Type, Any]] = {"text": "email", "number": 1, "yes_no": False, "texts": ["email"] * 20, "any": 1}


def sample() -> dict[str, dict[str, Any]]:
    """Every fact with a value of its type; texts of full length."""
    values: dict[str, dict[str, Any]] = {root: {} for root in ROOTS}
    for name, field in BY_NAME.items():
        root, _, rest = name.partition(".")
        values[root][rest] = _VALUES[field.type]
    values["message"]["text"] = ("siparişim hâlâ gelmedi, lütfen bakar mısınız " * 300)[:TEXT_CHARS_SEEN]
    values["message"]["subject"] = values["message"]["text"]
    values["profile"]["attributes"] = {}
    values["queue"] = {"default": dict.fromkeys(QUEUE_FIELDS, 1)}
    return values


@lru_cache(maxsize=1)
def sample_facts() -> Facts:
    """The same, ready for rules."""
    return facts_of(sample())
