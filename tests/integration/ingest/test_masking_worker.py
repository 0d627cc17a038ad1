"""Long drafts are masked in a process: the same as here, in their workspace's turn, and nothing comes out of it unmasked."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from ingest.adapter import Draft, Inbox, MaskNumbers, Part
from ingest.masking import masked_draft
from ingest.masking_worker import IN_LOOP_BYTES_MAX, SHORT_BYTES_MAX, Masker
from shared.errors import Unavailable
from shared.ids import new_id

CARD = "4111 1111 1111 1111 "


def draft(text: str, *, numbers: MaskNumbers = True, workspace_id: UUID | None = None, **values: str) -> Draft:
    inbox = Inbox(
        workspace_id=workspace_id or new_id(), id=new_id(), name="x", channel="email", provider="smtp", mask_numbers=numbers
    )
    page = Part(content=f"<b>{text}</b>".encode(), content_type="text/html", role="html", content_id="c")
    picture = Part(content=b"\xff\xd8" + text.encode(), content_type="image/jpeg", name="bild.jpg", inline=True)
    return Draft(
        inbox=inbox, external_id="1", values={"text": text, "subject": "x", **values}, parts=(page, picture), original=text.encode()
    )


async def test_long_drafts_are_masked_as_short_ones_are() -> None:
    async with Masker() as masker:
        for numbers in (True, "cards"):
            for text in (CARD * 1000, "selam " * 2000, CARD * (SHORT_BYTES_MAX // len(CARD) + 1)):
                for values in ({}, {"kind": "unparsed"}):
                    given = draft(text, numbers=numbers, **values)  # type: ignore[arg-type]
                    done, here = await masker.masked(given), masked_draft(given)
                    assert (done.inbox, done.external_id, done.values) == (here.inbox, here.external_id, here.values)
                    assert (list(done.parts), done.original) == (list(here.parts), here.original)
        unmasked = draft(CARD * 1000, numbers=False)
        assert await masker.masked(unmasked) == unmasked


async def test_what_is_short_needs_no_process() -> None:
    masker = Masker()
    await masker.close()  # whoever asks a process now is refused
    assert (await masker.masked(draft(CARD))).values["text"] == "**** **** **** **** "


async def test_what_is_not_masked_in_time_is_put_off() -> None:
    async with Masker(short_timeout_s=0.0) as masker:
        with pytest.raises(Unavailable, match="not masked in time"):
            await masker.masked(draft(CARD * 1000))


async def test_others_are_masked_while_one_workspace_asks_for_masses() -> None:
    flooding = new_id()
    finished: list[object] = []
    async with Masker() as masker:
        await masker.masked(draft("x" * IN_LOOP_BYTES_MAX))  # the process is there
        flood = [asyncio.create_task(masker.masked(draft("4-" * 20_000, workspace_id=flooding))) for _ in range(20)]
        for one in flood:
            one.add_done_callback(finished.append)
        await asyncio.sleep(0)
        await masker.masked(draft("4-" * 20_000))
        assert len(finished) <= 3
        await asyncio.gather(*flood)
