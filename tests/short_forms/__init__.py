"""The definition of each layer in a few lines of the book's own pieces.

There is a file for each family. `SHORT` holds, for each public class, a function that is
called with the layer (its parameters and settings are read off it) and the inputs; `LEFT`
holds, for a class, the numbers of the examples that are beyond nine lines, with the reason.
"""
