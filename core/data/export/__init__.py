"""A dataset version → files of other libraries: one function a format, in `export.FORMATS`."""
