"""The hub's doors for other systems: events in over HTTP, and how the hub is doing."""
