"""What an ops engineer writes: the shape of a hub folder, its loader and checker, and the example hubs.

`load` reads a folder into a `HubConfig` with all problems at once; mapping files stay documents, which the compiler of
the mappings reads, with the places that its problems need.
"""

from nave.config.composer import parse
from nave.config.document import Document
from nave.config.draft import Draft
from nave.config.entityfile import EntityFile
from nave.config.export import export_schemas
from nave.config.hubfile import HttpFile, HubFile, LimitsFile, RetentionFile
from nave.config.loader import HUB_FILE, load
from nave.config.outside import Filled, Outside
from nave.config.problems import Problem, in_order
from nave.config.scoring import model_file
from nave.config.shapes import (
    ConnectionConfig,
    EntityRules,
    HubConfig,
    Loaded,
    Rule,
    SinkConfig,
    SourceConfig,
    SystemConfig,
)
from nave.config.systemfile import SinkLimitsFile, SystemFile

__all__ = [
    "HUB_FILE",
    "ConnectionConfig",
    "Document",
    "Draft",
    "EntityFile",
    "EntityRules",
    "Filled",
    "HttpFile",
    "HubConfig",
    "HubFile",
    "LimitsFile",
    "Loaded",
    "Outside",
    "Problem",
    "RetentionFile",
    "Rule",
    "SinkConfig",
    "SinkLimitsFile",
    "SourceConfig",
    "SystemConfig",
    "SystemFile",
    "export_schemas",
    "in_order",
    "load",
    "model_file",
    "parse",
]
