"""Marks answers that nobody marked: a reader that was trained finds the span in the sentence that
is known to answer the question.

In one sentence it is right much more often than in a paragraph, so its spans teach it to find them
there (self-training; Yarowsky 1995). The paragraphs are made of the sentence and its neighbours: of
its section, or, where it came alone, of the nearest sentences of the set. The same without the
sentence are questions that have no answer.

Axes: B rows, N sentences, T tokens, D width.
"""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from armt_core.model import ArmtModel
from armt_core.padding import pad_rows
from armt_core.pooling import mean_pool
from armt_core.spans import QUESTION_TOKENS, best_span
from training.data.articles import passages_of
from training.data.sentences import Told, paragraph, told, without_answer
from training.rows import Words, alike, beside

#: Of first and last token together; what the reader is less sure of is left out.
SURE = 0.4
#: Most sentences beside the one that answers.
_BESIDE = 5
#: One question in so many comes once more, without the sentence that answers it.
_WITHOUT = 3
_TOGETHER = 4096  # tokens of rows that go through the model together


def label(model: ArmtModel, words: Words, data: Path, name: str, output: Path) -> tuple[int, int]:
    """Writes a set of sentences of the data folder as questions over paragraphs: a file in the
    layout of `qa/`. Gives how many questions there were and how many got an answer."""
    known = told(data, name)
    spans = mark(model, words, known)
    kept = [(one, span) for one, span in zip(known, spans, strict=True) if span is not None]
    if kept and not any(one.others for one, _ in kept):
        near = nearest(model, words, [one.sentence for one, _ in kept], 2 * _BESIDE)
        kept = [(replace(one, others=o), s) for (one, s), o in zip(kept, near, strict=True)]
    draw = random.Random(0)
    with gzip.open(output, "wt", encoding="utf-8") as file:
        for n, (one, (start, end)) in enumerate(kept):
            for row in _rows(one, start, end, n, draw):
                row |= {"id": f"{name}-{n}", "title": "", "source": name, "split": "train"}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(known), len(kept)


def _rows(one: Told, start: int, end: int, n: int, draw: random.Random) -> list[dict[str, Any]]:
    """The question over a paragraph, and for some over one that does not answer it."""
    answer = one.sentence[start:end]
    if one.before is None:  # a neighbour of a section is left in its place, whatever it says
        one = replace(one, others=without_answer(one.others, answer))
    text, without = paragraph(one, _BESIDE, draw)
    at = text.index(one.sentence) + start
    row = {"question": one.question, "context": text, "answers": [{"text": answer, "start": at}]}
    if n % _WITHOUT or not without or answer.lower() in without.lower():
        return [row]
    return [row, {"question": one.question, "context": without, "answers": []}]


@torch.inference_mode()
def mark(model: ArmtModel, words: Words, known: Sequence[Told]) -> list[tuple[int, int] | None]:
    """Of each question, where its answer begins and ends in its sentence, [start, end); None
    where the reader is not sure, or the sentence is longer than a segment."""
    assert model.span is not None
    most = model.config.segment_tokens - 2
    asked = [ids[:QUESTION_TOKENS] for ids in words.encode([one.question for one in known])]
    split = passages_of([one.sentence for one in known], words.tokenizer, most)
    spans: list[tuple[int, int] | None] = [None] * len(known)
    whole = [i for i, passages in enumerate(split) if len(passages) == 1]
    lengths = [len(asked[i]) + len(split[i][0].tokens) for i in whole]
    for group in ([whole[g] for g in part] for part in alike(lengths, _TOGETHER)):
        laid = beside(words, [asked[i] for i in group], [split[i][0].tokens for i in group])
        ids, mask, inside = (t.to(model.device) for t in laid)
        first, last = model.span(model.run(ids, mask, role="reader")[0], inside)
        # That the sentence answers is known: "no answer", the [CLS], is none of the choices.
        first[:, 0] = last[:, 0] = -torch.inf
        chances = first.softmax(-1), last.softmax(-1)
        for b, i in enumerate(group):
            a, z, _ = best_span(first[b], last[b])
            if float(chances[0][b, a] * chances[1][b, z]) >= SURE:
                offsets, before = split[i][0].offsets, len(asked[i]) + 2
                spans[i] = offsets[a - before][0], offsets[z - before][1]
    return spans


@torch.inference_mode()
def nearest(
    model: ArmtModel, words: Words, sentences: Sequence[str], most: int
) -> list[tuple[str, ...]]:
    """Of each of N sentences the `most` others that are nearest to it, the nearest first."""
    distinct = list(dict.fromkeys(sentences))
    vectors = _vectors(model, words, distinct)
    near = []
    for part in vectors.split(512):
        cosines = part @ vectors.T  # (b, N)
        near += cosines.topk(min(most + 1, len(distinct))).indices.tolist()
    place = {sentence: i for i, sentence in enumerate(distinct)}
    return [tuple(distinct[j] for j in near[place[s]] if j != place[s])[:most] for s in sentences]


def _vectors(model: ArmtModel, words: Words, sentences: Sequence[str]) -> Tensor:
    """(N, D), each sentence read with an empty memory, what is beyond a segment left out."""
    most = model.config.segment_tokens - 2
    rows = [words.segment(ids[:most]) for ids in words.encode(sentences)]
    vectors = torch.empty(len(rows), model.config.hidden_size, device=model.device)
    for group in alike([len(row) for row in rows], _TOGETHER):
        ids, mask = (t.to(model.device) for t in pad_rows([rows[i] for i in group], words.pad))
        vectors[group] = mean_pool(model.run(ids, mask)[0], mask).float()
    return vectors
