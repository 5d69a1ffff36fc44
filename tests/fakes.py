"""Tiny random models and what the tests share. W_v is never zero here: with it a broken
memory would pass."""

import json
from typing import Any

import torch
from transformers import (
    BertConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    Mamba2Config,
    MistralConfig,
    Qwen2Config,
)

from app.support import FEATURES, Calibration, Calibrations, MemoryCalibration
from armt_core import ArmtConfig, ArmtModel

VOCABULARY = 99
_ROTARY = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES = ("bert", "gpt2", "gpt_neox", "llama", "mistral", "qwen2")


def backbone_config(family: str) -> Any:
    """A two-layer backbone of width 32 without dropout."""
    if family == "bert":
        return BertConfig(**_ROTARY, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if family == "gpt2":
        return GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=64,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            embd_pdrop=0.0,
            resid_pdrop=0.0,
            attn_pdrop=0.0,
        )
    if family == "mamba2":  # not among FAMILIES: the backbone of the system "mamba" alone
        return Mamba2Config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            num_hidden_layers=2,
            num_heads=4,
            head_dim=16,
            state_size=8,
            n_groups=1,
            chunk_size=4,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    if family == "gpt_neox":
        return GPTNeoXConfig(**_ROTARY)
    kinds = {"llama": LlamaConfig, "mistral": MistralConfig, "qwen2": Qwen2Config}
    return kinds[family](**_ROTARY, num_key_value_heads=2)


def tiny_model(
    family: str = "bert", seed: int = 0, dtype: torch.dtype = torch.float32, **settings: Any
) -> ArmtModel:
    """An ARMT with 3 memory tokens, d_mem 4, and weights large enough to matter."""
    torch.manual_seed(seed)
    values = {"num_memory_tokens": 3, "memory_dim": 4, "segment_tokens": 24, **settings}
    model = ArmtModel(ArmtConfig(backbone=backbone_config(family), **values)).to(dtype).eval()
    with torch.no_grad():
        model.memory_tokens.normal_(std=0.5)
        memory = model.associative
        memory.value.normal_(std=0.3)
        for weight in (memory.query, memory.key, memory.beta_weight):
            weight.normal_(std=0.5)
        memory.beta_bias.normal_()
        for parameter in model.backbone.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    return model


def write_all(model: ArmtModel) -> None:
    """Writes every memory token with a beta of a half: the model that ships is silent about text
    without facts, and a broken memory of it would pass."""
    with torch.no_grad():
        model.associative.beta_weight.zero_()
        model.associative.beta_bias.zero_()


def random_ids(*shape: int, seed: int = 1) -> torch.Tensor:
    """Token ids without the special ones."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCABULARY, shape, generator=generator)


_RANKING = dict(zip(FEATURES, (4.0, 4.0, 2.0, 3.0, 0.0, 0.0, 0.0), strict=True))
_SENTENCES = {"ranking": _RANKING, "found": {**_RANKING, "share": 0.0}, "bias": -7.0}
#: What a folder's answering.json says in tests: weights that are easy to reason about.
CALIBRATION_JSON = json.dumps({"sentences": {**_SENTENCES, "threshold": 0.5}})
CALIBRATION = Calibrations(
    Calibration(tuple(_RANKING.values()), (*_RANKING.values(), 0.0), -7.0, 0.5),
    memory=MemoryCalibration(1.0, 0.0, 0.0, 1.0),
)
