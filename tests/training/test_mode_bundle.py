"""Networks become a mode of a bundle, fitted on images that went all the way from file to answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

import dermoscope
from dermoscope import taxonomy
from dermoscope.bundle import Bundle
from dermoscope.camnet.lesion_views import Cleaning, CropRules
from dermoscope.camnet.network import CAMNetwork
from dermoscope.cli import main
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.encoders.inputs import InputContract
from dermoscope.images import decode
from dermoscope.member_networks import MemberNetworks, SeenViews
from dermoscope.training.cam_description import DESCRIPTION_NAME, MODEL_NAME, CAMModelDescription
from dermoscope.training.export import write_bundle
from dermoscope.training.mode_bundle import ModePlan, ask_members, name_of_network
from dermoscope.training.recipes.cams import CropsPart

CODES = taxonomy.HAM10000_CODES
BACKBONE, SIZE = "test_efficientnet", 64
EACH = 10


def write_run(folder: Path, task: str = "diagnosis") -> Path:
    """The run of a network that has learnt nothing."""
    folder.mkdir(parents=True)
    network = CAMNetwork(BACKBONE, len(CODES)).eval()
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / MODEL_NAME)
    description = CAMModelDescription(
        recipe="cam-diagnosis",
        backbone=BACKBONE,
        task=task,
        classes=CODES,
        contract=InputContract(size=SIZE, fit="squash", scaling=network.scaling, map_size=network.map_size(SIZE)),
        cleaning=Cleaning(),
        crops=CropsPart(names=("tight", "full")),
        mask_head=False,
        weights_sha256="0" * 64,
        licence="none",
        images={"here": 3},
    )
    (folder / DESCRIPTION_NAME).write_text(description.model_dump_json())
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a manifest of coloured noise with every diagnosis."""
    folder = tmp_path_factory.mktemp("modes")
    write_run(folder / "run")
    random = np.random.default_rng(0)
    records = []
    for number in range(EACH * len(CODES)):
        path = folder / f"image-{number}.png"
        shade = random.integers(60, 200, 3)
        Image.fromarray(np.uint8(np.clip(random.normal(shade, 30, (80, 96, 3)), 0, 255))).save(path)
        code = CODES[number % len(CODES)]
        records.append(
            Record(image_id=path.stem, path=path, diagnosis=code, source="here", lesion_id=path.stem, split="val")
        )
    write_manifest(records, folder / "manifest.csv")
    write_bare(folder / "bare")
    return folder


def write_bare(folder: Path) -> None:
    """The shipped bundle without its modes, and with a number that was measured of its heads."""
    shutil.copytree(
        Bundle.default().folder, folder, ignore=shutil.ignore_patterns("network-*.onnx", "familiarity.onnx")
    )
    old = Bundle.default().description
    checks = tuple(check for check in old.graph_checks if not check.graph.startswith("network-"))
    metrics = tuple(metric for metric in old.metrics if not metric.name.startswith("mode "))
    measured = metrics[0].model_copy(update={"name": "melanoma AUC"})
    changes: dict[str, object] = {
        "modes": {},
        "familiarity": None,
        "graph_checks": checks,
        "metrics": (*metrics, measured),
    }
    write_bundle(old.model_copy(update=changes), folder)


@pytest.fixture(scope="module")
def made(world: Path) -> Path:
    out = world / "bundle"
    run, manifest = str(world / "run"), str(world / "manifest.csv")
    image = str(world / "image-0.png")
    arguments = ["export", run, "--mode", "best", "--manifest", manifest, "--out", str(out), "--images", image]
    arguments += ["--bundle", str(world / "bare")]
    assert main(arguments) == 0
    return out


def test_the_bundle_answers_by_the_mode(made: Path, world: Path) -> None:
    bundle = Bundle.load(made)
    part = bundle.description.modes["best"]
    assert part.fusion.members == ("heads", "network 1")
    assert part.fusion.crops == ("tight", "full")
    assert sum(part.frequencies) == pytest.approx(1, abs=1e-4)
    found = dermoscope.load(made, mode="best").analyze(world / "image-0.png").analysis
    assert found.mode == "best"
    assert found.prediction_set
    assert found.prediction_set.coverage == 0.9
    checks = [check for check in bundle.description.graph_checks if check.graph.startswith("network-")]
    assert len(checks) == 9
    assert max(check.largest_difference for check in checks if check.engine.endswith("float32")) < 0.01
    assert "mode best: 3 images of here" in bundle.description.training_data
    assert "best" in (made / "README.md").read_text()


