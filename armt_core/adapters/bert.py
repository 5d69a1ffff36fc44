"""BERT: learned absolute positions, bidirectional."""

from typing import Any

from torch import Tensor
from transformers import BertForMaskedLM, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context


class BertAdapter(BackboneAdapter):
    """BertForMaskedLM, its head tied to the embeddings. Shapes as in the base class."""

    causal = False
    layers_path = "bert.encoder.layer"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return BertForMaskedLM(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        return self.backbone.bert.embeddings(inputs_embeds=embeddings, position_ids=position_ids)

    def layer(self, index: int, hidden: Tensor, context: Context) -> Tensor:
        return self.layers[index](hidden, context.bias)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.backbone.cls(hidden)

    def longest_segment(self) -> int | None:
        return int(self.backbone.config.max_position_embeddings)
