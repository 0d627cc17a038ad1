"""A workspace as a file that can be kept in git: YAML with a line for every complaint, secrets only as ``{env: …}`` or ``{file: …}``.

Sections stand in the order in which they are applied: what is referred to comes before what refers to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from services.client.yaml_text import PlainLoader, read_yaml
from shared.errors import Unprocessable

LISTS: Final = ("roles", "skills", "users", "connections", "inboxes", "calendars", "queues", "plans", "slas", "agents")
SINGLES: Final = ("workspace", "policy")
NAMED: Final = (*SINGLES, *LISTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceFile:
    """What the file says. ``lines`` maps a dotted path (``queues.0.name``) to its line, for messages."""

    source: str
    document: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)

    def where(self, path: str) -> str:
        """``file:line`` of the nearest place the path names."""
        parts = path.split(".")
        while parts:
            line = self.lines.get(".".join(parts))
            if line is not None:
                return f"{self.source}:{line}"
            parts.pop()
        return self.source


def read_workspace_file(path: Path) -> WorkspaceFile:
    """Reads and checks the shape. Raises `Unprocessable` naming the line and the remedy; nothing is resolved yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Unprocessable(f"cannot be read: {error.strerror}", field=str(path), remedy="name a file that exists") from error
    except UnicodeDecodeError as error:
        raise Unprocessable("is not UTF-8", field=str(path), remedy="save it as UTF-8") from error
    return parse_workspace_file(text, source=str(path))


def parse_workspace_file(text: str, *, source: str) -> WorkspaceFile:
    """The same from text."""
    read = read_yaml(text, source=source, loader=PlainLoader)
    document, node = read.document, read.node
    lines: dict[str, int] = {}
    if node is not None:
        _mark(node, "", lines)
    found = WorkspaceFile(source=source, document=document if isinstance(document, dict) else {}, lines=lines)
    if not isinstance(document, dict):
        raise Unprocessable("not a mapping", field=source, remedy=f"sections: {', '.join(NAMED)}")
    for name, section in document.items():
        if name not in NAMED:
            raise Unprocessable(f"no such section: {name}", field=found.where(str(name)), remedy=f"one of {', '.join(NAMED)}")
        wanted = list if name in LISTS else dict
        if not isinstance(section, wanted):
            shape = "a list" if wanted is list else "a mapping"
            raise Unprocessable(f"{name} is not {shape}", field=found.where(name), remedy=f"write {name} as {shape}")
    _check_names(found)
    return found


def _mark(node: yaml.Node, path: str, lines: dict[str, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            lines[inner] = key.start_mark.line + 1
            _mark(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            inner = f"{path}.{place}"
            lines[inner] = value.start_mark.line + 1
            _mark(value, inner, lines)


def _check_names(found: WorkspaceFile) -> None:
    for section in LISTS:
        seen: dict[str, int] = {}
        for place, entry in enumerate(found.document.get(section, ())):
            at = found.where(f"{section}.{place}")
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise Unprocessable(f"an entry of {section} without a name", field=at, remedy="give it a name")
            if entry["name"] in seen:
                raise Unprocessable(f"{section} has {entry['name']} twice", field=at, remedy="keep one")
            seen[entry["name"]] = place
            for secret, value in (entry.get("secrets") or {}).items():
                if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("env", "file")):
                    raise Unprocessable(
                        f"the secret {secret} stands in the file",
                        field=found.where(f"{section}.{place}.secrets.{secret}"), remedy="write {env: NAME} or {file: PATH}",
                    )  # fmt: skip


def resolved_secrets(found: WorkspaceFile, section: str, place: int) -> dict[str, str]:
    """An entry's secrets from the environment and from files. Raises `Unprocessable` naming the line."""
    secrets: dict[str, str] = {}
    for name, source in (found.document[section][place].get("secrets") or {}).items():
        at = found.where(f"{section}.{place}.secrets.{name}")
        ((kind, value),) = source.items()
        if kind == "env":
            if value not in os.environ:
                raise Unprocessable(f"the environment has no {value}", field=at, remedy=f"export {value}=…")
            secrets[name] = os.environ[value]
            continue
        path = Path(found.source).parent / str(value)
        try:
            secrets[name] = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unprocessable(f"{value} cannot be read: {error.strerror}", field=at, remedy="name a file that exists") from error
    return secrets
