"""The conformance kit: peers that misbehave, and what a connector declares to be tried against them.

    CONFORMANCE = HttpConformance(SPEC, face=..., sinks=[...])          # beside the connector's SPEC

    [project.entry-points."nave.conformance"]
    mine = "my_package.conform:CONFORMANCE"

`nave connector conform mine` then runs it, and so does a test class that inherits `ConformanceContract`.
"""

from nave.connectors.conformance.behaviours import OVER_FOLDERS, OVER_HTTP, OVER_STREAMS, WELL, Behaviour
from nave.connectors.conformance.faces import Asked, Face, FolderFace, Reply, Request, SearchedFace
from nave.connectors.conformance.folders import FolderConformance, FolderPeer, folder_peer
from nave.connectors.conformance.ledger import LISTED
from nave.connectors.conformance.peer import HttpPeer, http_peer
from nave.connectors.conformance.proxy import Fault, Proxy, proxied
from nave.connectors.conformance.report import PROMISES, Report, Row, Verdict
from nave.connectors.conformance.streams import StreamConformance, World
from nave.connectors.conformance.ways import At, SinkWay, SourceWay
from nave.connectors.conformance.webs import HttpConformance

__all__ = [
    "LISTED",
    "OVER_FOLDERS",
    "OVER_HTTP",
    "OVER_STREAMS",
    "PROMISES",
    "WELL",
    "Asked",
    "At",
    "Behaviour",
    "Face",
    "Fault",
    "FolderConformance",
    "FolderFace",
    "FolderPeer",
    "HttpConformance",
    "HttpPeer",
    "Proxy",
    "Reply",
    "Report",
    "Request",
    "Row",
    "SearchedFace",
    "SinkWay",
    "SourceWay",
    "StreamConformance",
    "Verdict",
    "World",
    "folder_peer",
    "http_peer",
    "proxied",
]
