"""`santral policy`: versions of the rules, checks with the place of each problem, what-if, activation and roll-back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from router.evaluation.report import merged
from router.policy.check import problems_of
from services.cli.console import connected, say, say_progress, show_table
from services.cli.moments import moment
from services.client.policy_file import PolicyFile, read_policy_file
from services.client.rest_client import RestClient
from shared.errors import InputRejected

Url = Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")]
ApiKey = Annotated[
    str,
    typer.Option(
        envvar="SANTRAL_API_KEY", help="A key with config:read, for stored messages conversations:read, to activate config:write."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
URL: Final = "http://127.0.0.1:8080"
PORTION: Final = 2000


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="The rules: versions, checks, what-if, roll-back.", no_args_is_help=True)
    group.command("list", help="Versions, newest first.")(_list)
    group.command("show", help="A version's document as YAML; without a number the active one.")(_show)
    group.command(
        "check", help="Everything that is wrong with a policy in a file; with an API key also against the names that exist."
    )(_check)
    group.command("evaluate", help="What a policy would do with a message, or would have done in a stretch of time.")(_evaluate)
    group.command("activate", help="Make a version active.")(_activate)
    group.command("rollback", help="Back to the version that was active before.")(_rollback)
    app.add_typer(group, name="policy")


def _list(url: Url = URL, api_key: ApiKey = "", as_json: Json = False) -> None:
    async def work(client: RestClient) -> list[Any]:
        return [one async for one in client.pages("/v1/policies")]

    versions = connected(url, api_key, work)
    if as_json:
        say(json.dumps(versions, ensure_ascii=False))
        return
    show_table(
        ["version", "", "rules", "saved", "by", "activated", "by", "note"],
        [
            [
                one["version"], "active" if one["active"] else "", len(one["document"].get("rules") or ()), _minute(one["created_at"]),
                one["actor"], _minute(one["activated_at"]), one["activated_by"], one["note"],
            ]
            for one in versions
        ],
    )  # fmt: skip


def _show(
    version: Annotated[int | None, typer.Argument(help="The version.")] = None, url: Url = URL, api_key: ApiKey = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    found = connected(url, api_key, lambda client: client.call("GET", f"/v1/policies/{version or 'active'}"))
    if found is None:
        raise InputRejected("no version is active", field="VERSION", remedy="save a policy first")
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        say(yaml.safe_dump(found["document"], allow_unicode=True, sort_keys=False, width=120), nl=False)


def _check(
    file: Annotated[Path, typer.Argument(help="YAML or JSON.")], url: Url = URL, api_key: ApiKey = "", as_json: Json = False
) -> None:
    found = read_policy_file(file)
    if api_key:
        body = {"document": found.document}
        problems = connected(url, api_key, lambda client: client.call("POST", "/v1/policies/check", body))["problems"]
    else:
        problems = [one.as_json() for one in problems_of(found.document)]
    failed = any(one["severity"] == "error" for one in problems)
    if as_json:
        say(json.dumps({"ok": not failed, "problems": problems}, ensure_ascii=False))
    else:
        for one in problems:
            say(_line(found, one))
        if not problems:
            say(f"{file}: nothing is wrong with it{'' if api_key else '; names were not checked (no API key)'}")
    raise typer.Exit(1 if failed else 0)


def _line(found: PolicyFile, one: Mapping[str, Any]) -> str:
    character = f", character {one['character']}" if one["character"] else ""
    where = f"{found.where(one['path'], one['line'])}{character}"
    return f"{where}: {one['severity']}: {one['field']}: {one['message']} ({one['remedy']})"


def _evaluate(
    draft: Annotated[Path | None, typer.Option("--draft", help="A policy in a file; else the stored version.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="A stored version; else the active one.")] = None,
    message: Annotated[str | None, typer.Option("--message", help="The id of a stored message.")] = None,
    facts: Annotated[Path | None, typer.Option("--facts", help="Facts by hand, as YAML: message, profile, signals, now …")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From when: a time (ISO 8601), or 24h, 7d before now.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Until when; else now.")] = None,
    url: Url = URL, api_key: ApiKey = "", as_json: Json = False,
) -> None:  # fmt: skip
    body: dict[str, Any] = {}
    if draft is not None:
        body["document"] = read_policy_file(draft).document
    if version is not None:
        body["version"] = version
    if sum(one is not None for one in (message, facts, since)) != 1:
        raise InputRejected("which messages?", field="--message", remedy="give --message ID, --facts FILE, or --since 24h")
    if since is not None:
        body |= {"since": moment(since, "--since"), "until": moment(until, "--until") if until else datetime.now(UTC).isoformat()}
        _show_range(connected(url, api_key, lambda client: _range(client, body)), as_json)
        return
    body |= {"message_id": message} if message is not None else {"facts": read_policy_file(facts).document if facts else {}}
    _show_one(connected(url, api_key, lambda client: client.call("POST", "/v1/policies/evaluate", body)), as_json)


async def _range(client: RestClient, body: Mapping[str, Any]) -> dict[str, Any]:
    """The whole stretch, in portions, with the number of messages so far on the terminal."""
    whole: dict[str, Any] | None = None
    cursor = None
    while True:
        part = await client.call("POST", "/v1/policies/evaluate", {**body, "limit": PORTION, "cursor": cursor})
        cursor = part["next"]
        if whole is None:
            whole = part
        else:
            whole["report"] = merged(whole["report"], part["report"])
            whole["waits"] = _joined(whole["waits"], part["waits"])
            whole["until"] = part["until"]
        say_progress(
            "" if cursor is None else f"{whole['report']['messages']} messages, {whole['report']['changed']} would change …"
        )
        if cursor is None:
            return {**whole, "next": None}


def _joined(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two portions' waits: counts are added, waits are means by the items they stand for."""
    joined = {one["queue"]: dict(one) for one in first}
    for one in second:
        known = joined.get(one["queue"])
        if known is None:
            joined[one["queue"]] = dict(one)
            continue
        for name, weight in (("wait_s", "items_before"), ("wait_p90_s", "items_before"), ("predicted_wait_s", "items_after")):
            known[name] = _mean(known[name], known[weight], one[name], one[weight])
        for name in ("items_before", "items_after", "breached", "predicted_breached"):
            if one[name] is not None:
                known[name] = (known[name] or 0) + one[name]
        known["overloaded"] = known["overloaded"] or one["overloaded"]
    return list(joined.values())


