"""What a run goes by over many people."""
