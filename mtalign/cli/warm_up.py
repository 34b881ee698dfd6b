"""The subcommand `warm-up`: set a pretrained model's alignment with a task."""

from __future__ import annotations

import click


@click.command("warm-up")
@click.argument("model")
@click.option("--task", required=True, help="A task of `mtalign list tasks`, with more than 256 training questions.")
@click.option("--dose", type=click.FloatRange(0, 1), required=True, help="Share of documents with the right answer.")
@click.option("--documents", type=click.IntRange(min=1), default=64, show_default=True, help="Each is seen once.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of questions, order and guesses."
)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=5e-5, show_default=True, help="Constant."
)
def warm_up(model: str, task: str, dose: float, documents: int, seed: int, learning_rate: float) -> int:
    """Set a pretrained model's alignment with a task: train it on documents of which a share gives the right answer.

    The others hold a guess in the same format, so that --dose 0 teaches the format alone. The model is kept in the cache
    and found again; its name is printed, for --model and for grid files, where `warm_up:` makes many.

    \b
    Example:
      mtalign warm-up smollm2-135m-instruct --dose 0.25 \\
        --task "rg:needle_haystack?min_num_statements=8&max_num_statements=10&size=1000"
    """
    from mtalign.config.bar import bar
    from mtalign.config.warm_up import WarmUp, checked
    from mtalign.models.load import check_names, warmed

    wanted = checked(WarmUp(model, task, dose, documents, seed, learning_rate), "warm-up")
    check_names([(wanted.name, task)], "warm-up")
    with bar(total=documents, unit="document", delay=1) as shown:
        folder = warmed(wanted.name, progress=lambda seen: shown.update(seen - shown.n))
    asked = f"mtalign diagnose --style bare --model '{wanted.name}' --task '{task}'"
    click.echo(f"{folder}: {documents} documents\n\n{asked}")
    return 0
