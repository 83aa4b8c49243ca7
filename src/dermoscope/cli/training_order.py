"""What every training is ordered with, and how its run folder begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dermoscope.data.manifest import Record
    from dermoscope.training.run_folder import RunFolder


class UsageError(Exception):
    """What was typed cannot be done."""


@dataclass(frozen=True)
class Order:
    """What was typed, but for what one kind of recipe alone takes.

    Attributes:
        recipe: Name of a recipe, or a YAML file.
        manifest: The images.
        out: Folder of the run.
        variants: Variants of the recipe.
        changes: Changes to the recipe.
        allow_leaks: Why to train although splits share lesions.
        prints: File for the hashes of the leak check.
        resamples: Of the bootstrap.
        jobs: Images that are read at once.
    """

    recipe: str
    manifest: Path
    out: Path
    variants: tuple[str, ...]
    changes: tuple[str, ...]
    allow_leaks: str | None
    prints: Path | None
    resamples: int
    jobs: int

    def records(self, needs: Sequence[str]) -> list[Record]:
        """The manifest, if it has no problem.

        Args:
            needs: Columns that the training needs.

        Raises:
            ManifestError: If anything is wrong with it.
        """
        from dermoscope.data.manifest import check_manifest, read_manifest

        check_manifest(self.manifest, needs=needs, files=False)
        return list(read_manifest(self.manifest))

    def begin(
        self, records: Sequence[Record], seeds: Sequence[int], source: Sequence[str | Path], start: Path | None = None
    ) -> RunFolder:
        """Look for leaks, and begin the run folder.

        Args:
            records: The manifest.
            seeds: Of the run.
            source: Options that say what is learnt from; of a `Path`, the run keeps the name alone.
            start: Run of a network to go on from, if any.

        Raises:
            LeaksFoundError: If splits share lesions and nobody allowed it.
            LearntBeforeError: If the run to go on from has learnt from held-out images, and nobody allowed it.
            StartError: If that run does not say what it has learnt from.
        """
        from dermoscope.training.leaks import check_before_training, decide
        from dermoscope.training.run_folder import RunFolder, RunRecord
        from dermoscope.training.starts import learnt_before

        learnt = learnt_before(start, records) if start else []
        check = check_before_training(self.manifest, self.out, cache=self.prints, jobs=self.jobs)
        leaks = decide(check, self.allow_leaks, learnt_before=learnt)
        command = self._command(source)
        record = RunRecord.begin(command=command, seeds=seeds, records=records, check=check, leaks=leaks)
        return RunFolder(self.out, record)

    def _command(self, source: Sequence[str | Path]) -> list[str | Path]:
        recipe = Path(self.recipe) if Path(self.recipe).is_file() else self.recipe
        typed: list[str | Path] = ["dermoscope", "train", recipe, "--manifest", self.manifest, *source]
        typed += ["--out", self.out]
        typed += [part for variant in self.variants for part in ("--variant", variant)]
        typed += [part for change in self.changes for part in ("--set", change)]
        return [*typed, *([] if self.allow_leaks is None else ["--allow-leaks", self.allow_leaks])]
