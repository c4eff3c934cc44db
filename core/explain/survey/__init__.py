"""What a model goes by over many people."""
