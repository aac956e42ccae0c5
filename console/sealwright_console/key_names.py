"""Keys by the names that people give them: in help, in the footer and in the file of keys alike."""

from __future__ import annotations

import re

from textual.keys import KEY_ALIASES, REPLACED_KEYS, Keys, _character_to_key, key_to_character

_SHOWN = {"escape": "esc", "pagedown": "page down", "pageup": "page up"}
_TYPED = {name: key for key, name in _SHOWN.items()} | {
    "pgdn": "pagedown",
    "pgup": "pageup",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
}
_SAME = {alias: key for key, aliases in KEY_ALIASES.items() for alias in aliases} | {"ctrl+h": "backspace"}
_KNOWN = frozenset(key.value for key in Keys if "<" not in key.value and not key.value.startswith("shift+ctrl"))
_ALT = re.compile(r"alt\+(?=.)")


class UnknownKeyError(ValueError):
    """No key is called so; the sentence says more."""


def shown_key(key: str) -> str:
    """A key of Textual's as people write it: `?` for question_mark, `esc` for escape."""
    if key in _SHOWN:
        return _SHOWN[key]
    character = key_to_character(REPLACED_KEYS.get(key, key))
    return character if character is not None and character.isprintable() and character != " " else key


def read_key(text: str) -> str:
    """The key of Textual's that a person means by `text`: `?`, `esc`, `ctrl+f`, `f5`, `page down`, `alt+x`.

    Raises:
        UnknownKeyError: there is none, or a terminal can't tell it from another.
    """
    if len(text) == 1 and text.isprintable():
        return "space" if text == " " else _character_to_key(text)
    name = text.strip().lower()
    name = _TYPED.get(name, name)
    if name in _SAME:
        raise UnknownKeyError(f"a terminal sends {shown_key(_SAME[name])} for it")
    alt = _ALT.match(name)
    base = name[alt.end() :] if alt else name
    base = _TYPED.get(base, base)
    if alt and len(base) == 1:
        return f"alt+{_character_to_key(text.strip()[-1])}"
    if base in _KNOWN:
        return f"alt+{base}" if alt else base
    if name.startswith("shift+") and len(name) == len("shift+x"):
        raise UnknownKeyError(f"write it as {name[-1].upper()}")
    raise UnknownKeyError("no key is called so")
