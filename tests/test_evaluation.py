"""Measures by hand, and evaluation and export from end to end with a small model."""

import gzip
import json
import lzma
import math
import random
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from transformers import AutoTokenizer

from armt_core import ArmtModel
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.opening import open_model
from ingest.settings import DEFAULT_MODEL
from tests.test_training import PROSE, objective, recipe, small_model
from training.__main__ import TABLES, main
from training.data.files import BabiQuestion
from training.data.splits import split_of
from training.evaluation.babilong import told_last
from training.evaluation.metrics import auroc, calibration_error, exact_match, f1, wilson
from training.evaluation.recall import recall
from training.evaluation.tables import ROWS
from training.rows import Words
from training.text import Texts
from training.trainer import train


def test_exact_match_and_f1_as_in_squad_by_hand():
    assert exact_match("The  Danube!", ["a danube", "Rhine"]) == 1.0
    assert exact_match("Danube river", ["Danube"]) == 0.0
    assert f1("the Danube river", ["Danube"]) == pytest.approx(2 / 3)
    assert f1("Rhine", ["Danube", "old Rhine"]) == pytest.approx(2 / 3)
    assert f1("", []) == 1.0 and f1("Rhine", []) == 0.0
    assert f1("a a b", ["a b b"]) == pytest.approx(2 * 1 / (1 + 2))  # articles do not count


