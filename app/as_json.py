"""Documents, answers, passages and errors as JSON: the same for command line and API."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from app.results import Answer, FoundPassage
from armt_core.errors import RecollectError
from storage.records import Document


def document_json(document: Document, model: str) -> dict[str, Any]:
    """A document as `documents` and `show` print it; times are ISO 8601, UTC. model: the
    fingerprint of the one that answers, which cannot be asked about what another read."""
    return {
        "document_id": document.id,
        "title": document.title,
        "state": document.state,
        "interrupted": document.interrupted,
        "reason": document.reason,
        "format": document.format,
        "pages": document.pages,
        "pages_without_text": document.pages_without_text,
        "pages_need_ocr": document.pages_need_ocr,
        "pages_by_ocr": document.pages_by_ocr,
        "pages_no_picture": document.pages_no_picture,
        "ocr": document.ocr,
        "tokens": document.tokens,
        "unknown_ratio": document.unknown_ratio,
        "segments": document.segments_total,
        "segments_read": document.segments_read,
        "snapshot_sha256": document.snapshot_sha256,
        "fingerprint": document.fingerprint,
        "other_model": document.of_another(model),
        "bytes_kept": document.bytes_kept,
        "original_kept": document.original_kept,
        "sha256": document.sha256,
        "paths": list(document.aliases),
        "update": None
        if document.update_state is None
        else {"state": document.update_state, "reason": document.update_reason},
        "added": document.created_at.isoformat(),
        "changed": document.updated_at.isoformat(),
    }


def answer_json(answer: Answer) -> dict[str, Any]:
    """The JSON of `ask`."""
    value = dataclasses.asdict(answer)
    del value["nearest"]
    return value


def passages_json(passages: Sequence[FoundPassage]) -> dict[str, Any]:
    """The JSON of `search`."""
    return {"passages": [dataclasses.asdict(passage) for passage in passages]}


def error_json(error: Exception) -> dict[str, Any]:
    """{"error": {"code", "message"}} of any expected error."""
    code = error.code if isinstance(error, RecollectError) else "error"
    return {"error": {"code": code, "message": str(error)}}
