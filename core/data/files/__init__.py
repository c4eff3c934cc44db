"""Files of any kind → records."""
