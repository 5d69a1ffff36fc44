"""What the ARMT needs to know of a backbone, and nothing else.

Axes: B documents, T tokens, D width, V vocabulary.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel

from armt_core.lowrank import LayerDelta


@dataclass(frozen=True)
class Context:
    """What every layer of one call is given besides the hidden states.

    bias: (B, 1, queries, keys), added to attention scores. position_ids: (B, T).
    rotary: the family's rotary embeddings at these positions, or None.
    cache: keys and values of earlier calls, or None.
    """

    bias: Tensor
    position_ids: Tensor
    rotary: tuple[Tensor, Tensor] | None = None
    cache: Cache | None = None


@dataclass(frozen=True)
class Seen:
    """What attention finds at S rows: keys and values (B, H, S, E), of H heads of width E."""

    keys: Tensor
    values: Tensor

    def and_then(self, others: "Seen") -> "Seen":
        """These rows and after them the others."""
        return Seen(
            torch.cat([self.keys, others.keys], dim=2),
            torch.cat([self.values, others.values], dim=2),
        )


class BackboneAdapter(ABC):
    """A view of one `transformers` model; it owns no weights of its own."""

    causal: ClassVar[bool]
    #: Whether `layer` takes deltas, and `layer_apart` is there.
    takes_deltas: ClassVar[bool] = False
    #: Where the layers are in a checkpoint of the family ("transformer.h").
    layers_path: ClassVar[str]

    def __init__(self, backbone: PreTrainedModel) -> None:
        self.backbone = backbone
        layers = backbone.get_submodule(self.layers_path)
        assert isinstance(layers, nn.ModuleList)
        #: The L layers, in order.
        self.layers = layers

    @staticmethod
    @abstractmethod
    def build(config: Any) -> PreTrainedModel:
        """The family's model with a language-model head and random weights."""

    def tokens(self, input_ids: Tensor) -> Tensor:
        """Token embeddings (B, T, D) before positions and normalisation."""
        return self.backbone.get_input_embeddings()(input_ids)

    @abstractmethod
    def place(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        """Token embeddings (B, T, D) as the first layer wants them, at `position_ids` (B, T)."""

    def rotary(self, hidden: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor] | None:
        """Rotary embeddings for `position_ids` (B, T); None in a family without them."""
        return None

    @abstractmethod
    def layer(
        self, index: int, hidden: Tensor, context: Context, delta: LayerDelta | None = None
    ) -> Tensor:
        """Layer `index` over (B, T, D); delta: what the role of these rows changes of it."""

    def layer_apart(
        self,
        index: int,
        text: Tensor,
        tokens: Tensor,
        of_text: Tensor,
        of_tokens: Tensor,
        delta: LayerDelta | None,
    ) -> tuple[Tensor, Tensor]:
        """Layer `index` over text (B, T, D), and with `delta` over memory tokens (B, M, D).

        Text sees text, with `of_text` (B, 1, T, T) added to the scores of attention; memory
        tokens see both, with `of_tokens` (B, 1, M, T + M).
        """
        raise NotImplementedError(f"{type(self).__name__} does not take deltas.")

    def seen(self, index: int, text: Tensor) -> Seen:
        """What layer `index` finds at text (B, T, D) that goes into it."""
        raise NotImplementedError(f"{type(self).__name__} does not take deltas.")

    def tokens_apart(
        self, index: int, text: Seen, tokens: Tensor, of_tokens: Tensor, delta: LayerDelta | None
    ) -> Tensor:
        """The memory tokens (B, M, D) of `layer_apart` alone, beside what `seen` found."""
        raise NotImplementedError(f"{type(self).__name__} does not take deltas.")

    def finish(self, hidden: Tensor) -> Tensor:
        """What comes after the last layer and before the head: (B, T, D)."""
        return hidden

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """(B, T, D) after `finish` to (B, T, V)."""

    def longest_segment(self) -> int | None:
        """Most positions the family can tell apart, memory tokens included; None: any."""
        return None
