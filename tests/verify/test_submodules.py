"""Submodules: declared, signed, and the very commits that the trees name; with real git and real gpg."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.errors import FetchError
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Outcome, Workshop
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Waiver, Warned
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_repository import Repository as Wanted
from sealwright_stages.verify.git_repository import repository as wanted
from sealwright_stages.verify.git_source import GitRefSource, git_source
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.git_submodules import Share, inner, joined, parent_of
from sealwright_stages.verify.git_tree import TreeListing, list_tree
from verify.workbench import (
    GIT_ENVIRONMENT,
    DirectSandbox,
    Keys,
    Repository,
    signed_commit,
    signed_tag,
    workshop,
)

MAIN = "thing/git/v1.0"


@dataclass
class Upstream:
    """Repositories of one author, each in a folder of its own, and a tree for the main one."""

    folder: Path
    keys: Keys
    main: Repository

    def library(
        self, name: str, tree: Sequence[tuple[str, bytes, str]] = (), signer: str = "s2"
    ) -> tuple[str, str]:
        """A repository with a signed tag v1.0; its address and its commit."""
        made = Repository(self.folder / f"{name}.git")
        content = [("100644", b"lib.c", made.put("blob", f"of {name}\n".encode())), *tree]
        return str(made.folder), signed_tag(made, self.keys, signer, tree=made.tree(content))

    def release(self, links: Mapping[str, str], more: Sequence[tuple[str, bytes, str]] = ()) -> None:
        """Tag a main tree that has gitlinks at these paths, at the top or one folder deep."""
        entries = [("100644", b"README", self.main.put("blob", b"hello\n")), *more]
        folders: dict[str, list[tuple[str, bytes, str]]] = {}
        for path, commit in sorted(links.items()):
            folder, _, name = path.rpartition("/")
            (folders.setdefault(folder, []) if folder else entries).append(("160000", name.encode(), commit))
        entries += [("40000", name.encode(), self.main.tree(each)) for name, each in folders.items()]
        tree = self.main.tree(sorted(entries, key=lambda e: e[1] + (b"/" if e[0] == "40000" else b"")))
        signed_tag(self.main, self.keys, "s1", tree=tree)

    def source(self, **submodules: str | Wanted) -> GitRefSource:
        """The source with submodules at paths (`__` stands for a slash), each at an address or as given."""
        declared = [
            wanted(path, each, tag="v1.0", trust=self.keys.trust("s2")) if isinstance(each, str) else each
            for name, each in submodules.items()
            for path in [name.replace("__", "/")]
        ]
        trust = self.keys.trust("s1")
        return git_source("thing", str(self.main.folder), tag="v1.0", trust=trust, submodules=declared)


@pytest.fixture
def upstream(repository: Repository, keys: Keys, tmp_path: Path) -> Upstream:
    return Upstream(tmp_path, keys, repository)


def fetched(source: GitRefSource, folder: Path) -> tuple[Outcome, Workshop]:
    """Fetch and judge as the engine does."""
    place = workshop(folder)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    repositories = [path for path in place.quarantine.iterdir() if path.name.endswith(".git")]
    red = any(isinstance(verdict, Failed) for verdict in found.verdicts.values())
    assert bool(found.deleted) == red == (not repositories), "what failed is deleted, with all of its source"
    return found, place


def codes(source: GitRefSource, folder: Path) -> dict[str, str]:
    """The codes by what stands behind `thing/`."""
    found, _ = fetched(source, folder)
    return {item.removeprefix("thing/"): verdict.code for item, verdict in found.verdicts.items()}


def greens(verdicts: Mapping[str, Verdict]) -> dict[str, Green]:
    """A green for each; warnings are waived."""
    made = {}
    for item, verdict in verdicts.items():
        assert not isinstance(verdict, Failed)
        waiver = Waiver(item, verdict.code, "a manager", "known", verdict.subject_sha256, "p")
        made[item] = Green(item, verdict, waiver if isinstance(verdict, Warned) else None)
    return made


def written(source: GitRefSource, folder: Path) -> dict[str, bytes]:
    """The files that are written of a source that is green."""
    found, place = fetched(source, folder)
    source.stage(place, greens(found.verdicts), place.quarantine)
    top = place.quarantine / "source"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_a_submodule_is_judged_as_an_item_of_its_own_and_written_at_its_path(
    upstream: Upstream, tmp_path: Path
) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"third_party/lib": commit})
    source = upstream.source(third_party__lib=lib)
    assert [spec.id for spec in source.verify_items] == [MAIN, "thing/submodule/third_party/lib"]
    assert source.fetch_item.title == "fetch v1.0 and 1 submodules"
    found, _ = fetched(source, tmp_path)
    assert {verdict.code for verdict in found.verdicts.values()} == {"ok"}
    assert found.verdicts[MAIN].evidence["submodules"] == {"third_party/lib": commit}
    assert written(source, tmp_path) == {"README": b"hello\n", "third_party/lib/lib.c": b"of lib\n"}


def test_a_submodules_tags_are_remembered_apart_from_its_parents(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"third_party/lib": commit})
    found, _ = fetched(upstream.source(third_party__lib=lib), tmp_path)
    facts = [facts_of("thing", each.evidence, each.subject_sha256, Origin()) for each in found.verdicts.values()]
    assert [(fact.component, fact.place) for (fact,) in facts] == [
        ("thing", str(upstream.main.folder)),
        ("thing/third_party/lib", lib),
    ]


def test_nested_submodules_are_declared_by_their_longer_paths(upstream: Upstream, tmp_path: Path) -> None:
    inner_lib, deep = upstream.library("inner")
    outer, commit = upstream.library("outer", [("160000", b"sub", deep)])
    upstream.release({"lib": commit})
    source = upstream.source(lib__sub=inner_lib, lib=outer)
    assert set(written(source, tmp_path)) == {"README", "lib/lib.c", "lib/sub/lib.c"}
    assert codes(upstream.source(lib=outer), tmp_path) == {"git/v1.0": "ok", "submodule/lib": "tree-submodule"}


def test_a_submodule_that_was_not_declared_is_red(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"lib": commit, "other": commit})
    assert codes(upstream.source(lib=lib), tmp_path)["git/v1.0"] == "tree-submodule"
    assert codes(upstream.source(), tmp_path)["git/v1.0"] == "tree-submodule"


def test_a_declared_submodule_that_the_tree_does_not_have_is_red(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"lib": commit}, [("100644", b"file", upstream.main.put("blob", b"x"))])
    for path in ("lib__x", "libs", "file", "LIB"):
        found = codes(upstream.source(lib=lib, **{path: lib}), tmp_path)
        assert found == {
            "git/v1.0": "ok",
            "submodule/lib": "ok",
            f"submodule/{path.replace('__', '/')}": "submodule-absent",
        }


def test_a_signed_commit_other_than_the_one_that_the_tree_names_is_red(upstream: Upstream, tmp_path: Path) -> None:
    lib, _ = upstream.library("lib")
    _, other = upstream.library("other")
    upstream.release({"lib": other})
    found, _ = fetched(upstream.source(lib=lib), tmp_path)
    verdict = found.verdicts["thing/submodule/lib"]
    assert verdict.code == "submodule-mismatch" and other in verdict.reason and verdict.next_step
    assert verdict.evidence["commit"] != other, "what was signed stays on record"


def test_a_submodule_has_signers_of_its_own(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib", signer="s1")
    upstream.release({"lib": commit})
    assert codes(upstream.source(lib=lib), tmp_path) == {
        "git/v1.0": "ok",
        "submodule/lib": "signature-unknown-key",
    }


def test_a_submodule_below_a_red_one_is_not_called_good(upstream: Upstream, tmp_path: Path) -> None:
    inner_lib, deep = upstream.library("inner")
    outer, commit = upstream.library("outer", [("160000", b"sub", deep)], signer="outsider")
    upstream.release({"lib": commit})
    found = codes(upstream.source(lib=outer, lib__sub=inner_lib), tmp_path)
    assert found == {
        "git/v1.0": "ok",
        "submodule/lib": "signature-unknown-key",
        "submodule/lib/sub": "check-missing",
    }


def test_a_signed_commit_as_a_submodule_warns(upstream: Upstream, keys: Keys, tmp_path: Path) -> None:
    made = Repository(tmp_path / "lib.git")
    commit = signed_commit(made, keys, "s2", made.files({"lib.c": b"x\n"}))
    made.point("refs/heads/main", commit)
    upstream.release({"lib": commit})
    lib = wanted("lib", str(made.folder), commit=commit, trust=keys.trust("s2"))
    assert codes(upstream.source(lib=lib), tmp_path) == {"git/v1.0": "ok", "submodule/lib": "commit-signed-only"}
    assert set(written(upstream.source(lib=lib), tmp_path)) == {"README", "lib/lib.c"}


def test_a_submodule_may_have_a_trust_root(upstream: Upstream, keys: Keys, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"lib": commit})
    for root, code in ((commit, "ok"), ("12" * 20, "history-elsewhere")):
        each = wanted("lib", lib, tag="v1.0", trust=keys.trust("s2"), root=root)
        assert codes(upstream.source(lib=each), tmp_path)["submodule/lib"] == code


def test_a_submodule_that_does_not_arrive_is_a_fetch_that_failed(upstream: Upstream, tmp_path: Path) -> None:
    _, commit = upstream.library("lib")
    upstream.release({"lib": commit})
    with pytest.raises(FetchError, match="did not arrive"):
        upstream.source(lib=str(tmp_path / "nowhere")).fetch(workshop(tmp_path))


def test_a_submodule_behind_a_symbolic_link_is_absent(upstream: Upstream, tmp_path: Path) -> None:
    inner_lib, deep = upstream.library("inner")
    made = Repository(tmp_path / "links.git")
    folder = made.tree([("160000", b"sub", deep)])
    link = made.put("blob", b"real")
    commit = signed_tag(
        made, upstream.keys, "s2", tree=made.tree([("120000", b"alias", link), ("40000", b"real", folder)])
    )
    upstream.release({"lib": commit})
    source = upstream.source(lib=str(made.folder), lib__real__sub=inner_lib, lib__alias__sub=inner_lib)
    assert codes(source, tmp_path) == {
        "git/v1.0": "ok",
        "submodule/lib": "ok",
        "submodule/lib/real/sub": "ok",
        "submodule/lib/alias/sub": "submodule-absent",
    }


def test_links_through_a_submodule_do_not_leave_the_whole(upstream: Upstream, tmp_path: Path) -> None:
    made = Repository(tmp_path / "links.git")
    here = made.put("blob", b".")
    commit = signed_tag(made, upstream.keys, "s2", tree=made.tree([("120000", b"l", here)]))
    target = upstream.main.put("blob", b"lib/l/../../etc")
    upstream.release({"lib": commit}, [("120000", b"m", target)])
    assert codes(upstream.source(lib=str(made.folder)), tmp_path) == {
        "git/v1.0": "tree-refused",
        "submodule/lib": "ok",
    }


def test_a_submodules_own_links_do_not_leave_its_own_tree(upstream: Upstream, tmp_path: Path) -> None:
    made = Repository(tmp_path / "links.git")
    up = made.put("blob", b"../README")
    commit = signed_tag(made, upstream.keys, "s2", tree=made.tree([("120000", b"l", up)]))
    upstream.release({"lib": commit})
    assert codes(upstream.source(lib=str(made.folder)), tmp_path)["submodule/lib"] == "tree-refused"


@pytest.mark.parametrize("name", [b"sub\r", b"sub\n", b".GIT", b"..", b"\xe2\x80\xaesub", b"sub\x1b[2J"])
def test_an_odd_name_of_a_submodule_is_refused_by_the_tree_rules(upstream: Upstream, name: bytes) -> None:
    tree = upstream.main.tree([("160000", name, "12" * 20)])
    with pytest.raises(RefusedError) as refused:
        list_tree(ObjectStore(upstream.main.folder), tree, [name.decode()])
    assert refused.value.code == "tree-refused"


def test_a_file_that_only_its_case_tells_from_a_submodule_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    evil = upstream.main.put("blob", b"evil")
    upstream.release({"sub/lib": commit}, [("120000", b"SUB", evil)])
    assert codes(upstream.source(sub__lib=lib), tmp_path)["git/v1.0"] == "tree-refused"


def git(folder: Path, *words: str) -> str:
    """Run git as an author would, in a work tree."""
    argv = ["git", "-C", str(folder), "-c", "protocol.file.allow=always", *words]
    done = subprocess.run(argv, check=True, capture_output=True, env=GIT_ENVIRONMENT)
    return done.stdout.decode().strip()


def made_by_git(upstream: Upstream, tmp_path: Path, modules: bytes | None = None) -> str:
    """Have git itself add a submodule `lib` to a work tree, and tag that; returns the library's address."""
    lib, commit = upstream.library("lib")
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    git(Path(lib), "update-ref", "refs/heads/master", commit)
    git(work, "submodule", "--quiet", "add", lib, "lib")
    if modules is not None:
        (work / ".gitmodules").write_bytes(modules)
        git(work, "add", ".gitmodules")
    git(work, "commit", "--quiet", "-m", "with a submodule")
    git(work, "push", "--quiet", str(upstream.main.folder), "HEAD:refs/heads/main")
    signed_tag(upstream.main, upstream.keys, "s1", tree=git(work, "rev-parse", "HEAD^{tree}"))
    return lib


