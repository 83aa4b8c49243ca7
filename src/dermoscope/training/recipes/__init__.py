"""Recipes: how a head, a model for masks, a network with class activation maps or an ensemble is made. Torch-free.

They are YAML, read with `safe_load` and checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from dermoscope.training.recipes.cams import CAMRecipe
from dermoscope.training.recipes.changes import changed, parse_change
from dermoscope.training.recipes.ensembles import EnsembleRecipe
from dermoscope.training.recipes.masks import MaskRecipe
from dermoscope.training.recipes.schema import Recipe
from dermoscope.training.recipes.two_looks import TwoLooksRecipe

__all__ = [
    "RECIPE_NAME",
    "AnyRecipe",
    "CAMRecipe",
    "EnsembleRecipe",
    "MaskRecipe",
    "Recipe",
    "RecipeError",
    "TwoLooksRecipe",
    "load_cam_recipe",
    "load_head_recipe",
    "load_mask_recipe",
    "load_recipe",
    "load_two_looks_recipe",
    "recipe_names",
    "recipe_text",
]

AnyRecipe = Recipe | MaskRecipe | CAMRecipe | TwoLooksRecipe | EnsembleRecipe
"""A recipe for a head, a model of lesion masks, a network with class activation maps, one that looks twice, or an
ensemble."""

RECIPE_NAME = "recipe.yaml"
"""The recipe of a run, in its folder."""

_FOR: Mapping[type[BaseModel], str] = MappingProxyType(
    {
        Recipe: "a head",
        MaskRecipe: "masks",
        CAMRecipe: "a network with class activation maps",
        TwoLooksRecipe: "a network that looks twice",
        EnsembleRecipe: "an ensemble",
    }
)
_LEARNS: Mapping[str, type[MaskRecipe | CAMRecipe | TwoLooksRecipe | EnsembleRecipe]] = MappingProxyType(
    {"masks": MaskRecipe, "class maps": CAMRecipe, "two looks": TwoLooksRecipe, "an ensemble": EnsembleRecipe}
)
_Kind = TypeVar("_Kind", Recipe, MaskRecipe, CAMRecipe, TwoLooksRecipe, EnsembleRecipe)

_LARGEST_FILE = 1 << 16
_DEEPEST = 20
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class RecipeError(ValueError):
    """A recipe cannot be used; the message names the recipe, the setting and what would be right."""


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    return tuple(sorted(path.name.removesuffix(".yaml") for path in files(__name__).iterdir() if _is_recipe(path.name)))


def load_recipe(name: str, *, variants: Sequence[str] = (), changes: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe, change it, and check it.

    Args:
        name: Name of a recipe in the package, or a YAML file.
        variants: Names of variants of the recipe; of two that change one setting the last one holds.
        changes: `key=value`, on top of the variants.

    Raises:
        RecipeError: If there is no such recipe, or it does not fit the schema.
    """
    text, where = _read(name)
    settings = _parsed(text, where)
    if not isinstance(settings, dict):
        raise RecipeError(f"{where}: expected a table of settings; those in the package show how one looks")
    given = _checked(settings, where)
    unknown = [variant for variant in variants if variant not in given.variants]
    if unknown:
        known = ", ".join(given.variants) or "none"
        raise RecipeError(f"{where}: no variant {unknown[0]!r}; known: {known}")
    try:
        settings = given.model_dump(mode="json")  # so that a change can reach what the file leaves to its default
        for variant in variants:
            settings = changed(settings, given.variants[variant].items())
        settings = changed(settings, [parse_change(change) for change in changes])
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from None
    return _checked(settings, where)


def load_head_recipe(name: str, *, variants: Sequence[str] = (), changes: Sequence[str] = ()) -> Recipe:
    """A recipe for a head; see `load_recipe`.

    Raises:
        RecipeError: Also if it is one for something else.
    """
    return _of_kind(Recipe, load_recipe(name, variants=variants, changes=changes))


