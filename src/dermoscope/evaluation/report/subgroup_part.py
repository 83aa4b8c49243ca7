"""The part about subgroups: the same threshold for everyone, and what it does to each."""

from __future__ import annotations

from collections.abc import Sequence

from dermoscope.evaluation.report.document import Cell, Section, Table
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.subgroups import AGE_BANDS, UNKNOWN, SubgroupRow, age_band, subgroup_rows
from dermoscope.evaluation.tasks import BinaryTask
from dermoscope.evaluation.truth import Matched
from dermoscope.images import ImageError, decode, read_mask
from dermoscope.images.skin_tone import SKIN_TONES, estimate_skin_tone

_COLUMNS = ("Subgroup", "Images", "Positive", "Groups", "Sensitivity", "Specificity", "Remark")


def subgroup_part(
    task: BinaryTask, matched: Matched, where: str, settings: Settings, skin_tones: Sequence[str] | None = None
) -> Part | None:
    """Sensitivity and specificity of every subgroup that the manifest knows.

    Args:
        task: The main binary question; it must have a threshold.
        matched: What the images are.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.
        skin_tones: Skin tone of every matched image as estimated from it; by default what the manifest says.

    Returns:
        None if the manifest says nothing that divides the images.
    """
    truth = matched.truth
    tones = skin_tones or truth.skin_tones
    attributes: list[tuple[str, str, list[str], Sequence[str]]] = [
        ("age", "Age", [age_band(truth.ages[image]) for image in task.images], AGE_BANDS),
        ("sex", "Sex", [truth.sexes[image] for image in task.images], ()),
        ("site", "Anatomical site", [truth.sites[image] for image in task.images], ()),
        ("source", "Source", [truth.sources[image] for image in task.images], ()),
        ("skin_tone", "Skin tone", [tones[image] for image in task.images], SKIN_TONES),
    ]
    told = {
        key: (title, values, order)
        for key, title, values, order in attributes
        if len({value for value in values if value and value != UNKNOWN}) >= (2 if key == "source" else 1)
    }
    if not told:
        return None
    settings.on_progress("Subgroups", 0, 1)
    numbers = subgroup_rows(
        task.positive,
        task.score,
        task.threshold or 0.0,
        {key: values for key, (_, values, _) in told.items()},
        task.groups,
        orders={key: order for key, (_, _, order) in told.items()},
        resamples=settings.resamples,
        seed=settings.seed,
    )
    on = f"{task.title}, {where}"
    tables = [_table(key, told[key][0], rows, on) for key, rows in numbers.items()]
    notes = ["An interval that overlaps another's is no proof of equality; a small subgroup proves nothing by itself."]
    if skin_tones is not None:
        notes.append(
            "Skin tone was estimated from lesion-free skin on the picture (individual typology angle). It moves with "
            "light, device and white balance, is no Fitzpatrick type and says nothing of ancestry; compare within one "
            "source."
        )
    lead = f"{task.title} at one threshold for all, {task.threshold:.4g} ({task.threshold_source})."
    section = Section("subgroups", "Subgroups", lead, tuple(tables), (), tuple(notes))
    return Part("subgroups", section, {"question": task.key, "threshold": task.threshold, "rows": numbers})


def estimated_skin_tones(matched: Matched, settings: Settings) -> list[str]:
    """The skin tone of every image, from its lesion-free skin; empty where it cannot be told.

    Args:
        matched: Images, with true masks where there are any.
        settings: For progress.
    """
    tones = []
    total = len(matched.truth.image_paths)
    for done, (path, mask) in enumerate(zip(matched.truth.image_paths, matched.truth.mask_paths, strict=True)):
        settings.on_progress("Skin tones", done, total)
        try:
            rgb = decode(path).rgb
            lesion = None if mask is None else read_mask(mask)
        except ImageError:
            tones.append("")
            continue
        found = estimate_skin_tone(rgb, lesion if lesion is not None and lesion.shape == rgb.shape[:2] else None)
        tones.append(found.category if found else "")
    return tones


def _table(key: str, title: str, rows: Sequence[SubgroupRow], on: str) -> Table:
    cells: list[tuple[Cell, ...]] = [
        (row.value, row.n, row.positives, row.groups, row.sensitivity, row.specificity, row.remark) for row in rows
    ]
    note = "95 % intervals: bootstrap over groups, Wilson's where fewer than five groups are on the rarer side."
    return Table(f"subgroup-{key}", f"{title}: {on}", _COLUMNS, tuple(cells), note)
