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
from app.support import Calibration, QuestionWords
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.spans import ReadPassage
from ingest.sentences import sentence_spans
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
    others, and where sentences were told apart otherwise then, each is read by itself."""
    asked = {scope.document.id: scope for scope in scopes}
    read = _read(question, asked, [p for p, _ in found], model) if reads else {}
    evidence = []
    for passage, scored in found:
        scope, covered = asked[passage.document_id], words.coverage(passage.text)
        sentences = quotable(passage.text)
        texts = [passage.text[slice(*sentence.span)] for sentence in sentences]
        held = kept.get(passage.id)
        if held is not None and len(held) == len(sentence_spans(passage.text)):
            vectors = held[[s.number for s in sentences]].astype(np.float32)
        else:
            vectors = model.vectors(texts, scope.memory)
        cosines = vectors @ scope.query
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


def best_sentences(
    evidence: Sequence[Evidence], calibration: Calibration
) -> list[tuple[Evidence, float]]:
    """The best sentence of each passage and its score, the highest first.

    The first one's score is the confidence; the others have as much less as they have
    of the share.
    """
    if not evidence:
        return []
    shares = calibration.shares([item.features for item in evidence])
    best: dict[int, tuple[Evidence, float]] = {}
    for item, share in sorted(zip(evidence, shares, strict=True), key=lambda pair: -pair[1]):
        best.setdefault(item.passage.id, (item, share))
    first, most = next(iter(best.values()))
    confidence = calibration.confidence(first.features, most)
    return [(item, confidence * share / most) for item, share in best.values()]


def _read(
    question: str,
    asked: Mapping[str, Scope],
    passages: Sequence[Passage],
    model: DocumentModel,
) -> dict[int, ReadPassage]:
    """The passages read beside the question, each with its document's memory, by id."""
    if not passages:
        return {}
    memories = MemoryState.stack([asked[p.document_id].memory for p in passages])
    found = model.read_beside(question, [passage.text for passage in passages], memories)
    return {p.id: r for p, r in zip(passages, found, strict=True)}
