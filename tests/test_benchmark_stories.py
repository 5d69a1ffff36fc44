"""Stories in books, asked of the app: what is hidden where, and what counts as right."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from app.results import Answer, Citation, MemoryAnswer
from benchmarks import stories
from benchmarks.stories import Asked, Hidden, among, fact_of, hide_stories, is_right, row
from training.data import files

BOOK = " ".join(f"Sentence {n} is about the grey sea." for n in range(400))
FACTS = ("Mary went to the garden.", "Mary went to the office.", "John left the milk.")


def hidden(fact: str = FACTS[1]) -> Hidden:
    rooms = frozenset({"garden", "office"})
    asked = ("Where is Mary?", "Where did Mary go last?", "office", rooms, fact)
    return Hidden(1, "qa1-0", "", *asked)


def answer(said: str | None, source: str, memory: str | None, *quotes: str) -> Answer:
    told = MemoryAnswer(memory, 0.9, "d1") if memory else None
    shown = tuple(Citation("d1", "qa1-0", 0, None, 0, 1, quote, 1, 0.5) for quote in quotes)
    return Answer("Q?", said, said is not None, 0.5, source, None, None, (), told, {}, shown)


def test_facts_stand_in_their_order_among_whole_sentences_of_the_book():
    for seed in range(20):
        text = among(FACTS, BOOK, 100, random.Random(seed))
        at = [text.index(fact) for fact in FACTS]
        assert at == sorted(at)
        for fact in FACTS:
            text = text.replace(fact, "", 1)
        sentences = " ".join(text.split()).split(". ")
        assert len(text.split()) in range(100, 107)
        numbers = [int(sentence.split()[1]) for sentence in sentences]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_right_is_the_right_word_alone_of_all_answers_of_the_task():
    right, story = ("office", "The Office.", "Mary went to the office."), hidden()
    wrong = (None, "", "garden", "official", "From the garden to the office.")
    assert all(is_right(said, story) for said in right)
    assert not any(is_right(said, story) for said in wrong)


def test_a_row_counts_what_is_right_what_is_given_from_memory_and_what_memory_knew():
    nothing = answer(None, "none", None)
    asked = [
        Asked(hidden(), answer("office", "memory", "office"), nothing, nothing),
        Asked(
            hidden(),
            answer("garden", "memory", "garden"),
            answer("office", "memory", "office"),
            answer("the office", "passage", None),
        ),
        Asked(
            hidden(),
            answer("the office", "passage", "office"),
            answer("office", "memory", "office"),
            answer("garden", "passage", None),
        ),
        Asked(
            hidden(),
            answer(None, "none", "office"),
            answer("an office", "passage", None),
            answer(None, "none", "garden"),
        ),
    ]
    made = row("qa1", asked)
    assert (made.n, made.final, made.empty, made.from_memory) == (4, 0.5, 0.25, 0.5)
    assert made.reworded == 0.75
    assert (made.from_memory_right, made.memory_right) == (0.5, 0.75)


def test_of_right_answers_from_memory_it_counts_what_quotes_the_fact():
    fact, other = FACTS[1], FACTS[0]
    by_memory = ("office", "memory", "office")
    cases = (  # what told it, and the nearest passages
        (by_memory, fact, (other, fact)),
        (by_memory, f"So {fact}", (fact,)),
        (by_memory, "", ()),
        (by_memory, other, (other,)),
        (("garden", "memory", "garden"), fact, (fact,)),
        (("office", "passage", "office"), fact, (fact,)),
    )
    nothing = answer(None, "none", None)
    asked = []
    for said, told, near in cases:
        given = answer(*said, *near)
        since = answer(*said, told).nearest[0] if told else None
        asked.append(Asked(hidden(), replace(given, since=since), nothing, nothing))
    made = row("qa1", asked)
    assert (made.told, made.since, made.nearest) == (4, 0.5, 0.25)


def test_a_fact_is_the_sentence_after_which_the_answer_is_so_ever_since():
    told = (
        "Mary went to the office.",
        "Mary took the milk.",
        "Mary moved to the garden.",
        "Mary went to the office.",
        "Mary left the milk.",
        "Mary moved to the garden.",
    )
    for question, answer, fact in (
        ("Where is the milk?", "office", told[3]),
        ("Where is Mary?", "garden", told[5]),
        ("Where was the milk before the office?", "garden", told[3]),
        ("Where is John?", "office", ""),
    ):
        assert fact_of(files.BabiQuestion(told, question, answer)) == fact


def test_each_task_has_as_many_stories_from_what_is_kept_apart(monkeypatch):
    told = [files.BabiQuestion(FACTS, "Where is Mary?", room) for room in ("office", "garden")]
    halves = []
    monkeypatch.setattr(files, "books", lambda data, split: halves.append(split) or [BOOK])
    monkeypatch.setattr(files, "babi", lambda data, task, split: halves.append(split) or told)
    made = hide_stories(Path(), 50, 2)
    assert [(s.task, s.title) for s in made[:3]] == [(1, "qa1-0"), (1, "qa1-1"), (2, "qa2-0")]
    assert len(made) == 2 * len(stories.TASKS) and set(halves) == {"dev"}
    assert all(s.wording != s.question and "Mary" in s.wording for s in made)
    assert all(s.answers == {"office", "garden"} and FACTS[0] in s.text for s in made)
    with pytest.raises(ValueError, match="larger than population"):
        hide_stories(Path(), 50, 3)
