"""Durations, rates and random durations as a person writes them in a document.

Durations: seconds, or ``20s``, ``3m``, ``1.5h``, ``2d``, or a time of day ``09:30`` (from the start of the first day). Rates: a
second, or ``200/h``, ``3/min``, ``9/s``, ``10000/d``. Identity: equal values are equal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_UNITS_S: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?$")
_OF_DAY: Final = re.compile(r"^(\d{1,2}):(\d{2})$")
_RATE: Final = re.compile(r"^(\d+(?:\.\d+)?)\s*/\s*(s|min|m|h|d)$")

Draw = Callable[[Random], float]


def as_number(given: float) -> float:
    """A number as the simulation counts. Raises ValueError for an integer beyond all of them."""
    try:
        return float(given)
    except OverflowError as error:
        raise ValueError("a number that nobody can count with; write a smaller one") from error


def seconds(given: object) -> float:
    """A duration in seconds. Raises ValueError."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return as_number(given)
    if isinstance(given, str):
        text = given.strip()
        if found := _DURATION.match(text):
            return float(found[1]) * _UNITS_S[found[2] or ""]
        if found := _OF_DAY.match(text):
            return int(found[1]) * 3600.0 + int(found[2]) * 60.0
    raise ValueError(f"{given!r} is not a duration; write seconds, or 20s, 3m, 1.5h, 2d, 09:30")


def per_second(given: object) -> float:
    """A rate per second. Raises ValueError."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return as_number(given)
    if isinstance(given, str) and (found := _RATE.match(given.strip())):
        return float(found[1]) / _UNITS_S[found[2]]
    raise ValueError(f"{given!r} is not a rate; write a number a second, or 200/h, 3/min, 9/s")


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]
PerSecond = Annotated[float, BeforeValidator(per_second), Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of a document: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Exponential(Part):
    """Memoryless, with this mean."""

    kind: Literal["exponential"]
    mean: Positive

    def draw(self) -> Draw:
        """One random duration per call."""
        mean, log = self.mean, math.log
        return lambda random: -mean * log(1.0 - random.random())


class Deterministic(Part):
    """Always the same."""

    kind: Literal["deterministic"]
    value: Seconds

    def draw(self) -> Draw:
        """One random duration per call."""
        value = self.value
        return lambda random: value


class Uniform(Part):
    """Evenly between two values."""

    kind: Literal["uniform"]
    low: Seconds
    high: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high; exchange them")
        return self

    def draw(self) -> Draw:
        """One random duration per call."""
        low, width = self.low, self.high - self.low
        return lambda random: low + width * random.random()


class Lognormal(Part):
    """By its mean and coefficient of variation (standard deviation / mean)."""

    kind: Literal["lognormal"]
    mean: Positive
    cv: float = Field(gt=0, allow_inf_nan=False)

    def draw(self) -> Draw:
        """One random duration per call."""
        variance = math.log1p(self.cv**2)
        mu, sigma = math.log(self.mean) - variance / 2, math.sqrt(variance)
        return lambda random: random.lognormvariate(mu, sigma)


class Gamma(Part):
    """By its mean and coefficient of variation."""

    kind: Literal["gamma"]
    mean: Positive
    cv: float = Field(gt=0, allow_inf_nan=False)

    def draw(self) -> Draw:
        """One random duration per call."""
        shape = 1 / self.cv**2
        scale = self.mean / shape
        return lambda random: random.gammavariate(shape, scale)


class Erlang(Part):
    """The sum of so many equal exponential phases, with this mean."""

    kind: Literal["erlang"]
    mean: Positive
    phases: int = Field(ge=1, le=1000)

    def draw(self) -> Draw:
        """One random duration per call."""
        shape, scale = float(self.phases), self.mean / self.phases
        return lambda random: random.gammavariate(shape, scale)


class Branch(Part):
    """One kind of work in a mixture."""

    weight: float = Field(gt=0, allow_inf_nan=False)
    mean: Positive


class Hyperexponential(Part):
    """A mixture of exponential durations: many short ones and a few long ones."""

    kind: Literal["hyperexponential"]
    branches: tuple[Branch, ...] = Field(min_length=1)

    def draw(self) -> Draw:
        """One random duration per call."""
        return _mixture([one.weight for one in self.branches], [one.mean for one in self.branches], exponential=True)


class Empirical(Part):
    """Values that were measured, each as likely as its weight (equally likely without weights)."""

    kind: Literal["empirical"]
    values: tuple[Seconds, ...] = Field(min_length=1)
    weights: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = None

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError("weights: one per value, or none at all")
        return self

    def draw(self) -> Draw:
        """One random duration per call."""
        return _mixture(self.weights or [1.0] * len(self.values), self.values, exponential=False)


Duration = Annotated[
    Exponential | Deterministic | Uniform | Lognormal | Gamma | Erlang | Hyperexponential | Empirical, Field(discriminator="kind")
]


def _mixture(weights: Sequence[float], values: Sequence[float], *, exponential: bool) -> Draw:
    bounds = list(accumulate(weights))

    def draw(random: Random) -> float:
        value = random.choices(values, cum_weights=bounds)[0]
        return -value * math.log(1.0 - random.random()) if exponential else value

    return draw
