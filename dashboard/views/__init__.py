"""One script per page, named after it."""
