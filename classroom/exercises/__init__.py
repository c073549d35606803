"""The exercises, as data: a file for each family."""
