"""From a recipe and a data folder to a trained model: what `python -m training train` does."""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoTokenizer

from armt_core.config import ArmtConfig, System
from armt_core.errors import ModelError
from armt_core.lowrank import LowRank
from armt_core.model import ArmtModel
from training import checkpoints
from training.data import files
from training.data.articles import Article, articles_of
from training.decoys import strange
from training.fresh import begin, has_fresh_memory
from training.objectives.asking import Asking, AskingSettings
from training.objectives.babilong import Babilong
from training.objectives.base import Objective
from training.objectives.lengths import Lengths
from training.objectives.meanings import Meanings, MeaningsSettings
from training.objectives.recall import Recall, RecallSettings
from training.recipe import RecipeError, Stage, load_recipe
from training.rows import Words
from training.text import Texts
from training.trainer import Objectives, train


def train_folder(
    recipe: Path, data: Path, output: Path, start: Path, minutes: float = 5.0
) -> ArmtModel:
    """Trains by the recipe file and leaves the checkpoint in `output`.

    start: a model folder, or the output of another training whose weights to begin from. An
    unfinished training in `output` goes on. A memory that nothing was taught yet is started by
    `training.fresh`, unless the recipe empties it in every batch.
    """
    chosen = load_recipe(recipe)
    if checkpoints.exists(output):
        model, words = open_start(output)
    else:
        model, words = open_start(start, chosen.deltas, chosen.system, chosen.reads_in_order)
        begin_roles(model, chosen.begin_as)
        if chosen.emptied < 1 and has_fresh_memory(model):
            begin(model, words, Texts(files.books(data, "train"), words))
        model.config.save_pretrained(output / _MODEL)
        words.tokenizer.save_pretrained(output / _MODEL)
    return train(model, chosen, objectives_over(data, words), output, minutes)


#: Sets whose questions are put to stories that do not answer them.
STRANGE = ("qamr", "fairytaleqa")
#: In the output of a training: configuration and tokenizer of what is trained.
_MODEL = "model"
T = TypeVar("T")


def open_start(
    start: Path,
    deltas: Mapping[str, int] | None = None,
    system: System | None = None,
    reads_in_order: bool | None = None,
) -> tuple[ArmtModel, Words]:
    """The float32 weights of a model folder or of a training, and its vocabulary.

    deltas: the rank of roles' deltas. Those of a role that the model has none for begin fresh,
    those of another rank become the nearest of this one (`LowRank.begin_near`). system: how memory
    is written, reads_in_order: and read; None: as it was.
    """
    trained = not (start / "config.json").is_file()
    folder = start / _MODEL if trained else start
    state = checkpoints.load(start) if trained else None
    if trained and (state is None or not (folder / "config.json").is_file()):
        raise ModelError(f"{start} is neither a model folder nor the output of a training.")
    config = ArmtConfig.from_pretrained(folder, local_files_only=True)
    config.deltas = {**(deltas or {}), **config.deltas}
    config.system = system or config.system
    if reads_in_order is not None:
        config.reads_in_order = reads_in_order
        try:
            ArmtConfig.from_dict(config.to_dict())
        except ValueError as error:
            raise ModelError(f"{start} cannot take reads_in_order: {error}") from error
    config.reads_spans = True  # a model that does not read spans yet gets a fresh head for them
    if state is None:
        model = ArmtModel.from_pretrained(
            folder, config=config, dtype=torch.float32, local_files_only=True
        )
    else:
        model = ArmtModel(config)
        model.load_state_dict({**model.state_dict(), **state["model"]})
    model = _of_ranks(model, deltas or {})
    return model, Words.of(AutoTokenizer.from_pretrained(folder, local_files_only=True))


def save_training(model: ArmtModel, words: Words, recipe: dict[str, Any], output: Path) -> None:
    """Writes weights as a training that ended, for `open_start` and `export`."""
    model.config.save_pretrained(output / _MODEL)
    words.tokenizer.save_pretrained(output / _MODEL)
    checkpoints.save(output, {"model": model.state_dict(), "recipe": recipe})


def _of_ranks(model: ArmtModel, deltas: Mapping[str, int]) -> ArmtModel:
    """The model with the deltas of these roles at these ranks."""
    ranks = {role: deltas.get(str(role), rank) for role, rank in model.config.deltas.items()}
    changed = [role for role, rank in model.config.deltas.items() if ranks[role] != rank]
    if not changed:
        return model
    config = copy.deepcopy(model.config)
    config.deltas = ranks
    other = ArmtModel(config)
    names = tuple(f"deltas.{role}." for role in changed)
    kept = {k: v for k, v in model.state_dict().items() if not k.startswith(names)}
    other.load_state_dict({**other.state_dict(), **kept})
    for role in changed:
        for part, of in zip(_low_ranks(other, role), _low_ranks(model, role), strict=True):
            part.begin_near(of)
    return other


def begin_roles(model: ArmtModel, begin_as: Mapping[str, str]) -> None:
    """Gives a role the deltas of another to begin with: {"answer": "reader"}.

    Where its rank is lower they are the nearest of that rank. Raises RecipeError for a role
    without deltas, or for one of a higher rank than the other.
    """
    ranks = {str(role): rank for role, rank in model.config.deltas.items()}
    for role, other in begin_as.items():
        if role not in ranks or ranks[role] > ranks.get(other, 0):
            raise RecipeError(f'"{role}" cannot begin as "{other}": ranks of deltas are {ranks}.')
        parts = zip(_low_ranks(model, role), _low_ranks(model, other), strict=True)
        for part, of in parts:
            part.begin_near(of)


def _low_ranks(model: ArmtModel, role: str) -> list[LowRank]:
    return [part for part in model.deltas[role].modules() if isinstance(part, LowRank)]


def objectives_over(data: Path, words: Words) -> Objectives:
    """Makes the objectives of a stage from the training half of the data folder."""

    @cache
    def books() -> Texts:
        return Texts(files.books(data, "train"), words)

    @cache
    def stories(task: int) -> list[files.BabiQuestion]:
        return files.babi(data, task, "train")

    def real(told: Lengths | MeaningsSettings) -> Mapping[int, list[files.BabiQuestion]]:
        return {task: stories(task) for task in set(told.tasks)} if told.simulated < 1 else {}

    @cache
    def strange_questions() -> list[str]:
        sets = (files.questions(data, name, "train") for name in STRANGE)
        return strange(sorted({asked.question for of in sets for asked in of}))

    def babilong(settings: Mapping[str, Any]) -> Objective:
        lengths = _settings(Lengths, settings)
        others = strange_questions() if lengths.strange else ()
        return Babilong(lengths, words, books(), real(lengths), others)

    def meanings(settings: Mapping[str, Any]) -> Objective:
        chosen = _settings(MeaningsSettings, settings)
        return Meanings(chosen, words, books(), real(chosen))

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

    makers = {"babilong": babilong, "meanings": meanings, "recall": recall, "asking": asking}

    def of_stage(stage: Stage) -> Mapping[str, Objective]:
        found = {}
        for name, given in stage.settings.items():
            settings = dict(given)
            kind = settings.pop("objective", name)
            if kind not in makers:
                raise RecipeError(f"Unknown objective {kind!r}; known are {sorted(makers)}.")
            found[name] = makers[kind](settings)
        return found

    return of_stage


def _settings(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from a recipe's table; lists become tuples."""
    known = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**known)
    except TypeError as error:
        raise RecipeError(f"{kind.__name__}: {error}") from error
