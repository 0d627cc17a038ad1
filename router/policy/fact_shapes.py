"""How large the facts may be that expressions ask: what their cost at worst is reckoned from. Pure.

Texts are cut where expressions stop reading (`fitting.py`), lists too; what a map holds is what people and programs give a profile or an agent.
**Units**: letters, members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from router.policy.cost import ANY, SCALAR, Shape
from router.policy.fields import BY_NAME, MEMBERS_SEEN, TEXT_CHARS_SEEN, Type

_TEXT: Final = Shape(TEXT_CHARS_SEEN)
_WORDS: Final = Shape(20 * MEMBERS_SEEN, MEMBERS_SEEN)
_SHAPES: Final[Mapping[Type, Shape]] = {"text": _TEXT, "number": SCALAR, "yes_no": SCALAR, "texts": _WORDS, "any": ANY}
RULE_FACTS: Final[Mapping[str, Shape]] = {name: _SHAPES[field.type] for name, field in BY_NAME.items()} | {
    "queue": Shape(100 * MEMBERS_SEEN, MEMBERS_SEEN, 4), "queue.*": Shape(100, 4),
}  # fmt: skip
_LISTED: Final = Shape(4_000, 200)
AGENT_FACTS: Final[Mapping[str, Shape]] = {
    "agent.name": Shape(200), "agent.title": Shape(200), "agent.kind": SCALAR, "agent.languages": _LISTED, "agent.queues": _LISTED,
    "agent.skills": _LISTED, "agent.skills.*": SCALAR, "agent.attributes": Shape(50 * 200, 50), "agent.attributes.*": _TEXT,
}  # fmt: skip
"""An agent in as many queues, and with as many skills, as any has."""
