"""The checks at the door: what comes in must fit what is stored."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from armt_core.errors import LibraryError, OtherModel
from storage.records import NewPassage, NewSnapshot, Page, Runs
from storage.rows import runs_to
from storage.tables import PassageRow, VersionRow


def passage_problem(
    page_text: str | None, *, page: int, start: int, end: int, text: str, runs: Runs
) -> str | None:
    """What is wrong with a passage's place in its page, or None.

    Runs ascend without overlap in both texts, stay inside them, and pair equal ASCII letters
    and digits; other characters may have been mended (a line break to a space).
    """
    if page_text is None:
        return f"page {page} is not stored"
    if not 0 <= start <= end <= len(page_text):
        return f"characters {start} to {end} are outside page {page} of {len(page_text)}"
    clean_from, page_from = 0, start
    for clean, stored, length in runs:
        if clean < clean_from or stored < page_from or length < 0:
            return f"run ({clean}, {stored}, {length}) overlaps the one before or starts too early"
        clean_from, page_from = clean + length, stored + length
        if clean_from > len(text) or page_from > end:
            return f"run ({clean}, {stored}, {length}) ends after the passage"
        read, kept = text[clean:clean_from], page_text[stored:page_from]
        if read != kept and any(
            a != b and _plain(a) and _plain(b) for a, b in zip(read, kept, strict=True)
        ):
            return f"run ({clean}, {stored}, {length}) pairs {read[:40]!r} with {kept[:40]!r}"
    return None


def _plain(character: str) -> bool:
    return character.isascii() and character.isalnum()


def bytes_of(page: Page) -> int:
    """Bytes that a page takes; raises LibraryError for what is no Unicode text."""
    try:
        return len(page.text.encode()) + len((page.label or "").encode())
    except UnicodeEncodeError as error:
        raise LibraryError(
            f"Page {page.number} holds half a character (a lone surrogate at character "
            f"{error.start}): the parser must replace it"
        ) from error


def check_order(version: VersionRow, passages: Sequence[NewPassage], snapshot: NewSnapshot) -> None:
    """Passages continue those stored, and the memory has read all of them by the same model."""
    if version.segments_total is None:
        raise LibraryError(f'"{version.title}" has no pages yet: call set_parsed first')
    if snapshot.fingerprint != version.fingerprint:
        raise OtherModel(
            f'"{version.title}" is being read by the model {version.fingerprint}, and this memory '
            f"was made by {snapshot.fingerprint}: begin a new reading"
        )
    after = version.segments_read + len(passages)
    expected = list(range(version.segments_read, after))
    if [passage.ordinal for passage in passages] != expected or snapshot.segments_read != after:
        raise LibraryError(
            f'"{version.title}" has {version.segments_read} segments; {len(passages)} more must be '
            f"numbered from there, with a memory after {after}, not after {snapshot.segments_read}"
        )


#: The columns of a passage by name.
Row = dict[str, int | float | str | bytes | None]


def passage_row(version_id: int, passage: NewPassage, pages: dict[int, str]) -> Row:
    """The row of a passage that lies in its page; raises LibraryError if it does not."""
    problem = passage_problem(
        pages.get(passage.page),
        page=passage.page,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        runs=passage.runs,
    )
    if problem:
        raise LibraryError(f"Passage {passage.ordinal} does not lie in its page: {problem}")
    vector = passage.vector
    if vector.dtype != np.float16 or vector.ndim != 1:
        raise LibraryError(
            f"The vector of passage {passage.ordinal} is {vector.dtype} of shape {vector.shape}; "
            "expected float16 of shape (D,)"
        )
    sentences = passage.sentences
    if sentences is not None and (
        sentences.dtype != np.float16 or sentences.ndim != 2 or sentences.shape[1:] != vector.shape
    ):
        raise LibraryError(
            f"The sentence vectors of passage {passage.ordinal} are {sentences.dtype} of shape "
            f"{sentences.shape}; expected float16 of shape (n, {len(vector)})"
        )
    return {
        "version_id": version_id,
        "ordinal": passage.ordinal,
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
        "tokens": passage.tokens,
        "text": passage.text,
        "runs": runs_to(passage.runs),
        "memory_vector": vector.astype("<f2").tobytes(),
        "sentence_vectors": None if sentences is None else sentences.astype("<f2").tobytes(),
        "beta": passage.beta,
        "gamma": passage.gamma,
        "change": passage.change,
    }


def row_bytes(row: Row) -> int:
    """Bytes of text, runs and vectors that a row takes."""
    return sum(
        len(value.encode() if isinstance(value, str) else value)
        for value in row.values()
        if value is not None and not isinstance(value, (int, float))
    )


def check_width(session: Session, version_id: int, rows: Sequence[Row]) -> None:
    """All vectors of a version have one width; raises LibraryError."""
    stored = session.scalar(
        select(func.length(PassageRow.memory_vector))
        .where(PassageRow.version_id == version_id)
        .limit(1)
    )
    widths = {len(row["memory_vector"]) for row in rows if isinstance(row["memory_vector"], bytes)}
    if len(widths | ({stored} if stored else set())) > 1:
        raise LibraryError(
            f"The vectors of a version must have one width; these have {sorted(widths)} bytes and "
            f"those stored {stored}"
        )
