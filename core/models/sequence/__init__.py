"""What reads a history as a sequence."""
