"""The parts of the page Explain by its depths; `case` is what they are about."""
