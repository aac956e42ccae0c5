"""One's own keys: a file that names keys for actions, per screen or for all, checked before anything begins.

- What can be mapped is read from the bindings themselves: each of ours that has a description, by the name of its
  action. A binding without one is fixed, and so are those between fields, and those of the windows that ask.
- What the file says for one screen holds there; what it says for `everywhere` holds wherever an action is called so.
- An action keeps one key at least. No key means two things on one screen that meant one before; esc only goes back,
  and ctrl+q and ctrl+c always leave.
- Nothing here signs, waives or refuses: fields take what is typed into them before any action does, and buttons have
  no name. See docs/reference/keys.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

from sealwright_console.key_names import UnknownKeyError, read_key, shown_key
from sealwright_console.sanitise import clean
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.errors import ManifestError
from sealwright_stages.files import read_small

EVERYWHERE, SIGN = "everywhere", "sign"
_ON_SIGN = ("back", "copy")
"""All that the sign screen lets be mapped: nothing that moves between its fields and buttons."""
_OURS = "sealwright_console"
_MOST = 64 << 10  # bytes of a file of keys
_RESERVED = {"escape": "back", "ctrl+c": "", "ctrl+q": ""}
_HITS = {"hit(True)": "next-hit", "hit(False)": "hit-before"}
_NAMES = {"leave": "quit", "keys": "help", "command_palette": "palette", "turn_theme": "theme"}
_NEXT = "`sealwright keys` prints every action with its keys"


@dataclass(frozen=True)
class Place:
    """A screen and what keys go through on it, from the inside out: widgets, the screen, the app."""

    name: str
    kinds: tuple[type[DOMNode], ...]


@cache
def sections() -> Mapping[type[DOMNode], str]:
    """What the parts of the file are called, by the class that binds."""
    from sealwright_console.app import ConsoleApp  # noqa: PLC0415 - all screens, which a start without own keys avoids
    from sealwright_console.review_app import ReviewApp  # noqa: PLC0415
    from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415
    from sealwright_console.screens.builds import BuildsScreen  # noqa: PLC0415
    from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415
    from sealwright_console.screens.diff import DiffScreen  # noqa: PLC0415
    from sealwright_console.screens.doctor import DoctorScreen  # noqa: PLC0415
    from sealwright_console.screens.events import EventsScreen  # noqa: PLC0415
    from sealwright_console.screens.gate import GateScreen  # noqa: PLC0415
    from sealwright_console.screens.help import HelpScreen, LoneHelpScreen  # noqa: PLC0415
    from sealwright_console.screens.overview import OverviewScreen  # noqa: PLC0415
    from sealwright_console.screens.page import PageScreen  # noqa: PLC0415
    from sealwright_console.screens.record import RecordScreen  # noqa: PLC0415
    from sealwright_console.screens.seal import SealScreen  # noqa: PLC0415
    from sealwright_console.screens.sign import SignScreen  # noqa: PLC0415
    from sealwright_console.start import StartApp, StartScreen  # noqa: PLC0415
    from sealwright_console.widgets.ledger import Ledger  # noqa: PLC0415
    from sealwright_console.widgets.log_view import LogView  # noqa: PLC0415
    from sealwright_console.widgets.record_list import RecordList  # noqa: PLC0415

    return {
        ConsoleApp: EVERYWHERE,
        StartApp: EVERYWHERE,
        ReviewApp: "review",
        OverviewScreen: "overview",
        ComponentScreen: "component",
        GateScreen: "gate",
        BuildScreen: "build",
        BuildsScreen: "builds",
        SealScreen: "seal",
        SignScreen: SIGN,
        EventsScreen: "events",
        RecordScreen: "record",
        DiffScreen: "diff",
        PageScreen: "page",
        LoneHelpScreen: "help",
        HelpScreen: "help",
        DoctorScreen: "doctor",
        StartScreen: "start",
        Ledger: "list",
        LogView: "log",
        RecordList: "records",
    }


@cache
def places() -> tuple[Place, ...]:
    """Every screen with the widgets that take keys on it, in each app that shows it."""
    kinds = {name: kind for kind, name in sections().items()}
    apps = {kind.__name__: kind for kind in sections()}
    inside = {"build": "log", "events": "records", "sign": ""}
    past = ("events", "record", "diff")
    both = ("overview", "component", "gate", "build", "builds", "seal", "sign", "page", "help", "doctor")
    found = []
    for app in ("ConsoleApp", "ReviewApp"):
        for name in (*both, *past) if app == "ReviewApp" else both:
            widget = kinds.get(inside.get(name, "list"))
            found.append(Place(name, tuple(filter(None, (widget, kinds[name], apps[app])))))
    kinds["help"] = apps["LoneHelpScreen"]
    lone = [Place(name, (kinds["list"], kinds[name], apps["StartApp"])) for name in ("start", "doctor", "help")]
    return (*found, *lone)


def action_name(binding: Binding) -> str:
    """What a binding is called in the file; empty if it is fixed."""
    if not binding.description or "focus_" in binding.action:
        return ""
    action = binding.action.removeprefix("app.").removeprefix("screen.")
    if action in _HITS:
        return _HITS[action]
    word, _, arguments = action.partition("(")
    told = binding.description if arguments.rstrip(")") else _NAMES.get(word, word)
    return re.sub(r"[^a-z0-9]+", "-", told.lower().replace("_", "-")).strip("-")


@cache
def _own(kind: type[DOMNode]) -> frozenset[str]:
    """The actions that our own classes bind in `kind`, or above it."""
    ours = [each.__dict__.get("BINDINGS", ()) for each in kind.__mro__ if each.__module__.startswith(_OURS)]
    return frozenset(binding.action for each in ours for binding in Binding.make_bindings(each))


def _bound(kind: type[DOMNode]) -> Iterator[tuple[Binding, str]]:
    """The bindings of a class with their names in the file, each as `section.action`; empty for what is fixed."""
    merged = kind._merged_bindings
    bound = (
        [each for bindings in merged.key_to_bindings.values() for each in bindings] if merged is not None else []
    )
    named = [(each, action_name(each) if each.action in _own(kind) else "") for each in bound]
    actions: dict[str, set[str]] = {}
    for binding, name in named:
        actions.setdefault(name, set()).add(binding.action)
    for binding, name in named:
        section = _section(kind, binding)
        fixed = not name or (section == SIGN and name not in _ON_SIGN)
        back = "-before" if re.search(r"-|False", binding.action) else "-next"
        way = (
            back if len(actions[name]) > 1 else ""
        )  # two ways of one thing, such as the build before and the next
        yield binding, "" if fixed else f"{section}.{name}{way}"


def _section(kind: type[DOMNode], binding: Binding) -> str:
    """That of the class itself; an app's binding has that of the class that made it."""
    names = sections()
    if names[kind] not in (EVERYWHERE, "review"):
        return names[kind]
    makers = (each for each in kind.__mro__ if _makes(each, binding))
    return names.get(next(makers, kind), names[kind])


