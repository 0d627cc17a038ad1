"""How far a message's words vouch for who wrote them, in SQL; also once the words are gone.

What takes words away (redaction, retention, erasure) leaves behind what the words were worth, so that nothing becomes more believable by being
removed. **Shapes**: each is for ``format`` with the message's alias; ``was`` is ``{assurance, machine}`` of an incoming message.
"""

from __future__ import annotations

from typing import Final

UNVOUCHED: Final = ":unvouched"
"""Ends the thread key of a conversation that words began for which nobody vouches, from a handle that was vouched for before."""
ASSURANCE: Final = "coalesce({message}.body->'sender'->>'assurance', {message}.body->'was'->>'assurance', 'asserted')"
"""Removed by a release that left nothing behind: `asserted`."""
BY_A_MACHINE: Final = (
    "({message}.body ? 'made_work' or {message}.body->'was'->>'machine' = 'true'"
    " or {message}.body ? 'automatic' and {message}.body->'automatic'->>'marked_only' is distinct from 'true')"
)
"""A machine wrote it, or a person of ours said that it was none: nobody was heard in it."""
LEFT: Final = (
    "(case when {message}.direction = 'in' then jsonb_build_object('was', jsonb_build_object("
    f"'assurance', {ASSURANCE}, 'machine', coalesce({BY_A_MACHINE}, false)))"
    " else '{{}}'::jsonb end)"
)
"""What stays of a body whose words go."""
