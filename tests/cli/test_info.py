from __future__ import annotations

import json
import subprocess
import sys

import pytest

import dermoscope
from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.model_folder import BundleError
from tests.batch.fake_analyzer import FakeBundle


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "default", FakeBundle)


def test_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMOSCOPE_CACHE", "/somewhere")
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["version"] == dermoscope.__version__
    assert facts["bundle"] == FakeBundle().describe()
    assert set(facts["engines"]) <= {"openvino", "onnxruntime"}
    assert facts["engines"]
    assert facts["cache"] == "/somewhere"
    assert list(facts["exit_codes"]) == ["0", "1", "2", "3", "130"]
    assert facts["notice"] == "Research use only, not a medical device."


def test_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for words in ("fake 1 (0123456789abcdef)", "CC BY-NC 4.0", "definition graz", "wrong usage", "Research use only"):
        assert words in text


@pytest.mark.parametrize("arguments", [["info"], ["info", "--json"]])
def test_a_damaged_model_is_named_and_the_rest_still_shown(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Bundle:
        raise BundleError("encoder.onnx is missing from the bundle")

    monkeypatch.setattr(Bundle, "default", missing)
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert dermoscope.__version__ in shown.out
    assert "encoder.onnx is missing" in shown.err


def test_an_engine_from_a_package_of_another_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermoscope.engine.available_engines", lambda: ("cv2",))
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engines"]["cv2"][0].isdigit()


def test_no_engine_is_loaded() -> None:
    program = (
        "import sys\n"
        "from dermoscope.cli import main\n"
        "main(['info'])\n"
        "assert not {'openvino', 'onnxruntime', 'torch'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "loaded" not in done.stderr
