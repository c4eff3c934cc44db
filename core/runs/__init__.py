"""What was trained: asked for, found, kept and read again."""
