"""Rules for sentence ends."""

import time

import pytest

from ingest.sentences import sentence_spans


def sentences(text):
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Smith went home.", "He slept."],
        ["It cost 3.14 euros.", "Version 2.0 is out!", "Is it?", "Yes."],
        ["Then... it was gone.", "Well…", "And so on."],
        ['"What?" he said.', '"No."', "She left (in 1937).", "Next."],
        ["See Fig. 3 and No. 5.", "No.", "I don't."],
        ["In the U.S. Army, at 5 p.m. sharp.", "Go."],
        ["He lives in the U.S.", "The law is old."],
        ["J. R. R. Tolkien wrote it.", "It was e.g. this, i.e. that."],
        ["Apple Inc. Cupertino is far.", "It is Apple Inc.", "The firm grew."],
        ["1. Introduction", "2.1. Methods are good."],
        ["It is so.[12]", "Next one."],
        ["今日は天気です。", "「行こう。」", "はい！", "本当？"],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["هل هذا؟", "نعم."],
        ["a heading", "- an item", "text"],
        ["approx. five, etc. and more.", "Done."],
    ],
)
def test_sentences_are_found(expected):
    cjk = expected[0][-1] in "。！？।"
    headings = expected[0] in ("a heading", "1. Introduction")
    text = ("" if cjk else "\n" if headings else " ").join(expected)
    assert sentences(text) == expected


def test_only_white_space_lies_outside_of_sentences():
    text = "  One. Two!\n\n three\t\n. \n?! 4.  "
    spans = sentence_spans(text)
    inside = {i for start, end in spans for i in range(start, end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in inside)
    assert all(text[a:b].strip() == text[a:b] != "" for a, b in spans)
    assert spans == sorted(spans)


def test_empty_text_has_no_sentence():
    assert sentence_spans("") == sentence_spans(" \n\t") == []


@pytest.mark.parametrize(
    "piece", ["a.a.a.", ".", "x", "a. ", ". ", "!", "(", "\n", '."', "1. ", " "]
)
def test_a_long_text_without_sense_takes_a_second_or_two(piece):
    text = piece * (400_000 // len(piece))
    started = time.process_time()
    sentence_spans(text)
    assert time.process_time() - started < 5
