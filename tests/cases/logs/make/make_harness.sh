#!/bin/sh
# Logs of lm-evaluation-harness, with its own `hf` model. Run in a copy of this folder, with a folder of SmolLM2-135M-Instruct
# (as `mtalign` converts it) beside it under the name `smollm2-135m-instruct`.
set -e
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
lm_eval run --model hf --model_args pretrained=smollm2-135m-instruct,dtype=float32 --include_path harness_tasks \
    --tasks sums_two_filters sums_repeats words_repeats animals truths_mc1 instructions likelihood \
    --device cpu --batch_size 8 --seed 0 --log_samples --output_path harness
