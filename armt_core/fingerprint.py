"""What identifies a model. Knows no torch, so that a list of documents need not load it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from armt_core.errors import ModelError


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
    """Hex SHA-256 over weights, tokenizer files, segment and memory settings. Raises ModelError
    for a folder that is no model."""
    config = configuration(folder)
    backbone = {
        k: v
        for k, v in config.get("backbone", {}).items()
        if k not in ("dtype", "torch_dtype", "transformers_version", "architectures")
    }
    own = ("num_memory_tokens", "memory_dim", "segment_tokens", "memory_tokens", "deltas")
    described = {"backbone": backbone, "memory": {k: config.get(k) for k in own}, **settings}
    if config.get("system", "armt") != "armt":  # older configurations do not name it
        described |= {"system": config["system"], "window": config.get("window")}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    files = sorted(
        p
        for p in folder.iterdir()
        if p.suffix == ".safetensors"
        or p.name in ("tokenizer.json", "tokenizer.model", "vocab.txt")
    )
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
