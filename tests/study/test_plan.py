"""The plan: counts that are exact, times within the error they state, and what `mtalign status` says."""

import dataclasses
import itertools
import shutil
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from mtalign.cli.main import cli
from mtalign.config import paths
from mtalign.config.errors import ConfigError, ResourcesError
from mtalign.config.grid import load_grid
from mtalign.config.hub import listing
from mtalign.config.resources import Resources, check_machine
from mtalign.config.run import Run
from mtalign.models.load import checkpoint, load_model
from mtalign.models.size import architecture, cache_bytes, parameters
from mtalign.records.store import Records
from mtalign.runs.progress import State, in_words, reporter, state
from mtalign.study.calibration import calibrate, core_seconds, work
from mtalign.study.cost import DEVICES, GIB, gpu_hours, memory

PAPER = paths.shared("params") / "paper.yaml"
PUBLISHED = {  # on the models' pages
    "Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796": 7_615_616_512, "meta-llama/Llama-3.1-8B-Instruct@0e9e39f249a16976918f6564b8830bc894c89659": 8_030_261_248,
    "Qwen/Qwen2.5-Math-1.5B@4a83ca6e4526a4f2da3aa259ec36c259f66b2ab2": 1_543_714_304,
}  # fmt: skip


@pytest.mark.parametrize("model", PUBLISHED)
def test_weights_are_counted_as_published(model):
    assert parameters(listing()["models"][model]) == PUBLISHED[model]


def test_weights_and_cache_are_counted_as_they_are():
    model, tokenizer = load_model("micro-a")
    assert parameters(architecture("micro-a")) == sum(p.numel() for p in model.parameters())
    ids = tokenizer(["ordering: 1693 after 8="], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        cache = model(ids, use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert held == cache_bytes(architecture("micro-a"), size=4) * ids.shape[1]


def test_weights_gradients_and_optimizer_take_what_is_planned():
    model, _ = load_model("micro-a")
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4, dtype=torch.long)).logits.sum().backward()
    optimizer.step()
    held = sum(p.nbytes + p.grad.nbytes for p in model.parameters())
    held += sum(s.nbytes for state in optimizer.state.values() for s in state.values() if s.dim())
    parts = memory(Run("micro-a", "logic"), Resources(), DEVICES["h100"])
    assert held == round((parts["weights"] + parts["gradients"] + parts["optimizer"]) * GIB)


def test_sharding_lora_and_batch_lower_the_memory():
    grid = load_grid(PAPER)
    run, device = next(run for run in grid.runs if run.arm == "standard"), DEVICES["h100"]

    def total(run=run, **changes):
        return sum(memory(run, dataclasses.replace(grid.resources, **changes), device).values())

    assert total() < device.memory < total(accelerate="") and total(accelerate="zero3") == total() < total(
        accelerate="zero2"
    )
    assert total(dataclasses.replace(run, lora_rank=16)) < total() < total(micro_batch=4)
    assert memory(dataclasses.replace(run, beta=0.1), grid.resources, device)["reference"] > 0


def test_hours_grow_with_what_is_done():
    grid = load_grid(PAPER)
    run, device = next(run for run in grid.runs if run.arm == "standard"), DEVICES["h100"]
    hours = gpu_hours(run, grid.resources, device)
    assert 10 < hours < 500 and gpu_hours(run, grid.resources, DEVICES["a100-80gb"]) > hours
    assert gpu_hours(dataclasses.replace(run, max_steps=1200), grid.resources, device) > 1.5 * hours


def test_calibration_finds_the_seconds_that_runs_were_made_of(tmp_path):
    seconds = {"run": 1.5, "evaluated": 0.2, "trained": 0.3, "trained_fast": 0.12}
    records = Records(tmp_path)
    for steps, samples, fast in itertools.product((0, 20, 50, 100), (16, 64), (False, True)):
        run = Run("m", "t", max_steps=steps, num_samples=samples, fast=fast)
        took = sum(seconds[kind] * amount for kind, amount in work(run).items())
        records.write(run, {"status": "finished", "seconds": took})
    found = calibrate([tmp_path])
    assert found["seconds"] == pytest.approx(seconds, rel=1e-2) and found["error"]["nine_of_ten"] < 0.01


def test_fast_runs_are_planned_shorter():
    run = Run("micro-a", "ordering")
    assert 0.2 < core_seconds(dataclasses.replace(run, fast=True)) / core_seconds(run) < 0.9


