"""`python -m training COMMAND`: make and convert what models are made of."""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from armt_core.errors import RecollectError, UsageError
from ingest.terminal import ends_quietly

#: What `evaluate` makes; named here too, so that --help needs no model code.
TABLES = ("babilong", "silence", "spans", "recall", "retrieval")
#: What `ArmtConfig.system` can be.
SYSTEMS = (
    "armt",
    "armt-exact",
    "armt-unit-keys",
    "armt-without-gamma",
    "armt-without-delta",
    "rmt",
    "prmt",
    "sliding-window",
    "full-attention",
    "mamba",
)
#: What small models of each system learn.
SMALL = ("associative", "algorithmic", "series", "lm", "babilong")


@ends_quietly
def main(arguments: list[str] | None = None) -> int:
    """Runs one command; 0 all well, 1 it failed and said why, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    convert = commands.add_parser(
        "convert", help="a model folder from a sentence-transformers BERT, with fresh memory"
    )
    convert.add_argument("source", type=Path, help="folder with the original model")
    convert.add_argument("output", type=Path, help="model folder to write")
    convert.add_argument("--memory-tokens", type=int, default=16, metavar="M")
    convert.add_argument("--memory-dim", type=int, default=32, metavar="D")
    convert.add_argument("--seed", type=int, default=0)

    tokenizer = commands.add_parser(
        "tokenizer", help="train a SentencePiece vocabulary on text files"
    )
    tokenizer.add_argument("text", type=Path, nargs="+", help="UTF-8 text files")
    tokenizer.add_argument("--output", type=Path, required=True, help="folder to write")
    tokenizer.add_argument("--vocabulary", type=int, default=8000, metavar="N")

    fetch = commands.add_parser("fetch", help="public sets from the Hugging Face hub, as data")
    fetch.add_argument("sets", nargs="*", metavar="SET", help="as in docs/training.md; none: all")
    fetch.add_argument("--data", type=Path, required=True, help="folder to write them in")
    fetch.add_argument("--again", action="store_true", help="replace files that are there")
    fetch.add_argument("--most", type=int, metavar="N", help="rows to take of each split")

    label = commands.add_parser(
        "label", help="mark answers in a set that names only the sentences that answer"
    )
    label.add_argument("model", type=Path, help="model folder, or the --output of a training")
    label.add_argument("set", help='of retrieval/ in the data: "squad-sentence-pairs", "selqa"')
    label.add_argument("--data", type=Path, required=True, help="folder with the training data")
    label.add_argument("--output", type=Path, required=True, help="a .jsonl.gz file, as in qa/")

    train = commands.add_parser("train", help="train a model folder by a recipe")
    train.add_argument("recipe", type=Path, help="TOML file, as in training/recipes")
    train.add_argument("--data", type=Path, required=True, help="folder with the training data")
    train.add_argument("--output", type=Path, required=True, help="checkpoint and logs go here")
    train.add_argument(
        "--start", type=Path, required=True, help="model folder, or the --output of a training"
    )
    train.add_argument("--minutes", type=float, default=5.0, help="between two checkpoints")

    evaluate = commands.add_parser("evaluate", help="tables of a model on what was kept apart")
    evaluate.add_argument("model", type=Path, help="model folder, or the --output of a training")
    evaluate.add_argument("--data", type=Path, required=True, help="folder with the training data")
    evaluate.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 3, 4, 5], metavar="QA")
    evaluate.add_argument("--segments", type=int, nargs="+", default=[1, 4, 16], metavar="S")
    evaluate.add_argument(
        "-n",
        type=int,
        default=100,
        help="stories of a task at a length; documents for recall; tens of segments for silence",
    )
    evaluate.add_argument("--questions", type=int, default=500, help="of each kind, for spans")
    evaluate.add_argument(
        "--only",
        nargs="+",
        choices=TABLES,
        default=TABLES,
        metavar="NAME",
        help=f"tables to make: {', '.join(TABLES)}",
    )
    evaluate.add_argument(
        "--control",
        type=Path,
        metavar="F",
        help="a model trained without a memory, to compare with",
    )
    evaluate.add_argument("--output", type=Path, required=True, help="JSON file to write")

    average = commands.add_parser("average", help="the mean of what several trainings trained")
    average.add_argument("trained", type=Path, nargs="+", help="the --output of trainings")
    average.add_argument("--output", type=Path, required=True, help="as the --output of a training")

    sharpen = commands.add_parser("sharpen", help="draw apart what is written and what is not")
    sharpen.add_argument("trained", type=Path, help="the --output of a training")
    sharpen.add_argument("--by", type=float, default=3.0, help="factor of the logits of beta")
    sharpen.add_argument("--at", type=float, default=0.75, help="the logit that becomes 0")
    sharpen.add_argument("--output", type=Path, required=True, help="as the --output of a training")

    export = commands.add_parser("export", help="a model folder from the --output of trainings")
    export.add_argument(
        "trained", type=Path, nargs="+", help="several, if each trained weights of its own"
    )
    export.add_argument("output", type=Path, help="model folder to write")
    export.add_argument(
        "--answers-from-memory", action="store_true", help="its evaluation shows it"
    )

    associative = commands.add_parser(
        "associative", help="a system of the paper learns associative retrieval and is measured"
    )
    associative.add_argument("--task", choices=("remember", "rewrite"), default="remember")
    associative.add_argument("--pairs", type=int, required=True, metavar="N", help="at the end")

    algorithmic = commands.add_parser(
        "algorithmic",
        help="a system learns to copy or reverse what was told in segments, or parity",
    )
    algorithmic.add_argument("--problem", choices=("copy", "reverse", "parity"), required=True)
    series = commands.add_parser(
        "series", help="a system learns the next value of Mackey-Glass, told in segments"
    )
    lm = commands.add_parser(
        "lm", help="a system learns language from long stretches of books, a byte a token"
    )
    babilong = commands.add_parser(
        "babilong", help="a system learns bAbI stories hidden in books, a word a token"
    )
    babilong.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 3, 4, 5], metavar="QA")
    for command in (lm, babilong):
        command.add_argument("--data", type=Path, required=True, help="folder with the data")
    strategies = ("plain", "length-curriculum", "memory-dropout")
    lm.add_argument("--strategy", choices=strategies, default="plain")
    for command in (algorithmic, series, lm, babilong):
        command.add_argument(
            "--segments", type=int, required=True, metavar="N", help="of a document, at the end"
        )
    for command in (associative, algorithmic, series, lm, babilong):
        command.add_argument("--system", choices=SYSTEMS, default="armt")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--steps", type=int, required=True, metavar="N", help="in all")
        command.add_argument(
            "--rate", type=float, metavar="R", help="learning rate; by default the task's own"
        )
        command.add_argument("--output", type=Path, required=True, help="checkpoint and results")

    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # What makes a library (for word search, in an evaluation) says much about itself.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if options.command == "convert":
            from training.convert import convert_sentence_transformer

            convert_sentence_transformer(
                options.source,
                options.output,
                memory_tokens=options.memory_tokens,
                memory_dim=options.memory_dim,
                seed=options.seed,
            )
        elif options.command == "fetch":
            from training.data.fetch import chosen, open_hub
            from training.data.fetch import fetch as fetch_set

            sets, load = chosen(options.sets), open_hub()
            for entry in sets:
                again, most = options.again, options.most
                print(fetch_set(entry, options.data, load, again=again, most=most), flush=True)
            return 0
        elif options.command == "label":
            from training.labelling import label as label_set
            from training.run import open_start

            reader = open_start(options.model)
            asked, marked = label_set(*reader, options.data, options.set, options.output)
            print(f"{marked} of {asked} questions got an answer")
        elif options.command == "train":
            from training.run import train_folder

            train_folder(
                options.recipe, options.data, options.output, options.start, options.minutes
            )
        elif options.command == "evaluate":
            from training.evaluation.tables import evaluate as tables_of
            from training.evaluation.tables import markdown
            from training.run import open_start
            from training.stamp import stamp

            model, words = open_start(options.model)
            tables = tables_of(
                model,
                words,
                options.data,
                options.tasks,
                options.segments,
                options.n,
                options.questions,
                options.only,
                open_start(options.control)[0] if options.control else None,
            )
            text = json.dumps({**stamp(), **tables}, indent=2)
            options.output.write_text(text + "\n", encoding="utf-8")
            print(markdown(tables))
        elif options.command in SMALL:
            print(json.dumps(_learn_small(options), indent=2))
        elif options.command == "average":
            from training.combine import average as average_of

            average_of(options.trained, options.output)
        elif options.command == "sharpen":
            from training.sharpen import sharpen as sharpened

            sharpened(options.trained, options.by, options.at, options.output)
        elif options.command == "export":
            from training.export import export as export_model

            export_model(options.trained, options.output, options.answers_from_memory)
        else:
            from training.tokenizer import train_tokenizer

            train_tokenizer(options.text, options.output, options.vocabulary)
    except BrokenPipeError:
        raise
    except (RecollectError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from its last checkpoint", file=sys.stderr)
        return 130
    print(f"wrote {options.output}", file=sys.stderr)
    return 0


def _learn_small(options: argparse.Namespace) -> dict[str, Any]:
    """A small model of a system learns a task; what was measured."""
    from training.small import learn

    if options.command == "associative":
        from training.associative import associative

        task = associative(options.task, options.pairs)
    elif options.command == "algorithmic":
        from training.algorithmic import algorithmic

        task = algorithmic(options.problem, options.segments)
    elif options.command == "series":
        from training.series import series

        task = series(options.segments)
    elif options.command == "lm":
        from training.lm import lm

        task = lm(options.data, options.strategy, options.segments)
    else:
        from training.babilong import babilong

        task = babilong(options.data, options.tasks, options.segments)
    if options.rate is not None:
        task = replace(task, rate=options.rate)
    return learn(task, options.system, options.seed, options.steps, options.output)


if __name__ == "__main__":
    sys.exit(main())
