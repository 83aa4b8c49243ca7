"""What axe-core finds on a page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_IMPACTS = ("serious", "critical")


def faults(page: Page, *rules: str) -> list[str]:
    """Serious and critical faults: rule, and the elements with it.

    Args:
        page: Any page.
        rules: Only these rules; all if left out.
    """
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in _IMPACTS
        for node in violation["nodes"]
    ]
