"""A stranger's manifest: nothing is left of it that reaches into this machine."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_appendlog.note import VerifierKey
from sealwright_keyring.policy import Policy
from sealwright_stages.errors import ManifestError, RebuildError
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.manifest_build import Build
from sealwright_stages.manifest_component import ComponentSpec, DscSource, FileSource
from sealwright_stages.manifest_git import GitSource
from sealwright_stages.manifest_packages import RpmSpec
from sealwright_stages.rebuild.strangers import Brought, hosts, tamed
from sealwright_stages.verdict import Waiver
from support.release_folder import HEAD, component, write_release

SHA = "a" * 64
XEN = component("xen")
HOST = VerifierKey("log.example.org/releases", bytes(range(32)))
FILE = '[[component]]\nname = "words"\n[[component.file]]\nurl = "{}"\nsha256 = "' + SHA + '"\n'
GIT = '[[component]]\nname = "xen"\ngit = "{}"\ntag = "v1"\nsigners = ["release-key-a"]\n'
DSC = '[[component]]\nname = "catdoc"\ndsc = "debian:bookworm/catdoc"\nuploaders = "{}"\n'
RPM = '[[component]]\nname = "stock"\n[[component.rpm]]\nurl = "{}"\nsigners = ["release-key-a"]\n'
SIGNED = FILE.format("https://example.org/words.txt") + 'signature = "{}"\nsigners = ["release-key-a"]\n'
SUBMODULE = XEN + '[[component.submodule]]\npath = "sub"\ngit = "{}"\ntag = "v1"\nsigners = ["release-key-a"]\n'
TAR = f'[environment]\n[[environment.tar]]\nsha256 = "{SHA}"\nurl = "{{}}"\n' + component("xen", build=False) + (
    f'[component.build]\nenvironment = "tar:{SHA}"\nrecipe = "commands"\ncommands = ["x"]\nproducts = ["x"]\n'
)  # fmt: skip
_DOORS = {"git": GIT, "file": FILE, "rpm": RPM, "signature": SIGNED, "submodule": SUBMODULE, "tar": TAR}
DOORS = [pytest.param(text, id=name) for name, text in _DOORS.items()]


class Anybody(dict[str, object]):
    """Persons, whoever is asked for."""

    def __contains__(self, name: object) -> bool:
        return name != "nobody"


POLICY = Policy(Path("/theirs"), SHA, Anybody(), (), {})  # type: ignore[arg-type]


def read(folder: Path, text: str, base: Path | None = None) -> Manifest:
    return load(write_release(folder / "policy", HEAD + text), base=base)


def tame(folder: Path, text: str, brought: Brought | None = None) -> Manifest:
    brought = brought or Brought()
    return tamed(read(folder, text, brought.sources), brought, POLICY, ())


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "url", ["x/y.rpm", "/etc/y.rpm", "file:///etc/y.rpm", "../../y.rpm", "file://localhost/y.rpm"]
)
def test_a_local_path_is_refused_without_a_folder_of_sources(tmp_path: Path, door: str, url: str) -> None:
    with pytest.raises(RebuildError, match=r"y\.rpm is a path of the builder's machine"):
        tame(tmp_path, door.format(url))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "url",
    ["/etc/y.rpm", "file:///etc/y.rpm", "../y.rpm", "sub/../../y.rpm", "out/y.rpm", "file://x/y.rpm", "link.rpm"],
)
def test_a_local_path_leads_nowhere_but_below_the_folder_of_sources(tmp_path: Path, door: str, url: str) -> None:
    base = tmp_path / "sources"
    base.mkdir()
    (base / "out").symlink_to(tmp_path)
    (base / "link.rpm").symlink_to("/etc/passwd")
    with pytest.raises(RebuildError, match="leads out of"):
        tame(tmp_path, door.format(url), Brought(sources=base))


@pytest.mark.parametrize("door", DOORS)
def test_a_local_path_below_the_folder_of_sources_is_fetched(tmp_path: Path, door: str) -> None:
    base = tmp_path / "sources"
    (base / "sub").mkdir(parents=True)
    (base / "here").symlink_to("sub")
    for url in ("sub/y.rpm", "here/../sub/y.rpm", f"file://{base}/sub/y.rpm"):
        found = tame(tmp_path, door.format(url), Brought(sources=base))
        assert "this machine" in hosts(found)
        assert str(base / "sub" / "y.rpm") in str(found)


def test_what_the_manifest_says_of_the_builders_machine_counts_nowhere(tmp_path: Path) -> None:
    text = f"""[egress]
