"""The pages of docs/reference that are written from the source: settings, command line, topics, policy, simulator, metrics, log actions.

Each is a function without arguments that gives the page; `make reference` writes them, a test compares. REST has a module of its own.
**Identity** of a page: its name under docs/reference.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import typer
from prometheus_client import Counter, Gauge, Histogram
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from router.policy.check import DOCUMENT_CHARS_MAX
from router.policy.fields import BY_NAME, MEMBERS_SEEN, OPERATORS, QUEUE_FIELDS, TEXT_CHARS_SEEN, TYPE_NAMES
from router.policy.policy import BUDGET_S, RULES_MAX, PolicyDocument, RuleDocument
from router.simulator.document import Document
from services.cli.main import create_app
from services.frame.settings import PREFIX, Settings
from shared import metrics
from shared.asyncapi import asyncapi_document
from shared.topics import Topics
from tests.support.source_files import Source, sources
from tests.support.statements import GAP

Json = dict[str, Any]
_LEVELS: Final = ("debug", "info", "warning", "error", "exception", "critical")
WRITTEN: Final = "<!-- Written by make reference from the source: change that, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page of its parts."""
    return "\n\n".join([f"# {title}", WRITTEN, *(part.strip() for part in parts if part.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is written otherwise."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') or '–' for cell in row)} |" for row in lines
    )


def settings() -> str:
    """Every variable."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        secret = isinstance(default, SecretStr)
        shown = "" if secret or default in (None, "", PydanticUndefined) else f"`{_plain(default)}`"
        rows.append([f"`{PREFIX}{name.upper()}`", _kind(field.annotation), shown, field.description or ""])
    return page(
        "Settings",
        "Every variable may be given as a file: `SANTRAL_SECRET_FILE` for `SANTRAL_SECRET`. An unknown `SANTRAL_` variable is a warning with the\n"
        "nearest right name, an error under `--strict`. `santral serve` sets all of them for its children.",
        table(["variable", "value", "default", "what"], rows),
    )


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(annotation: Any) -> str:
    """A Python type in words."""
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_kind(one) for one in get_args(annotation) if one is not NoneType)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{one}`" for one in get_args(annotation))
    words = {bool: "`true` or `false`", int: "number", float: "number", str: "text", SecretStr: "text, secret", Path: "path"}
    return words.get(annotation, getattr(annotation, "__name__", "text").lower())


def command_line() -> str:
    """Every verb with its arguments and options."""
    program: Any = typer.main.get_command(create_app())
    return page(
        "Command line",
        "`santral VERB --help` says the same. A known error is one line on standard error and exit status 1, a wrong use 2, Ctrl-C 130;\n"
        "`santral --debug VERB` shows where an error came from, `santral --version` which release this is.",
        table(["verb", "what it does"], [[f"[{name}](#{_anchor(name)})", _first(one.help)] for name, one in _verbs(program)]),
        *(part for name, one in _verbs(program) for part in _verb(name, one)),
    )


def _verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _verbs(one, f"{before}{name} ")
        else:
            yield f"{before}{name}", one


def _anchor(name: str) -> str:
    return f"santral-{name.replace(' ', '-')}"


def _first(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def _verb(name: str, command: Any) -> Iterator[str]:
    takes = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    names = (one.name.upper() if one.required else f"[{one.name.upper()}]" for one in takes)
    yield f"## santral {name}"
    yield " ".join(["`santral", name, *([] if not options else ["[OPTIONS]"]), *names]) + "`"
    yield " ".join((command.help or "").split())
    rows = [[f"`{one.name.upper()}`", one.help or "", "required" if one.required else ""] for one in takes]
    rows += [[", ".join(f"`{word}`" for word in (*one.opts, *one.secondary_opts)), one.help or "", _given(one)] for one in options]
    yield table(["argument or option", "what", "default"], rows) if rows else ""


def _given(option: Any) -> str:
    if option.required:
        return "required"
    default = "" if option.default in (None, "", False, ()) or callable(option.default) else f"`{_plain(option.default)}`"
    return ", or ".join(filter(None, (f"`{option.envvar}`" if option.envvar else "", default)))


def topics() -> str:
    """The two topics, their records and the types of events."""
    document = asyncapi_document(Topics.under(), version="1")
    schemas = document["components"]["schemas"]
    parts = []
    for name, channel in document["channels"].items():
        kafka = channel["bindings"]["kafka"]
        message = document["components"]["messages"]["message" if name == "messages" else "event"]
        parts += [
            f"## {channel['address']}",
            f"{channel['description']} {kafka['partitions']} partitions, kept {kafka['topicConfiguration']['retention.ms'] // 86_400_000} days.",
            "Headers:",
            table(["header", "value"], [[f"`{header}`", _schema_kind(one)] for header, one in _headers(message).items()]),
            "Value:",
            fields_table(schemas["InboundMessage" if name == "messages" else "EventPayload"], schemas),
        ]
    types = [one.removeprefix("santral.") for one in _headers(document["components"]["messages"]["event"])["ce_type"]["enum"]]
    families = sorted({one.split(".")[0] for one in types})
    rows = [
        [f"`santral.{family}.…`", ", ".join(f"`{one.split('.', 1)[1]}`" for one in types if one.startswith(f"{family}."))]
        for family in families
    ]
    others = sorted(set(schemas) - {"InboundMessage", "EventPayload"})
    return page(
        "Topics",
        "CloudEvents 1.0 in Kafka's binary binding; `santral asyncapi` prints this as an AsyncAPI 3.0 document. The prefix `santral` is\n"
        "`SANTRAL_TOPIC_PREFIX`.",
        *parts,
        "## Types of events",
        table(["`ce_type`", "ends in"], rows),
        "## Parts of a message",
        *(part for name in others for part in _part(name, schemas)),
    )


def _headers(message: Json) -> Json:
    found: Json = message["headers"]["properties"]
    return found


def _part(name: str, schemas: Mapping[str, Json]) -> Iterator[str]:
    schema = schemas[name]
    yield f"### {name}"
    yield _sentence(schema)
    yield fields_table(schema, schemas) if schema.get("properties") else _schema_kind(schema)


def fields_table(schema: Json, schemas: Mapping[str, Json]) -> str:
    """The members of an object: name, kind, whether required, what it says."""
    required = set(schema.get("required", ()))
    rows = [
        [f"`{name}`", _schema_kind(one, schemas), "required" if name in required else _default(one), one.get("description", "")]
        for name, one in schema["properties"].items()
    ]
    told = any(row[3] for row in rows)
    return table(["member", "kind", "default", "what"][: 4 if told else 3], [row[: 4 if told else 3] for row in rows])


def _default(schema: Json) -> str:
    given = schema.get("default")
    if isinstance(given, dict):
        given = {name: value for name, value in given.items() if value is not None}
    return "" if given in (None, "", [], {}) else f"`{given if isinstance(given, str) else json.dumps(given)}`"


def _sentence(schema: Json) -> str:
    return " ".join(str(schema.get("description", "")).replace("``", "`").split())


def _schema_kind(schema: Json, schemas: Mapping[str, Json] | None = None) -> str:
    """A JSON Schema in words; what is described elsewhere on the page is linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if schemas and name in schemas else name
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_schema_kind(one, schemas) for one in schema[word] if one.get("type") != "null"))
    if "enum" in schema:
        shown = [f"`{one}`" for one in schema["enum"]]
        return " or ".join(shown) if len(shown) < 40 else "one of the types below"
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        inner: Json = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        return f"list of {_schema_kind(inner, schemas)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"by name: {_schema_kind(schema['additionalProperties'], schemas)}"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    kind = str(schema.get("format") or schema.get("type") or "anything")
    return f"{kind} ({', '.join(bounds)})" if bounds else kind


