"""Stories as bAbI tells them in qa1 to qa5, made up: what may happen next, said in its words."""

import random

from training.worlds import (
    GIVE,
    GIVERS,
    GO,
    LEAVE,
    LEFT,
    MOVERS,
    OBJECTS,
    OPPOSITE,
    PLACES,
    TAKE,
    World,
)

#: How much likelier a gift is than a way, where both may happen.
_GIFTS = 3


def simulate(task: int, facts: int, draw: random.Random, moved_on: float = 0.0) -> list[str]:
    """`facts` sentences of a story of qa1 to qa5 (of qa4 always two), as bAbI tells them.

    moved_on: of those who leave an object, the share who go elsewhere at once, so that where the
    object lies is not where they are.
    """
    if task == 4:
        return _places(draw)
    people, world = (GIVERS if task == 5 else MOVERS), World()
    told: list[str] = []
    if task == 5:  # some objects are in somebody's hands already, or short stories have no gifts
        for thing in OBJECTS:
            if draw.random() < 0.5:
                world.holder_of[thing] = draw.choice(people)
    goes: str | None = None
    while len(told) < facts:
        sentence = _event(task, people, world, draw, goes)
        world.tell(sentence)
        told.append(sentence)
        left = LEFT.fullmatch(sentence) if moved_on else None
        goes = left[1] if left and draw.random() < moved_on else None
    return told


def _event(
    task: int, people: tuple[str, ...], world: World, draw: random.Random, goes: str | None
) -> str:
    """One thing that may happen now; in qa1 people only move. goes: who does so if given."""
    who = goes or draw.choice(people)
    here = world.place_of.get(who)
    held = [thing for thing, holder in world.holder_of.items() if holder == who]
    # Whose place was not told may be here, as in bAbI's own stories.
    others = [p for p in people if p != who and world.place_of.get(p, here) == here]
    within_reach = [
        thing
        for thing in OBJECTS
        if thing not in world.holder_of
        and (thing not in world.path_of or world.path_of[thing][-1] == here)
    ]
    choices = ["go"]
    if task > 1 and here is not None:
        choices += ["take"] * (2 * bool(within_reach)) + ["leave"] * bool(held)
    choices += ["give"] * (_GIFTS * bool(task == 5 and held and others))
    kind = "go" if goes else draw.choice(choices)
    if kind == "take":
        thing = draw.choice(within_reach)
        return f"{who} {draw.choice(TAKE)} the {thing} there."
    if kind == "leave":
        there = draw.choice(["", "", "", "", " there"])
        return f"{who} {draw.choice(LEAVE)} the {draw.choice(held)}{there}."
    if kind == "give":
        return f"{who} {draw.choice(GIVE)} the {draw.choice(held)} to {draw.choice(others)}."
    place = draw.choice([place for place in PLACES if place != here])
    return f"{who} {draw.choice(GO)} to the {place}."


def _places(draw: random.Random) -> list[str]:
    """Three places on a map, told in two sentences."""
    a, b, c = draw.sample(PLACES, 3)
    if draw.random() < 0.5:  # three in a row
        direction = draw.choice(list(OPPOSITE))
        told = [f"The {a} is {direction} of the {b}.", f"The {b} is {direction} of the {c}."]
    else:  # around one of them
        one, other = draw.sample(list(OPPOSITE), 2)
        told = [f"The {a} is {one} of the {b}.", f"The {c} is {other} of the {b}."]
    draw.shuffle(told)
    return told
