"""RMT and PRMT: memory tokens that a segment leaves are put around the text of the next one.

RMT (arXiv 2207.06881): what leaves the last layer goes into the first layer of the next segment.
PRMT (the layerwise control of arXiv 2407.04841): what leaves a layer goes into the same layer.

Axes: L layers, H places where tokens are handed over (RMT 1, PRMT L), B documents, T tokens,
M memory tokens, D width.
"""

import torch
from torch import Tensor, nn
from transformers import initialization as init

from armt_core.adapters import BackboneAdapter, Context, adapter_class
from armt_core.config import ArmtConfig
from armt_core.errors import ModelError
from armt_core.masks import attention_bias, memory_positions, positions
from armt_core.system_model import SystemModel, refuse_settings_of_armt
from armt_core.token_memory import TokenMemory


class RecurrentModel(SystemModel):
    """A backbone and M memory tokens, handed on as `config.system` says ("rmt" or "prmt").

    The tokens of the segment before stand before the text, where all of it sees them, and once
    more after it, where they see all of it and become the next ones. In the first segment nothing
    stands before the text, and the model's own tokens stand after it.
    """

    systems = ("rmt", "prmt")

    def __init__(self, config: ArmtConfig) -> None:
        super().__init__(config)
        refuse_settings_of_armt(config)
        self.backbone = adapter_class(config.backbone.model_type).build(config.backbone)
        self.memory_tokens = nn.Parameter(torch.empty(config.num_memory_tokens, config.hidden_size))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if module is self:
            init.normal_(self.memory_tokens, std=0.02)

    def empty_memory(self, batch: int = 1) -> TokenMemory:
        return TokenMemory.empty(self.config, batch, self.device, self.state_dtype)

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: TokenMemory | None = None,
        write: bool = False,
    ) -> tuple[Tensor, TokenMemory]:
        """As `SystemModel.run`. Raises ModelError for a segment that is, with the memory tokens
        before it, longer than the backbone can tell apart."""
        adapter, M = self.adapter, self.config.num_memory_tokens
        B, T = input_ids.shape
        memory = self._check(adapter, B, T, memory)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask = mask.bool()
        has_read = memory.segments_read > 0  # (B,)
        before = M if bool(has_read.any()) else 0  # rows before the text
        after = M if write else 0

        seen = torch.cat([has_read[:, None].expand(B, before), mask], dim=1)  # (B, before + T)
        places = positions(seen, before + T)
        text = adapter.place(adapter.tokens(input_ids), places[:, before:])
        if write:
            places = torch.cat([places, memory_positions(seen, M)], dim=1)
        prefix = torch.zeros(1, dtype=torch.int64, device=text.device) if adapter.causal else None
        context = Context(
            attention_bias(seen, before + T, after, prefix, False, adapter.causal, text.dtype),
            places,
            adapter.rotary(text, places),
        )
        handed = memory.tokens.to(text.dtype)  # (H, B, M, D)
        # What becomes the next memory: the tokens handed on, at first the model's own.
        begins = torch.where(
            has_read.view(-1, 1, 1), handed, self.memory_tokens.to(text.dtype)
        )  # (H, B, M, D)

        made: list[Tensor] = []
        rows = text
        for index in range(self.config.num_hidden_layers):
            if index < len(handed):
                rows = torch.cat([handed[index, :, :before], text, begins[index, :, :after]], dim=1)
            rows = adapter.layer(index, rows, context)
            text = rows[:, before : before + T]
            made.append(rows[:, before + T :])
        rows = adapter.finish(rows)
        text = rows[:, before : before + T]
        if not write:
            return text, memory
        tokens = torch.stack(made) if self.config.system == "prmt" else rows[None, :, before + T :]
        alive = mask.any(-1)
        tokens = torch.where(alive.view(1, -1, 1, 1), tokens.to(memory.tokens.dtype), memory.tokens)
        return text, TokenMemory(tokens, memory.segments_read + alive.long())

    def _check(
        self, adapter: BackboneAdapter, B: int, T: int, memory: TokenMemory | None
    ) -> TokenMemory:
        """The one check at the door of `run`; gives the memory to start from."""
        longest, M = adapter.longest_segment(), self.config.num_memory_tokens
        if longest is not None and longest < T + M:
            raise ModelError(
                f"A segment of {T} tokens and {M} memory tokens before it is longer than the "
                f"{longest} positions of this backbone."
            )
        if memory is None:
            return self.empty_memory(B)
        memory.check(self.config)
        memory.check_rows(B)
        return memory