_BOUNDS: Final = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def policy() -> str:
    """What rules can ask and do."""
    facts = [
        [
            f"`{one.name}`",
            TYPE_NAMES[one.type],
            one.help,
            ", ".join(f"`{value}`" for value in one.values),
            "always" if one.always else "may be missing",
        ]
        for one in BY_NAME.values()
    ]
    facts += [["`profile.attributes.<name>`", TYPE_NAMES["any"], "an attribute of the customer", "", "may be missing"]]
    facts += [[f"`queue.<name>.{name}`", "a number", about, "", "may be missing"] for name, about in QUEUE_FIELDS.items()]
    operators = [[f"`{one.name}`", one.help, ", ".join(TYPE_NAMES[kind] for kind in one.types)] for one in OPERATORS.values()]
    rule = RuleDocument.model_json_schema(by_alias=True)
    document = PolicyDocument.model_json_schema(by_alias=True)
    return page(
        "Policy: the words of rules",
        "`GET /v1/policies/vocabulary` answers the same with the names of your workspace; `santral policy check FILE` says what is wrong with a\n"
        "document, line by line. How to try one: [routing](../use/routing.md).",
        "## A policy", fields_table(document, document.get("$defs", {})),
        "## RuleDocument", _sentence(rule), fields_table(rule, rule.get("$defs", {})),
        "## Facts", "In a tree: `{field: message.channel, op: is, value: email}`; trees nest in `all`, `any` and `not`. In an expression\n"
        "(`when_cel`, CEL): the same names.",
        table(["fact", "kind", "what", "usual values", "there"], facts),
        "## Operators of a tree", table(["operator", "what", "for"], operators),
        "## Limits",
        table(["of a policy", "at most"], [
            ["rules", str(RULES_MAX)], ["characters of the document", str(DOCUMENT_CHARS_MAX)],
            ["time for a message's rules", f"{1000 * BUDGET_S:g} ms"],
            ["letters of a text that rules see", str(TEXT_CHARS_SEEN)], ["members of a list that they see", str(MEMBERS_SEEN)],
        ]),
    )  # fmt: skip


