"""From a recipe and a data folder to a trained model: what `python -m training train` does."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoTokenizer

from armt_core.errors import ModelError
from armt_core.model import ArmtModel
from training import checkpoints
from training.data import files
from training.data.articles import Article, articles_of
from training.fresh import has_fresh_memory, start_near_text
from training.objectives.asking import Asking, AskingSettings
from training.objectives.babilong import Babilong, Lengths
from training.objectives.base import Objective
from training.objectives.recall import Recall, RecallSettings
from training.recipe import RecipeError, Stage, load_recipe
from training.rows import Words
from training.text import Texts
from training.trainer import Objectives, train


def train_folder(
    recipe: Path, data: Path, output: Path, start: Path, minutes: float = 5.0
) -> ArmtModel:
    """Trains by the recipe file and leaves the checkpoint in `output`.

    start: a model folder, or the output of another training whose weights to begin from (its
    own model folder is then found there). An unfinished training in `output` goes on.
    """
    model, words, folder = open_start(start)
    output.mkdir(parents=True, exist_ok=True)
    (output / _STARTED_FROM).write_text(str(folder.resolve()), encoding="utf-8")
    return train(model, load_recipe(recipe), objectives_over(data, words), output, minutes)


_STARTED_FROM = "started_from.txt"
T = TypeVar("T")


def open_start(start: Path) -> tuple[ArmtModel, Words, Path]:
    """The float32 weights of a model folder or of a training, its vocabulary, and the folder
    of which configuration and tokenizer are."""
    state = None
    folder = start
    if not (start / "config.json").is_file():
        state = checkpoints.load(start)
        if state is None:
            raise ModelError(f"{start} is neither a model folder nor the output of a training.")
        folder = Path((start / _STARTED_FROM).read_text(encoding="utf-8"))
    # A model that does not read spans yet gets a fresh head for them.
    model = ArmtModel.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, reads_spans=True
    )
    if state is not None:
        missing, unknown = model.load_state_dict(state["model"], strict=False)
        if unknown or any(not name.startswith("span.") for name in missing):
            raise ModelError(f"{start} is the training of another model than {folder}.")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if has_fresh_memory(model):
        start_near_text(model, tokenizer)
    words = Words.of(tokenizer)
    return model, words, folder


def objectives_over(data: Path, words: Words) -> Objectives:
    """Makes the objectives of a stage from the training half of the data folder."""

    @cache
    def books() -> Texts:
        return Texts(files.books(data, "train"), words)

    @cache
    def stories(task: int) -> list[files.BabiQuestion]:
        return files.babi(data, task, "train")

    def babilong(settings: Mapping[str, Any]) -> Objective:
        lengths = _settings(Lengths, settings)
        real = {task: stories(task) for task in set(lengths.tasks)} if lengths.simulated < 1 else {}
        return Babilong(lengths, words, books(), real)

    @cache
    def texts() -> Texts:
        return Texts(files.books(data, "train") + files.documents(data, "train"), words)

    def recall(settings: Mapping[str, Any]) -> Objective:
        return Recall(_settings(RecallSettings, settings), words, texts())

    @cache
    def articles(name: str) -> list[Article]:
        return articles_of(files.questions(data, name, "train"))

    def asking(settings: Mapping[str, Any]) -> Objective:
        chosen = _settings(AskingSettings, settings)
        return Asking(chosen, words, [a for name in chosen.sets for a in articles(name)])

    makers = {"babilong": babilong, "recall": recall, "asking": asking}

    def of_stage(stage: Stage) -> Mapping[str, Objective]:
        if unknown := sorted(set(stage.settings) - set(makers)):
            raise RecipeError(f"Unknown objectives {unknown}; known are {sorted(makers)}.")
        return {name: makers[name](settings) for name, settings in stage.settings.items()}

    return of_stage


def _settings(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from a recipe's table; lists become tuples."""
    known = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**known)
    except TypeError as error:
        raise RecipeError(f"{kind.__name__}: {error}") from error
