"""A model folder from a sentence-transformers BERT: its weights, and a fresh memory.

python -m training convert all-MiniLM-L6-v2/ models/default
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertConfig

from armt_core.config import ArmtConfig
from armt_core.errors import ModelError
from armt_core.model import ArmtModel


def convert_sentence_transformer(
    source: Path, output: Path, memory_tokens: int = 16, memory_dim: int = 32, seed: int = 0
) -> None:
    """Writes `output` with float16 safetensors, config.json and tokenizer.

    W_v is zero, so the model equals the original whatever is in memory. The
    language-model head is not part of the original either: its transform starts as
    random numbers, and the model is marked as not answering from memory.
    Raises ModelError if `source` lacks weights or has other layers than its config.
    """
    weights = source / "model.safetensors"
    if not weights.is_file():
        raise ModelError(f"{source} has no model.safetensors.")
    backbone = BertConfig.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    # Answers written by the language-model head start at [CLS] and stop at [SEP].
    backbone.bos_token_id, backbone.eos_token_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    torch.manual_seed(seed)
    model = ArmtModel(
        ArmtConfig(backbone=backbone, num_memory_tokens=memory_tokens, memory_dim=memory_dim)
    )
    original = {
        f"backbone.bert.{name.removeprefix('bert.')}": tensor
        for name, tensor in load_file(weights).items()
        if "pooler" not in name and not name.endswith("position_ids")
    }
    missing, unknown = model.load_state_dict(original, strict=False)
    if unknown:
        raise ModelError(f"{weights} holds weights that no BERT has: {sorted(unknown)[:3]}.")
    if lost := [name for name in missing if name.startswith("backbone.bert.")]:
        raise ModelError(f"{weights} lacks {lost[:3]}.")
    output.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(output)
    tokenizer.save_pretrained(output)
    for name in ("vocab.txt",):
        if not (output / "tokenizer.json").is_file() and (source / name).is_file():
            shutil.copyfile(source / name, output / name)
