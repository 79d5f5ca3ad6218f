import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.home import Home
from registry.models.connection import Tracking, configure
from registry.models.tracking import JobLabels, JobRun
from tests.forked import run_all
from tests.objects import free_port
from tuni.errors import ClaimWithheld, RequestError, TrackingError, UnusableScores


@pytest.fixture(params=["embedded", "server"])
def tracking(request: pytest.FixtureRequest, shared_home: Home) -> Tracking:
    served = request.param == "server"
    return configure(shared_home, request.getfixturevalue("mlflow_server") if served else None)


@pytest.fixture
def labels(name: str) -> JobLabels:
    job = name.replace("-", "")
    return JobLabels(
        job, f"{name} labelled", name, "f" * 64, "a" * 64, version="0.1.0", commit="c" * 40
    )


def test_configuring_loads_no_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "import registry.models.store, registry.models.tracking, registry.serving;"
        "registry.models.store.ModelStore(Home.open(Path(sys.argv[1])));"
        "print('mlflow' in sys.modules, 'pandas' in sys.modules, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    assert subprocess.check_output(command, text=True) == "False False False\n"


def test_run_says_what_it_is_and_not_whose(tracking: Tracking, labels: JobLabels) -> None:
    with JobRun.open(tracking, labels) as run:
        run.log_params({"trials": 60, "objective": "labelled"})
        run.log_metrics({"nonmember_fpr": 0.04, "tpr_at_nonmember_fpr_5pct": 0.8})
        run.set_note("A job of *ours*", "It found\nnothing: <b>\u202e.")
        run.set_tags({"verdict": "none"})
    found = tracking.client().get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == labels.name
    assert found.data.params == {"trials": "60", "objective": "labelled"}
    assert found.data.metrics["nonmember_fpr"] == 0.04
    assert found.data.tags["mlflow.note.content"] == (
        "A job of \\*ours\\*\n\nIt found nothing: \\<b\\>\\\\u202e."
    )
    assert found.data.tags["fingerprint"] == labels.fingerprint
    assert found.data.tags["mlflow.source.git.commit"] == labels.commit
    assert {found.data.tags["mlflow.user"], found.info.user_id} == {"tuni"}
    assert found.data.tags["mlflow.source.name"] == "tuni"


def test_artifacts_come_back(tracking: Tracking, labels: JobLabels, tmp_path: Path) -> None:
    (tmp_path / "roc.svg").write_text("<svg/>")
    with JobRun.open(tracking, labels) as run:
        run.log_file(tmp_path / "roc.svg", "figures")
        run.log_text("report.html", "<p>ü</p>")
        run.log_json("request.json", {"b": 1, "a": "ü"})
    client = tracking.client()
    names = {entry.path for entry in client.list_artifacts(run.run_id)}
    assert names == {"figures", "report.html", "request.json"}
    assert [entry.path for entry in client.list_artifacts(run.run_id, "figures")] == [
        "figures/roc.svg"
    ]
    folder = client.download_artifacts(run.run_id, "request.json", str(tmp_path))
    assert Path(folder).read_text("utf-8") == '{\n  "a": "ü",\n  "b": 1\n}\n'


def test_stopped_job_goes_on_in_its_run_without_paying_trials_twice(
    tracking: Tracking, labels: JobLabels
) -> None:
    first = JobRun.open(tracking, labels)
    first.log_params({"trials": 3})
    first.log_child("trial", 0, "T", {"kind": "T"}, {"partial_auc": 0.7})
    first.log_child("trial", 1, "H", {"kind": "H"}, {"partial_auc": 0.8}, state="failed")
    with pytest.raises(KeyboardInterrupt), first:
        raise KeyboardInterrupt
    assert tracking.client().get_run(first.run_id).info.status == "KILLED"
    with JobRun.open(tracking, labels) as again:
        assert again.run_id == first.run_id
        again.log_params({"trials": 3})
        for number in range(3):
            again.log_child("trial", number, "X", {"kind": "X"}, {"partial_auc": 0.9})
    runs = again.children()
    assert {number: status for number, (_, status) in runs.items()} == {
        0: "FINISHED",
        1: "FAILED",
        2: "FINISHED",
    }
    child = tracking.client().get_run(runs[0][0])
    assert child.data.params == {"kind": "T"}
    assert child.info.run_name == "0000 T"
    assert child.data.tags["mlflow.parentRunId"] == again.run_id
    assert JobRun.finished(tracking, labels.job) == again.run_id


