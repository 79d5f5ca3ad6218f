"""`mlflow.pyfunc` gives the verdicts of `tuni score`, in whatever order the rows come."""

import pandas as pd

from registry.home import Home
from registry.models.store import ModelStore

NUMBERS = ("score", "p_decoy", "p_gibberish", "q_value", "operating_point")
WORDS = ("text", "verdict", "flags", "model_version", "fingerprint")


def test_the_champion_gives_the_verdicts_of_tuni_score_in_any_order(audit, own_home):
    store = ModelStore(Home.open(own_home))
    store.promote(str(audit.result["model"]), int(str(audit.result["version"])), "by hand")
    import mlflow

    mlflow.set_tracking_uri(store.tracking.uri)
    detector = mlflow.pyfunc.load_model(
        "models:/e2e-clip@champion",
        model_config={"home": str(own_home), "tell_selected": True},
    )
    texts = [row["text"] for row in audit.verdicts]
    told = {row["text"]: row for row in audit.verdicts}
    for order in (texts, sorted(texts, reverse=True)):
        frame = detector.predict(pd.DataFrame({"text": order}))
        assert list(frame["text"]) == order
        for row in frame.to_dict("records"):
            expected = told[row["text"]]
            assert {name: row[name] for name in NUMBERS} == {
                name: float(expected[name]) for name in NUMBERS
            }
            assert {name: row[name] for name in WORDS} == {name: expected[name] for name in WORDS}


def test_texts_that_the_detector_was_chosen_on_are_flagged_and_others_not(audit):
    flagged = {row["text"]: "selected_on" in row["flags"].split() for row in audit.verdicts}
    labelled = (audit.lists / "labelled.csv").read_text(encoding="utf-8")
    assert any(flagged.values())
    assert all(f"\n{text}," in labelled for text, flag in flagged.items() if flag)
