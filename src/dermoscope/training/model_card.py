"""The model card of a bundle, rendered from its description. Torch-free."""

from __future__ import annotations

from dermoscope import taxonomy
from dermoscope.bundle import BundleDescription
from dermoscope.network_parts import MemberPart

_AUTOMATIC = {
    "no prompt": "outlines the lesion, without a prompt or from clicks and a box",
    "saliency boxes": "outlines the lesion from prompts that nobody has to\ngive",
    "no prompt and saliency boxes": "outlines the lesion from prompts that nobody has to\ngive",
}


def model_card(description: BundleDescription) -> str:
    """Markdown for the `README.md` of a bundle: what it is, what it has seen, how well it does, where it fails."""
    heads = description.heads
    metrics = "\n".join(
        f"| {m.name} | {m.value:.4g} ({m.low:.4g} to {m.high:.4g}) | {m.n:,} | {m.data} |" for m in description.metrics
    )
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
- Malignancy: {heads.malignancy_point.meaning} (threshold {heads.malignancy_point.threshold:.4f}).
- The malignancy risk is calibrated on validation lesions at the class frequencies of HAM10000. Where malignant lesions
  are rarer, it is too high. Group and diagnosis probabilities speak of equally frequent classes.

{_modes(description)}## What it has seen

{data}

## How well it does

Each number has a 95 % bootstrap interval grouped by lesion. How often the images behind it were looked at while
choosing stands in `studies/main-job/RESULTS.md`, and for modes in `studies/flagship/RESULTS.md`.

| what | value | n | on |
| --- | --- | --- | --- |
{metrics}

Commands:

{commands}

## Known limits

- Trained on images of mostly light skin from Austria, Australia and the archive of ISIC; nothing is known about others.
- `AKIEC` joins actinic keratoses and squamous cell carcinomas, as HAM10000 does.
- Where modes are wrong, with the ids of the surest mistakes, stands in `studies/flagship/RESULTS.md`.
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
    others = tuple(f"mode {name}" for name in description.modes if name != mode)

    def is_of_others(title: str) -> bool:
        return title.partition(":")[0] in others

    narrowed = description.model_copy(update={"modes": {mode: description.modes[mode]}})
    return model_card(
        narrowed.model_copy(
            update={
                "training_data": tuple(text for text in description.training_data if not is_of_others(text)),
                "provenance": {name: text for name, text in description.provenance.items() if not is_of_others(name)},
                "metrics": tuple(metric for metric in description.metrics if not is_of_others(metric.name)),
                "graph_checks": tuple(check for check in description.graph_checks if check.graph in narrowed.graphs),
            }
        )
    )


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
