"""One small adapter a family of backbones: how to embed, call a layer, and end.

`adapter_for(backbone)` picks it by the configuration's `model_type`.
"""

from armt_core.adapters.base import BackboneAdapter, Context, Seen
from armt_core.adapters.bert import BertAdapter
from armt_core.adapters.gpt2 import GPT2Adapter
from armt_core.adapters.gpt_neox import GPTNeoXAdapter
from armt_core.adapters.llama import LlamaAdapter
from armt_core.errors import ModelError

ADAPTERS: dict[str, type[BackboneAdapter]] = {
    "bert": BertAdapter,
    "gpt2": GPT2Adapter,
    "gpt_neox": GPTNeoXAdapter,
    "llama": LlamaAdapter,
    "mistral": LlamaAdapter,
    "qwen2": LlamaAdapter,
    "qwen3": LlamaAdapter,
    "smollm3": LlamaAdapter,
}


def adapter_class(model_type: str) -> type[BackboneAdapter]:
    """The adapter of a `model_type`. Raises ModelError for a family without one."""
    if model_type not in ADAPTERS:
        raise ModelError(
            f"There is no adapter for backbones of type {model_type!r}; "
            f"known are {', '.join(sorted(ADAPTERS))}. See armt_core/adapters/base.py to add one."
        )
    return ADAPTERS[model_type]


__all__ = ["ADAPTERS", "BackboneAdapter", "Context", "Seen", "adapter_class"]
