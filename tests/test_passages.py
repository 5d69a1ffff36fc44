"""Passages: whole sentences of one page, counted in the model's own tokens."""

import itertools
import random

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from armt_core.errors import UsageError
from ingest.cleaning import clean_document
from ingest.parsed import ParsedDocument
from ingest.passages import split_passages, unknown_ratio
from ingest.sentences import sentence_spans
from storage.records import Page

TALE = "the cat sat on a mat while rain fell over old towns and nobody saw it happen"
WORDS = TALE.split()


def make_text(sentences, seed=0):
    rng = random.Random(seed)
    return " ".join(
        " ".join(rng.choices(WORDS, k=rng.randrange(3, 12))).capitalize() + "."
        for _ in range(sentences)
    )


@pytest.fixture(scope="module")
def wordpiece():
    vocab = {"[UNK]": 0, ".": 1} | {word: i + 2 for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


@pytest.fixture(scope="module")
def byte_pairs():
    """Tokens of parts do not add up to those of the whole: spaces belong to words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([make_text(200, seed=9)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


class SlowTokenizer:
    """Like a slow tokenizer of transformers: no offsets, a prefix of its own to each text."""

    unk_token_id = None

    def __call__(self, texts, add_special_tokens, return_offsets_mapping=False, **_):
        assert not add_special_tokens
        if return_offsets_mapping:
            raise NotImplementedError("slow tokenizers give no offsets")
        return {"input_ids": [[ord(c) for c in "▁" + t.replace(" ", "")] for t in texts]}


def count(tokenizer, text):
    return len(tokenizer([text], add_special_tokens=False)["input_ids"][0])


def split(tokenizer, *texts, limit=20, kind="text"):
    document = ParsedDocument("t", kind, tuple(Page(i, None, t) for i, t in enumerate(texts)))
    passages = split_passages(document, clean_document(document), tokenizer, limit)
    for ordinal, passage in enumerate(passages):
        stored = texts[passage.page]
        assert passage.ordinal == ordinal
        assert 0 < count(tokenizer, passage.text) == passage.tokens <= limit
        first, last = passage.runs[0], passage.runs[-1]
        assert (first[0], first[1]) == (0, passage.start)
        assert (last[0] + last[2], last[1] + last[2]) == (len(passage.text), passage.end)
        for clean, at, length in passage.runs:
            assert passage.text[clean : clean + length] == stored[at : at + length]
    return passages


@pytest.mark.parametrize("kind", ["wordpiece", "byte_pairs", "slow"])
def test_passages_are_whole_sentences_counted_exactly_and_nothing_is_lost(kind, request):
    tokenizer = SlowTokenizer() if kind == "slow" else request.getfixturevalue(kind)
    text = make_text(60)
    limit = 100 if kind == "slow" else 60
    passages = split(tokenizer, text, limit=limit)
    assert " ".join(passage.text for passage in passages) == text
    assert all(passage.text.endswith(".") for passage in passages)
    assert len(passages) > 5
    for passage, following in itertools.pairwise(passages):
        start, end = sentence_spans(following.text)[0]
        next_sentence = following.text[start:end]
        assert count(tokenizer, f"{passage.text} {next_sentence}") > limit - 5  # it was filled


def test_a_passage_never_crosses_a_page(wordpiece):
    passages = split(wordpiece, "The cat sat. It fell", "on a mat.", "", "Rain fell.")
    assert [(p.page, p.text) for p in passages] == [
        (0, "The cat sat. It fell"),
        (1, "on a mat."),
        (3, "Rain fell."),
    ]


def test_a_heading_stays_with_what_follows_it(wordpiece):
    passages = split(wordpiece, "The Cat\n\nIt sat on a mat. Rain fell over old towns.", limit=9)
    assert passages[0].text == "The Cat\nIt sat on a mat."


def test_a_long_sentence_is_cut_between_words_and_a_long_word_anywhere(wordpiece, byte_pairs):
    sentence = " ".join(WORDS * 5)
    passages = split(wordpiece, sentence, limit=16)
    assert " ".join(passage.text for passage in passages) == sentence
    assert [passage.tokens for passage in passages] == [16] * 5 + [count(wordpiece, sentence) - 80]
    word = "xq" * 300
    assert "".join(passage.text for passage in split(byte_pairs, word, limit=16)) == word
    chinese = "今天天气很好我们去散步" * 30
    assert "".join(passage.text for passage in split(byte_pairs, chinese, limit=16)) == chinese


def test_a_word_that_is_one_unknown_token_is_still_cut_to_a_length_worth_quoting(wordpiece):
    passages = split(wordpiece, "x" * 5000, limit=10)
    assert "".join(passage.text for passage in passages) == "x" * 5000
    assert max(len(passage.text) for passage in passages) <= 200


def test_appending_changes_none_but_the_last_passages(wordpiece, byte_pairs):
    text = make_text(80, seed=4).replace(". ", ".\n\n", 9) + " " + "word" * 50 + " The end"
    for tokenizer in (wordpiece, byte_pairs):
        whole = split(tokenizer, text, limit=40)
        for end in range(200, len(text), 211):
            part = split(tokenizer, text[:end], limit=40)
            assert part[:-2] == whole[: len(part) - 2]


def test_a_quote_of_a_mended_page_is_its_stored_text(wordpiece):
    stored = "It rain-\r\nfell over a ﬂat\r\nmat. Nobody\r\nsaw it."
    passages = split(wordpiece, stored, limit=9, kind="pdf")
    assert [(p.text, stored[p.start : p.end]) for p in passages] == [
        ("It rainfell over a flat mat.", "It rain-\r\nfell over a ﬂat\r\nmat."),
        ("Nobody saw it.", "Nobody\r\nsaw it."),
    ]


def test_unknown_tokens_are_counted(wordpiece):
    passages = split(wordpiece, "The cat zzz sat. Qqq.")
    assert unknown_ratio(wordpiece, passages) == 2 / 7
    assert unknown_ratio(wordpiece, []) == 0.0
    assert unknown_ratio(SlowTokenizer(), passages) == 0.0


def test_a_document_without_a_token_has_no_passages(wordpiece):
    assert split(wordpiece, " ", "\u200b\n") == []


def test_nonsense_limits_are_refused(wordpiece):
    with pytest.raises(UsageError, match="at least 1 token"):
        split(wordpiece, "a", limit=0)
    with pytest.raises(UsageError, match="alone needs more than the 1 tokens"):
        split(SlowTokenizer(), "a", limit=1)
