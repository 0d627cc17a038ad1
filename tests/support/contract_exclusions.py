"""What the contract test lets pass, and why: what no JSON schema can say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.openapi.checks import RejectedPositiveData

from services.api.problems import SCHEMA_REMEDIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Failures of one kind that are none where ``holds`` says so."""

    name: str
    reason: str
    failure: type[Failure]
    holds: Callable[[Case[Any], Response], bool]


def _by_a_rule(case: Case[Any], response: Response) -> bool:
    """Refused by a rule of ours, which names the field and its own remedy; what a model refuses, its schema has to say."""
    problem = response.json() if response.status_code in (400, 422) else {}
    return bool(problem.get("field") and problem.get("remedy")) and problem["remedy"] not in SCHEMA_REMEDIES


def _is_the_number(case: Case[Any], response: Response) -> bool:
    return any(isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value) for value in case.path_parameters.values())


EXCLUSIONS: Final = (
    Exclusion(
        name="rule", failure=RejectedPositiveData, holds=_by_a_rule,
        reason="what is named has to exist, values are bounded by each other, a text is in a notation of its own, a cursor is opaque",
    ),
    Exclusion(
        name="path", failure=AcceptedNegativeData, holds=_is_the_number,
        reason="in an address everything is text: a number as text is the number",
    ),
)  # fmt: skip
