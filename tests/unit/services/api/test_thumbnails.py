"""Thumbnails: a closed list of formats, pixels counted before decoding, nothing kept of what stands beside them; ``cid:`` addresses."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.api.message_parts import with_pictures
from services.api.thumbnails import Thumbnails, thumbnail
from shared.errors import Unprocessable

OURS, THEIRS = UUID(int=1), UUID(int=2)


def picture(kind: str, size: tuple[int, int] = (300, 200), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else 0).save(out, kind, **options)
    return out.getvalue()


def opened(made: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(made))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_each_format_becomes_a_small_webp(kind: str) -> None:
    made = opened(thumbnail(picture(kind), 100))
    assert (made.format, made.size) == ("WEBP", (100, 67))


def test_a_small_picture_stays_as_small_as_it_is() -> None:
    assert opened(thumbnail(picture("PNG", (20, 10)), 100)).size == (20, 10)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_can_be_shown(mode: str) -> None:
    made = thumbnail(picture("JPEG" if mode == "CMYK" else "PNG", mode=mode), 50)
    assert opened(made).size[0] == 50


def test_it_is_turned_as_the_camera_was_held_and_tells_nothing_of_it() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Kamera-7"
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    made = thumbnail(picture("JPEG", exif=exif, comment=b"gizli"), 90)
    assert opened(made).size == (60, 90)
    assert not opened(made).getexif()
    assert b"Kamera" not in made
    assert b"EXIF" not in made


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "ICO", "PDF"])
def test_other_formats_are_never_opened(kind: str) -> None:
    assert thumbnail(picture(kind), 100) == b""


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    assert thumbnail(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""), 100) == b""


@given(st.integers(0, 800), st.binary(max_size=40), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]))
def test_damaged_pictures_raise_nothing(at: int, noise: bytes, kind: str) -> None:
    whole = picture(kind, (40, 30))
    made = thumbnail(whole[:at] + noise + whole[at + len(noise) :], 32)
    assert made == b"" or opened(made).size[0] <= 32


async def test_the_process_answers_and_refuses() -> None:
    async with Thumbnails(timeout_s=20) as thumbnails:
        assert opened(await thumbnails.make(picture("PNG"), edge=64, workspace_id=OURS)).size == (64, 43)
        with pytest.raises(Unprocessable):
            await thumbnails.make(b"no picture", edge=64, workspace_id=OURS)
        assert opened(await thumbnails.make(picture("GIF"), edge=64, workspace_id=OURS)).size == (64, 43)


async def test_a_workspace_whose_pictures_take_too_long_comes_behind_others() -> None:
    done: list[str] = []

    async def make(thumbnails: Thumbnails, name: str, workspace_id: UUID) -> None:
        with pytest.raises(Unprocessable):
            await thumbnails.make(picture("PNG"), edge=64, workspace_id=workspace_id)
        done.append(name)

    async with Thumbnails(workers=1, timeout_s=0.0) as thumbnails:
        await make(thumbnails, "first", OURS)
        waiting = [("third", UUID(int=3)), ("ours", OURS), ("theirs", THEIRS)]
        await asyncio.gather(*(make(thumbnails, *one) for one in waiting))
    assert done == ["first", "third", "theirs", "ours"]


def test_cid_addresses_point_to_the_thumbnails_of_their_files() -> None:
    parts = [{"role": "html"}, {"content_id": "a@x"}, {"content_id": "b&c@x", "role": "attachment"}, {"content_id": "a@x"}]
    page = '<p title="x > y">src="cid:a@x" <img alt="a > b" src="cid:a@x"><img src="cid:b&amp;c%40x" width="3"><img src="cid:z"><img></p>'
    assert with_pictures(page, parts, "/p") == (
        '<p title="x > y">src="cid:a@x" <img alt="a > b" src="/p/1/thumbnail?edge=1600">'
        '<img src="/p/2/thumbnail?edge=1600" width="3"><img src="cid:z"><img></p>'
    )
    assert with_pictures(page, [{"role": "html"}], "/p") == page
