"""What a submission can see of the classroom: this package, and nothing else of it.

It is the only part that is mounted in the sandbox. Nothing here knows an exercise, a
reference, a solution or a seed.
"""