def _makes(kind: type, binding: Binding) -> bool:
    made = Binding.make_bindings(kind.__dict__.get("BINDINGS", ()))
    return any((each.key, each.action) == (binding.key, binding.action) for each in made)


def give_names() -> None:
    """Give each binding its name as an id, by which Textual looks for keys of one's own."""
    for kind in sections():
        named: dict[str, list[Binding]] = {}
        for binding, name in _bound(kind):
            named.setdefault(binding.key, []).append(replace(binding, id=name or None))
        kind._merged_bindings = BindingsMap.from_keys(named)


def default_keys() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The keys of each action, by section: those that it has without a file."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind in sections():
        for binding, name in _bound(kind):
            if name:
                section, _, action = name.partition(".")
                keys = found.setdefault(section, {}).get(action, ())
                found[section][action] = tuple(dict.fromkeys((*keys, binding.key)))
    return found


def read_keymap(file: Path) -> Mapping[str, str]:
    """What a file says, as Textual takes it: keys, with commas between them, by the id of a binding.

    Raises:
        ManifestError: it can't be read, or says what can't be; the line is named.
    """
    try:
        text = read_small(file, _MOST, follow=True).decode()
        said = tomllib.loads(text)
    except OSError as error:
        raise ManifestError(
            f"keys: {file}", error.strerror or str(error), "name a file that can be read: --keys FILE"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestError(f"keys: {file}", f"it is no TOML: {error}", "mend it, or take it away") from None
    return _Reading(file, text).read(said)


@dataclass(frozen=True)
class _Reading:
    file: Path
    text: str

    def refuse(self, path: tuple[str, ...], because: str, next_step: str = _NEXT) -> ManifestError:
        line = line_of(self.text, path)
        return ManifestError(f"keys: {self.file} line {line}", clean(because, 400), next_step)

    def read(self, said: Mapping[str, object]) -> Mapping[str, str]:
        known, wanted = default_keys(), {}
        for section, actions in said.items():
            if section not in (EVERYWHERE, *known):
                raise self.refuse((section,), f"there is no screen {section!r}: {', '.join(known)}")
            if not isinstance(actions, dict):
                raise self.refuse((section,), f"{section} is no table: write [{section}] above its actions")
            for action, keys in actions.items():
                of = [each for each in known if action in known[each] and section in (EVERYWHERE, each)]
                if not of:
                    where = ", ".join(each for each in known if action in known[each])
                    elsewhere = f"; there is one in [{where}]" if where else ""
                    raise self.refuse((section, action), f"[{section}] has no action {action!r}{elsewhere}")
                taken = self._keys((section, action), action, keys)
                for each in of:
                    if section != EVERYWHERE or each == EVERYWHERE or action not in _table(said, each):
                        wanted[f"{each}.{action}"] = (taken, (section, action))
        self._no_two_on_one(wanted)
        return {name: ",".join(keys) for name, (keys, _) in wanted.items()}

    def _keys(self, path: tuple[str, ...], action: str, said: object) -> tuple[str, ...]:
        listed = [said] if isinstance(said, str) else said
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise self.refuse(path, f"{action} is no key, nor a list of keys", 'write "g", or ["g", "f2"]')
        if not listed:
            raise self.refuse(path, f"{action} can't be reached any more", "give it a key, or take the line away")
        keys = []
        for text in listed:
            try:
                key = read_key(text)
            except UnknownKeyError as error:
                hint = 'such as "g", "?", "f5", "ctrl+g", "alt+g", "page down"'
                raise self.refuse(path, f"{text!r}: {error}", f"name a key {hint}") from None
            if _RESERVED.get(key, action) != action:
                kept = "esc always goes back" if key == "escape" else f"{key} always leaves"
                raise self.refuse(path, f"{shown_key(key)} can't be {action}: {kept}", "take another key")
            keys.append(key)
        if action == "back" and "escape" not in keys:
            keys.append("escape")
        return tuple(dict.fromkeys(keys))

    def _no_two_on_one(self, wanted: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        """No key may do another thing than its own; what meant two things before, by design, may go on to."""
        for place in places():
            before = _meanings(place, {})
            for key, actions in _meanings(place, {name: keys for name, (keys, _) in wanted.items()}).items():
                names = {name.rpartition(".")[2]: name for name in actions}
                new = [name for name, (keys, _) in wanted.items() if name in actions and key in keys]
                if len(names) > 1 and new and not actions <= before.get(key, set()):
                    path = wanted[new[-1]][1]
                    others = " and ".join(sorted(each for each in names if each != path[1]))
                    raise self.refuse(
                        path,
                        f"{shown_key(key)} would be {path[1]} and {others} on the screen {place.name}",
                        "give one of them another key",
                    )


def _table(said: Mapping[str, object], section: str) -> Mapping[str, object]:
    found = said.get(section)
    return found if isinstance(found, dict) else {}


def _meanings(place: Place, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    """What each key means on a screen: names of actions; what is fixed by what it does."""
    found: dict[str, set[str]] = {}
    for kind in place.kinds:
        for binding, name in _bound(kind):
            for key in wanted.get(name, (binding.key,)):
                fixed = re.sub(r"\(.*", "", binding.action.removeprefix("app.")).replace("_", "-")
                found.setdefault(key, set()).add(name or f".{_NAMES.get(fixed, fixed)}")
    return found


def default_text() -> str:
    """The keys that there are without a file, as a file to begin with: every line is a comment."""
    lines = [
        "# Keys of Sealwright's console. Take the mark off a line, and name one key or a list of them.",
        '# A key is what it types ("g", "G", "?") or a name: "enter", "f5", "ctrl+g", "alt+g", "page down".',
        "# What stands under [everywhere] holds for every action of that name; a screen's own line goes first.",
    ]
    for section, actions in default_keys().items():
        lines += ["", f"[{section}]"]
        lines += [f"# {action} = {_toml(keys)}" for action, keys in actions.items()]
    return "\n".join(lines) + "\n"


def _toml(keys: tuple[str, ...]) -> str:
    told = ['"' + shown_key(key).replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys]
    return told[0] if len(told) == 1 else f"[{', '.join(told)}]"