def test_wilson_interval_by_hand():
    low, high = wilson(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert wilson(1.0, 10)[1] == pytest.approx(1.0) and wilson(1.0, 10)[0] > 0.7
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_auroc_counts_pairs_and_halves_ties():
    assert auroc([3, 4], [1, 2]) == 1.0
    assert auroc([1, 2], [3, 4]) == 0.0
    assert auroc([1, 2], [1, 0]) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert math.isnan(auroc([], [1.0]))
    values = random.Random(0)
    yes, no = [values.gauss(1, 1) for _ in range(30)], [values.gauss(0, 1) for _ in range(40)]
    pairs = [(a > b) + 0.5 * (a == b) for a in yes for b in no]
    assert auroc(yes, no) == pytest.approx(sum(pairs) / len(pairs))


def test_the_calibration_error_by_hand():
    # Two of confidence 0.95, one right: 0.45 off; two of 0.15, both wrong: 0.15 off.
    assert calibration_error([0.95, 0.95, 0.15, 0.15], [True, False, False, False]) == (
        pytest.approx(0.5 * 0.45 + 0.5 * 0.15)
    )
    # Too sure and not sure enough cancel within a bin, and only there.
    assert calibration_error([0.52, 0.58], [True, False]) == pytest.approx(0.05)
    assert calibration_error([0.42, 0.58], [True, False]) == pytest.approx(0.58)
    assert calibration_error([0.42, 0.58], [True, False], bins=1) == pytest.approx(0.0)
    # The end of a bin belongs to it, its start to the one before; 0 to the first.
    assert calibration_error([0.12, 0.2], [True, False]) == pytest.approx(0.34)
    assert calibration_error([0.2, 0.28], [False, True]) == pytest.approx((0.2 + 0.72) / 2)
    assert calibration_error([0.3, 0.7], [False, True], bins=10) == pytest.approx(0.3)
    assert calibration_error([0.0, 0.1], [True, False]) == pytest.approx(0.45)
    assert calibration_error([0.0, 1.0], [False, True]) == 0.0
    assert math.isnan(calibration_error([], []))


def test_confidences_that_are_none_are_refused():
    for confidence in (1.01, -0.5, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            calibration_error([0.5, confidence], [True, True])
    with pytest.raises(ValueError, match="shorter"):
        calibration_error([0.5, 0.5], [True])


# Recall


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def salad(words) -> Texts:
    """Sentences of words that are one token each and say nothing, so that no two are alike."""
    known = [w for w in sorted(words.tokenizer.get_vocab()) if w.isascii() and w.isalpha()][::500]
    draw = random.Random(0)
    sentences = (" ".join(draw.choices(known, k=draw.randint(4, 9))) for _ in range(600))
    return Texts([". ".join(f"The {sentence}" for sentence in sentences)], words)


class Rememberer:
    """In place of a model: what it says in the holes of a segment is what stood there, if the
    segment is one of the last `window` that it has read. Its memory is those segments."""

    def __init__(self, words: Words, window: int) -> None:
        self.words, self.window, self.read = words, window, []
        self.config = SimpleNamespace(segment_tokens=32)
        self.device, self.adapter = torch.device("cpu"), self

    def empty_memory(self, batch: int) -> list[Tensor]:
        return []

    def run(self, ids, mask=None, memory=None, write=False, role=None):
        if write:
            self.read.append(mask)
            return ids, [*memory, ids][-self.window :]
        filled = ids.clone()
        for seen in memory or []:
            for row, before in zip(filled, seen[:, : ids.shape[1]], strict=True):
                if bool(((row == before) | (row == self.words.mask)).all()):
                    row.copy_(before)
        return filled[..., None], memory

    def logits(self, hidden: Tensor) -> Tensor:
        return one_hot(hidden[..., 0], self.words.tokenizer.vocab_size)


def test_recall_is_right_as_far_back_as_memory_reaches_and_nowhere_without_it(words, salad):
    model = Rememberer(words, window=3)
    rows = recall(model, words, salad, 5, distances=(1, 3, 4), shares=(0.4, 0.15), batch=2)
    assert [(r.masked, r.ago) for r in rows] == [
        (0.4, 1), (0.4, 3), (0.4, 4), (0.15, 1), (0.15, 3), (0.15, 4)
    ]  # fmt: skip
    assert [r.final for r in rows] == [1.0, 1.0, 0.0] * 2
    assert {r.empty for r in rows} == {0.0} and {r.documents for r in rows} == {5}


def test_recall_counts_every_masked_token_of_full_segments(words, salad):
    model = Rememberer(words, window=1)
    rows = recall(model, words, salad, 4, distances=(1, 3), shares=(1.0, 0.5))
    lengths = torch.stack([mask.sum(-1) - 2 for mask in model.read])  # segments x documents
    assert lengths.shape == (3, 4) and int(lengths.max()) <= 30 and int(lengths.min()) > 20
    for row in rows:
        # A word is a token here.
        expected = sum(round(row.masked * int(n)) for n in lengths[-row.ago])
        assert row.tokens == expected


def test_recall_with_a_memory_that_changes_nothing_is_that_of_an_emptied_one(words, salad):
    model = small_model(words).eval()
    model.config.segment_tokens = 32
    with torch.no_grad():  # it says nothing but words of these texts, and so is sometimes right
        for token in set(words.encode([salad.texts[0]])[0]):
            model.backbone.cls.predictions.bias[token] = 100.0
        model.associative.value.normal_(std=2.0)

    def shares() -> list[tuple[float, float]]:
        rows = recall(model, words, salad, 12, distances=(1, 2), shares=(0.5,))
        return [(row.final, row.empty) for row in rows]

    assert any(final != empty for final, empty in shares())
    with torch.no_grad():
        model.associative.value.zero_()
    assert all(final == empty > 0 for final, empty in shares())


# Answers


def test_several_memories_are_asked_at_once_and_each_answers_as_alone(words):
    """The confidence counts up to the first stop, and is 0 where nothing is said."""
    model = small_model(words).eval()
    opened = DocumentModel(model, words.tokenizer, "small")
    memories = []
    for text in ("Ships came.", "The grey sea was calm.", "Who knows?", "Salt and wool."):
        memories.append(opened.read(text, model.empty_memory())[1])
    # One word or the stop; half of the documents stop at once.
    with torch.no_grad():
        bias = model.backbone.cls.predictions.bias
        bias.fill_(-1e4)
        bias[[words.sep, 2000]] = 0.0
        start = torch.cat([opened.token_ids("Who came?"), torch.tensor([[words.cls]])], dim=1)
        prefix = torch.tensor([start.shape[1] - 1])
        hidden = [model.run(start, None, m, prefix=prefix, role="answer")[0] for m in memories]
        ahead = [model.adapter.logits(h)[0, -1, [2000, words.sep]] for h in hidden]
        bias[words.sep] = torch.stack([a - b for a, b in ahead]).sort().values[1:3].mean()
    alone = [opened.answer("Who came?", memory, most=5) for memory in memories]
    both = opened.answers("Who came?", MemoryState.stack(memories), most=5)
    for beside, by_itself in zip(both, alone, strict=True):
        assert beside.text == by_itself.text
        assert beside.chance == pytest.approx(by_itself.chance, rel=1e-4)
        assert beside.urgency == pytest.approx(by_itself.urgency, rel=1e-4)
    assert sorted(bool(said.text) for said in both) == [False, False, True, True]
    assert all((said.chance > 0) == bool(said.text) for said in both)
    with torch.no_grad():
        bias[words.sep] = 100.0
    silent = opened.answers("Who came?", MemoryState.stack(memories))
    assert [(said.text, said.chance) for said in silent] == [("", 0.0)] * 4
    assert [s.urgency for s in silent] == pytest.approx([s.urgency for s in both], rel=1e-6)


def test_what_was_told_last_is_an_answer_to_questions_of_that_kind():
    facts = ("Mary went to the garden.", "John went to the hall.", "Mary took the milk.")
    stories = [
        BabiQuestion(facts, "Where is Mary?", "garden"),
        BabiQuestion(facts, "Where is John?", "hall"),
        BabiQuestion(facts[:1], "Where is Mary?", "garden"),
        # Another kind: nothing else is an answer to it, so the last is the only one.
        BabiQuestion(facts, "What did Mary take?", "milk"),
    ]
    assert told_last(stories) == 3
    # No story names an answer to this one.
    assert told_last([BabiQuestion(facts, "Is Mary in the hall?", "no")]) == 0


# From end to end


def test_the_names_of_the_tables_are_those_of_the_command_line():
    assert tuple(ROWS) == TABLES


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder whose texts and article are in the part that is kept apart."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("babi", "books", "docs", "qa"):
        (folder / name).mkdir()
    book = next(f"books/b{i}.txt" for i in range(99) if split_of(f"books/b{i}.txt") == "dev")
    (folder / "book.txt").write_text(PROSE.format("grey", "Riga") * 200)
    with tarfile.open(folder / "books" / "train.tar.xz", "w:xz") as archive:
        archive.add(folder / "book.txt", book)
    title = next(f"d{i}" for i in range(99) if split_of(f"d{i}") == "dev")
    with lzma.open(folder / "docs" / "a.jsonl.xz", "wt") as file:
        file.write(json.dumps({"title": title, "text": PROSE.format("old", "Faro") * 200}))
    story = "1 Mary went to the garden.\n2 Where is Mary? \tgarden\t1\n"
    (folder / "valid.txt").write_text(story * 4)
    with tarfile.open(folder / "babi" / "b.tar.xz", "w:xz") as archive:
        archive.add(folder / "valid.txt", "en-valid-10k/qa1_valid.txt")
    context = "Orla was born in Lindholm. The town is small."
    row = {"title": "Scottish Parliament", "context": context, "question": "Where was Orla born?"}
    answers = [{"text": "Lindholm", "start": context.index("Lindholm")}]
    with gzip.open(folder / "qa" / "squad-articles.jsonl.gz", "wt") as file:
        for given in (answers, []):
            file.write(json.dumps({**row, "answers": given}) + "\n")
    return folder


def test_a_training_is_evaluated_exported_and_opened_by_the_app(data, words, tmp_path, capsys):
    model = small_model(words)
    texts = Texts([PROSE.format("old", "Ostend") * 200], words)
    made = {"babilong": objective("babilong", words, texts)}
    run = tmp_path / "run"
    train(model, recipe("babilong", 2), lambda _: made, run)
    model.config.save_pretrained(run / "model")
    words.tokenizer.save_pretrained(run / "model")

    result = tmp_path / "tables.json"
    few = ["--tasks", "1", "--segments", "1", "3", "-n", "3", "--questions", "5"]
    told = ["evaluate", str(run), "--data", str(data), "--output", str(result), *few]
    assert main(told) == 0
    printed = capsys.readouterr().out
    assert "| qa1 | 3 | 3 |" in printed and "| empty | 1 + 1 |" in printed
    assert "| 64 | 15% | 3 |" in printed
    assert "| books | 30 |" in printed and "| decoys | 30 |" in printed
    assert "| across | final | vectors of whole passages | all | 1 | 100.0% (" in printed
    tables = json.loads(result.read_text())
    assert [(r["segments"], r["constant"]) for r in tables["babilong"]] == [(1, 1.0), (3, 1.0)]
    assert {(r["documents"], r["ago"]) for r in tables["recall"]} == {(3, 1), (3, 8), (3, 64)}
    assert main([*told, "--only", "retrieval", "spans"]) == 0
    again = json.loads(result.read_text())
    assert again["spans"] == tables["spans"]
    assert set(again) == {"machine", "date", "commit", "spans", "retrieval"}
    assert again["retrieval"] == tables["retrieval"]

    beside = [*told, "--only", "babilong", "recall", "--control", str(run)]
    assert main(beside) == 0
    again = json.loads(result.read_text())
    for name in ("babilong", "recall"):  # it is its own control here: as good as when emptied
        assert [r["control"] for r in again[name]] == [r["empty"] for r in again[name]]
        assert {r["control"] for r in tables[name]} == {None}

    assert main(["export", str(run), str(tmp_path / "out"), "--answers-from-memory"]) == 0
    opened = open_model(tmp_path / "out", dtype=torch.float32)
    assert opened.config.answers_from_memory and opened.config.reads_spans
    for (name, one), other in zip(model.named_parameters(), opened.model.parameters(), strict=True):
        assert torch.allclose(one.half().float(), other, atol=1e-3), name


def test_weights_that_are_not_finite_are_not_exported(tmp_path, capsys):
    words = Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))
    model = small_model(words)
    with torch.no_grad():
        model.memory_tokens[0, 0] = 1e6
    model.save_pretrained(tmp_path / "bad")
    words.tokenizer.save_pretrained(tmp_path / "bad")
    assert main(["export", str(tmp_path / "bad"), str(tmp_path / "out")]) == 1
    assert "memory_tokens" in capsys.readouterr().err and not (tmp_path / "out").exists()


