"""A document's passages: what the model reads as one segment each.

Whole sentences of one page's cleaned text, packed greedily from the front up to the
number of tokens that a segment holds. Greedy packing makes passages depend on nothing
behind them: a file that grows keeps all but the last.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from armt_core.errors import UsageError
from ingest.parsed import ParsedDocument
from ingest.runs import CleanPage, slice_runs, to_page_span
from ingest.sentences import sentence_spans
from storage.records import Runs

_BATCH_CHARACTERS = 200_000
# Tokenizers give one token for a word of any length that they do not know; a passage
# is nevertheless something to quote.
_MOST_CHARACTERS_A_TOKEN = 20
_WORD = re.compile(r"\S+")

_Span = tuple[int, int]


@dataclass(frozen=True)
class TextPassage:
    """One segment of a document.

    `text` is cleaned text, `tokens` of the model's tokens without special ones. It comes
    from `[start, end)` of page `page`; `runs` count from its own beginning, so that
    `page_text[p : p + n] == text[c : c + n]` for each (c, p, n) of them.
    """

    ordinal: int
    page: int
    start: int
    end: int
    text: str
    runs: Runs
    tokens: int


def split_passages(
    document: ParsedDocument, clean_pages: Sequence[CleanPage], tokenizer: Any, max_tokens: int
) -> list[TextPassage]:
    """The passages of `document`, in order; none crosses a page.

    `tokenizer` is one of transformers, fast or slow. A sentence of more than `max_tokens`
    is cut between words, a word of more wherever it must be. Text without any token
    (white space, characters that the tokenizer ignores) is in no passage of its own.
    Raises UsageError for `max_tokens` < 1, or when one character needs more tokens.
    """
    if max_tokens < 1:
        raise UsageError(f"a passage needs at least 1 token, not {max_tokens}")
    count = _counter(tokenizer)
    passages: list[TextPassage] = []
    for page, clean in zip(document.pages, clean_pages, strict=True):
        for (start, end), tokens in _pack(clean.text, count, max_tokens):
            page_start, page_end = to_page_span(clean.runs, start, end)
            runs = slice_runs(clean.runs, start, end)
            text = clean.text[start:end]
            passages.append(
                TextPassage(len(passages), page.number, page_start, page_end, text, runs, tokens)
            )
    return passages


def unknown_ratio(tokenizer: Any, passages: Sequence[TextPassage]) -> float:
    """The share of tokens that are unknown to the vocabulary, from 0 to 1; 0 without tokens."""
    unknown = tokenizer.unk_token_id
    total = missing = 0
    for batch in _batches([passage.text for passage in passages]):
        for ids in _encode(tokenizer, batch):
            total += len(ids)
            missing += sum(token == unknown for token in ids)
    return missing / total if total else 0.0


def _counter(tokenizer: Any) -> Callable[[Sequence[str]], list[int]]:
    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for batch in _batches(texts) for ids in _encode(tokenizer, batch)]

    return count


def _encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # no warning that a text is longer than the model's own limit
    )
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """All texts in order, in lists of bounded size."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text) + 1
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pack(
    text: str, count: Callable[[Sequence[str]], list[int]], max_tokens: int
) -> Iterator[tuple[_Span, int]]:
    """([start, end), tokens) of each passage of one page."""
    most_characters = _MOST_CHARACTERS_A_TOKEN * max_tokens
    units = _units(text, sentence_spans(text), count, max_tokens)
    first = 0
    while first < len(units):
        start, last, total = units[first][0][0], first, 0
        while last < len(units):
            (_, end), tokens = units[last]
            if last > first and (total + tokens > max_tokens or end - start > most_characters):
                break
            total += tokens
            last += 1
        # Tokens of parts need not add up to those of the whole: count what is to be read.
        total = count([text[start : units[last - 1][0][1]]])[0]
        while total > max_tokens and last - first > 1:
            last -= 1
            total = count([text[start : units[last - 1][0][1]]])[0]
        if total:
            yield (start, units[last - 1][0][1]), total
        first = last


def _units(
    text: str,
    spans: Sequence[_Span],
    count: Callable[[Sequence[str]], list[int]],
    max_tokens: int,
) -> list[tuple[_Span, int]]:
    """The spans with their tokens, those too long replaced by ever smaller parts."""
    most_characters = _MOST_CHARACTERS_A_TOKEN * max_tokens
    short = [span for span in spans if span[1] - span[0] <= most_characters]
    counts = iter(count([text[start:end] for start, end in short]))
    units: list[tuple[_Span, int]] = []
    for span in spans:
        tokens = next(counts) if span[1] - span[0] <= most_characters else max_tokens + 1
        if tokens <= max_tokens:
            units.append((span, tokens))
        else:
            units.extend(_units(text, _parts(text, span, max_tokens), count, max_tokens))
    return units


def _parts(text: str, span: _Span, max_tokens: int) -> list[_Span]:
    """The words of a sentence, or the pieces of a single word."""
    start, end = span
    words = [found.span() for found in _WORD.finditer(text, start, end)]
    if len(words) > 1:
        return words
    if end - start == 1:
        raise UsageError(
            f"the character {text[start]!r} alone needs more than the {max_tokens} tokens of a "
            "passage; the model's segments must be longer"
        )
    # Pieces of a fixed length, not halves: where a cut falls must not depend on what follows.
    length = max(1, min(max_tokens // 2, (end - start) // 2))
    return [(at, min(at + length, end)) for at in range(start, end, length)]
