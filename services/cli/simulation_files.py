"""Files of `santral simulate` and `santral staffing`: documents and traces in, answers and pictures out. Wrong ones are named at once."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from router.simulator.document import Document, document_of
from router.simulator.trace import Day, read_trace
from services.client.private_file import require_folder
from services.client.yaml_text import BoundedLoader
from shared.errors import InputRejected

BYTES_MAX: Final = 500_000_000
_PICTURES: Final = (".svg", ".png")


def read_document(path: Path, *, runs: int | None = None, seed: int | None = None) -> Document:
    """The document of a JSON or YAML file, with other runs or another seed where given. Raises `InputRejected`."""
    text = _text(path, "INPUT")
    try:
        given = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=BoundedLoader)  # noqa: S506  a SafeLoader
    except RecursionError as error:
        raise InputRejected(f"{path} is nested too deeply", field="INPUT", remedy="start with classes: and agents:") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputRejected(f"{path} cannot be read: {reason}", field="INPUT", remedy="write JSON or YAML") from error
    if isinstance(given, dict):
        given = {**given, **({} if runs is None else {"runs": runs}), **({} if seed is None else {"seed": seed})}
    try:
        return document_of(given)
    except InputRejected as error:
        raise InputRejected(f"{path}: {error.message}", field=error.field, remedy=error.remedy) from error


def read_recorded(path: Path, document: Document) -> Day:
    """The day of a trace. Raises `InputRejected` with the file and the line at fault."""
    classes = {(one.queue, one.channel): one.name for one in document.classes}
    lines = _text(path, "--replay").splitlines()
    try:
        return read_trace(lines, classes)
    except InputRejected as error:
        raise InputRejected(f"{path}: {error.message}", field=error.field, remedy=error.remedy) from error


def writable(path: Path | None, option: str) -> None:
    """Raises `InputRejected` when a file could not be written there, before any work is done."""
    if path is not None:
        require_folder(path, field=option)


def drawable(path: Path | None) -> None:
    """Raises `InputRejected` when a picture could not be drawn there, before any work is done."""
    if path is None:
        return
    writable(path, "--plot")
    if path.suffix not in _PICTURES:
        raise InputRejected(f"{path} is not a picture", field="--plot", remedy="name a file that ends in .svg or .png")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputRejected("matplotlib is not installed", field="--plot", remedy="pip install 'santral[plots]'")


def write_answer(path: Path, answer: Any) -> None:
    """The answer as JSON."""
    path.write_text(json.dumps(answer, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def draw(path: Path, answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Waits of each class, and over time where the answer has it; the answers side by side in one picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    changing = any(answer["over_time"] for _, answer in answers)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    shares, other = figure.subplots(1, 2)
    for title, answer in answers:
        for name, curve in answer["curves"].items():
            points = [(one["mean"], place) for place, one in enumerate(curve) if one is not None]
            shares.plot([wait for wait, _ in points], [share for _, share in points], label=f"{title}{name}")
        if changing:
            hours = [one["from_s"] / 3600 for one in answer["over_time"]]
            means = [one["wait_mean"]["mean"] if one["wait_mean"] else None for one in answer["over_time"]]
            other.plot(hours, [float("nan") if one is None else one for one in means], label=f"{title}mean wait")
    shares.set(xlabel="wait, s", ylabel="% of customers who waited at most so long", title="Waits")
    shares.legend()
    if changing:
        other.set(xlabel="hours", ylabel="mean wait, s", title="Over time")
        other.legend()
    else:
        for title, answer in answers:
            used = [one["occupancy"]["mean"] for one in answer["agents"].values() if one["occupancy"]]
            other.plot(range(1, len(used) + 1), used, "o", label=f"{title}agents")
        other.set(xlabel="agent", ylabel="occupancy", title="Use of agents", ylim=(0, 1.05))
    figure.savefig(path)


def _text(path: Path, option: str) -> str:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise InputRejected(f"{path} is over {BYTES_MAX // 1_000_000} MB", field=option, remedy="name a smaller file")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputRejected(f"{path} cannot be read: {reason}", field=option, remedy="name a text file") from error
