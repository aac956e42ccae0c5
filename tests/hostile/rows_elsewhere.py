"""Rows that have a test of their own elsewhere, named here so that the table is whole."""

from __future__ import annotations

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
    Elsewhere(
        "56",
        "a disguise of .git by what HFS+ drops",
        "tree-refused",
        "verify/test_tree.py::test_no_disguise_of_git_and_no_odd_name_passes",
    ),
    Elsewhere(
        "74",
        "tar: `../../x`, links out of it, links through links",
        "archive-refused",
        "unpack/test_unpack.py::test_a_hostile_tar_is_refused_and_nothing_of_it_is_left",
    ),
    Elsewhere(
        "75",
        "tar: a device, a pipe",
        "archive-refused",
        "unpack/test_unpack.py::test_a_hostile_tar_is_refused_and_nothing_of_it_is_left",
    ),
    Elsewhere(
        "76",
        "tar: an absolute name, set-uid, a name twice, ESC and LF in one",
        "archive-refused",
        "unpack/test_unpack.py::test_a_hostile_tar_is_refused_and_nothing_of_it_is_left",
    ),
    Elsewhere(
        "77",
        "an unsigned RPM package",
        "red",
        "verify/test_rpm.py::test_an_unsigned_package_is_red",
    ),
    Elsewhere(
        "78",
        "an RPM package by a key that was not chosen",
        "red",
        "verify/test_rpm.py::test_a_key_that_was_not_chosen_is_red_also_where_it_is_known",
    ),
    Elsewhere(
        "79",
        "an RPM package with a changed byte",
        "red",
        "verify/test_rpm.py::test_a_spoiled_package_is_red",
    ),
    Elsewhere(
        "81",
        "an RPM package that is cut",
        "red",
        "verify/test_rpm.py::test_a_package_cut_anywhere_is_red",
    ),
    Elsewhere(
        "83",
        "an SSH signature of another namespace",
        "red",
        "keyring/test_ssh.py::test_a_signature_for_another_namespace_is_red",
    ),
    Elsewhere(
        "84",
        "an SSH signature by an unknown key",
        "red",
        "keyring/test_ssh.py::test_ssh_keygen_is_asked_to_verify_and_an_unknown_key_is_red",
    ),
    Elsewhere(
        "85",
        "an altered trusted comment of minisign",
        "red",
        "keyring/test_minisign.py::test_an_altered_trusted_comment_is_red",
    ),
    Elsewhere(
        "86",
        "escape codes in minisign's comments",
        "ok, shown escaped",
        "keyring/test_minisign.py::test_comments_are_shown_escaped_and_the_untrusted_one_means_nothing",
    ),
    Elsewhere(
        "88",
        "a tag that moved",
        "red",
        "walk/test_memory.py::test_a_tag_that_moved_is_red_although_it_is_truly_signed",
    ),
    Elsewhere(
        "89",
        "an older tag offered again",
        "red",
        "walk/test_memory.py::test_an_older_tag_is_red_although_it_is_truly_signed",
    ),
    Elsewhere(
        "90",
        "nothing new for many days",
        "a warning",
        "walk/test_memory.py::test_a_frozen_archive_is_a_warning_that_wants_a_waiver",
    ),
    Elsewhere(
        "91",
        "a tag of one project served as another's",
        "history-elsewhere",
        "verify/test_history.py::test_a_tag_of_one_project_served_as_another_is_red",
    ),
    Elsewhere(
        "93",
        "a fork that does not descend from the trust root",
        "history-elsewhere",
        "verify/test_history.py::test_a_fork_from_before_the_trust_root_is_red",
    ),
    Elsewhere(
        "96",
        "a key for one component signs another",
        "red",
        "verify/test_signatures.py::test_scope_and_time_of_signers_toml_hold_for_every_kind",
    ),
    Elsewhere(
        "110",
        "a link or a hard link in the quarantine",
        "quarantine-odd-file",
        "get_sources/test_quarantine.py::test_only_plain_files_with_one_name_may_lie_there",
    ),
    Elsewhere(
        "112",
        "a download without end, or that crawls",
        "fetch-too-large, fetch-too-slow",
        "get_sources/test_hostile_servers.py::test_a_server_with_bad_manners_is_given_up_and_nothing_of_it_is_kept",
    ),
    Elsewhere(
        "112",
        "sent on to another host",
        "redirect-other-host",
        "get_sources/test_fetch.py::test_error_pages_and_other_hosts_are_not_kept",
    ),
    Elsewhere(
        "112",
        "a page saved as a signature",
        "signature-malformed",
        "get_sources/test_hostile_servers.py::test_a_page_is_no_signature",
    ),
    Elsewhere(
        "112",
        "a git server that talks without end",
        "fetch-too-large",
        "sandbox/test_fetch.py::test_a_fetcher_whose_words_have_no_end_is_a_fetch_that_failed",
    ),
    Elsewhere(
        "113",
        "kill -9 while something arrives",
        "nothing unverified, and none left",
        "walk/test_invariant.py::test_a_run_killed_at_any_moment_leaves_no_unverified_byte_and_the_next_start_no_quarantine",
    ),
    Elsewhere(
        "115",
        "a signature over the uncompressed tar",
        "ok where it is declared",
        "walk/test_unpacked.py::test_an_unpacked_archive_goes_into_a_build_and_its_release_stands_up_to_an_audit",
    ),
    Elsewhere(
        "122",
        "a changed .deb",
        "digest-mismatch",
        "verify/test_deb.py::test_a_changed_package_is_red_and_deleted",
    ),
    Elsewhere(
        "122",
        "a .deb that the index does not name",
        "red",
        "verify/test_deb.py::test_what_the_index_does_not_name_plainly_is_red",
    ),
    Elsewhere(
        "125",
        "a .gitmodules that attacks git",
        "object-malformed",
        "verify/test_submodules.py::test_a_gitmodules_that_attacks_git_does_not_arrive",
    ),
    Elsewhere(
        "129",
        "SSH: out of its time",
        "red",
        "keyring/test_ssh.py::test_its_time_is_the_one_that_is_given_and_does_not_lie_ahead",
    ),
    Elsewhere(
        "129",
        "SSH: a certificate",
        "refused",
        "keyring/test_ssh.py::test_sha1_dsa_small_keys_and_certificates_are_refused",
    ),
    Elsewhere(
        "129",
        "SSH: two signatures",
        "red",
        "keyring/test_ssh.py::test_two_blocks_and_bytes_around_one_are_red",
    ),
    Elsewhere(
        "129",
        "SSH: a `*` principal",
        "refused",
        "keyring/test_ssh.py::test_no_key_is_allowed_but_the_chosen_ones_and_none_by_a_pattern",
    ),
    Elsewhere(
        "73",
        "a gzip bomb",
        "archive-bomb",
        "unpack/test_decompress.py::test_a_bomb_in_the_sandbox_is_ended_at_the_limit",
    ),
    Elsewhere(
        "92",
        "a signed commit of another branch",
        "a warning, whichever it is",
        "verify/test_git_source.py::test_a_signed_commit_is_never_plain_green",
    ),
    Elsewhere(
        "94",
        "a signed commit over unsigned ones",
        "a warning, whatever is below",
        "verify/test_git_source.py::test_a_signed_commit_is_never_plain_green",
    ),
)