def test_members_are_asked_on_the_whole_way(made: Path, world: Path) -> None:
    record = Record(image_id="a", path=world / "image-3.png", diagnosis="MEL", source="here", split="test")
    said, features = ask_members(Bundle.load(made), "best", [record], split="test")
    outcome = dermoscope.load(made, mode="best").analyze(record.path)
    assert outcome.members is not None
    np.testing.assert_allclose(said.probabilities[:, :, 0], outcome.members, atol=1e-6)
    assert said.labels.tolist() == [CODES.index("MEL")]
    assert outcome.feature is not None
    np.testing.assert_allclose(features[0], outcome.feature, atol=1e-6)


def test_an_image_that_is_unlike_the_validation_images_gets_no_answer(made: Path, world: Path) -> None:
    analyzer = dermoscope.load(made)
    part = analyzer.bundle.description.familiarity
    assert part
    assert "70 held-out images" in part.meaning
    known = analyzer.analyze(world / "image-5.png").analysis
    stripes = np.zeros((80, 96, 3), np.uint8)
    stripes[::4] = (255, 0, 255)
    strange = analyzer.analyze(stripes).analysis
    assert known.out_of_distribution is not None
    assert strange.out_of_distribution is not None
    assert known.out_of_distribution < 1 < strange.out_of_distribution
    assert strange.to_row()["out_of_distribution"] == strange.out_of_distribution


@pytest.mark.parametrize("ways", [2, 4])
def test_a_network_sees_a_view_several_ways_round(made: Path, world: Path, ways: int) -> None:
    part = Bundle.load(made).description.modes["best"].networks[0]
    part = part.model_copy(update={"crops": CropRules(names=("full",)), "cleaning": Cleaning(outer_circle=False)})
    networks = MemberNetworks(made, [part], engine=None, precision="float32", threads=1, streams=1)
    rgb = decode(world / "image-0.png").rgb

    def seen(image: NDArray[np.uint8], ways: int) -> SeenViews:
        return networks.on(np.ascontiguousarray(image), None).see(part.model_copy(update={"orientations": ways}))

    turned = [rgb, rgb[::-1], rgb[:, ::-1], rgb[::-1, ::-1]]
    each = [seen(image, 1).logits for image in turned]
    assert np.ptp(each) > 0.001
    found = seen(rgb, ways)
    np.testing.assert_allclose(found.logits, np.mean(each[:ways], axis=0), atol=1e-5)
    # Maps lie as the image lies, whichever way round the network saw it.
    np.testing.assert_allclose(seen(rgb[::-1], ways).maps[..., ::-1, :], found.maps, atol=1e-5)
    np.testing.assert_allclose(found.maps.mean(axis=(2, 3)), found.logits, atol=0.1)


