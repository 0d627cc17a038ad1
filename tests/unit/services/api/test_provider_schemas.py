"""The document says of connections and inboxes what each provider takes, in the same words by which it is checked."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ingest.registry import adapter_for, adapters
from services.api.config_models import ConnectionIn, InboxIn
from services.api.workspace_schema import InboxEntry

MODELS = {"connection": ConnectionIn, "inbox": InboxIn}


def accepted(model: Any, given: dict[str, Any]) -> bool:
    return bool(Draft202012Validator(model.model_json_schema()).is_valid(given))


@pytest.mark.parametrize("part", MODELS)
def test_providers_are_those_that_have_the_part(part: str) -> None:
    having = {name for name in adapters() if part in adapter_for(name).settings_schema()}
    told = {name for name in adapters() if accepted(MODELS[part], {"name": "x", "provider": name})}
    assert told == having


@pytest.mark.parametrize("provider", sorted(adapters()))
def test_settings_and_secrets_are_the_providers_own(provider: str) -> None:
    for part, schema in adapter_for(provider).settings_schema().items():
        given = {"name": "x", "provider": provider}
        assert not accepted(MODELS[part], {**given, "settings": {"of_nobody": "x"}})
        assert not accepted(MODELS[part], {**given, "secrets": {"of_nobody": "a text that is long enough for any of them"}})
        secrets = dict.fromkeys(schema["secrets"]["properties"], "a text that is long enough for any of them")
        assert accepted(MODELS[part], {**given, "secrets": secrets})


@pytest.mark.parametrize("provider", sorted(adapters()))
def test_channels_are_those_that_the_provider_carries(provider: str) -> None:
    told = {
        channel
        for channel in ("email", "chat", "phone", "social", "web", "fax")
        if accepted(InboxIn, {"name": "x", "provider": provider, "channel": channel})
    }
    assert told == adapter_for(provider).channels


def test_a_file_says_where_secrets_come_from_under_the_providers_names() -> None:
    given = {"name": "x", "provider": "smtp"}
    assert accepted(InboxEntry, {**given, "secrets": {"post_secret": {"env": "POST_SECRET"}}})
    assert not accepted(InboxEntry, {**given, "secrets": {"of_nobody": {"env": "POST_SECRET"}}})
