"""The example plant: a generator of what five systems hold, the truth about it, and a stand-in for the CRM."""

from nave.config.plant.crm_events import push_events, read_events
from nave.config.plant.crm_target import CrmTarget
from nave.config.plant.example import write_example
from nave.config.plant.generate import drop_again, generate
from nave.config.plant.truth import PlantTruth
from nave.config.plant.verify import Difference, read_plant_targets, verify, verify_dead

__all__ = [
    "CrmTarget",
    "Difference",
    "PlantTruth",
    "drop_again",
    "generate",
    "push_events",
    "read_events",
    "read_plant_targets",
    "verify",
    "verify_dead",
    "write_example",
]
