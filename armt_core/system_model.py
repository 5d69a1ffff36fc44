"""What every system of arXiv 2407.04841 has here: a backbone, and a memory that goes in and out."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from armt_core.adapters import BackboneAdapter, adapter_class
from armt_core.config import ArmtConfig, System
from armt_core.errors import ModelError


class SystemModel(PreTrainedModel):
    """A backbone that reads segments, and what it hands from one to the next.

    No tensor of a document lives on the module: `memory` goes in and comes out.
    """

    config_class = ArmtConfig
    config: ArmtConfig
    base_model_prefix = "armt"
    main_input_name = "input_ids"
    _supports_sdpa = True
    #: What `ArmtConfig.system` can be for this class.
    systems: ClassVar[tuple[System, ...]]

    backbone: PreTrainedModel

    def __init__(self, config: ArmtConfig) -> None:
        super().__init__(config)
        if config.system not in self.systems:
            raise ModelError(
                f"{type(self).__name__} is for the systems {', '.join(self.systems)}, not for "
                f"{config.system!r}; armt_core.systems.new_system makes every system."
            )

    @property
    def adapter(self) -> BackboneAdapter:
        """The view of the backbone that reading uses; made anew, it has no state."""
        return adapter_class(self.config.backbone.model_type)(self.backbone)

    @property
    def state_dtype(self) -> torch.dtype:
        """The type of a memory that is summed up: float32, or float64 for a float64 model."""
        return torch.promote_types(self.dtype, torch.float32)

    def get_input_embeddings(self) -> nn.Module:
        return self.backbone.get_input_embeddings()

    def empty_memory(self, batch: int = 1) -> Any:
        """A memory of `batch` documents of which nothing was read, on the model's device."""
        raise NotImplementedError(f"{type(self).__name__} has no memory.")

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Any = None,
        write: bool = False,
    ) -> tuple[Tensor, Any]:
        """One segment through all layers: (B, T, D) hidden states of the text, and the memory.

        input_ids and attention_mask: (B, T), 0 at padding, which is on the right; a document whose
        mask is all 0 is over and keeps its memory. memory: None is an empty one. write: make the
        next memory, else the one given comes back. Raises MemoryMismatch for a memory of another
        shape, ModelError for a segment that the backbone cannot read.
        """
        raise NotImplementedError(f"{type(self).__name__} reads nothing.")


def refuse_settings_of_armt(config: ArmtConfig) -> None:
    """Raises ModelError for what only an ARMT has."""
    if config.memory_tokens != "own" or config.deltas or config.reads_spans:
        raise ModelError(
            f'A system {config.system!r} has memory_tokens "own", no deltas and no span head, '
            f"not {config.memory_tokens!r}, {config.deltas} and {config.reads_spans}."
        )
