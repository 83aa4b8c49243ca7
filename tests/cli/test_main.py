from __future__ import annotations

import subprocess
import sys

import pytest

import dermoscope
from dermoscope.cli import app, main
from dermoscope.cli.exits import ExitCode


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["-h"], ["analyze", "--help"], ["segment", "--help"], ["info", "--help"]]
)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "Usage: dermoscope" in capsys.readouterr().out


def test_help_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Research use only, not a medical device." in text
    assert "analyze" in text
    assert "info" in text


def test_help_of_analyze_has_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["analyze", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "dermoscope analyze photos 'archive/**/*.png' --out results --jobs 2" in text
    assert "0 all done, 1 failed, 2 wrong usage, 3 done but some inputs failed, 130 interrupted" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == dermoscope.__version__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze"], "PATHS"),
        (["analyze", "x", "--bogus"], "--bogus"),
        (["analyze", "x", "--jobs", "many"], "--jobs"),
        (["analyze", "x", "--inference", "abacus"], "--inference"),
        (["analyse", "x"], "analyse"),
        (["info", "x"], "x"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dermoscope.engine.available_engines", lambda: interrupted(None))
    assert main(["info"]) == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    "start", [["-m", "dermoscope"], ["-c", "import sys, dermoscope.cli; sys.exit(dermoscope.cli.main())"]]
)
def test_the_exit_code_reaches_the_shell(start: list[str]) -> None:
    done = subprocess.run([sys.executable, *start, "analyze", "--bogus"], capture_output=True, check=False)
    assert done.returncode == 2


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "from dermoscope.cli import main\n"
        "main(['analyze', '--help'])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    for module in ("numpy", "cv2", "pydantic", "jinja2", "openvino", "onnxruntime", "torch", "PIL"):
        assert f'"{module}"' not in loaded, module


def test_every_command_says_what_it_does() -> None:
    assert set(app) >= {"analyze", "segment", "info"}
    for name in ("analyze", "segment", "info"):
        assert app[name].help


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "dermoscope", "models", "show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait()
    assert said == ""
    # A pipe that takes the whole card hides that nobody reads the rest.
    assert code in (ExitCode.FAILED, ExitCode.DONE)
