"""The model card of a bundle, rendered from its description. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from dermoscope import taxonomy
from dermoscope.bundle import BundleDescription
from dermoscope.bundle_parts import Mistake, is_of_another_mode, of_mode
from dermoscope.data.sources import SOURCES
from dermoscope.network_parts import MemberPart

_AUTOMATIC = {
    "no prompt": "outlines the lesion, without a prompt or from clicks and a box",
    "saliency boxes": "outlines the lesion from prompts that nobody has to\ngive",
    "no prompt and saliency boxes": "outlines the lesion from prompts that nobody has to\ngive",
}


_NOT_FOR = """## What it is not for

- Decisions about a person: whether to see a physician, to excise, to wait. A low risk is no reassurance.
- Clinical photographs, skin under hair, nails, mucous membranes, palms and soles, wounds, scars and tattoos: it has not
  seen them, or hardly.
- Other diagnoses than those above. It has no word for them and calls them one of its own.
- Skin of dark tone: nearly none among its images, and tone is not recorded in them.
- Screening, where malignant lesions are far rarer than among its images, without being calibrated anew."""

_EXPLAINED = {
    "AUC, MEL": (
        "- `AUC, MEL` ranks images by the odds of melanoma, were all diagnoses equally frequent; `AUC, melanoma` by\n"
        "  melanoma's part of the malignancy risk (`p_melanoma`), at the frequencies of the calibration."
    ),
    "expected calibration error, malignancy": (
        "- Expected calibration error: resampling adds noise, and all noise counts as error. So the interval lies\n"
        "  higher than the value, and may not hold it."
    ),
}
"""What to know of a metric, by the end of its name."""

_TABLE = "| what | value | n | on |\n| --- | --- | --- | --- |"


def model_card(description: BundleDescription) -> str:
    """Markdown for the `README.md` of a bundle: what it is, what it has seen, how well it does, where it fails."""
    heads = description.heads
    checks = "\n".join(
        f"| {c.graph} | {c.output} | {c.engine} | {c.largest_difference:.2g} | {c.scale:.2g} |"
        for c in description.graph_checks
    )
    commands = "\n".join(sorted({f"    {m.command}" for m in description.metrics}))
    data = "\n".join(f"- {line}" for line in description.training_data)
    provenance = "\n".join(f"- {name}: {value}" for name, value in description.provenance.items())
    classes = ", ".join(heads.diagnosis.classes)
    groups = ", ".join(heads.group.classes if heads.group else taxonomy.GROUPS)
    return f"""# {description.name} {description.version}

**Research use only. Not a medical device.** {description.intended_use}

## What it is

A frozen encoder ({description.encoder.name}, {description.encoder.licence}: {description.encoder.source}) sees each
image once, at {description.encoder.input.size} pixels ({description.encoder.input.fit}). A gate on the mean and
standard deviation of every channel of all its maps answers: is it skin. Three small heads on its 256-d feature answer:
which lesion group ({groups}); which diagnosis ({classes}); and how likely is malignancy under
the definition `{heads.malignancy_definition}`. {_masks(description)}

- Gate: {description.gate.point.meaning} (threshold {description.gate.point.threshold:.4f}).
{_familiarity(description)}\
{_heads_point(description)}\
- The malignancy risk is calibrated on validation lesions, at the frequencies there, mostly HAM10000's. Where malignant
  lesions are rarer, it is too high. Group and diagnosis probabilities speak of equally frequent classes.

{_NOT_FOR}

{_modes(description)}## What it has seen

{data}

{_licences(description)}

## How well it does

Each number has a 95 % bootstrap interval grouped by lesion. How often the images behind it were looked at while
choosing stands in `studies/main-job/RESULTS.md`, and for modes in `studies/flagship/RESULTS.md`.

{_explained(description)}{_metrics(description)}
Commands:

{commands}

{_mistakes(description)}## Known limits

