"""The connectors that ship with Nave; each is found by name through the registry and imported only when a hub uses it."""
