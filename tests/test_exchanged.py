"""Questions that a passage no longer answers, made by exchanging one part."""

import random

from training.data.exchanged import exchanged

PASSAGE = "In 1893 Orla Berg sailed from Lindholm to Riga. The first ship carried salt."
ELSEWHERE = ["Much later, in 1907, Matis Aalto went to Ostend. Then Orla Berg returned."]


def all_of(question: str, elsewhere: list[str] = ELSEWHERE) -> set[str | None]:
    return {exchanged(question, PASSAGE, elsewhere, random.Random(seed)) for seed in range(60)}


def test_a_name_makes_way_for_one_that_stands_elsewhere_and_not_in_the_passage():
    found = all_of("Where did Orla Berg sail?")
    assert found == {
        "Where did Matis Aalto sail?", "Where did Ostend sail?", "Where did not Orla Berg sail?",
    }  # fmt: skip


def test_a_number_makes_way_for_a_number():
    assert all_of("Who sailed in 1893?") == {"Who sailed in 1907?"}


def test_a_word_makes_way_for_its_opposite_where_there_is_no_name():
    assert all_of("What carried the first salt?") == {"What carried the last salt?"}


def test_a_question_without_a_part_to_exchange_is_left():
    assert all_of("Who sailed?") == {None}
    assert all_of("Where did Orla Berg sail?", []) == {"Where did not Orla Berg sail?"}
