"""Rows as CSV for a spreadsheet, in which no cell begins a formula (OWASP: CSV injection)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response
from pydantic import BaseModel

from services.api.document import DISPOSITION, header
from shared.spreadsheets import cell, json_cell

OR_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "headers": {
            "Santral-Next": header("The next page's cursor, with format=csv"),
            "Content-Disposition": {**DISPOSITION, "required": False},
        },
    }
}
"""For the ``responses`` of a route that answers with `csv_answer` where it is asked to."""


def csv_answer(name: str, model: type[BaseModel], items: Sequence[BaseModel], following: str | None) -> Response:
    """The items as the file ``name``, a column for each of the model's fields; the next page's cursor stands in the header Santral-Next."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(model.model_fields)
    for one in items:
        writer.writerow([_cell(value) for value in one.model_dump(mode="json").values()])
    headers = {"content-disposition": f'attachment; filename="{name}"', **({"santral-next": following} if following else {})}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    """Several texts in one cell are parted by spaces."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    if isinstance(value, dict | list):
        return json_cell(value)
    return cell("" if value is None else str(value))
