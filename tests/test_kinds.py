"""What a question asks for, and which sentences hold it."""

import pytest

from app.kinds import asked_kind, kind_match


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many turbines are there?", "number"),
        ("When did the lock open?", "number"),
        ("In which year was it built?", "number"),
        ("Who keeps the light?", "person"),
        ("In whose ditch did it turn up?", "person"),
        ("Why is the door green?", None),
        ("Whenever", None),
    ],
)
def test_the_kind_of_a_question_is_told_by_its_words(question, kind):
    assert asked_kind(question) == kind


@pytest.mark.parametrize(
    ("question", "sentence", "match"),
    [
        ("How many boats left?", "Forty boats left the quay.", 1.0),
        ("How many boats left?", "All of them left the quay.", -1.0),
        ("Who wound the clock?", "It was wound by Ada Fontwell.", 1.0),
        ("Who wound the clock?", "The clock was wound each evening.", -1.0),
        ("Who was Ada?", "They say that Ada was the keeper.", -1.0),
        ("Who was Ada?", "Mrs Fontwell kept the light.", 1.0),
        ("Why?", "Because of 1931.", 0.0),
    ],
)
def test_a_sentence_matches_if_it_holds_what_is_asked_for(question, sentence, match):
    assert kind_match(question, sentence) == match
