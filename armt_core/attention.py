"""The backbone alone: attention to the last tokens ("sliding-window") or to all ("full-attention").

What is handed from segment to segment are the keys and values of tokens that were read.

Axes: L layers, B documents, H heads of keys and values, E their width, T tokens of a segment,
S tokens kept from before it, D width.
"""

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from armt_core.adapters import Context, adapter_class
from armt_core.config import ArmtConfig
from armt_core.errors import ModelError
from armt_core.masks import unseen_score
from armt_core.seen_tokens import SeenTokens
from armt_core.system_model import SystemModel, refuse_settings_of_armt


class AttentionModel(SystemModel):
    """A causal backbone over a document in segments, as if it were one row.

    "full-attention": each token sees all before it; the memory grows with every token that is
    read. "sliding-window": each sees itself and the `config.window` tokens before it, in every
    layer, so that L layers see L times as far; the memory has one size.
    """

    systems = ("sliding-window", "full-attention")

    def __init__(self, config: ArmtConfig) -> None:
        super().__init__(config)
        refuse_settings_of_armt(config)
        kind = adapter_class(config.backbone.model_type)
        if not kind.causal:
            raise ModelError(
                f"A {config.backbone.model_type} backbone sees what comes later, so what it has "
                f"read changes with every segment: {config.system!r} needs a causal one."
            )
        self.backbone = kind.build(config.backbone)
        self.post_init()

    def empty_memory(self, batch: int = 1) -> SeenTokens:
        return SeenTokens.empty(self.config, batch, self.device, self.dtype)

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: SeenTokens | None = None,
        write: bool = False,
    ) -> tuple[Tensor, SeenTokens]:
        """As `SystemModel.run`. The position of a token is counted from the document's begin."""
        adapter, B = self.adapter, input_ids.shape[0]
        if memory is None:
            memory = self.empty_memory(B)
        memory.check(self.config)
        memory.check_rows(B)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask = mask.bool()
        places = memory.tokens_read[:, None] + (mask.long().cumsum(-1) - 1).clamp_min(0)  # (B, T)
        self._check_places(places)

        text = adapter.place(adapter.tokens(input_ids), places)
        before = memory.places()  # (B, S)
        known = torch.cat([before >= 0, mask], dim=1)  # (B, S + T)
        distance = places[:, :, None] - torch.cat([before, places], dim=1)[:, None]  # (B, T, S + T)
        sees = known[:, None] & (distance >= 0)
        if self.config.window is not None:
            sees &= distance <= self.config.window
        bias = torch.zeros(sees.shape, dtype=text.dtype, device=text.device)
        bias.masked_fill_(~sees, unseen_score(text.dtype))
        cache = _cache(memory)
        context = Context(bias[:, None], places, adapter.rotary(text, places), cache)
        for index in range(self.config.num_hidden_layers):
            text = adapter.layer(index, text, context)
        hidden = adapter.finish(text)
        if not write:
            return hidden, memory
        keys = torch.stack([layer.keys for layer in cache.layers])  # (L, B, H, S + T, E)
        values = torch.stack([layer.values for layer in cache.layers])
        return hidden, memory.after(keys, values, known, mask, self.config.window)

    def _check_places(self, places: Tensor) -> None:
        longest = self.adapter.longest_segment()
        if longest is not None and (last := int(places.max())) >= longest:
            raise ModelError(
                f"Token {last + 1:,} of a document is beyond the {longest:,} positions of this "
                f"{self.config.backbone.model_type}. Take a backbone with rotary positions for "
                f"{self.config.system!r}."
            )


def _cache(memory: SeenTokens) -> Cache:
    """The keys and values of `memory`, which are not changed: each layer puts its own of this
    segment behind them."""
    layers = []
    for keys, values in zip(memory.keys, memory.values, strict=True):
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        layers.append(layer)
    return Cache(layers=layers)
