"""What a recipe for a network that looks twice may say. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from dermoscope.camnet.second_look import LookRules
from dermoscope.training.recipes.cams import CAMRecipe
from dermoscope.training.recipes.changes import changed
from dermoscope.training.recipes.schema import Part, PublishedPart


class TwoLooksRecipe(Part):
    """How a network is trained on images and once more on what its class activation maps cut out of them.

    Attributes:
        learns: `two looks`, which tells this kind of recipe from the others.
        name: Name of the recipe.
        description: What it is, for a person.
        source: Where its settings come from.
        first: The network of the first look: one view of each image.
        look: How the square of the second look is found.
        folds: Training images are cut by networks that have not learnt from them, each trained without one of so many
            parts; 0 lets the first network cut the images that it has learnt.
        second: What is otherwise in the second look: dotted key to value, as `--set` makes it.
        start: Whether the second look starts from the weights of the first or from the pretrained ones.
        answer: Which look answers: the second, the average of both, or the third, at which the network of the second
            looks at what its own map cuts out of its view.
        published: What its authors measured; none where they published nothing for these settings.
        variants: Named changes, as `--set` makes them: dotted key to value.
    """

    learns: Literal["two looks"]
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    source: str = ""
    first: CAMRecipe
    look: LookRules = LookRules()
    folds: Annotated[int, Field(ge=0, le=20)] = 4
    second: dict[str, JsonValue] = Field(default_factory=dict)
    start: Literal["first look", "pretrained"] = "first look"
    answer: Literal["second look", "average", "third look"] = "second look"
    published: PublishedPart | None = None
    variants: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    @property
    def second_look(self) -> CAMRecipe:
        """The recipe of the second look."""
        settings = self.first.model_dump(mode="json") | {"name": "second look"}
        return CAMRecipe.model_validate(changed(settings, {"crops.names": ["look"], **self.second}.items()))

    @model_validator(mode="after")
    def _looks_fit(self) -> Self:
        if len(self.first.crops.names) != 1 or "look" in self.first.crops.names:
            raise ValueError("first.crops.names: the first look has one view, such as [whole] or [full]")
        if self.folds == 1:
            raise ValueError("folds: one part leaves nothing to learn from; take 0, or 2 and more")
        if self.look.rule == "mask" and self.first.crops.masks == "none":
            raise ValueError("look.rule: mask, but first.crops.masks is none")
        try:
            second = self.second_look
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(["second", *map(str, problem["loc"])])
            raise ValueError(f"{where}: {problem['msg'].removeprefix('Value error, ')}") from None
        if "look" not in second.crops.names:
            raise ValueError("second.crops.names: look is not among them")
        for name, one, other in (
            ("task", self.first.task, second.task),
            ("model.backbone", self.first.model.backbone, second.model.backbone),
            ("cleaning", self.first.cleaning, second.cleaning),
        ):
            if one != other:
                raise ValueError(f"second.{name}: both looks are of one network and one question")
        return self
