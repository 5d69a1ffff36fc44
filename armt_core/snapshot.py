"""A document's memory as bytes: safetensors with one JSON manifest.

The same memory always gives the same bytes: the manifest has sorted keys and no
times, paths or host names.

Axes: L layers, K key features, D width.
"""

import json
from dataclasses import dataclass

import safetensors
import torch
from safetensors.torch import load, save

from armt_core.config import ArmtConfig
from armt_core.errors import DamagedSnapshot, MemoryMismatch, OtherModel
from armt_core.memory import MemoryState

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself."""

    format: int
    fingerprint: str
    segments_read: int


def snapshot_bytes(memory: MemoryState, fingerprint: str) -> bytes:
    """The memory of ONE document as safetensors bytes, float32.

    Raises MemoryMismatch for a batch of several documents.
    """
    if memory.batch != 1:
        raise MemoryMismatch(
            f"A snapshot holds one document, this memory holds {memory.batch}; use select(i)."
        )
    manifest = {
        "fingerprint": fingerprint,
        "format": FORMAT,
        "segments_read": int(memory.segments_read[0]),
    }
    tensors = {
        "associations": memory.associations[:, 0].float().contiguous().cpu(),  # (L, K, D)
        "normalizer": memory.normalizer[:, 0].float().contiguous().cpu(),  # (L, K)
    }
    return save(tensors, {"manifest": json.dumps(manifest, sort_keys=True)})


def read_manifest(data: bytes) -> Manifest:
    """The manifest of snapshot bytes. Raises DamagedSnapshot if there is none."""
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        manifest = json.loads(header["__metadata__"]["manifest"])
        found = Manifest(**manifest)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedSnapshot(
            "These bytes are not a Recollect snapshot: no readable manifest. "
            "Read the document again (python -m app reread)."
        ) from error
    if found.format != FORMAT:
        raise DamagedSnapshot(
            f"The snapshot has format {found.format}, this Recollect reads format {FORMAT}."
        )
    return found


def load_snapshot(data: bytes, config: ArmtConfig, fingerprint: str) -> MemoryState:
    """The memory in snapshot bytes, for the model of `config` and `fingerprint`.

    Raises OtherModel if another model wrote it, DamagedSnapshot if the bytes are not
    a snapshot or hold impossible numbers, MemoryMismatch for another shape or type.
    """
    manifest = read_manifest(data)
    if manifest.fingerprint != fingerprint:
        raise OtherModel(
            f"This memory was made by model {manifest.fingerprint[:12]}, the loaded model is "
            f"{fingerprint[:12]}. Read the document again (python -m app reread), or start with "
            "the model that made it."
        )
    try:
        tensors = load(data)
        A, z = tensors["associations"], tensors["normalizer"]
    except (safetensors.SafetensorError, KeyError) as error:
        raise DamagedSnapshot(
            f"The snapshot cannot be read ({error}). Read the document again "
            "(python -m app reread)."
        ) from error
    L, K, D = config.num_hidden_layers, config.key_features, config.hidden_size
    for name, tensor, shape in (("associations", A, (L, K, D)), ("normalizer", z, (L, K))):
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            raise MemoryMismatch(
                f"{name} must be float32 of {shape}, the snapshot holds {tensor.dtype} "
                f"of {tuple(tensor.shape)}."
            )
        if not bool(tensor.isfinite().all()):
            raise DamagedSnapshot(f"{name} holds numbers that are not finite.")
    if bool((z < 0).any()) or manifest.segments_read < 0:
        raise DamagedSnapshot("normalizer or segments_read is negative, which no reading gives.")
    return MemoryState(A.unsqueeze(1), z.unsqueeze(1), torch.tensor([manifest.segments_read]))