def load_mask_recipe(name: str, *, variants: Sequence[str] = (), changes: Sequence[str] = ()) -> MaskRecipe:
    """A recipe for masks; see `load_recipe`.

    Raises:
        RecipeError: Also if it is one for something else.
    """
    return _of_kind(MaskRecipe, load_recipe(name, variants=variants, changes=changes))


def load_cam_recipe(name: str, *, variants: Sequence[str] = (), changes: Sequence[str] = ()) -> CAMRecipe:
    """A recipe for a network with class activation maps; see `load_recipe`.

    Raises:
        RecipeError: Also if it is one for something else.
    """
    return _of_kind(CAMRecipe, load_recipe(name, variants=variants, changes=changes))


def load_two_looks_recipe(name: str, *, variants: Sequence[str] = (), changes: Sequence[str] = ()) -> TwoLooksRecipe:
    """A recipe for a network that looks twice; see `load_recipe`.

    Raises:
        RecipeError: Also if it is one for something else.
    """
    return _of_kind(TwoLooksRecipe, load_recipe(name, variants=variants, changes=changes))


def recipe_text(recipe: AnyRecipe) -> str:
    """A recipe as YAML, every setting spelt out; reading it gives the same recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def _of_kind(wanted: type[_Kind], recipe: AnyRecipe) -> _Kind:
    if not isinstance(recipe, wanted):
        raise RecipeError(f"recipe {recipe.name} is for {_FOR[type(recipe)]}, not for {_FOR[wanted]}")
    return recipe


def _is_recipe(name: str) -> bool:
    return name.endswith(".yaml")


def _read(name: str) -> tuple[str, str]:
    if name in recipe_names():
        return files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"recipe {name}"
    path = Path(name)
    if not path.is_file():
        near = get_close_matches(name, recipe_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RecipeError(f"no recipe {name!r}{hint}; give a YAML file or one of {', '.join(recipe_names())}")
    if path.stat().st_size > _LARGEST_FILE:
        raise RecipeError(f"{path} is too large for a recipe")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as text: {error}") from None


def _parsed(text: str, where: str) -> Any:
    depth = 0
    try:
        # Few characters can stand for more than any memory or stack holds; what they are is seen before they are read.
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if isinstance(token, yaml.AliasToken):
                raise RecipeError(f"{where}: write settings out; a recipe has no references (*)")
            if depth > _DEEPEST:
                raise RecipeError(f"{where} is nested too deeply for a recipe")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{where} is not YAML: {' '.join(str(error).split())}") from None


def _checked(settings: dict[str, Any], where: str) -> AnyRecipe:
    schema: type[AnyRecipe] = Recipe
    if "learns" in settings:
        learns = settings["learns"]
        if learns not in _LEARNS:
            raise RecipeError(f"{where}: learns: is one of {', '.join(_LEARNS)}; a recipe for a head leaves it out")
        schema = _LEARNS[learns]
    try:
        return schema.model_validate(settings)
    except ValidationError as error:
        raise RecipeError(f"{where}: {'; '.join(_problems(error, schema))}") from None


def _problems(error: ValidationError, schema: type[BaseModel]) -> list[str]:
    found = []
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"is no setting{_suggestion(place, schema)}"
        found.append(f"{place}: {message}" if place else message)
    return found


def _suggestion(place: str, schema: type[BaseModel]) -> str:
    """What the last word of a dotted key may have meant, among the settings of its part."""
    parts_of_schema = _models(schema)
    model: type[BaseModel] | None = schema
    *parts, last = place.split(".")
    for part in parts:
        model = parts_of_schema.get(part, model)
    near = get_close_matches(last, model.model_fields if model else (), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Every part that a recipe may have, by its name in a problem: the field, or the kind where there are several."""
    found: dict[str, type[BaseModel]] = {}
    for name, field in model.model_fields.items():
        for inner in getattr(field.annotation, "__args__", (field.annotation,)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                kind = inner.model_fields.get("kind")
                names = getattr(kind.annotation, "__args__", ()) if kind and field.discriminator else ()
                for each in names or (name,):
                    found[each] = inner
                found |= _models(inner)
    return found
