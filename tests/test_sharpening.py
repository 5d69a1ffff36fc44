"""Betas of a trained memory drawn apart."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from ingest.settings import DEFAULT_MODEL
from tests.fakes import tiny_model
from training.__main__ import main
from training.rows import Words
from training.run import open_start, save_training

TRAINED = {"trained": ["associative."]}


@pytest.fixture
def trained(tmp_path) -> Path:
    """The output of a training of a memory."""
    words = Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))
    save_training(tiny_model(reads_spans=True), words, TRAINED, tmp_path / "run")
    return tmp_path / "run"


def test_sharpened_betas_have_their_logits_drawn_apart_and_nothing_else_is_changed(
    trained, tmp_path
):
    out = tmp_path / "sharp"
    assert main(["sharpen", str(trained), "--by", "4", "--at", "0.5", "--output", str(out)]) == 0
    before, after = (open_start(path)[0] for path in (trained, out))
    m = torch.randn(7, before.config.hidden_size)

    def logits(model):
        return m @ model.associative.beta_weight.T + model.associative.beta_bias

    torch.testing.assert_close(logits(after), 4 * (logits(before) - 0.5))
    for name, weight in before.named_parameters():
        if "beta" not in name:
            assert torch.equal(weight, after.get_parameter(name)), name


def test_what_cannot_be_sharpened_is_told(trained, tmp_path, capsys):
    assert main(["sharpen", str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "is not the output of a training" in capsys.readouterr().err
    wrong = ["sharpen", str(trained), "--by", "0", "--output", str(tmp_path / "out")]
    assert main(wrong) == 1 and "more than 0, not by 0.0" in capsys.readouterr().err
