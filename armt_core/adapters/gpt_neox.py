"""GPT-NeoX (Pythia): rotary positions, causal."""

from typing import Any

from torch import Tensor
from transformers import GPTNeoXForCausalLM, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context
from armt_core.lowrank import LayerDelta


class GPTNeoXAdapter(BackboneAdapter):
    """GPTNeoXForCausalLM. Shapes as in the base class."""

    causal = True
    layers_path = "gpt_neox.layers"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return GPTNeoXForCausalLM(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        return self.backbone.gpt_neox.emb_dropout(embeddings)

    def rotary(self, hidden: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.backbone.gpt_neox.rotary_emb(hidden, position_ids=position_ids)

    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        return self.layers[index](
            hidden,
            attention_mask=context.bias,
            position_ids=context.position_ids,
            layer_past=context.cache,
            use_cache=context.cache is not None,
            position_embeddings=context.rotary,
        )

    def finish(self, hidden: Tensor) -> Tensor:
        return self.backbone.gpt_neox.final_layer_norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.backbone.lm_head(hidden)
