"""`python -m training babilong`: a small system learns stories hidden in books (BABILong, arXiv
2406.10149), and is measured by how far it holds beyond the length that it was trained at.

The model that ships learns them by a recipe (`python -m training train`); here all systems of arXiv
2407.04841 learn under equal conditions, a word a token.
"""

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from armt_core.errors import UsageError
from armt_core.systems import SystemModel
from training.data import files
from training.evaluation.babilong import best_constant, told_last
from training.hiding import fits
from training.objectives.stories import MOST_FACTS, SEGMENT, Stories, Tale, Told, answer
from training.small import SmallTask

#: Words of a segment in the first stages, of four segments with one fact each.
SHORT, MOVES = (8, 16, 32), 4
#: Segments of the stages after them; a training of N goes through those below N, and then N.
CURRICULUM = (4, 8, 16)
#: Of 20 steps, those of each short stage; the others are shared out equally.
SHARES = (2, 1, 1)
#: How many times as many segments as trained a system is measured at.
BEYOND = (1, 2, 4, 8)
#: Documents of a batch, and questions about each.
BATCH, QUESTIONS = 32, 8


def babilong(data: Path, tasks: Sequence[int], segments: int, documents: int = 100) -> SmallTask:
    """Simulated stories of these tasks over up to so many segments, among sentences of the books in
    the data folder, after short ones of qa1 whatever the tasks are; measured on real questions,
    most so many of each task, among sentences of the books kept apart. They are the same at all
    lengths, and of no more facts than are trained on.

    Raises UsageError for no segments and for tasks without simulated stories, DataMissing without
    books or stories.
    """
    if segments < 1:
        raise UsageError(f"--segments must be at least 1, not {segments}.")
    if unknown := [task for task in tasks if not 1 <= task <= 5]:
        raise UsageError(f"--tasks are from 1 to 5 (bAbI qa1 to qa5), not {unknown[0]}.")
    tasks = sorted(set(tasks))
    tale = Tale(files.books(data, "train"))

    def measure(model: SystemModel, draw: random.Random) -> dict[str, Any]:
        apart = tale.among(files.books(data, "dev"))
        found: dict[str, Any] = {}
        for task in tasks:
            stories = [
                story
                for story in files.babi(data, task, "dev")
                if len(story.facts) <= MOST_FACTS and fits(story.facts, segments, SEGMENT)
            ]
            chosen = draw.sample(stories, min(documents, len(stories)))
            found[f"qa{task}"] = {
                str(n): _shares(model, apart, chosen, n, draw)
                for n in (segments * times for times in BEYOND)
            }
        return found

    batch = {"tasks": tasks, "documents": BATCH, "questions": QUESTIONS}
    lengths = [*(n for n in CURRICULUM if n < segments), segments]
    return SmallTask(
        name="stories",
        vocabulary=tale.vocabulary,
        segment_tokens=SEGMENT,
        stages=[
            *({**batch, "segments": MOVES, "words": words} for words in SHORT),
            *({**batch, "segments": n} for n in lengths),
        ],
        shares=[*SHARES, *[(20 - sum(SHARES)) / len(lengths)] * len(lengths)],
        objective=partial(Stories, tale),
        measure=measure,
        described={
            "tasks": tasks,
            "segments": segments,
            "segment_words": SEGMENT,
            "books": tale.digest,
        },
    )


def _shares(
    model: SystemModel,
    tale: Tale,
    stories: Sequence[files.BabiQuestion],
    segments: int,
    draw: random.Random,
) -> dict[str, float]:
    """Shares of right answers from memory ("right"), from an emptied one, and of the best constant
    ones, and the number of stories, told in so many segments."""
    right = {"right": 0, "right_emptied": 0}
    for first in range(0, len(stories), BATCH):
        part = stories[first : first + BATCH]
        segments_of = [tale.tell(story.facts, segments, draw) for story in part]
        told = Told.of(tale, segments_of, [[(story.question, story.answer)] for story in part])
        for name, empty in (("right", False), ("right_emptied", True)):
            said = answer(model, told, empty).argmax(-1).cpu()
            right[name] += int((said == told.answers).sum())
    n = len(stories)
    constant = best_constant([(story.question, story.answer) for story in stories])
    shares = {**right, "best_constant": constant, "told_last": told_last(stories)}
    return {"n": n, **{name: count / n for name, count in shares.items()}} if n else {"n": 0}
