"""How each check and build stands, as JUnit XML for whoever shows test results: a suite for each component.

- Red is a failure. So is a warning that nobody accepted, since it closes the gate. What was not checked is skipped, with
  its reason, and never counts as passed.
- An accepted warning passes, and `system-out` tells who accepted it and why.
- The run itself is the last suite: it fails where the run ended otherwise than asked, whatever the items say.
- Every text was cleaned: what XML can't hold (control characters, halves of characters) is visible in its place.
- The file is written whole, over the one before; a run that could not begin writes one, too.

Form: the `junit-10.xsd` of Jenkins' xUnit plug-in, which GitLab, GitHub's reporters and Azure read, too.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from sealwright_console.figures import seconds_between
from sealwright_console.sanitise import clean
from sealwright_stages.errors import ManifestError
from sealwright_stages.files import write_whole
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

_RUN = "sealwright"


def require_place(path: Path) -> None:
    """See that a report can be put there, and take away the one of an earlier run: it is no word about this one.

    Raises:
        ManifestError: there is no such folder, or something else lies there.
        OSError: the old one can't be removed.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ManifestError(f"--junit {path}", "it is no regular file", "name a file of its own")
        path.unlink()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ManifestError(f"--junit {path}", "its folder is not there", "make it, or name another") from None


def write_report(path: Path, state: State, code: int, said: Sequence[str]) -> None:
    """Write the report: how the run ended by exit `code`, and what it `said`: what, because of what, what to do next.

    Raises:
        MachineError: the disk is full or the folder refuses.
    """
    write_whole(path, report(state, code, said))


def report(state: State, code: int, said: Sequence[str]) -> bytes:
    """The report as XML."""
    suites = [_component(state, component) for component in state.components.values()]
    name = f"{state.release}-{state.version}" if state.release else "no release was begun"
    case = _case(_RUN, "run", seconds_between(state.first_t, state.last_t))
    if code:
        _told(case, "error", f"exit {code}", said)
    suites.append(_suite(_RUN, [case], state.first_t))
    top = ET.Element("testsuites", _counted(name, suites))
    top.extend(suites)
    ET.indent(top)
    return bytes(ET.tostring(top, encoding="utf-8", xml_declaration=True)) + b"\n"


def _component(state: State, component: Component) -> ET.Element:
    items = [state.items[each] for each in component.items]
    began = min((item.began for item in items if item.began), default="")
    return _suite(component.name, [_item(item) for item in items], began)


def _item(item: Item) -> ET.Element:
    """One check or build."""
    case = _case(item.component, f"{item.title} ({item.id})", seconds_between(item.began, item.judged))
    if item.status is Status.FAILED or (item.status is Status.WARNED and item.waiver is None):
        what = f"{item.status.value}: {item.reason}"
        _told(case, "failure", item.code, (what, "", item.next_step))
    elif item.status in (Status.PENDING, Status.RUNNING):
        why = item.note or ("it was being checked when the run ended" if item.began else "its turn never came")
        _told(case, "skipped", item.status.value, (f"not checked: {why}",))
    elif item.waiver is not None:
        waiver = item.waiver
        told = f"warned [{item.code}]: {item.reason}", f"waived by {waiver.person}: {waiver.reason}"
        ET.SubElement(case, "system-out").text = "\n".join(map(clean, told))
    return case


def _told(case: ET.Element, kind: str, code: str, said: Sequence[str]) -> None:
    """What is wrong: the first of `said` as the message, then because of what and what to do next."""
    what, because, next_step = (*said, "", "")[:3]
    told = ET.SubElement(case, kind, {"type": clean(code), "message": clean(what)})
    lines = [what, f"because: {because}" if because else "", f"next: {next_step}" if next_step else ""]
    told.text = "\n".join(clean(line) for line in lines if line)


def _case(group: str, name: str, seconds: float) -> ET.Element:
    return ET.Element("testcase", {"classname": clean(group), "name": clean(name), "time": _seconds(seconds)})


def _suite(name: str, cases: Sequence[ET.Element], began: str) -> ET.Element:
    suite = ET.Element("testsuite", _counted(name, cases))
    if began:
        suite.set("timestamp", clean(began[:19]))
    suite.extend(cases)
    return suite


def _counted(name: str, parts: Iterable[ET.Element]) -> dict[str, str]:
    """The attributes of a suite: how many of what it has, and how long they took."""
    cases = [case for part in parts for case in _cases(part)]
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    if any(part.tag == "testcase" for part in parts):
        counts["skipped"] = sum(case.find("skipped") is not None for case in cases)
    seconds = sum(float(case.get("time", "0")) for case in cases)
    numbers = {key: str(value) for key, value in counts.items()}
    return {"name": clean(name), **numbers, "time": _seconds(seconds)}


def _cases(part: ET.Element) -> Iterator[ET.Element]:
    return part.iter("testcase")


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
