"""What identifies a model as the reader of a memory. Knows no torch, so that a list of documents
need not load it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from armt_core.errors import ModelError

#: Weights that only what is asked goes through. A memory and the vectors of passages are the same
#: whatever they are, so a model that has learned to ask better need not read anything again.
_ASKING_DELTAS = ("answer", "reader")
_ASKING = (*(f"deltas.{role}." for role in _ASKING_DELTAS), "span.")
#: Of a file of weights: how many bytes say how long its header is (safetensors).
_LENGTH = 8
#: Bytes of weights that are held at once.
_TOGETHER = 2**24


def configuration(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder; raises ModelError where there is none."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model folder: it has no config.json.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"The model in {folder} cannot be loaded: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"The model in {folder} cannot be loaded: config.json is no object.")
    return found


def fingerprint(folder: Path, settings: dict[str, Any]) -> str:
    """Hex SHA-256 over what a document is read with: weights (but for those of asking alone),
    tokenizer files, segment and memory settings. Raises ModelError for a folder that is no
    model."""
    config = configuration(folder)
    backbone = {
        k: v
        for k, v in config.get("backbone", {}).items()
        if k not in ("dtype", "torch_dtype", "transformers_version", "architectures")
    }
    own = ("num_memory_tokens", "memory_dim", "segment_tokens", "memory_tokens")
    ranks = (config.get("deltas") or {}).items()
    reading = {role: rank for role, rank in ranks if role not in _ASKING_DELTAS}
    memory = {k: config.get(k) for k in own} | {"deltas": reading}
    for name in ("sentence_ends", "reads_in_order"):
        if config.get(name):  # older configurations do not name them
            memory[name] = config[name]
    described = {"backbone": backbone, "memory": memory, **settings}
    if config.get("system", "armt") != "armt":  # older configurations do not name it
        described |= {"system": config["system"], "window": config.get("window")}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for path in sorted(folder.iterdir()):
        if path.suffix == ".safetensors":
            for part in _weights(path):
                digest.update(part)
        elif path.name in ("tokenizer.json", "tokenizer.model", "vocab.txt"):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _weights(path: Path) -> Iterator[bytes]:
    """Name, type, shape and numbers of each tensor of a file that reading goes through. Raises
    ModelError for a file that is not whole."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            header = int.from_bytes(file.read(_LENGTH), "little")
            if header > size:
                raise ValueError("its header is longer than the file")
            tensors = json.loads(file.read(header))
            for name in sorted(tensors.keys() - {"__metadata__"}):
                if name.startswith(_ASKING):
                    continue
                start, end = tensors[name]["data_offsets"]
                if not 0 <= start <= end <= size - header - _LENGTH:
                    raise ValueError(f"{name} is not all there")
                yield json.dumps([name, tensors[name]["dtype"], tensors[name]["shape"]]).encode()
                file.seek(_LENGTH + header + start)
                for at in range(start, end, _TOGETHER):
                    yield file.read(min(_TOGETHER, end - at))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"The weights in {path} cannot be read: {error}") from error
