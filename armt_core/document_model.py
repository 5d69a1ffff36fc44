"""A model folder, opened: the ARMT, its tokenizer, and what identifies them.

What ingest and asking use; both read one segment of one document at a time.

Axes: B documents, T tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from armt_core.config import ArmtConfig
from armt_core.errors import ModelError
from armt_core.generation import say_after_prefix
from armt_core.layers import urgency
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.pooling import mean_pool, pool_parts
from armt_core.spans import QUESTION_TOKENS, ReadPassage, beside

# Matrix kernels work in tiles of 16 rows. A segment padded to whole tiles is read 8 % faster
# on a CPU than one of any length, and the kernels of sixteen lengths are made only once.
TILE = 16


@dataclass(frozen=True)
class Segment:
    """Tokens (1, T) of a segment, and what its vectors are means of: (1 + n, T) bool, all of it
    and n parts."""

    ids: Tensor
    pooled: Tensor


@dataclass(frozen=True)
class Noted:
    """What reading a segment gives of one document. vectors: (1 + n, D) float32, of all of it and
    of its n parts. beta, gamma: how strongly it was written and how new its keys were, 0 to 1,
    means over layers and memory tokens; change: how much that changed the memory, the mean over
    layers of the Frobenius norm of the difference of A."""

    vectors: np.ndarray
    beta: float
    gamma: float
    change: float


@dataclass(frozen=True)
class Said:
    """An answer from memory alone. chance: the geometric mean of the probabilities of its tokens,
    its stop included; 0 where nothing is said. urgency: how strongly the memory was asked for it
    (`armt_core.layers.urgency`)."""

    text: str
    chance: float
    urgency: float


@dataclass(frozen=True)
class DocumentModel:
    """model: in eval mode. tokenizer: the folder's. fingerprint: hex SHA-256 of what documents are
    read with (`armt_core.fingerprint`); the same on every device and in every dtype."""

    model: ArmtModel
    tokenizer: Any
    fingerprint: str

    @property
    def config(self) -> ArmtConfig:
        return self.model.config

    @property
    def text_tokens(self) -> int:
        """Most text tokens in a segment, special tokens left out."""
        return self.config.segment_tokens - self.tokenizer.num_special_tokens_to_add(pair=False)

    @property
    def conditions(self) -> str:
        """What decides the last bits of a memory; recorded with each checkpoint."""
        dtype = str(self.model.backbone.dtype).removeprefix("torch.")
        device = self.model.device.type
        threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
        return f"{device}, {dtype}{threads}, torch {torch.__version__}"

    def token_ids(self, text: str) -> Tensor:
        """A segment of `text` with its special tokens: (1, T) int64, cut at segment_tokens."""
        return self.segment(text).ids

    def whole_tiles(self, segments: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """B segments of (1, T_b) tokens as ids and mask, both (B, T).

        T is that of the longest, rounded up to a multiple of TILE if the model has the
        positions.
        """
        longest = max(ids.shape[1] for ids in segments)
        positions = self.model.adapter.longest_segment() or self.config.segment_tokens
        T = -(-longest // TILE) * TILE
        T = T if min(positions, self.config.segment_tokens) >= T else longest
        rows = [functional.pad(ids, (0, T - ids.shape[1])) for ids in segments]
        masks = [functional.pad(torch.ones_like(ids), (0, T - ids.shape[1])) for ids in segments]
        return torch.cat(rows), torch.cat(masks)

    def segment(self, text: str, parts: Sequence[tuple[int, int]] = ()) -> Segment:
        """`text` as a segment with its special tokens, cut at segment_tokens.

        parts: stretches of the text, [start, end), that are to have vectors of their own.
        """
        encoded = self.tokenizer(
            text,
            truncation=True,
            max_length=self.config.segment_tokens,
            return_offsets_mapping=bool(parts),
            return_tensors="pt",
        )
        T = encoded.input_ids.shape[1]
        pooled = torch.zeros(1 + len(parts), T, dtype=torch.bool)
        pooled[0] = True
        if parts:
            begins, ends = encoded.offset_mapping[0].T  # both 0 at special tokens
            for row, (start, end) in enumerate(parts, start=1):
                pooled[row] = (begins >= start) & (ends <= end) & (ends > begins)
        device = self.model.device
        return Segment(encoded.input_ids.to(device), pooled.to(device))

    @torch.inference_mode()
    def read_segments(
        self, segments: Sequence[Segment], memory: MemoryState
    ) -> tuple[list[Noted], MemoryState]:
        """The next segment of each of B documents: what it gave, and the next memories.
        memory: of the B documents, in that order."""
        ids, mask = self.whole_tiles([segment.ids for segment in segments])
        hidden, made, memory = self.model.through(ids, mask, memory)
        memory, written = self.model.write(made, memory, mask.bool().any(-1))
        beta, gamma = (gate.mean((0, 2)).tolist() for gate in (written.beta, written.gamma))
        change = written.size().mean(0).tolist()
        noted = [
            Noted(
                pool_parts(hidden[b, : segment.ids.shape[1]], segment.pooled).cpu().numpy(),
                beta[b],
                gamma[b],
                change[b],
            )
            for b, segment in enumerate(segments)
        ]
        return noted, memory

    def read(
        self, text: str, memory: MemoryState, parts: Sequence[tuple[int, int]] = ()
    ) -> tuple[Noted, MemoryState]:
        """One segment, all of it and n parts of the text, in the light of `memory`, and the next
        memory. The vector of a part without a token is zeros."""
        (noted,), memory = self.read_segments([self.segment(text, parts)], memory)
        return noted, memory

    @torch.inference_mode()
    def vector(self, text: str, memory: MemoryState | None = None) -> np.ndarray:
        """The vector (D,) float32 of `text` read with a document's memory; writes nothing."""
        ids, mask = self.whole_tiles([self.token_ids(text)])
        hidden, _ = self.model.run(ids, mask, memory)
        return mean_pool(hidden, mask)[0].cpu().numpy()

    def question_vectors(
        self, question: str, memories: Sequence[MemoryState], alone: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """`vector` with each memory; computed once where it does not depend on them, or not at all
        where the vector of the question `alone` is known."""
        if self.vectors_read_memory:
            return [self.vector(question, memory) for memory in memories]
        return [self.vector(question) if alone is None else alone] * len(memories)

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str], memory: MemoryState) -> np.ndarray:
        """The vectors (n, D) float32 of n texts in one padded batch, each read with `memory`.

        memory: of one document. Equal to `vector` of each but for rounding; nothing is written.
        """
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.config.segment_tokens,
            padding=True,
            return_tensors="pt",
        ).to(self.model.device)
        mask = encoded.attention_mask
        hidden, _ = self.model.run(encoded.input_ids, mask, memory)
        return mean_pool(hidden, mask).cpu().numpy()

    @property
    def reads_memory(self) -> bool:
        """Whether anything is ever read from memory: not while W_v is zero, as it starts, and
        beside memory tokens that are apart only for answers from memory."""
        asked = self.config.memory_tokens != "apart" or self.config.answers_from_memory
        return asked and bool(self.model.associative.value.any())

    @property
    def vectors_read_memory(self) -> bool:
        """Whether the vector of a text depends on what was read before it."""
        return self.reads_memory and self.config.memory_tokens != "apart"

    @property
    def reads_spans(self) -> bool:
        """Whether `read_beside` can be asked for answers in passages."""
        return self.model.span is not None

    @torch.inference_mode()
    def read_beside(
        self, question: str, texts: Sequence[str], memory: MemoryState
    ) -> list[ReadPassage]:
        """Every text read beside the question, both with `memory`, in one padded batch.

        memory: of one document, or of one for each text. A question is cut at QUESTION_TOKENS, a
        text where the model has no more positions. Raises ModelError if the model has no head for
        spans.
        """
        head = self.model.span
        if head is None:
            raise ModelError("This model has no head that finds answers in passages.")
        if not texts:
            return []
        (asked,) = self.tokenizer([question], add_special_tokens=False, verbose=False)["input_ids"]
        asked = asked[:QUESTION_TOKENS]
        positions = self.model.adapter.longest_segment() or 2 * self.config.segment_tokens
        encoded = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=positions - len(asked) - 3,
            return_offsets_mapping=True,
        )
        tokens, special = encoded["input_ids"], self.tokenizer
        laid = beside(
            [asked] * len(texts),
            tokens,
            special.cls_token_id,
            special.sep_token_id,
            special.pad_token_id,
        )
        ids, mask, inside = (t.to(self.model.device) for t in laid)
        hidden, _ = self.model.run(ids, mask, memory, role="reader")
        first, last = (scores.cpu() for scores in head(hidden, inside))  # (B, T) each
        none = (first[:, 0] + last[:, 0]).tolist()
        begin = len(asked) + 2
        return [
            ReadPassage(
                first[b, begin : begin + len(tokens[b])],
                last[b, begin : begin + len(tokens[b])],
                none[b],
                tuple(offsets),
            )
            for b, offsets in enumerate(encoded["offset_mapping"])
        ]

    def answer(self, question: str, memory: MemoryState, most: int = 32) -> Said:
        """`answers` of one document."""
        return self.answers(question, memory, most)[0]

    @torch.inference_mode()
    def answers(self, question: str, memory: MemoryState, most: int = 32) -> list[Said]:
        """Of each of B documents a greedy answer of at most `most` tokens from its memory alone.
        Only for weights trained to do this."""
        ids = self.token_ids(question).expand(memory.batch, -1)  # (B, T)
        if self.model.adapter.causal:
            new, chances = self._continued(ids, memory, most)
            asked = urgency(self.model, ids, memory)
        else:
            new, chances = say_after_prefix(self.model, ids, memory=memory, max_new_tokens=most)
            start = ids.new_full((len(ids), 1), self.config.backbone.bos_token_id)
            prefix = torch.tensor([ids.shape[1]], device=ids.device)
            asked = urgency(self.model, torch.cat([ids, start], dim=1), memory, prefix)
        if not new.shape[1]:
            return [Said("", 0.0, strength) for strength in asked.tolist()]
        stops = new == self.config.backbone.eos_token_id
        counts = (stops.cumsum(-1) - stops.long() == 0).float()  # up to the first stop
        means = ((chances * counts).sum(-1) / counts.sum(-1)).exp().tolist()
        said = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [
            Said(text, chance if text.strip() else 0.0, strength)
            for text, chance, strength in zip(said, means, asked.tolist(), strict=True)
        ]

    def _continued(self, ids: Tensor, memory: MemoryState, most: int) -> tuple[Tensor, Tensor]:
        """What a causal family says after `ids` (B, T): N tokens, and ln of the probability of
        each, both (B, N)."""
        T = ids.shape[1]
        tokens = self.model.generate(ids, memory=memory, max_new_tokens=most)  # (B, T + N)
        hidden, _ = self.model.run(tokens, memory=memory, role="answer")
        before = hidden[:, T - 1 : -1]  # the position that predicts each new token
        chances = self.model.adapter.logits(before).float().log_softmax(-1)
        return tokens[:, T:], chances.gather(-1, tokens[:, T:, None])[..., 0]
