"""Mappings: the shape of one system's records to the canonical shape, and back out, compiled from YAML."""

from __future__ import annotations

from nave.mappings.cases import CaseResult, Difference, run_case, untested
from nave.mappings.coverage import Coverage, coverage
from nave.mappings.extending import extended
from nave.mappings.filters import Example, Filter, filters
from nave.mappings.guessing import Guess, guess
from nave.mappings.mapping import (
    Inbound,
    OutboundMapping,
    compile_condition,
    compile_inbound,
    compile_outbound,
)
from nave.mappings.parts import Part, compile_parts, ways_of_part, ways_of_spec
from nave.mappings.problems import MappingProblem, MappingProblems
from nave.mappings.reach import Asking, asked_by, unreached
from nave.mappings.runtime import Mapped
from nave.mappings.shipping import shipped_names, shipped_tests, shipped_text
from nave.mappings.spec import ExpectedError, MappingSpec, TestCase, TestFile
from nave.mappings.tables import ValueTable
from nave.mappings.ways import Way, values_at, ways_of

__all__ = [
    "Asking",
    "CaseResult",
    "Coverage",
    "Difference",
    "Example",
    "ExpectedError",
    "Filter",
    "Guess",
    "Inbound",
    "Mapped",
    "MappingProblem",
    "MappingProblems",
    "MappingSpec",
    "OutboundMapping",
    "Part",
    "TestCase",
    "TestFile",
    "ValueTable",
    "Way",
    "asked_by",
    "compile_condition",
    "compile_inbound",
    "compile_outbound",
    "compile_parts",
    "coverage",
    "extended",
    "filters",
    "guess",
    "run_case",
    "shipped_names",
    "shipped_tests",
    "shipped_text",
    "unreached",
    "untested",
    "values_at",
    "ways_of",
    "ways_of_part",
    "ways_of_spec",
]
