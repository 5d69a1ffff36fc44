"""Mamba-2: no attention and no positions. So it is no backbone of an ARMT and not among `ADAPTERS`;
`armt_core.state_space` reads with it."""

from typing import Any

from torch import Tensor
from transformers import Mamba2ForCausalLM, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context
from armt_core.lowrank import LayerDelta


class Mamba2Adapter(BackboneAdapter):
    """Mamba2ForCausalLM. Shapes as in the base class."""

    causal = True
    layers_path = "backbone.layers"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return Mamba2ForCausalLM(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        return embeddings

    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        block: Any = self.layers[index]
        # transformers pads rows to whole chunks. Numbers do not depend on how long they are.
        block.mixer.chunk_size = min(self.backbone.config.chunk_size, hidden.shape[1])
        return block(hidden, cache_params=context.cache)

    def finish(self, hidden: Tensor) -> Tensor:
        return self.backbone.backbone.norm_f(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        head = self.backbone.lm_head
        return head(hidden.to(head.weight.dtype))
