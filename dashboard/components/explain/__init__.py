"""The parts of the page Explain, in the order of its questions; `case` is what they are about."""
