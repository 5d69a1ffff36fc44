"""bAbI stories replayed: what they answer, and from which sentences."""

from training.worlds import answered_by, meaning, replay


def answers(*facts: str) -> dict[str, str]:
    return {asked.question: asked.answer for asked in replay(facts).questions()}


def test_people_are_where_they_went_last():
    told = answers("Mary moved to the garden.", "Mary went back to the office.")
    assert told == {"Where is Mary?": "office"}


def test_what_somebody_carries_goes_along_until_it_is_left():
    facts = (
        "John went to the kitchen.",
        "John got the milk there.",
        "John travelled to the garden.",
        "John put down the milk.",
        "John journeyed to the office.",
    )
    told = answers(*facts)
    assert told["Where is the milk?"] == "garden"
    assert told["Where was the milk before the garden?"] == "kitchen"
    assert told["Where is John?"] == "office"


def test_the_last_visit_to_a_place_is_the_one_that_is_meant():
    facts = ["John went to the kitchen.", "John took the apple there."]
    facts += [f"John moved to the {p}." for p in ("garden", "office", "hallway", "office")]
    assert answers(*facts)["Where was the apple before the office?"] == "hallway"


def test_a_map_is_read_in_both_directions():
    told = answers("The garden is north of the office.")
    assert told == {
        "What is north of the office?": "garden",
        "What is the garden north of?": "office",
        "What is south of the garden?": "office",
        "What is the office south of?": "garden",
    }


def test_the_last_gift_counts():
    told = answers("Bill gave the football to Fred.", "Fred handed the football to Mary.")
    assert told["Who gave the football?"] == "fred"
    assert told["Who received the football?"] == "mary"
    assert told["Who gave the football to Fred?"] == "bill"
    assert told["What did Bill give to Fred?"] == "football"
    assert told["Who did Fred give the football to?"] == "mary"


def test_a_question_knows_the_facts_it_follows_from_and_those_they_overwrote():
    facts = [
        "John went to the kitchen.",
        "John got the milk there.",
        "John moved to the garden.",
        "Mary took the apple.",
        "John gave the milk to Mary.",
        "Mary handed the milk to John.",
    ]
    slots = {a.question: a.slots for a in replay(facts).questions()}
    assert slots["Where is John?"] == ((0, 2),)
    assert slots["Where is the milk?"] == ((1, 4, 5), (0, 2))  # who has it, then where they are
    assert slots["Who gave the milk?"] == ((4, 5),)
    assert slots["Who gave the milk to Mary?"] == ((4,),)
    assert slots["Where was the milk before the garden?"] == ((1, 4, 5), (0, 2))  # likewise
    (where,) = [a for a in replay(facts).questions() if a.question == "Where is John?"]
    assert where.facts == (2,)
    assert where.rivals(facts) == 4  # all others that name John
    lies = ["The garden is north of the office.", "The hallway is east of the garden."]
    assert {a.question: a.rivals(lies) for a in replay(lies).questions()} == {
        "What is north of the office?": 0,
        "What is the garden north of?": 1,
        "What is south of the garden?": 1,
        "What is the office south of?": 0,
        "What is east of the garden?": 1,
        "What is the hallway east of?": 0,
        "What is west of the hallway?": 0,
        "What is the garden west of?": 1,
    }


def test_where_people_were_before_is_found_where_they_went_last():
    told = [f"John went to the {place}." for place in ("office", "garden")]
    world = replay([*told, "Mary moved to the office."])
    (john,) = world.earlier()  # nobody said where Mary was before
    assert (john.question, john.answer) == ("Where was John before the garden?", "office")
    assert (john.slots, john.sought) == (((0, 1),), "Where is John?")
    world.tell("John went to the garden.")  # where he is already
    assert [a.answer for a in world.earlier()] == ["office"]


def test_where_a_thing_was_before_is_found_by_who_brought_it_and_by_nobody_else():
    told = ["John went to the office.", "John got the milk.", "John went to the garden."]

    def slots(*more: str) -> dict[str, tuple[tuple[int, ...], ...]]:
        asked = replay([*told, *more]).questions()
        return {a.question: a.slots for a in asked if a.task == 3}

    question = "Where was the milk before the garden?"
    assert slots() == {question: ((1,), (0, 2))}
    # He left it there and came from the office; where he went then is another matter.
    assert slots("John left the milk.", "John went to the hallway.") == {question: ((1, 3),)}
    # Mary, who came from the kitchen, did not bring it.
    other = ["Mary went to the kitchen.", "Mary went to the garden.", "Mary took the milk."]
    assert slots("John left the milk.", *other) == {question: ()}
    # Of where it is no more nothing is found.
    assert slots("John went to the hallway.") == {
        question: (),
        "Where was the milk before the hallway?": ((1,), (0, 2, 3)),
    }


def test_two_wordings_of_one_question_have_one_meaning_and_others_their_own():
    fact = "The office is north of the kitchen."
    assert {meaning(question) for question in answered_by(fact)} == {
        "What is north of the kitchen?",
        "What is south of the office?",
    }
    assert meaning("What is the kitchen south of?") == meaning("What is north of the kitchen?")
    assert meaning("What is the kitchen north of?") == "What is south of the kitchen?"
    assert meaning("Where is Mary?") == "Where is Mary?"
    assert answered_by("Mary went to the office.") == {"Where is Mary?"}