def trained_apart(words, texts, folder, name, begins, seed=0):
    """A training of weights whose names begin so, from the same model as every other one."""
    model = small_model(words, seed)
    model.config.deltas = {"reader": 2}
    model = ArmtModel(model.config)
    model.load_state_dict({**model.state_dict(), **small_model(words, seed).state_dict()})
    with torch.no_grad():
        for weight in model.deltas.parameters():
            weight.fill_(0.1)
    made = {name: objective(name, words, texts)}
    train(model, replace(recipe(name, 2), trained=begins, emptied=0.0), lambda _: made, folder)
    model.config.save_pretrained(folder / "model")
    words.tokenizer.save_pretrained(folder / "model")
    return model


def test_the_mean_of_trainings_is_of_what_they_trained(words, tmp_path, capsys):
    texts = Texts([PROSE.format("old", "Ostend") * 200], words)
    begins = ("deltas.reader", "span.")
    one = trained_apart(words, texts, tmp_path / "a", "asking", begins)
    other = trained_apart(words, texts, tmp_path / "b", "asking", begins, seed=1)
    runs = [str(tmp_path / name) for name in "ab"]
    assert main(["average", *runs, "--output", str(tmp_path / "mean")]) == 0
    assert main(["export", str(tmp_path / "mean"), str(tmp_path / "out")]) == 0
    mean = open_model(tmp_path / "out", dtype=torch.float32).model
    pairs = zip(one.named_parameters(), other.parameters(), mean.parameters(), strict=True)
    for (name, a), b, c in pairs:
        expected = (a + b) / 2 if name.startswith(begins) else a
        torch.testing.assert_close(c, expected, rtol=1e-2, atol=1e-3)
    trained_apart(words, texts, tmp_path / "c", "babilong", ("associative.",))
    runs.append(str(tmp_path / "c"))
    assert main(["average", *runs, "--output", str(tmp_path / "no")]) == 1
    assert "different weights" in capsys.readouterr().err


