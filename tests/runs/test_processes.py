"""Training over processes: rewards of whole groups, the same run on one and two, checkpoints, LoRA."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch

from mtalign.config.errors import LaunchError
from mtalign.config.resources import Resources
from mtalign.config.run import Run, make_run
from mtalign.models.load import load_model
from mtalign.records.store import Records
from mtalign.rewards import majority_vote, random
from mtalign.runs.execute import execute
from mtalign.runs.launch import launch
from mtalign.study.rehearsal import as_llama
from mtalign.tasks.registry import load_task
from mtalign.training.dataset import training_rows

SMALL = {
    "model": "micro-a", "task": "ordering", "max_steps": 4, "generation_batch_size": 24, "num_generations": 8,
    "steps_per_generation": 1, "train_prompts": 16, "eval_prompts": 6, "num_samples": 8,
}  # fmt: skip
RUN = Run(**SMALL)
ROWS = training_rows(RUN, load_task("ordering"), {}, None)


def on_processes(number, script, *arguments):
    """The script's JSON, written by the first of its processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number)]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), *map(str, arguments)], capture_output=True, text=True, timeout=1500, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.split("RESULT")[1].splitlines()[0])
    assert result.pop("processes") == number
    return result


VOTES = """
import json
from accelerate import PartialState
from mtalign.rewards import majority_vote, over_processes, random

state = PartialState(cpu=True)
answers = "1 1 2  2 2 2 1 1  3 4 4 4".split()  # three groups of four: the second lies in both processes of two
prompts = [p for p in "abc" for _ in range(4)]
share = len(answers) // state.num_processes
mine = slice(state.process_index * share, (state.process_index + 1) * share)
columns = {"prompts": prompts[mine], "completions": [f"<answer>{a}</answer>" for a in answers[mine]]}
from accelerate.utils import gather_object
found = {f.__name__: gather_object(over_processes(f)(**columns)) for f in (majority_vote, random)}
if state.is_main_process:
    print("RESULT" + json.dumps(found | {"processes": state.num_processes}))
state.destroy_process_group()
"""


def test_a_majority_is_that_of_its_group_wherever_the_votes_are(tmp_path):
    script = tmp_path / "votes.py"
    script.write_text(VOTES)
    answers = ["1", "1", "2", "2", "2", "2", "1", "1", "3", "4", "4", "4"]
    columns = {
        "prompts": [p for p in "abc" for _ in range(4)],
        "completions": [f"<answer>{a}</answer>" for a in answers],
    }
    two, one = on_processes(2, script), {f.__name__: f(**columns) for f in (majority_vote, random)}
    assert two == one  # group a: 1 1 2 2 ties; group b: 2 2 1 1 ties; group c: 3 4 4 4
    assert two["majority_vote"][8:] == [0.0, 1.0, 1.0, 1.0]
    assert all(sum(two["majority_vote"][start : start + 4]) == 2 for start in (0, 4))


SLOW = pytest.mark.slow


@pytest.mark.parametrize(  # in the second epoch over the rows, in the first, at its end
    "cut, kept", [(7, 6), pytest.param(3, 2, marks=SLOW), pytest.param(5, 4, marks=SLOW)]
)
def test_an_interrupted_run_goes_on_from_its_checkpoint_and_ends_in_the_same_bits(tmp_path, cut, kept):
    from mtalign.training.train import train

    run = make_run(
        "test", {**SMALL, "steps_per_generation": 2, "max_steps": 8, "reward": "random", "weight_decay": 0.1}
    )
    resources = Resources(save_steps=2)

    def trained(folder, progress=None):
        model, tokenizer = load_model(run.model)
        result = train(run, model, tokenizer, ROWS[:6], progress, resources, folder)  # 4 updates an epoch
        return result, {name: weight.clone() for name, weight in model.state_dict().items()}

    def power_cut(done, total):
        if done == cut:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", power_cut)
    assert (tmp_path / "cut" / f"checkpoint-{kept}" / "mtalign.json").is_file()
    resumed, weights = trained(tmp_path / "cut")
    whole, expected = trained(tmp_path / "whole")
    assert resumed == whole and all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_finished_run_leaves_no_checkpoint(tmp_path):
    records = Records(tmp_path / "records")
    records.prepare()
    records.write(RUN.base, execute(RUN.base, records))
    record = execute(RUN, records, resources=Resources(save_steps=2))
    assert not (tmp_path / "checkpoints" / RUN.run_id).exists() and record["resources"] == {
        "cpus": 1,
        "processes": 1,
        "save_steps": 2,
    }
    plain = execute(RUN, records)
    assert plain["after"] == record["after"] and "resources" not in plain


