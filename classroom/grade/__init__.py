"""Grades submissions: each answer runs apart, and is judged outside, from its record."""
