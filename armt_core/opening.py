"""Opening a model folder: which type is faster here, and what identifies the model.

Axes: B documents, T tokens.
"""

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from armt_core.document_model import DocumentModel
from armt_core.errors import ModelError
from armt_core.model import ArmtModel
from armt_core.packing import pack_linears
from armt_core.systems import SystemModel
from armt_core.tokenizing import OneAtATime

log = logging.getLogger(__name__)

# A 16-bit model must be clearly faster to be chosen; a near tie would flip between runs.
CLEARLY_FASTER = 1.2


def open_model(
    folder: Path | str, settings: dict[str, Any] | None = None, dtype: torch.dtype | None = None
) -> DocumentModel:
    """Opens a model folder, on a GPU if there is one; nothing is downloaded.

    settings: what else decides the memory (the parser's version); goes into the
    fingerprint. dtype: of the backbone; None: the faster of float32 and bfloat16,
    by a short measurement. Raises ModelError for a folder that is not a model.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no model folder: it has no config.json.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = ArmtModel.from_pretrained(
            folder, dtype=dtype or torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The model in {folder} cannot be loaded: {error}") from error
    model = model.to(device).eval()
    if dtype is None:
        dtype = faster_dtype(model)
        model.backbone.to(dtype)
        model.deltas.to(dtype)
        if device == "cpu" and "memory" in model.deltas:
            # Of sixteen rows: a product takes a fifth of the time that it does in bfloat16.
            model.deltas["memory"].float()
    # The head of the vocabulary has work only where answers come from memory, and is large.
    pack_linears(model.backbone if model.config.answers_from_memory else model.adapter.layers)
    return DocumentModel(model, OneAtATime(tokenizer), fingerprint(folder, settings or {}))


def faster_dtype(model: SystemModel, runs: int = 5) -> torch.dtype:
    """float32 or bfloat16: the one in which one full segment goes through faster.

    Tries both on this device; leaves the backbone as it was.
    """
    original = model.backbone.dtype
    kept = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    ids = torch.ones(1, model.config.segment_tokens, dtype=torch.int64, device=model.device)
    seconds: dict[torch.dtype, float] = {}
    for dtype in (torch.float32, torch.bfloat16):
        model.backbone.to(dtype)
        with torch.inference_mode():
            times = [_seconds(model, ids) for _ in range(runs)]
        seconds[dtype] = min(times[1:])
    model.backbone.to(original).load_state_dict(kept)
    ratio = seconds[torch.float32] / seconds[torch.bfloat16]
    chosen = torch.bfloat16 if ratio > CLEARLY_FASTER else torch.float32
    log.info("bfloat16 is %.2f times as fast as float32 here: using %s", ratio, chosen)
    return chosen


def _seconds(model: SystemModel, ids: Tensor) -> float:
    start = time.perf_counter()
    model.run(ids)
    if ids.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def fingerprint(folder: Path, settings: dict[str, Any]) -> str:
    """Hex SHA-256 over weights, tokenizer files, segment and memory settings."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
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
