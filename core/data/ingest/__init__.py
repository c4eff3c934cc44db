"""Records → an immutable version of a dataset."""
