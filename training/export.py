"""From a training to a model folder that ingest and the app open."""

from collections.abc import Sequence
from pathlib import Path

from armt_core.errors import ModelError
from training.combine import combined


def export(trained: Sequence[Path], output: Path, answers_from_memory: bool) -> None:
    """Writes the weights of trainings as float16 safetensors, with config and tokenizer.

    trained: the --output of one training, or of several that are put together (`combined`).
    answers_from_memory: whether the app may take answers from memory alone: only for weights
    whose evaluation shows that they know more with the memory than with an emptied one.
    Raises ModelError for weights that are not finite, also in 16 bits.
    """
    model, words = combined(trained)
    model.config.answers_from_memory = answers_from_memory
    model = model.half()
    for name, weight in model.named_parameters():
        if not bool(weight.isfinite().all()):
            raise ModelError(f"{name} of {trained[0]} is not finite in float16; it cannot ship.")
    output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(output)
    words.tokenizer.save_pretrained(output)
