"""Changes to a recipe by dotted key, as `--set` and variants make them. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


def parse_change(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value read as YAML.

    Raises:
        ValueError: If it is not that.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError(f"{text!r} is no change; write key=value, such as optimiser.learning_rate=0.001")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError(f"{text!r}: the value is no YAML") from None


def changed(settings: Mapping[str, Any], changes: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A copy of nested settings with some of them changed; nothing is checked but that parts are parts.

    A changed `kind` empties its part first, since another kind has other settings; what else is changed in that part
    comes on top, whatever the order.

    Args:
        settings: As a recipe file has them.
        changes: Dotted key to value; of two for one key the last one holds.

    Raises:
        ValueError: If a key goes through something that is no part.
    """
    result: dict[str, Any] = _copied(settings)
    for key, value in sorted(changes, key=lambda change: not change[0].endswith(".kind")):
        *parts, last = key.split(".")
        at = result
        for part in parts:
            inner = at.setdefault(part, {})
            if inner is None:
                inner = at[part] = {}
            if not isinstance(inner, dict):
                raise ValueError(f"{key}: {part} has no parts")
            at = inner
        if last == "kind" and at.get("kind") != value:
            at.clear()
        at[last] = value
    return result


def _copied(value: Any) -> Any:
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