def test_modes_share_the_file_of_a_network(made: Path, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = world / "two"
    arguments = ["export", str(world / "run"), "--bundle", str(made), "--manifest", str(world / "manifest.csv")]
    arguments += ["--mode", "fast", "--views", "full", "--first", "--no-heads", "--meaning", "one look"]
    arguments += ["--orientations", "4"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert "network 1 by the rule" in capsys.readouterr().out
    bundle = Bundle.load(out)
    assert list(bundle.description.modes) == ["fast", "best"]
    assert len(list(out.glob("network-*.onnx"))) == 1
    assert bundle.description.modes["fast"].networks[0].crops.names == ("full",)
    assert bundle.description.modes["fast"].networks[0].orientations == 4
    assert "4 ways round" in (out / "README.md").read_text()
    assert dermoscope.load(out).mode == "fast"
    assert bundle.description.modes["best"] == Bundle.load(made).description.modes["best"]
    # What was measured of the answers of the heads is not what this bundle answers.
    names = {metric.name for metric in bundle.description.metrics}
    assert "gate balanced accuracy" in names
    assert "melanoma AUC" not in names
    assert "melanoma AUC" in {metric.name for metric in Bundle.load(made).description.metrics}


def test_a_network_has_one_name_in_all_modes() -> None:
    names = {"second.onnx": "network 2"}
    assert [name_of_network(f"{graph}.onnx", names) for graph in ("second", "first", "third", "first")] == [
        "network 2",
        "network 1",
        "network 3",
        "network 1",
    ]


def test_a_mode_that_is_replaced_by_itself_in_eight_bits_leaves_no_graph(made: Path, world: Path) -> None:
    out, image = world / "replaced", world / "image-0.png"
    arguments = ["export", str(world / "run"), "--bundle", str(made), "--manifest", str(world / "manifest.csv")]
    arguments += ["--images", str(image), "--eight-bits"]
    assert main([*arguments, "--mode", "best", "--out", str(out)]) == 0
    (before,), (after,) = (list(folder.glob("network-*.onnx")) for folder in (made, out))
    assert after.name == f"{before.stem}-int8.onnx"
    assert after.stat().st_size < 0.8 * before.stat().st_size
    checks = [check for check in Bundle.load(out).description.graph_checks if check.graph.startswith("network-")]
    assert {check.graph for check in checks} == {after.name}
    said = [dermoscope.load(folder, mode="best").analyze(image).members for folder in (made, out)]
    assert said[0] is not None
    assert said[1] is not None
    difference = np.abs(said[0] - said[1])[1:].max()
    assert 0 < difference < 0.02


def test_a_mode_whose_networks_look_again(made: Path, world: Path) -> None:
    out, base = world / "again", world / "pair"
    shutil.copytree(made, base)
    best = Bundle.load(made).description.modes["best"]
    write_bundle(Bundle.load(base).description.model_copy(update={"modes": {"again": best, "best": best}}), base)
    arguments = ["export", str(world / "run"), "--bundle", str(base), "--manifest", str(world / "manifest.csv")]
    arguments += [
        "--mode",
        "again",
        "--views",
        "full",
        "--views",
        "look",
        "--look-threshold",
        "0.3",
        "--orientations",
        "2",
    ]
    assert main([*arguments, "--out", str(out)]) == 0
    # A mode that is replaced keeps its place, so that the same one answers where nobody names one.
    assert list(Bundle.load(out).description.modes) == ["again", "best"]
    (network,) = Bundle.load(out).description.modes["again"].networks
    assert network.crops.names == ("full", "look")
    assert network.look is not None
    assert network.look.threshold == 0.3
    assert "full, look (where its map is at least 30% of its maximum)" in (out / "README.md").read_text()
    members = dermoscope.load(out, mode="again").analyze(world / "image-0.png").members
    assert members is not None
    assert members.shape[:2] == (2, 2)


def test_a_mode_looks_again_where_its_map_is_high() -> None:
    assert ModePlan("best", "", ()).look.threshold == 0.4


MODE = ("--mode", "best", "--manifest", "manifest.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "best"], "needs --manifest"),
        (["--manifest", "manifest.csv"], "only with --mode"),
        (["--views", "full"], "only with --mode"),
        (["--orientations", "2"], "only with --mode"),
        (["--look-threshold", "0"], "only with --mode"),
        (["--eight-bits"], "only with --mode"),
        ([*MODE, "--views", "tight", "--views", "look"], "look comes last, after full or whole"),
        ([*MODE, "--views", "look", "--views", "full"], "look comes last, after full or whole"),
        ([*MODE, "--views", "full", "--look-threshold", "0.4"], "is for the view look"),
        ([*MODE, "--views", "full", "--views", "look", "--look-threshold", "1"], "1.0 is not between 0 and 1"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str], words: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(world / "run"), "--out", str(world / "none"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (world / "none").exists()


def test_a_network_for_another_question_is_refused(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(world / "cancer", task="cancer")
    arguments = ["export", str(run), "--mode", "best", "--manifest", str(world / "manifest.csv")]
    assert main([*arguments, "--out", str(world / "none")]) == 1
    assert "answers the question 'cancer'" in capsys.readouterr().err
    assert not list(world.glob("*draft*"))
