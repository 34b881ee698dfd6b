"""The trainer: trl's GRPOTrainer with other objectives, what is observed for the learning curve, and work left out that
gives the same numbers.

What is ours and not trl's: the objectives other than `grpo` (their advantages replace trl's), and the count of loss tokens
under `nsr` and `psr` (dropped rows do not count, as in the original). Left out: tokenizing a prompt for each of its
completions, and log-probabilities of the rollout's weights for the first of its updates, where the ratio is 1.
"""

from __future__ import annotations

from collections import Counter

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer

from mtalign import released
from mtalign.advantages import DROPS_ROWS
from mtalign.config.arms import OBJECTIVES
from mtalign.generation.evaluate import is_thinking
from mtalign.generation.prompts import continued
from mtalign.grading.answers import grade, text_of, vote
from mtalign.speed.prefix_tree import log_probabilities

WAITS = True  # log-probabilities of the rollout's weights wait for the update that needs them; False: as in trl


class ArmTrainer(GRPOTrainer):
    """GRPOTrainer with a choice of objective; wraps its methods by `super()` calls and copies none."""

    def __init__(self, *args, objective: str, refill: str = "none", prefix_tree: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.objective, self.refill, self.prefix_tree = objective, refill, prefix_tree
        self.history: dict[int, list[float]] = {}  # row of the data set -> its accuracy at each rollout
        self.epochs = 0  # over the data set, done before the checkpoint that is gone on from
        self.later = WAITS and self.beta == 0.0 and not self.use_vllm
        self.rolling = False  # whether trl asks for the log-probabilities of a rollout
        self.learned = None  # (B,) which rows of an update have a gradient; None: all

    def _get_train_sampler(self, dataset=None):
        sampler = super()._get_train_sampler(dataset)
        for _ in range(self.epochs):  # transformers passes over them without drawing their order
            next(iter(sampler))
        return sampler

    def _tokenize_prompts(self, prompts):
        if not isinstance(prompts[0], str):
            return super()._tokenize_prompts(prompts)
        place = {text: i for i, text in enumerate(dict.fromkeys(prompts))}
        ids, *rest = super()._tokenize_prompts(list(place))  # each once, not for each of its completions
        return [ids[place[text]] for text in prompts], *rest

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        self.rolling = False  # a reward can ask for log-probabilities too
        completions = [continued(x["prompt"], text_of(c)) for x, c in zip(inputs, completions, strict=True)]
        self._rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)  # (B, 1)
        self._observe(inputs, [text_of(c) for c in completions])
        return self._rewards

    def _prepare_inputs(self, generation_batch):
        fresh = self._step % self.args.steps_per_generation == 0 or self._buffered_inputs is None
        inputs = super()._prepare_inputs(generation_batch)
        if self.later and fresh and self.model.training:
            first = self.args.gradient_accumulation_steps
            for batch in self._buffered_inputs[:first]:
                batch.pop("old_per_token_logps", None)
            for batch in self._buffered_inputs[first:]:
                if "old_per_token_logps" not in batch:
                    batch["old_per_token_logps"] = self._old(batch)
        return inputs

    @torch.no_grad()
    def _old(self, batch: dict) -> torch.Tensor:
        """(B, T) log-probabilities under the weights of the rollout. Its first update needs none: there the ratio is 1."""
        ids, mask = (torch.cat([batch[f"prompt_{x}"], batch[f"completion_{x}"]], dim=1) for x in ("ids", "mask"))
        (ids, mask), same = unique_rows(ids, mask)
        return self._get_per_token_logps_and_entropies(self.model, ids, mask, batch["completion_ids"].size(1))[0][same]

    def _get_per_token_logps_and_entropies(self, model, input_ids, attention_mask, logits_to_keep, *args, **kwargs):
        if self.rolling and self.later:
            return input_ids.new_zeros(len(input_ids), logits_to_keep), None, None
        if self.prefix_tree:
            with self.accelerator.autocast():
                return *self._over_trees(model, input_ids, attention_mask, logits_to_keep), None
        return super()._get_per_token_logps_and_entropies(
            model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
        )

    def _compute_loss(self, model, inputs):
        # Where the advantage is 0 a row has no gradient; with a KL or an entropy term it has.
        if self.prefix_tree and self.beta == 0.0 and not self._entropy_bonus_enabled:
            self.learned = inputs["advantages"] != 0
        try:
            return super()._compute_loss(model, inputs)
        finally:
            self.learned = None

    def _over_trees(self, model, ids, mask, logits_to_keep: int):
        """`log_probabilities`; without a gradient for prompts none of whose rows has one."""
        model, learned = self.accelerator.unwrap_model(model), self.learned
        if learned is not None:  # rows -> all rows of their prompts
            before = ids.shape[1] - logits_to_keep
            _, prompt = torch.unique(ids[:, :before], dim=0, return_inverse=True)
            of_prompt = torch.zeros(len(ids), dtype=torch.bool).index_fill_(0, prompt[learned], True)
            of_prompt[prompt[0]] |= not learned.any()  # a loss has a gradient, of zeros
            learned = of_prompt[prompt]
        if learned is None or learned.all() or not torch.is_grad_enabled():
            return log_probabilities(model, ids, mask, logits_to_keep, self.temperature)
        parts = []
        for rows, with_gradient in ((learned, True), (~learned, False)):
            with torch.set_grad_enabled(with_gradient):
                part = log_probabilities(model, ids[rows], mask[rows], logits_to_keep, self.temperature)
            parts.append(part)
        order = torch.cat([learned.nonzero(), (~learned).nonzero()]).flatten().argsort()
        return [torch.cat(both)[order] for both in zip(*parts, strict=True)]

    def _generate_and_score_completions(self, inputs):
        self.rolling, sampler = True, self.accelerator.unwrap_model(self.model)
        sampler.logs = None
        output = super()._generate_and_score_completions(inputs)
        if self.later:
            output.pop("old_per_token_logps", None)
            if self.prefix_tree and sampler.logs is not None:  # sampling has computed them already
                output["old_per_token_logps"] = sampler.logs * output["completion_mask"]
        groups = self._rewards.sum(dim=1).view(-1, self.num_generations)  # (groups, G); NaN stays NaN
        if self.refill == "copies" and self.model.training:
            output = self._refilled(output, groups)
        if self.objective == "grpo" or not self.model.training:
            return output
        advantages = OBJECTIVES[self.objective](groups).flatten()
        start = self.accelerator.process_index * len(inputs)
        output["advantages"] = advantages[start : start + len(inputs)]  # (B,)
        if self.objective not in DROPS_ROWS:
            return output
        kept = (output["advantages"] != 0).unsqueeze(1)
        tokens = self.accelerator.gather((output["completion_mask"] * kept).sum()).sum()
        output["num_items_in_batch"] = tokens.clamp(min=1)
        return output

    def _refilled(self, output: dict, groups) -> dict:
        """The batch with copies of the groups that have spread in place of those that have none: `copies_after_filter`."""
        surviving = (groups.std(dim=1) > 0).nonzero().flatten()
        if len(surviving) in (0, len(groups)):  # where none survives, the release trains on the batch as it is
            return output
        rows = torch.arange(groups.numel()).view_as(groups)[released.refill(surviving.tolist(), len(groups))].flatten()
        output = {
            k: v[rows] if torch.is_tensor(v) and v.dim() and len(v) == len(rows) else v for k, v in output.items()
        }
        output["num_items_in_batch"] = self.accelerator.gather(output["completion_mask"].sum()).sum()
        return output

    def _observe(self, inputs, texts: list[str]) -> None:
        """Logs what the rollout shows about the truth, whatever the reward says; of all processes together."""
        seen = [
            (x["row"], x["answer"], x["kind"], grade(t, x["answer"], x["kind"]), vote(t, x["kind"]), is_thinking(t))
            for x, t in zip(inputs, texts, strict=True)
        ]
        rows, truth, kinds, right, answers, thinking = zip(*gather_object(seen), strict=True)
        majorities = []
        for start in range(0, len(rows), self.num_generations):
            group = range(start, start + self.num_generations)
            self.history.setdefault(rows[start], []).append(sum(right[i] for i in group) / len(group))
            votes = Counter(answers[i] for i in group if answers[i] is not None)
            answer = min(votes, key=lambda a: (-votes[a], a)) if votes else ""
            majorities.append(grade(f"<answer>{answer}</answer>", truth[start], kinds[start]))
        self._log_metric("accuracy", sum(right) / len(right))
        self._log_metric("thinking", sum(thinking) / len(thinking))
        self._log_metric("majority_right", sum(majorities) / len(majorities))


def unique_rows(ids: torch.Tensor, mask: torch.Tensor):
    """(ids, mask) (U, T) without repeated rows, and (B,) for each row given which of these it is."""
    _, same = torch.unique(torch.cat([ids, mask], dim=1), dim=0, return_inverse=True)
    first = torch.empty(int(same.max()) + 1, dtype=torch.long, device=ids.device)
    first[same] = torch.arange(len(same), device=ids.device)
    return (ids[first], mask[first]), same
