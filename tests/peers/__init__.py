"""Stand-ins for systems that cannot be had here, written from what is documented of them."""
