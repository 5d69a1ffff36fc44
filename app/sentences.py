"""The sentences of a passage that can be an answer, each with the heading above it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.sentences import sentence_spans

# A line of few words without an end, above a sentence that has one, names what follows.
_HEADING_WORDS = 10
#: Fewer words are a page number, a running head or what a table left over.
_LEAST_WORDS = 3
_END = re.compile(r"[.!?:;…。！？।][\"'”’»)\]]*\Z")


@dataclass(frozen=True)
class Sentence:
    """number: which of the text's `sentence_spans`; span: [start, end) in the passage's cleaned
    text; judged: the sentence, after its heading if it has one."""

    number: int
    span: tuple[int, int]
    judged: str


def quotable(text: str) -> list[Sentence]:
    """The sentences of `text` to choose an answer from; at least one if it has any.

    A heading is never an answer by itself, and is read together with the sentence
    below it. Pieces of fewer than three words are left out.
    """
    spans = sentence_spans(text)
    pieces = [text[start:end] for start, end in spans]
    found, heading = [], ""
    for index, (span, piece) in enumerate(zip(spans, pieces, strict=True)):
        if _is_heading(pieces, index):
            heading = f"{piece}\n"
        else:
            found.append(Sentence(index, span, heading + piece))
            heading = ""
    long = [s for s in found if len(text[slice(*s.span)].split()) >= _LEAST_WORDS]
    return long or found


def _is_heading(pieces: Sequence[str], index: int) -> bool:
    piece = pieces[index]
    return (
        index + 1 < len(pieces)
        and len(piece.split()) <= _HEADING_WORDS
        and not _END.search(piece)
        and _END.search(pieces[index + 1]) is not None
    )
