"""Language modelling over books: what is drawn, loss by segment, strategies, learning."""

import io
import json
import random
import tarfile
from pathlib import Path

import pytest
import torch

from armt_core.config import System
from armt_core.errors import UsageError
from training import __main__ as command_line
from training import lm, small
from training.checkpoints import CheckpointError
from training.data.splits import split_of
from training.objectives import long_text
from training.objectives.long_text import VOCABULARY, Books, LongText, TooShort
from training.objectives.next_token import next_losses

LINE = "The tide of day {} stood {} feet above the sill of the old harbour at Lindholm.\n"


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(lm, "BATCH", 8)
    monkeypatch.setattr(lm, "SEGMENT", 16)
    monkeypatch.setattr(long_text, "SEGMENT", 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder of twelve books, of which some are kept apart."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "books").mkdir()
    with tarfile.open(folder / "books" / "train.tar.xz", "w:xz") as archive:
        names = [f"book-{number}.txt" for number in range(12)]
        assert {split_of(name) for name in names} == {"train", "dev"}
        for name in names:
            draw = random.Random(name)
            text = "".join(LINE.format(day, draw.randint(1, 9)) for day in range(40))
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return folder


def test_stretches_are_bytes_of_the_books_and_longer_books_come_more_often():
    books = Books(["é" * 40, "abc" * 300])
    drawn = books.draw(random.Random(1), 2, 200)
    assert drawn.shape == (200, 33)
    texts = {bytes(row.tolist()) for row in drawn}
    assert all(text in ("é" * 40).encode() or text in b"abc" * 300 for text in texts)
    short = sum(0xC3 in row.tolist() for row in drawn)
    assert short == pytest.approx(200 * 48 / (48 + 868), abs=10)
    assert torch.equal(drawn, books.draw(random.Random(1), 2, 200))
    with pytest.raises(TooShort, match="None of 2 texts has the 961 bytes of 60 segments"):
        books.draw(random.Random(1), 60, 1)


def test_all_strategies_read_as_much_in_a_step_and_say_how_they_differ(data: Path):
    tasks = {s: lm.lm(data, s, 8) for s in ("plain", "length-curriculum", "memory-dropout")}
    lengths = {s: [stage["segments"] for stage in task.stages] for s, task in tasks.items()}
    assert lengths["plain"] == lengths["memory-dropout"] == [8]
    assert lengths["length-curriculum"] == [1, 2, 4, 8]
    for strategy, task in tasks.items():
        assert all(stage["segments"] * stage["documents"] == 8 for stage in task.stages)
        forgets = {stage["forgets"] for stage in task.stages}
        assert forgets == {lm.DROPOUT if strategy == "memory-dropout" else 0.0}
    with pytest.raises(UsageError, match="--segments must be from 1 to 8, not 9"):
        lm.lm(data, "plain", 9)


def test_memory_dropout_empties_a_share_of_the_memories(monkeypatch):
    books = Books(["The quick brown fox jumps over the lazy dog. " * 40])
    given: list[torch.Tensor] = []

    def losses(model, read, tokens, forget):
        given.append(forget)
        return torch.zeros(len(read), 5, tokens)

    monkeypatch.setattr(long_text, "next_losses", losses)
    for forgets, empty in ((0.2, False), (0.0, False), (0.2, True)):
        LongText(books, 5, 200, forgets).learn(None, random.Random(1), empty)  # type: ignore
    assert given[0].shape == (200, 5) and given[1] is None and bool(given[2].all())
    assert float(given[0].float().mean()) == pytest.approx(0.2, abs=0.04)


@torch.no_grad()
def test_the_loss_of_a_segment_is_that_of_the_row_and_emptied_that_of_the_segment_alone():
    model = small.small_model("full-attention", VOCABULARY, 16).eval()
    read = Books(["The quick brown fox jumps over the lazy dog. " * 40]).draw(
        random.Random(1), 3, 10
    )
    logits = model.backbone(input_ids=read[:, :-1]).logits
    row = torch.nn.functional.cross_entropy(logits.mT, read[:, 1:], reduction="none")
    whole = lm.losses_by_segment(model, read, empty=False)
    assert whole == pytest.approx(row.unflatten(1, (3, 16)).mean((0, 2)).tolist(), abs=1e-4)
    alone = [float(next_losses(model, read[:, 16 * s : 16 * s + 17], 16).mean()) for s in range(3)]
    assert lm.losses_by_segment(model, read, empty=True) == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(
    ("system", "strategy"),
    [
        ("armt", "plain"),
        ("armt", "memory-dropout"),
        ("prmt", "length-curriculum"),
        ("sliding-window", "plain"),
        ("full-attention", "memory-dropout"),
        ("mamba", "memory-dropout"),
    ],
)
def test_a_short_training_lowers_the_loss(
    system: System, strategy: lm.Strategy, data: Path, tmp_path: Path
):
    torch.manual_seed(0)
    before = small.small_model(system, VOCABULARY, 16).eval()
    after = small.train_small(lm.lm(data, strategy, 4), system, 0, 10, tmp_path)
    read = Books([LINE.format(1, 2) * 40]).draw(random.Random(1), 4, 8)
    losses = [sum(lm.losses_by_segment(m, read, empty=False)) / 4 for m in (before, after)]
    assert losses[1] < losses[0] - 0.03


def test_a_training_goes_on_with_the_same_books_alone(data: Path, tmp_path: Path, monkeypatch):
    small.train_small(lm.lm(data, "plain", 2), "rmt", 0, 2, tmp_path, stop_after=1)
    monkeypatch.setattr(lm.files, "books", lambda *_: [LINE * 40])
    with pytest.raises(CheckpointError, match="of another training"):
        small.train_small(lm.lm(data, "plain", 2), "rmt", 0, 2, tmp_path)


def test_the_command_trains_and_writes_results_with_the_setting_they_are_of(
    data: Path, tmp_path, capsys
):
    line = f"lm --data {data} --strategy memory-dropout --segments 2 --seed 3 --steps 2 --output"
    assert command_line.main([*line.split(), str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {k: written[k] for k in found} == found and {"machine", "commit"} <= set(written)
    setting = {"task": "lm", "strategy": "memory-dropout", "segments": 2, "segment_bytes": 16}
    setting |= {"system": "armt", "seed": 3, "steps": 2}
    assert {k: found[k] for k in setting} == setting
    assert len(found["loss_by_segment"]) == len(found["loss_by_segment_emptied"]) == 8


def test_a_folder_without_books_is_an_error_in_words(tmp_path, capsys):
    line = f"lm --data {tmp_path} --segments 2 --steps 2 --output {tmp_path / 'out'}"
    assert command_line.main(line.split()) == 1
    assert "train.tar.xz is not there; --data names the folder" in capsys.readouterr().err