def test_lora_trains_an_adapter_alone():
    pytest.importorskip("peft")
    from mtalign.training.train import train

    run = dataclasses.replace(RUN, lora_rank=4, learning_rate=1e-2)
    model, tokenizer = load_model(run.model)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    train(run, model, tokenizer, ROWS)
    after = {name.replace(".base_layer", ""): weight for name, weight in model.state_dict().items()}
    assert all(torch.equal(before[name], after[name]) for name in before)
    adapter = [weight for name, weight in after.items() if "lora_B" in name]
    assert adapter and any(weight.abs().max() > 0 for weight in adapter)


KEYED = """
import dataclasses, json, sys
import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from mtalign.config import Run
from mtalign.models import load_model
from mtalign.config import Resources
from mtalign.rewards import majority_vote, random
from mtalign import rewards
from mtalign.training import train
from mtalign.training.trainer import ArmTrainer

job = json.load(open(sys.argv[1]))
state = PartialState(cpu=True)
torch.set_num_threads(1)
seen = []
original = ArmTrainer._calculate_rewards


def calculate(self, inputs, prompts, completions, ids):
    found = original(self, inputs, prompts, completions, ids)  # of all processes
    seen.append([list(pair) for pair in zip(gather_object(completions), found[:, 0].tolist())])
    return found


ArmTrainer._calculate_rewards = calculate


def keyed(model, eos, pad, length, temperature):
    # samples by the Gumbel-max trick, with noise for (rollout, place in the whole batch): the same on any number of processes
    calls = 0

    def generate(input_ids, attention_mask=None, **_):
        nonlocal calls
        calls += 1
        first, vocabulary = state.process_index * len(input_ids), model.config.vocab_size
        noise = [torch.rand(length, vocabulary, generator=torch.Generator().manual_seed(1000 * calls + first + i)) for i in range(len(input_ids))]
        noise = -torch.log(-torch.log(torch.stack(noise)))
        ended = torch.zeros(len(input_ids), dtype=torch.bool)
        for t in range(length):
            with torch.no_grad():
                logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, -1]
            token = (logits / temperature + noise[:, t]).argmax(dim=1)
            token = torch.where(ended, pad, token)
            ended |= token == eos
            input_ids = torch.cat([input_ids, token[:, None]], dim=1)
            attention_mask = torch.cat([attention_mask, torch.ones_like(token)[:, None]], dim=1)
        return input_ids

    return generate


results = {}
for name, values in job["runs"].items():
    run = Run(**values)
    model, tokenizer = load_model(run.model)
    model.generate = keyed(model, tokenizer.eos_token_id, tokenizer.pad_token_id, run.max_completion_length, run.temperature)
    seen.clear()
    result = train(run, model, tokenizer, job["rows"], resources=Resources(processes=state.num_processes))
    results[name] = {"seen": list(seen), "curve": result["curve"], "history": result["history"]}
if state.is_main_process:
    print("RESULT" + json.dumps(results | {"processes": state.num_processes}))
state.destroy_process_group()
"""


