"""What a memory found new in its document, and what tells two documents apart."""

import difflib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.results import Citation
from ingest.sentences import sentence_spans
from storage.library import Library
from storage.records import Document, Passage, PassageNote

#: Pages of an outline, and sentences that two documents are compared by at most.
PAGES, SENTENCES = 12, 20_000


def outline(document: Document, notes: Sequence[PassageNote], library: Library) -> list[Citation]:
    """The passages that changed the memory most, one a page, in reading order; score: how many
    times as much as the one in the middle.

    The first passage is left out: to an empty memory everything is new.
    """
    newest: dict[int, PassageNote] = {}
    for note in notes[1:]:
        if note.page not in newest or note.change > newest[note.page].change:
            newest[note.page] = note
    most = sorted(newest.values(), key=lambda note: -note.change)[:PAGES]
    chosen = {note.passage_id: note for note in most}
    if not chosen:
        return []
    usual = statistics.median(note.change for note in notes) or 1.0
    return [
        cite(document, passage, chosen[passage.id].change / usual)
        for passage in library.passages_by_id(sorted(chosen))
    ]


def cite(document: Document, passage: Passage, score: float) -> Citation:
    """A whole passage as a citation; the quote is what was read of it."""
    return Citation(
        document_id=document.id,
        title=document.title,
        page=passage.page,
        page_label=passage.page_label,
        start=passage.start,
        end=passage.end,
        quote=passage.text,
        passage_id=passage.id,
        score=score,
    )


@dataclass(frozen=True)
class Change:
    """A sentence that stands in one document alone, and its page there."""

    kind: Literal["only here", "only there"]
    page: int
    page_label: str | None
    text: str


def differences(library: Library, here: Document, there: Document) -> tuple[list[Change], float]:
    """The sentences that one of two documents has and the other has not, in reading order, and
    the share of the sentences of the shorter one that both have; what they share may be moved a
    little. Of each document the first SENTENCES count."""
    ours, theirs = _sentences(library, here), _sentences(library, there)
    matcher = difflib.SequenceMatcher(
        None, [text for text, _ in ours], [text for text, _ in theirs], autojunk=False
    )
    changes: list[Change] = []
    shared = 0
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            shared += b - a
        else:
            changes += [_change("only here", *row) for row in ours[a:b]]
            changes += [_change("only there", *row) for row in theirs[c:d]]
    return changes, shared / max(min(len(ours), len(theirs)), 1)


def _change(kind: Literal["only here", "only there"], text: str, passage: Passage) -> Change:
    return Change(kind, passage.page, passage.page_label, text)


def _sentences(library: Library, document: Document) -> list[tuple[str, Passage]]:
    found: list[tuple[str, Passage]] = []
    for passage in library.passages(document.id):
        for start, end in sentence_spans(passage.text):
            found.append((" ".join(passage.text[start:end].split()), passage))
        if len(found) >= SENTENCES:
            break
    return found[:SENTENCES]
