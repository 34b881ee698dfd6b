"""The subcommands about a model and a task of one's own: `diagnose` and `preflight`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from mtalign.cli.progress import told
from mtalign.config.errors import ConfigError

FOLDER = click.Path(path_type=Path)
MODEL = "A model of `mtalign list models`, a local folder, or org/name@revision."
TASK = "A task of `mtalign list tasks`, or a file: questions.jsonl, .csv or .parquet."
TEMPERATURE = click.option("--temperature", type=click.FloatRange(0.01, 10), default=1.0, show_default=True)
STYLES = click.Choice(["think", "direct", "bare"])
STYLE = "Of prompts for pretrained models: reason first; answer at once after three of the task's own questions, or (bare) none."


@click.command()
@click.option("--model", help=MODEL)
@click.option("--task", help=TASK)
@click.option("--log", type=FOLDER, help="Samples that there are: a file of lm-evaluation-harness or inspect_ai.")
@click.option("--samples", type=click.IntRange(min=4), help="Per prompt.  [default: 64 of a micro model, else 8]")
@click.option(
    "--prompts", type=click.IntRange(min=1), default=100, show_default=True, help="Held-out prompts, at most."
)
@click.option(
    "--precision",
    type=click.FloatRange(0.01, 1),
    default=0.1,
    show_default=True,
    help="Sampling stops where the interval of pass@4 reaches no further than this to either side.",
)
@TEMPERATURE
@click.option(
    "--style", type=STYLES, help=STYLE + "  [default: think, or direct where a model gives more answers there]"
)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Of a completion.  [default: 20 on a micro task, else 128]"
)
@click.option("--kind", help="Of a --log: how answers are graded.  [default: choice where it has choices, else math]")
@click.option("--chance", type=float, help="Of a --log: accuracy of guessing.  [default: by its choices, or estimated]")
@click.option("--filter", "filter_", help="Of a --log: the filter of lm-evaluation-harness.  [default: the first]")
@click.option("--scorer", help="Of a --log: the scorer of inspect_ai, or the harness's metric.  [default: the first]")
@click.option("--pattern", help="Of a --log: a regular expression whose first group is the answer in a response.")
@click.option(
    "--warm-ups",
    "warm_ups",
    type=FOLDER,
    help="Of a study that measured warm-ups of this pair: how many labels are needed?",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as `mtalign list schema diagnose` describes it.")
@click.option("--html", type=FOLDER, help="Write the card to this file, too.")
def diagnose(
    model: str | None, task: str | None, log: Path | None, as_json: bool, html: Path | None, kind: str | None,
    chance: float | None, filter_: str | None, scorer: str | None, pattern: str | None, warm_ups: Path | None, **budget,
) -> int:  # fmt: skip
    """How well is a model aligned with a task, and which techniques are to be expected to work there?

    Samples held-out prompts until the interval is narrow enough (Ctrl-C keeps what there is), or reads samples that
    there are already, and compares with the alignment at which each claim flipped in the study.

    \b
    Examples:
      mtalign diagnose --model micro-a --task logic
      mtalign diagnose --model smollm2-135m-instruct --task bbh-navigate --json --html card.html
      mtalign diagnose --model smollm2-135m-instruct --task my.jsonl --style bare --warm-ups reports/my_dial
      mtalign diagnose --log samples_gsm8k_2026-01-01.jsonl --filter flexible-extract
      mtalign diagnose --log logs/2026-01-01_sums.eval --scorer match
    """
    from mtalign.diagnosis.card import Card
    from mtalign.diagnosis.diagnose import Budget, diagnose
    from mtalign.diagnosis.label_needs import of_pair
    from mtalign.diagnosis.words import estimate, in_words

    if (log is None) == (model is None) or (model is None) != (task is None):
        raise ConfigError("diagnose: give --model and --task, or --log")
    if html and not html.parent.is_dir():
        raise ConfigError(f"--html: {html.parent}: there is no such folder")
    if log:
        from mtalign.diagnosis.sample_logs import read
        from mtalign.diagnosis.samples import Asked
        from mtalign.grading.forms import compiled

        try:
            asked = Asked(kind, chance, filter_, scorer, compiled(pattern) if pattern else None)
        except ValueError as error:
            raise ConfigError(f"--pattern: {error}") from None
        found = read(log, asked)
        needs = of_pair(found.model, found.task, warm_ups)
    else:
        from mtalign.models.load import check_names

        def progress(found: Card, seconds: float) -> None:
            told(f"{seconds:4.0f} s  {found.prompts:3} prompts  {found.compared} {estimate(found.level)}")

        check_names([(model, task)], "diagnose")
        needs = of_pair(model, task, warm_ups)  # before minutes of sampling: the folder may be the wrong one
        told(f"loading {model}")
        found = diagnose(model, task, Budget(**budget), progress)
    found = replace(found, labels=needs)
    click.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False) if as_json else in_words(found))
    if html:
        from mtalign.diagnosis.card_page import page

        html.write_text(page(found), encoding="utf-8")
    return 0


@click.command()
@click.option("--model", required=True, help=MODEL)
@click.option("--task", required=True, help=TASK)
@click.option("--prompts", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--samples", type=click.IntRange(min=1), help="Completions per prompt.  [default: 2 in each of two styles, else 4]"
)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Of a completion.  [default: 20 on a micro task, else 256]"
)
@TEMPERATURE
@click.option("--style", type=STYLES, help=STYLE + "  [default: both are tried]")
def preflight(model: str, task: str, style: str | None, **sampling) -> int:
    """Does a run with this model make sense: does it stop, does it keep the format, and in which style of prompts?

    Samples for at most 60 s. Then the details: the exact prompt, special tokens, a completion.

    \b
    Example:
      mtalign preflight --model smollm2-135m-instruct --task gsm8k
    """
    from mtalign.cli.progress import Ticker
    from mtalign.diagnosis.preflight import Sampling, in_words, preflight
    from mtalign.models.load import check_names, is_micro, load_model
    from mtalign.speed.cpu import use_fastest_threads
    from mtalign.tasks.registry import load_task

    check_names([(model, task)], "preflight")
    told(f"loading {model}")
    loaded, tokenizer = load_model(model)
    if not is_micro(model):
        use_fastest_threads(loaded)
    asked = Sampling(styles=(style,) if style else Sampling.styles, **sampling)
    with Ticker("sampling: token {}") as ticker:
        found = preflight(loaded, tokenizer, load_task(task), asked, ticker)
    click.echo(in_words(found))
    return 0
