"""A document's memory as bytes: safetensors with one JSON manifest.

The same memory always gives the same bytes: the manifest has sorted keys and no
times, paths or host names. A memory that is handed over says in its manifest what was
read, too; its tensors are the same.

Axes: L layers, K key features, D width.
"""

import json
from dataclasses import asdict, dataclass

import safetensors
import torch
from safetensors.torch import load, save

from armt_core.config import ArmtConfig
from armt_core.errors import DamagedSnapshot, MemoryMismatch, OtherModel
from armt_core.memory import MemoryState

FORMAT = 1
#: Most bytes of a safetensors header with its manifest; ours take less than a thousand and
#: the title.
MOST_HEADER = 1 << 16


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself. title and tokens: of what was read, where it is said."""

    format: int
    fingerprint: str
    segments_read: int
    title: str | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        wanted = {"format": int, "segments_read": int, "fingerprint": str}
        wanted |= {"title": str} if self.title is not None else {}
        wanted |= {"tokens": int} if self.tokens is not None else {}
        for name, kind in wanted.items():
            if type(value := getattr(self, name)) is not kind:
                raise TypeError(f"{name} is {type(value).__name__}, not {kind.__name__}")
        for name in ("segments_read", "tokens"):
            if not 0 <= (getattr(self, name) or 0) < 1 << 40:
                raise ValueError(f"{name} is {getattr(self, name)}, which no reading gives")


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


def handover_bytes(data: bytes, title: str, tokens: int) -> bytes:
    """The same memory with a manifest that also says what was read. Raises as `read_manifest`."""
    manifest = asdict(read_manifest(data)) | {"title": title, "tokens": tokens}
    return save(load(data), {"manifest": json.dumps(manifest, sort_keys=True)})


def most_bytes(config: ArmtConfig) -> int:
    """The most bytes that a snapshot of a model takes, its manifest included."""
    L, K, D = config.num_hidden_layers, config.key_features, config.hidden_size
    return 8 + MOST_HEADER + 4 * L * K * (D + 1)


def read_manifest(data: bytes) -> Manifest:
    """The manifest of snapshot bytes. Raises DamagedSnapshot if there is none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MOST_HEADER, len(data) - 8):
        raise DamagedSnapshot(
            f"The bytes are not a whole Recollect snapshot: {len(data)} of them, with a header "
            f"said to take {length}; at most {MOST_HEADER} are read."
        )
    try:
        header = json.loads(data[8 : 8 + length])
        manifest = json.loads(header["__metadata__"]["manifest"])
        found = Manifest(**manifest)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedSnapshot(
            f"The bytes are not a Recollect snapshot: no readable manifest ({error})."
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
            f"{fingerprint[:12]}. Start with the model that made it, or have this one read the "
            "document itself."
        )
    try:
        tensors = load(data)
        A, z = tensors.pop("associations"), tensors.pop("normalizer")
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DamagedSnapshot(f"The snapshot cannot be read ({error}).") from error
    if tensors:
        raise DamagedSnapshot(f"The snapshot holds what is no memory: {sorted(tensors)}.")
    L, K, D = config.num_hidden_layers, config.key_features, config.hidden_size
    for name, tensor, shape in (("associations", A, (L, K, D)), ("normalizer", z, (L, K))):
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            raise MemoryMismatch(
                f"{name} must be float32 of {shape}, the snapshot holds {tensor.dtype} "
                f"of {tuple(tensor.shape)}."
            )
        if not bool(tensor.isfinite().all()):
            raise DamagedSnapshot(f"{name} holds numbers that are not finite.")
    if bool((z < 0).any()):
        raise DamagedSnapshot("normalizer holds negative numbers, which no reading gives.")
    return MemoryState(A.unsqueeze(1), z.unsqueeze(1), torch.tensor([manifest.segments_read]))