def test_plan_of_the_papers_grid_needs_no_model_and_no_network(tmp_path):
    result = CliRunner().invoke(cli, ["plan", str(PAPER), "--device", "h100", "--out", str(tmp_path)])
    assert result.exit_code == 0 and "GPU hours" in result.output and "fits" in result.output
    assert "assumed, not measured" in result.output and "GB of checkpoints" in result.output
    without = CliRunner().invoke(cli, ["plan", str(PAPER), "--out", str(tmp_path)])
    assert "needs GPUs" in without.output
    wrong = CliRunner().invoke(cli, ["plan", str(PAPER), "--device", "abacus"])
    assert isinstance(wrong.exception, ConfigError) and "--device" in str(wrong.exception)


@pytest.mark.parametrize(
    "resources, changes, workers, said",
    [
        (Resources(gpus=8), {}, 2, "gpus: several runs at a time need --executor ray"),
        (Resources(gpus=99), {}, 1, "gpus: 99 are asked for and"),
        (Resources(), {"rollouts": "vllm"}, 2, "the package vllm is asked for and not installed"),
        (Resources(accelerate="zero3.yaml"), {}, 2, "the package deepspeed"),
        (Resources(trl={"report_to": "wandb"}), {}, 2, "the package wandb"),
    ],
)
def test_what_this_machine_lacks_is_said_before_any_run(monkeypatch, resources, changes, workers, said):
    monkeypatch.setattr("mtalign.config.resources.find_spec", lambda name: None)
    run = Run("micro-a", "logic")
    check_machine([run], Resources(), 2)
    with pytest.raises(ResourcesError, match=said):
        check_machine([dataclasses.replace(run, **changes)], resources, workers)


def test_a_plan_for_a_model_of_one_s_own_says_what_is_drawn_and_what_lowers_it(tmp_path):
    own = tmp_path / "own"
    shutil.copytree(checkpoint("micro-a"), own)
    path = tmp_path / "own.yaml"
    grid = f"grid: {{model: [{own}], task: [logic], arm: [base, standard], seed: [0]}}\nfixed: {{max_steps: 4, num_samples: %d}}\n"
    for samples, lower in ((64, True), (1, False)):
        path.write_text(grid % samples)
        said = CliRunner().invoke(cli, ["plan", str(path)]).stdout
        assert "it draws 512 completions to train and" in said
        assert ("for a first look lower eval_prompts and num_samples" in said) is lower


def test_status_says_what_is_running_done_failed_and_stopped(tmp_path):
    runs = [Run("micro-a", "logic", seed=seed) for seed in range(3)]
    counts = {"found": 0, "trained": 0, "failed": 0}
    kept = State(tmp_path, runs, counts)
    kept.write(counts, runs[:2])
    reporter(kept.progress(runs[0]))(25, 100)
    said = in_words(state(tmp_path, now=time.time() + 30))
    assert "running; 0 of 3 runs done" in said and "2 running" in said
    assert "25/100 updates, about 1 min 30 s of training left" in said or "25/100 updates, about 1 min" in said
    assert "stopped" in in_words(state(tmp_path, now=time.time() + 3600))
    kept.ended(runs[0], finished=False)
    kept.write({"found": 0, "trained": 2, "failed": 1}, [], finished=True)
    said = in_words(state(tmp_path))
    assert "runs finished; 3 of 3 runs done (2 computed by this command, 1 failed)" in said
    assert f"failed   {runs[0].run_id}" in said and not list((tmp_path / "progress").iterdir())


def test_what_a_killed_command_left_of_a_run_that_had_just_finished_is_removed(tmp_path):
    finished, open_ = (Run("micro-a", "logic", seed=seed) for seed in range(2))
    counts = {"found": 1, "trained": 0, "failed": 0}
    before = State(tmp_path, [finished, open_], counts)
    for run in (finished, open_):
        reporter(before.progress(run))(25, 100)
    (tmp_path / "progress" / ".half.partial").write_text("2")
    State(tmp_path, [open_], counts)
    assert [path.name for path in (tmp_path / "progress").iterdir()] == [open_.run_id]


def test_status_of_no_study_is_a_clear_line(tmp_path):
    with pytest.raises(ConfigError, match=r"state\.json: not there"):
        state(tmp_path)
    Path(tmp_path, "state.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        state(tmp_path)
