"""How well a sentence supports an answer to a question, and when an answer is good enough.

Seven numbers of a sentence and its passage. One linear function of them says which of all
sentences is best; a logistic function of them and of its lead over the others says whether
it is good enough. Both are fitted on questions with known answers (benchmarks/calibrate.py),
once with what the reader finds in the sentence and once without a reader.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from pathlib import Path
from typing import Any

import snowballstemmer

from armt_core.document_model import Said
from armt_core.errors import ModelError
from storage.library import Library
from storage.search import words_of

_stemmer = snowballstemmer.stemmer("english")

#: Cosines with the question, shares of its words (QuestionWords.coverage), whether the
#: sentence holds the kind of thing asked for (app.kinds), its length in words (ln), and how
#: far the reader prefers its best span to "no answer" (0 without a reader).
FEATURES = (
    "passage_cosine",
    "sentence_cosine",
    "passage_coverage",
    "sentence_coverage",
    "kind",
    "length",
    "margin",
)


@dataclass(frozen=True)
class Calibration:
    """ranking: a weight for each of FEATURES. found: one for each of them and for the share
    of the best sentence. Below `threshold` nothing is found."""

    ranking: tuple[float, ...]
    found: tuple[float, ...]
    bias: float
    threshold: float

    def shares(self, features: Sequence[Sequence[float]]) -> list[float]:
        """What each of a question's sentences has of one vote among them: softmax, sum 1."""
        strengths = [sum(map(mul, self.ranking, values)) for values in features]
        powers = [math.exp(s - max(strengths)) for s in strengths]
        return [power / sum(powers) for power in powers]

    def confidence(self, features: Sequence[float], share: float) -> float:
        """0 to 1, of the best sentence: sigmoid(bias + found . (features, share))."""
        total = self.bias + sum(w * f for w, f in zip(self.found, (*features, share), strict=True))
        return 1 / (1 + math.exp(-total))


@dataclass(frozen=True)
class MemoryCalibration:
    """From the chance that an answer from memory has in the model's own eyes, and from how strongly
    the memory was asked, to how often it is right."""

    chance: float
    urgency: float
    bias: float
    threshold: float

    def confidence(self, said: Said) -> float:
        """0 to 1: sigmoid(chance logit(said.chance) + urgency said.urgency + bias)."""
        total = self.chance * logit(said.chance) + self.urgency * said.urgency + self.bias
        return 1 / (1 + math.exp(-total))


def logit(chance: float) -> float:
    """ln(p / (1 - p)), of chances that are no more certain than one in a million."""
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log(chance / (1 - chance))


@dataclass(frozen=True)
class Calibrations:
    """sentences: without a reader. reader: with one, if the model has it. memory: of answers
    from memory alone, if the model gives them."""

    sentences: Calibration
    reader: Calibration | None = None
    memory: MemoryCalibration | None = None


def load_calibration(model_folder: Path) -> Calibrations:
    """What belongs to a model. Raises ModelError if its folder has none."""
    path = model_folder / "answering.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        memory = values.get("memory")
        return Calibrations(
            _calibration(values["sentences"]),
            _calibration(values["reader"]) if values.get("reader") else None,
            MemoryCalibration(**{k: float(v) for k, v in memory.items()}) if memory else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is missing or unreadable ({error}); "
            "make it with: python -m benchmarks.calibrate"
        ) from error


def _calibration(values: Mapping[str, Any]) -> Calibration:
    return Calibration(
        tuple(float(values["ranking"][name]) for name in FEATURES),
        tuple(float(values["found"][name]) for name in (*FEATURES, "share")),
        float(values["bias"]),
        float(values["threshold"]),
    )


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """Kept, for a stem takes longer than all else that is done with a word of a passage."""
    return str(_stemmer.stemWord(word))


@dataclass(frozen=True)
class QuestionWords:
    """The telling words of a question by stem, each with its weight: rarer words weigh more."""

    weights: Mapping[str, float]

    @classmethod
    def of(cls, question: str, library: Library) -> "QuestionWords":
        """Weights are ln(1 + N / n) for a word that n of the library's N passages hold."""
        words = words_of(question)
        counts, total = library.passages_with(words), library.passage_count()
        return cls({_stem(w): math.log(1 + total / max(counts[w], 1)) for w in words})

    def coverage(self, text: str) -> float:
        """The weight of the question's words that `text` has, over the weight of all: 0 to 1."""
        total = sum(self.weights.values())
        present = {_stem(word) for word in words_of(text)}
        return sum(w for s, w in self.weights.items() if s in present) / total if total else 0.0
