"""What callers give is of the type that JSON has for it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ConfigDict, Field, ValidationError

from shared.given import Given, at_least_one, exactly_one, not_both


class Inner(Given):
    on: bool = False


class Outer(Given):
    on: bool = True
    count: Annotated[int, Field(ge=0)] = 0
    share: float | None = None
    several: list[int] = Field(default_factory=list)
    anything: str | int | float | bool = ""
    inner: Inner | None = None


@pytest.mark.parametrize(
    "given",
    [
        {"on": 0}, {"on": "true"}, {"count": True}, {"count": "5"}, {"count": -1}, {"share": "0.5"}, {"share": False}, {"several": [1, "2"]},
        {"inner": {"on": 1}}, {"inner": {"off": True}}, {"workspace_id": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_another_type_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate(given)


def test_what_json_has_for_it_is_taken_as_it_is() -> None:
    made = Outer.model_validate({"on": False, "count": 3.0, "share": 1, "several": [1], "anything": 5, "inner": {"on": True}})
    assert (made.on, made.count, made.share, made.several, made.inner) == (False, 3, 1.0, [1], Inner(on=True))
    for value in (5, 1.5, True, "x"):
        assert type(Outer(anything=value).anything) is type(value)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (exactly_one("a", "b"), [{"a": 1}, {"b": 2, "a": None}], [{}, {"a": 1, "b": 2}, {"a": None}]),
        (at_least_one("a", "b"), [{"a": 1}, {"a": 1, "b": 2}], [{}, {"b": None}]),
        (not_both("a", "b"), [{}, {"a": 1}, {"a": 1, "b": None}], [{"a": 1, "b": 2}]),
    ],
)
def test_a_rule_between_members_stands_in_the_schema(
    rule: dict[str, Any], good: list[dict[str, Any]], bad: list[dict[str, Any]]
) -> None:
    class Ruled(Given):
        model_config = ConfigDict(json_schema_extra=rule)

        a: int | None = None
        b: int | None = None

    validator = Draft202012Validator(Ruled.model_json_schema())
    assert [one for one in good if not validator.is_valid(one)] == []
    assert [one for one in bad if validator.is_valid(one)] == []
