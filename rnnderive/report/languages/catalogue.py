"""A catalogue read from its file, and sentences made from it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from rnnderive import printing as pr
from rnnderive.errors import InputError
from rnnderive.report.document import Bold, Code, Emph, Formula, Inline, Text, inlines
from rnnderive.report.languages import formula
from rnnderive.report.languages.plurals import Rule, form, rules

__all__ = ["Value", "Words", "available", "load"]

_HERE = Path(__file__).parent
_REFERENCE = "en"  # the file whose names every other file has
_SETTINGS = ("language", "plural", "latex")

Value: TypeAlias = "Text | int | float"


@dataclass(frozen=True)
class Words:
    """The sentences of one language; call it with a name and the values of its placeholders.

    Parameters
    ----------
    lang : str
        Code of the language, as in ``lang="ru"`` of a page.
    name : str
        What the language calls itself.
    decimal : str
        The decimal mark.
    quotes : tuple of str
        The quotation marks, outer pair.
    percent : str
        A share in percent, with ``{value}``.
    no_break : tuple of str
        Patterns whose spaces are no place to break a line.
    latex : mapping
        What pdfLaTeX needs: ``encoding``, ``family``, ``hyphenation`` and ``files``.
    sentences : mapping
        Every sentence by its name.
    """

    lang: str
    name: str
    decimal: str
    quotes: tuple[str, str]
    percent: str
    no_break: tuple[str, ...]
    plurals: tuple[Rule, ...]
    latex: Mapping[str, Any]
    sentences: Mapping[str, str]

    def __call__(self, key: str, /, **values: Value) -> tuple[Inline, ...]:
        """The sentence of that name, as a text of a document.

        Raises
        ------
        InputError
            For a name that is not in the catalogue, or values that are not its placeholders.
        """
        return self.fill(self.sentence(key), values, repr(key))

    def fill(self, sentence: str, values: Mapping[str, Value], name: str = "that") -> tuple[Inline, ...]:
        """A sentence written as those of the catalogue are, with its placeholders filled."""
        wanted = placeholders(sentence)
        if wanted != set(values):
            raise InputError(
                f"the sentence {name} was given {_listed(values)}; expected {_listed(wanted)} ({sentence!r})"
            )
        return tuple(_joined(self._parts(self.unbroken(sentence), values)))

    def label(self, key: str, /, **values: Value) -> str:
        """The sentence as one string for a picture: formulas between ``$``, as matplotlib reads them."""
        return "".join(map(_label, self(key, **values)))

    def stem(self, name: str) -> str:
        """The name of a file in this language: as it is in the language of reference, else with the code.

        Examples
        --------
        >>> load("en").stem("lecture"), load("ru").stem("lecture")
        ('lecture', 'lecture_ru')
        """
        return name if self.lang == _REFERENCE else f"{name}_{self.lang}"

    def sentence(self, key: str) -> str:
        """The sentence as it stands in the file."""
        if key not in self.sentences:
            near = difflib.get_close_matches(key, self.sentences, 3)
            raise InputError(f"no sentence is called {key!r} in {self.lang}; did you mean {', '.join(near) or 'none'}?")
        return self.sentences[key]

    def number(self, value: float, spec: str = ".6g") -> str:
        """A number in this language's writing.

        Examples
        --------
        >>> load("ru").number(-0.25), load("en").number(1.5e-9)
        ('−0,25', '1.5·10⁻⁹')
        """
        mantissa, _, exponent = format(value, spec).replace("-", "−").partition("e")
        mantissa = mantissa.replace(".", self.decimal).replace("inf", "∞")
        if not exponent:
            return mantissa
        power = str(int(exponent.replace("−", "-"))).translate(_RAISED)
        return f"10{power}" if mantissa == "1" else f"{mantissa}·10{power}"

    def share(self, part: float, digits: int = 1) -> str:
        """A part of one, in percent."""
        return self.percent.format(value=self.number(100 * part, f".{digits}f"))

    def math(self, node: pr.Math) -> pr.Math:
        """A formula with this language's decimal mark."""
        return pr.with_decimal(node, self.decimal)

    def unbroken(self, text: str) -> str:
        """Text with spaces that do not break where the language wants them."""
        for pattern in self.no_break:
            text = re.sub(pattern, lambda found: found[0].replace(" ", "\u00a0"), text)
        return text

    def _parts(self, sentence: str, values: Mapping[str, Value]) -> Iterator[Inline]:
        for kind, inside in _tokens(sentence):
            match kind:
                case "bold":
                    yield Bold(*_joined(self._parts(inside, values)))
                case "emph":
                    yield Emph(*_joined(self._parts(inside, values)))
                case "code":
                    yield Code(inside)
                case "math":
                    yield Formula(formula.name(inside))
                case "hole":
                    yield from self._filled(inside, values)
                case _:
                    yield inside

    def _filled(self, inside: str, values: Mapping[str, Value]) -> Iterator[Inline]:
        name, mark, rest = _hole(inside)
        value = values[name]
        if mark == "?":
            if not isinstance(value, int):
                raise InputError(f"a plural goes with a whole number; found {name} = {value!r}")
            yield form(self.plurals, value, rest.split("|"))
        elif isinstance(value, int | float):
            yield self.number(value, rest or ("d" if isinstance(value, int) else ".6g"))
        else:
            yield from inlines(value)


