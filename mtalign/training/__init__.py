"""RL of a run's model, through trl's `GRPOTrainer`."""

from mtalign.training.callback import CURVE, Diverged
from mtalign.training.train import train
from mtalign.training.trainer import ArmTrainer

__all__ = ["CURVE", "ArmTrainer", "Diverged", "train"]
