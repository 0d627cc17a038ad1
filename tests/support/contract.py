"""The whole OpenAPI document against the running API: what schemathesis finds, apart from `contract_exclusions.py`.

Each operation is called with what its examples say, with the edges of what its schemas allow and do not (coverage), with made-up values
(fuzzing), and in chains where one answer's id is the next call's (stateful). Every check runs over every answer.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case
from schemathesis.generation.meta import CoveragePhaseData
from schemathesis.hooks import HookContext
from schemathesis.schemas import APIOperation, BaseSchema

from tests.support.contract_exclusions import EXCLUSIONS

Json = dict[str, Any]
SEED: Final = 20_261_129
NOT_CHECKED: Final = frozenset({"object_level_authorization"})
"""Two workspaces apart are test_access.py's, for every operation with an id."""
REFUSED: Final[Mapping[str, str]] = {
    "negative_data_rejection": "400 401 403 404 405 406 409 413 415 422 428 429 5xx",
    "positive_data_acceptance": "2xx 3xx 401 403 404 409 413 429 5xx",
}
"""The statuses that a check takes for its own: the library's and 413, which says that a body is beyond the documented bounds on its bytes, its
values and its levels, whatever it would mean (RFC 9110 §15.5.14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """``examples`` an operation and chain; of the edges one ``of_each_kind`` and at most ``edges`` an operation, or all where None."""

    examples: int
    chains: int
    edges: int | None


SHORT: Final = Effort(examples=2, chains=5, edges=4)
LONG: Final = Effort(examples=50, chains=100, edges=None)


@dataclass(slots=True, kw_only=True)
class Findings:
    """``wrong``: what was found, each kind once; ``answers``: statuses by operation; ``excluded``: how often each exclusion was needed."""

    wrong: dict[tuple[str, ...], str] = field(default_factory=dict)
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)

    def note(self, kind: tuple[str, ...], finding: str, told: Callable[[str], None]) -> None:
        """Keeps the first finding of its kind, and tells it at once: a long run need not be over for who mends."""
        if kind not in self.wrong:
            self.wrong[kind] = finding
            told(finding)

    def told(self) -> str:
        return "\n\n".join(self.wrong.values())


def strict(document: Json) -> Json:
    """A copy in which no object has a member that its schema does not name."""
    made = deepcopy(document)
    for schema in made["components"]["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return made


def examine(
    document: Json, *, address: str, tokens: Mapping[str, str], own: Mapping[str, Sequence[str]], ids: Mapping[str, str], effort: Effort,
    only: str | None = None, told: Callable[[str], None] = lambda line: None,
) -> Findings:  # fmt: skip
    """Calls the API at ``address``; blocks. ``told`` hears of each operation that is begun, and of each finding.

    ``only``: a pattern of operation ids.
    ``tokens``: an Authorization by operation id, "" for all others. ``own``: ids by path parameter that nothing may be deleted of, because
    the tokens hang on them. ``ids``: an object of each kind by path parameter.
    """
    config = SchemathesisConfig.from_dict(_config(document, address, tokens, ids, effort))
    whole = schemathesis.openapi.from_dict(document, config=config)
    # What is configured by operation counts as included already, so the others are excluded.
    schema: BaseSchema = whole if only is None else whole.exclude(lambda context: not re.search(only, _id_of(context.operation)))
    found = Findings()
    schema.hook("filter_case")(_kept(effort, own))
    schema.hook("filter_failure")(_not_excluded(found))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own, on its threads
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioStarted):
                told(f"{event.phase.display}: {event.label or 'a chain'}")
            elif isinstance(event, events.ScenarioFinished):
                _note(found, event, told)
            elif isinstance(event, events.NonFatalError):
                found.note((event.label, str(event.phase)), f"{event.label}: {event.info.format()}", told)
            elif isinstance(event, events.FatalError):
                raise event.exception
    return found


def _id_of(operation: APIOperation[Any, Any, Any, Any]) -> str:
    return str(operation.definition.raw["operationId"])


def _config(document: Json, address: str, tokens: Mapping[str, str], ids: Mapping[str, str], effort: Effort) -> Json:
    given = {name: value for name, value in ids.items() if re.fullmatch(r"\w+", name)}
    return {
        "seed": SEED,
        "base-url": address,
        "continue-on-failure": True,
        "generation": {"max-examples": effort.examples, "no-shrink": True, "mode": "all"},
        "phases": {"stateful": {"generation": {"max-examples": effort.chains}}, "coverage": {"unexpected-methods": ["PATCH", "GET", "OPTIONS"]}},
        "checks": {
            **{name: {"enabled": False} for name in NOT_CHECKED},
            **{name: {"expected-statuses": statuses.split()} for name, statuses in REFUSED.items()},
        },
        "dictionaries": {name: {"values": [value]} for name, value in given.items()},
        "request-timeout": 60,
        "headers": {"Authorization": tokens[""]},
        "parameters": {f"path.{name}": {"dictionary": name, "probability": 0.5} for name in given},
        # Few entries: the library asks each of them before every check.
        "operations": [
            *({"include-operation-id": [name], "headers": {"Authorization": token}} for name, token in tokens.items() if name),
            *(
                {"include-path": path, "parameters": {"path.key": {"dictionary": kind, "probability": 0.5}}}
                for path in document["paths"]
                if path.endswith("/{key}") and (kind := path.split("/")[2]) in given
            ),
        ],
    }  # fmt: skip


def _kept(effort: Effort, own: Mapping[str, Sequence[str]]) -> Callable[[HookContext, Case[Any]], bool]:
    edges: Counter[tuple[str, str]] = Counter()

    def filter_case(context: HookContext, case: Case[Any]) -> bool:
        given = case.path_parameters or {}
        if any(str(value) == "None" for value in given.values()):
            return False  # of a list in which one answer has no such id, the library takes the null for one
        if case.method == "DELETE" and any(str(given.get(name)) in ids for name, ids in own.items()):
            return False
        data = case.meta.phase.data if case.meta is not None else None
        if effort.edges is None or not isinstance(data, CoveragePhaseData):
            return True
        label, kind = case.operation.label, str(data.scenario)
        edges[label, kind] += 1
        if edges[label, kind] > 1 or edges[label, ""] >= effort.edges:
            return False
        edges[label, ""] += 1
        return True

    return filter_case


def _not_excluded(found: Findings) -> Callable[[HookContext, Failure, Case[Any], Response], bool]:
    def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        for exclusion in EXCLUSIONS:
            if isinstance(failure, exclusion.failure) and exclusion.holds(case, response):
                found.excluded[exclusion.name] += 1
                return False
        return True

    return filter_failure


def _note(found: Findings, event: events.ScenarioFinished, told: Callable[[str], None]) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        node = recorder.cases.get(case_id)
        if node is not None and interaction.response is not None:
            found.answers.setdefault(node.value.operation.label, Counter())[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            found.checks[check.name] += 1
            if check.failure_info is None:
                continue
            case, sent_as = recorder.cases[case_id].value, recorder.interactions.get(case_id)
            answer = sent_as.response if sent_as is not None else None
            status = answer.status_code if answer is not None else 0
            failure = check.failure_info.failure
            detail = answer.text[:600] if answer is not None else ""
            known = (case.operation.label, check.name, failure.title, str(status), *_said(answer))
            sent = answer.request if answer is not None else None
            found.note(
                known,
                f"{case.operation.label}: {check.name}: {failure.title}\n{failure.message[:600]}\n"
                f"{case.method} {sent.url if sent else ''} {str(sent.body)[:600] if sent else ''}\n-> {status} {detail}",
                told,
            )


def _said(answer: Response | None) -> tuple[str, ...]:
    try:
        body = answer.json() if answer is not None else {}
    except ValueError:
        return ()
    return (str(body.get("detail")),) if isinstance(body, dict) and answer is not None and answer.status_code >= 400 else ()


def all_checks() -> set[str]:
    """Every check of the library but those of `NOT_CHECKED`."""
    return set(CHECKS.get_all_names()) - NOT_CHECKED
