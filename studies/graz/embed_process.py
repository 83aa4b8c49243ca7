"""Runs of `dermoscope embed` in processes of their own, watched, and what was found."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from embed import held

from dermoscope.data.manifest import Record, write_manifest
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features.database import Database
from dermoscope.features.errors import StoreError
from dermoscope.features.tables import FeatureTable

POLL_S = 0.3


@dataclass(frozen=True)
class Run:
    """One `dermoscope embed`."""

    what: str
    code: int
    errors: tuple[str, ...]
    summary: dict[str, Any]
    seconds: float
    peak_mib: float
    left_behind: int


@dataclass
class Study:
    """What every run needs, and what was found."""

    encoder: EncoderFolder
    scratch: Path
    checks: list[tuple[str, bool, str]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def check(self, what: str, right: bool, happened: str) -> None:
        """Note one result."""
        print("ok    " if right else "WRONG ", what, ":", happened, file=sys.stderr, flush=True)
        self.checks.append((what, right, happened))

    def embed(
        self,
        what: str,
        records: Sequence[Record],
        store: Path,
        *options: str,
        encoder: Path | None = None,
        meanwhile: Callable[[int], object] = lambda _: None,
        largest_file: int = 0,
    ) -> Run:
        """Run `dermoscope embed`, and every now and then `meanwhile` with its process id."""
        manifest, errors = self.scratch / "manifest.csv", self.scratch / "errors.txt"
        write_manifest(records, manifest)
        command = [
            sys.executable,
            "-m",
            "dermoscope",
            "embed",
            str(manifest),
            "--store",
            str(store),
            "--quiet",
            "--json",
        ]
        command += ["--encoder", str(encoder or self.encoder.folder), *options]
        started, peak, family = time.monotonic(), 0.0, set[int]()
        with errors.open("wb") as stream:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream)
            if largest_file:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
            while process.poll() is None:
                mebibytes, seconds = held(process.pid)
                peak = max(peak, mebibytes)
                family |= seconds.keys() - {process.pid}
                meanwhile(process.pid)
                time.sleep(POLL_S)
        printed = process.communicate()[0]
        run = Run(
            what,
            process.returncode,
            tuple(errors.read_text(encoding="utf-8", errors="replace").splitlines()),
            json.loads(printed) if printed else {},
            time.monotonic() - started,
            peak,
            still_running(family),
        )
        self.runs.append(run)
        return run

    def keys(self, store: Path) -> list[str]:
        """Every key of the table of means."""
        import lancedb

        table = lancedb.connect(str(store)).open_table(FeatureTable.name_of(self.fingerprint, "mean"))
        found: list[str] = table.to_arrow().column("key").to_pylist()
        return found

    def rows(self, store: Path) -> int:
        """How many images are stored by now."""
        try:
            return FeatureTable.open(Database(store), self.fingerprint, "mean").count()
        except StoreError:
            return 0  # not made yet

    def finished(self, store: Path) -> int:
        """How many files are known by now: their rows were written before."""
        database = Database(store)
        return sum(int(database.open(name).count_rows()) for name in database.names() if name.startswith("files."))

    @property
    def fingerprint(self) -> str:
        """Of the encoder."""
        return self.encoder.description.fingerprint


def still_running(processes: set[int], seconds: float = 10.0) -> int:
    """How many processes have not ended after a while."""
    deadline = time.monotonic() + seconds
    left = processes
    while left and time.monotonic() < deadline:
        left = {one for one in left if Path(f"/proc/{one}").exists()}
        time.sleep(0.1)
    return len(left)
