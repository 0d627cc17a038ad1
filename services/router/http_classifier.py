"""A classifier behind HTTP: one address of the operator's, asked in portions at once, within a budget for all of them.

    POST SANTRAL_CLASSIFIER_URL        Authorization: Bearer SANTRAL_CLASSIFIER_TOKEN, where one is set
    {"messages": [{"id", "workspace", "channel", "kind", "language", "subject", "text"}]}
    → 200 {"model": "topics-3", "messages": [{"id", "labels": {"refund": 0.93}, "urgency": 0.4, "spam": false}]}

The address is the operator's word, not a tenant's, so it may be inside; redirects and the environment's proxies are not followed.
After failures in a row nobody is asked for a while. **Units**: seconds, sizes in bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict, Field

from router.intake.classifier import Answer, Question
from services.frame.egress import Allowed, body_of, client
from shared.logs import get_log
from shared.metrics import CLASSIFIED, CLASSIFIER_SECONDS

log = get_log(__name__)
PORTION: Final = 64
ANSWER_BYTES_MAX: Final = 1024 * 1024
FAILURES_MAX: Final = 3
REST_S: Final = 10.0

Share = Annotated[float, Field(ge=0, le=1)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: UUID
    labels: dict[str, Share] = Field(default_factory=dict, max_length=200)
    urgency: Share | None = None
    spam: bool = False


class _Answered(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str = Field(default="unnamed", max_length=64)
    messages: list[_Said]


class HttpClassifier:
    """The operator's model over HTTP. One per process; any number of tasks may ask at once."""

    def __init__(self, url: str, *, token: str | None = None, budget_s: float = 0.3, rest_s: float = REST_S) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._url = url
        self._http = client(Allowed().plus(url), timeout_s=budget_s, headers=headers)
        self._budget_s = budget_s
        self._rest_s = rest_s
        self._failures = 0
        self._rests_until = 0.0

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._http.aclose()

    async def classify(self, questions: Sequence[Question]) -> Mapping[UUID, Answer]:
        """The answers that came within the budget, by message."""
        if time.monotonic() < self._rests_until:
            CLASSIFIED.labels(result="not_asked").inc(len(questions))
            return {}
        portions = [questions[start : start + PORTION] for start in range(0, len(questions), PORTION)]
        tasks = [asyncio.create_task(self._ask(portion)) for portion in portions]
        found: dict[UUID, Answer] = {}
        with CLASSIFIER_SECONDS.time():
            try:
                await asyncio.wait(tasks, timeout=self._budget_s)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                self._failed(result)
            else:
                self._failures = 0
                found |= result
        asked = {one.id for one in questions}
        found = {message_id: answer for message_id, answer in found.items() if message_id in asked}
        CLASSIFIED.labels(result="answered").inc(len(found))
        CLASSIFIED.labels(result="unanswered").inc(len(asked) - len(found))
        return found

    async def _ask(self, questions: Sequence[Question]) -> dict[UUID, Answer]:
        messages = [
            {
                "id": str(one.id), "workspace": str(one.workspace_id), "channel": one.channel, "kind": one.kind,
                "language": one.language, "subject": one.subject, "text": one.text,
            }
            for one in questions
        ]  # fmt: skip
        async with self._http.stream("POST", self._url, json={"messages": messages}) as response:
            response.raise_for_status()
            body = await body_of(response, ANSWER_BYTES_MAX + 1)
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
        said = _Answered.model_validate_json(body)
        return {one.id: Answer(model=said.model, labels=one.labels, urgency=one.urgency, spam=one.spam) for one in said.messages}

    def _failed(self, error: BaseException) -> None:
        self._failures += 1
        if self._failures < FAILURES_MAX:
            return
        self._rests_until = time.monotonic() + self._rest_s
        self._failures = 0
        reason = "over budget" if isinstance(error, asyncio.CancelledError | httpx.TimeoutException) else type(error).__name__
        log.warning(
            "the classifier is left alone for some seconds; messages are routed without labels",
            action="classifier_rests",
            error=reason,
        )
