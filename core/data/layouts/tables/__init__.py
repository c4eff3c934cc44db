"""Tables whose rows are no events → plain records: lists in cells, wide matrices, continued orders.

Such a table is opened as any other and known by its columns; what it becomes is a Parquet file
whose rows know the lines that they came from.
"""
