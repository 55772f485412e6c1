"""What a report says, in every language: one catalogue a language, and a language is one file.

``en.toml`` names every sentence; another language is a file beside it with the same names and the
same placeholders, and :func:`load` refuses one that lacks any.  Nothing else in the package knows
a language by name.

>>> words = load("en")
>>> words("structure.step", number=5)
('step\\xa05',)

How a sentence is written in the catalogue:

``{cell}``
    A placeholder, given by name: a string, a number, a :class:`~rnnderive.report.Formula`, a ``Ref``,
    a ``Code``, or a sequence of such.  What is given is never read as markup.
``{loss:.3f}``
    A number in that format, with the language's decimal mark and a true minus sign.
``{n} {n?term|terms}``
    The form that goes with a number, in the order of the file's ``[plural]`` table, the rest last:
    in Russian ``{n} {n?слагаемое|слагаемых}``, with as many forms as the table has rules, and one.
``$h[t-1]$``, ``$W_f$``, ``$P_{T,k}$``
    A name as a formula, with its time, or with what stands below and above it.
``*so*``, ``**so**``, ```so```
    Emphasis, bold, program text; a backslash before a sign takes its meaning away.
"""

from rnnderive.report.languages.catalogue import Value, Words, available, load

__all__ = ["Value", "Words", "available", "load"]
