"""The ARMT over a `transformers` backbone: our loop runs its layers.

Axes: L layers, B documents, T tokens of this call, S tokens with the cached ones,
M memory tokens, K key features, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    Cache,
    DynamicCache,
    GenerationMixin,
)
from transformers import initialization as init
from transformers.utils import ModelOutput

from armt_core.adapters import adapter_class
from armt_core.associative import AssociativeMemory, Write
from armt_core.config import ArmtConfig
from armt_core.errors import MemoryMismatch, ModelError
from armt_core.generation import generate_after_prefix
from armt_core.layers import run_layers
from armt_core.lowrank import LayerDelta, LowRank, Role
from armt_core.memory import MemoryState
from armt_core.reads import LayerReads
from armt_core.spans import SpanHead
from armt_core.system_model import SystemModel


@dataclass
class ArmtOutput(ModelOutput):
    """loss: scalar or None; logits: (B, T, V); hidden: (B, T, D) after the last norm;
    memory: the state after this call (the one given, if nothing was written)."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    hidden: Tensor | None = None
    memory: MemoryState | None = None
    past_key_values: Cache | None = None


class ArmtModel(SystemModel, GenerationMixin):
    """Associative Recurrent Memory Transformer (arXiv 2407.04841), one memory a layer."""

    systems = (
        "armt",
        "armt-exact",
        "armt-unit-keys",
        "armt-without-gamma",
        "armt-without-delta",
    )
    # Writes are float32; in a 16-bit model so are the few weights they need.
    _keep_in_fp32_modules_strict = {"associative", "memory_tokens"}  # noqa: RUF012

    def __init__(self, config: ArmtConfig) -> None:
        super().__init__(config)
        kind = adapter_class(config.backbone.model_type)
        self.backbone = kind.build(config.backbone)
        self.memory_tokens = nn.Parameter(torch.empty(config.num_memory_tokens, config.hidden_size))
        self.associative = AssociativeMemory(
            config.num_hidden_layers, config.hidden_size, config.memory_dim, config.system
        )
        self.span = SpanHead(config.hidden_size) if config.reads_spans else None
        if (config.deltas or config.memory_tokens == "apart") and not kind.takes_deltas:
            raise ModelError(
                f"A {config.backbone.model_type} backbone takes neither deltas nor memory tokens "
                'that are "apart"; choose a BERT-like one, or memory_tokens "own" or "inline".'
            )
        #: The L layers' deltas of each role that has some; in one order however they are named, for
        #: an optimiser knows weights by their number.
        self.deltas = nn.ModuleDict(
            {
                role: nn.ModuleList(
                    LayerDelta(config.hidden_size, config.backbone.intermediate_size, rank)
                    for _ in range(config.num_hidden_layers)
                )
                for role, rank in sorted(config.deltas.items())
            }
        )
        longest = self.adapter.longest_segment()
        inline = config.num_memory_tokens if config.memory_tokens == "inline" else 0
        if longest is not None and config.segment_tokens + inline > longest:
            raise ModelError(
                f"segment_tokens = {config.segment_tokens} and {inline} memory tokens inline need "
                f"more positions than the {longest} that this {config.backbone.model_type} has. "
                f"Choose segment_tokens of at most {longest - inline}."
            )
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Fresh memory: W_v = 0, so that it is written and read without changing anything, and
        W_q = W_k, so that what is alike is found: two draws hardly ever learn to agree
        (docs/decisions.md)."""
        if module is self:
            init.normal_(self.memory_tokens, std=0.02)
        elif isinstance(module, AssociativeMemory):
            for weight in (module.key, module.beta_weight):
                init.normal_(weight, std=self.config.hidden_size**-0.5)
            init.copy_(module.query, module.key)
            init.zeros_(module.value)
            init.zeros_(module.beta_bias)
        elif isinstance(module, LowRank):
            init.normal_(module.inward, std=module.inward.shape[1] ** -0.5)
            init.zeros_(module.outward)
        elif isinstance(module, SpanHead):
            init.normal_(module.weight, std=0.02)
            init.zeros_(module.bias)

    def get_output_embeddings(self) -> nn.Module | None:
        return self.backbone.get_output_embeddings()

    def can_generate(self) -> bool:
        return True

    def delta(self, role: Role | None) -> Sequence[LayerDelta | None]:
        """The L layers' deltas of a role; Nones for one that uses the backbone as it is."""
        if role not in self.config.deltas:
            return [None] * self.config.num_hidden_layers
        return self.deltas[role]  # type: ignore[return-value]

    def empty_memory(self, batch: int = 1) -> MemoryState:
        return MemoryState.empty(self.config, batch, self.device, self.state_dtype)

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: MemoryState | None = None,
        write: bool = False,
        prefix: Tensor | None = None,
        cache: Cache | None = None,
        role: Role | None = None,
    ) -> tuple[Tensor, MemoryState]:
        """One segment through all layers: (B, T, D) hidden states of the text, and the memory.

        input_ids: (B, T). attention_mask: (B, S), 0 at padding; a document whose mask
        is all 0 is over: nothing is written for it. memory: None is an empty one; where
        nothing is written it may be of fewer documents, each then of B / its batch
        neighbouring rows (questions about one document, beams).
        write: append the memory tokens and write; reading happens always. prefix:
        (B,), how many leading positions everyone sees; by default none in a causal
        family and all in a bidirectional one. role: "answer" or "reader" for what is asked, with
        the deltas that the model has for it; None for text that is read. With memory tokens that
        are "apart", only "answer" and the memory tokens are told what the memory holds.
        Raises MemoryMismatch for a memory of another shape, ModelError for a segment
        that is longer than the backbone can tell apart or that both writes and caches.
        """
        hidden, made, memory, alive = self._layers(
            input_ids, attention_mask, memory, write, prefix, cache, role
        )
        return hidden, memory if made is None else self.write(made, memory, alive)[0]

    def through(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: MemoryState | None = None,
    ) -> tuple[Tensor, Tensor, MemoryState]:
        """The first half of `run(write=True)`: hidden states of the text (B, T, D), the memory
        tokens as they leave each layer (L, B, M, D), for `write`, and the memory that was read."""
        hidden, made, memory, _ = self._layers(
            input_ids, attention_mask, memory, True, None, None, None
        )
        assert made is not None
        return hidden, made, memory

    def _layers(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        memory: MemoryState | None,
        write: bool,
        prefix: Tensor | None,
        cache: Cache | None,
        role: Role | None,
    ) -> tuple[Tensor, Tensor | None, MemoryState, Tensor | None]:
        """As `through`, and which documents are not over: (B,) bool, None if none can be; tokens
        only if `write`."""
        B, T = input_ids.shape
        past = cache.get_seq_length() if cache is not None else 0
        M = self.config.num_memory_tokens if write else 0
        before = self.start_from(B, T, M, past, memory)
        if attention_mask is None:
            mask = torch.ones(B, past + T, dtype=torch.bool, device=input_ids.device)
            alive = None
        else:
            mask = attention_mask.bool()
            alive = mask.any(-1)
        reads = LayerReads.of(self, memory)
        hidden, made = run_layers(self, input_ids, mask, reads, write, prefix, cache, role)
        return hidden, made, before, alive

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: MemoryState | None = None,
        write: bool = False,
        prefix: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        position_ids: Tensor | None = None,
        return_dict: bool = True,
        role: Role | None = None,
    ) -> ArmtOutput:
        """`run`, then the language-model head; shapes as there and in ArmtOutput.

        labels: (B, T), -100 where not counted; shifted by one in a causal family, as
        in `transformers`. logits_to_keep: only the last so many positions (0: all).
        position_ids are counted from the attention mask; generation passes them too.
        """
        if use_cache and past_key_values is None and self.adapter.causal:
            past_key_values = DynamicCache(config=self.config.backbone)
        hidden, memory = self.run(
            input_ids, attention_mask, memory, write, prefix, past_key_values, role
        )
        logits = self.adapter.logits(hidden[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            shift = 1 if self.adapter.causal else 0
            loss = functional.cross_entropy(
                logits[:, : logits.shape[1] - shift].flatten(0, 1).float(),
                labels[:, shift:].flatten(),
            )
        return ArmtOutput(loss, logits, hidden, memory, past_key_values)

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Text after `inputs` (B, T) under `memory=`; reads it and never writes.

        Causal families: everything GenerationMixin does. BERT-like ones: the greedy
        answer of `armt_core.generation`, (B, at most max_new_tokens) token ids.
        """
        if self.adapter.causal:
            return super().generate(inputs, **kwargs)
        input_ids = inputs if inputs is not None else kwargs.pop("input_ids")
        return generate_after_prefix(self, input_ids, **kwargs)

    def write(
        self, tokens: Tensor, memory: MemoryState, alive: Tensor | None = None
    ) -> tuple[MemoryState, Write]:
        """The memory after the memory tokens (L, B, M, D) of a segment, and what was written.

        alive: (B,) bool, false for a document that is over: it keeps the memory it has.
        """
        first, A, z = memory.segments_read == 0, memory.associations, memory.normalizer
        A, z, written = self.associative.write(tokens, A, z, first, alive)
        read = 1 if alive is None else alive.long()
        return MemoryState(A, z, memory.segments_read + read), written

    def start_from(
        self, B: int, T: int, M: int, past: int, memory: MemoryState | None
    ) -> MemoryState:
        """The one check at the door of every reading; gives the memory to start from."""
        if M and past:
            raise ModelError("A segment that is written to memory cannot continue a cache.")
        longest = self.adapter.longest_segment()
        extra = M if self.config.memory_tokens == "inline" else 0
        if longest is not None and past + T + extra > longest:
            raise ModelError(
                f"A segment of {past + T} tokens and {extra} inline memory tokens is longer than "
                f"the {longest} positions of this backbone."
            )
        if memory is None:
            return self.empty_memory(B)
        memory.check(self.config)
        if memory.batch != B and (M or B % memory.batch):
            raise MemoryMismatch(
                f"The memory holds {memory.batch} documents, the tokens are of {B} rows."
            )
        return memory


AutoConfig.register("armt", ArmtConfig, exist_ok=True)
AutoModel.register(ArmtConfig, ArmtModel, exist_ok=True)
AutoModelForCausalLM.register(ArmtConfig, ArmtModel, exist_ok=True)
