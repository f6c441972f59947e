"""Which of a tenant's connectors a job takes. Pure: what is listed goes in, judgements come out.

Selector        judges apps, connectors and explicit pairs
Judgement       what it says of one of them, and why
Census          the same for a whole listing, with what its patterns met: unclear and unknown names
compile_pattern an exact id or name, a glob, or a /regular expression/
"""

from runner.selection.census import Census
from runner.selection.pattern import STATUS_WORDS, Named, Pattern, compile_pattern, named
from runner.selection.selector import Judgement, Ruling, Selector

__all__ = [
    "STATUS_WORDS",
    "Census",
    "Judgement",
    "Named",
    "Pattern",
    "Ruling",
    "Selector",
    "compile_pattern",
    "named",
]
