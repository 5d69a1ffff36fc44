"""Questions of stories in other words, and ones that no story answers."""

import random
import re

import pytest

from training.simulating import simulate
from training.wordings import (
    UNTOLD,
    UNTOLD_APART,
    WORDINGS,
    WORDINGS_APART,
    reworded,
    untold,
)
from training.worlds import GIVERS, MOVERS, OBJECTS, PLACES, replay

NAMES = {name.lower() for name in (*GIVERS, *MOVERS, *OBJECTS, *PLACES)}
DIRECTIONS = {"north", "south", "east", "west"}


def named(question: str) -> list[str]:
    """The names and directions in a question, in order of the alphabet."""
    words = re.findall(r"[a-z]+", question.lower())
    return sorted(word for word in words if word in NAMES | DIRECTIONS)


@pytest.mark.parametrize("wordings", [WORDINGS, WORDINGS_APART], ids=["training", "apart"])
def test_every_question_of_babi_has_other_words_which_name_the_same(wordings):
    draw, seen = random.Random(0), set()
    for task in range(1, 6):
        for _ in range(20):
            world = replay(simulate(task, 12, draw))
            for asked in (*world.questions(), *world.earlier()):
                other = reworded(asked.question, draw, wordings)
                assert other != asked.question
                assert named(other) == named(asked.question)
                seen.add(re.sub("|".join(NAMES), "NAME", other.lower()))
    assert len(seen) >= 2 * len(wordings)


def test_one_wording_never_stands_for_two_questions():
    draw = random.Random(0)
    worlds = [replay(simulate(t, 40, draw)) for t in range(1, 6)]
    asked = {a.question for world in worlds for a in (*world.questions(), *world.earlier())}
    meant: dict[str, str] = {}
    for question in sorted(asked):
        for wordings in (WORDINGS, WORDINGS_APART):
            for _ in range(60):
                other = reworded(question, draw, wordings)
                assert meant.setdefault(other, question) == question
                assert other not in asked


def test_what_is_kept_apart_is_not_trained_on():
    for pattern, apart in WORDINGS_APART.items():
        assert not set(apart) & {w for words in WORDINGS.values() for w in words}
        assert pattern in WORDINGS
    assert not set(UNTOLD) & set(UNTOLD_APART)


def test_a_question_that_no_story_answers_has_names_of_stories_or_is_whole_and_has_no_gap():
    draw = random.Random(0)
    for questions in (UNTOLD, UNTOLD_APART):
        for _ in range(200):
            question = untold(draw, questions)
            assert named(question) or question in questions
            assert "{" not in question and question.endswith("?")


def test_other_words_of_a_question_that_babi_does_not_ask_are_refused():
    with pytest.raises(ValueError, match="How old"):
        reworded("How old is John?", random.Random(0))