@pytest.mark.slow
def test_the_same_run_on_one_and_two_processes_has_the_same_rewards_and_curves(tmp_path):
    as_llama("micro-a", tmp_path / "llama")
    runs = {
        "grpo": RUN, "llama": dataclasses.replace(RUN, model=str(tmp_path / "llama")),
        "majority_vote": dataclasses.replace(RUN, reward="majority_vote"), "random": dataclasses.replace(RUN, reward="random"),
        "nsr": dataclasses.replace(RUN, objective="nsr"), "kl": dataclasses.replace(RUN, beta=0.1, entropy_coef=0.01),
        "entropy": dataclasses.replace(RUN, reward="entropy"),
        "two updates": dataclasses.replace(RUN, steps_per_generation=2),
    }  # fmt: skip
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"runs": {name: dataclasses.asdict(run) for name, run in runs.items()}, "rows": ROWS}))
    script = tmp_path / "keyed.py"
    script.write_text(KEYED)
    one, two = on_processes(1, script, job), on_processes(2, script, job)
    for name in runs:
        rollouts = 1 if name == "two updates" else 4  # which completions share an update depends on the processes
        for here, there in list(zip(one[name]["seen"], two[name]["seen"], strict=True))[:rollouts]:
            assert [text for text, _ in here] == [text for text, _ in there], name
            assert [r for _, r in here] == pytest.approx([r for _, r in there], abs=1e-4), name
        if name == "two updates":
            continue
        assert one[name]["history"] == two[name]["history"]
        for column in ("reward", "accuracy", "majority_right", "entropy", "grad_norm", "completion_length"):
            assert one[name]["curve"][column] == pytest.approx(two[name]["curve"][column], rel=2e-3, abs=1e-4), (
                name,
                column,
            )


@pytest.mark.slow
@pytest.mark.parametrize("accelerate", ["", "fsdp2_cpu"])
def test_a_launched_run_ends_in_a_record(tmp_path, accelerate):
    from mtalign.config.resources import make_resources

    records = Records(tmp_path / "records")
    records.prepare()
    records.write(RUN.base, execute(RUN.base, records))
    resources = make_resources({"processes": 2, "accelerate": accelerate})
    record = execute(RUN, records, resources=resources)
    assert record["resources"]["processes"] == 2 and len(record["curve"]["step"]) == 4
    assert record["after"]["num_samples"] == 8


@pytest.mark.slow
def test_a_launch_that_fails_says_why(tmp_path):
    run = dataclasses.replace(RUN, learning_rate=1e30, max_grad_norm=1e30, max_steps=6)
    with pytest.raises(LaunchError, match=r"training in 2 processes: (Diverged|RuntimeError: probability)"):
        launch(run, ROWS, Resources(processes=2))


def test_what_report_to_names_gets_the_rewards_under_the_runs_name(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    records = Records(tmp_path / "records")
    records.prepare()
    records.write(RUN.base, execute(RUN.base, records))
    record = execute(RUN, records, resources=Resources(trl={"report_to": "tensorboard"}))
    events = EventAccumulator(str(tmp_path / "logs" / RUN.run_id)).Reload()
    seen = [event.value for event in events.Scalars("train/reward")]
    assert seen == pytest.approx(record["curve"]["reward"], rel=1e-4)


@pytest.mark.slow
def test_processes_end_with_the_one_that_launched_them(tmp_path):
    import psutil

    script = tmp_path / "launcher.py"
    script.write_text(
        "import json, sys\n"
        "from mtalign.config import Run\nfrom mtalign.runs.launch import launch\nfrom mtalign.config import Resources\n"
        "job = json.load(open(sys.argv[1]))\n"
        "launch(Run(**job['run']), job['rows'], Resources(processes=2), progress=lambda *done: print(*done, flush=True))\n"
    )
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"run": dataclasses.asdict(RUN) | {"max_steps": 5000}, "rows": ROWS}))
    launcher = subprocess.Popen([sys.executable, str(script), str(job)], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout.readline()  # an update is done
    started = psutil.Process(launcher.pid).children(recursive=True)
    assert len(started) >= 3  # torchrun and two of training
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(started, timeout=60)
    for process in alive:
        process.kill()
    assert not alive
