"""`dermoscope info`."""

from __future__ import annotations

import json as json_format
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Annotated, Any

from cyclopts import Parameter

from dermoscope import __version__
from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail


def info(*, json: Annotated[bool, Parameter(show_default=False)] = False) -> int:
    """Show version, default model, engines, cache folder and exit codes. Loads no model and no engine.

    Args:
        json: Print as JSON, with the whole description of the default model.
    """
    from dermoscope.bundle import Bundle
    from dermoscope.engine import available_engines, cache_folder
    from dermoscope.model_folder import BundleError

    try:
        bundle, problem = Bundle.default().describe(), ""
    except BundleError as error:
        bundle, problem = None, str(error)
    facts: dict[str, Any] = {
        "version": __version__,
        "bundle": bundle,
        "engines": {name: _version_of(name) for name in available_engines()},
        "cache": str(cache_folder()),
        "exit_codes": {str(code.value): code.meaning for code in ExitCode},
        "notice": RESEARCH_USE,
    }
    if json:
        print(json_format.dumps(facts, indent=2))
    else:
        _print(facts)
    return fail(f"the default model cannot be used: {problem}") if problem else ExitCode.DONE


def _version_of(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:  # `onnxruntime` may come from `onnxruntime-gpu`
        return version(packages_distributions()[module][0])


def _print(facts: dict[str, Any]) -> None:
    bundle = facts["bundle"]
    lines = [f"dermoscope {facts['version']}"]
    if bundle:
        lines += [
            f"model       {bundle['name']} {bundle['version']} ({bundle['fingerprint']}), {bundle['licence']}",
            f"malignancy  definition {bundle['heads']['malignancy_definition']}",
        ]
    engines = ", ".join(f"{name} {number}" for name, number in facts["engines"].items())
    lines += [f"engines     {engines or 'none'}", f"cache       {facts['cache']}", "exit codes"]
    lines += [f"  {code:>3}  {meaning}" for code, meaning in facts["exit_codes"].items()]
    print("\n".join([*lines, facts["notice"]]))
