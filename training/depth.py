"""Reading for training: how far back gradients go, and what is computed again to save memory.

Axes: B documents, S segments, T tokens, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_segments


def read_to_learn(
    model: ArmtModel,
    ids: Tensor,
    mask: Tensor,
    depth: int | None = None,
    recompute: bool = False,
    memory: MemoryState | None = None,
) -> tuple[list[Tensor], MemoryState]:
    """Reads S segments and writes each: hidden states of each, S of (B, T, D), and the memory.

    ids, mask: (B, S, T). depth: only the last so many segments are in the graph (truncated
    back-propagation); None: all. recompute: keep of each segment only its memory and compute
    the rest again on the way back (gradient checkpointing).
    """
    S = ids.shape[1]
    outside = 0 if depth is None else max(0, S - depth)
    hidden: list[Tensor] = []
    for s in range(S):
        if s < outside:
            with torch.no_grad():
                out, memory = model.run(ids[:, s], mask[:, s], memory, write=True)
        elif recompute:
            out, memory = checkpoint(
                model.run, ids[:, s], mask[:, s], memory, True, use_reentrant=False
            )
        else:
            out, memory = model.run(ids[:, s], mask[:, s], memory, write=True)
        hidden.append(out)
    assert memory is not None
    return hidden, memory


@torch.inference_mode()
def read_documents(
    model: ArmtModel, documents: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> MemoryState:
    """The memory of B documents (tokens of their segments), read side by side and to the end.

    Keeps no hidden states, unlike `read_sequential`: a million tokens are read in little room.
    """
    ids, mask = (t.to(model.device) for t in pad_segments(documents, pad_id))
    memory = model.empty_memory(len(documents))
    for s in range(ids.shape[1]):
        _, memory = model.run(ids[:, s], mask[:, s], memory, write=True)
    return memory