known_hosts = "/etc/shadow"
[log]
transport = ["sh", "-c", "evil"]
key = "{HOST}"
[signer]
transport = ["evil"]
home = "/root/.gnupg"
policy = "/evil"
[policy]
signers = ["manager-a"]
[attestation]
tpm = "device:/evil"
[memory]
evidence = ["/evil"]
fresh_days = 1
{component("xen", build=False)}fresh_days = 1
"""
    found = tame(tmp_path, text)
    assert "evil" not in str(found) and "shadow" not in str(found) and "root" not in str(found.signer_home)
    assert found.log_transport == found.signer_transport == () and found.log_key is None
    assert (found.known_hosts, found.keyring, found.policy_signers) == (None, Path("/theirs"), ())
    assert found.attestation is None
    assert found.memory.evidence == () and found.memory.fresh_days is found.components[0].fresh_days is None


def test_every_field_of_a_manifest_has_its_place() -> None:
    """Who adds a field that names a path, an address or a command says in `tamed` what becomes of it; then here."""
    told = {
        Manifest: "path data sha256 name version keyring signers threshold policy_signers policy_threshold via known_hosts"
        " log_transport log_key signer_transport signer_home signer_policy mirror archive_keyring tars components waivers"
        " memory attestation builders",
        ComponentSpec: "name git dsc files signers threshold needs build debs rpms fresh_days submodules",
        Build: "environment packages recipe commands products limits spec reproduce vary reference",
        GitSource: "url tag commit branch trust_root",
        FileSource: "url name sha256 signatures signers threshold signed_uncompressed unpack",
        DscSource: "suite package uploaders rights",
        RpmSpec: "url name sha256 signers threshold",
    }
    for kind, names in told.items():
        assert {field.name for field in dataclasses.fields(kind)} == set(names.split()), kind  # type: ignore[arg-type]


def test_the_archive_is_the_rebuilders_or_another_machine(tmp_path: Path) -> None:
    local = f'[environment]\nmirror = "file:///etc"\n{DSC.format("debian-keyring")}'
    with pytest.raises(RebuildError, match="mirror") as caught:
        tame(tmp_path, local)
    assert "--mirror" in caught.value.next_step
    assert (
        tame(tmp_path, local, Brought(mirror="https://snapshot.example.org/x")).mirror
        == "https://snapshot.example.org/x"
    )
    keyring = f'[environment]\narchive_keyring = "/etc/shadow"\n{DSC.format("debian-keyring")}'
    with pytest.raises(RebuildError, match="shadow") as caught:
        tame(tmp_path, keyring)
    assert "--archive-keyring" in caught.value.next_step
    assert tame(tmp_path, keyring, Brought(archive_keyring=Path("/mine"))).archive_keyring == Path("/mine")
    found = tame(tmp_path, DSC.format("debian-keyring"))
    assert found.archive_keyring.parent == Path("/usr/share/keyrings")
    assert hosts(found) == ("the machine's own apt sources",)
    assert hosts(tame(tmp_path, XEN + FILE.format("http://files.example.org:8080/words.txt"))) == (
        "http://files.example.org:8080",
        "https://example.org",
    )


@pytest.mark.parametrize(
    "name", ["nodesource.gpg", "debian-keyring.gpg", "debian-archive-removed-keys.gpg", "x-archive-keyring.gpg"]
)
def test_a_key_that_the_machine_has_for_something_else_signs_no_archive(tmp_path: Path, name: str) -> None:
    text = f'[environment]\narchive_keyring = "/usr/share/keyrings/{name}"\n{DSC.format("debian-keyring")}'
    with pytest.raises(RebuildError, match="for something else") as caught:
        tame(tmp_path, text)
    assert "--archive-keyring" in caught.value.next_step
    stable = text.replace(name, "debian-archive-bookworm-stable.gpg")
    assert tame(tmp_path, stable).archive_keyring == Path("/usr/share/keyrings/debian-archive-bookworm-stable.gpg")


@pytest.mark.parametrize("uploaders", ["/etc/shadow", "./own.gpg", "/usr/share/keyrings/../../../etc/shadow"])
def test_a_keyring_is_one_that_a_package_installs(tmp_path: Path, uploaders: str) -> None:
    with pytest.raises(RebuildError, match="its uploaders"):
        tame(tmp_path, DSC.format(uploaders))
    assert tame(tmp_path, DSC.format("debian-keyring"))


def test_a_server_over_ssh_has_the_keys_that_the_rebuilder_names(tmp_path: Path) -> None:
    text = '[egress]\nknown_hosts = "theirs"\n' + GIT.format("ssh://git.example.org/x.git")
    with pytest.raises(RebuildError) as caught:
        tame(tmp_path, text)
    assert "--known-hosts" in caught.value.next_step
    assert tame(tmp_path, text, Brought(known_hosts=Path("/mine"))).known_hosts == Path("/mine")


def test_only_one_component_with_all_that_it_needs(tmp_path: Path) -> None:
    text = component("a") + component("b", "a") + component("c", "b") + component("d")
    assert [c.name for c in tame(tmp_path, text, Brought(only="c")).components] == ["a", "b", "c"]
    with pytest.raises(ManifestError, match="no component"):
        tame(tmp_path, text, Brought(only="nothing"))


def test_whose_keyring_does_not_name_a_signer_can_not_judge(tmp_path: Path) -> None:
    with pytest.raises(RebuildError, match="no person called nobody"):
        tame(tmp_path, XEN.replace('"release-key-a"', '"nobody"'))


def test_a_waiver_counts_under_the_policy_that_judges_here_unless_the_rebuilder_wants_none(tmp_path: Path) -> None:
    waiver = Waiver("xen/git/v1", "expired-since", "manager-a", "known", SHA, "b" * 64)
    manifest = read(tmp_path, XEN)
    assert tamed(manifest, Brought(), POLICY, [waiver]).waivers == (replace(waiver, policy_sha256=SHA),)
    assert tamed(manifest, Brought(waivers=False), POLICY, [waiver]).waivers == ()


def test_what_the_release_held_its_build_against_is_left_out(tmp_path: Path) -> None:
    build = '[component.build]\nenvironment = "debian:bookworm"\nrecipe = "deb"\nreproduce = 2\nvary = ["uid"]\n'
    found = tame(tmp_path, component("xen", build=False) + build + 'reference = "debian"\n').components[0].build
    assert found is not None and (found.reproduce, found.vary, found.reference) == (1, None, "")
