"""What an exercise is, and how an answer to it is judged.

- `exercise`: a question or a task, its small cases, and whether an answer is right.
- `attempt`: one call of an answer, kept within bounds.
- `causes`: why it is wrong: known mistakes, and those made from reference and contract.
- `signs`: what can be said of numbers that are wrong, when no cause is found.
- `notation`: what is wrong with a line of letters, or with how it is written.
- `verdict`: what is told, as text and as HTML.
"""

from classroom.judge.exercise import Exercise, Question, Task
from classroom.judge.verdict import Verdict

__all__ = ["Exercise", "Question", "Task", "Verdict"]
