"""What is declared, pinned and packed is what the code needs."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_layers import IMPORTS, TORCH_BY_DOCSTRING, TORCH_UNITS, may_need_torch, unit_of
from tests.watch import REPOSITORY

PYPROJECT = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(text) for text in texts] for name, texts in PROJECT["optional-dependencies"].items()}
DIRECT = [*RUNTIME, *(requirement for extra in EXTRAS.values() for requirement in extra)]
PINS = {
    canonicalize_name(requirement.name): requirement
    for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
    for requirement in [Requirement(line)]
}
BUNDLE = REPOSITORY / "src" / "dermoscope" / "models" / "default"
LARGEST_WHEEL = 60_000_000  # what everyone who installs the program downloads
# Units that only an extra brings to life; everything else without torch must do with the runtime dependencies.
UNIT_EXTRAS = {
    "batch": ("ray",),
    "bundle_hub": ("hub",),
    "cases": ("store",),
    "dicom": ("dicom",),
    "features": ("store", "ray"),
    "images": ("dicom",),
    "service": ("serve",),
    "training": ("train",),
}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_direct_dependency_is_bounded_and_pinned_inside_its_bound(requirement: Requirement) -> None:
    assert any(bound.operator == ">=" for bound in requirement.specifier)
    (pin,) = PINS[canonicalize_name(requirement.name)].specifier
    assert pin.operator == "=="
    assert requirement.specifier.contains(pin.version)


def test_constraints_name_nothing_else() -> None:
    assert set(PINS) == names(DIRECT)


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_bound_has_a_reason(requirement: Requirement) -> None:
    lines = [line for line in PYPROJECT.splitlines() if re.match(rf'\s*"{re.escape(requirement.name)}\W', line)]
    assert lines
    for line in lines:
        assert re.search(r'",\s*#\s*\S+', line), line


@pytest.mark.parametrize("name", sorted(PINS))
def test_no_dependency_is_under_the_agpl(name: str) -> None:
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed here")
    said = [*(metadata.get_all("License-Expression") or []), *(metadata.get_all("Classifier") or [])]
    assert not [text for text in said if "AGPL" in text or "Affero" in text]


def test_every_third_party_import_is_declared_where_it_is_needed() -> None:
    distributions = importlib.metadata.packages_distributions()
    missing = []
    for found in IMPORTS:
        top = found.target.split(".")[0]
        if top in sys.stdlib_module_names or top in {"dermoscope", "__future__"}:
            continue
        unit = unit_of(found.source)
        allowed = names(RUNTIME)
        # A torch-free file behind the wall may fit or export with the training tools, inside a function.
        if may_need_torch(found.source) or (found.deferred and unit in TORCH_UNITS | TORCH_BY_DOCSTRING):
            allowed |= names(EXTRAS["train"])
        for extra in UNIT_EXTRAS.get(unit, ()):
            allowed |= names(EXTRAS[extra])
        if not {canonicalize_name(name) for name in distributions.get(top, [top])} & allowed:
            missing.append(str(found))
    assert not missing


def test_versions_agree() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest
    assert newest[1] == PROJECT["version"]


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_readme_commands_use_the_constraints() -> None:
    assert len(shell_blocks()) >= 2
    installs = [line for block in shell_blocks() for line in re.split(r"&&|\n", block) if " install " in line]
    assert installs
    assert all("-c constraints.txt" in line for line in installs)


def test_the_first_two_readme_commands_are_one_line_each_and_real() -> None:
    start, check = (block.strip() for block in shell_blocks()[:2])
    assert "\n" not in start
    assert "analyze examples/images" in start
    assert "\n" not in check
    assert '".[train,store,ray,dicom,serve,dev]"' in check
    assert "-m pytest" in check


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    source = REPOSITORY / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == expected
    assert "dermoscope/py.typed" in packed


def test_the_wheel_holds_a_whole_bundle(wheel: zipfile.ZipFile) -> None:
    packed = {Path(name).name for name in wheel.namelist() if name.startswith("dermoscope/models/default/")}
    assert {"bundle.json", "README.md", "SHA256SUMS"} <= packed
    listed = {line.split()[1].lstrip("*") for line in (BUNDLE / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    assert listed <= packed
    assert any(name.endswith(".onnx") for name in listed)
    assert wheel.filename
    assert Path(wheel.filename).stat().st_size <= LARGEST_WHEEL


def test_the_wheel_says_who_may_use_it_for_what(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert "License-Expression: Apache-2.0 AND CC-BY-NC-4.0" in metadata
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
