"""Measures by hand, and evaluation and export from end to end with a small model."""

import gzip
import json
import math
import random
import tarfile
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from armt_core.document_model import open_model
from ingest.settings import DEFAULT_MODEL
from tests.test_training import PROSE, objective, recipe, small_model
from training.__main__ import main
from training.data.splits import split_of
from training.evaluation.metrics import auroc, exact_match, f1, wilson
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


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder whose books and article are in the part that is kept apart."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("babi", "books", "qa"):
        (folder / name).mkdir()
    book = next(f"books/b{i}.txt" for i in range(99) if split_of(f"books/b{i}.txt") == "dev")
    (folder / "book.txt").write_text(PROSE.format("grey", "Riga") * 200)
    with tarfile.open(folder / "books" / "train.tar.xz", "w:xz") as archive:
        archive.add(folder / "book.txt", book)
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


def test_a_training_is_evaluated_exported_and_opened_by_the_app(data, tmp_path, capsys):
    words = Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))
    model = small_model(words)
    start = tmp_path / "start"
    model.save_pretrained(start)
    words.tokenizer.save_pretrained(start)
    texts = Texts([PROSE.format("old", "Ostend") * 200], words)
    made = {"babilong": objective("babilong", words, texts)}
    run = tmp_path / "run"
    train(model, recipe("babilong", 2), lambda _: made, run)
    (run / "started_from.txt").write_text(str(start))

    result = tmp_path / "tables.json"
    few = ["--tasks", "1", "--segments", "1", "3", "-n", "3", "--questions", "5"]
    told = ["evaluate", str(run), "--data", str(data), "--output", str(result), *few]
    assert main(told) == 0
    printed = capsys.readouterr().out
    assert "| qa1 | 3 | 3 |" in printed and "| final | 1 + 1 |" in printed
    tables = json.loads(result.read_text())
    assert [(r["segments"], r["constant"]) for r in tables["babilong"]] == [(1, 1.0), (3, 1.0)]

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
