"""What an exercise is, and how an answer to it is judged.

- `exercise`: a task, and how an answer to it is judged; `question`: one with a value.
- `cases`: the small cases of a task, and what right and wrong answers make of them.
- `attempt`: one call of an answer, kept within bounds.
- `difference`: what is wrong first: a type, a shape, an error, numbers, a gradient.
- `explanation`: why it is wrong, out of these kinds of causes:
- `causes`: inputs and outputs of what is right, changed.
- `exchanges`: one of its `steps`, exchanged.
- `signs`: what can be said of numbers that are wrong, when no cause is found.
- `notation`: what is wrong with a line of letters, or with how it is written.
- `verdict`: what is told, as text and as HTML.
"""

from classroom.judge.exercise import Exercise, Task
from classroom.judge.question import Question
from classroom.judge.verdict import Verdict

__all__ = ["Exercise", "Question", "Task", "Verdict"]
