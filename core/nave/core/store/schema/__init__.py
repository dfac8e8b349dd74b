"""The tables of the store. Times are seconds since 1970 in UTC; documents are JSON text that a person can read."""

from nave.core.store.schema.base import metadata
from nave.core.store.schema.epcis import epcis_capture, epcis_epc, epcis_event, epcis_query, epcis_subscription
from nave.core.store.schema.identity import crowded, decision, former, identity_key, match_form, match_pair, source_record
from nave.core.store.schema.intake import (
    belonging,
    checkpoint,
    gone,
    hold,
    journal,
    journal_body,
    named,
    run,
    stopped,
    taken,
)
from nave.core.store.schema.people import answered, audit, dead_letter, finding, kept_back
from nave.core.store.schema.states import GONE, Due, Finding, Hold, Journal, Letter, Open, Reading
from nave.core.store.schema.truth import UNSETTLED_CREATE, delivery, pin, record, record_version, reference
from nave.core.store.schema.working import compatible, lease, rule, schedule

__all__ = [
    "GONE",
    "UNSETTLED_CREATE",
    "Due",
    "Finding",
    "Hold",
    "Journal",
    "Letter",
    "Open",
    "Reading",
    "answered",
    "audit",
    "belonging",
    "checkpoint",
    "compatible",
    "crowded",
    "dead_letter",
    "decision",
    "delivery",
    "epcis_capture",
    "epcis_epc",
    "epcis_event",
    "epcis_query",
    "epcis_subscription",
    "finding",
    "former",
    "gone",
    "hold",
    "identity_key",
    "journal",
    "journal_body",
    "kept_back",
    "lease",
    "match_form",
    "match_pair",
    "metadata",
    "named",
    "pin",
    "record",
    "record_version",
    "reference",
    "rule",
    "run",
    "schedule",
    "source_record",
    "stopped",
    "taken",
]
