"""Analyses images in actors of a Ray cluster, on one machine or many; the batch around it stays the same.

Every actor holds the model and analyses one image at a time on one core. An actor that dies is started again and its
image analysed once more; one that does not answer is replaced, and its image has failed. Results come back to this
process, which alone writes. Paths must mean the same files on every worker.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dermoscope.analyzer import Analyzer, Outcome, settings_of
from dermoscope.bundle import SHIPPED, Bundle, named_bundle
from dermoscope.engine import EngineName, Precision
from dermoscope.features.errors import StoreError
from dermoscope.features.ray_cluster import connect, placed_on, release, reserve
from dermoscope.images import ImageError
from dermoscope.model_folder import BundleError

LOAD_SECONDS = 600
"""How long actors may take to load the model; where it was never compiled and the disk is far away, that is minutes."""
IMAGE_SECONDS = 600
"""How long one image is waited for, its actor's restarts included; a large one takes some ten seconds."""

_TRIES = 3


class RayAnalyzer:
    """Is an `ImageAnalyzer`; as many threads may call it at once as it has actors, further ones wait.

    Args:
        bundle: A folder or a name, see `dermoscope.load`, but not one that is loaded; the folder must be visible to
            every worker under the same path.
        mode: Which of its modes answers; the first if left out.
        operating_point: Name of the mode's operating point that flags malignancy; its own if left out.
        jobs: Actors, one core each, which the cluster must have, or grow to.
        address: Of a running cluster, such as `auto` or `ray://head:10001`; if none is named here or by `RAY_ADDRESS`,
            one is started on this machine.
        engine: Inference engine; by default the fastest installed.
        precision: `auto` computes in bfloat16 where the processor has it.
        max_pixels: Files with more pixels are refused by their header.

    Raises:
        BundleError: If the bundle is missing or damaged, has no such mode or operating point, or is another one on a
            worker.
        EngineError: If no engine can run it.
        CoresError: If the cluster has fewer cores than there are jobs and does not grow, or they stay busy.
        StoreError: If Ray is missing, the cluster cannot be reached, or the actors do not come up.
    """

    def __init__(
        self,
        bundle: str | Path | None = None,
        *,
        mode: str | None = None,
        operating_point: str | None = None,
        jobs: int = 1,
        address: str | None = None,
        engine: EngineName | None = None,
        precision: Precision = "auto",
        max_pixels: int,
    ) -> None:
        loaded, mode = named_bundle(bundle, mode)
        self.bundle = loaded if operating_point is None else loaded.at_operating_point(operating_point, mode)
        self.mode, _ = self.bundle.mode(mode)
        self.settings = settings_of(
            mode=self.mode,
            operating_point=self.bundle.operating_point(mode),
            engine=engine,
            precision=precision,
            max_pixels=max_pixels,
        )
        connect(address, jobs)
        import ray

        self._cores = reserve(jobs)
        actor = ray.remote(
            num_cpus=1, max_restarts=-1, max_task_retries=_TRIES, scheduling_strategy=placed_on(self._cores)
        )(_Analyst)
        place = None if loaded.folder == SHIPPED else loaded.folder.absolute()
        options = (self.mode or None, operating_point, engine, precision, max_pixels)
        self._start = partial(actor.remote, place, self.bundle.fingerprint, *options)
        self._actors: list[Any] = [self._start() for _ in range(jobs)]
        try:
            ray.get([one.ready.remote() for one in self._actors], timeout=LOAD_SECONDS)
        except ray.exceptions.RayActorError as error:
            self.close()
            raise BundleError(f"a worker cannot analyse: {_cause(error)}") from None
        except ray.exceptions.GetTimeoutError:
            self.close()
            raise StoreError(f"not every worker has loaded the model within {LOAD_SECONDS} seconds") from None
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for one in self._actors:
            self._idle.put(one)

    def describe(self) -> dict[str, Any]:
        """The bundle as plain JSON types, and which of its modes answers."""
        return self.bundle.describe(self.mode)

    def analyze(
        self,
        source: Path,
        *,
        image_id: str,
        path: str,
        frame: int,
        picture: bool,
        spacing_mm: tuple[float, float] | None = None,
    ) -> Outcome:
        """Analyse one file.

        Raises:
            ImageError: If it cannot be read, something went wrong with it on its worker, or no worker answers.
        """
        import ray

        actor = self._idle.get()
        try:
            asked = actor.analyze.remote(source.absolute(), image_id, path, frame, picture, spacing_mm)
            found = ray.get(asked, timeout=IMAGE_SECONDS)
        except ray.exceptions.GetTimeoutError:
            actor = self._replaced(actor)
            raise ImageError(path, f"got no answer from its worker within {IMAGE_SECONDS} seconds") from None
        finally:
            self._idle.put(actor)
        if isinstance(found, Outcome):
            return found
        raise ImageError(*found)

    def _replaced(self, actor: Any) -> Any:
        """A new actor for one that is still at its image, and would be again if it were started again itself."""
        import ray

        ray.kill(actor)
        new = self._start()
        self._actors[self._actors.index(actor)] = new
        return new

    def close(self) -> None:
        """Stop the actors, and give their cores back."""
        import ray

        for actor in self._actors:
            ray.kill(actor)
        release(self._cores)


class _Analyst:
    """An actor."""

    def __init__(
        self,
        bundle: Path | None,
        fingerprint: str,
        mode: str | None,
        operating_point: str | None,
        engine: EngineName | None,
        precision: Precision,
        max_pixels: int,
    ) -> None:
        loaded = Bundle.load(bundle) if bundle else Bundle.default()
        if loaded.fingerprint != fingerprint:
            raise BundleError(f"{loaded.folder} is {loaded.fingerprint} there and {fingerprint} here")
        self._analyzer = Analyzer(
            loaded,
            mode=mode,
            operating_point=operating_point,
            engine=engine,
            precision=precision,
            threads=1,
            max_pixels=max_pixels,
        )

    def ready(self) -> bool:
        return True

    def analyze(
        self,
        source: Path,
        image_id: str,
        path: str,
        frame: int,
        picture: bool,
        spacing_mm: tuple[float, float] | None,
    ) -> Outcome | tuple[str, str]:
        """The outcome; or, as errors do not survive every way between processes, name and reason of one."""
        try:
            return self._analyzer.analyze(
                source, image_id=image_id, path=path, frame=frame, picture=picture, spacing_mm=spacing_mm
            )
        except ImageError as error:
            return error.name, error.reason
        except Exception as error:  # whatever a stranger's file sets off, it stops at this image
            return str(source), f"{type(error).__name__}: {error}"


def _cause(error: Exception) -> str:
    """The last line of what an actor said before it died."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
