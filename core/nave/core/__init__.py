"""The heart of the hub: entities, journal, identity, merge, delivery state and the store that remembers them."""
