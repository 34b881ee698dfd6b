"""The card of `diagnose`: what was measured, what to expect, and what to do next. `words` and `card_page` show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from mtalign.claims import thresholds
from mtalign.claims.verdicts import panel
from mtalign.config.errors import ConfigError
from mtalign.diagnosis import in_print
from mtalign.diagnosis.forecast import Forecast, forecasts
from mtalign.diagnosis.samples import Log, Sampled, answer_rate, decisive, measure

FEW_ANSWERS = 0.5  # share of samples with an answer below which the format is the first thing to mend
FEWEST = 16  # questions before sampling may stop, and before anything is advised
LABEL_FREE = ("majority_vote",)  # claims that need no labels, best first


@dataclass(frozen=True)
class Card:
    """What `diagnose` found.

    Attributes:
        model, task: their names.
        chance, chance_is: accuracy of guessing, and whether it was given, or estimated from the true answers.
        prompts, samples: questions, and samples of each (the fewest).
        answered: the share of samples that hold an answer; None where a log does not say.
        alignment: measure -> value, low, high (95% over questions).
        compared, panel: the measure that is compared with the study, and whether it is strong or weak alignment.
        expected: a forecast for each claim.
        rests_on: what the forecasts rest on.
        scored_by, notes: of a log: whose verdicts count, and what is missing or was assumed.
        settings: temperature, style and seed, where samples were drawn here.
        stopped: why sampling stopped; "" for a log.
        labels: how many labelled examples until the majority vote takes off, for each warm-up of this pair that was measured
            (`label_needs.of_pair`).
    """

    model: str
    task: str
    chance: float
    chance_is: str
    prompts: int
    samples: int
    answered: float | None
    alignment: dict[str, dict[str, float]]
    compared: str
    panel: str
    expected: tuple[Forecast, ...]
    rests_on: str
    scored_by: str = ""
    notes: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)
    stopped: str = ""
    labels: tuple[dict, ...] = ()

    @property
    def level(self) -> dict[str, float]:
        """The measure that is compared with the study: value, low, high."""
        return self.alignment[self.compared]

    @property
    def by_claim(self) -> dict[str, Forecast]:
        """The forecasts by claim."""
        return {forecast.claim: forecast for forecast in self.expected}

    def as_dict(self) -> dict:
        """The card as JSON has it: `schemas/diagnose.json` describes it."""
        return {**asdict(self), "next_step": next_step(self), "published": in_print.load()}


def card(
    sampled: list[Sampled], model: str = "", task: str = "", chance: float = 0.0, chance_is: str = "given"
) -> Card:
    """The card of samples.

    Raises:
        ConfigError: there are none.
    """
    if not sampled:
        raise ConfigError("diagnose: there are no samples")
    alignment, table = measure(sampled, chance), thresholds.load()
    name = decisive(alignment)
    answered = None
    if all(s.votes is not None for s in sampled):
        answered = answer_rate(sampled)
    rests_on = (
        f"{len(table['pairs'])} pairs of micro models of 85 thousand parameters and tasks, in the study `{table['study']}`;"
        " for a model or a task of another size or kind it is an extrapolation"
    )
    return Card(
        model, task, chance, chance_is, len(sampled), min(s.number for s in sampled), answered, alignment, name,
        panel(alignment[name]["value"]), forecasts(alignment), rests_on,
    )  # fmt: skip


def of_log(log: Log, chance: float, chance_is: str) -> Card:
    """The card of a log that somebody else's program wrote."""
    made = card(log.sampled, log.model, log.task, chance, chance_is)
    return replace(made, scored_by=log.scored_by, notes=log.notes)


def next_step(found: Card) -> str:
    """What to do next, in a sentence: the first of these that applies."""
    if found.answered is not None and found.answered < FEW_ANSWERS:
        return (
            f"Mend the format first: only {found.answered:.0%} of the samples hold an answer. `mtalign preflight` shows the"
            " prompt and tries both styles."
        )
    if found.prompts < FEWEST:
        return (
            f"Measure more questions first, at least {FEWEST}: {found.prompts} say too little, whatever stands below."
        )
    standard = found.by_claim["standard_rl"]
    if standard.expects is False:
        return (
            "Do not start RL yet: where the study's models were as weak as this, not even true labels helped. Train on"
            " worked examples first, or take a model that solves some of the questions, and measure again."
        )
    for name in LABEL_FREE:
        if found.by_claim[name].expects:
            return (
                f"Try {name.replace('_', ' ')} first: it needs no labels, and is expected to give at least half of what true"
                " labels give. Keep a few labelled questions to check it."
            )
    if standard.expects:
        return "Use true labels: they are expected to help here, and no reward without labels is."
    return "Measure more questions: at this alignment the study does not say even whether true labels help."
