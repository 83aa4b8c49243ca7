"""A mode of a bundle: networks and heads become one distribution, and all else follows from that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import dermoscope
from dermoscope import member_networks, taxonomy
from dermoscope.analyzer import Analyzer
from dermoscope.bundle import Bundle
from dermoscope.engine import NamedGraph, compile_graph
from dermoscope.fusion import FusionModel
from dermoscope.heads.evidence_place import coarse_grid
from dermoscope.model_folder import BundleError, write_sums

CODES = taxonomy.HAM10000_CODES
SIDE = 64
# Red speaks for melanoma, blue for nevus; every other class is even.
WEIGHTS = np.zeros((len(CODES), 3), np.float32)
WEIGHTS[CODES.index("MEL"), 0], WEIGHTS[CODES.index("NV"), 2] = 8, 8
EVEN = tuple(round(1 / len(CODES), 6) for _ in CODES)
NETWORK = {
    "name": "colours",
    "graph": "colours.onnx",
    "input": {"size": SIDE, "fit": "squash", "scaling": "min-max", "map_size": 4},
    "side": SIDE,
    "cleaning": {"outer_circle": False},
    "crops": {"names": ["full"]},
    "backbone": "none",
    "licence": "none",
}
AGAIN = {**NETWORK, "crops": {"names": ["full", "look"]}, "look": {"threshold": 0.6, "margin": 0.0}}


def colour_network(path: Path) -> None:
    """`image` is averaged over a grid of 4 × 4 cells; maps are its channels, weighed."""
    nodes = [
        helper.make_node("AveragePool", ["image"], ["maps"], kernel_shape=[SIDE // 4] * 2, strides=[SIDE // 4] * 2),
        helper.make_node("Conv", ["maps", "weights"], ["cams"]),
        helper.make_node("ReduceMean", ["cams"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["maps"], ["feature"], axes=[2, 3], keepdims=0),
    ]
    shapes = {"logits": [1, len(CODES)], "cams": [1, len(CODES), 4, 4], "feature": [1, 3]}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(WEIGHTS[:, :, None, None], "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def mode(members: list[str], **changes: Any) -> dict[str, Any]:
    """What `bundle.json` says of a mode that takes the mean."""
    fusion = {
        "schema_version": 1,
        "classes": list(CODES),
        "members": members,
        "crops": changes.pop("crops", ["full"]),
        "across": "together",
        "rule": "mean",
    }
    part = {
        "meaning": "for tests",
        "networks": [NETWORK] if "colours" in members else [],
        "fusion": fusion,
        "frequencies": EVEN,
        "malignancy_definition": "graz",
        "malignancy_point": {"threshold": 0.5, "meaning": "half"},
    }
    return {**part, **changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default bundle with modes."""
    out = tmp_path_factory.mktemp("modes") / "bundle"
    shutil.copytree(Bundle.default().folder, out)
    colour_network(out / "colours.onnx")
    write_modes(out, alone=mode(["colours"]), both=mode(["heads", "colours"]), heads=mode(["heads"]))
    return out


def write_modes(folder: Path, **modes: Any) -> None:
    path = folder / "bundle.json"
    description = json.loads(path.read_text())
    path.write_text(json.dumps({**description, "modes": modes}))
    write_sums(folder)


@pytest.fixture(scope="module")
def both(folder: Path) -> Analyzer:
    return Analyzer(Bundle.load(folder), mode="both")


def fusion(folder: Path, name: str) -> FusionModel:
    bundle = Bundle.load(folder)
    part = bundle.description.modes[name]
    return FusionModel(bundle, part, engine=None, precision="float32", threads=0, streams=1)


def half_red() -> NDArray[np.uint8]:
    """Red on the left, blue on the right."""
    rgb = np.zeros((96, 96, 3), np.uint8)
    rgb[:, :48, 0], rgb[:, 48:, 2] = 255, 255
    return rgb


