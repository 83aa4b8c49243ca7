"""The local engine: images are decoded in processes, and the encoder runs on several of them at once in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from dermoscope.encoders.folder import EncoderFolder
from dermoscope.engine import EngineName, Precision
from dermoscope.features.decoding import DecodingPool
from dermoscope.features.encoder import arithmetic, compile_encoder
from dermoscope.features.extraction import Failed, Outcome, WorkItem, encode_views


class LocalEngine:
    """Runs an encoder on this machine; is an `ExtractionEngine`.

    Args:
        encoder: The encoder.
        jobs: Images at once: processes that decode, and streams of the encoder on one thread each.
        engine: Inference engine; by default the fastest installed.
        precision: `auto` computes in bfloat16 where the processor has it.

    Raises:
        EngineError: If the graph cannot be compiled.
    """

    def __init__(
        self,
        encoder: EncoderFolder,
        *,
        jobs: int = 1,
        engine: EngineName | None = None,
        precision: Precision = "auto",
    ) -> None:
        self._contract = encoder.description.contract
        self._graph = compile_encoder(encoder, engine=engine, precision=precision, jobs=jobs)
        self._jobs = jobs
        self._arithmetic = arithmetic(engine, precision)

    @property
    def arithmetic(self) -> str:
        """What it computes with."""
        return self._arithmetic

    def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
        """Embed images; see `ExtractionEngine.run`.

        At most four images a job are in memory: two being decoded, one at the encoder and one waiting for it.
        """
        encoding: deque[Future[Outcome]] = deque()
        with DecodingPool(self._contract, self._jobs) as pool, ThreadPoolExecutor(self._jobs, "encode") as threads:
            try:
                for decoded in pool.decoded(items):
                    if isinstance(decoded, Failed):
                        yield decoded
                        continue
                    encoding.append(threads.submit(encode_views, decoded, self._graph, columns))
                    while encoding and (encoding[0].done() or len(encoding) >= 2 * self._jobs):
                        yield encoding.popleft().result()
                while encoding:
                    yield encoding.popleft().result()
            finally:
                threads.shutdown(wait=True, cancel_futures=True)
