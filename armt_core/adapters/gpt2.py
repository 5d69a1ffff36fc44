"""GPT-2: learned absolute positions, causal."""

from typing import Any

from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context
from armt_core.lowrank import LayerDelta


class GPT2Adapter(BackboneAdapter):
    """GPT2LMHeadModel. Shapes as in the base class."""

    causal = True
    layers_path = "transformer.h"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return GPT2LMHeadModel(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        inner = self.backbone.transformer
        return inner.drop(embeddings + inner.wpe(position_ids))

    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        return self.layers[index](
            hidden,
            context.cache,
            context.bias,
            use_cache=context.cache is not None,
            position_ids=context.position_ids,
        )

    def finish(self, hidden: Tensor) -> Tensor:
        return self.backbone.transformer.ln_f(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.backbone.lm_head(hidden)

    def longest_segment(self) -> int | None:
        return int(self.backbone.config.max_position_embeddings)
