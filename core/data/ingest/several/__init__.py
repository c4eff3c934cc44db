"""Files of one upload that need one another: orders and lines, properties, the log and others."""
