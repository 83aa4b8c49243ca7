from __future__ import annotations

import re

import pytest

from dermoscope.service.metrics import Metrics


def test_the_text_is_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.count_request("GET", "/v1/health", 200)
    metrics.count_request("GET", "/v1/health", 200)
    metrics.count_request("POST", "/v1/analyses", 429)
    metrics.count_bytes(10)
    metrics.observe_analysis(0.07)
    text = metrics.text({"dermoscope_running": ("Meaning.", 2)}, {"dermoscope_refused_total": ("Meaning.", 1)})
    line = re.compile(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
    assert text.endswith("\n")
    assert not [one for one in text.splitlines() if not line.fullmatch(one)]
    assert 'dermoscope_requests_total{method="GET",route="/v1/health",status="200"} 2\n' in text
    assert "# TYPE dermoscope_running gauge\ndermoscope_running 2\n" in text


@pytest.mark.parametrize(
    ("seconds", "edge"), [(0.0, "0.05"), (0.05, "0.05"), (0.051, "0.1"), (60, "60.0"), (61, "+Inf")]
)
def test_a_bucket_holds_what_is_at_most_its_edge(seconds: float, edge: str) -> None:
    metrics = Metrics()
    metrics.observe_analysis(seconds)
    counts = dict(re.findall(r'_bucket\{le="([^"]+)"\} (\d)', metrics.text({}, {})))
    assert next(name for name, count in counts.items() if count == "1") == edge
    assert counts["+Inf"] == "1"
    assert f"dermoscope_analysis_seconds_sum {seconds:.6f}\n" in metrics.text({}, {})
