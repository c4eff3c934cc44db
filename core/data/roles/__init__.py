"""Which column says what."""
