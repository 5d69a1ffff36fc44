"""What people ask of stories in other words than bAbI does, and what they ask that no story tells.

bAbI has one wording for each of its questions. A model that is taught what to leave unanswered
takes every other wording for that. Of both lists a part is kept apart, to measure whether what is
learned is the question or the words.
"""

import random
import re
from collections.abc import Mapping, Sequence

from training.worlds import GIVERS, MOVERS, OBJECTS, PLACES

#: By what bAbI asks: the same in other words, for training. {0}, {1} are the groups of the pattern.
WORDINGS: Mapping[str, tuple[str, ...]] = {
    r"Where is (the \w+|\w+)\?": (
        "Where's {0}?", "Where is {0} now?", "In which room is {0}?", "Which room is {0} in?",
        "Where can I find {0}?", "Where can {0} be found?", "Tell me where {0} is.",
        "Do you know where {0} is?", "What is the location of {0}?", "Where was {0} last seen?",
        "Where is {0} at the moment?", "{0} is where?", "Which place is {0} in?",
        "In which place would I find {0}?", "where {0}", "Where might {0} be?",
    ),
    r"Where is ([A-Z]\w+)\?": (
        "Where did {0} go?", "Where has {0} gone?", "To which room did {0} go?",
        "Which room did {0} go to last?", "Where is {0} staying?", "Where did {0} go in the end?",
    ),
    r"Where is the (\w+)\?": (
        "Where did the {0} end up?", "Where has the {0} been put?", "In which room is the {0} now?",
        "Where did somebody leave the {0}?", "Where was the {0} taken?", "Where's that {0}?",
    ),
    r"Where was (the \w+|\w+) before the (\w+)\?": (
        "Where had {0} been before the {1}?", "Before the {1}, where was {0}?",
        "Which room was {0} in before the {1}?", "In which place was {0} before the {1}?",
    ),
    r"Where was ([A-Z]\w+) before the (\w+)\?": (
        "Where did {0} come to the {1} from?", "Where was {0} before going to the {1}?",
        "From which room did {0} come to the {1}?",
    ),
    r"Where was the (\w+) before the (\w+)\?": (
        "Where was the {0} before it was in the {1}?",
        "Where was the {0} before it came to the {1}?",
    ),
    r"What is (\w+) of the (\w+)\?": (
        "Which room is {0} of the {1}?", "What lies {0} of the {1}?", "What's {0} of the {1}?",
        "Which place is to the {0} of the {1}?", "What room lies to the {0} of the {1}?",
        "What do I find {0} of the {1}?", "Which room is on the {0} side of the {1}?",
    ),
    r"What is the (\w+) (\w+) of\?": (
        "Which room is the {0} {1} of?", "What does the {0} lie {1} of?",
        "Of which room is the {0} {1}?", "Which place is the {0} to the {1} of?",
        "The {0} is {1} of what?", "The {0} is {1} of which room?",
    ),
    r"What did (\w+) give to (\w+)\?": (
        "What did {1} get from {0}?", "What was given to {1} by {0}?", "What did {0} give {1}?",
        "What did {0} hand to {1}?", "Which thing did {0} give to {1}?",
        "What has {0} passed to {1}?", "What did {1} receive from {0}?",
    ),
    r"Who did (\w+) give the (\w+) to\?": (
        "To whom did {0} give the {1}?", "Who got the {1} from {0}?", "Who has {0} given the {1}?",
        "Who did {0} hand the {1} to?", "Who received the {1} from {0}?",
        "To whom has {0} passed the {1}?",
    ),
    r"Who gave the (\w+) to (\w+)\?": (
        "Who handed the {0} to {1}?", "Who did {1} get the {0} from?", "Who gave {1} the {0}?",
        "From whom did {1} get the {0}?", "Who passed the {0} to {1}?",
        "By whom was the {0} given to {1}?", "From whom has {1} received the {0}?",
    ),
    r"Who gave the (\w+)\?": (
        "Who gave away the {0}?", "Who handed over the {0}?", "Who passed on the {0}?",
        "By whom was the {0} given?", "Who has given the {0} to somebody?",
    ),
    r"Who received the (\w+)\?": (
        "Who got the {0}?", "Who was given the {0}?", "To whom was the {0} given?",
        "Who was the {0} handed to?", "Who did somebody give the {0} to?",
    ),
}  # fmt: skip
#: Ones that are kept apart from training.
WORDINGS_APART: Mapping[str, tuple[str, ...]] = {
    r"Where is (the \w+|\w+)\?": (
        "Where's {0} now?", "What room is {0} in?", "Where is {0} currently?",
        "In what room can I find {0}?", "Where would {0} be?", "Can you tell me where {0} is?",
    ),
    r"Where is ([A-Z]\w+)\?": ("Where did {0} go last?", "Which room has {0} gone to?"),
    r"Where is the (\w+)\?": ("Where was the {0} left?", "Where do I find that {0}?"),
    r"Where was (the \w+|\w+) before the (\w+)\?": ("Where did {0} stay before the {1}?",),
    r"Where was ([A-Z]\w+) before the (\w+)\?": ("Where did {0} enter the {1} from?",),
    r"Where was the (\w+) before the (\w+)\?": ("Where did the {0} get to the {1} from?",),
    r"What is (\w+) of the (\w+)\?": (
        "What room is {0} of the {1}?", "What is to the {0} of the {1}?",
        "Which room lies {0} of the {1}?",
    ),
    r"What is the (\w+) (\w+) of\?": (
        "What is the {0} to the {1} of?", "What room is the {0} {1} of?",
    ),
    r"What did (\w+) give to (\w+)\?": (
        "What did {0} pass to {1}?", "What has {1} got from {0}?", "What was {1} given by {0}?",
    ),
    r"Who did (\w+) give the (\w+) to\?": (
        "Who was given the {1} by {0}?", "To whom did {0} hand the {1}?",
    ),
    r"Who gave the (\w+) to (\w+)\?": (
        "Who was it that gave the {0} to {1}?", "From whom is the {0} that {1} got?",
    ),
    r"Who gave the (\w+)\?": ("Who passed the {0}?", "Who was it that gave the {0}?"),
    r"Who received the (\w+)\?": ("Who did get the {0}?", "To whom did the {0} go?"),
}  # fmt: skip
#: What stories tell nothing of, or what memory is not taught to find there ("Who is in the ..."),
#: for training: nothing is to be said. The words in braces are drawn from `_SLOTS`.
UNTOLD = (
    "How old is {person}?", "Who is {person}?", "What is {person}?", "Why did {person} go there?",
    "When did {person} arrive?", "What does {person} do for a living?", "How {how} is {person}?",
    "What does {person} like?", "How did {person} get there?", "Who is {person} married to?",
    "What colour is {person}'s {part}?", "Is {person} {feeling}?", "What did {person} say?",
    "When was {person} born?", "Why is {person} in the {place}?", "Is {person} in the {place}?",
    "How long did {person} stay in the {place}?", "Who is in the {place}?",
    "What is in the {place}?", "What colour is the {place}?", "How {how} is the {place}?",
    "Who owns the {place}?", "When was the {place} built?", "How many {many} has the {place}?",
    "What is the {place} used for?", "What colour is the {thing}?", "Who owns the {thing}?",
    "How much does the {thing} cost?", "What is the {thing} made of?", "How {how} is the {thing}?",
    "Why did {person} take the {thing}?", "Does {person} like the {thing}?",
    "What is {person}'s last name?", "Which of them is the tallest, {person} or {person}?",
    "What happened to {person} after that?", "What is a {thing}?", "What is a {place}?",
    "How {how} are {person}'s {part}?", "Has {person} {many}?", "How many {many} has {person}?",
    "Was {person} {feeling}?", "Why was {person} {feeling}?", "Why does {person} {do} the {thing}?",
    "When did {person} {do} the {thing}?", "How does {person} {do} the {thing}?",
    "Did {person} {do} the {thing}?", "Will {person} {do} the {thing}?", "Who is {person}'s {kin}?",
    "Has {person} a {kin}?", "What is the name of {person}'s {kin}?", "Does {person} {do} {many}?",
    "Why did {person} leave the {place}?", "Does {person} know {person}?",
    "Did {person} meet {person}?", "What did {person} think of {person}?",
    "When does {person} {do}?",
    "Who {did} the {thing}?", "Who {did} the {place}?", "What did {person} {do} then?",
    "Is the {thing} {how}?", "Is the {place} {how}?", "Why is the {place} so {how}?",
    "Who told {person} about the {thing}?", "What did {person} {do} in the {place}?",
    "Which {thing} is better?", "What time is it?", "What is the story about?",
    "How many people are there?", "What is the weather like?", "Who is the oldest?",
    "What is written on the {thing}?", "What does the {thing} look like?", "Can {person} {do}?",
)  # fmt: skip
#: Ones that are kept apart from training.
UNTOLD_APART = (
    "What colour are {person}'s eyes?", "Why is {person} sad?", "Who is {person}'s sister?",
    "When will {person} come back?", "What did {person} eat?", "Did {person} go to the {place}?",
    "How many doors has the {place}?", "How warm is the {place}?", "Who cleaned the {place}?",
    "How heavy is the {thing}?", "Who made the {thing}?", "Why did {person} want the {thing}?",
)  # fmt: skip
_SLOTS: Mapping[str, Sequence[str]] = {
    "person": sorted({*MOVERS, *GIVERS}), "place": PLACES, "thing": OBJECTS,
    "how": (
        "big", "tall", "long", "wide", "rich", "strong", "tired", "clean", "expensive", "deep",
        "bright", "young", "clever", "loud", "fast", "dark", "old", "useful", "dirty", "far away",
    ),
    "feeling": ("happy", "angry", "tired", "hungry", "ill", "afraid", "late", "alone", "busy"),
    "many": ("windows", "chairs", "beds", "books", "friends", "children", "pictures", "keys"),
    "part": ("hair", "coat", "shoes", "hands", "voice", "hat", "skin"),
    "kin": ("brother", "mother", "wife", "husband", "friend", "teacher", "child", "dog"),
    "do": ("buy", "sell", "break", "wash", "see", "hide", "lose", "find", "paint", "cook", "read"),
    "did": ("bought", "built", "painted", "broke", "sold", "saw", "found", "hid", "lost"),
}  # fmt: skip
_NAMED = re.compile(r"\{(\w+)\}")


def reworded(
    question: str,
    draw: random.Random,
    wordings: Mapping[str, tuple[str, ...]] = WORDINGS,
) -> str:
    """A question of bAbI qa1 to qa5 in other words of the list. Raises ValueError for any other."""
    ways = [
        wording.format(*found.groups())
        for pattern, others in wordings.items()
        if (found := re.fullmatch(pattern, question))
        for wording in others
    ]
    if not ways:
        raise ValueError(f"No other words are known for {question!r}.")
    return draw.choice(ways)


def untold(draw: random.Random, questions: Sequence[str] = UNTOLD) -> str:
    """A question about people, places and things of stories that memory is not to answer."""
    return _NAMED.sub(lambda name: draw.choice(_SLOTS[name[1]]), draw.choice(questions))
