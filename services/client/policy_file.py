"""A policy in a file: YAML or JSON, by itself or as the section ``policy`` of a workspace file; problems are told with their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from services.client.yaml_text import read_yaml
from shared.errors import Unprocessable


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The document, and where in the file each of its places stands."""

    source: str
    document: Any
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def where(self, path: Sequence[str | int], line: int = 0) -> str:
        """``file:line`` of a place in the document, or of the nearest one around it; ``line`` counts on inside an expression."""
        parts = tuple(path)
        while parts not in self.lines and parts:
            parts, line = parts[:-1], 0
        found = self.lines.get(parts)
        return self.source if found is None else f"{self.source}:{found + max(0, line - 1)}"


def read_policy_file(path: Path) -> PolicyFile:
    """Reads a file. Raises `Unprocessable` naming it, and the line where it is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Unprocessable(f"cannot be read: {error.strerror}", field=str(path), remedy="name a file that exists") from error
    except UnicodeDecodeError as error:
        raise Unprocessable("is not UTF-8", field=str(path), remedy="save it as UTF-8") from error
    read = read_yaml(text, source=str(path))
    document, node = read.document, read.node
    lines: dict[tuple[str | int, ...], int] = {}
    if node is not None:
        _mark(node, (), lines)
    if isinstance(document, dict) and "policy" in document:
        document = document["policy"]
        lines = {place[1:]: line for place, line in lines.items() if place[:1] == ("policy",)}
    return PolicyFile(source=str(path), document=document, lines=lines)


def _mark(node: yaml.Node, place: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> None:
    block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    lines[place] = node.start_mark.line + 1 + block
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _mark(value, (*place, str(key.value)), lines)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            _mark(value, (*place, at), lines)