def test_a_network_alone_says_what_its_graph_says(folder: Path) -> None:
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 255
    found = fusion(folder, "alone").answer(red, None, dict.fromkeys(CODES, 1 / 7))
    logits = np.zeros(len(CODES))
    logits[CODES.index("MEL")] = 8
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([found.probabilities[code] for code in CODES], expected, rtol=1e-4)
    assert found.disagreement == 0


def test_the_mean_of_heads_and_network(folder: Path) -> None:
    heads = dict.fromkeys(CODES, 0.0) | {"BCC": 1.0}
    alone = fusion(folder, "alone").answer(half_red(), None, heads)
    found = fusion(folder, "both").answer(half_red(), None, heads)
    for code in CODES:
        assert found.probabilities[code] == pytest.approx((alone.probabilities[code] + heads[code]) / 2, abs=1e-6)
    assert found.disagreement > 0.4


def test_evidence_lies_where_the_maps_speak_for_malignancy(folder: Path) -> None:
    evidence = fusion(folder, "alone").answer(half_red(), None, dict.fromkeys(CODES, 1 / 7)).evidence
    assert evidence is not None
    left, right = evidence[:, : evidence.shape[1] // 3], evidence[:, -evidence.shape[1] // 3 :]
    assert left.min() > 0 > right.max()


def test_evidence_is_what_the_logits_are_made_of(folder: Path) -> None:
    model = fusion(folder, "alone")
    found = model.answer(half_red(), None, dict.fromkeys(CODES, 1 / 7))
    # To first order: the sum over cells is the derivative of the log-odds times the logits.
    odds = np.array([found.probabilities[code] for code in CODES])
    malignant = np.array([code in taxonomy.malignancy_definition("graz").malignant for code in CODES])
    logits = np.zeros(len(CODES))
    logits[[CODES.index("MEL"), CODES.index("NV")]] = 4
    expected = (odds * logits)[malignant].sum() / odds[malignant].sum()
    expected -= (odds * logits)[~malignant].sum() / odds[~malignant].sum()
    assert found.evidence is not None
    assert found.evidence.mean() * 16 == pytest.approx(expected, rel=0.02)


def test_evidence_is_the_mean_over_all_networks(folder: Path) -> None:
    """One sees the whole image, one the lesion alone, which lies on the right."""
    copy = folder.parent / "two-networks"
    shutil.copytree(folder, copy)
    whole, near = NETWORK, {**NETWORK, "name": "near", "crops": {"names": ["tight"]}}
    write_modes(
        copy,
        whole=mode(["colours"], networks=[whole]),
        near=mode(["near"], networks=[near], crops=["tight"]),
        all=mode(["colours", "near"], networks=[whole, near]),
    )
    mask = np.zeros((96, 96), np.bool_)
    mask[30:60, 60:90] = True
    found = {
        name: fusion(copy, name).answer(half_red(), mask, dict.fromkeys(CODES, 1 / 7)).evidence
        for name in ("whole", "near", "all")
    }
    assert found["whole"] is not None
    assert found["near"] is not None
    assert found["all"] is not None
    assert np.abs(found["near"]).max() > 0
    assert not np.allclose(found["all"], found["whole"])
    np.testing.assert_allclose(found["all"], (found["whole"] + found["near"]) / 2, atol=1e-6)


@pytest.mark.parametrize("orientations", [1, 4])
@pytest.mark.parametrize(("view", "width"), [("full", 96), ("whole", 140)])
def test_a_network_looks_again_where_its_own_map_is_high(
    folder: Path, tmp_path: Path, view: str, width: int, orientations: int
) -> None:
    shutil.copytree(folder, tmp_path / "again")
    again = {**AGAIN, "crops": {"names": [view, "look"]}, "orientations": orientations}
    write_modes(tmp_path / "again", again=mode(["colours"], networks=[again], crops=[view, "look"]))
    rgb = np.zeros((96, width, 3), np.uint8)
    rgb[48:92, width // 2 : -4, 2], rgb[:24, :24, 0] = 255, 255  # much blue, which speaks for nevus, and a little red
    first, second = fusion(tmp_path / "again", "again").answer(rgb, None, dict.fromkeys(CODES, 1 / 7)).members[0]
    nevus, melanoma, other = (CODES.index(code) for code in ("NV", "MEL", "BCC"))
    assert first.argmax() == nevus
    assert first[melanoma] > 1.2 * first[other]
    # It decided for nevus and sees the blue alone, and larger.
    assert second[nevus] > first[nevus] + 0.1
    assert second[melanoma] == pytest.approx(second[other], rel=1e-3)


def test_what_is_all_of_the_view_is_not_seen_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "again")
    write_modes(tmp_path / "again", again=mode(["colours"], networks=[AGAIN], crops=["full", "look"]))
    answer, asked = member_networks._answer, []

    def counted(*given: Any) -> Any:
        asked.append(given)
        return answer(*given)

    monkeypatch.setattr(member_networks, "_answer", counted)
    blue = np.zeros((96, 96, 3), np.uint8)
    blue[..., 2] = 255
    first, second = fusion(tmp_path / "again", "again").answer(blue, None, dict.fromkeys(CODES, 1 / 7)).members[0]
    np.testing.assert_array_equal(first, second)
    assert len(asked) == 1


def test_other_frequencies_change_the_equal_world_alone(folder: Path) -> None:
    shares = [0.05, 0.7, 0.05, 0.05, 0.05, 0.05, 0.05]
    copy = folder.parent / "frequent"
    shutil.copytree(folder, copy)
    write_modes(copy, alone=mode(["colours"], frequencies=shares))
    model, even = fusion(copy, "alone"), dict.fromkeys(CODES, 1 / 7)
    before = fusion(folder, "alone").answer(half_red(), None, even).probabilities
    after = model.answer(half_red(), None, even).probabilities
    assert after == pytest.approx(before)
    equal = model.at_equal_frequencies(after)
    assert sum(equal.values()) == pytest.approx(1)
    assert equal["NV"] / equal["MEL"] == pytest.approx(after["NV"] / after["MEL"] * 0.05 / 0.7)


def test_everything_follows_from_one_distribution(both: Analyzer) -> None:
    for path in sorted(Path("examples/images").glob("*_skin.jpg"))[:2]:
        found = both.analyze(path, evidence=True).analysis
        assert found.malignancy
        assert found.evidence
        malignant = taxonomy.malignancy_definition("graz").malignant
        # Frequencies are even here: both worlds are one.
        expected = sum(value for code, value in found.diagnosis.items() if code in malignant)
        assert found.malignancy.probability == pytest.approx(expected)
        assert found.p_melanoma == pytest.approx(found.diagnosis["MEL"])
        assert found.group == pytest.approx(taxonomy.group_probabilities(found.diagnosis))
        assert found.mode == "both"


def test_the_answer_is_in_its_prediction_set_however_rare_it_is(folder: Path) -> None:
    """At the frequencies of the mode the nevus is likelier; were all equally frequent, it is the melanoma."""
    copy = folder.parent / "sets"
    shutil.copytree(folder, copy)
    shares = [0.05, 0.7, *[0.05] * 5]
    part = {"method": "lac", "coverage": 0.9, "thresholds": [0.6] * 7, "class_conditional": False, "images": [10] * 7}
    write_modes(copy, alone=mode(["colours"], frequencies=shares, conformal=part))
    rgb = half_red()
    rgb[:, :40] = (255, 0, 0)
    rgb[:, 40:] = (0, 0, 255)
    found = dermoscope.load(copy).analyze(rgb).analysis
    weighted = {code: found.diagnosis[code] * share for code, share in zip(CODES, shares, strict=True)}
    assert (found.top_diagnosis, max(weighted, key=weighted.__getitem__)) == ("MEL", "NV")
    assert found.prediction_set
    assert found.prediction_set.codes[0] == "MEL"


def test_the_heads_may_be_the_only_member(folder: Path, both: Analyzer) -> None:
    path = sorted(Path("examples/images").glob("*_skin.jpg"))[0]
    alone = dermoscope.load(folder, mode="heads").analyze(path, evidence=True).analysis
    default = Bundle.default()
    bare = Bundle(default.folder, default.description.model_copy(update={"modes": {}}), default.fingerprint)
    plain = Analyzer(bare).analyze(path).analysis
    assert alone.diagnosis == pytest.approx(plain.diagnosis, abs=1e-6)
    assert alone.evidence
    assert both.analyze(path).analysis.diagnosis != pytest.approx(plain.diagnosis, abs=1e-3)


def test_the_first_mode_answers_where_nobody_names_one(folder: Path) -> None:
    assert dermoscope.load(folder).mode == "alone"
    assert dermoscope.load(folder, mode="heads").mode == "heads"


def test_a_mode_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BundleError, match="has no mode 'slow'; it has: alone, both, heads"):
        dermoscope.load(folder, mode="slow")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"networks": []}, "the networks are"),
        ({"frequencies": [0.5, 0.5]}, "one number above zero a diagnosis"),
        ({"frequencies": [1.0, 0, 0, 0, 0, 0, 0]}, "one number above zero a diagnosis"),
        ({"malignancy_definition": "unknown"}, "unknown"),
        ({"networks": [{**NETWORK, "crops": {"names": ["look"]}}]}, "needs rules that say where to look"),
        ({"networks": [{**NETWORK, "crops": {"names": ["tight", "look"]}, "look": {}}]}, "have full or whole before"),
        ({"networks": [{**NETWORK, "crops": {"names": ["look", "full"]}, "look": {}}]}, "that end with look"),
        ({"networks": [{**AGAIN, "look": {"rule": "random"}}], "crops": ["full", "look"]}, "a random place"),
        ({"networks": [{**NETWORK, "crops": {"names": ["tight", "full"]}}], "crops": ["a", "b", "c"]}, "neither one"),
        ({"networks": [{**NETWORK, "graph": "../colours.onnx"}]}, "plain file name"),
        ({"networks": [{**NETWORK, "graph": "other.onnx"}]}, "does not list the graph"),
    ],
)
def test_a_mode_that_cannot_be_is_refused(changes: dict[str, Any], words: str, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(folder, copy)
    write_modes(copy, alone=mode(["colours"], **changes))
    with pytest.raises(BundleError, match=words):
        Bundle.load(copy)


def test_an_open_image_tells_the_same_evidence(both: Analyzer) -> None:
    path = sorted(Path("examples/images").glob("*_skin.jpg"))[0]
    outcome = both.analyze(path, evidence=True, keep_open=True)
    assert outcome.opened
    assert outcome.analysis.evidence
    evidence = both.evidence(outcome.opened)
    rows = coarse_grid(evidence)
    np.testing.assert_allclose(rows, outcome.analysis.evidence.grid, atol=2e-3)


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_tiny_lesion_in_a_corner_has_evidence(folder: Path, corner: tuple[int, int]) -> None:
    copy = folder.parent / f"tight-{corner[0]}-{corner[1]}"
    shutil.copytree(folder, copy)
    tight = {**NETWORK, "crops": {"names": ["tight"]}}
    write_modes(copy, alone=mode(["colours"], networks=[tight]))
    mask = np.zeros((900, 900), np.bool_)
    mask[-corner[0] or 0, -corner[1] or 0] = True
    rgb = np.zeros((900, 900, 3), np.uint8)
    rgb[..., 0] = 255
    found = fusion(copy, "alone").answer(rgb, mask, dict.fromkeys(CODES, 1 / 7)).evidence
    assert found is not None
    assert found[-corner[0] or 0, -corner[1] or 0] > 0


def test_heads_are_computed_only_where_they_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def noted(path: Path, **options: Any) -> NamedGraph:
        compiled.append(path.name)
        return compile_graph(path, **options)

    monkeypatch.setattr("dermoscope.answer.compile_graph", noted)
    for name, members in (("alone", 1), ("both", 2)):
        said = Analyzer(Bundle.load(folder), mode=name).analyze(half_red()).members
        assert said is not None
        assert len(said) == members
    assert compiled == ["heads.onnx"]


def test_heads_that_are_a_member_must_be_given(folder: Path) -> None:
    with pytest.raises(ValueError, match="heads: are a member"):
        fusion(folder, "both").answer(half_red(), None)
