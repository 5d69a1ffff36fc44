"""Passages with the same text, as copies of a document have them: they count once."""

from collections.abc import Mapping, Sequence

from app.results import Place
from storage.library import Library
from storage.records import Passage

#: Copies that are named at most.
COPIES = 3
#: Copies score alike, but for the rounding of their vectors; this much less at most.
LIKE = 1e-3
#: Of passages that score so, no more than these are looked at.
LOOKED_AT = 64


def distinct(library: Library, scores: Mapping[int, float], k: int) -> list[list[Passage]]:
    """The best k passages whose texts differ, each with its copies behind it. scores: by id,
    higher is better. No more passages are loaded than it takes."""
    ranked = sorted(scores, key=lambda number: (-scores[number], number))
    found: dict[str, list[Passage]] = {}
    enough: int | None = None  # so many of `ranked` hold k texts
    for first in range(0, len(ranked), k):
        if enough is not None:
            less = scores[ranked[enough - 1]] - scores[ranked[first]]
            if less > LIKE or first - enough >= LOOKED_AT:
                break
        for passage in library.passages_by_id(ranked[first : first + k]):
            found.setdefault(" ".join(passage.text.split()), []).append(passage)
        if enough is None and len(found) >= k:
            enough = min(first + k, len(ranked))
    return list(found.values())[:k]


def places(same: Sequence[Passage]) -> tuple[Place, ...]:
    """Where the first of these stands in other documents; a place each."""
    others = {p.document_id: p for p in reversed(same) if p.document_id != same[0].document_id}
    found = [Place(p.document_id, p.title, p.page, p.page_label) for p in others.values()]
    return tuple(sorted(found, key=lambda place: (place.title, place.document_id))[:COPIES])
