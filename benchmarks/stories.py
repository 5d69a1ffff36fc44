"""Stories hidden in books, read and asked as the app does: what its memory adds to its passages.

    python -m benchmarks.stories --data FOLDER [--words N] [--stories N] [--model FOLDER]

Real bAbI stories (qa1 to qa5) of the validation files stand among the sentences of books, all kept
apart from training, one story in a text of about so many words. Each text is a document; its
question is asked about it alone. "right": the answer given is the right word, or a quote that has
this word of all the answers of its task. With an emptied memory passages and their reader are left.
"in other words": the question as bAbI never puts it, of those that training never saw either.
"told by its fact": of right answers from memory, how often what is shown as having told the memory
quotes the sentence after which the story's answer is so; "nearest": how often the nearest passage
does.
"""

import argparse
import random
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.answering import Answerer
from app.results import Answer, Citation
from app.support import load_calibration
from benchmarks.results import print_table, run, write_result
from ingest.sentences import sentence_spans
from ingest.settings import DEFAULT_MODEL, open_reader
from storage.library import Library
from training.data import files
from training.data.files import BabiQuestion
from training.evaluation.metrics import with_interval
from training.evaluation.retrieval import ingest_paragraphs
from training.wordings import WORDINGS_APART, reworded
from training.worlds import World

TASKS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Hidden:
    """A story in a text. title: of its document. wording: its question in other words. answers: all
    those of its task. fact: the sentence after which the answer is so, as it is ever since."""

    task: int
    title: str
    text: str
    question: str
    wording: str
    answer: str
    answers: frozenset[str]
    fact: str


@dataclass(frozen=True)
class Asked:
    """The answers about a story: with its memory, to other words, with an emptied memory."""

    story: Hidden
    final: Answer
    reworded: Answer
    empty: Answer


@dataclass(frozen=True)
class Row:
    """Shares of n: right answers with the memory as it is, to the question in other words, and with
    an emptied memory; answers given from memory (with the memory as it is), and right ones; right
    ones of memory whether given or not. told: how many right answers are from
    memory; shares of these whose fact is quoted as what told it (`since`), and in the nearest
    passage."""

    task: str
    n: int
    final: float
    reworded: float
    empty: float
    from_memory: float
    from_memory_right: float
    memory_right: float
    told: int
    since: float
    nearest: float


def main(arguments: list[str] | None = None) -> int:
    """0 when the table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stories")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--words", type=int, default=3000, help="of a text, about")
    parser.add_argument("--stories", type=int, default=20, help="of each task")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, metavar="FOLDER")
    options = parser.parse_args(arguments)
    hidden = hide_stories(options.data, options.words, options.stories)
    model, calibrations = open_reader(options.model), load_calibration(options.model)
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library")) as library:
        texts = {story.title: [story.text] for story in hidden}
        ids = ingest_paragraphs(texts, Path(folder), library, model)
        answerer = Answerer(library, model, calibrations)
        for story in hidden:
            where = [ids[story.title]]
            final = answerer.ask(story.question, documents=where)
            other_words = answerer.ask(story.wording, documents=where)
            empty = answerer.ask(story.question, documents=where, memory="empty")
            asked.append(Asked(story, final, other_words, empty))
    rows = [row(f"qa{t}", [a for a in asked if a.story.task == t]) for t in TASKS]
    rows.append(row("all", asked))
    print_table(
        ["", "n", "right", "in other words", "memory emptied", "given from memory",
         "of these right", "memory right", "told by its fact", "nearest"],
        [
            [r.task, str(r.n), *(with_interval(p, r.n) for p in (r.final, r.reworded, r.empty)),
             f"{r.from_memory:.0%}", f"{r.from_memory_right:.0%}", f"{r.memory_right:.0%}",
             *(f"{with_interval(p, r.told)} of {r.told}" for p in (r.since, r.nearest))]
            for r in rows
        ],
    )  # fmt: skip
    write_result("stories", {"words": options.words, "rows": [vars(r) for r in rows]})
    return 0


def hide_stories(data: Path, words: int, stories: int) -> list[Hidden]:
    """So many stories of each task, each among the sentences of a book from a random place on."""
    books, draw, hidden = files.books(data, "dev"), random.Random(0), []
    for task in TASKS:
        questions = files.babi(data, task, "dev")
        answers = frozenset(q.answer for q in questions)
        for number, q in enumerate(draw.sample(questions, stories)):
            text = among(q.facts, draw.choice(books), words, draw)
            title = f"qa{task}-{number}"
            wording = reworded(q.question, random.Random(title), WORDINGS_APART)
            told = (title, text, q.question, wording, q.answer, answers, fact_of(q))
            hidden.append(Hidden(task, *told))
    return hidden


def fact_of(question: BabiQuestion) -> str:
    """The sentence of a story after which the answer to its question is so, as it is ever since:
    of a thing that was carried and left, the one that says where its bearer went."""
    world, since = World(), ""
    for sentence in question.facts:
        world.tell(sentence)
        answers = {asked.question: asked.answer for asked in world.questions()}
        right = answers.get(question.question) == question.answer
        since = (since or sentence) if right else ""
    return since


def among(facts: Sequence[str], book: str, words: int, draw: random.Random) -> str:
    """The facts in their order at random places among the sentences of a book, so many words of it
    from a random place on; its lines are run together."""
    begin = draw.randrange(max(1, len(book) - 8 * words))
    stretch = " ".join(book[begin : begin + 8 * words].split())
    told: list[str] = []
    for start, end in sentence_spans(stretch)[1:-1]:
        told.append(stretch[start:end])
        words -= len(told[-1].split())
        if words <= 0:
            break
    places = sorted(draw.randint(0, len(told)) for _ in facts)
    for place, fact in reversed(list(zip(places, facts, strict=True))):
        told.insert(place, fact)
    return " ".join(told)


def is_right(said: str | None, story: Hidden) -> bool:
    """Whether what is said has the right answer, and none of the others of its task."""
    words = set(re.findall(r"[a-z]+", (said or "").lower()))
    return words & story.answers == {story.answer}


def quotes(citation: Citation | None, story: Hidden) -> bool:
    """Whether a citation quotes the story's fact (in a sentence of the same words, too)."""
    return citation is not None and story.fact != "" and story.fact in citation.quote


def row(task: str, asked: Sequence[Asked]) -> Row:
    """What these answers come to."""
    n = len(asked)
    final, other_words, empty = (
        [is_right(getattr(a, name).answer, a.story) for a in asked]
        for name in ("final", "reworded", "empty")
    )
    given = [a.final.source == "memory" for a in asked]
    told = [a for a, right, of in zip(asked, final, given, strict=True) if right and of]
    since = [quotes(a.final.since, a.story) for a in told]
    nearest = [quotes(next(iter(a.final.nearest), None), a.story) for a in told]
    memory = [
        told is not None and is_right(told.text, a.story)
        for a in asked
        for told in [a.final.memory_answer]
    ]
    return Row(
        task, n, sum(final) / n, sum(other_words) / n, sum(empty) / n, sum(given) / n,
        len(told) / max(sum(given), 1), sum(memory) / n, len(told), sum(since) / max(len(told), 1),
        sum(nearest) / max(len(told), 1),
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
