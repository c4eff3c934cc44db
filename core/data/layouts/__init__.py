"""Files in the layouts of the field → the plain records that everything after reads.

A layout is one file here and one line in `registry.LAYOUTS`: how its files are recognised by what
they hold, and how they become a table with a column for the user, the item and so on.
"""
