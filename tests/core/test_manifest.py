"""The manifest: read strictly, or refused at file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.record import stream_name
from sealwright_stages.declared import declared
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.manifest_table import PLAIN
from support.release_folder import HEAD, component, write_release

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "release.toml"
XEN = component("xen")
SHA = "a" * 64
FILE = """
[[component.file]]
url = "https://example.org/grub-0.97.tar.gz"
{}
"""
WAIVER = f"""
[[waiver]]
item = "xen/tag"
code = "expired-since"
person = "manager-a"
reason = "key extended since"
sha256 = "{SHA}"
policy_sha256 = "{SHA}"
"""


def read(folder: Path, text: str) -> Manifest:
    """The manifest that `text` makes."""
    return load(write_release(folder, text))


def refused(folder: Path, text: str, line_with: str, because: str) -> ManifestError:
    """Check that `text` is refused at the first line that holds `line_with`; gives the error."""
    path = write_release(folder, text)
    with pytest.raises(ManifestError) as caught:
        load(path, frozenset({"manager-a", "release-key-a"}))
    lines = text.splitlines()
    line = next(number for number, each in enumerate(lines, 1) if line_with in each)
    assert caught.value.what == f"{path}:{line}", caught.value
    assert re.search(because, caught.value.because), caught.value.because
    assert caught.value.next_step
    assert caught.value.exit_code is Exit.USAGE
    return caught.value


def test_the_documented_example_is_accepted() -> None:
    manifest = load(EXAMPLE)
    assert manifest.components
    assert load(EXAMPLE, frozenset(_persons(manifest))) == manifest


def _persons(manifest: Manifest) -> set[str]:
    files = [file for each in manifest.components for file in (*each.files, *each.submodules)]
    return {name for holder in (manifest, *manifest.components, *files) for name in holder.signers}


def test_a_small_manifest_says_what_it_says(tmp_path: Path) -> None:
    manifest = read(tmp_path, HEAD + component("xen", "toolchain") + component("toolchain", build=False) + WAIVER)
    xen, toolchain = manifest.components
    assert manifest.release == "example-1.0"
    assert manifest.keyring == tmp_path / "keyring"
    assert xen.git is not None and (xen.git.url, xen.git.tag) == ("https://example.org/xen.git", "v1")
    assert xen.build is not None and xen.build.environment == "host"
    assert toolchain.build is None
    assert [each.name for each in manifest.in_order()] == ["toolchain", "xen"]
    assert manifest.waivers[0].item_sha256 == SHA


def test_a_local_repository_is_found_beside_the_manifest(tmp_path: Path) -> None:
    manifest = read(tmp_path, HEAD + XEN.replace("https://example.org/xen.git", "repositories/xen"))
    git = manifest.components[0].git
    assert git is not None and git.url == str(tmp_path / "repositories" / "xen")


UNKNOWN = [
    (HEAD + "colour = 1\n" + XEN, "colour", r"\[release\] has an unknown key 'colour'"),
    ("colour = 1\n" + HEAD + XEN, "colour", "the manifest has an unknown key 'colour'"),
    (HEAD + XEN + "colour = 1\n", "colour", r"unknown key 'colour'"),
    (HEAD + XEN.replace("needs", "need"), "need", "unknown key 'need'"),
    (HEAD + XEN + FILE.format(f'sha256 = "{SHA}"\nsha512 = "x"'), "sha512", "unknown key 'sha512'"),
    (HEAD + XEN + "limits = { wall = '1h', cpu = 4 }\n", "limits", "unknown key 'cpu'"),
    (HEAD + "[log]\nhost = 'x'\n" + XEN, "host", "unknown key 'host'"),
    (HEAD + "[builder]\nhost = 'x'\n" + XEN, "host", "unknown key 'host'"),
    (HEAD + XEN + WAIVER + "who = 'x'\n", "who =", "unknown key 'who'"),
]


@pytest.mark.parametrize(("text", "line", "because"), UNKNOWN)
def test_an_unknown_key_is_refused_at_its_line(tmp_path: Path, text: str, line: str, because: str) -> None:
    refused(tmp_path, text, line, because)


def test_a_duplicate_key_is_refused_at_its_line(tmp_path: Path) -> None:
    refused(tmp_path, HEAD + 'threshold = 1\nname = "again"\n' + XEN, '"again"', "not valid TOML")


def test_a_duplicate_table_is_refused_at_its_line(tmp_path: Path) -> None:
    refused(tmp_path, HEAD + XEN + "\n[release] # again\n", "# again", "not valid TOML")


WRONG_TYPES = [
    (HEAD.replace('"1.0"', "1.0") + XEN, "version", "'version' must be a text, not float"),
    (HEAD.replace('["manager-a"]', '"manager-a"') + XEN, "signers", "'signers' must be a list, not a text"),
    (HEAD.replace('["manager-a"]', "[1]") + XEN, "signers", "must hold texts only"),
    (HEAD + 'threshold = "1"\n' + XEN, "threshold", "'threshold' must be a number, not a text"),
    (HEAD + "threshold = true\n" + XEN, "threshold", "'threshold' must be a number, not true or false"),
    (HEAD + 'egress = "direct"\n' + XEN, "egress", "unknown key 'egress'"),
    ('egress = "direct"\n' + HEAD + XEN, "egress", "'egress' must be a table"),
    ("component = [1]\n" + HEAD, "component", "'component' must be"),
    (HEAD + XEN.replace("[]", "{}"), "needs", "'needs' must be a list, not a table"),
    (HEAD + XEN + "limits = { processes = 0.5 }\n", "limits", "'processes' must be a number"),
]


@pytest.mark.parametrize(("text", "line", "because"), WRONG_TYPES)
def test_a_wrong_type_is_refused_at_its_line(tmp_path: Path, text: str, line: str, because: str) -> None:
    refused(tmp_path, text, line, because)


@pytest.mark.parametrize("key", ["name", "version", "keyring"])
def test_a_missing_key_is_refused_at_its_table(tmp_path: Path, key: str) -> None:
    refused(tmp_path, re.sub(rf"(?m)^{key} = .*\n", "", HEAD) + XEN, "[release]", f"no '{key}'")


def test_a_release_without_signers_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, HEAD.replace('"manager-a"', "") + XEN, "[release]", "names no signers")


def test_a_manifest_without_components_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, HEAD, "[release]", "no \\[\\[component\\]\\]")


HOSTILE_NAMES = ["../up", "a/b", "", ".hidden", "-rf", "a b", "a\\n", "ü", "a" * 101, "a\\u0000", "a:b"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    refused(tmp_path, HEAD + XEN.replace('name = "xen"', f'name = "{name}" # here'), "# here", "no plain name")
    refused(tmp_path, HEAD.replace('"1.0"', f'"{name}" # here') + XEN, "# here", "no plain name")


@pytest.mark.parametrize("name", ["xen.log", "xen.manifest.jsonl"])
def test_no_component_is_called_like_a_file_of_ours(tmp_path: Path, name: str) -> None:
    refused(tmp_path, HEAD + XEN.replace('name = "xen"', f'name = "{name}"'), f'"{name}"', "would look like")


@given(st.from_regex(PLAIN, fullmatch=True))
def test_every_component_name_makes_a_stream_of_the_log(name: str) -> None:
    if not name.endswith(".log"):
        assert stream_name(f"build/{name}/12-3") == f"build/{name}/12-3"


def test_a_component_has_one_main_source_or_a_file(tmp_path: Path) -> None:
    both = XEN.replace("needs", 'dsc = "debian:bookworm/catdoc"\nuploaders = "debian-keyring"\nneeds')
    refused(tmp_path, HEAD + both, "dsc =", "both git and dsc")
    refused(tmp_path, HEAD + '\n[[component]]\nname = "xen"\n', "[[component]]", "has no source")
    only_file = '\n[[component]]\nname = "xen"\n' + FILE.format(f'sha256 = "{SHA}"')
    assert read(tmp_path, HEAD + only_file).components[0].files[0].name == "grub-0.97.tar.gz"


REFS = [
    ('tag = "v1"', "", "git =", "exactly one"),
    ('tag = "v1"', 'tag = "v1"\ncommit = "' + "a" * 40 + '"', "git =", "exactly one"),
    ('tag = "v1"', 'commit = "abc123"', "commit", "40 lower-case hex"),
    ('tag = "v1"', f'commit = "{"A" * 40}"', "commit", "40 lower-case hex"),
    ('tag = "v1"', 'branch = "main"', "branch", 'signed = "commit"'),
    ('tag = "v1"', 'branch = "main"\nsigned = "tag"', "branch", 'signed = "commit"'),
    ('tag = "v1"', 'tag = "--upload-pack=x"', "tag", "no plain ref"),
    ('tag = "v1"', 'tag = "refs:x"', "tag", "no plain ref"),
    ('tag = "v1"', 'tag = "v*"', "tag", "no plain ref"),
    ('tag = "v1"', 'tag = "v1\\n"', "tag", "no plain ref"),
    ('signers = ["release-key-a"]\n', "", "git =", "git without signers"),
    ('git = "https://example.org/xen.git"\n', "", "[[component]]", "'tag' without git"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), REFS)
def test_a_git_source_names_exactly_one_signed_ref(
    tmp_path: Path, old: str, new: str, line: str, because: str
) -> None:
    assert old in XEN
    refused(tmp_path, HEAD + XEN.replace(old, new), line, because)


@pytest.mark.parametrize(
    "url", ["ext::sh -c id", "-oProxyCommand=x", "git://example.org/x", "https://-x", "", "a\\u0000b", "ftp://x/y"]
)
def test_only_known_kinds_of_addresses_are_fetched(tmp_path: Path, url: str) -> None:
    text = HEAD + XEN.replace("https://example.org/xen.git", url)
    if "://" in url or url.startswith("-") or not url or "u0000" in url:
        refused(tmp_path, text, "git =", "no address")
    else:  # what looks like a path is one, whatever git would make of it
        git = read(tmp_path, text).components[0].git
        assert git is not None and git.url.startswith("/")


def test_gits_short_form_is_not_taken_for_a_path(tmp_path: Path) -> None:
    for short in ("git@example.org:xen.git", "example.org:/srv/xen.git"):
        text = HEAD + XEN.replace("https://example.org/xen.git", short)
        refused(tmp_path, text, "git =", "short form")
    local = "./with:colon/xen.git"
    manifest = read(tmp_path, HEAD + XEN.replace("https://example.org/xen.git", local))
    assert manifest.components[0].git and manifest.components[0].git.url.endswith("with:colon/xen.git")


FILES = [
    ("", "url", "sha256, signature, or both"),
    ('sha256 = "abc"', "sha256", "64 lower-case hex"),
    (f'sha256 = "{"A" * 64}"', "sha256", "64 lower-case hex"),
    ('signature = "https://example.org/x.asc"', "signature", "signature without signers"),
    ('signature = "ftp://example.org/x.asc"\nsigners = ["release-key-a"]', "signature", "no address"),
    (f'sha256 = "{SHA}"\nthreshold = 2', "threshold", "threshold = 2 of 0 signers"),
]


@pytest.mark.parametrize(("keys", "line", "because"), FILES)
def test_a_file_has_a_digest_or_a_signature_with_signers(
    tmp_path: Path, keys: str, line: str, because: str
) -> None:
    refused(tmp_path, HEAD + XEN + FILE.format(keys), line, because)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    file = FILE.format(f'sha256 = "{SHA}"')
    refused(tmp_path, HEAD + XEN + file + file, "[[component.file]]", "two files of one name")


def test_a_file_without_a_plain_name_is_refused(tmp_path: Path) -> None:
    text = HEAD + XEN + FILE.format(f'sha256 = "{SHA}"').replace("grub-0.97.tar.gz", "?download=1")
    refused(tmp_path, text, "url =", "no plain file name")


def test_a_need_that_is_no_component_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, HEAD + component("xen", "toolchain"), "needs", "needs 'toolchain', which is no component")


def test_a_cycle_of_needs_is_refused(tmp_path: Path) -> None:
    text = HEAD + component("a", "b") + component("b", "c") + component("c", "a")
    with pytest.raises(ManifestError, match="needs has a cycle"):
        read(tmp_path, text)
    refused(tmp_path, HEAD + component("xen", "xen"), "needs", "cycle: xen -> xen")


def test_two_components_of_one_name_are_refused(tmp_path: Path) -> None:
    second = component("xen").replace('name = "xen"', 'name = "xen"  # second')
    refused(tmp_path, HEAD + XEN + second, "# second", "two components are called xen")


def test_every_signer_is_a_person(tmp_path: Path) -> None:
    refused(tmp_path, HEAD.replace("manager-a", "manager-x") + XEN, "manager-x", "signer 'manager-x' is no person")
    refused(tmp_path, HEAD + XEN.replace("release-key-a", "other"), "other", "signer 'other' is no person")
    file = FILE.format('signature = "https://example.org/x.asc"\nsigners = ["stranger"]')
    refused(tmp_path, HEAD + XEN + file, "stranger", "signer 'stranger' is no person")


def test_a_signer_named_twice_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, HEAD.replace('"manager-a"', '"manager-a", "manager-a"') + XEN, "signers", "one thing twice")


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_threshold_is_at_least_1_and_no_larger_than_its_signers(tmp_path: Path, number: int) -> None:
    refused(tmp_path, HEAD + f"threshold = {number}\n" + XEN, "threshold", f"threshold = {number} of 1 signers")
    refused(tmp_path, HEAD + f"builders = {number}\n" + XEN, "builders", f"builders = {number} of 1 signers")


@pytest.mark.parametrize(
    "dsc", ["bookworm/catdoc", "debian:bookworm", "debian:../x/catdoc", "debian:bookworm/Cat"]
)
def test_a_debian_source_is_named_in_full(tmp_path: Path, dsc: str) -> None:
    text = f'{HEAD}\n[[component]]\nname = "xen"\ndsc = "{dsc}"\nuploaders = "debian-keyring"\n'
    refused(tmp_path, text, "dsc =", "is not debian:SUITE/PACKAGE")


def test_a_debian_source_says_who_may_upload_it(tmp_path: Path) -> None:
    text = f'{HEAD}\n[[component]]\nname = "xen"\ndsc = "debian:bookworm/catdoc"\n'
    refused(tmp_path, text, "dsc =", "dsc without uploaders")
    dsc = read(tmp_path, text + 'uploaders = "debian-keyring"\n').components[0].dsc
    assert dsc is not None and dsc.uploaders == Path("/usr/share/keyrings/debian-keyring.gpg")


WAIVERS = [("person", '""'), ("person", '" "'), ("reason", '"\\t"'), ("sha256", '"abc"'), ("policy_sha256", '"x"')]


@pytest.mark.parametrize(("key", "value"), WAIVERS)
def test_a_waiver_names_person_reason_and_whole_digests(tmp_path: Path, key: str, value: str) -> None:
    text = re.sub(rf"(?m)^{key} = .*$", lambda _: f"{key} = {value}", WAIVER)
    line = "reason" if key == "person" else f"{key} ="
    refused(tmp_path, HEAD + text + XEN, line, "64 lower-case hex|wants a person and a reason")


@pytest.mark.parametrize("key", ["item", "code", "person", "reason", "sha256", "policy_sha256"])
def test_a_waiver_that_leaves_something_out_is_refused(tmp_path: Path, key: str) -> None:
    text = re.sub(rf"(?m)^{key} = .*\n", "", WAIVER)
    refused(tmp_path, HEAD + XEN + text, "[[waiver]]", f"no '{key}'")


REFUSED_OFFERS = [
    ('[egress]\nvia = "tor"\n', "via", "not offered"),
    ('[builder]\ntransport = ["ssh", "builder"]\n', "transport", "not offered"),
    ('[environment]\nmirror = "--config=x"\n', "mirror", "no archive's address"),
    ('[environment]\nmirror = "ext::x"\n', "mirror", "no archive's address"),
]


@pytest.mark.parametrize(("table", "line", "because"), REFUSED_OFFERS)
def test_what_is_not_offered_is_refused_and_not_ignored(
    tmp_path: Path, table: str, line: str, because: str
) -> None:
    refused(tmp_path, HEAD + table + XEN, line, because)


AUTHORITY = VerifierKey("log.example.org/releases", bytes(range(32)))
REFUSED_LOGS = [
    ('transport = ["ssh", "log"]\n', "transport =", "names no key"),
    (f'key = "{AUTHORITY}"\n', "key =", "makes its own key"),
    ('transport = ["ssh", "log"]\nkey = "log.example.org+00000000+AAAA"\n', "key =", "that is no key"),
    (f'transport = ["", "log"]\nkey = "{AUTHORITY}"\n', "transport =", "names no program"),
    (f'transport = ["a\\u0000b"]\nkey = "{AUTHORITY}"\n', "transport =", "texts only"),
]


@pytest.mark.parametrize(("table", "line", "because"), REFUSED_LOGS)
def test_a_log_elsewhere_is_named_with_its_key(tmp_path: Path, table: str, line: str, because: str) -> None:
    refused(tmp_path, HEAD + XEN + "[log]\n" + table, line, because)


def test_a_transport_is_an_argument_list_in_which_words_may_stand_twice(tmp_path: Path) -> None:
    words = ["ssh", "-o", "BatchMode=yes", "-o", "Port=22", "log"]
    path = tmp_path / "release.toml"
    path.write_text(f'{HEAD}{XEN}[log]\ntransport = {json.dumps(words)}\nkey = "{AUTHORITY}"\n')
    manifest = load(path)
    assert (list(manifest.log_transport), manifest.log_key) == (words, AUTHORITY)


NOT_TOML = [b"\xff\xfe", b"[release", b"a = ", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"\x00", b"a = 1\r\r"]


@pytest.mark.parametrize("data", NOT_TOML, ids=lambda data: repr(data[:12]))
def test_what_is_no_toml_is_refused_as_a_manifest(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "release.toml"
    path.write_bytes(data)
    with pytest.raises(ManifestError):
        load(path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_a_manifest_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(ManifestError):
        load(path)


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        load(tmp_path / "release.toml")
    with pytest.raises(ManifestError, match="Is a directory"):
        load(tmp_path)


def test_an_address_that_does_not_end_in_the_files_name_is_refused(tmp_path: Path) -> None:
    """Else the manifest's name for it (`b.tar`) and the one that it is fetched under (`a.tar`) would differ."""
    text = HEAD + XEN + FILE.format(f'sha256 = "{SHA}"')
    for odd in ("a.tar?x=/b.tar", "a.tar#/b.tar"):
        refused(tmp_path, text.replace("grub-0.97.tar.gz", odd), "url =", "[?] or # does")


def test_no_two_sources_of_a_component_share_an_item(tmp_path: Path) -> None:
    file = FILE.format(f'sha256 = "{SHA}"').replace("grub-0.97.tar.gz", "v1")
    manifest = read(tmp_path, HEAD + XEN + file)
    with pytest.raises(ManifestError, match="xen/fetch/v1"):
        declared(manifest)


def test_as_many_builders_must_agree_as_it_says_and_one_if_it_says_nothing(tmp_path: Path) -> None:
    two = HEAD.replace('["manager-a"]', '["manager-a", "manager-b"]') + "builders = 2\n"
    assert load(write_release(tmp_path, two + XEN)).builders == 2
    assert load(write_release(tmp_path, HEAD + XEN)).builders == 1
    refused(tmp_path, two.replace("= 2", '= "2"') + XEN, "builders", "'builders' must be a number, not a text")
