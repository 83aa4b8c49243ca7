"""Numbers for Prometheus, text format 0.0.4.

Three counters and a histogram do not earn a dependency that keeps its numbers in global state.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What a service counted since its start. For the thread of the event loop alone."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._bytes = 0
        self._buckets = [0] * (len(_SECONDS) + 1)
        self._seconds = 0.0

    def count_request(self, method: str, route: str, status: int) -> None:
        """Count an answer.

        Args:
            method: Of the request.
            route: Template of its path, so that there are few; empty where there is no such address.
            status: Of the answer.
        """
        self._requests[method, route, status] += 1

    def count_bytes(self, count: int) -> None:
        """Count what came in."""
        self._bytes += count

    def observe_analysis(self, seconds: float) -> None:
        """Count an analysis of one image, queue included."""
        self._buckets[bisect_left(_SECONDS, seconds)] += 1
        self._seconds += seconds

    def text(self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, tuple[str, float]]) -> str:
        """Everything as Prometheus reads it.

        Args:
            gauges: Meaning and value now of what goes up and down, by name.
            counters: The same of what somebody else counts.
        """
        return "\n".join([*self._lines(gauges, counters), ""])

    def _lines(
        self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, tuple[str, float]]
    ) -> Iterator[str]:
        name = "dermoscope_requests_total"
        yield from _heading(name, "Answers by method, route and status.", "counter")
        for (method, route, status), count in sorted(self._requests.items()):
            yield f'{name}{{method="{method}",route="{route}",status="{status}"}} {count}'
        name = "dermoscope_received_bytes_total"
        yield from _heading(name, "Bytes of request bodies.", "counter")
        yield f"{name} {self._bytes}"
        name = "dermoscope_analysis_seconds"
        yield from _heading(name, "Seconds from a complete upload to an analysis of it, queue included.", "histogram")
        total = 0
        for edge, count in zip((*map(str, _SECONDS), "+Inf"), self._buckets, strict=True):
            total += count
            yield f'{name}_bucket{{le="{edge}"}} {total}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {total}"
        for kind, values in (("gauge", gauges), ("counter", counters)):
            for name, (meaning, value) in values.items():
                yield from _heading(name, meaning, kind)
                yield f"{name} {value:g}"


def _heading(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