def test_trainings_of_different_weights_are_exported_as_one_model(words, tmp_path, capsys):
    texts = Texts([PROSE.format("old", "Ostend") * 200], words)
    reader = trained_apart(words, texts, tmp_path / "a", "asking", ("deltas.reader", "span."))
    trained = ("associative.", "backbone.cls.predictions.bias")
    memory = trained_apart(words, texts, tmp_path / "b", "babilong", trained)
    runs = [str(tmp_path / name) for name in "ab"]
    assert main(["export", *runs, str(tmp_path / "out")]) == 0
    opened = open_model(tmp_path / "out", dtype=torch.float32).model
    assert torch.allclose(opened.span.weight, reader.span.weight, atol=1e-3)
    assert not torch.allclose(opened.span.weight, memory.span.weight, atol=1e-3)
    assert torch.allclose(opened.associative.value, memory.associative.value, atol=1e-3)
    assert not torch.allclose(opened.associative.value, reader.associative.value, atol=1e-3)
    # Tied, it has two names, and both hold what was trained.
    head = opened.backbone.cls.predictions
    assert torch.allclose(head.bias, memory.backbone.cls.predictions.bias, atol=1e-4)
    assert torch.equal(head.bias, head.decoder.bias) and bool(head.bias.any())
    for name, one in opened.deltas.named_parameters():
        assert torch.allclose(one, reader.deltas.get_parameter(name), atol=1e-3), name

    assert main(["export", runs[0], runs[0], str(tmp_path / "twice")]) == 1
    assert "a training before it did" in capsys.readouterr().err
    trained_apart(words, texts, tmp_path / "c", "babilong", ("associative.",), seed=1)
    assert main(["export", runs[0], str(tmp_path / "c"), str(tmp_path / "other")]) == 1
    assert "did not begin from the same model" in capsys.readouterr().err
    trained_apart(words, texts, tmp_path / "d", "babilong", ())
    assert main(["export", runs[0], str(tmp_path / "d"), str(tmp_path / "all")]) == 1
    assert "trained all weights" in capsys.readouterr().err
