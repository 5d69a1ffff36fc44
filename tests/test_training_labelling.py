"""Answers that nobody marked: found by a reader in the sentence that is known to answer."""

import gzip
import json
import random

import pytest

from ingest.settings import DEFAULT_MODEL
from training.__main__ import main
from training.data import files
from training.data.sentences import Told, paragraph, told, without_answer
from training.run import open_start

SENTENCES = {
    "When did the mill at Orsa burn down?": "The mill at Orsa burned down in 1871.",
    "Who owned the mill at Orsa?": "The mill at Orsa was owned by the Lind family.",
    "How many people worked in the mill?": "Some forty people worked in the mill at Orsa.",
    "What is the capital of Latvia?": "Riga is the capital of Latvia.",
}
SECTION = ["It is old.", "The bridge was built in 1902.", "It is 40 m long.", "Boats pass it."]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "qa" / "retrieval"
    folder.mkdir(parents=True)
    pairs: list[dict] = [{"question": q, "passage": s} for q, s in SENTENCES.items()]
    section = {"question": "When was the bridge built?", "candidates": SECTION, "answers": [1]}
    nothing = {"question": "Who paid for it?", "candidates": SECTION, "answers": []}
    sets: dict[str, list[dict]] = {"pairs": pairs, "sections": [section, nothing]}
    for name, rows in sets.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_a_set_tells_which_sentence_answers_and_what_stands_around_it(data):
    (one,) = told(data, "sections")
    assert one == Told("When was the bridge built?", SECTION[1], (*SECTION[:1], *SECTION[2:]), 1)
    assert [t.sentence for t in told(data, "pairs")] == list(SENTENCES.values())
    with pytest.raises(files.DataMissing, match="other"):
        told(data, "other")


def test_a_paragraph_of_a_section_keeps_its_order_with_and_without_the_sentence(data):
    (one,) = told(data, "sections")
    seen = set()
    for seed in range(40):
        text, without = paragraph(one, 3, random.Random(seed))
        assert text in " ".join(SECTION) and SECTION[1] in text
        assert without == text.replace(SECTION[1], "").replace("  ", " ").strip()
        seen.add(text)
    assert SECTION[1] + " " + SECTION[2] in seen and " ".join(SECTION) in seen


def test_sentences_that_hold_the_answer_are_no_neighbours():
    assert without_answer(["Built IN 1902.", "Long."], "in 1902") == ("Long.",)


def test_a_reader_marks_the_answers_and_neighbours_are_of_the_same_subject(data, tmp_path, capsys):
    for name in ("pairs", "sections"):
        output = tmp_path / "qa" / f"{name}.jsonl.gz"
        given = [str(DEFAULT_MODEL), name, "--data", str(data), "--output", str(output)]
        assert main(["label", *given]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 questions got an answer"
    rows = [
        row
        for name in ("pairs", "sections")
        for split in ("train", "dev")
        for row in files.questions(tmp_path, name, split)
    ]
    said = {row.question: row.answers[0].text for row in rows if row.answers}
    assert said["When did the mill at Orsa burn down?"] == "1871"
    assert said["What is the capital of Latvia?"] == "Riga"
    assert said["When was the bridge built?"] == "1902"
    for row in rows:
        for answer in row.answers:
            assert row.context[answer.start :].startswith(answer.text)
            sentence = {**SENTENCES, "When was the bridge built?": SECTION[1]}[row.question]
            assert sentence in row.context and len(row.context) > len(sentence)
        if not row.answers:
            assert said[row.question].lower() not in row.context.lower()
    assert any(not row.answers for row in rows)


def test_of_what_it_is_not_sure_a_reader_marks_nothing(monkeypatch):
    from training import labelling

    reader = open_start(DEFAULT_MODEL)
    known = [Told(q, s) for q, s in SENTENCES.items()]
    assert None not in labelling.mark(*reader, known)
    monkeypatch.setattr(labelling, "SURE", 1.01)
    assert labelling.mark(*reader, known) == [None] * 4
    long = Told("Who?", "Mary went on " + "and on " * 300)
    monkeypatch.setattr(labelling, "SURE", 0.0)
    assert labelling.mark(*reader, [long]) == [None]


def test_the_nearest_sentences_come_first_and_never_the_sentence_itself():
    from training.labelling import nearest

    near = nearest(*open_start(DEFAULT_MODEL), list(SENTENCES.values()), 2)
    mill = list(SENTENCES.values())[:3]
    assert [set(n) for n in near[:3]] == [{a for a in mill if a != b} for b in mill]
