"""Update campaigns: which devices are offered a release, in which order, and when to stop."""

from minerva_hub.rollouts.campaigns import Rollouts
from minerva_hub.rollouts.plan import Plan, Target

__all__ = ["Plan", "Rollouts", "Target"]
