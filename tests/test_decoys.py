"""Sentences of books with the names of stories in them: what is put where, and how often."""

import random
import re

import pytest
from transformers import AutoTokenizer

from ingest.settings import DEFAULT_MODEL
from training.decoys import decoy, decoy_question, strange, strange_question
from training.rows import Words
from training.text import Texts
from training.worlds import GIVERS, MOVERS, OBJECTS, PLACES

BOOK = (
    "Mr. Darcy rose, and Elizabeth followed Bennet out of the house. A letter lay on the table. "
    "Rain fell. "
)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))


def test_names_of_stories_take_the_places_of_those_of_a_book_and_the_rest_stays():
    draw = random.Random(0)
    people, places, things = "|".join({*MOVERS, *GIVERS}), "|".join(PLACES), "|".join(OBJECTS)
    made = [decoy(BOOK.strip(), draw) for _ in range(200)]
    only_people = f"Mr. Darcy rose, and ({people}) followed ({people}) out of the house. A letter"
    all_kinds = (
        rf"Mr\. Darcy rose, and ({people}) followed ({people}) out of the ({places})\. "
        rf"A ({things}) lay on the ({places})\. Rain fell\."
    )
    alone = sum(bool(re.match(only_people, text)) for text in made)
    whole = [found for text in made if (found := re.fullmatch(all_kinds, text))]
    assert alone + len(whole) == 200 and 70 < alone < 130
    # Every name comes: none is left to itself.
    assert {found[1] for found in whole} == {*MOVERS, *GIVERS}
    assert {found[3] for found in whole} == set(PLACES)
    assert {found[4] for found in whole} == set(OBJECTS)


def test_text_is_changed_before_it_is_tokenised_and_each_draw_decides_how(words):
    plain, changed = Texts([BOOK * 200], words), Texts([BOOK * 200], words, decoy)

    def told(texts: Texts, seed: int) -> str:
        sentences = texts.sentences(random.Random(seed))
        return words.tokenizer.decode([t for _ in range(30) for t in next(sentences)])

    assert "elizabeth" in told(plain, 1) and "elizabeth" not in told(changed, 1)
    assert told(changed, 1) == told(changed, 1) != told(changed, 2)


def test_a_question_about_somebody_is_put_about_somebody_of_a_story():
    draw, people = random.Random(0), {*MOVERS, *GIVERS}
    asked = ["Why did the old king weep?", "How old is George Washington?"]
    for question, before, after in zip(
        asked, ("Why did ", "How old is "), (" weep?", "?"), strict=True
    ):
        made = {decoy_question(question, draw) for _ in range(200)}
        assert made == {f"{before}{name}{after}" for name in people}
    things = {decoy_question("What colour is the horse?", draw) for _ in range(200)}
    assert things == {f"What colour is the {name}?" for name in OBJECTS} | {
        "What colour is the horse?"
    }


def test_what_a_story_may_answer_and_what_names_nobody_is_no_strange_question():
    other = ["Why did the king weep?", "What colour is the letter?", "Who married Alice?"]
    told = [
        "Where did the king go?",
        "In which room was the queen?",
        "Who gave the ring to Alice?",
        "What is north of the river?",
        "Who received the letter?",
    ]
    assert strange([*other, *told, "What is rain?"]) == other


def test_every_second_strange_question_is_one_that_people_try_a_memory_with():
    draw = random.Random(0)
    asked = [strange_question(["Why did the king weep?"], draw) for _ in range(400)]
    weeps = sum(question.endswith(" weep?") for question in asked)
    assert 150 < weeps < 250
    assert any(question.startswith("How old is ") for question in asked)