def test_what_git_itself_made_is_written_as_git_would(upstream: Upstream, tmp_path: Path) -> None:
    lib = made_by_git(upstream, tmp_path)
    files = written(upstream.source(lib=lib), tmp_path)
    assert set(files) == {".gitmodules", "lib/lib.c"}
    assert files[".gitmodules"] == (tmp_path / "work/.gitmodules").read_bytes()


def test_no_address_in_gitmodules_is_ever_used(upstream: Upstream, tmp_path: Path) -> None:
    evil, _ = upstream.library("evil")
    lib = made_by_git(upstream, tmp_path, f'[submodule "lib"]\n\tpath = lib\n\turl = {evil}\n'.encode())
    place = workshop(tmp_path)
    source = upstream.source(lib=lib)
    source.fetch(place)
    assert all(verdict.code == "ok" for verdict in source.verify(place).verdicts.values())
    assert isinstance(place.sandbox, DirectSandbox)
    asked = [word for run in place.sandbox.runs for word in run.argv if word.startswith("file://")]
    assert asked == [upstream.main.folder.as_uri(), Path(lib).as_uri()]


@pytest.mark.parametrize(
    "modules",
    [
        b'[submodule "lib"]\n\tpath = lib\n\turl = -u./x\n',
        b'[submodule "../../x"]\n\tpath = lib\n\turl = https://example.org/x\n',
        b'[submodule "lib"]\n\tpath = -x\n\turl = https://example.org/x\n',
        b'[submodule "lib"]\n\tpath = lib\n\turl = https://example.org/x\n\tupdate = !id\n',
    ],
    ids=["an option as url", "a name that climbs", "an option as path", "a command as update"],
)
def test_a_gitmodules_that_attacks_git_does_not_arrive(upstream: Upstream, tmp_path: Path, modules: bytes) -> None:
    lib = made_by_git(upstream, tmp_path, modules)
    with pytest.raises(FetchError) as refused:
        upstream.source(lib=lib).fetch(workshop(tmp_path))
    assert refused.value.code == "object-malformed"


