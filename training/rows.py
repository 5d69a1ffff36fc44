"""Rows of tokens for a model: what is read, what is asked, and where answers are predicted.

Axes: B rows, T tokens, N predictions, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from armt_core import spans
from armt_core.errors import ModelError
from armt_core.memory import MemoryState
from armt_core.model import ArmtModel
from armt_core.padding import pad_rows


@dataclass(frozen=True)
class Words:
    """The tokens of a vocabulary that rows are made of."""

    tokenizer: Any
    cls: int
    sep: int
    mask: int
    pad: int

    @staticmethod
    def of(tokenizer: Any) -> "Words":
        """Raises ModelError for a vocabulary without the four special tokens of BERT."""
        names = ("cls", "sep", "mask", "pad")
        ids = [getattr(tokenizer, f"{name}_token_id", None) for name in names]
        known = [id for id in ids if id is not None]
        if len(known) < len(names):
            raise ModelError("Training needs a vocabulary with [CLS], [SEP], [MASK] and [PAD].")
        return Words(tokenizer, *known)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without special ones."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)
        return [list(ids) for ids in encoded["input_ids"]]

    def ends(self) -> list[int]:
        """The tokens that end a sentence, those that the vocabulary has."""
        known = self.tokenizer.get_vocab()
        return [known[end] for end in (".", "?", "!") if end in known]

    def segment(self, tokens: Sequence[int]) -> list[int]:
        """[CLS] tokens [SEP]."""
        return [self.cls, *tokens, self.sep]


def beside(
    words: "Words", questions: Sequence[Sequence[int]], passages: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor, Tensor]:
    """`armt_core.spans.beside` with the special tokens of a vocabulary."""
    return spans.beside(questions, passages, words.cls, words.sep, words.pad)


def alike(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Rows of these lengths in groups of neighbours by length, little padding in any of them.

    Gives the rows' numbers; a group's rows times its longest row is at most `most` tokens.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if groups and (len(groups[-1]) + 1) * lengths[groups[-1][0]] <= most:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def pack(sentences: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """Whole sentences joined up to `most` tokens each; a longer one is cut into pieces.

    The way in which ingest makes passages, so that training sees what reading sees.
    """
    packed: list[list[int]] = []
    for sentence in sentences:
        for at in range(0, len(sentence), most):
            piece = sentence[at : at + most]
            if packed and len(packed[-1]) + len(piece) <= most:
                packed[-1].extend(piece)
            else:
                packed.append(list(piece))
    return packed


@dataclass(frozen=True)
class Answers:
    """Questions with their answers, ready to be learned.

    ids, mask: (B, T). prefix: (B,), what all positions of a row see. N predictions, of each
    row, place: (N,), where it is made; question: (N,), which question it belongs to, of
    `questions`; target: (N,), the token.
    """

    ids: Tensor
    mask: Tensor
    prefix: Tensor
    row: Tensor
    place: Tensor
    question: Tensor
    target: Tensor

    @staticmethod
    def of(
        words: Words, asked: Sequence[Sequence[int]], said: Sequence[Sequence[int]]
    ) -> "Answers":
        """Each question a row of its own that is written on: [CLS] question [SEP] [CLS] answer
        [SEP]. asked, said: the tokens of B questions and of their B answers."""
        rows, row, place, target = [], [], [], []
        for b, (question, answer) in enumerate(zip(asked, said, strict=True)):
            start = words.segment(question)
            rows.append([*start, words.cls, *answer, words.sep])
            for n, token in enumerate([*answer, words.sep]):
                row.append(b)
                place.append(len(start) + n)
                target.append(token)
        prefix = [len(question) + 2 for question in asked]
        return Answers._made(words, rows, prefix, row, place, row, target)

    @staticmethod
    def filled(
        words: Words,
        before: Sequence[Sequence[int]],
        asked: Sequence[Sequence[tuple[Sequence[int], int]]],
    ) -> "Answers":
        """All questions of a story in one row, each with a [MASK] to fill in: [CLS] before
        question [MASK] question [MASK] ... [SEP].

        before: tokens that each of B rows begins with. asked: the tokens of each row's
        questions, each with its answer of one token.
        """
        rows, row, place, target = [], [], [], []
        for b, (start, questions) in enumerate(zip(before, asked, strict=True)):
            tokens = list(start)
            for question, answer in questions:
                tokens += [*question, words.mask]
                row.append(b)
                place.append(len(tokens))  # [CLS] comes before them
                target.append(answer)
            rows.append(words.segment(tokens))
        lengths = [len(tokens) for tokens in rows]
        return Answers._made(words, rows, lengths, row, place, list(range(len(row))), target)

    @staticmethod
    def _made(words: Words, rows: list[list[int]], prefix: list[int], *at: list[int]) -> "Answers":
        ids, mask = pad_rows(rows, words.pad)
        return Answers(ids, mask, torch.tensor(prefix), *map(torch.tensor, at))

    @property
    def questions(self) -> int:
        """How many questions there are: Q."""
        return int(self.question.max()) + 1

    def first(self) -> list[int]:
        """Of each of the Q questions, the number of its first prediction."""
        numbers = self.question.tolist()
        return [numbers.index(question) for question in range(self.questions)]

    def to(self, device: torch.device) -> "Answers":
        """The same on another device."""
        return Answers(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def loss(self, model: ArmtModel, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of the answers' tokens, and which questions are all right: (Q,).

        hidden: (B, T, D), of these rows.
        """
        logits = model.adapter.logits(hidden[self.row, self.place][None])[0].float()  # (N, V)
        loss = functional.cross_entropy(logits, self.target)
        wrong = (logits.argmax(-1) != self.target).long()
        missed = torch.zeros(self.questions, dtype=torch.int64, device=wrong.device)
        missed.index_add_(0, self.question, wrong)
        return loss, missed == 0


def ask(
    model: ArmtModel, answers: Answers, memory: MemoryState | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Asks questions, in B rows, with the memory of their documents; nothing is written.

    memory: of B / n documents, n neighbouring rows each; None: an empty one.
    Gives `Answers.loss` and the hidden states (B, T, D).
    """
    hidden, _ = model.run(answers.ids, answers.mask, memory, prefix=answers.prefix, role="answer")
    return *answers.loss(model, hidden), hidden
