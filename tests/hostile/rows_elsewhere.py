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
)
