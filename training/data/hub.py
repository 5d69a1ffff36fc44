"""Public sets on the Hugging Face hub: where each is, and how one of its rows becomes one of ours.

Listed are only sets whose repository holds data files: `datasets` no longer runs loading scripts.
Of the sets with titles, every question keeps its title, so that `splits.py` keeps the same articles
apart whichever set they come from. `training/data/fetch.py` loads and writes what is listed here.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ingest.sentences import sentence_spans

HubRow = Mapping[str, Any]
#: A line of a JSON file, or for an archive {"member": its path, "text": what to write there}.
Item = dict[str, Any]


@dataclass(frozen=True)
class HubSet:
    """A set on the hub and the file it becomes.

    name: ours, as the command line and (for questions) the `sets` of a recipe have it. file: in
    the data folder. convert(row, split): our row, or None for a row that cannot be used; it
    raises KeyError where a column is missing. most: rows to take of each split; None: all.
    """

    name: str
    hub: str
    configuration: str | None
    splits: tuple[str, ...]
    licence: str
    file: str
    convert: Callable[[HubRow, str], Item | None]
    most: int | None = None


def squad_question(row: HubRow, split: str) -> Item | None:
    """A question of SQuAD 1.1, or of a set with the same columns; always answered."""
    made = squad_v2_question(row, split)
    return made if made and made["answers"] else None


def squad_v2_question(row: HubRow, split: str) -> Item | None:
    """A question of SQuAD 2.0, which may have no answer."""
    texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
    if len(texts) != len(starts):
        return None
    # Titles are written as in addresses: "Beyonc%C3%A9", "Kanye_West".
    title = unquote(row["title"]).replace("_", " ")
    spans = zip(texts, starts, strict=True)
    return _question(row["id"], title, row["context"], row["question"], spans, split)


def squad_sentence(row: HubRow, split: str) -> Item | None:
    """A question of SQuAD 1.1 over the one sentence that holds its (first) answer."""
    made = squad_question(row, split)
    if made is None:
        return None
    text, start = made["answers"][0]["text"], made["answers"][0]["start"]
    for first, last in sentence_spans(made["context"]):
        if first <= start and start + len(text) <= last:
            answer = {"text": text, "start": start - first}
            return {**made, "context": made["context"][first:last], "answers": [answer]}
    return None  # the answer reaches over the end of a sentence


def natural_question(row: HubRow, split: str) -> Item | None:
    """A question of Natural Questions with a short answer, as the MRQA task prepared it.

    `labels` has for each of `answers` the places where it occurs in the context.
    """
    answers, labels = row["answers"], row["labels"]
    if not answers or len(answers) != len(labels):
        return None
    found = [(a, s) for a, label in zip(answers, labels, strict=True) for s in label["start"]]
    context, starts = _without_tags(row["context"], [start for _, start in found])
    spans = zip([text for text, _ in found], starts, strict=True)
    made = _question(row["key"], "", context, row["question"], spans, split)
    return made if made and made["answers"] else None


def babi_story(row: HubRow, split: str) -> Item | None:
    """A question of bAbI with the facts before it, as a story of its own in the original format.

    The original says in a third column which facts support the answer; the copy does not.
    """
    facts = [fact.strip() for fact in row["passage"].splitlines() if fact.strip()]
    question, answer = row["question"].strip(), row["answer"].strip()
    lines = [*facts, f"{question} \t{answer}\t"]
    text = "".join(f"{number} {line}\n" for number, line in enumerate(lines, 1))
    # A further tab would make a question of a fact; the files are read as ASCII.
    if not facts or not question or not answer or text.count("\t") != 2 or not text.isascii():
        return None
    wanted = "valid" if split == "validation" else split
    return {"member": f"en-valid/qa{row['task']}_{wanted}.txt", "text": text}


def book(row: HubRow, split: str) -> Item | None:
    """A book of PG-19; the last part of its address keeps books of one title apart."""
    parts = row["short_book_title"], row["publication_date"], row["url"].rstrip("/").split("/")[-1]
    name = "__".join(re.sub(r"[^A-Za-z0-9]+", "-", str(part)).strip("-")[:80] for part in parts)
    text = row["text"].strip()
    return {"member": f"books/{name}.txt", "text": text + "\n"} if text else None


def article(row: HubRow, split: str) -> Item | None:
    """An article of Wikipedia as a document."""
    made = {"title": row["title"], "text": row["text"].strip()}
    return made if made["title"] and made["text"] else None


def _question(
    key: str, title: str, context: str, question: str, spans: Iterable[tuple[str, int]], split: str
) -> Item | None:
    """None where anything is empty or an answer does not stand where it should."""
    answers = list(dict.fromkeys(spans))  # several people often gave the same one
    if not context.strip() or not question.strip():
        return None
    if any(not text or context[start : start + len(text)] != text for text, start in answers):
        return None
    return {
        "id": key,
        "title": title,
        "context": context,
        "question": question.strip(),
        "answers": [{"text": text, "start": start} for text, start in answers],
        "split": split,
    }


_TAG = re.compile(r"</?[A-Z][^<>\s]*>\s?")


def _without_tags(text: str, starts: list[int]) -> tuple[str, list[int]]:
    """Natural Questions marks paragraphs, lists and cells (<P>, <Li>, <Td>); the text and the
    starts without these. A start inside a tag stays wrong and is found out later."""
    tags = [found.span() for found in _TAG.finditer(text)]
    moved = [start - sum(end - begin for begin, end in tags if end <= start) for start in starts]
    return _TAG.sub("", text).rstrip(), moved


_SETS = (
    # `evaluate` asks about the articles of this one; half of its questions have no answer.
    HubSet(
        "squad-articles", "rajpurkar/squad_v2", "squad_v2", ("validation",), "CC BY-SA 4.0",
        "qa/squad-articles.jsonl.gz", squad_v2_question,
    ),
    HubSet(
        "squad", "rajpurkar/squad", "plain_text", ("train",), "CC BY-SA 4.0",
        "qa/squad.jsonl.gz", squad_question,
    ),
    HubSet(
        "squad-v2", "rajpurkar/squad_v2", "squad_v2", ("train",), "CC BY-SA 4.0",
        "qa/squad-v2.jsonl.gz", squad_v2_question,
    ),
    HubSet(
        "squad-sentences", "rajpurkar/squad", "plain_text", ("train",), "CC BY-SA 4.0",
        "qa/squad-sentences.jsonl.gz", squad_sentence,
    ),
    HubSet(
        "adversarial-qa", "UCLNLP/adversarial_qa", "adversarialQA", ("train",), "CC BY-SA 4.0",
        "qa/adversarial-qa.jsonl.gz", squad_question,
    ),
    HubSet(
        "nq", "lucadiliello/naturalquestionsshortqa", None, ("train",),
        "CC BY-SA 3.0 (the copy states none)", "qa/nq.jsonl.gz", natural_question,
    ),
    # Not named "babi-...": `files.babi` takes the first archive by name that has a task, and
    # the ten times larger original, where someone has it, is to come before this copy.
    HubSet(
        "babi", "Muennighoff/babi", None, ("train", "validation"),
        "CC BY 3.0 (the copy states none)", "babi/hub-en-valid.tar.xz", babi_story,
    ),
    HubSet(
        "books", "emozilla/pg19", None, ("train",), "Apache-2.0 (the copy states none)",
        "books/train.tar.xz", book, most=200,
    ),
    HubSet(
        "wikipedia", "wikimedia/wikipedia", "20231101.en", ("train",), "CC BY-SA 3.0 and GFDL",
        "docs/wikipedia.jsonl.xz", article, most=5000,
    ),
)  # fmt: skip
SETS: Mapping[str, HubSet] = {entry.name: entry for entry in _SETS}
