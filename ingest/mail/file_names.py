"""The name of a file that came with a mail: as given, as described, or by its type. Pure; never raises.

Source: RFC 2183 §2.3 (a name is no path), RFC 2045 §8 (Content-Description, by which Exchange and Notes name a file), RFC 2557
§4.2 (Content-Location), RFC 2046 (types).
Units: 200 characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import unquote

from ingest.mail.headers import Field, first, header_text, split_block
from shared.text import clean_line

NAME_CHARS_MAX = 200
_OFFICE = "application/vnd.openxmlformats-officedocument"
_EXTENSIONS = {
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "text/csv": ".csv", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "text/xml": ".xml", "text/rtf": ".rtf", "text/markdown": ".md", "image/png": ".png", "image/jpeg": ".jpg", "image/jpg": ".jpg",
    "image/pjpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "image/bmp": ".bmp", "image/tiff": ".tif",
    "image/heic": ".heic", "image/heif": ".heif", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/wav": ".wav",
    "audio/x-wav": ".wav", "audio/amr": ".amr", "video/mp4": ".mp4", "video/quicktime": ".mov", "video/3gpp": ".3gp",
    "message/rfc822": ".eml", "application/pdf": ".pdf", "application/zip": ".zip", "application/x-zip-compressed": ".zip",
    "application/gzip": ".gz", "application/x-7z-compressed": ".7z", "application/vnd.rar": ".rar", "application/rtf": ".rtf",
    "application/msword": ".doc", "application/vnd.ms-excel": ".xls", "application/vnd.ms-powerpoint": ".ppt",
    f"{_OFFICE}.wordprocessingml.document": ".docx", f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    f"{_OFFICE}.presentationml.presentation": ".pptx", "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods", "application/vnd.ms-outlook": ".msg", "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc", "application/pkcs7-signature": ".p7s", "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m", "application/xml": ".xml", "application/json": ".json",
}  # fmt: skip
# Letters that turn a name around ("exe.fdp" shown as "pdf.exe") have no business in a file name.
_DECEPTIVE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_NAMED = re.compile(r"[^<>:|?*\r\n]{1,190}\.[A-Za-z0-9]{1,8}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")


def file_name(given: str, fields: Sequence[Field], kind: str, content: bytes, number: int) -> str:
    """A file name without path, never empty. ``number`` counts the files of a mail, for one that nobody named."""
    name = bare_name(_unquoted(given))
    if not name:
        name = next((one for one in map(bare_name, _described(fields)) if _NAMED.fullmatch(one)), "")
    if not name and kind == "message/rfc822":
        inner, _ = split_block(content, 0, len(content))
        subject = _DECEPTIVE.sub("", header_text(first(inner, "Subject"))).replace("/", "-").replace("\\", "-").strip(" .")
        name = f"{subject[:NAME_CHARS_MAX]}.eml" if subject else ""
    if not name:
        name = f"attachment-{number}{_EXTENSIONS.get(kind, '.txt' if kind.startswith(('text/', 'message/')) else '.bin')}"
    stem, dot, extension = name.rpartition(".")
    if len(name) <= NAME_CHARS_MAX:
        return name
    return f"{stem[: NAME_CHARS_MAX - 20]}.{extension[:19]}" if dot else name[:NAME_CHARS_MAX]


def bare_name(name: str) -> str:
    """A name without its path, on one line, without letters that turn it around; empty where nothing of it is left. Twice is once."""
    return clean_line(_DECEPTIVE.sub("", name)).replace("\\", "/").rpartition("/")[2].strip(" .\"'")


def _described(fields: Sequence[Field]) -> tuple[str, str]:
    """What a description or an address says. Only what ends like a file's name names one; others describe."""
    location = header_text(first(fields, "Content-Location")).partition("?")[0]
    return header_text(first(fields, "Content-Description")), _unquoted(location)


def _unquoted(name: str) -> str:
    """A name that was written like an address (``%C5%9Eubat.pdf``), when it is letters of UTF-8 after that."""
    if "%" not in name or not name.isascii() or name.count("%") != len(_PERCENT.findall(name)):
        return name
    with suppress(UnicodeDecodeError):
        text = unquote(name, errors="strict")
        return text if not text.isascii() or "%20" in name else name
    return name
