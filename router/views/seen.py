"""Whether an agent sees a work item: one condition for every list, so that no list shows more than another.

**Identity**: the statement calls the item ``i``; ``seer`` and ``in_queues`` are placeholders of an agent's id and of whether their
queues' items count too.
"""

from __future__ import annotations

from typing import Final

from router.moves.vouched import ASSURANCE, BY_A_MACHINE

SEEN: Final = (
    "({seer} in (i.agent_id, i.last_agent_id, i.sticky_agent_id) or {in_queues} and exists ("
    "select 1 from santral.queue_member seen where seen.workspace_id = i.workspace_id and seen.queue_id = i.queue_id"
    " and seen.agent_id = {seer}))"
)
"""For ``format``."""
_DOUBTED: Final = (
    " from santral.message doubted"
    " join santral.handle known on known.workspace_id = doubted.workspace_id and known.id = doubted.handle_id"
    " where doubted.workspace_id = {conversation}.workspace_id and doubted.conversation_id = {conversation}.id"
    f" and doubted.direction = 'in' and {ASSURANCE.format(message='doubted')} = 'asserted' and known.assurance <> 'asserted'"
    " and (doubted.provider <> 'smtp' or doubted.body->'traits'->>'verdict' in ('none', 'pass') or not doubted.body ? 'sender')"
)
_HEARD: Final = (
    "select 1 from santral.message heard"
    " join santral.handle writer on writer.workspace_id = heard.workspace_id and writer.id = heard.handle_id"
    " join santral.handle whose on whose.workspace_id = heard.workspace_id and whose.id = {conversation}.handle_id"
    " where heard.workspace_id = {conversation}.workspace_id and heard.conversation_id = {conversation}.id and heard.direction = 'in'"
    f" and writer.profile_id = whose.profile_id and {ASSURANCE.format(message='heard')} <> 'asserted'"
    f" and ({BY_A_MACHINE.format(message='heard')}) is not true"
)
OPENS: Final = (
    "(not exists (select 1 from santral.work_item begun where begun.workspace_id = {conversation}.workspace_id"
    " and begun.conversation_id = {conversation}.id and begun.begun_by is not null)"
    f" and not exists (select 1{_DOUBTED}) or exists ({_HEARD}"
    # Asked once for the conversation, not for each message: it looks at nothing of `heard`.
    f" and heard.seq > coalesce((select max(doubted.seq){_DOUBTED}), 0)))"
)
"""Whether a conversation opens its customer's history. What an agent began by their own word with somebody they did not see does not, nor
do words for which their channel does not vouch from a handle that was vouched for before (a form that anybody fills in, also one whose own
mail passes our border; a mail that the border cannot tell of; mail without a border is taken as it comes), until the customer was heard in
it after them, in words for which the channel vouches: otherwise a call that never was, or a mail that anybody wrote, would open anybody's.
Earlier words vouch for none that follow: who wrote those may be somebody else. Work that comes after in the same conversation changes
nothing of it, nor does what others write there, nor that words are taken away: of mail without a border nothing is left to take as it came."""
IN_FRONT: Final = (
    "(i.agent_id = {seer} and (i.state in ('offered', 'assigned', 'wrapping') or i.state = 'parked' and (i.by_name or exists ("
    "select 1 from santral.queue_member owner where owner.workspace_id = i.workspace_id and owner.queue_id = i.queue_id"
    " and owner.agent_id = i.agent_id)))"
    f" and (i.own_word_at is null or exists ({_HEARD} and heard.accepted_at > i.own_word_at)) and {OPENS})"
)
"""Whether the work ``i``, of the conversation, puts its customer before ``seer``, all of whose conversations they see then.

The customer's words brought it to them, or who may decide over it did. What stands there because an agent who sees less said so
(``own_word_at``: they merged, moved or split messages into it, their answer came back, they called or wrote first) does not before the
customer was heard since, whoever has it. Parked work keeps its owner for as long as they belong to its queue, or somebody gave it to them
by name."""
