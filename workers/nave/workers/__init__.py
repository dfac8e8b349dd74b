"""The steps that move records: land, apply, deliver, sweep; each claims, works, commits, hints and returns what it did."""
