"""What makes the answers to "why": values, evidence in the log, sentences, changes of a history."""