def test_a_gitmodules_that_git_lets_through_means_nothing(upstream: Upstream, tmp_path: Path) -> None:
    modules = b'[submodule "lib"]\n\tpath = "lib\r"\n\turl = https://example.org/x\n'
    lib = made_by_git(upstream, tmp_path, modules)
    files = written(upstream.source(lib=lib), tmp_path)
    assert set(files) == {".gitmodules", "lib/lib.c"}, "written where it was declared"
    assert files[".gitmodules"] == modules


def test_a_gitmodules_that_is_a_link_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"lib": commit}, [("120000", b".gitmodules", upstream.main.put("blob", b"README"))])
    with pytest.raises(FetchError) as refused:
        upstream.source(lib=lib).fetch(workshop(tmp_path))
    assert refused.value.code == "object-malformed", "by git; our own rule is in test_tree"


def test_what_is_written_of_a_submodule_is_what_was_judged(upstream: Upstream, tmp_path: Path) -> None:
    lib, commit = upstream.library("lib")
    upstream.release({"lib": commit})
    source = upstream.source(lib=lib)
    found, place = fetched(source, tmp_path)
    other, _ = upstream.library("other")
    (place.quarantine / "submodule%lib.git").rename(tmp_path / "away")
    Path(other).rename(place.quarantine / "submodule%lib.git")
    with pytest.raises(RefusedError) as refused:
        source.stage(place, greens(found.verdicts), place.quarantine)
    assert refused.value.code == "changed-since-verified"
    assert not (place.quarantine / "source").exists()


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.sets(PATHS, max_size=6))
def test_every_declared_path_is_looked_for_in_exactly_one_tree(paths: set[str]) -> None:
    places = ["", *sorted(paths)]
    looked_for = [f"{where}/{path}".lstrip("/") for where in places for path in inner(where, places)]
    assert sorted(looked_for) == sorted(paths)
    for path in paths:
        above = parent_of(path, places)
        assert above == "" or path.startswith(above + "/")
        between = [each for each in paths if path.startswith(each + "/") and len(each) > len(above)]
        assert not between


