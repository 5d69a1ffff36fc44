"""Opening a model folder: which type is faster here."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from armt_core.document_model import DocumentModel
from armt_core.errors import ModelError
from armt_core.fingerprint import configuration, fingerprint
from armt_core.model import ArmtModel
from armt_core.packing import pack_linears
from armt_core.tokenizing import OneAtATime


def open_model(
    folder: Path | str, settings: dict[str, Any] | None = None, dtype: torch.dtype | None = None
) -> DocumentModel:
    """Opens a model folder, on a GPU if there is one; nothing is downloaded.

    settings: what else decides the memory (the parser's version); goes into the
    fingerprint. dtype: of the backbone; None: `faster_dtype` of the device. Raises ModelError
    for a folder that is not a model.
    """
    folder = Path(folder)
    configuration(folder)
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
        dtype = faster_dtype(model.device)
        model.backbone.to(dtype)
        model.deltas.to(dtype)
        if device == "cpu" and "memory" in model.deltas:
            # Of sixteen rows: a product takes a fifth of the time that it does in bfloat16.
            model.deltas["memory"].float()
    # The head of the vocabulary has work only where answers come from memory, and is large.
    pack_linears(model.backbone if model.config.answers_from_memory else model.adapter.layers)
    return DocumentModel(model, OneAtATime(tokenizer), fingerprint(folder, settings or {}))


def faster_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies in it (CPUs with AMX or AVX512_BF16, GPUs that say so),
    float32 elsewhere.

    By what the processor can, not by a measurement: on a busy machine two programs measured
    differently, and a reading that was continued did not end in the same bits.
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Torch has no public name for these; without AMX or AVX512_BF16 it only imitates them.
        able = device.type == "cpu" and (
            torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        )
    return torch.bfloat16 if able else torch.float32
