"""`python -m training fetch`: what comes from the hub can be read back as the data folder."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from armt_core.errors import UsageError
from training.__main__ import main
from training.data import fetch as fetching
from training.data import files
from training.data.fetch import HubFailed, HubMissing, UnknownSet, chosen, fetch, open_hub
from training.data.files import Span
from training.data.hub import SETS
from training.data.splits import split_of

CONTEXT = "Orla Venn was born in Lindholm. She learned to swim in Ostend, by the sea."


class Hub:
    """Stands in for `datasets.load_dataset`: rows by split; notes what was asked of it."""

    def __init__(self, **rows: list[dict]) -> None:
        self.rows = rows
        self.asked: list[tuple] = []

    def __call__(self, hub: str, configuration: str | None, *, split: str, streaming: bool):
        self.asked.append((hub, configuration, split, streaming))
        yield from self.rows[split]


def squad_row(text: str = "Lindholm", start: int | None = None, title: str = "Orla_Venn") -> dict:
    starts = [] if not text else [CONTEXT.index(text) if start is None else start]
    answers = {"text": [text] if text else [], "answer_start": starts}
    question = "Where was Orla born?"
    return {
        "id": "5", "title": title, "context": CONTEXT, "question": question, "answers": answers
    }  # fmt: skip


def both(read, data: Path, *which) -> list:
    """The training half and the half kept apart."""
    return read(data, *which, "train") + read(data, *which, "dev")


# What is written can be read back


def test_squad_questions_come_back_with_their_answers_and_a_readable_title(tmp_path):
    row = squad_row(title="Beyonc%C3%A9_Knowles")
    row["answers"] = {"text": ["Lindholm", "Lindholm"], "answer_start": [22, 22]}
    hub = Hub(train=[row])
    done = fetch(SETS["squad"], tmp_path, hub)
    assert (done.rows, done.skipped, done.left_alone) == (1, 0, False)
    assert hub.asked == [("rajpurkar/squad", "plain_text", "train", True)]
    (question,) = both(files.questions, tmp_path, "squad")
    assert question.title == "Beyoncé Knowles" and question.context == CONTEXT
    assert question.question == "Where was Orla born?"
    assert question.answers == (Span("Lindholm", 22),)


def test_a_question_without_an_answer_is_kept_in_squad_2_and_skipped_in_squad_1(tmp_path):
    rows = [squad_row(""), squad_row()]
    assert fetch(SETS["squad-v2"], tmp_path, Hub(train=rows)).rows == 2
    assert [q.answers for q in both(files.questions, tmp_path, "squad-v2")] == [
        (), (Span("Lindholm", 22),),
    ]  # fmt: skip
    done = fetch(SETS["squad"], tmp_path, Hub(train=rows))
    assert (done.rows, done.skipped) == (1, 1)


def test_an_answer_that_is_not_where_it_should_be_is_skipped_and_counted(tmp_path):
    uneven = squad_row()
    uneven["answers"] = {"text": ["Lindholm"], "answer_start": []}
    rows = [squad_row(start=21), squad_row(), uneven, squad_row(start=23), squad_row("Ostend")]
    done = fetch(SETS["squad-v2"], tmp_path, Hub(train=rows))
    assert (done.rows, done.skipped) == (2, 3) and "2 rows written, 3 skipped" in str(done)
    kept = both(files.questions, tmp_path, "squad-v2")
    assert [q.answers[0].text for q in kept] == ["Lindholm", "Ostend"]
    for question in kept:
        for answer in question.answers:
            end = answer.start + len(answer.text)
            assert question.context[answer.start : end] == answer.text


def test_a_squad_question_is_cut_to_the_sentence_of_its_answer(tmp_path):
    over_two = squad_row("Lindholm. She")
    done = fetch(SETS["squad-sentences"], tmp_path, Hub(train=[squad_row("Ostend"), over_two]))
    assert (done.rows, done.skipped) == (1, 1)
    (question,) = both(files.questions, tmp_path, "squad-sentences")
    assert question.context == "She learned to swim in Ostend, by the sea."
    assert question.answers == (Span("Ostend", 23),)


def test_natural_questions_lose_their_tags_and_keep_every_place_of_an_answer(tmp_path):
    context = "<P> Ostend lies by the sea . </P> <Li> Few leave Ostend . </Li>"
    row: dict = {"key": "k1", "context": context, "question": "where is the harbour"}
    row |= {"answers": ["Ostend"], "labels": [{"start": [4, 49], "end": [9, 54]}]}
    inside_a_tag = row | {"labels": [{"start": [1], "end": [6]}]}
    nowhere = row | {"answers": [], "labels": []}
    done = fetch(SETS["nq"], tmp_path, Hub(train=[row, inside_a_tag, nowhere]))
    assert (done.rows, done.skipped) == (1, 2)
    (question,) = both(files.questions, tmp_path, "nq")
    assert question.context == "Ostend lies by the sea . Few leave Ostend ."
    assert question.title == "" and question.answers == (Span("Ostend", 0), Span("Ostend", 35))


def test_babi_rows_become_stories_of_their_task_in_the_original_format(tmp_path):
    def row(task: int, passage: str, question: str, answer: str) -> dict:
        return {"task": task, "passage": passage, "question": question, "answer": answer}

    mary = row(1, "Mary went to the hall.\nJohn left.\n", "Where is Mary?", "Hall")
    john = row(1, "John left.\n", "Who left?", "John")
    train = [mary, row(2, "Two.\n", "How many?", "two"), john, row(1, "a\tb\n", "c", "d")]
    valid = [row(1, "Ilse sat down.\n", "Who sat?", "Ilse")]
    hub = Hub(train=train, validation=valid)
    done = fetch(SETS["babi"], tmp_path, hub)
    assert (done.rows, done.skipped) == (4, 1)
    assert [asked[2] for asked in hub.asked] == ["train", "validation"]
    first, second = files.babi(tmp_path, 1, "train")
    assert first.facts == ("Mary went to the hall.", "John left.")
    assert (first.question, first.answer) == ("Where is Mary?", "hall")
    assert second.facts == ("John left.",) and second.answer == "john"
    assert files.babi(tmp_path, 2, "train")[0].answer == "two"
    assert files.babi(tmp_path, 1, "dev")[0].facts == ("Ilse sat down.",)
    with tarfile.open(done.path) as archive:
        names = [Path(name).name for name in archive.getnames()]
    assert names == ["qa1_train.txt", "qa1_valid.txt", "qa2_train.txt"]


def test_books_are_files_of_an_archive_and_only_so_many_are_taken(tmp_path):
    def row(i: int) -> dict:
        named = {"short_book_title": "A Book: Again?", "publication_date": 1890}
        return named | {"url": f"http://books.example/{i}", "text": f"Chapter {i}. Møre.\n"}

    empty = row(0) | {"text": " \n"}
    done = fetch(SETS["books"], tmp_path, Hub(train=[empty, *map(row, range(500))]))
    assert (done.rows, done.skipped) == (SETS["books"].most, 1)
    texts = both(files.books, tmp_path)
    assert sorted(texts) == sorted(f"Chapter {i}. Møre.\n" for i in range(200))
    with tarfile.open(done.path) as archive:
        assert archive.getnames()[7] == "books/A-Book-Again__1890__7.txt"
    assert fetch(SETS["books"], tmp_path, Hub(train=[row(1), row(2)]), again=True, most=1).rows == 1


def test_wikipedia_articles_are_documents_split_by_their_titles(tmp_path):
    rows = [
        {"id": str(i), "url": "", "title": f"Town {i}", "text": f"Town {i} is small."}
        for i in range(40)
    ]
    assert fetch(SETS["wikipedia"], tmp_path, Hub(train=rows), most=30).rows == 30
    expected = [f"Town {i} is small." for i in range(30) if split_of(f"Town {i}") == "dev"]
    assert files.documents(tmp_path, "dev") == expected and expected
    assert len(files.documents(tmp_path, "train")) == 30 - len(expected)


# Nothing that was there is lost


def test_a_file_that_is_there_is_left_alone_unless_asked_for_again(tmp_path):
    fetch(SETS["squad"], tmp_path, Hub(train=[squad_row("Ostend")]))
    hub = Hub(train=[squad_row()])
    done = fetch(SETS["squad"], tmp_path, hub)
    assert done.left_alone and not hub.asked and "left alone" in str(done)
    assert both(files.questions, tmp_path, "squad")[0].answers[0].text == "Ostend"
    assert not fetch(SETS["squad"], tmp_path, hub, again=True).left_alone
    assert both(files.questions, tmp_path, "squad")[0].answers[0].text == "Lindholm"


@pytest.mark.parametrize("name", ["squad", "babi", "books", "wikipedia"])
def test_a_connection_that_breaks_leaves_no_partial_file_and_the_old_one_whole(name, tmp_path):
    path = tmp_path / SETS[name].file
    path.parent.mkdir()
    path.write_bytes(b"what was there")
    seen: list[list[Path]] = []
    rows = {
        "squad": squad_row(),
        "babi": {"task": 1, "passage": "a", "question": "b", "answer": "c"},
        "books": {"short_book_title": "a", "publication_date": 1, "url": "b", "text": "c"},
        "wikipedia": {"title": "a", "text": "b"},
    }

    def breaking(*_, **__):
        yield rows[name]
        seen.append(list(path.parent.iterdir()))
        raise TimeoutError("the line went dead")

    with pytest.raises(HubFailed, match="the line went dead"):
        fetch(SETS[name], tmp_path, breaking, again=True)
    if name != "babi":  # its stories are gathered before the archive is begun
        assert len(seen[0]) == 2  # it did write beside the old file
    assert list(path.parent.iterdir()) == [path] and path.read_bytes() == b"what was there"


def test_a_set_with_no_row_to_use_or_with_other_columns_replaces_nothing(tmp_path):
    fetch(SETS["squad"], tmp_path, Hub(train=[squad_row()]))
    with pytest.raises(HubFailed, match=r"no row that can be used \(1 skipped\)"):
        fetch(SETS["squad"], tmp_path, Hub(train=[squad_row(start=3)]), again=True)
    with pytest.raises(HubFailed, match=r"no column 'answers' .* \['context', 'reply'\]"):
        fetch(SETS["squad"], tmp_path, Hub(train=[{"context": "a", "reply": "b"}]), again=True)
    assert len(both(files.questions, tmp_path, "squad")) == 1
    assert [p.name for p in (tmp_path / "qa").iterdir()] == ["squad.jsonl.gz"]


# What is asked for


def test_an_unknown_set_is_an_error_that_lists_the_known_ones(tmp_path, capsys):
    with pytest.raises(UnknownSet, match=r"Unknown set squid; .*squad, .*babi"):
        chosen(["squad", "squid"])
    assert main(["fetch", "squid", "--data", str(tmp_path)]) == 2
    assert "Unknown set squid; known are squad-articles, squad" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sets_come_once_in_the_order_asked_and_all_where_none_is_named():
    assert [entry.name for entry in chosen(["babi", "squad", "babi"])] == ["babi", "squad"]
    assert [entry.name for entry in chosen([])] == list(SETS)


def test_no_row_at_all_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="not 0"):
        fetch(SETS["squad"], tmp_path, Hub(train=[]), most=0)


def test_without_the_library_the_error_says_what_to_install():
    def importer(name: str):
        raise ModuleNotFoundError(f"No module named {name!r}")

    with pytest.raises(HubMissing, match=rf"'datasets'.*pip install {fetching.DATASETS}"):
        open_hub(importer)


def test_the_library_is_not_imported_before_it_is_needed():
    code = (
        "import sys, training.__main__, training.data.fetch, training.data.hub;"
        "assert not {'datasets', 'pyarrow', 'torch'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_the_guide_names_every_set_its_licence_and_the_version_of_the_library():
    guide = Path("docs/training.md").read_text(encoding="utf-8")
    assert f"pip install {fetching.DATASETS}" in guide
    for entry in SETS.values():
        (line,) = [line for line in guide.splitlines() if line.startswith(f"| `{entry.name}`")]
        assert f"`{entry.hub}`" in line and entry.licence in line and f"`{entry.file}`" in line
