"""Lets schemathesis loose on a running service, with its own description as the map.

    python studies/service/fuzz.py --seconds 120

Starts `dermoscope serve` with an empty folder of cases, keeps one image and one case in it, and puts their tokens into
half of all paths, so that requests reach what lies behind them. Prints how many answers there were of each status and
ends with 1 if one of them was a fault (5xx), a status that the description does not name, or an answer of another form.
Needs: pip install schemathesis httpx
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

EXAMPLES = Path(__file__).parents[2] / "examples" / "images"
ROUND = 10


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=120.0, help="how long to go on")
    arguments.add_argument("--json", type=Path, help="where to write the counts")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        counts, faults = fuzz(address, chosen.seconds)
        alive = httpx.get(f"{address}v1/health", timeout=30).status_code == 200
    for status, count in sorted(counts.items()):
        print(f"{status} {count:7,}")
    print(f"all {counts.total():7,} answers, {len(faults)} faults, the service is {'alive' if alive else 'gone'}")
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if chosen.json:
        result = {"answers": {str(status): count for status, count in sorted(counts.items())}, "faults": len(faults)}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if faults or not alive else 0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "dermoscope", "serve", "--port", "0", "--quiet", "--cases", str(folder / "cases")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = re.search(r"http://\S+", process.stdout.readline())
        if said is None:
            raise SystemExit("the service did not start; its own message is above")
        try:
            yield said[0]
        finally:
            process.terminate()


def fuzz(address: str, seconds: float) -> tuple[Counter[int], list[str]]:
    client = httpx.Client(base_url=address, timeout=120)
    known = new_tokens(client)
    schema = schemathesis.openapi.from_url(f"{address}openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    counts: Counter[int] = Counter()
    faults: list[str] = []
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for operation in operations:
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
                number += 1
                with contextlib.suppress(Unsatisfiable):  # where nothing is asked for, nothing can be wrong
                    known = ask(operation, mode, number, client, known, counts, faults)
                if time.monotonic() > end:
                    return counts, faults
    return counts, faults


def ask(
    operation: schemathesis.APIOperation,
    mode: schemathesis.GenerationMode,
    number: int,
    client: httpx.Client,
    known: dict[str, str],
    counts: Counter[int],
    faults: list[str],
) -> dict[str, str]:
    """A round of requests; afterwards there are tokens to go on with."""
    sent_so_far = 0

    @seed(number)
    @given(sent=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(sent: schemathesis.Case) -> None:
        nonlocal sent_so_far
        sent_so_far += 1
        if sent_so_far % 2:
            sent.path_parameters = {name: known.get(name, value) for name, value in sent.path_parameters.items()}
        response = sent.call(base_url=str(client.base_url).rstrip("/"), timeout=120)
        counts[response.status_code] += 1
        described = {*operation.definition.raw["responses"], "405"}
        is_refusal = response.status_code >= 400
        if response.status_code >= 500 or str(response.status_code) not in described:
            faults.append(f"{operation.method} {operation.path}: {response.status_code} {response.text[:300]}")
        elif is_refusal and set(response.json()) != {"error"}:
            faults.append(f"{operation.method} {operation.path}: not in the form of errors: {response.text[:300]}")

    send()
    gone = client.get(f"v1/images/{known['token']}").status_code == 404
    gone |= client.get(f"v1/cases/{known['case_id']}").status_code == 404
    return new_tokens(client) if gone else known


def new_tokens(client: httpx.Client) -> dict[str, str]:
    image = next(EXAMPLES.glob("*network_light*")).read_bytes()
    token = client.post("v1/analyses?keep=true", files=[("image", image)]).json()["results"][0]["image"]
    case = client.post("v1/cases", json={"image": token}).json()["id"]
    return {"token": token, "case_id": case}


if __name__ == "__main__":
    sys.exit(main())
