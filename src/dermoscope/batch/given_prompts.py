"""Clicks and boxes that a person wrote down for many images, as a CSV table or a JSON file.

CSV: the column `image`, and `x`, `y`, `label` for a click, or `left`, `top`, `right`, `bottom` for a box; one click or
one box a row, as many rows an image as it has clicks. Without `label`, a click is on the lesion.

    image,x,y,label,left,top,right,bottom
    ISIC_0000001,210,180,1,,,,
    ISIC_0000001,20,25,0,,,,
    ISIC_0000002,,,,40,60,310,280

JSON: a list of `{"image": …, "points": [[x, y], …], "labels": [1, 0, …], "box": [left, top, right, bottom]}`.

Images are named by their image id, their file name, or their path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.image_ids import image_id_of
from dermoscope.batch.inputs import BatchInput, find_inputs
from dermoscope.data.problems import ManifestError
from dermoscope.data.tables import Row, open_table
from dermoscope.segment.user_prompts import PromptError, UserBox, check_box

_LARGEST_FILE = 256 * 2**20
_SHOWN = 3


@dataclass(frozen=True)
class GivenPrompt:
    """What a person gave for one image, in pixels of the original.

    Attributes:
        points: Clicks, x and y.
        labels: For each click, 1 on the lesion and 0 on the background.
        box: Left, top, right, bottom, or none.
    """

    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: UserBox | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    image: str
    points: list[tuple[float, float]] = []
    labels: list[int] | None = None
    box: tuple[float, float, float, float] | None = None


def read_prompts(path: Path) -> dict[str, GivenPrompt]:
    """The prompts of a `.csv` or `.json` file, by image as the file names it.

    Raises:
        BatchUsageError: If the file is missing or something in it cannot be understood; the message names the row.
    """
    if not path.is_file():
        raise BatchUsageError(f"--prompts {path} is no file")
    if path.stat().st_size > _LARGEST_FILE:
        raise BatchUsageError(f"--prompts {path} is larger than {_LARGEST_FILE // 2**20} MB")
    if path.suffix.lower() not in (".csv", ".json"):
        raise BatchUsageError(f"--prompts {path} ends neither in .csv nor in .json")
    found: dict[str, GivenPrompt] = {}
    for where, image, added in _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path):
        before = found.get(image, GivenPrompt())
        try:
            if added.box is not None:
                check_box(added.box)
                if before.box is not None:
                    raise PromptError(f"{image} has a second box; an image may have one")
            if len(added.points) != len(added.labels):
                raise PromptError(f"{len(added.points)} points need as many labels, got {len(added.labels)}")
            if not set(added.labels) <= {0, 1}:
                raise PromptError(f"a label is 1 for lesion or 0 for background, not {added.labels[0]}")
            if not added.points and added.box is None:
                raise PromptError(f"{image} has neither a click nor a box")
        except PromptError as error:
            raise BatchUsageError(f"--prompts {path}, {where}: {error}") from None
        found[image] = replace(
            before,
            points=before.points + added.points,
            labels=before.labels + added.labels,
            box=before.box if added.box is None else added.box,
        )
    return found


def match_prompts(prompts: Mapping[str, GivenPrompt], paths: Sequence[str | Path]) -> dict[bytes, GivenPrompt]:
    """The prompts by the `location` of the input that they belong to.

    Args:
        prompts: By image id, file name or path.
        paths: The inputs of the run; they are listed once, and none is opened.

    Raises:
        BatchUsageError: If a prompt belongs to no input, or to several.
    """
    located = {BatchInput(image).location: image for image in prompts}
    matched: dict[bytes, GivenPrompt] = {}
    owner: dict[str, bytes] = {}
    for found in find_inputs(paths):
        location = found.location
        candidates = (located.get(location), Path(found.path).name, image_id_of(found.path))
        image = next((name for name in candidates if name in prompts), None)
        if image is None or location in matched:
            continue
        if image in owner:
            raise BatchUsageError(
                f"--prompts: {image} names several of the images, {found.name} among them; name it by its path"
            )
        owner[image] = location
        matched[location] = prompts[image]
    unknown = [image for image in prompts if image not in owner]
    if unknown:
        more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
        raise BatchUsageError(
            f"--prompts: {', '.join(unknown[:_SHOWN])}{more} is none of the images; name images by image id, file name "
            "or path, or remove the rows"
        )
    return matched


def _from_json(path: Path) -> Iterator[tuple[str, str, GivenPrompt]]:
    try:
        entries = TypeAdapter(list[_Entry]).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BatchUsageError(f"--prompts {path}: {where}: {first['msg']}") from None
    for number, entry in enumerate(entries, 1):
        labels = [1] * len(entry.points) if entry.labels is None else entry.labels
        yield f"entry {number}", entry.image, GivenPrompt(tuple(entry.points), tuple(labels), entry.box)


def _from_csv(path: Path) -> Iterator[tuple[str, str, GivenPrompt]]:
    try:
        with open_table(path) as (header, rows):
            if "image" not in header:
                raise BatchUsageError(f"--prompts {path}: the column image is missing; it has {', '.join(header)}")
            for row in rows:
                yield f"row {row.number}", row.cells["image"], _prompt_of(path, row)
    except ManifestError as error:
        raise BatchUsageError(f"--prompts {error}") from None


def _prompt_of(path: Path, row: Row) -> GivenPrompt:
    def number(column: str) -> float:
        try:
            return float(row.cells[column])
        except (KeyError, ValueError):
            raise BatchUsageError(
                f"--prompts {path}, row {row.number}: {column} is {row.cells.get(column, '')!r}, no number"
            ) from None

    if row.broken:
        raise BatchUsageError(f"--prompts {path}, row {row.number}: {row.broken}")
    has_click = any(row.cells.get(column) for column in ("x", "y"))
    sides = ("left", "top", "right", "bottom")
    has_box = any(row.cells.get(column) for column in sides)
    box = None
    if has_box:
        left, top, right, bottom = map(number, sides)
        box = (left, top, right, bottom)
    if not has_click:
        return GivenPrompt(box=box)
    label = row.cells.get("label") or "1"
    if label not in ("0", "1"):
        raise BatchUsageError(f"--prompts {path}, row {row.number}: label is {label!r}, expected 1 or 0")
    return GivenPrompt(((number("x"), number("y")),), (int(label),), box)