_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TOKEN = re.compile(
    r"\\(?P<plain>.)|\*\*(?P<bold>.+?)\*\*|\*(?P<emph>.+?)\*|`(?P<code>[^`]+)`|\$(?P<math>[^$]+)\$|\{(?P<hole>[^{}]+)\}"
)


def _tokens(sentence: str) -> Iterator[tuple[str, str]]:
    """(kind, inside) of every piece of a sentence."""
    place = 0
    for found in _TOKEN.finditer(sentence):
        if found.start() > place:
            yield "plain", sentence[place : found.start()]
        kind = str(found.lastgroup)
        yield kind, found[kind]
        place = found.end()
    if place < len(sentence):
        yield "plain", sentence[place:]


def _hole(inside: str) -> tuple[str, str, str]:
    """``n``, ``n:.2f`` or ``n?one|other`` as name, mark and rest."""
    found = re.fullmatch(r"(\w+)(?:([:?])(.*))?", inside, re.DOTALL)
    if not found:
        raise InputError(f"{{{inside}}} is no placeholder; expected {{name}}, {{name:.3f}} or {{name?one|many}}")
    return found[1], found[2] or "", found[3] or ""


def placeholders(sentence: str) -> set[str]:
    """Names of the values that a sentence asks for."""
    out: set[str] = set()
    for kind, inside in _tokens(sentence):
        if kind in ("bold", "emph"):
            out |= placeholders(inside)
        elif kind == "hole":
            out.add(_hole(inside)[0])
    return out


def formulas(sentence: str) -> list[str]:
    """The names that a sentence sets as formulas, sorted."""
    found: list[str] = []
    for kind, inside in _tokens(sentence):
        found += formulas(inside) if kind in ("bold", "emph") else [inside] if kind == "math" else []
    return sorted(found)


def _joined(parts: Iterable[Inline]) -> Iterator[Inline]:
    """Neighbouring strings as one, so that printers see whole sentences."""
    kept = ""
    for part in parts:
        if isinstance(part, str):
            kept += part
            continue
        if kept:
            yield kept
        kept = ""
        yield part
    if kept:
        yield kept


def _label(item: Inline) -> str:
    match item:
        case str():
            return item.replace("$", r"\$")
        case Formula(math):
            return f"${pr.latex(math)}$"
        case Code(text):
            return text
        case Bold(content) | Emph(content):
            return "".join(map(_label, content))
    raise InputError(f"a {type(item).__name__} cannot stand in a picture")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


# ---------------------------------------------------------------- files


def available() -> tuple[str, ...]:
    """Codes of the languages that have a file here."""
    return tuple(sorted(p.stem for p in _HERE.glob("*.toml")))


@lru_cache
def load(lang: str) -> Words:
    """Read the catalogue of a language.

    Parameters
    ----------
    lang : str
        A code, such as ``en``, or the path of a ``.toml`` file of your own.

    Raises
    ------
    InputError
        For an unknown language, or a file that lacks sentences or placeholders; they are named.
    """
    path = Path(lang) if lang.endswith(".toml") else _HERE / f"{lang}.toml"
    if (path.parent == _HERE and path.stem not in available()) or not path.is_file():
        raise InputError(
            f"no words for the language {lang!r}; there are {', '.join(available())}, or give a .toml file"
        )
    words = _read(path)
    if path.stem != _REFERENCE:
        wrong = differences(words, load(_REFERENCE))
        if wrong:
            raise InputError(f"{path.name} is not complete: {'; '.join(wrong[:8])}")
    return words


def differences(words: Words, reference: Words) -> list[str]:
    """What a catalogue lacks, has too much, or writes with other placeholders and formulas."""
    here, there = words.sentences, reference.sentences
    out = [f"{key} is missing" for key in there if key not in here]
    out += [f"{key} is in no other language" for key in here if key not in there]
    for key in here.keys() & there.keys():
        for what, found in (("placeholders", placeholders), ("formulas", formulas)):
            if found(here[key]) != found(there[key]):
                out.append(f"{key} has other {what}: {_listed(found(here[key]))}, not {_listed(found(there[key]))}")
    return out


def _read(path: Path) -> Words:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        about = content["language"]
        return Words(
            about["code"], about["name"], about["decimal"], (about["quotes"][0], about["quotes"][1]), about["percent"],
            tuple(about.get("no_break", ())), rules(content.get("plural", {})), content.get("latex", {}),
            dict(_flat({k: v for k, v in content.items() if k not in _SETTINGS})),
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InputError(f"{path.name} is no catalogue: {e}") from e
    except KeyError as e:
        raise InputError(f"{path.name} has no {e} in its table [language]") from e


def _flat(tables: Mapping[str, Any], lead: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*lead, key))
        else:
            yield ".".join((*lead, key)), str(value).strip()
