"""Logs of lm-evaluation-harness: `samples_<task>_<date>.jsonl` of `--log_samples`, with `results_<date>.json` beside it.

A line of the log is a question as one filter saw it. With one response a question, the log's own metric is the verdict.
With several (`repeats`) the metric is about the first response, or about the majority; each response is then graded here,
its answer found as the log's filter finds it, and the log is refused where that contradicts its metric.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.diagnosis.samples import Asked, Log, Sampled, one_of, others, tagged, tally
from mtalign.grading.forms import NUMBER, answer_in, compiled, last_match
from mtalign.tasks.sources import read_jsonl

METRICS = ("exact_match", "acc", "math_verify", "pass@1", "acc_norm")  # where a line does not name them
INVALID = "[invalid]"  # what the harness's filters give where they find nothing
CONTRADICTED = 0.05  # share of questions from which on our reading of the responses is not to be trusted
GREEDY = "answers are greedy: this is accuracy of the likeliest answer, and the study's alignment is of samples"


def read(path: Path, asked: Asked) -> Log:
    """Reads a log.

    Raises:
        ConfigError: it is no such log, lacks what was asked for, or contradicts our reading of it.
    """
    numbered = read_jsonl(path)
    for number, row in numbered:
        for key in ("doc_id", "target", "resps"):
            if key not in row:
                raise ConfigError(f"{path}: line {number}: {key}: not there; is it from --log_samples?")
    task, _, date = path.stem.removeprefix("samples_").rpartition("_")
    task, results = task or path.stem, _results(path, date)
    filters = list(dict.fromkeys(str(row.get("filter", "none")) for _, row in numbered))
    used = one_of("--filter", asked.filter, filters, path)
    rows = [row for _, row in numbered if str(row.get("filter", "none")) == used]
    metrics = _verdicts(rows)
    if not metrics:
        named = rows[0].get("metrics") or METRICS
        raise ConfigError(
            f"{path}: line {numbered[0][0]}: no metric that says right or wrong; looked for: {', '.join(map(str, named))}"
        )
    metric = one_of("--scorer", asked.scorer, metrics, path)
    notes = others("filters", used, filters, "--filter") + others("metrics", metric, metrics, "--scorer")
    kept = [row for row in rows if _value(row, metric) is not None and _targets(row)]
    if lost := len(rows) - len(kept):
        notes.append(f"{lost} of {len(rows)} questions are missing: they have no score or no true answer")
    if any(0 < _value(row, metric) < 1 for row in kept):
        notes.append(f"a {metric} below 1 counts as wrong")
    choices = [len(row["resps"]) for row in kept if not _texts(row) and len(row["resps"]) > 1]
    if choices or _is_greedy(kept):
        notes.append(GREEDY)
    if any(len(_texts(row)) > 1 for row in kept):
        sampled, how = _graded(path, kept, asked, metric, _steps(results, task, used))
        notes += how
    else:
        sampled = [Sampled(1, int(_value(row, metric) >= 1)) for row in kept]
    chance = sum(1 / n for n in choices) / len(choices) if choices and len(choices) == len(kept) else None
    model = str(results.get("model_name") or path.parent.name)
    scored_by = f"metric {metric}" + (f" after filter {used}" if used != "none" else "")
    return Log(model, task, sampled, [str(_targets(row)[0]) for row in kept], scored_by, chance, tuple(notes))


def _results(path: Path, date: str) -> dict:
    """What the harness wrote beside the samples; empty where it is not there."""
    try:
        found = json.loads(path.with_name(f"results_{date}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _verdicts(rows: list[dict]) -> list[str]:
    """The metrics that say right or wrong of each question: those of 0 and 1 first, then those between; no perplexity."""
    named = rows[0].get("metrics") or [m for m in METRICS if m in rows[0]]
    values = {m: [v for row in rows if (v := _value(row, m)) is not None] for m in named}
    whole = [m for m, found in values.items() if found and set(found) <= {0, 1}]
    return whole + [m for m, found in values.items() if found and m not in whole and all(0 <= v <= 1 for v in found)]


def _value(row: dict, metric: str) -> float | None:
    value = row.get(metric)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _targets(row: dict) -> list[str]:
    """The true answers: one, or several of which each is right."""
    found = row["target"] if isinstance(row["target"], list) else [row["target"]]
    return [str(target) for target in found if str(target).strip()]


def _texts(row: dict) -> list[str]:
    """The responses: `[["a", "b"]]` and `[["a"], ["b"]]` both mean two. None where they are likelihoods of choices."""
    nested = row["resps"] if isinstance(row["resps"], list) else []
    if all(isinstance(r, list) and all(isinstance(text, str) for text in r) for r in nested):
        return [text for each in nested for text in each]
    return []


def _is_greedy(rows: list[dict]) -> bool:
    """Whether the log says that its responses were not sampled."""
    settings = [row.get("arguments", {}).get("gen_args_0", {}).get("arg_1") for row in rows[:1] if _texts(row)]
    return any(isinstance(s, dict) and (s.get("do_sample") is False or s.get("temperature") == 0) for s in settings)


def _steps(results: dict, task: str, used: str) -> list[dict] | None:
    """The steps of the log's filter, as its task's configuration has them; None where they are not known."""
    for known in results.get("configs", {}).get(task, {}).get("filter_list") or []:
        if known.get("name") == used:
            return [step for step in known["filter"] if isinstance(step, dict)]
    return None


def _finder(steps: list[dict] | None, asked: Asked, kind: str) -> tuple[Callable[[str, bool], str | None], str]:
    """What finds the answer of a response (text, whether the true answer is a number), and how that is said."""
    if asked.pattern is not None:
        return lambda text, _: answer_in(text, pattern=asked.pattern), f"--pattern {asked.pattern.pattern}"
    functions = [step.get("function") for step in steps or []]
    if functions.count("regex") == 1 and set(functions) <= {"regex", "take_first", "take_first_k", "majority_vote"}:
        step = next(step for step in steps or [] if step["function"] == "regex")
        pattern, which = compiled(str(step.get("regex_pattern", r"#### (\-?[0-9\.\,]+)"))), step.get("group_select", 0)
        return lambda text, _: last_match(pattern, text, which), f"the log's own filter, {pattern.pattern}"
    return lambda text, numeric: answer_in(text, kind, numeric), "the usual forms of answers"


def _voters(steps: list[dict] | None) -> int | None:
    """How many responses, from the first on, the log's verdict of a question is about; None for all.

    >>> _voters([{"function": "take_first_k", "k": 8}, {"function": "majority_vote"}]), _voters([{"function": "take_first"}])
    (8, 1)
    """
    if not any(step.get("function") == "majority_vote" for step in steps or []):
        return 1
    return next(
        (int(step["k"]) for step in steps or [] if step.get("function") == "take_first_k" and "k" in step), None
    )


def _graded(
    path: Path, rows: list[dict], asked: Asked, metric: str, steps: list[dict] | None
) -> tuple[list[Sampled], list[str]]:
    """Each response graded here, and what is to be said of it.

    Raises:
        ConfigError: our verdicts contradict the log's metric.
    """
    kind = asked.kind or "math"
    find, how = _finder(steps, asked, kind)
    voters = _voters(steps)
    sampled, wrong = [], []
    for row in rows:
        texts, targets, filtered = _texts(row), _targets(row), row.get("filtered_resps")
        numeric = all(NUMBER.fullmatch(target.rpartition("####")[2].strip()) for target in targets)
        if asked.pattern is None and isinstance(filtered, list) and len(filtered) == len(texts) > 1:
            answers = [None if text == INVALID else answer_in(str(text), kind, numeric) for text in filtered]
        else:
            answers = [find(text, numeric) for text in texts]
        found = [tally([tagged(a) for a in answers], target, kind) for target in targets]
        right = frozenset().union(*(each.right for each in found))
        votes = found[0].votes or Counter()
        sampled.append(Sampled(len(texts), sum(votes[a] for a in right), votes, right))
        seen = Counter(tally([tagged(a) for a in answers[:voters]], targets[0], kind).votes)
        ours = seen.most_common(1)[0][0] in right
        if ours != (_value(row, metric) >= 1):
            wrong.append(
                f"question {row['doc_id']}: {texts[0]!r:.100} is read as {answers[0]!r:.40}, true is {targets[0]!r:.40}"
            )
    if len(wrong) > CONTRADICTED * len(rows):
        raise ConfigError(
            f"{path}: not judged: our reading contradicts the log's {metric} in {len(wrong)} of {len(rows)} questions, e.g."
            f" {wrong[0]}; say where an answer stands by --pattern, or how it is graded by --kind"
        )
    note = f"several responses a question, each graded here as {kind}; answers are read by {how}"
    if wrong:
        note += f"; that contradicts the log's {metric} in {len(wrong)} of {len(rows)} questions"
    return sampled, [note]
