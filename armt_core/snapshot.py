"""A document's memory as bytes: safetensors with one JSON manifest.

The same memory always gives the same bytes: the manifest has sorted keys and no
times, paths or host names. A memory that is handed over says in its manifest what was
read, too; its tensors are the same.

Axes: L layers, K key features, D width.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

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
#: No reading gives a number beyond this: the largest that was met in 10,240 segments of a text
#: made to do harm was 2.9e7, in a book 1.3e3.
MOST = 1e12


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself. title and tokens: of what was read, and sha256: of all else
    in the file, where it is handed over."""

    format: int
    fingerprint: str
    segments_read: int
    title: str | None = None
    tokens: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        wanted = {"format": int, "segments_read": int, "fingerprint": str}
        wanted |= {"title": str} if self.title is not None else {}
        wanted |= {"tokens": int} if self.tokens is not None else {}
        wanted |= {"sha256": str} if self.sha256 is not None else {}
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
    """The same memory with a manifest that also says what was read, and the hash of it all.
    Raises as `read_manifest`."""
    manifest = asdict(read_manifest(data)) | {"title": title, "tokens": tokens}
    del manifest["sha256"]
    tensors = load(data)
    manifest["sha256"] = _hash(manifest, tensors)
    return save(tensors, {"manifest": json.dumps(manifest, sort_keys=True)})


def check_handover(data: bytes) -> None:
    """Raises DamagedSnapshot for bytes of `handover_bytes` of which any have changed, and for
    numbers that no reading gives, whoever made the hash. Call it after `load_snapshot`."""
    manifest = asdict(read_manifest(data))
    said = manifest.pop("sha256")
    if said is None:
        raise DamagedSnapshot(
            "It has no checksum (sha256), as those of older versions of Recollect: "
            "export it again with this one."
        )
    tensors = load(data)
    if said != _hash(manifest, tensors):
        raise DamagedSnapshot(
            "It is damaged: its content is not what its checksum (sha256) was made of. "
            "Copy or export it again."
        )
    for name in ("associations", "normalizer"):
        if (largest := float(tensors[name].abs().max())) > MOST:
            raise DamagedSnapshot(
                f"{name} holds {largest:.3g}; no reading gives more than {MOST:.0e}."
            )


def _hash(manifest: dict[str, object], tensors: dict[str, torch.Tensor]) -> str:
    """Hex SHA-256 of the manifest's sorted JSON, associations and normalizer, in this order."""
    whole = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())
    for name in ("associations", "normalizer"):
        whole.update(tensors[name].contiguous().numpy().astype("<f4").tobytes())
    return whole.hexdigest()


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
        manifest = json.loads(_member(_member(header, "__metadata__"), "manifest"))
        for name in ("format", "fingerprint", "segments_read"):
            _member(manifest, name)
        if unknown := set(manifest) - {field.name for field in fields(Manifest)}:
            raise ValueError(f"it says more than one does: {sorted(unknown)}")
        found = Manifest(**manifest)
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedSnapshot(
            f"The bytes are not a Recollect snapshot: no readable manifest ({error})."
        ) from error
    if found.format != FORMAT:
        raise DamagedSnapshot(
            f"The snapshot has format {found.format}, this Recollect reads format {FORMAT}."
        )
    return found


def _member(found: object, name: str) -> Any:
    """What a JSON object says of `name`. Raises ValueError where it says nothing."""
    if not isinstance(found, dict) or name not in found:
        raise ValueError(f"there is no {name!r}")
    return found[name]


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
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DamagedSnapshot(f"The snapshot cannot be read ({error}).") from error
    if missing := {"associations", "normalizer"} - set(tensors):
        raise DamagedSnapshot(f"The snapshot lacks {', '.join(sorted(missing))}.")
    A, z = tensors.pop("associations"), tensors.pop("normalizer")
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
