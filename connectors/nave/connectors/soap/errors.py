"""Turns what zeep reports into errors of the hub; what matters is whether the request can have arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zeep import exceptions as zeep

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError, UnknownOutcome


@contextmanager
def describing(file: str) -> Iterator[None]:
    """ConfigErrors for a WSDL that cannot be used: one that reaches outside its folder, or is none."""
    try:
        yield
    except NaveError:
        raise
    except zeep.ExternalReferenceForbidden as error:
        raise ConfigError("NAVE-K222", file=short(file, 200), location=short(error.url, 200)) from error
    except Exception as error:  # zeep raises KeyError, AttributeError and others for files that are no WSDL
        raise ConfigError("NAVE-K221", file=short(file, 200), reason=_told(error)) from error


@contextmanager
def sending(operation: str) -> Iterator[None]:
    """A PermanentError for a record that does not fit the operation: nothing has been sent."""
    try:
        yield
    except NaveError:
        raise
    except Exception as error:  # zeep lets TypeError, ValueError, decimal's and lxml's errors through
        raise PermanentError("NAVE-K224", operation=operation, reason=_told(error)) from error


@contextmanager
def reading(url: str) -> Iterator[None]:
    """An UnknownOutcome for an answer that is not what the WSDL says; faults are no errors here and pass."""
    try:
        yield
    except (NaveError, zeep.Fault):
        raise
    except Exception as error:  # whatever a hostile answer makes zeep or lxml raise
        raise UnknownOutcome("NAVE-K225", url=short(url, 200), reason=_told(error)) from error


def _told(error: Exception) -> str:
    return short(f"{type(error).__name__}: {error}", 200)
