"""What stands in fences in the README and in docs/, and what is asked of each kind. A kind that is not here is refused.

| kind | what it is | what is asked of it |
|---|---|---|
| ``sh`` | commands, a line each | `santral` and `make` by their own parsers; nothing else but what output is piped to |
| ``bash`` | a script | run whole, by an end-to-end test |
| ``python`` | a program | run whole, by an end-to-end test |
| ``http`` | a call of REST: its line, an empty line, its body | the OpenAPI document has it and takes the body |
| ``yaml`` | a workspace file or a document of the simulator | read as the command reads it |
| ``html`` | what a site puts into its page | the loader knows its attributes |
| ``mermaid`` | a diagram | drawn |
| ``text`` | a picture, or what a program printed | holds no command |

**Identity** of a snippet: its page and the line it begins at.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final

import jsonschema
import typer
import yaml

from router.policy.check import problems_of
from router.simulator.document import document_of
from services.api.workspace_schema import workspace_schema
from services.cli.main import create_app
from services.client.workspace_file import NAMED, parse_workspace_file
from tests.support.drawings import drawn
from tests.support.reference_rest import openapi
from tests.support.tables import ROOT

_FENCE: Final = re.compile(r"^```([^\n]*)\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
_TARGET: Final = re.compile(r"^([a-z0-9-]+):.*##", re.MULTILINE)
_BESIDE: Final = ("jq",)
_OURS: Final = ("santral ", "make ", "$ santral ", "$ make ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One fence."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets() -> list[Snippet]:
    """Every fence of the README and of docs/."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [one for path in paths for one in snippets_in(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))]


def snippets_in(page: str, text: str) -> Iterator[Snippet]:
    """The fences of a page."""
    for fence in _FENCE.finditer(text):
        yield Snippet(page=page, line=text.count("\n", 0, fence.start()) + 1, kind=fence[1].strip(), text=fence[2])


def check(snippet: Snippet) -> None:
    """Raises `ValueError`, or what the reader of its kind raises, where a snippet is not what it says."""
    if snippet.kind not in CHECKS:
        raise ValueError(f"{snippet} is of kind {snippet.kind!r}, of which nothing is asked; known are {', '.join(CHECKS)}")
    CHECKS[snippet.kind](snippet.text)


def commands(text: str) -> Iterator[list[str]]:
    """The commands of shell lines, each as its words; what a pipe leads to is a command of its own, a file's name behind ``>`` is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="|>")
        words.whitespace_split, words.commenters = True, "#"
        command: list[str] = []
        to_file = False
        for word in words:
            if word in (">", ">>"):
                to_file = True
            elif word == "|":
                yield command
                command = []
            elif to_file:
                to_file = False
            else:
                command.append(word)
        if command:
            yield command


def _shell(text: str) -> None:
    for words in commands(text):
        if words[0] == "santral":
            parsed(words[1:])
        elif words[0] == "make":
            _made(words[1:])
        elif words[0] not in _BESIDE:
            raise ValueError(f"{words[0]} is not a command of ours: a script to be run whole is of kind bash")


def parsed(words: list[str]) -> None:
    """Has the command line read a command, without running it. Raises what its parser raises."""
    command: Any = typer.main.get_command(create_app())
    context = None
    name = "santral"
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            raise ValueError(f"{name} has no {' '.join(words[:1]) or 'verb'}")
        name, words, command = words[0], words[1:], command.commands[words[0]]
    with command.make_context(name, list(words), parent=context):
        pass


def _made(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [word for word in words if "=" not in word]
    unknown = set(targets) - set(_TARGET.findall(makefile))
    if unknown or not targets:
        raise ValueError(f"the Makefile has no {', '.join(sorted(unknown)) or 'such target'}")
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if targets == ["run"]:
        parsed(["serve", "--demo", *shlex.split(given.get("ARGS", ""))])


def call_of(text: str) -> tuple[str, str, Any]:
    """A call of REST: method, path and body, None without one."""
    head, _, body = text.partition("\n\n")
    method, _, path = head.strip().partition(" ")
    return method, path, json.loads(body) if body.strip() else None


def _http(text: str) -> None:
    document = openapi()
    method, path, body = call_of(text)
    matching = [one for one in document["paths"] if _alike(one, path) and method.lower() in document["paths"][one]]
    if not matching:
        raise ValueError(f"there is no {method} {path}")
    operation = document["paths"][matching[0]][method.lower()]
    taken = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if (taken is None) != (body is None):
        raise ValueError(f"{method} {path} {'takes no body' if taken is None else 'takes a body'}")
    if taken is not None:
        jsonschema.Draft202012Validator({**taken, "components": document["components"]}).validate(body)


def _alike(known: str, given: str) -> bool:
    parts, others = known.split("/"), given.partition("?")[0].split("/")
    return len(parts) == len(others) and all(one == other or one.startswith("{") for one, other in zip(parts, others, strict=True))


def _yaml(text: str) -> None:
    document = yaml.safe_load(text)
    if set(document) <= set(NAMED):
        found = parse_workspace_file(text, source="the snippet").document
        schema = workspace_schema()
        jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(found)))
        wrong = problems_of(found["policy"]) if "policy" in found else []
        if wrong:
            raise ValueError("; ".join(f"{one.field}: {one.message}" for one in wrong))
    else:
        document_of(document)


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "script":
            raise ValueError(f"a site is told of scripts only, not of {tag}")
        self.found.append({name: value or "" for name, value in attrs})


def _html(text: str) -> None:
    scripts = _Scripts()
    scripts.feed(text)
    loader = (ROOT / "services/web/src/chat/loader.ts").read_text(encoding="utf-8")
    for one in scripts.found:
        known = {f"data-{name}" for name in re.findall(r"dataset\.(\w+)", loader)} | {"src", "async"}
        if not one.get("src", "").endswith("/santral-chat.js") or not one.keys() <= known:
            raise ValueError(f"the loader does not know {', '.join(sorted(one.keys() - known)) or one.get('src')}")
    if not scripts.found:
        raise ValueError("no script")


def _text(text: str) -> None:
    hidden = [line for line in text.splitlines() if line.strip().startswith(_OURS)]
    if hidden:
        raise ValueError(f"a command is no picture: {hidden[0]}")


def _python(text: str) -> None:
    ast.parse(text)


def _script(text: str) -> None:
    if not text.strip():
        raise ValueError("empty")


CHECKS: Final[Mapping[str, Callable[[str], Any]]] = {
    "sh": _shell,
    "bash": _script,
    "python": _python,
    "http": _http,
    "yaml": _yaml,
    "html": _html,
    "mermaid": drawn,
    "text": _text,
}