def simulator() -> str:
    """The document of `santral simulate`."""
    schema = Document.model_json_schema()
    schemas = schema.pop("$defs")
    return page(
        "The simulator's document",
        "What `santral simulate FILE` and `santral staffing FILE` are given, as YAML or JSON. Durations are seconds or `20s`, `3m`, `1.5h`, `2d`,\n"
        "`09:30`; rates are a second or `200/h`, `3/min`, `9/s`. Unknown fields are errors. What the words mean, and the answer:\n"
        "[the simulator](../../router/simulator/README.md#simulator).",
        "## Document", _sentence(schema), fields_table(schema, schemas),
        *(part for name in sorted(schemas) for part in _part(name, schemas)),
    )  # fmt: skip


def metric_names() -> str:
    """What ``/metrics`` shows."""
    kinds = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
    found = [one for one in vars(metrics).values() if isinstance(one, Counter | Gauge | Histogram)]
    rows = []
    for one in sorted(found, key=lambda metric: str(metric._name)):  # the library has no public word for these
        ending = "_total" if isinstance(one, Counter) else ""
        rows.append(
            [
                f"`{one._name}{ending}`",
                kinds[type(one)],
                ", ".join(f"`{label}`" for label in one._labelnames),
                str(one._documentation),
            ]
        )
    return page(
        "Metrics",
        "Every process shows its own under `/metrics` of its health port, in the Prometheus format. No label names a workspace, a customer\n"
        "or an agent.",
        table(["metric", "kind", "labels", "what"], rows),
    )


def log_actions() -> str:
    """The ``action`` of every log line."""
    written: dict[str, dict[tuple[str, str], set[str]]] = {}
    waits = _sentences_by_function()
    for file in sources():
        for call in file.calls:
            action = _word(call, "action")
            if action is None:
                continue
            said = [(_level(call), _told(file, call))] if _level(call) else waits.get(_called(call), [])
            for level, sentence in said:
                written.setdefault(action, {}).setdefault((level, sentence), set()).add(file.name)
    rows = [
        [f"`{action}`", level, sentence or "…", ", ".join(f"`{name}`" for name in sorted(names))]
        for action in sorted(written)
        for (level, sentence), names in sorted(written[action].items())
    ]
    return page(
        "Log actions",
        "A line of the log is a sentence with an `action` from this list, and ids; never a body, a name or an address of a customer.\n"
        "`SANTRAL_LOG_FORM` says whether a machine or a person reads it.",
        table(["action", "level", "sentence", "written in"], rows),
    )


def _word(call: ast.Call, name: str) -> str | None:
    given = next((one.value for one in call.keywords if one.arg == name), None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _level(call: ast.Call) -> str:
    function = call.func
    is_log = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "log"
    return function.attr if is_log and isinstance(function, ast.Attribute) and function.attr in _LEVELS else ""


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _told(file: Source, call: ast.Call) -> str:
    return " / ".join(file.texts(call.args[0])).replace(GAP, "…") if call.args else ""


def _sentences_by_function() -> dict[str, list[tuple[str, str]]]:
    """Functions that log under an action that their caller names, with what they say."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sources():
        for function in (node for node in ast.walk(file.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            takes = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _level(node)]
            said = [(_level(one), _told(file, one)) for one in calls if _named_by_caller(one)]
            if "action" in takes and said:
                found[function.name] = said
    return found


def _named_by_caller(call: ast.Call) -> bool:
    return any(one.arg == "action" and isinstance(one.value, ast.Name) and one.value.id == "action" for one in call.keywords)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings": settings,
    "command-line": command_line,
    "topics": topics,
    "policy": policy,
    "simulator": simulator,
    "metrics": metric_names,
    "log-actions": log_actions,
}
