"""On an accelerator: `pytest -m gpu`. Elsewhere these tests skip; what they call runs on a CPU too, as other tests show."""

import dataclasses
import importlib
import math
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from mtalign.cli.main import main
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.paths import shared
from mtalign.config.resources import Resources, shipped
from mtalign.config.run import Run
from mtalign.models.load import checkpoint, load_model
from mtalign.records.store import Records
from mtalign.runs.execute import execute
from mtalign.runs.launch import launch
from mtalign.study.cost import GIB, Device, memory
from mtalign.tasks.registry import load_task
from mtalign.training.dataset import training_rows
from mtalign.training.train import train

sys.path.append(str(Path(__file__).parents[1]))  # for `tests`, after what is installed
gpu = importlib.import_module("tests.benchmarks.gpu")

SMOLLM2 = Run(
    "smollm2-135m-instruct", "ordering", max_steps=4, learning_rate=1e-6, generation_batch_size=32, num_generations=8,
    train_prompts=8, max_completion_length=32, eval_prompts=8, num_samples=8, bf16=True,
)  # fmt: skip
MICRO = Run(
    "micro-a", "ordering", max_steps=4, generation_batch_size=32, num_generations=8, train_prompts=8, eval_prompts=8
)


@pytest.fixture
def accelerator():
    if not torch.cuda.is_available():
        pytest.skip("torch sees no accelerator here")
    return Device(torch.cuda.get_device_properties(0).total_memory / GIB, 0.0, 0.0)


@pytest.fixture
def smollm2():
    try:
        checkpoint(SMOLLM2.model)
    except ConfigError as error:
        pytest.skip(str(error))
    return SMOLLM2


@pytest.mark.gpu
def test_a_micro_grid_is_computed_there(accelerator, tmp_path):
    grid = shared("params") / "tiny.yaml"
    assert main(["study", str(grid), "--out", str(tmp_path), "--workers", "1"], standalone_mode=False) == 0
    records = [Records(tmp_path / "records").read(run) for run in load_grid(grid).runs]
    assert all(
        record["status"] == "finished" and torch.cuda.get_device_name() in record["device"] for record in records
    )


@pytest.mark.gpu
@pytest.mark.parametrize("rollouts", ["transformers", "vllm"])
def test_a_pretrained_model_learns_in_16_bits(accelerator, smollm2, rollouts, tmp_path):
    if rollouts == "vllm" and find_spec("vllm") is None:
        pytest.skip("vLLM is not installed")
    run, records = dataclasses.replace(smollm2, rollouts=rollouts), Records(tmp_path / "records")
    records.prepare()
    records.write(run.base, execute(run.base, records))
    resources = Resources(trl={"vllm_mode": "colocate"} if rollouts == "vllm" else {})
    record = execute(run, records, resources=resources)
    assert record["status"] == "finished" and len(record["curve"]["reward"]) == 2


@pytest.mark.gpu
def test_fsdp_works_in_one_process(accelerator, tmp_path):
    rows = training_rows(MICRO, load_task(MICRO.task), {}, None)
    trained, model, _ = launch(MICRO, rows, Resources(gpus=1, accelerate=str(shipped("fsdp2"))), None, None)
    assert len(trained["curve"]["reward"]) == 2
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.gpu
def test_the_memory_that_a_plan_promises_is_what_training_takes(accelerator, smollm2):
    promised = sum(memory(smollm2, Resources(), accelerator).values())
    model, tokenizer = load_model(smollm2.model)
    rows = training_rows(smollm2, load_task(smollm2.task), {}, None)
    torch.cuda.reset_peak_memory_stats()
    train(smollm2, model, tokenizer, rows)
    assert 0.5 <= torch.cuda.max_memory_allocated() / GIB / promised <= 1.2


def test_the_benchmark_of_an_accelerator_measures_on_any_machine():
    found = gpu.measure(dataclasses.replace(MICRO, max_completion_length=8), 1, prompts=2, samples=4)
    assert {way for each in found.values() for way in each} == {"ours", "stock"}
    assert all(
        math.isfinite(rate) for each in found.values() for rate in each.values()
    )  # of a few updates, noise can be more
