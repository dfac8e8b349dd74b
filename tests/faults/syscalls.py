"""Faults at the border to the operating system, for `make faults`: calls that fail, their order, memory, processes."""

from __future__ import annotations

from tests.faults import syscalls_memory, syscalls_order, syscalls_processes, syscalls_sweep

DRIVERS = (*syscalls_sweep.DRIVERS, *syscalls_order.DRIVERS, *syscalls_processes.DRIVERS, *syscalls_memory.DRIVERS)
