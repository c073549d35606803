"""torch's manners: tuples, absent batches, dtypes, errors. No layer is defined here."""
