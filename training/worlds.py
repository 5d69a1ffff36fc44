"""The worlds of bAbI qa1 to qa5, played out: sentences, and every question they answer.

A world is replayed from its sentences, whoever wrote them, so real stories and simulated
ones are asked in the same way, and about everything they tell at once.
Tasks: Weston et al., arXiv 1502.05698.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

PLACES = ("kitchen", "garden", "hallway", "bedroom", "bathroom", "office")
OBJECTS = ("football", "apple", "milk")
MOVERS = ("Mary", "John", "Daniel", "Sandra")
GIVERS = ("Mary", "Fred", "Bill", "Jeff")
GO = ("moved", "journeyed", "travelled", "went", "went back")
TAKE = ("got", "picked up", "grabbed", "took")
LEAVE = ("left", "discarded", "put down", "dropped")
GIVE = ("gave", "handed", "passed")
#: Facts that compete for a question beyond so many do not make it likelier to be asked.
_RIVALS = 4
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}

_MOVED = re.compile(rf"(\w+) (?:{'|'.join(GO)}) to the (\w+)\.")
_TOOK = re.compile(rf"(\w+) (?:{'|'.join(TAKE)}) the (\w+)(?: there)?\.")
LEFT = re.compile(rf"(\w+) (?:{'|'.join(LEAVE)}) the (\w+)(?: there)?\.")
_GAVE = re.compile(rf"(\w+) (?:{'|'.join(GIVE)}) the (\w+) to (\w+)\.")
_LIES = re.compile(r"The (\w+) is (north|south|east|west) of the (\w+)\.")
_OF = re.compile(r"What is the (\w+) (north|south|east|west) of\?")

_NAMES = frozenset({*PLACES, *OBJECTS, *MOVERS, *GIVERS})


@dataclass(frozen=True)
class Asked:
    """A question about a story, its answer, and the bAbI task it is of.

    slots: which sentences of the story it follows from, counted from 0: first the one that
    says most of what is asked about, last the one that holds the answer; they may be one. Each
    comes after those that said the same of the same before, and hold no more. Empty where it
    takes more than two. wording: how it is put where that is not as bAbI does. present: the
    question about now that is looked up for one about before, which the same sentences answer.
    """

    task: int
    question: str
    answer: str
    slots: tuple[tuple[int, ...], ...] = ()
    wording: str = ""
    present: str = ""

    @property
    def sought(self) -> str:
        """The question whose answer is looked up."""
        return self.present or self.question

    @property
    def put(self) -> str:
        """The question in the words that it is put in."""
        return self.wording or self.question

    @property
    def facts(self) -> tuple[int, ...]:
        """The sentences that hold, the last of each slot."""
        return tuple(slot[-1] for slot in self.slots)

    def rivals(self, sentences: Sequence[str]) -> int:
        """How many of a story's other sentences name someone or something that is asked about."""
        named = _NAMES.intersection(re.findall(r"\w+", self.question))
        return sum(
            not named.isdisjoint(re.findall(r"\w+", sentence))
            for i, sentence in enumerate(sentences)
            if i not in self.facts
        )


