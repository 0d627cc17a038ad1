"""A list in a file, row by row: CSV or JSON Lines, read as a stream so that memory stays flat.

CSV: the first line names the columns; comma, semicolon, tab or bar, found in that line unless given. Text is UTF-8 (with or without its
mark) or UTF-16 with its mark; anything else is refused, naming row and column, unless the encoding is named. JSON Lines: an object a
line.

**Units**: rows count from 1, the header is none. **Identity** of a file: the digest of its bytes.
Source: RFC 4180 (CSV), https://jsonlines.org.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from shared.errors import InputRejected
from shared.spreadsheets import text_of

COLUMNS_MAX: Final = 4096
CELL_CHARS_MAX: Final = 1_000_000
_DELIMITERS: Final = (",", ";", "\t", "|")
_JSON_NAMES: Final = (".jsonl", ".ndjson", ".jsonlines")


class Row(NamedTuple):
    """A row: CSV cells are texts with blanks cut off, JSON members any value. ``problem`` says why it cannot be read."""

    number: int
    values: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file whose head was read and understood. ``columns`` of JSON Lines are those of its first row."""

    path: Path
    columns: tuple[str, ...]
    encoding: str
    delimiter: str | None

    def rows(self) -> Iterator[Row]:
        """Every row, again from the first with each call. Raises `InputRejected` where the text is not in the encoding."""
        with self.path.open("rb") as file:
            yield from _json_rows(self, file) if self.delimiter is None else _csv_rows(self, file)

    def digest(self) -> str:
        """Names the content: the same bytes, the same digest."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def size_bytes(self) -> int:
        """The length of the file."""
        return self.path.stat().st_size


def table_file(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> TableFile:
    """Opens a file and reads its head. Raises `InputRejected` when it is missing, empty, or not a list."""
    if not path.is_file():
        raise InputRejected(f"there is no file {path}", field="FILE")
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise InputRejected(
                f"unknown encoding {encoding!r}", field="--encoding", remedy="like utf-8, cp1254, cp1252"
            ) from error
    with path.open("rb") as file:
        start = file.read(4)
    known = encoding or ("utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    if delimiter is not None and len(delimiter) != 1:
        raise InputRejected(f"{delimiter!r} is not one character", field="--delimiter", remedy="like ';'")
    if path.suffix.lower() in _JSON_NAMES:
        draft = TableFile(path=path, columns=(), encoding=known, delimiter=None)
        first = next(draft.rows(), None)
        if first is None:
            raise InputRejected(f"{path} is empty", field="FILE")
        if first.problem:
            raise InputRejected(f"row 1: {first.problem}", field="FILE", remedy="a JSON object on each line")
        return TableFile(path=path, columns=tuple(first.values), encoding=known, delimiter=None)
    return _csv_file(path, known, delimiter)


def _csv_file(path: Path, encoding: str, delimiter: str | None) -> TableFile:
    with path.open("rb") as file:
        head = next(_lines(file, encoding, (), ","), None)
        if head is None or not head.strip():
            raise InputRejected(f"{path} is empty", field="FILE", remedy="the first line names the columns")
        found = delimiter or max(_DELIMITERS, key=lambda one: (head.count(one), -_DELIMITERS.index(one)))
    with path.open("rb") as file:
        names = next(csv.reader(_lines(file, encoding, (), found), delimiter=found, skipinitialspace=True))
    columns = tuple(text_of(name.strip()) or f"column_{place}" for place, name in enumerate(names, start=1))
    if len(columns) > COLUMNS_MAX:
        raise InputRejected(f"{len(columns)} columns", field="FILE", remedy=f"at most {COLUMNS_MAX}")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise InputRejected(f"two columns are named {twice!r}", field="FILE", remedy="give each column a name of its own")
    return TableFile(path=path, columns=columns, encoding=encoding, delimiter=found)


def _csv_rows(table: TableFile, file: BinaryIO) -> Iterator[Row]:
    assert table.delimiter is not None
    csv.field_size_limit(CELL_CHARS_MAX)
    lines = _lines(file, table.encoding, table.columns, table.delimiter)
    reader = csv.reader(lines, delimiter=table.delimiter, skipinitialspace=True)
    next(reader)
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield Row(number, {}, f"not CSV: {error}")
            continue
        if not cells:
            continue
        number += 1
        if len(cells) != len(table.columns):
            yield Row(number, {}, f"{len(cells)} cells where the header names {len(table.columns)}")
            continue
        yield Row(number, dict(zip(table.columns, (text_of(cell.strip()) for cell in cells), strict=True)))


def _json_rows(table: TableFile, file: BinaryIO) -> Iterator[Row]:
    number = 0
    for line in _lines(file, table.encoding, (), ","):
        if not line.strip():
            continue
        number += 1
        try:
            value = json.loads(line)
        except ValueError as error:
            yield Row(number, {}, f"not JSON: {error}")
            continue
        if not isinstance(value, dict):
            yield Row(number, {}, "not a JSON object")
            continue
        yield Row(number, value)


def _lines(file: BinaryIO, encoding: str, columns: tuple[str, ...], delimiter: str) -> Iterator[str]:
    """The decoded lines. Raises `InputRejected` with row and column of the first byte that does not belong."""
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig", "ascii", "iso8859-9", "cp1254", "cp1252", "iso8859-1"):
        try:
            yield from codecs.getreader(encoding)(file)
        except UnicodeError as error:
            raise InputRejected(f"not {encoding}: {error}", field="FILE", remedy="name its encoding with --encoding") from error
        return
    for number, line in enumerate(file):
        try:
            yield line.decode(encoding if number == 0 or encoding != "utf-8-sig" else "utf-8")
        except UnicodeDecodeError as error:
            place = line[: error.start].count(delimiter.encode())
            column = columns[place] if place < len(columns) else str(place + 1)
            raise InputRejected(
                f"row {number or 'header'}, column {column!r}: byte 0x{line[error.start]:02x} is not {encoding.removesuffix('-sig').upper()}",
                field="FILE", remedy="name the file's encoding: --encoding cp1254 for Turkish Windows, cp1252 for Western",
            ) from error  # fmt: skip


def single_pairs(maps: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The ``what=column`` pairs of ``--map``, which may be given one by one or several with commas between them.

    A pair whose column's own name has a comma stays whole.
    """
    pairs: list[str] = []
    for given in maps:
        parts = [part.strip() for part in given.split(",")]
        several = given.partition("=")[2] not in columns and all("=" in part for part in parts)
        pairs += parts if several else [given]
    return tuple(pairs)
