"""Vectors of passages in the light of what was read before them, and of questions.

Axes: B documents read side by side, Q questions, S segments, T tokens, D width.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from armt_core.pooling import mean_pool
from training.rows import Words, alike

#: Documents that are read side by side.
_DOCUMENTS = 10
#: Tokens of questions that go through the model together.
_TOGETHER = 2048


@torch.inference_mode()
def read_passages(
    model: ArmtModel, words: Words, documents: Sequence[Sequence[Sequence[int]]]
) -> Iterator[tuple[int, Tensor, MemoryState]]:
    """Reads documents (tokens of their segments) in order and to the end, some side by side.

    Gives of each, in no special order: its number, the vectors of its segments (S, D) float32,
    each read with what came before it in memory, and its final memory. Of hidden states only
    those of one segment are kept at a time.
    """
    # Those of about one length go together, and a shorter one waits for nothing.
    order = sorted(range(len(documents)), key=lambda i: (len(documents[i]), _tokens(documents[i])))
    for at in range(0, len(order), _DOCUMENTS):
        group = order[at : at + _DOCUMENTS]
        memory = model.empty_memory(len(group))
        vectors: list[list[Tensor]] = [[] for _ in group]
        for s in range(max(len(documents[i]) for i in group)):
            # A document that is over is a row of padding alone: nothing is written for it.
            rows = [documents[i][s] if s < len(documents[i]) else [] for i in group]
            ids, mask = (t.to(model.device) for t in pad_rows(rows, words.pad))
            hidden, memory = model.run(ids, mask, memory, write=True)
            for b, vector in enumerate(mean_pool(hidden, mask)):
                if rows[b]:
                    vectors[b].append(vector)
        for b, i in enumerate(group):
            yield i, torch.stack(vectors[b]), memory.select(b)


@torch.inference_mode()
def ask_vectors(
    model: ArmtModel,
    words: Words,
    questions: Sequence[Sequence[int]],
    memory: MemoryState | None = None,
) -> Tensor:
    """The vectors (Q, D) float32 of questions (their tokens), read with the memory of one
    document; None: an empty one. Nothing is written."""
    groups = alike([len(question) for question in questions], _TOGETHER)
    vectors = torch.empty(len(questions), model.config.hidden_size, device=model.device)
    for group in groups:
        ids, mask = (t.to(model.device) for t in pad_rows([questions[i] for i in group], words.pad))
        hidden, _ = model.run(ids, mask, memory)
        vectors[group] = mean_pool(hidden, mask)
    return vectors


def _tokens(document: Sequence[Sequence[int]]) -> int:
    return sum(map(len, document))
