from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dermoscope.training.recipes import (
    Recipe,
    RecipeError,
    load_cam_recipe,
    load_head_recipe,
    load_mask_recipe,
    load_recipe,
    recipe_names,
    recipe_text,
)
from dermoscope.training.recipes.schema import BalancedPart, FocalPart, LinearPart, MLPPart, NaturalPart

VARIANTS = [(name, variant) for name in recipe_names() for variant in load_recipe(name).variants]
THESIS_VIEWS = ("original", "hflip", "rot90", "rot180", "rot270")


def test_the_recipes_of_the_package() -> None:
    heads = ("gate", "graz-gate", "graz-group", "graz-malignancy", "group", "malignancy")
    masks = ("skinsam-decoder", "skinsam-full", "skinsam-lora", "unet")
    networks = ("cam-binary", "cam-diagnosis", "cam-three-class", "girona-binary", "girona-three-class")
    twice, ensembles = ("cam-crop-isic2017",), ("ensemble-binary", "ensemble-three-class")
    assert recipe_names() == tuple(sorted((*heads, *masks, *networks, *twice, *ensembles)))


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_called_like_its_file_and_says_where_it_comes_from(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.source
    assert recipe.description


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_variants_change_something(name: str, variant: str) -> None:
    assert load_recipe(name, variants=[variant]) != load_recipe(name)


def test_published_settings_of_the_gate() -> None:
    recipe = load_head_recipe("graz-gate")
    assert recipe.loss == FocalPart(
        kind="focal", weights={"skin": 1.0, "not skin": 5.93}, gamma=2.0, pt_from_weighted=True
    )
    assert recipe.sampling.train == BalancedPart(kind="balanced", per_class=2000, views=THESIS_VIEWS)
    assert recipe.sampling.validation == BalancedPart(kind="balanced", per_class=400, views=THESIS_VIEWS)
    assert (recipe.optimiser.kind, recipe.optimiser.batch_size, recipe.optimiser.weight_decay) == ("adam", 16, 0.01)
    assert (recipe.stopping.patience, recipe.stopping.select, recipe.seeds) == (5, "accuracy", (42,))
    script = load_head_recipe("graz-gate", variants=["script"])
    assert script.loss.kind == "cross-entropy"
    assert script.loss.weights == {"skin": 1.0, "not skin": 5.93}
    assert (script.optimiser.kind, script.optimiser.batch_size, script.schedule.kind) == ("adamw", 64, "one-cycle")
    assert script.precision == "bfloat16"


def test_published_settings_of_the_group() -> None:
    recipe = load_head_recipe("graz-group")
    assert recipe.head == MLPPart(kind="mlp", hidden=(512, 256), dropout=0.5)
    assert isinstance(recipe.loss, FocalPart)
    assert recipe.loss.gamma == 3.0
    assert recipe.loss.weights == dict(zip(recipe.task.task.classes, (1.5, 1.5, 1.5, 1.2, 1.2), strict=True))
    assert (recipe.optimiser.kind, recipe.optimiser.batch_size, recipe.optimiser.weight_decay) == ("adamw", 32, 0.1)
    assert recipe.schedule.model_dump() == {"kind": "one-cycle", "pct_start": 0.1, "div": 25, "final_div": 1000}
    assert recipe.mixing.model_dump() == {
        "after_epoch": 2,
        "mixup": {"probability": 0.25, "alpha": 0.2, "first_is_larger": True},
        "cutmix": {"probability": 0.25, "alpha": 1.0},
    }
    assert (recipe.stopping.patience, recipe.stopping.select) == (5, "loss")
    document = load_head_recipe("graz-group", variants=["document"])
    assert document.head == MLPPart(kind="mlp", hidden=(512, 256), dropout=0.3)
    assert document.optimiser.model_dump() == {
        "kind": "adam", "learning_rate": 0.001, "weight_decay": 0.01, "batch_size": 16
    }  # fmt: skip
    assert (document.mixing.mixup, document.mixing.cutmix, document.schedule.kind) == (None, None, "constant")


def test_published_settings_of_malignancy() -> None:
    recipe = load_head_recipe("graz-malignancy")
    assert recipe.task.task.definition == "graz"
    assert recipe.loss == FocalPart(kind="focal", weights="inverse-frequency", gamma=2.0, pt_from_weighted=True)
    assert recipe.schedule.model_dump() == {"kind": "plateau", "factor": 0.5, "patience": 3, "smallest": 0.0}
    assert recipe.stopping.epochs == 50
    assert load_head_recipe("graz-malignancy", variants=["script"]).optimiser.batch_size == 32
    original = load_head_recipe("graz-malignancy", variants=["original"]).sampling.train
    assert original == NaturalPart(kind="natural", views=("original",))
    every = load_head_recipe("graz-malignancy", variants=["all-augmented"]).sampling.train
    assert every == NaturalPart(kind="natural", views=THESIS_VIEWS)


@pytest.mark.parametrize("name", ["graz-gate", "graz-group", "graz-malignancy"])
@pytest.mark.parametrize(("variant", "hidden"), [("128_64_16_DO01", (128, 64, 16)), ("64_16_DO01", (64, 16))])
def test_published_sizes(name: str, variant: str, hidden: tuple[int, ...]) -> None:
    assert load_head_recipe(name, variants=[variant]).head == MLPPart(kind="mlp", hidden=hidden, dropout=0.1)


def test_changes_come_on_top_of_variants() -> None:
    recipe = load_head_recipe(
        "graz-group",
        variants=["document", "original"],
        changes=["optimiser.batch_size=8", "sampling.train.views=[vflip]", "head.kind=linear"],
    )
    assert recipe.optimiser.batch_size == 8
    assert recipe.sampling.train == NaturalPart(kind="natural", views=("vflip",))
    assert recipe.head == LinearPart(kind="linear")


def test_a_change_reaches_what_the_recipe_leaves_out() -> None:
    recipe = load_head_recipe("group", changes=["sampling.validation.views=[original, hflip]"])
    assert recipe.sampling.validation.views == ("original", "hflip")


@pytest.mark.parametrize("name", recipe_names())
def test_there_and_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(recipe_text(load_recipe(name)), encoding="utf-8")
    assert load_recipe(str(path)) == load_recipe(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimiser.lerning_rate=1", "optimiser.lerning_rate: is no setting; did you mean learning_rate?"),
        ("loss.gama=1", "loss.focal.gama: is no setting; did you mean gamma?"),
        ("stoping.epochs=1", "stoping: is no setting; did you mean stopping?"),
        ("optimiser.learning_rate=-1", "optimiser.learning_rate: Input should be greater than 0"),
        ("optimiser.learning_rate=.inf", "optimiser.learning_rate: Input should be a finite number"),
        ("stopping.epochs=many", "stopping.epochs: Input should be a valid integer"),
        ("head.kind=forest", "'mlp', 'linear', 'logistic', 'knn', 'mahalanobis', 'neighbour-distance'"),
        ("head={kind: mahalanobis}", "head.kind: mahalanobis answers the question gate alone"),
        ("sampling.train.views=[rot91]", "unknown view 'rot91'; known: original, hflip"),
        ("sampling.train.views=[]", "at least 1 item"),
        ("sampling.train.views=[hflip, hflip]", "a view stands there twice"),
        ("seeds=[1, 1]", "a seed stands there twice"),
        ("task.definition=graz", "name one for the question malignancy, and for no other question"),
        ("loss.weights={melanocytic: 2}", "loss.weights: give one for each class, melanocytic, non-melanocytic"),
        ("mixing.mixup.probability=0.9", "the probabilities of mixup and cutmix sum to more than 1"),
        ("learning_rate", "write key=value"),
        ("name.x=1", "name has no parts"),
    ],
)
def test_a_wrong_change_is_named(change: str, message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load_head_recipe("graz-group", changes=[change])
    assert str(refused.value).startswith("recipe graz-group: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("graz-grup", "no recipe 'graz-grup'; did you mean graz-group?"),
        ("x.yaml", "give a YAML file or one of cam-binary,"),
    ],
)
def test_a_missing_recipe_is_named(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("?", r"\?")):
        load_head_recipe(name)


