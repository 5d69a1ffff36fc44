"""Mamba-2 (arXiv 2405.21060) from `transformers`: the state of each layer goes from segment to
segment.

Axes: L layers, B documents, T tokens of a segment, D width.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Cache
from transformers.cache_utils import LinearAttentionLayer

from armt_core.adapters import Context
from armt_core.adapters.mamba2 import Mamba2Adapter
from armt_core.config import ArmtConfig
from armt_core.errors import ModelError
from armt_core.layer_states import LayerStates
from armt_core.system_model import SystemModel, refuse_settings_of_armt


class StateSpaceModel(SystemModel):
    """A Mamba-2 over a document in segments, as if it were one row."""

    systems = ("mamba",)

    def __init__(self, config: ArmtConfig) -> None:
        super().__init__(config)
        refuse_settings_of_armt(config)
        if config.backbone.model_type != "mamba2":
            raise ModelError(
                f'The system "mamba" has a backbone of type "mamba2", not '
                f"{config.backbone.model_type!r}."
            )
        self.backbone = Mamba2Adapter.build(config.backbone)
        self.post_init()

    @property
    def adapter(self) -> Mamba2Adapter:
        return Mamba2Adapter(self.backbone)

    def empty_memory(self, batch: int = 1) -> LayerStates:
        # transformers computes the states in float32 whatever the type of the model.
        return LayerStates.empty(self.config, batch, self.device, torch.float32)

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: LayerStates | None = None,
        write: bool = False,
    ) -> tuple[Tensor, LayerStates]:
        """As `SystemModel.run`.

        A token of padding would make states fade, so documents with equally many tokens go through
        the layers together. Raises ModelError for padding that is not on the right, and for a
        single token with gradients, for which `transformers` overwrites the state in place.
        """
        B, T = input_ids.shape
        if memory is None:
            memory = self.empty_memory(B)
        memory.check(self.config)
        memory.check_rows(B)
        lengths = _lengths(input_ids, attention_mask)
        if lengths is None:
            hidden, after = self._through(input_ids, memory)
            return hidden, after if write else memory
        parts, memories, order = [], [], []
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().flatten()
            hidden, after = self._through(input_ids[rows, :length], memory.take(rows))
            parts.append(functional.pad(hidden, (0, 0, 0, T - length)))
            memories.append(after)
            order.append(rows)
        back = torch.cat(order).argsort()
        hidden = torch.cat(parts).index_select(0, back)
        return hidden, LayerStates.stack(memories).take(back) if write else memory

    def _through(self, input_ids: Tensor, memory: LayerStates) -> tuple[Tensor, LayerStates]:
        """All layers over documents without padding."""
        adapter, T = self.adapter, input_ids.shape[1]
        if T == 0:
            return adapter.finish(adapter.tokens(input_ids)), memory
        if T == 1 and torch.is_grad_enabled():
            raise ModelError(
                'The system "mamba" learns from segments of at least two tokens, not of one.'
            )
        layers = [
            _LayerState(conv, recurrent)
            for conv, recurrent in zip(memory.conv, memory.recurrent, strict=True)
        ]
        hidden = adapter.tokens(input_ids)
        nowhere = torch.zeros(0, device=hidden.device)
        context = Context(nowhere, nowhere, cache=Cache(layers=layers))
        for index in range(self.config.num_hidden_layers):
            hidden = adapter.layer(index, hidden, context)
        conv = torch.stack([layer.conv_states[0] for layer in layers])
        recurrent = torch.stack([layer.recurrent_states[0] for layer in layers])
        return adapter.finish(hidden), LayerStates(conv, recurrent, memory.segments_read + 1)


class _LayerState(LinearAttentionLayer):
    """The state of a layer for the time of one call. What comes after it takes its place: the one
    it was made of is not written to, for it belongs to a memory."""

    def __init__(self, conv: Tensor, recurrent: Tensor) -> None:
        super().__init__()
        # Of a single token transformers updates these two in place.
        self.conv_states[0], self.recurrent_states[0] = conv.clone(), recurrent.clone()
        self.has_previous_state[0] = True

    def update_conv_state(self, conv_states: Tensor, state_idx: int = 0, **kwargs: Any) -> Tensor:
        before = self.conv_states[state_idx]
        whole = torch.cat([before, conv_states], dim=-1)
        self.conv_states[state_idx] = whole[..., -before.shape[-1] :]
        return whole

    def update_recurrent_state(
        self, recurrent_states: Tensor, state_idx: int = 0, **kwargs: Any
    ) -> Tensor:
        self.recurrent_states[state_idx] = recurrent_states
        return recurrent_states


def _lengths(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor | None:
    """Tokens of each document, (B,); None where there is no padding."""
    if attention_mask is None or bool((mask := attention_mask.bool()).all()):
        return None
    if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        raise ModelError("The padding of a segment must be on the right of its tokens.")
    return mask.sum(-1)
