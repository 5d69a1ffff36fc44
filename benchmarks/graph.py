"""Reading in sequence as a CUDA graph: one segment is captured once and replayed for each.

Small calls leave a GPU waiting for the program that starts them; a graph starts all those of a
segment at once, which is what the diagonal is to be held against as well.

Axes: B documents, S segments, T tokens, D width.
"""

import torch
from torch import Tensor

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.reading import Reading


class SegmentInPlace:
    """Reads segments of B documents and T tokens through the same tensors each time, as a graph
    must. Nothing asks the GPU for a number on the way, so that it can be captured."""

    def __init__(self, model: ArmtModel, documents: int, tokens: int) -> None:
        self._model = model
        self._ids = torch.zeros(documents, tokens, dtype=torch.int64, device=model.device)
        self._memory = model.empty_memory(documents)
        # Not `model.dtype`: memory tokens are float32 beside a backbone of 16 bits.
        kind = {"dtype": model.backbone.dtype, "device": model.device}
        self._hidden = torch.zeros(documents, tokens, model.config.hidden_size, **kind)
        self._graph: torch.cuda.CUDAGraph | None = None

    @torch.no_grad()
    def capture(self) -> "SegmentInPlace":
        """From now on a graph is replayed. Only where the model is on a GPU."""
        # Kernels are chosen and libraries loaded in the first calls, which no graph can hold.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self._once()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._once()
        self._graph = graph
        return self

    @torch.no_grad()
    def read(self, input_ids: Tensor) -> Reading[MemoryState]:
        """What `read_sequential` gives of whole segments (B, S, T), without gradients."""
        for tensor in vars(self._memory).values():
            tensor.zero_()
        hidden = []
        for segment in input_ids.unbind(1):
            self._ids.copy_(segment)
            if self._graph is None:
                self._once()
            else:
                self._graph.replay()
            hidden.append(self._hidden.clone())
        every = range(self._memory.batch)
        return Reading(torch.stack(hidden, dim=1), self._memory.take(every))

    def _once(self) -> None:
        hidden, memory = self._model.run(self._ids, memory=self._memory, write=True)
        self._hidden.copy_(hidden)
        for kept, new in zip(vars(self._memory).values(), vars(memory).values(), strict=True):
            kept.copy_(new)
