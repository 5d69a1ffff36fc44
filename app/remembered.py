"""What memory alone says."""

from collections.abc import Sequence

from app.results import MemoryAnswer
from app.searching import Scope
from app.support import MemoryCalibration
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState


def remembered(
    question: str,
    scopes: Sequence[Scope],
    model: DocumentModel,
    calibration: MemoryCalibration | None,
) -> MemoryAnswer | None:
    """What the memory of the most confident document says; None where none says anything, or
    where memory is not asked (no calibration)."""
    if not scopes or calibration is None:
        return None
    said = model.answers(question, MemoryState.stack([scope.memory for scope in scopes]))
    answers = [(s, scope) for s, scope in zip(said, scopes, strict=True) if s.text.strip()]
    if not answers:
        return None
    best, scope = max(answers, key=lambda pair: calibration.confidence(pair[0]))
    return MemoryAnswer(best.text.strip(), calibration.confidence(best), scope.document.id)