def test_a_missing_variant_is_named() -> None:
    with pytest.raises(RecipeError, match=r"no variant 'doc'; known: document, original, all-augmented, 128"):
        load_head_recipe("graz-group", variants=["doc"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a table"),
        (b"- a", "expected a table"),
        (b"a: [", "is not YAML"),
        (b"a: !!python/object/apply:os.system [ls]", "is not YAML"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (b"name: x", "task: Field required"),
        (b"#" * (1 << 16) + b"#", "too large"),
        (b"name: " + b"[" * 60_000, "nested too deeply"),
        (b"a: &a [x]\nb: [*a, *a]", "has no references"),
    ],
)
def test_a_broken_file_is_one_clear_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as refused:
        load_head_recipe(str(path))
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_definition_is_named() -> None:
    settings = yaml.safe_load(recipe_text(load_head_recipe("malignancy"))) | {
        "task": {"question": "malignancy", "definition": "evil"}
    }
    with pytest.raises(ValueError, match="unknown malignancy definition 'evil'"):
        Recipe.model_validate(settings)


def test_each_kind_of_recipe_is_known_by_what_it_learns() -> None:
    assert load_mask_recipe("unet").model.kind == "unet"
    with pytest.raises(RecipeError, match=r"skinsam-decoder is for masks"):
        load_head_recipe("skinsam-decoder")
    with pytest.raises(RecipeError, match=r"graz-gate is for a head"):
        load_mask_recipe("graz-gate")
    assert load_cam_recipe("girona-binary").crops.masks == "manifest"
    with pytest.raises(RecipeError, match=r"ensemble-binary is for an ensemble, not for a network"):
        load_cam_recipe("ensemble-binary")
    with pytest.raises(RecipeError, match=r"learns: is one of masks, class maps, two looks, an ensemble"):
        load_recipe("unet", changes=["learns=chess"])


def test_published_settings_of_girona() -> None:
    recipe = load_cam_recipe("girona-binary")
    assert (recipe.model.backbone, recipe.model.size) == ("efficientnet_b3", 299)
    assert recipe.task.task.definition == "not-nevus"
    assert recipe.crops.names == ("tight", "middle", "full")
    loss = recipe.loss
    assert (loss.centre.weight, loss.divergence.weight, loss.lesion_focus) == (1.0, 0.1, 0.5)
    assert loss.divergence.penalty == 1.0
    part = recipe.optimiser
    assert (part.kind, part.learning_rate, part.rho, part.batch_size) == ("adadelta", 1.0, 0.9, 16)
    assert recipe.schedule.model_dump() == {"kind": "plateau", "factor": 0.5, "patience": 2, "smallest": 1e-4}
    assert (recipe.stopping.epochs, recipe.stopping.patience, recipe.stopping.select) == (50, 10, "accuracy")
    for variant in ("cross-entropy", "one-crop"):
        assert load_cam_recipe("girona-binary", variants=[variant]).crops.names[-1] == "full"
    plain = load_cam_recipe("girona-binary", variants=["cross-entropy", "one-crop"], changes=["crops.masks=none"])
    assert plain.crops.masks == "none"
    three = load_cam_recipe("girona-three-class")
    assert (three.loss.gamma, three.task.task.classes) == (2.0, ("BCC", "MEL", "AKIEC"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("crops.names=[tight,tight]", r"stands there twice"),
        ("crops.names=[close]", r"crops\.names"),
        ("loss.gamma=2", r"label_smoothing: the focal loss has none"),
        ("sampling.views=[hflip]", r"views are of stored features"),
        ("loss.divergence.penalty=0", r"loss\.divergence\.penalty"),
        ("optimiser.kind=adam", r"optimiser\.kind"),
        ("model.bakbone=resnet18", r"did you mean backbone"),
        ("crops.masks=none", r"crops\.masks: none, but these need masks: crops\.names=.*tight.*, loss\.lesion_focus"),
        ("crops.middle=2.0", r"crops\.middle"),
        ("stopping={epochs: 3, patience: 2, select: last epoch}", r"patience: waits for a better epoch"),
    ],
)
def test_what_a_recipe_for_a_network_may_not_say(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_cam_recipe("cam-binary", changes=[change])


@pytest.mark.parametrize("change", ["crop_rule=mean", "rule=vote", "across=members then crops"])
def test_what_a_recipe_for_an_ensemble_may_not_say(change: str) -> None:
    with pytest.raises(RecipeError, match=r"crop_rule|rule"):
        load_recipe("ensemble-binary", changes=[change])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("prompts.none=0.9", r"do not sum to 1"),
        ("model.trained=all", r"model.sam.trained"),
        ("optimiser.learning_rte=1", r"did you mean learning_rate"),
        ("loss.dic=1", r"did you mean dice"),
        ("epochs=0", r"epochs"),
    ],
)
def test_what_a_recipe_for_masks_may_not_say(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_mask_recipe("skinsam-decoder", changes=[change])
