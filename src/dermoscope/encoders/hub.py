"""Weights from the model hub, only when somebody asks for them. Torch-free."""

from __future__ import annotations

import shutil
from pathlib import Path

from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.weights import MODEL_FILE, WeightsError
from dermoscope.files import sha256_of


def fetch_weights(spec: EncoderSpec, out: Path, *, endpoint: str | None = None) -> Path:
    """Download an encoder's weights from the hub; an interrupted download goes on where it stopped.

    No credentials are sent, and nothing but the safetensors file is asked for.

    Args:
        spec: Which encoder.
        out: The safetensors file to write.
        endpoint: Address of the hub; by default the one `huggingface_hub` is set to.

    Returns:
        `out`.

    Raises:
        WeightsError: If the encoder is on no hub, the hub cannot be reached or lacks the file, or what came is damaged.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
    from safetensors import SafetensorError, safe_open

    by_hand = f"get the checkpoint elsewhere ({spec.source}) and run: dermoscope models import"
    if not spec.hub:
        raise WeightsError(f"{spec.name} is on no hub; {by_hand} FILE --encoder {spec.name}")
    partial = out.with_name(f"{out.name}.partial")
    try:
        file = Path(hf_hub_download(spec.hub, MODEL_FILE, local_dir=partial, endpoint=endpoint, token=False))
    except LocalEntryNotFoundError:
        raise WeightsError(f"the hub cannot be reached for {spec.hub}; are you offline? Or {by_hand}") from None
    except (EntryNotFoundError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"the hub does not give {spec.hub}/{MODEL_FILE}: {reason}; {by_hand}") from None
    except OSError as error:
        raise WeightsError(f"{spec.hub}/{MODEL_FILE} could not be fetched: {error}; {by_hand}") from None
    if spec.sha256 and sha256_of(file) != spec.sha256:
        shutil.rmtree(partial)
        raise WeightsError(f"{spec.hub}/{MODEL_FILE} is not the known file, its SHA-256 differs; it was thrown away")
    try:
        with safe_open(file, "np") as stored:
            stored.keys()
    except SafetensorError as error:
        shutil.rmtree(partial)
        raise WeightsError(f"{spec.hub}/{MODEL_FILE} is no safetensors file ({error}); it was thrown away") from None
    file.replace(out)
    shutil.rmtree(partial)
    return out