def _mean(first: float | None, many: int, second: float | None, more: int) -> float | None:
    if first is None or second is None or not many + more:
        return second if first is None else first
    return round((first * many + second * more) / (many + more), 1)


def _show_one(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        say(json.dumps(answer, ensure_ascii=False))
        return
    show_table(
        ["rule", "answer", "saw"],
        [[one["name"], _outcome(one), ", ".join(f"{name}={_short(value)}" for name, value in one["saw"].items())] for one in answer["rules"]],
    )  # fmt: skip
    choice = answer["choice"]
    say(
        f"queue {answer['queue']}, by {choice['rule'] or 'the default queue'}, boost {choice['boost_s']} s, class {choice['class']}"
    )
    if answer["before"] is not None:
        changes = "; ".join(f"{one['what']}: {one['recorded']} → {one['now']}" for one in answer["differences"])
        say(f"what happened: queue {answer['before']['queue']}; {'differs: ' + changes if changes else 'the same'}")
    if answer["not_recorded"]:
        say(f"not recorded then: {', '.join(answer['not_recorded'])}")


def _outcome(one: Mapping[str, Any]) -> str:
    return f"error: {one['error']}" if one["error"] else "decided" if one["decided"] else str(one["outcome"]).replace("_", " ")


def _show_range(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        say(json.dumps(answer, ensure_ascii=False))
        return
    report = answer["report"]
    left_out = sum(report["left_out"].values())
    say(
        f"{report['messages']} messages, {report['changed']} would change"
        + (f", {left_out} could not be asked (their words were erased)" if left_out else "")
    )
    show_table(
        ["queue then", "queue now", "messages", "for example"],
        [
            [one["before"], one["after"] if one["after"] != one["before"] else "the same", one["count"],
             one["examples"][0]["message_id"] if one["examples"] else ""]
            for one in report["queues"]
        ],
    )  # fmt: skip
    show_table(["rule", "matched", "decided"], [[one["name"], one["matched"], one["decided"]] for one in report["rules"]])
    if answer["waits"]:
        show_table(
            ["queue", "items then", "items now", "mean wait s", "predicted s", "late then", "late now"],
            [
                [one["queue"], one["items_before"], one["items_after"], _number(one["wait_s"]),
                 "grows without end" if one["overloaded"] else _number(one["predicted_wait_s"]), one["breached"], one["predicted_breached"]]
                for one in answer["waits"]
            ],
        )  # fmt: skip
    boosts = report["boosts"]
    if boosts["raised"] or boosts["lowered"]:
        say(f"boosts: {boosts['raised']} raised, {boosts['lowered']} lowered")
    for name, tags in report["tags"].items():
        if tags:
            say(f"tags {name}: " + ", ".join(f"{tag} ({count})" for tag, count in tags.items()))
    if report["never_matched"]:
        say(f"never matched: {', '.join(report['never_matched'])}")
    for one in report["errors"]:
        say(f"{one['rule']}: {one['error']}, {one['count']} times, for example message {one['message_id']}")
    for fact, count in report["not_recorded"].items():
        say(f"{fact} was not recorded for {count} messages")


def _activate(version: Annotated[int, typer.Argument(help="The version.")], url: Url = URL, api_key: ApiKey = "") -> None:
    found = connected(url, api_key, lambda client: client.call("POST", f"/v1/policies/{version}/activate"))
    say(f"version {found['version']} is active")


def _rollback(url: Url = URL, api_key: ApiKey = "") -> None:
    found = connected(url, api_key, lambda client: client.call("POST", "/v1/policies/rollback"))
    say(f"version {found['version']} is active again")


def _minute(at: str | None) -> str:
    return "" if at is None else at[:16].replace("T", " ")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _short(value: Any) -> str:
    if value is None:
        return "not there"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"
