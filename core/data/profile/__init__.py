"""What people do in a log, as a whole and under a filter."""
