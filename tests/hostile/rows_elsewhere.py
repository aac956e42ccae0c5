"""Rows that have a test of their own elsewhere, named here so that the table is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Elsewhere:
    """A row, what is wanted, and the test that makes it: `folder/file.py::name` below tests/."""

    number: str
    name: str
    wanted: str
    test: str


def _git(number: str, name: str, wanted: str, test: str) -> Elsewhere:
    return Elsewhere(number, name, wanted, f"verify/test_git_source.py::test_{test}")


def _crash(number: str, name: str, wanted: str, test: str) -> Elsewhere:
    return Elsewhere(number, name, wanted, f"keyring/test_crash.py::test_{test}")


def _of(file: str, *rows: tuple[str, str, str, str]) -> Iterator[Elsewhere]:
    for number, name, wanted, test in rows:
        yield Elsewhere(number, name, wanted, f"{file}::test_{test}")


ROWS = (
    _git(
        "51",
        "refs/replace on the commit",
        "ok, and the true bytes",
        "replace_refs_and_repository_config_mean_nothing",
    ),
    _git(
        "53",
        "gpg.program in the repository's config",
        "not run",
        "replace_refs_and_repository_config_mean_nothing",
    ),
    _git(
        "54",
        "ident, eol, export-subst, export-ignore",
        "written byte for byte",
        "a_good_signed_tag_is_green_and_written_byte_for_byte",
    ),
    Elsewhere(
        "55",
        "every other disguise of .git",
        "tree-refused",
        "verify/test_tree.py::test_no_disguise_of_git_and_no_odd_name_passes",
    ),
    Elsewhere(
        "59",
        "a link through other links",
        "tree-refused",
        "verify/test_tree.py::test_a_link_through_other_links_stays_inside_the_tree",
    ),
    _git("87", "a lightweight tag", "tag-lightweight", "an_unsigned_tag_and_a_lightweight_one_are_red"),
    Elsewhere(
        "99",
        "a short or long key id in the policy",
        "error with file and line",
        "keyring/test_policy.py::test_what_is_not_known_is_refused_with_its_line",
    ),
    Elsewhere(
        "99",
        "a key chosen by less than its fingerprint",
        "error",
        "keyring/test_openpgp.py::test_a_key_is_chosen_by_full_fingerprint_only",
    ),
    Elsewhere(
        "101",
        "the keyring changed before the seal",
        "refused",
        "engine/test_evidence.py::test_nothing_is_sealed_under_a_policy_that_changed",
    ),
    Elsewhere(
        "101",
        "the keyring changed before signing",
        "refused",
        "engine/test_evidence.py::test_nothing_is_signed_under_a_policy_that_changed",
    ),
    Elsewhere(
        "103",
        "floods of subkeys, signatures and user ids, measured",
        "within the limit",
        "hostile/test_key_dos.py::test_a_flooded_certificate_costs_a_bounded_time",
    ),
    _crash(
        "106",
        "gpg killed, silent, cut short, or lying",
        "verifier-killed, verifier-confused",
        "a_crashed_or_silent_verifier_is_red",
    ),
    _crash("106", "gpg hangs", "verifier-killed", "a_verifier_that_hangs_is_stopped_and_red"),
    _crash("106", "gpg floods", "verifier-killed", "a_verifier_that_floods_is_stopped_and_red"),
    Elsewhere(
        "106",
        "gpg lies well",
        "verifiers-disagree",
        "keyring/test_second.py::test_a_gpg_that_lies_well_is_found_out",
    ),
    _git(
        "107",
        "the verifier complains and exits 0",
        "red",
        "a_verifier_that_complains_and_exits_0_is_never_believed",
    ),
    _crash("108", "gpg is missing", "error", "a_missing_gpg_is_an_error_that_says_what_to_install"),
    _crash("108", "gpg is no gpg", "error", "a_gpg_of_an_unknown_kind_is_an_error"),
    _crash("108", "another gpg on the caller's PATH", "not run", "no_gpg_of_the_callers_path_is_run"),
    _git(
        "109",
        "another repository in its place after the verdict",
        "changed-since-verified",
        "what_is_written_is_what_was_judged",
    ),
    Elsewhere(
        "109",
        "a file swapped after the verdict",
        "changed-since-verified",
        "verify/test_files.py::test_a_file_swapped_after_it_was_judged_is_not_copied",
    ),
    Elsewhere(
        "109",
        "a file swapped for a link",
        "refused",
        "verify/test_files.py::test_a_file_swapped_for_a_link_is_not_followed",
    ),
    Elsewhere(
        "109",
        "a package's file swapped after the verdict",
        "changed-since-verified",
        "verify/test_debian.py::test_files_swapped_after_they_were_judged_are_not_copied",
    ),
    Elsewhere(
        "121",
        "an index that InRelease does not name by its digest",
        "digest-mismatch",
        "verify/test_debian.py::test_a_list_that_the_index_does_not_name_by_its_digest_is_red",
    ),
    _git("126", "alternates", "repository-crooked", "borrowed_objects_are_refused"),
    Elsewhere(
        "126",
        "fsmonitor, hooks, filters, sshCommand in config",
        "no config but ours",
        "get_sources/test_fetch.py::test_git_runs_with_one_refspec_and_no_config_but_ours",
    ),
    Elsewhere(
        "128",
        "SHA-1 collisions",
        "the git that fetches detects them",
        "hostile/test_hostile_rows.py::test_the_git_that_fetches_detects_collision_attacks",
    ),
    Elsewhere(
        "131",
        "bidi, combining and wide characters on the screen",
        "shown escaped",
        "console/test_terminal_bytes.py::test_no_surface_of_the_console_lets_a_control_byte_through",
    ),
    Elsewhere(
        "132",
        "an unknown field or a duplicate in the policy",
        "error with file and line",
        "keyring/test_policy.py::test_what_is_not_known_is_refused_with_its_line",
    ),
    *_of(
        "verify/test_tree.py",
        (
            "56",
            "a disguise of .git by what HFS+ drops",
            "tree-refused",
            "no_disguise_of_git_and_no_odd_name_passes",
        ),
    ),
    *_of(
        "unpack/test_unpack.py",
        (
            "74",
            "tar: `../../x`, links out of it, links through links",
            "archive-refused",
            "a_hostile_tar_is_refused_and_nothing_of_it_is_left",
        ),
        ("75", "tar: a device, a pipe", "archive-refused", "a_hostile_tar_is_refused_and_nothing_of_it_is_left"),
        (
            "76",
            "tar: an absolute name, set-uid, a name twice, ESC and LF in one",
            "archive-refused",
            "a_hostile_tar_is_refused_and_nothing_of_it_is_left",
        ),
    ),
    *_of(
        "verify/test_rpm.py",
        ("77", "an unsigned RPM package", "red", "an_unsigned_package_is_red"),
        (
            "78",
            "an RPM package by a key that was not chosen",
            "red",
            "a_key_that_was_not_chosen_is_red_also_where_it_is_known",
        ),
        ("79", "an RPM package with a changed byte", "red", "a_spoiled_package_is_red"),
        ("81", "an RPM package that is cut", "red", "a_package_cut_anywhere_is_red"),
    ),
    *_of(
        "keyring/test_ssh.py",
        ("83", "an SSH signature of another namespace", "red", "a_signature_for_another_namespace_is_red"),
        (
            "84",
            "an SSH signature by an unknown key",
            "red",
            "ssh_keygen_is_asked_to_verify_and_an_unknown_key_is_red",
        ),
        ("129", "SSH: out of its time", "red", "its_time_is_the_one_that_is_given_and_does_not_lie_ahead"),
        ("129", "SSH: a certificate", "refused", "sha1_dsa_small_keys_and_certificates_are_refused"),
        ("129", "SSH: two signatures", "red", "two_blocks_and_bytes_around_one_are_red"),
        ("129", "SSH: a `*` principal", "refused", "no_key_is_allowed_but_the_chosen_ones_and_none_by_a_pattern"),
    ),
    *_of(
        "keyring/test_minisign.py",
        ("85", "an altered trusted comment of minisign", "red", "an_altered_trusted_comment_is_red"),
        (
            "86",
            "escape codes in minisign's comments",
            "ok, shown escaped",
            "comments_are_shown_escaped_and_the_untrusted_one_means_nothing",
        ),
    ),
    *_of(
        "walk/test_memory.py",
        ("88", "a tag that moved", "red", "a_tag_that_moved_is_red_although_it_is_truly_signed"),
        ("89", "an older tag offered again", "red", "an_older_tag_is_red_although_it_is_truly_signed"),
        ("90", "nothing new for many days", "a warning", "a_frozen_archive_is_a_warning_that_wants_a_waiver"),
    ),
    *_of(
        "verify/test_history.py",
        (
            "91",
            "a tag of one project served as another's",
            "history-elsewhere",
            "a_tag_of_one_project_served_as_another_is_red",
        ),
        (
            "93",
            "a fork that does not descend from the trust root",
            "history-elsewhere",
            "a_fork_from_before_the_trust_root_is_red",
        ),
    ),
    *_of(
        "verify/test_signatures.py",
        (
            "96",
            "a key for one component signs another",
            "red",
            "scope_and_time_of_signers_toml_hold_for_every_kind",
        ),
    ),
    *_of(
        "get_sources/test_quarantine.py",
        (
            "110",
            "a link or a hard link in the quarantine",
            "quarantine-odd-file",
            "only_plain_files_with_one_name_may_lie_there",
        ),
    ),
    *_of(
        "get_sources/test_hostile_servers.py",
        (
            "112",
            "a download without end, or that crawls",
            "fetch-too-large, fetch-too-slow",
            "a_server_with_bad_manners_is_given_up_and_nothing_of_it_is_kept",
        ),
        ("112", "a page saved as a signature", "signature-malformed", "a_page_is_no_signature"),
    ),
    *_of(
        "get_sources/test_fetch.py",
        ("112", "sent on to another host", "redirect-other-host", "error_pages_and_other_hosts_are_not_kept"),
    ),
    *_of(
        "sandbox/test_fetch.py",
        (
            "112",
            "a git server that talks without end",
            "fetch-too-large",
            "a_fetcher_whose_words_have_no_end_is_a_fetch_that_failed",
        ),
    ),
    *_of(
        "walk/test_invariant.py",
        (
            "113",
            "kill -9 while something arrives",
            "nothing unverified, and none left",
            "a_run_killed_at_any_moment_leaves_no_unverified_byte_and_the_next_start_no_quarantine",
        ),
    ),
    *_of(
        "walk/test_unpacked.py",
        (
            "115",
            "a signature over the uncompressed tar",
            "ok where it is declared",
            "an_unpacked_archive_goes_into_a_build_and_its_release_stands_up_to_an_audit",
        ),
    ),
    *_of(
        "verify/test_deb.py",
        ("122", "a changed .deb", "digest-mismatch", "a_changed_package_is_red_and_deleted"),
        ("122", "a .deb that the index does not name", "red", "what_the_index_does_not_name_plainly_is_red"),
    ),
    *_of(
        "verify/test_submodules.py",
        (
            "125",
            "a .gitmodules that attacks git",
            "object-malformed",
            "a_gitmodules_that_attacks_git_does_not_arrive",
        ),
    ),
    *_of(
        "unpack/test_decompress.py",
        ("73", "a gzip bomb", "archive-bomb", "a_bomb_in_the_sandbox_is_ended_at_the_limit"),
    ),
    *_of(
        "verify/test_git_source.py",
        (
            "92",
            "a signed commit of another branch",
            "a warning, whichever it is",
            "a_signed_commit_is_never_plain_green",
        ),
        (
            "94",
            "a signed commit over unsigned ones",
            "a warning, whatever is below",
            "a_signed_commit_is_never_plain_green",
        ),
    ),
)
