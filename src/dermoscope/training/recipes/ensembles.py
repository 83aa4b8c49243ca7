"""What a recipe for an ensemble may say. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from dermoscope.ensemble.ensemble import CropRule, MassesName, Rule
from dermoscope.training.recipes.schema import Part, PublishedPart


class EnsembleRecipe(Part):
    """How the answers of trained networks become one.

    Attributes:
        learns: `an ensemble`, which tells this kind of recipe from the others.
        name: Name of the recipe.
        description: What it is, for a person.
        source: Where its settings come from.
        across: One step over members and crops together, or over the members on each crop and then over the crops.
        rule: Of the first step, or of the only one.
        crop_rule: Of the second step.
        masses: What Dempster-Shafer makes of probabilities; where they are weighted, by accuracy on validation images,
            of two classes alone.
        calibrated: What is calibrated on validation images: nothing, each member before, or the result.
        published: What its authors measured; none where they published nothing for these settings.
        variants: Named changes, as `--set` makes them: dotted key to value.
    """

    learns: Literal["an ensemble"]
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    source: str = ""
    across: Literal["together", "members then crops"] = "together"
    rule: Rule = "dempster-shafer"
    crop_rule: CropRule | None = None
    masses: MassesName = "plain"
    calibrated: Literal["nothing", "members", "result"] = "nothing"
    published: PublishedPart | None = None
    variants: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _the_second_step_has_a_rule(self) -> Self:
        if (self.crop_rule is None) != (self.across == "together"):
            raise ValueError("crop_rule: give one for across = members then crops, and only there")
        return self

    @model_validator(mode="after")
    def _only_dempster_shafer_has_masses(self) -> Self:
        if self.masses != "plain" and self.rule != "dempster-shafer":
            raise ValueError(
                f"masses: the rule {self.rule} takes probabilities as they are, not {self.masses}; set masses=plain "
                "or rule=dempster-shafer"
            )
        return self
