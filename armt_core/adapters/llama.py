"""Llama and the families built like it (Mistral, Qwen, SmolLM): rotary, causal."""

from typing import Any

from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context
from armt_core.lowrank import LayerDelta


class LlamaAdapter(BackboneAdapter):
    """Any model with `model.layers`, `model.norm` and `model.rotary_emb`. Shapes as in the base."""

    causal = True
    layers_path = "model.layers"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return AutoModelForCausalLM.from_config(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        return embeddings

    def rotary(self, hidden: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.backbone.model.rotary_emb(hidden, position_ids=position_ids)

    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        return self.layers[index](
            hidden,
            attention_mask=context.bias,
            position_ids=context.position_ids,
            past_key_values=context.cache,
            use_cache=context.cache is not None,
            position_embeddings=context.rotary,
        )

    def finish(self, hidden: Tensor) -> Tensor:
        return self.backbone.model.norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.backbone.lm_head(hidden)

    def longest_segment(self) -> int | None:
        # Our masks know no sliding window; a segment that fits in it needs none.
        config = self.backbone.config
        kinds = getattr(config, "layer_types", None)
        windowed = kinds is None or "sliding_attention" in kinds
        window = getattr(config, "sliding_window", None)
        return int(window) if windowed and window else None
