"""`python -m training tokenizer` and `convert`."""

import json

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from armt_core.opening import open_model
from tests.fakes import tiny_model
from training.__main__ import main

TEXT = (
    "The harbour master of Lindholm kept a book of tides. Ships came, ships went; 1893 was calm.\n"
)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "text.txt").write_text(TEXT * 50, encoding="utf-8")
    assert (
        main(
            ["tokenizer", str(folder / "text.txt"), "--output", str(folder), "--vocabulary", "320"]
        )
        == 0
    )
    return folder


def test_a_sentencepiece_folder_opens_as_a_tokenizer_and_gives_the_text_back(vocabulary):
    tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    ids = tokenizer("Ships came from Lindholm, né 1893.").input_ids
    assert ids[0] == tokenizer.bos_token_id == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Ships came from Lindholm, né 1893."
    assert tokenizer.unk_token_id not in ids  # bytes stand in for unknown letters


def test_a_model_folder_with_a_sentencepiece_vocabulary_reads_and_writes(vocabulary, tmp_path):
    model = tiny_model("llama")
    config = model.config
    config.backbone.vocab_size = 320
    bigger = type(model)(config)
    bigger.save_pretrained(tmp_path)
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((vocabulary / name).read_bytes())
    opened = open_model(tmp_path, dtype=torch.float32)
    noted, memory = opened.read("Ships came from Lindholm.", opened.model.empty_memory())
    (vector,) = noted.vectors
    assert vector.shape == (32,) and int(memory.segments_read[0]) == 1
    assert opened.text_tokens == config.segment_tokens - 1


def test_too_little_text_for_a_vocabulary_is_an_error_in_words(tmp_path, capsys):
    (tmp_path / "text.txt").write_text("a b", encoding="utf-8")
    code = main(["tokenizer", str(tmp_path / "text.txt"), "--output", str(tmp_path / "out")])
    assert code == 1 and "No vocabulary of 8000 pieces" in capsys.readouterr().err


def test_a_converted_sentence_transformer_is_the_original_whatever_is_in_memory(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=256,
    )  # fmt: skip
    source = tmp_path / "source"
    original = BertModel(config).eval()
    original.save_pretrained(source)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "sea", "is", "wide"]
    words += [f"w{i}" for i in range(31)]
    (source / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (source / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    assert main(["convert", str(source), str(tmp_path / "out")]) == 0

    opened = open_model(tmp_path / "out", dtype=torch.float32)
    memory = opened.model.empty_memory()
    for _ in range(3):
        _, memory = opened.read("the sea is wide", memory)
    assert int(memory.segments_read[0]) == 3 and float(memory.normalizer.max()) > 0
    ids = opened.token_ids("the wide sea")
    with torch.no_grad():
        expected = original.half().float()(ids).last_hidden_state.mean(1)
    expected = torch.nn.functional.normalize(expected, dim=-1)[0]
    got = torch.from_numpy(opened.vector("the wide sea", memory))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_a_folder_without_weights_is_refused(tmp_path, capsys):
    assert main(["convert", str(tmp_path), str(tmp_path / "out")]) == 1
    assert "has no model.safetensors" in capsys.readouterr().err
