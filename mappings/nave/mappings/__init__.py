"""Mappings: the shape of one system's records to the canonical shape, and back out, compiled from YAML."""

from __future__ import annotations

from nave.mappings.cases import CaseResult, Difference, run_case, untested
from nave.mappings.filters import Example, Filter, filters
from nave.mappings.mapping import (
    Inbound,
    OutboundMapping,
    compile_condition,
    compile_inbound,
    compile_outbound,
)
from nave.mappings.problems import MappingProblem, MappingProblems
from nave.mappings.runtime import Mapped
from nave.mappings.spec import ExpectedError, MappingSpec, TestCase, TestFile
from nave.mappings.tables import ValueTable

__all__ = [
    "CaseResult",
    "Difference",
    "Example",
    "ExpectedError",
    "Filter",
    "Inbound",
    "Mapped",
    "MappingProblem",
    "MappingProblems",
    "MappingSpec",
    "OutboundMapping",
    "TestCase",
    "TestFile",
    "ValueTable",
    "compile_condition",
    "compile_inbound",
    "compile_outbound",
    "filters",
    "run_case",
    "untested",
]
