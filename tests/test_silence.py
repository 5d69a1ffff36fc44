"""The table of what is written of text without facts: which segments count."""

import random

import pytest
import torch
from transformers import AutoTokenizer

from armt_core.apart import through
from ingest.settings import DEFAULT_MODEL
from tests.test_training import PROSE, small_model
from training.decoys import decoy
from training.evaluation import silence as table
from training.evaluation.silence import SilenceRow, silence
from training.hiding import filler, laid
from training.rows import Words
from training.text import Texts
from training.traced import read_one
from training.traced import texts as read_texts


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def texts(words) -> Texts:
    return Texts([PROSE.format("old", "Ostend") * 200], words)


def test_a_segment_counts_when_any_token_of_any_layer_is_written_by_more_than_half(
    words, texts, monkeypatch
):
    model, seen = small_model(words).eval(), []
    model.config.segment_tokens = 32

    def written(model, text, memory):
        """By 0.6 in one layer and token of the first segment of each batch, by 0.5 elsewhere."""
        memory, put = read_one(model, text, memory)
        put.beta.fill_(0.5)
        put.beta[1, 0, 2] = 0.6
        seen.append((len(text.told), float(memory.segments_read.float().mean())))
        return memory, put

    monkeypatch.setattr(table, "read_one", written)
    rows = silence(model, words, texts, 40)
    assert rows == [SilenceRow("books", 40, 2 / 40), SilenceRow("decoys", 40, 2 / 40)]
    # Two batches of each text, every one into an empty memory.
    assert seen == [(32, 1.0), (8, 1.0)] * 2
    assert rows[0].cells() == ("books", "40", "5.0% (1% to 17%)")


def test_books_are_read_as_they_are_and_then_with_decoys(words, texts, monkeypatch):
    model, changes = small_model(words).eval(), []

    def of_filler(model, words, texts, *rest):
        changes.append(texts.change)
        return filler(model, words, texts, *rest)

    monkeypatch.setattr(table, "filler", of_filler)
    with torch.no_grad():
        model.associative.beta_weight.zero_()
        model.associative.beta_bias.fill_(-1.0)
    assert [row.written for row in silence(model, words, texts, 4)] == [0.0, 0.0]
    with torch.no_grad():
        model.associative.beta_bias[1] = 1.0
    assert [row.written for row in silence(model, words, texts, 4)] == [1.0, 1.0]
    assert changes == [None, decoy] * 2


def test_what_is_written_of_a_segment_is_what_reading_it_writes(words):
    model = small_model(words).eval()
    rows = [[random.Random(i).randrange(1000, 2000) for _ in range(20)] for i in range(2)]
    ids, mask = laid(model, words, rows, 32)
    read = read_texts(model, ids, mask)
    memory, put = read_one(model, read[1], model.empty_memory(1))
    _, tokens = through(model, ids[1:], mask[1:].bool(), model.empty_memory(1))
    expected, wrote = model.write(tokens, model.empty_memory(1), torch.ones(1, dtype=torch.bool))
    torch.testing.assert_close(memory.associations, expected.associations, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(put.beta, wrote.beta)