@given(st.sets(PATHS, min_size=1, max_size=5), st.data())
def test_what_joins_is_what_the_trees_name_both_ways(paths: set[str], data: st.DataObject) -> None:
    places = ["", *sorted(paths)]
    commits = {where: f"{number:040x}" for number, where in enumerate(places)}
    shares = [
        Share(
            where,
            commits[where],
            TreeListing(submodules={p: commits[f"{where}/{p}".lstrip("/")] for p in inner(where, places)}),
        )
        for where in places
    ]
    assert joined(shares, places) == {}
    victim = data.draw(st.sampled_from(sorted(paths)))
    above = next(share for share in shares if share.where == parent_of(victim, places))
    inside = victim[len(above.where) :].lstrip("/")
    named = above.listing.submodules.pop(inside)
    assert {where: error.code for where, error in joined(shares, places).items()} == {victim: "submodule-absent"}
    above.listing.submodules[inside] = "f" * 40
    assert {where: error.code for where, error in joined(shares, places).items()} == {victim: "submodule-mismatch"}
    above.listing.submodules[inside] = named
    missing = joined([share for share in shares if share is not above or not above.where], places)
    expected = {} if not above.where else {p for p in paths if parent_of(p, places) == above.where}
    assert {where for where, error in missing.items() if error.code == "check-missing"} == set(expected)
