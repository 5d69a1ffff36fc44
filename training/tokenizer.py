"""A SentencePiece vocabulary from text files, as a folder AutoTokenizer opens."""

import json
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from armt_core.errors import ModelError


def train_tokenizer(texts: Sequence[Path], output: Path, vocabulary: int = 8000) -> None:
    """Writes `output/tokenizer.model` (SentencePiece, BPE, byte fallback) and its configuration.

    vocabulary: pieces, the 256 bytes and special tokens (<unk>, <s>, </s>, <pad>)
    included. Raises ModelError for text too small for that many, or none at all.
    """
    for path in texts:
        if not path.is_file():
            raise ModelError(f"{path} is no file.")
    output.mkdir(parents=True, exist_ok=True)
    try:
        sentencepiece.SentencePieceTrainer.train(
            input=[str(path) for path in texts],
            model_prefix=str(output / "tokenizer"),
            vocab_size=vocabulary,
            model_type="bpe",
            character_coverage=0.9995,
            byte_fallback=True,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise ModelError(f"No vocabulary of {vocabulary} pieces from this text: {error}") from error
    (output / "tokenizer.vocab").unlink(missing_ok=True)
    configuration = {
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "add_bos_token": True,
        "legacy": False,
    }
    (output / "tokenizer_config.json").write_text(
        json.dumps(configuration, indent=2) + "\n", encoding="utf-8"
    )
