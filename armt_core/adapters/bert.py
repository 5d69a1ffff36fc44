"""BERT: learned absolute positions, bidirectional."""

from typing import Any

import torch
from torch import Tensor
from transformers import BertForMaskedLM, PreTrainedModel

from armt_core.adapters.base import BackboneAdapter, Context, Seen
from armt_core.adapters.bert_layer import look, look_apart, seen
from armt_core.lowrank import LayerDelta


class BertAdapter(BackboneAdapter):
    """BertForMaskedLM, its head tied to the embeddings. Shapes as in the base class."""

    causal = False
    takes_deltas = True
    layers_path = "bert.encoder.layer"

    @staticmethod
    def build(config: Any) -> PreTrainedModel:
        return BertForMaskedLM(config)

    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        return self.backbone.bert.embeddings(inputs_embeds=embeddings, position_ids=position_ids)

    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        layer = self.layers[index]
        if delta is None:
            return layer(hidden, context.bias)
        return look(layer, hidden, seen(layer, hidden, delta), context.bias, delta)

    def layer_apart(
        self,
        index: int,
        text: Tensor,
        tokens: Tensor,
        of_text: Tensor,
        of_tokens: Tensor,
        delta: LayerDelta | None,
    ) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():  # then text is not to be in the graph of the tokens
            at = self.seen(index, text)
            after = look(self.layers[index], text, at, of_text, None)
            return after, self.tokens_apart(index, at, tokens, of_tokens, delta)
        T, rows = text.shape[1], torch.cat([text, tokens], dim=1)
        rows = look_apart(self.layers[index], rows, T, of_text, of_tokens, delta)
        return rows[:, :T], rows[:, T:]

    def seen(self, index: int, text: Tensor) -> Seen:
        return seen(self.layers[index], text, None)

    def tokens_apart(
        self, index: int, text: Seen, tokens: Tensor, of_tokens: Tensor, delta: LayerDelta | None
    ) -> Tensor:
        layer = self.layers[index]
        both = text.and_then(seen(layer, tokens, delta))
        return look(layer, tokens, both, of_tokens, delta)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.backbone.cls(hidden)

    def longest_segment(self) -> int | None:
        return int(self.backbone.config.max_position_embeddings)
