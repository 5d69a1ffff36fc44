"""How well a sentence supports an answer to a question, until a reader is trained.

Four numbers of a sentence and its passage, and a logistic function of them fitted on
questions with known answers (benchmarks/calibrate.py).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import snowballstemmer

from armt_core.errors import ModelError
from storage.library import Library
from storage.search import words_of

_stem = snowballstemmer.stemmer("english").stemWord

#: Cosines with the question, and shares of its words (QuestionWords.coverage).
FEATURES = ("passage_cosine", "sentence_cosine", "passage_coverage", "sentence_coverage")


@dataclass(frozen=True)
class Calibration:
    """confidence = sigmoid(bias + weights . features); below `threshold` nothing is found."""

    weights: tuple[float, ...]
    bias: float
    threshold: float

    def confidence(self, features: Sequence[float]) -> float:
        """Confidence, 0 to 1, from the FEATURES in order."""
        total = self.bias + sum(w * f for w, f in zip(self.weights, features, strict=True))
        return 1 / (1 + math.exp(-total))


def load_calibration(model_folder: Path) -> Calibration:
    """The calibration that belongs to a model. Raises ModelError if its folder has none."""
    path = model_folder / "answering.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        weights = tuple(float(values["weights"][name]) for name in FEATURES)
        return Calibration(weights, float(values["bias"]), float(values["threshold"]))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is missing or unreadable ({error}); "
            "make it with: python -m benchmarks.calibrate"
        ) from error


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
