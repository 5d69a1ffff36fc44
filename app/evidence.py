"""The sentences that an answer is chosen from, each with what speaks for it.

The passages that were found are read again with the question and their document's memory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.kinds import kind_match
from app.searching import Scope, Scored
from app.sentences import quotable
from app.support import QuestionWords
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.spans import ReadPassage
from storage.records import Passage

#: The reader's margin counts no further than this: beyond it only the scale of training shows.
_CERTAIN = 15.0


@dataclass(frozen=True)
class Evidence:
    """A sentence of a passage that might hold the answer.

    span: of the sentence in the passage's cleaned text; answer: of the answer in it, the whole
    sentence where no reader looked. features: see app.support.
    """

    passage: Passage
    span: tuple[int, int]
    answer: tuple[int, int]
    features: tuple[float, ...]


def gather(
    question: str,
    words: QuestionWords,
    scopes: Sequence[Scope],
    found: Sequence[tuple[Passage, Scored]],
    model: DocumentModel,
    reads: bool,
    kept: Mapping[int, NDArray[np.float16]],
) -> list[Evidence]:
    """Every sentence of the found passages. reads: the model's reader looks for answers too.
    kept: the vectors (n, D) of the n sentences of passages, by id, as reading has left them; of
    other passages each sentence is read by itself."""
    memories = {scope.document.id: scope.memory for scope in scopes}
    asked = model.question_vectors(question, list(memories.values()))
    queries = dict(zip(memories, asked, strict=True))
    read = _read(question, memories, [p for p, _ in found], model) if reads else {}
    evidence = []
    for passage, scored in found:
        name, covered = passage.document_id, words.coverage(passage.text)
        sentences = quotable(passage.text)
        texts = [passage.text[slice(*sentence.span)] for sentence in sentences]
        if passage.id in kept:
            vectors = kept[passage.id][[s.number for s in sentences]].astype(np.float32)
        else:
            vectors = model.vectors(texts, memories[name])
        cosines = vectors @ queries[name]
        for sentence, text, cosine in zip(sentences, texts, cosines, strict=True):
            answer, margin = sentence.span, 0.0
            if passage.id in read:
                best = read[passage.id].best(*sentence.span)
                answer, margin = (best[:2], best[2]) if best else (answer, -_CERTAIN)
            features = (
                scored.cosine,
                float(cosine),
                covered,
                words.coverage(sentence.judged),
                kind_match(question, text),
                math.log(len(text.split())),
                min(max(margin, -_CERTAIN), _CERTAIN),
            )
            evidence.append(Evidence(passage, sentence.span, answer, features))
    return evidence


def _read(
    question: str,
    memories: Mapping[str, MemoryState],
    passages: Sequence[Passage],
    model: DocumentModel,
) -> dict[int, ReadPassage]:
    """The passages read beside the question, each with its document's memory, by id."""
    read: dict[int, ReadPassage] = {}
    for name, memory in memories.items():
        own = [passage for passage in passages if passage.document_id == name]
        found = model.read_beside(question, [passage.text for passage in own], memory)
        read |= {p.id: r for p, r in zip(own, found, strict=True)}
    return read