- Trained on images of mostly light skin from Austria, Australia and the archive of ISIC; nothing is known about others.
- `AKIEC` joins actinic keratoses and squamous cell carcinomas, as HAM10000 does.
- Images with two or more lesions get one mask. Lesions that fill the frame have poor masks.
- The gate knows photographs and textures. It has not been shown clinical (non-dermoscopic) photographs of lesions.

## Equality of the graphs with torch

Largest absolute difference over the outputs, beside the standard deviation of the output.

| graph | output | engine | largest difference | scale |
| --- | --- | --- | --- | --- |
{checks}

## Licence and origin

{description.licence}

{provenance}
"""


def mode_card(description: BundleDescription, mode: str) -> str:
    """The same for one of its modes alone: without what is said of the others, their networks and their numbers."""

    def is_of_others(text: str) -> bool:
        return is_of_another_mode(text, description.modes, mode)

    narrowed = description.model_copy(update={"modes": {mode: description.modes[mode]}})
    return model_card(
        narrowed.model_copy(
            update={
                "training_data": tuple(text for text in description.training_data if not is_of_others(text)),
                "provenance": {name: text for name, text in description.provenance.items() if not is_of_others(name)},
                "metrics": tuple(metric for metric in description.metrics if not is_of_others(metric.name)),
                "mistakes": tuple(one for one in description.mistakes if one.mode == mode),
                "graph_checks": tuple(check for check in description.graph_checks if check.graph in narrowed.graphs),
            }
        )
    )


def _heads_point(description: BundleDescription) -> str:
    """From which risk on the heads flag; empty where a mode says so in their place."""
    if description.modes:
        return ""
    point = description.heads.malignancy_point
    return f"- Malignancy: {point.meaning} (threshold {point.threshold:.4f}).\n"


def _licences(description: BundleDescription) -> str:
    """Licences of the public data sets that are named, and of what the networks of the modes began as."""
    named = " ".join(description.training_data).casefold().replace(" ", "")
    families: dict[str, list[str]] = {}
    for name, source in SOURCES.items():
        if (family := name.split("-")[0]) in named:
            families.setdefault(source.licence, []).append(family.upper())
    lines = [f"- Licence of {', '.join(dict.fromkeys(names))}: {licence}" for licence, names in families.items()]
    networks = [network for mode in description.modes.values() for network in mode.networks]
    lines += [f"- Networks began as {name}, ImageNet weights: {licence}" for name, licence in _kinds(networks)]
    return "\n".join(lines)


def _kinds(networks: Sequence[MemberPart]) -> list[tuple[str, str]]:
    return sorted({(network.backbone, network.licence) for network in networks})


def _explained(description: BundleDescription) -> str:
    """What to know of the metrics that were measured; empty where they explain themselves."""
    lines = [
        text for name, text in _EXPLAINED.items() if any(metric.name.endswith(name) for metric in description.metrics)
    ]
    return "\n".join([*lines, "", ""]) if lines else ""


def _metrics(description: BundleDescription) -> str:
    """Tables: what was measured of the bundle, then of each of its modes."""
    titles = {f"{of_mode(name)} ": f"### Mode {name}" for name in description.modes}
    rows: dict[str, list[str]] = {"": [], **{title: [] for title in titles}}
    for metric in description.metrics:
        title = next((title for title in titles if metric.name.startswith(title)), "")
        value = f"{metric.value:.4g} ({metric.low:.4g} to {metric.high:.4g})"
        rows[title].append(f"| {metric.name.removeprefix(title)} | {value} | {metric.n:,} | {metric.data} |")
    tables = [
        "\n".join([*([titles[title], ""] if title else []), _TABLE, *lines, ""])
        for title, lines in rows.items()
        if lines
    ]
    return "\n".join(tables)


def _mistakes(description: BundleDescription) -> str:
    """A section with the surest wrong answers; empty where none are known."""
    if not description.mistakes:
        return ""
    rows = []
    for one in description.mistakes:
        flagged = "yes" if one.flagged else "**no**" if _is_malignant(description, one) else "no"
        values = (one.image, one.mode, one.truth, one.said, f"{one.probability:.2f}", f"{one.risk:.2f}", flagged)
        rows.append(f"| {' | '.join(values)} |")
    lines = [
        "## Where it is surest and wrong",
        "",
        f"Held-out images of {', '.join(sorted({one.data for one in description.mistakes}))}, answered, with the",
        "probability of the wrong diagnosis, were all equally frequent. In bold: malignant, and not flagged.",
        "",
        "| image | mode | it is | it was called | probability | malignancy risk | flagged |",
        f"|{' --- |' * 7}",
        *rows,
    ]
    return "\n".join([*lines, "", ""])


def _is_malignant(description: BundleDescription, one: Mistake) -> bool:
    definition = description.modes[one.mode].malignancy_definition if one.mode in description.modes else "graz"
    return one.truth in taxonomy.malignancy_definition(definition).malignant


def _look(network: MemberPart) -> str:
    """Where a network looks again; empty where it does not."""
    if network.look is None:
        return ""
    if network.look.rule != "map":
        return f" (by the rule {network.look.rule})"
    return f" (where its map is at least {100 * network.look.threshold:g}% of its maximum)"


def _modes(description: BundleDescription) -> str:
    """A section about ways to the answer; empty where the heads answer by themselves."""
    if not description.modes:
        return ""
    first = " The first mode answers where nobody names one." if len(description.modes) > 1 else ""
    lines = [
        "## Modes",
        "",
        "In a mode, all that is said of a lesion follows from one distribution over diagnoses, calibrated at the",
        "frequencies of the held-out images it was fitted on; diagnosis and group are then told as if all diagnoses",
        f"were equally frequent.{first}",
        "",
    ]
    for name, mode in description.modes.items():
        networks = "; ".join(
            f"{one.name}: {one.backbone} at {one.input.size} px on {', '.join(one.crops.names)}"
            f"{_look(one)}"
            f"{', each ' + str(one.orientations) + ' ways round' if one.orientations > 1 else ''}"
            for one in mode.networks
        )
        lines += [f"- **{name}**: {mode.meaning}. {', '.join(mode.fusion.members)} by the rule {mode.fusion.rule}"]
        lines[-1] += f" ({networks})." if networks else "."
        lines += [f"  Flags from a risk of {mode.malignancy_point.threshold:.4f} on: {mode.malignancy_point.meaning}."]
        lines += [f"  {point}: {found.threshold:.4f}." for point, found in mode.points.items()]
        if mode.conformal:
            lines += [
                f"  Prediction sets are to hold the true diagnosis in {mode.conformal.coverage:.0%} of such images;",
                "  how often they do, by diagnosis, stands below.",
            ]
        if mode.abstention and mode.abstention.least_certainty:
            least = mode.abstention.least_certainty
            lines += [f"  It withholds the answer where no diagnosis has a probability of at least {least:.2f}."]
        if mode.abstention and mode.abstention.largest_set:
            limit = mode.abstention.largest_set
            lines += [f"  It withholds the answer where the prediction set holds more than {limit}, or none."]
        if mode.abstention and mode.abstention.most_disagreement:
            apart = mode.abstention.most_disagreement
            lines += [f"  So it does where members differ by more than {apart:.2f} (mean total variation distance)."]
    return "\n".join([*lines, "", ""])


def _familiarity(description: BundleDescription) -> str:
    part = description.familiarity
    if part is None:
        return ""
    return (
        "- Out of distribution: the Mahalanobis distance of the feature from those of held-out images withholds the\n"
        f"  answer above {part.limit:.4f}; {part.meaning}.\n"
    )


def _masks(description: BundleDescription) -> str:
    network = description.mask_network
    if network is None:
        return f"A SAM mask decoder {_AUTOMATIC[description.decoder.prompts]}."
    return (
        f"A U-Net of its own, at {network.input.size} pixels, outlines the lesion; its backbone began as "
        f"{network.name} ({network.licence}: {network.source}). A SAM mask decoder on the encoder's embedding corrects "
        "the outline from clicks and boxes."
    )
