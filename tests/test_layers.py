"""The house keeps its floors: imports run only down, and torch stays behind its wall."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.watch import REPOSITORY, TORCH_WORLD

PACKAGE = REPOSITORY / "src" / "dermoscope"
TORCH_UNITS = {"camnet", "encoders", "heads", "losses", "training", "torchvision_guard"}
# A file of this folder may need torch if its docstring speaks of torch.
TORCH_BY_DOCSTRING = {"segment"}
LAZY = TORCH_WORLD | {"openvino", "onnxruntime", "matplotlib", "sklearn", "pydicom", "highdicom"}
# Every importer may ask the package for these: they are set before anything else is loaded.
FREE_NAMES = {"dermoscope.__version__"}


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is dotted and complete, `deferred` means not at import time."""

    source: str
    target: str
    line: int
    deferred: bool

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.target}"


def floors() -> dict[str, int]:
    """The table of CONTRIBUTING.md: unit to floor, 0 is the roof."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- floors -->\n```text\n(.*?)```", text, re.DOTALL)
    assert table, "CONTRIBUTING.md has no table of floors"
    rows = [line for line in table[1].splitlines() if line.strip()]
    return {unit: floor for floor, row in enumerate(rows) for unit in re.split(r",\s*", row.strip())}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(dotted: str) -> str:
    """The folder or file under the package that a dotted name belongs to; the package itself for its own names."""
    parts = dotted.split(".")
    is_unit = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
    return parts[1] if is_unit else "dermoscope"


def imports_of(path: Path) -> Iterator[Import]:
    source = module_name(path)
    package = source if path.name == "__init__.py" else source.rpartition(".")[0]

    def walk(node: ast.AST, deferred: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(source, alias.name, child.lineno, deferred) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    anchor = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*anchor, *([base] if base else [])])
                yield from (Import(source, f"{base}.{alias.name}", child.lineno, deferred) for alias in child.names)
            else:
                is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                is_for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
                yield from walk(child, deferred or is_function or is_for_types)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
IMPORTS = [found for path in MODULES.values() for found in imports_of(path)]
INTERNAL = [found for found in IMPORTS if found.target.split(".")[0] == "dermoscope" and found.target not in FREE_NAMES]
TORCH_IMPORTS = [found for found in IMPORTS if found.target.split(".")[0] in TORCH_WORLD]
CROSSING = [found for found in INTERNAL if unit_of(found.source) != unit_of(found.target)]


def may_need_torch(module: str) -> bool:
    """Whether a module lies behind the wall, and does not itself claim to be torch-free."""
    docstring = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""
    if "torch-free" in docstring.lower():
        return False
    unit = unit_of(module)
    return unit in TORCH_UNITS or (unit in TORCH_BY_DOCSTRING and re.search(r"\btorch\b", docstring) is not None)


def loaded_by(module: str) -> set[str]:
    """Every module of the package that importing one loads, itself and the packages around it included."""
    loaded: set[str] = set()
    waiting = [module]
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[: depth + 1]) for depth in range(len(parts))):
            if name in MODULES and name not in loaded:
                loaded.add(name)
                waiting += [found.target for found in INTERNAL if found.source == name and not found.deferred]
    return loaded


def test_every_module_has_a_floor() -> None:
    assert {unit_of(module) for module in MODULES} <= set(floors())


def test_imports_run_only_down() -> None:
    floor = floors()
    up = [str(found) for found in CROSSING if floor[unit_of(found.source)] > floor[unit_of(found.target)]]
    assert not up


def test_units_of_one_floor_do_not_import_in_circles() -> None:
    below: dict[str, set[str]] = {}
    for found in CROSSING:
        below.setdefault(unit_of(found.source), set()).add(unit_of(found.target))
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")


def test_private_names_stay_in_their_unit() -> None:
    private = [str(found) for found in CROSSING if any(re.match("_(?!_)", part) for part in found.target.split("."))]
    assert not private


def test_torch_is_imported_only_behind_the_wall() -> None:
    outside = [found for found in TORCH_IMPORTS if not may_need_torch(found.source)]
    assert not [str(found) for found in outside]


@pytest.mark.parametrize("module", [module for module in MODULES if not may_need_torch(module)])
def test_nothing_pulls_torch_in_at_import_time(module: str) -> None:
    """A module that must run without torch may reach one that needs it only inside a function."""
    loaded = loaded_by(module)
    assert not [str(found) for found in TORCH_IMPORTS if found.source in loaded and not found.deferred]


def test_import_dermoscope_is_light() -> None:
    program = "import json, sys, dermoscope; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert not LAZY & set(json.loads(done.stdout))


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES.keys())
def test_files_of_strangers_are_never_code(path: Path) -> None:
    """No pickle, eval or unsafe YAML, and torch.load only with weights_only=True."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = {alias.name.split(".")[0] for alias in node.names}
            named |= {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()
            assert not named & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}, f"line {node.lineno}"
        if isinstance(node, ast.Call):
            called, keywords = ast.unparse(node.func), {keyword.arg: keyword.value for keyword in node.keywords}
            assert called not in {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}, (
                f"line {node.lineno}"
            )
            if called == "torch.load":
                assert ast.unparse(keywords.get("weights_only", ast.Constant(False))) == "True", f"line {node.lineno}"
            if called in {"np.load", "numpy.load"}:
                assert ast.unparse(keywords.get("allow_pickle", ast.Constant(False))) == "False", f"line {node.lineno}"
