"""The people that a change of WhatsApp names, each found at once: a post may name thousands, and hold thousands of messages. Pure.

Source: WhatsApp Cloud API, "Webhooks", ``contacts``. **Identity**: a contact's number (``wa_id``) and its user id (``user_id``), of which one may
be missing; a contact that names another number or another id than the writer's is somebody else's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

_ANY: Final = object()


class Contacts:
    """Of one change, in its order: of several that would do the first one counts."""

    def __init__(self, contacts: Iterable[Mapping[str, Any]]) -> None:
        self._found: dict[tuple[Any, Any], tuple[int, Mapping[str, Any]]] = {}
        for place, one in enumerate(contacts):
            number, user = _key(one.get("wa_id")), _key(one.get("user_id"))
            for key in ((number, user), (number, _ANY), (_ANY, user)):
                self._found.setdefault(key, (place, one))

    def of(self, number: Any, user: Any) -> Mapping[str, Any] | None:
        """The contact of whoever has this number and this user id; either may be missing."""
        number, user = _key(number), _key(user)
        if number is None and user is None:
            return None
        if user is None:
            keys = [(number, _ANY)]
        elif number is None:
            keys = [(_ANY, user)]
        else:
            keys = [(number, user), (number, None), (None, user)]
        places = [self._found[key] for key in keys if key in self._found]
        return min(places, key=lambda found: found[0])[1] if places else None


def _key(given: Any) -> Hashable:
    """A number or an id as it is compared; None where there is none."""
    return given if given and isinstance(given, str | int | float) else None