def test_a_curve_is_one_metric_at_many_steps(tracking: Tracking, labels: JobLabels) -> None:
    points = {step: step / 200 for step in range(1, 151)}
    with JobRun.open(tracking, labels) as run:
        run.log_curve("test_found_by_captions", points)
        with pytest.raises(UnusableScores, match="not finite"):
            run.log_curve("test_found_by_captions", {1: float("nan")})
        with pytest.raises(UnusableScores, match="not a name"):
            run.log_curve("fpr_by_captions", {1: 0.5})
    history = tracking.client().get_metric_history(run.run_id, "test_found_by_captions")
    assert {one.step: one.value for one in history} == points


def test_finished_job_gets_a_new_run(tracking: Tracking, labels: JobLabels) -> None:
    assert JobRun.finished(tracking, labels.job) is None
    with JobRun.open(tracking, labels) as first:
        pass
    with JobRun.open(tracking, labels) as second:
        pass
    assert first.run_id != second.run_id


def test_trial_that_was_cut_short_is_completed(tracking: Tracking, labels: JobLabels) -> None:
    with JobRun.open(tracking, labels) as run:
        tags = {"kind": "trial", "number": "0", "mlflow.parentRunId": run.run_id}
        cut = tracking.client().create_run(run.experiment_id, tags=tags).info.run_id
        run.log_child("trial", 0, "T", {"kind": "T"}, {"partial_auc": 0.7})
        assert run.children() == {0: (cut, "FINISHED")}


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("secret"), "FAILED"), (ClaimWithheld("a", "b"), "FINISHED")],
)
def test_run_ends_as_its_job_did_and_keeps_no_error_text(
    shared_home: Home, labels: JobLabels, error: Exception, status: str
) -> None:
    tracking = configure(shared_home)
    with pytest.raises(type(error)), JobRun.open(tracking, labels) as run:
        raise error
    found = tracking.client().get_run(run.run_id)
    assert found.info.status == status
    assert "secret" not in str(found.to_dictionary())


def test_many_values_and_long_ones_arrive(shared_home: Home, labels: JobLabels) -> None:
    tracking = configure(shared_home)
    with JobRun.open(tracking, labels) as run:
        run.log_params({f"p{n}": n for n in range(230)} | {"long": "x" * 9000})
        run.log_metrics({f"m{n}": n for n in range(1100)})
    data = tracking.client().get_run(run.run_id).data
    assert len(data.params) == 231
    assert data.params["long"].endswith("(cut)")
    assert len(data.metrics) == 1100


@pytest.mark.parametrize("metric", ["fpr", "tpr_at_fpr", "fpr_5pct", "a%", "", "ä"])
def test_metric_name_that_hides_whose_it_is_is_refused(
    shared_home: Home, labels: JobLabels, metric: str
) -> None:
    with JobRun.open(configure(shared_home), labels) as run:
        with pytest.raises(UnusableScores, match="not a name"):
            run.log_metrics({metric: 0.5})
        for value in (float("nan"), float("inf")):
            with pytest.raises(UnusableScores, match="not finite"):
                run.log_metrics({"decoy_fpr": value})


def test_parameter_that_changes_is_an_error(shared_home: Home, labels: JobLabels) -> None:
    with JobRun.open(configure(shared_home), labels) as run:
        run.log_params({"trials": 3})
        with pytest.raises(TrackingError, match="log parameters"):
            run.log_params({"trials": 4})


def test_dead_server_is_noticed_and_named_without_its_password(home: Home) -> None:
    port = free_port()
    tracking = configure(home, f"http://user:secret@127.0.0.1:{port}")
    with pytest.raises(TrackingError, match=f"127.0.0.1:{port}") as caught:
        tracking.experiment()
    assert "secret" not in str(caught.value)
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


@pytest.mark.parametrize("uri", ["file:///x", "mlruns", "databricks", "ftp://x"])
def test_address_of_another_kind_is_refused(home: Home, uri: str) -> None:
    with pytest.raises(RequestError, match="TUNI_TRACKING_URI"):
        configure(home, uri)


def test_deleted_experiment_is_named_with_the_command_that_restores_it(shared_home: Home) -> None:
    tracking = configure(shared_home)
    tracking.client().delete_experiment(tracking.experiment("gone"))
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        tracking.experiment("gone")


def test_processes_that_use_a_fresh_store_together_share_one_experiment(
    home: Home,
) -> None:
    code = (
        "import sys; from pathlib import Path; from registry.home import Home;"
        "from registry.models.connection import configure;"
        "print(configure(Home.open(Path(sys.argv[1]))).experiment())"
    )
    done = run_all(code, [[home.root]] * 2)
    assert [one.returncode for one in done] == [0, 0]
    assert len({one.stdout for one in done}) == 1
