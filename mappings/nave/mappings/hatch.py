"""The way out of the mapping language: a Python function of the hub's own, named only in its configuration."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from nave.core.errors import ConfigError, NaveError, PermanentError
from nave.mappings.problems import shown

_REFERENCE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)

Function = Callable[[dict[str, Any]], Any]


class Functions:
    """Loads functions by `module:function`: from the hub's `python/` folder first, then from what is installed."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / "python" if folder else None
        self._modules: dict[str, ModuleType] = {}
        self.hashes: dict[str, str] = {}
        """Module -> hash of its file, so that a changed function is a changed mapping."""

    def load(self, reference: str) -> Function:
        """The function, its failures turned into PermanentError (M109); ConfigError (M017) where it cannot be had."""
        found = _REFERENCE.fullmatch(reference)
        if not found:
            raise ConfigError("NAVE-M017", reference=shown(reference), reason="module:function")
        try:
            function = getattr(self._module(found[1]), found[2])
        except ConfigError:
            raise
        except Exception as error:  # importing somebody's module can raise anything; the person who wrote it must see it
            reason = shown(f"{type(error).__name__}: {error}")
            raise ConfigError("NAVE-M017", reference=shown(reference), reason=reason) from error
        if not callable(function):
            raise ConfigError("NAVE-M017", reference=shown(reference), reason=type(function).__name__)
        return _guarded(reference, function)

    def _module(self, name: str) -> ModuleType:
        if name not in self._modules:
            self._modules[name] = self._imported(name)
        return self._modules[name]

    def _imported(self, name: str) -> ModuleType:
        file = self._folder.joinpath(*name.split(".")).with_suffix(".py") if self._folder else None
        if self._folder is None or file is None or not file.is_file():
            return self._installed(name)
        if not file.resolve().is_relative_to(self._folder.resolve()):
            raise ConfigError("NAVE-M017", reference=name, reason=f"{file.name} -> {file.resolve().name}")
        self.hashes[name] = sha256(file.read_bytes()).hexdigest()
        spec = spec_from_file_location(f"nave_hub_python.{name}", file)
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def _installed(self, name: str) -> ModuleType:
        module = import_module(name)
        source = getattr(module, "__file__", None)
        if source is not None:
            self.hashes[name] = sha256(Path(source).read_bytes()).hexdigest()
        return module


def _guarded(reference: str, function: Function) -> Function:
    def guarded(record: dict[str, Any]) -> Any:
        try:
            return function(record)
        except NaveError:
            raise
        except Exception as error:
            reason = shown(f"{type(error).__name__}: {error}")
            raise PermanentError("NAVE-M109", reference=reference, reason=reason) from error

    return guarded
