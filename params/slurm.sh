#!/bin/bash
# A grid on Slurm: Ray on all nodes of the job, the study on the first. Tried on one node, with stand-ins for srun and scontrol
# (tests/runs/test_ray.py); Slurm itself was not at hand.
#   sbatch --nodes 4 params/slurm.sh params/paper.yaml [more arguments of `mtalign study`]
# Submit it again when its time is up: finished runs are found, others go on from their last checkpoint.
#SBATCH --job-name=mtalign
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=48:00:00
#SBATCH --output=mtalign-%j.log
set -euo pipefail

export OMP_NUM_THREADS=1 RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300  # seconds that a node may come later than another
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
finished=$(mktemp -u)

# Each node gives the same command. The first, which the address names, starts Ray, waits for the others, and runs what stands
# after `--`; when that ends, Ray is stopped everywhere.
srun ray symmetric-run --address "$first:6379" --min-nodes "$SLURM_JOB_NUM_NODES" --num-cpus "$SLURM_CPUS_PER_TASK" -- \
    bash -c 'mtalign study "${@:2}" --executor ray && touch "$1"' study "$finished" "$@"
test -e "$finished"  # symmetric-run ends with status 0 also where Ray did not start; this script runs on the first node too