@dataclass
class World:
    """What the sentences so far have told, and which of them did: where people `moved`, where
    objects were `touched` (taken, left, given). Of who `came_from` elsewhere: where they were
    before; of what lies where somebody left it, where they `brought_from`."""

    told: int = 0
    place_of: dict[str, str] = field(default_factory=dict)  # of people
    came_from: dict[str, str] = field(default_factory=dict)  # people
    brought_from: dict[str, str | None] = field(default_factory=dict)  # objects that lie there
    holder_of: dict[str, str] = field(default_factory=dict)  # of objects
    path_of: dict[str, list[str]] = field(default_factory=dict)  # of objects, places in order
    gifts: list[tuple[str, str, str]] = field(default_factory=list)  # giver, object, receiver
    lies: list[tuple[str, str, str]] = field(default_factory=list)  # a is `direction` of b
    moved: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of people
    touched: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of objects
    gave: list[int] = field(default_factory=list)  # the sentences of `gifts`
    said: list[int] = field(default_factory=list)  # the sentences of `lies`

    def tell(self, sentence: str) -> None:
        """Takes one sentence into account; one of another kind changes nothing."""
        if found := _MOVED.fullmatch(sentence):
            person, place = found.groups()
            if self.place_of.get(person, place) != place:
                self.came_from[person] = self.place_of[person]
            self.place_of[person] = place
            self.moved[person] = (*self.moved.get(person, ()), self.told)
            for thing, holder in self.holder_of.items():
                if holder == person:
                    self._at(thing, place)
        elif found := _TOOK.fullmatch(sentence):
            person, thing = found.groups()
            self.holder_of[thing] = person
            self.touched[thing] = (*self.touched.get(thing, ()), self.told)
            if person in self.place_of:
                self._at(thing, self.place_of[person])
        elif found := LEFT.fullmatch(sentence):
            self.holder_of.pop(found[2], None)
            self.brought_from[found[2]] = self.came_from.get(found[1])
            self.touched[found[2]] = (*self.touched.get(found[2], ()), self.told)
        elif found := _GAVE.fullmatch(sentence):
            giver, thing, receiver = found.groups()
            self.gifts.append((giver, thing, receiver))
            self.gave.append(self.told)
            self.holder_of[thing] = receiver
            self.touched[thing] = (*self.touched.get(thing, ()), self.told)
            if receiver in self.place_of:
                self._at(thing, self.place_of[receiver])
        elif found := _LIES.fullmatch(sentence):
            self.lies.append((found[1], found[2], found[3]))
            self.said.append(self.told)
        self.told += 1

    def _at(self, thing: str, place: str) -> None:
        path = self.path_of.setdefault(thing, [])
        if not path or path[-1] != place:
            path.append(place)

    def questions(self) -> list[Asked]:
        """Every question of qa1 to qa5 that has one answer now."""
        asked = [
            Asked(1, f"Where is {who}?", where, (self.moved[who],))
            for who, where in self.place_of.items()
        ]
        for thing, path in self.path_of.items():
            asked.append(Asked(2, f"Where is the {thing}?", path[-1], self._found(thing)))
            # Where a place was visited twice, the last visit is meant.
            before = {place: path[i] for i, place in enumerate(path[1:])}
            asked += [self._before(thing, *there) for there in before.items()]
        for (a, direction, b), at in zip(self.lies, self.said, strict=True):
            opposite = OPPOSITE[direction]
            asked += [
                Asked(4, f"What is {direction} of the {b}?", a, ((at,),)),
                Asked(4, f"What is the {a} {direction} of?", b, ((at,),)),
                Asked(4, f"What is {opposite} of the {a}?", b, ((at,),)),
                Asked(4, f"What is the {b} {opposite} of?", a, ((at,),)),
            ]
        last: dict[str, tuple[str, tuple[int, ...]]] = {}
        for (giver, thing, receiver), at in zip(self.gifts, self.gave, strict=True):
            for question, answer in (
                (f"What did {giver} give to {receiver}?", thing),
                (f"Who did {giver} give the {thing} to?", receiver),
                (f"Who gave the {thing} to {receiver}?", giver),
                (f"Who gave the {thing}?", giver),
                (f"Who received the {thing}?", receiver),
            ):
                last[question] = answer, (*last.get(question, ("", ()))[1], at)
        return asked + [
            Asked(5, question, answer.lower(), (slot,)) for question, (answer, slot) in last.items()
        ]

    def _before(self, thing: str, place: str, earlier: str) -> Asked:
        """Where an object was before a place. If it is there now: where the one who has it, or left
        it, came from, if that is so, and not somebody else brought it, whom nothing leads to."""
        question = f"Where was the {thing} before the {place}?"
        holder = self.holder_of.get(thing)
        came = self.came_from.get(holder) if holder else self.brought_from.get(thing)
        if place != self.path_of[thing][-1] or came != earlier:
            return Asked(3, question, earlier)
        return Asked(3, question, earlier, self._found(thing), present=f"Where is the {thing}?")

    def earlier(self) -> list[Asked]:
        """Where people were before they came to where they are: as qa3 asks of objects, which bAbI
        never asks of people."""
        return [
            Asked(
                3,
                f"Where was {who} before the {self.place_of[who]}?",
                before,
                (self.moved[who],),
                present=f"Where is {who}?",
            )
            for who, before in self.came_from.items()
        ]

    def _found(self, thing: str) -> tuple[tuple[int, ...], ...]:
        """The sentences that say where an object is: who had it last, and where they were then."""
        holder, slot = self.holder_of.get(thing), self.touched[thing]
        if holder is None:  # it lies where it was left
            return (slot,)
        return (slot, self.moved[holder]) if holder in self.moved else ()


def replay(sentences: tuple[str, ...] | list[str]) -> World:
    """The world after these sentences."""
    world = World()
    for sentence in sentences:
        world.tell(sentence)
    return world


def left_where(sentences: Sequence[str], moves: bool = False) -> list[tuple[int, int, str]]:
    """Of each sentence that tells of an object being left: its number, that of the sentence which
    says where the one who leaves it is, and the question that this one answers. moves: also of each
    that tells of somebody going elsewhere, which is where they were before."""
    world, found = World(), []
    for number, sentence in enumerate(sentences):
        told = LEFT.fullmatch(sentence) or (moves and _MOVED.fullmatch(sentence))
        if told and told[1] in world.moved and world.place_of[told[1]] != told[2]:
            found.append((number, world.moved[told[1]][-1], f"Where is {told[1]}?"))
        world.tell(sentence)
    return found


def meaning(question: str) -> str:
    """One wording for the two that qa4 has for the same question."""
    found = _OF.fullmatch(question)
    return f"What is {OPPOSITE[found[2]]} of the {found[1]}?" if found else question


@cache
def answered_by(sentence: str) -> frozenset[str]:
    """The questions that this sentence alone answers."""
    return frozenset(a.question for a in replay([sentence]).questions())


@cache
def leads_to(sentence: str) -> frozenset[str]:
    """The questions that are answered by where the one is whom this sentence names: where an object
    is that somebody took, left or gave away."""
    for pattern in (_TOOK, LEFT, _GAVE):
        if found := pattern.fullmatch(sentence):
            return frozenset({f"Where is the {found[2]}?"})
    return frozenset()


def shuffled(asked: Sequence[Asked], facts: Sequence[str], draw: random.Random) -> list[Asked]:
    """In random order, those early that other facts compete for: a question whose names stand in
    one fact alone is soon answered by any key that holds a name."""
    place = [
        draw.random() ** (1 / (1 + min(_RIVALS, question.rivals(facts)))) for question in asked
    ]
    return [asked[i] for i in sorted(range(len(asked)), key=lambda i: -place[i])]
