"""YAML as people write it, with the node behind each value for its line; its aliases stand for a bounded number of values.

An alias stands for all that it names, and that may hold aliases again: a few lines can mean more values than anybody can walk through. So
what they stand for is counted while the text is read. What stands in a text without aliases is bounded by the text itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from shared.errors import Unprocessable

ALIASED_MAX: Final = 100_000
"""Values that all aliases of a document stand for."""
_TAG: Final = "tag:yaml.org,2002:"
_NOT_PLAIN: Final = frozenset({f"{_TAG}int", f"{_TAG}float", f"{_TAG}timestamp"})


class AliasError(yaml.composer.ComposerError):
    """An alias that stands for too much, or for what it stands in."""


class BoundedLoader(yaml.SafeLoader):
    """A SafeLoader that raises `AliasError` where aliases stand for too many values."""

    aliased_max = ALIASED_MAX

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._aliased = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        before, mark = self._values, event.start_mark
        if isinstance(event, yaml.AliasEvent):
            node: Any = super().compose_node(parent, index)
            if node not in self._sizes:
                raise AliasError(None, None, f"the alias {event.anchor} stands in what it names", mark)
            self._values += self._sizes[node]
            self._aliased += self._sizes[node]
            if self._aliased > self.aliased_max:
                raise AliasError(None, None, f"its aliases stand for more than {self.aliased_max} values", mark)
            return node
        self._values += 1
        node = super().compose_node(parent, index)
        if getattr(event, "anchor", None) is not None:
            self._sizes[node] = self._values - before
        return node


class PlainLoader(BoundedLoader):
    """YAML in which ``18:00`` and ``2026-10-29`` are the texts they look like, not a number in base sixty and a date."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_PLAIN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in (
    (f"{_TAG}int", r"[-+]?(?:0|[1-9][0-9_]*)$|0x[0-9a-fA-F]+$"),
    (f"{_TAG}float", r"[-+]?[0-9][0-9_]*\.[0-9]*(?:[eE][-+]?[0-9]+)?$"),
):
    PlainLoader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+0123456789"))


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlText:
    """The document, and the node that it was made of; None for an empty text."""

    document: Any
    node: yaml.Node | None


def read_yaml(text: str, *, source: str, loader: type[BoundedLoader] = BoundedLoader) -> YamlText:
    """The document of a text. Raises `Unprocessable` naming the line of ``source`` and the remedy."""
    try:
        return YamlText(document=yaml.load(text, Loader=loader), node=yaml.compose(text, Loader=loader))  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        at = f"{source}:{error.problem_mark.line + 1 if error.problem_mark else 1}"
        if isinstance(error, AliasError):
            raise Unprocessable(str(error.problem), field=at, remedy="write out what is meant, with fewer aliases") from error
        raise Unprocessable(f"not YAML: {error.problem}", field=at, remedy="mend the line") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Unprocessable("not YAML", field=source, remedy="write mappings and lists, not too deep") from error
