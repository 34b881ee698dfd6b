"""Rewards by tables of cases, in trl's own calling form."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtalign import rewards
from mtalign.rewards import REWARDS

PROMPTS = ["p"] * 4
EXAMPLES = Path(__file__).parent / "examples"


def tagged(*answers):
    return [f"<think>w</think><answer>{a}</answer>" for a in answers]


def state(step):
    return SimpleNamespace(global_step=step)


def test_ground_truth_and_inverted_are_complements():
    columns = {"prompts": PROMPTS, "completions": tagged("1", "2", "", "1"), "answer": ["1"] * 4}
    assert REWARDS["ground_truth"](**columns) == [1, 0, 0, 1]
    assert REWARDS["inverted"](**columns) == [0, 1, 1, 0]


def test_rewards_accept_conversations():
    completions = [[{"role": "assistant", "content": tagged("1")[0]}]]
    assert REWARDS["ground_truth"](prompts=["p"], completions=completions, answer=["1"]) == [1]


@pytest.mark.parametrize(
    "text",
    [r"so \boxed{4}", "2 + 2 = 4\n#### 4", "The answer is 4.", "<answer>4</answer>", "Answer: 4, I think", "4.0"],
)
def test_without_a_column_of_kinds_an_answer_counts_in_each_common_form(text):
    right = text != "4.0"  # a bare text does not say which words are its answer
    assert REWARDS["ground_truth"](completions=[text], answer=["4"]) == [float(right)]
    assert REWARDS["inverted"](completions=[text], answer=["4"]) == [float(not right)]
    votes = REWARDS["majority_vote"](["p"] * 2, [text] * 2, answer=["4"] * 2)
    assert votes == ([1.0, 1.0] if right else [None, None])


def test_a_given_kind_is_taken_and_reads_nothing_else():
    assert REWARDS["ground_truth"](completions=["The answer is 4."], answer=["4"], kind=["exact"]) == [0.0]


def test_a_batch_without_any_answer_warns_once(monkeypatch):
    monkeypatch.setattr(rewards, "_WARNED", set())
    batch = {"prompts": ["p"] * 2, "completions": ["I do not know", ""], "answer": ["4"] * 2}
    with pytest.warns(UserWarning, match="none of the 2 completions of this batch holds an answer") as caught:
        for _ in range(3):
            REWARDS["ground_truth"](**batch)
    assert len(caught) == 1


def test_random_ignores_the_text_and_changes_with_step_seed_and_prompt():
    def draw(step=0, seed=0, prompt="p", text="x"):
        n = 64
        return REWARDS["random"]([prompt] * n, [text] * n, trainer_state=state(step), seed=[seed] * n)

    assert draw() == draw(text="y")
    assert len({tuple(draw(**change)) for change in ({}, {"step": 1}, {"seed": 1}, {"prompt": "q"})}) == 4


def test_random_has_the_stated_probability():
    n = 4000
    for p in (0.0, 0.2, 0.5, 1.0):
        rewards = REWARDS["random"](["p"] * n, [""] * n, probability=p)
        assert sum(rewards) / n == pytest.approx(p, abs=0.03)


def test_incorrect_pays_for_the_given_wrong_label_only():
    assert REWARDS["incorrect"](PROMPTS, tagged("3", "7", "3", ""), label=["3"] * 4) == [1, 0, 1, 0]
    with pytest.raises(ValueError, match="label"):
        REWARDS["incorrect"](PROMPTS, tagged("3", "7", "3", ""))


@pytest.mark.parametrize(
    "text, reward",
    [
        ("<think>a</think><answer>1</answer>", 1),
        ("<think>a\nb</think>\n<answer>\n1\n</answer>", 1),
        ("<think></think><answer>1</answer>", 1),
        ("<think>a</think><answer></answer>", 0),
        ("<think>a</think><answer>1</answer> and more", 0),
        ("<think>a</think><answer>1</answer><answer>2</answer>", 0),
        ("<think>a</think>", 0),
        ("<answer>1</answer>", 0),
        ("", 0),
        ("<think>" * 5000, 0),
    ],
)
def test_format_only_looks_at_the_form(text, reward):
    assert REWARDS["format_only"](completions=[text]) == [reward]


@pytest.mark.parametrize(
    "answers, rewards",
    [
        (("1", "1", "2", "3"), [1, 1, 0, 0]),
        (("", "", "", "2"), [0, 0, 0, 1]),  # no answer is no vote, however many there are
    ],
)
def test_majority_vote_rewards_the_most_frequent_answer(answers, rewards):
    assert REWARDS["majority_vote"](PROMPTS, tagged(*answers)) == rewards


def test_no_votes_no_reward():
    assert REWARDS["majority_vote"](PROMPTS, ["nothing"] * 4) == [None] * 4


def test_ties_are_broken_by_the_seed_not_by_the_order():
    winners = set()
    for seed in range(20):
        for order in (("1", "2"), ("2", "1")):
            rewards = REWARDS["majority_vote"](["p"] * 2, tagged(*order), seed=[seed] * 2)
            winners.add((seed, order[rewards.index(1.0)]))
    assert len(winners) == 20  # one winner a seed, whatever the order
    assert {answer for _, answer in winners} == {"1", "2"}


def test_copies_of_one_prompt_vote_apart():
    answers = tagged("1", "1", "2", "2")
    assert REWARDS["majority_vote"](PROMPTS, answers, row=[0, 0, 1, 1]) == [1, 1, 1, 1]


class Trainer:
    """As much of a trl trainer as the rewards of confidence look at: log-probability -1 and entropy 2 at each token."""

    accelerator = SimpleNamespace(device="cpu")
    processing_class = SimpleNamespace(pad_token_id=0)
    args = SimpleNamespace(per_device_train_batch_size=2)
    model = None

    def _tokenize_prompts(self, prompts):
        return ([[1, 2] for _ in prompts],)

    def _get_per_token_logps_and_entropies(self, model, ids, attention, kept, size, compute_entropy):
        import torch

        return -torch.ones(len(ids), kept), 2 * torch.ones(len(ids), kept), None

    def log_metric(self, name, value): ...


@pytest.mark.parametrize(
    "name, rewards",
    [
        ("entropy", [-1, -1]),
        ("entropy_token", [-2, -2]),
        ("entropy_token_sum", [-6, -2]),
        ("entropy_sequence", [-3, -1]),
    ],
)
def test_confidence_is_per_token_or_of_the_whole_completion(name, rewards):
    found = REWARDS[name](prompts=["p", "p"], completion_ids=[[1, 2, 3], [1]], log_metric=Trainer().log_metric)
    assert found == rewards


def test_entropy_says_what_it_needs():
    with pytest.raises(ValueError, match="trainer"):
        REWARDS["entropy"](prompts=["p"], completions=["c"], completion_ids=[[1]])


def test_copies_of_one_row_are_groups_of_their_own():
    texts = [f"<answer>{a}</answer>" for a in "112" + "222"]
    columns = {"row": [5] * 6, "copy": [0] * 3 + [1] * 3}
    assert REWARDS["majority_vote"](["p"] * 6, texts, **columns) == [1, 1, 0, 1, 1, 1]
    assert REWARDS["majority_vote"](["p"] * 6, texts, row=[5] * 6) == [0, 0, 1, 1, 1, 1]  # without it they are one
    many = ["p"] * 64
    rewards = REWARDS["random"](many, many, row=[5] * 64, copy=[0] * 32 + [1] * 32)
    assert rewards[:32] != rewards[32:]  # a coin of its own for each copy
    assert rewards[:32] == REWARDS["random"](many[:32], many[:32], row=[5] * 32)  # the first as ever


def test_the_script_in_the_docs_is_the_one_that_is_run():
    script = (EXAMPLES / "own_script.py").read_text().split('"""', 2)[2].strip()
    assert f"```python\n{script}\n```" in (EXAMPLES.parents[1] / "docs" / "own.md").read_text()


@pytest.mark.slow
def test_a_trl_script_of_one_s_own_learns_from_our_rewards(tmp_path):
    command = [sys.executable, str(EXAMPLES / "own_script.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-500:]
    rewards = [float(each) for each in done.stdout.rpartition("rewards: [")[2].strip().rstrip("]").split(",")]
    assert len(rewards) == 4 and all(0 < each <= 1 for each in rewards)
