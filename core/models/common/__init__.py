"""What models of several kinds stand on."""
