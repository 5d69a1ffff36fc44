"""Stories made up in the likeness of bAbI's."""

import itertools
import random
import re

import pytest

from training.simulating import simulate
from training.worlds import replay


@pytest.mark.parametrize("task", [1, 2, 3, 4, 5])
def test_simulated_stories_are_the_same_for_the_same_draw_and_ask_their_task(task: int):
    stories = [simulate(task, 30, random.Random(seed)) for seed in range(20)]
    assert stories == [simulate(task, 30, random.Random(seed)) for seed in range(20)]
    assert len({tuple(story) for story in stories}) > 15
    asked = [a for story in stories for a in replay(story).questions() if a.task == task]
    assert len(asked) >= 20 and len({a.answer for a in asked}) >= 3


def test_nobody_takes_what_is_elsewhere():
    for seed in range(30):
        place, holder, lying = {}, {}, {}
        for sentence in simulate(2, 40, random.Random(seed)):
            words = sentence.rstrip(".").replace(" there", "").split()
            who, last = words[0], words[-1]
            if sentence.split(" to the ")[0].split()[1] in ("moved", "journeyed", "travelled") or (
                words[1] == "went"
            ):
                place[who] = last
            elif words[1] in ("got", "picked", "grabbed", "took"):
                assert last not in holder and lying.get(last, place[who]) == place[who]
                holder[last] = who
            else:
                assert holder.pop(last) == who
                lying[last] = place[who]


def test_a_gift_can_be_the_first_that_a_short_story_tells():
    stories = [simulate(5, 3, random.Random(seed)) for seed in range(200)]
    given = sum(any(a.task == 5 for a in replay(story).questions()) for story in stories)
    assert given > 80


def test_who_leaves_an_object_goes_on_at_once_as_often_as_is_said():
    counts = {}
    for share in (0.0, 0.5, 1.0):
        on = left = 0
        for seed in range(200):
            story = simulate(2, 20, random.Random(seed), share)
            for said, then in itertools.pairwise(story):
                if found := re.fullmatch(r"(\w+) (?:left|discarded|put down|dropped) .*", said):
                    left += 1
                    on += (
                        re.match(rf"{found[1]} (?:moved|journeyed|travelled|went)", then)
                        is not None
                    )
        counts[share] = on / left
    assert counts[0.0] < 0.3 and counts[1.0] == 1.0
    assert abs(counts[0.5] - (counts[0.0] + 1) / 2) < 0.07
    assert simulate(2, 20, random.Random(3)) == simulate(2, 20, random.Random(3), 0.0)
