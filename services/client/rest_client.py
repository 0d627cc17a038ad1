"""Our own REST API as a client: what the command line speaks. Problems become our errors again, with field and remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final

import httpx

from shared.errors import Conflict, Forbidden, InputRejected, NotFound, SantralError, Unauthenticated, Unavailable, Unprocessable

TIMEOUT_S: Final = 30.0
_ERRORS: Final[Mapping[int, type[SantralError]]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 422: Unprocessable,
}  # fmt: skip


class RestClient:
    """A client of one deployment with one bearer token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S, trust_env=False)
        self.url = url.rstrip("/")

    async def __aenter__(self) -> RestClient:
        return self

    async def __aexit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; the JSON of a 2xx answer, None for an empty one. Raises our errors, `Unavailable` when nobody answers."""
        try:
            response = await self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"{self.url} does not answer ({type(error).__name__})", remedy="is santral running there? name it with --url"
            ) from error
        if response.is_success:
            return response.json() if response.content else None
        raise _error(response)

    async def download(self, path: str) -> bytes:
        """The bytes of a 2xx answer. Raises like `call`."""
        try:
            response = await self._http.get(path)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.url} does not answer ({type(error).__name__})", remedy="is santral running there?") from error
        if response.is_success:
            return response.content
        raise _error(response)

    async def pages(self, path: str) -> AsyncIterator[Any]:
        """Every item of a list, through all its pages."""
        cursor: str | None = None
        while True:
            separator = "&" if "?" in path else "?"
            page = await self.call("GET", f"{path}{separator}limit=200" + (f"&cursor={cursor}" if cursor else ""))
            for item in page["items"]:
                yield item
            cursor = page.get("next")
            if cursor is None:
                return


def _error(response: httpx.Response) -> SantralError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or response.text[:300] or response.reason_phrase
    kind = _ERRORS.get(response.status_code)
    if kind is not None:
        return kind(detail, field=problem.get("field"), remedy=problem.get("remedy"), errors=problem.get("errors"))
    if response.status_code < 500:
        return InputRejected(detail, field=problem.get("field"), remedy=problem.get("remedy"))
    return Unavailable(detail, remedy=problem.get("remedy"))
