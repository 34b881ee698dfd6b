"""Metrics of one's own, as tasks of the harness have them."""

import re


def mentions(doc, results):
    """1 where a number in the first response is the answer."""
    return {"mentioned": float(doc["answer"] in re.findall(r"\d+", results[0]))}


def follows(doc, results):
    """As IFEval does it: a verdict for the prompt, and one for each instruction."""
    verdicts = [results[0].isupper(), bool(results[0].strip())]
    return {"prompt_level_strict_acc": all(verdicts), "inst_level_strict_acc": verdicts}


def flat_mean(items):
    """The mean over all instructions."""
    flat = [verdict for each in items for verdict in each]
    return sum(flat) / len(flat)
