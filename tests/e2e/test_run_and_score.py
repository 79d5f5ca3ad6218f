"""Two commands from lists to verdicts: the same inputs give the same, and nothing new."""

import json


def test_the_job_ends_with_a_version_and_an_exit_code_that_tells_of_a_withheld_claim(audit):
    assert audit.result["version"] == 1
    assert audit.result["alias"] in ("champion", "challenger")
    assert audit.codes["run"] == (3 if audit.result["withheld"] else 0)
    assert (audit.job / "report.html").is_file()


def test_unchanged_inputs_register_nothing_new(audit):
    again = json.loads((audit.home.parent / "again.json").read_text(encoding="utf-8"))
    assert again == {**audit.result, "unchanged": True}
    assert audit.codes["again"] == audit.codes["run"]


def test_verdicts_come_in_the_order_of_the_list_with_their_version(audit):
    watched = audit.watch.read_text(encoding="utf-8").splitlines()[1:]
    assert [row["text"] for row in audit.verdicts] == watched
    assert {row["model_version"] for row in audit.verdicts} == {"1"}
    assert {row["error"] for row in audit.verdicts} == {""}
    assert audit.scored["texts"] == len(audit.verdicts)
    assert all(0 < float(row["p_decoy"]) <= 1 for row in audit.verdicts)


def test_bad_input_ends_with_2_and_leaves_no_output(audit):
    assert audit.codes["refused at run"] == 2
    assert audit.codes["refused at score"] == 2
    assert not (audit.lists / "none.csv").exists()
