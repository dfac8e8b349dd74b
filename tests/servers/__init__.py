"""Real servers for tests, as private processes on free ports: nothing that is already running is touched."""

from tests.servers.ports import free_port, free_ports
from tests.servers.postgres import postgres, postgres_programs
from tests.servers.rabbitmq import Cluster, Node, rabbitmq, rabbitmq_cluster, rabbitmq_node, rabbitmq_programs

__all__ = [
    "Cluster",
    "Node",
    "free_port",
    "free_ports",
    "postgres",
    "postgres_programs",
    "rabbitmq",
    "rabbitmq_cluster",
    "rabbitmq_node",
    "rabbitmq_programs",
]
