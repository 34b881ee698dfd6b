"""Rewards of mtalign in a trl script of one's own: `python own_script.py` trains a shipped micro model for a few updates."""

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from mtalign.models import load_model
from mtalign.rewards import REWARDS
from mtalign.tasks import load_task

model, tokenizer = load_model("micro-a")
rows = [
    {
        "prompt": example.prompt,  # what the model is given
        "answer": example.answer,  # the truth: ground_truth and inverted compare with it
        "kind": "exact",  # how answers are compared: exact, choice, math; guessed from `answer` where it is missing
        "row": number,  # so that two equal prompts stay two groups
        "seed": 0,  # of coins and ties
    }
    for number, example in enumerate(load_task("ordering").train[:32])
]
args = GRPOConfig(
    output_dir="out", max_steps=4, per_device_train_batch_size=64, num_generations=8, max_completion_length=20,
    learning_rate=3e-4, beta=0.0, use_cpu=True, bf16=False, report_to="none", logging_steps=1, save_strategy="no",
)  # fmt: skip
trainer = GRPOTrainer(
    model,
    reward_funcs=[REWARDS["majority_vote"]],
    args=args,
    train_dataset=Dataset.from_list(rows),
    processing_class=tokenizer,
)
trainer.train()
print("rewards:", [entry["reward"] for entry in trainer.state.log_history if "reward" in entry])
