"""The place for an operator's own model: what it is asked about a message, and what it may answer. None is needed.

It is asked once a fetch, before any transaction, within a budget; what comes later or not at all leaves a message as it is, so a
model that is slow or gone delays intake by its budget and stops nothing. A workspace takes part by its setting ``classify``, because
its customers' words leave the system.

What is recorded of an answer is what rules see (``signals.label`` and the others), with the model's version: a decision is asked again
without the model. A message that is read a second time keeps its first decision.
**Units**: confidence and urgency 0..1. **Identity**: a message by its id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from uuid import UUID

from router.intake.arrivals import Arrival, Workspaces
from router.signals.signals import TEXT_LOOKED_AT, Signals

LABELS_MAX: Final = 10
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A message as the model sees it: no name, no address; ``text`` is cut to what signals look at."""

    id: UUID
    workspace_id: UUID
    channel: str
    kind: str
    language: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says of one message. ``labels`` with their confidences; ``urgency`` None: no opinion."""

    model: str
    labels: Mapping[str, float] = field(default_factory=dict)
    urgency: float | None = None
    spam: bool = False


class Classifier(Protocol):
    """A model, wherever it runs."""

    async def classify(self, questions: Sequence[Question]) -> Mapping[UUID, Answer]:
        """The answers that came within the budget, by message. Never raises for a model that fails: then they are left out."""
        ...


async def classified(arrivals: Sequence[Arrival], classifier: Classifier, workspaces: Workspaces) -> list[Arrival]:
    """The same arrivals, with what the model says among their signals."""
    questions = [question for one in arrivals if (question := _question(one, workspaces)) is not None]
    answers = await classifier.classify(questions) if questions else {}
    return [replace(one, signals=told(one.signals, answers[one.id])) if one.id in answers else one for one in arrivals]


def told(signals: Signals, answer: Answer) -> Signals:
    """Signals with an answer. What is no name of a topic is left out; what passes goes with the message's words."""
    fit = {name: min(1.0, max(0.0, sure)) for name, sure in answer.labels.items() if _LABEL.match(name)}
    ranked = sorted(fit.items(), key=lambda one: (-one[1], one[0]))[:LABELS_MAX]
    label, sure = ranked[0] if ranked else ("", 0.0)
    urgency = signals.urgency if answer.urgency is None else max(signals.urgency, min(1.0, max(0.0, answer.urgency)))
    return replace(
        signals, label=label, label_confidence=round(sure, 3), labels=tuple(name for name, _ in ranked),
        model=answer.model if _LABEL.match(answer.model) else "unnamed", urgency=round(urgency, 2), spam=signals.spam or answer.spam,
    )  # fmt: skip


def _question(arrival: Arrival, workspaces: Workspaces) -> Question | None:
    """None for what wakes nobody, says nothing, or belongs to a workspace that does not take part."""
    message = arrival.message
    if message is None or arrival.refusal is not None or message.direction != "in" or arrival.signals.automatic:
        return None
    workspace = workspaces.workspace(arrival.workspace_id)
    text = (message.text_stripped or message.text)[:TEXT_LOOKED_AT]
    if workspace is None or workspace.settings.get("classify") is not True or not (text or message.subject):
        return None
    return Question(
        id=arrival.id, workspace_id=arrival.workspace_id, channel=message.channel, kind=message.kind,
        language=arrival.signals.language, subject=message.subject[:TEXT_LOOKED_AT], text=text,
    )  # fmt: skip
