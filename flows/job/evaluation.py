"""What the calibrated detector can do, measured on labelled texts that nobody chose it on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from flows.job.calibration import calibrated_tables
from flows.job.charts import draw_charts
from flows.job.folder import CHOICE
from flows.job.gates import counted, evenness_gate, label_gates, strangers_alone
from flows.job.job import Job
from flows.job.search.space import default_detector, paper_detector
from flows.pages.kinds.job_facts import Gate
from tuni.detectors.bundle import Bundle
from tuni.detectors.describe import describe
from tuni.detectors.kind import Floats
from tuni.detectors.score import has_votes
from tuni.detectors.spec import DetectorSpec
from tuni.hashing import derive_seed, digest
from tuni.judging.judge import Judge
from tuni.judging.null import JudgeOptions
from tuni.judging.whole_list import ListVerdicts, judge_texts
from tuni.statistics.evaluation import Evaluation, JudgedTexts, optimism
from tuni.statistics.evaluation import evaluate as measure
from tuni.statistics.intervals import share
from tuni.statistics.null_check import null_check
from tuni.statistics.p_values import conformal_p, quantise
from tuni.statistics.roc import auc, tpr_at
from tuni.statistics.suppression import FEW, SMALLEST_SHARED, shared_groups
from tuni.texts.text import canonical

JSON = dict[str, Any]  # Any: JSON values


_REST = ""  # people without a word or a number of captions; no name of a group


def shared_evaluation(measured: Evaluation) -> Evaluation | None:
    """The evaluation without figures of small groups; None where a whole kind is one."""
    if min(measured.members, measured.nonmembers) < SMALLEST_SHARED:
        return None
    captions = {str(entry.captions): entry.found.n for entry in measured.by_captions}
    named = {
        entry.name: entry.accused.n for entry in measured.groups if entry.name in measured.labelled
    }
    by_captions = shared_groups(_with_rest(captions, measured.members))
    groups = shared_groups(_with_rest(named, measured.nonmembers))
    return replace(
        measured,
        by_captions=tuple(
            entry for entry in measured.by_captions if str(entry.captions) in by_captions
        ),
        groups=tuple(
            entry for entry in measured.groups if entry.name in groups or entry.name not in named
        ),
    )


def told(count: int) -> str:
    """How many labelled texts there are, in words for others."""
    return FEW if 0 < count < SMALLEST_SHARED else f"{count:,}"


def _with_rest(sizes: dict[str, int], whole: int) -> dict[str, int]:
    rest = whole - sum(sizes.values())
    return sizes | ({_REST: rest} if rest else {})


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is kept of an evaluation; JSON, aggregates only.

    Attributes:
        detector: The chosen detector, in words.
        asked: What was asked, one sentence.
        sentence: What was found, one sentence.
        withheld: Why no claim may be made from the detector, or None.
        gates: The checks.
        headline: Figures by MLflow name.
        evaluation: `Evaluation.to_dict`, or None without labels.
        compared: Other detectors on the same texts, by name.
        charts: Figures of the report: section, title, caption, alt, and file in the job's folder.
    """

    detector: str
    asked: str
    sentence: str
    withheld: str | None
    gates: tuple[Gate, ...]
    headline: Mapping[str, float]
    evaluation: JSON | None
    compared: tuple[JSON, ...]
    charts: tuple[JSON, ...]

    @classmethod
    def from_dict(cls, value: JSON) -> "Evaluated":
        """Read what `asdict` gave."""
        gates = tuple(Gate(**gate) for gate in value["gates"])
        lists = {name: tuple(value[name]) for name in ("compared", "charts")}
        return cls(**{**value, **lists, "gates": gates})


def evaluate_job(job: Job, bundle: Bundle) -> Evaluated:
    """All figures of one calibrated detector."""
    scorer, detector = bundle.pair, job.chosen_detector()
    tables = calibrated_tables(job)
    scores = tables.scores(detector, scorer.model, ("decoy_check", "decoy_calibration"))
    check = quantise(scores["decoy_check"], scorer.quantum)
    check_p = conformal_p(check, scorer.decoy_scores)
    decoys = null_check(check_p, len(scorer.decoy_scores), bundle.operating_point)
    gates = [
        Gate(
            "decoys against decoys",
            decoys.valid,
            f"{counted(decoys.rejected)} of decoys kept aside have "
            f"p <= {bundle.operating_point:g}; this can only find errors of the program",
        )
    ]
    gibberish_p = conformal_p(scorer.gibberish_scores, scorer.decoy_scores)
    headline = {
        "decoy_fpr": decoys.rejected.value,
        "gibberish_fpr": float((gibberish_p <= bundle.operating_point).mean()),
    }
    even, rates = evenness_gate(
        tables.texts("decoy_calibration"),
        quantise(scores["decoy_calibration"], scorer.quantum),
        job.target.token_counts(tables.texts("decoy_calibration")).tolist(),
        job.texts.kind,
        bundle.operating_point,
    )
    gates.append(even)
    headline |= rates
    judgement = job.folder.kept(CHOICE)["judgement"] or {}
    if "default_control" in judgement:
        gates.append(
            Gate(
                "negative control",
                judgement["replaced"] or judgement["default_passes"],
                f"the default detector finds {judgement['default_control']:+.1%} more than "
                f"{bundle.operating_point:g} of the control's decoys, where nobody is a member",
            )
        )
    measured: Evaluation | None = None
    compared: list[JSON] = []
    groups: dict[str, Floats] = {
        "decoys": scorer.decoy_scores,
        "gibberish": scorer.gibberish_scores,
    }
    if job.has_test_labels:
        verdicts = judge_labelled_test(job, bundle, JudgeOptions())
        others = {
            "decoys kept aside": (check, check_p),
            "gibberish": (scorer.gibberish_scores, gibberish_p),
        }
        everything = _measure(job, bundle, verdicts, others)
        gates += label_gates(job, everything, verdicts.null.check)
        measured = shared_evaluation(everything)
        if measured is not None:
            looks = len({one.job for one in job.ledger.readings(job.test_set)} | {job.hash})
            headline |= _headline(measured) | {
                "test_looks": looks,
                "test_auc_optimism": optimism(looks, measured.auc_interval),
            }
            compared = compare(job, bundle)
            judged, members = score_labelled_test(job, bundle), job.test_members
            groups = {"members": judged[members], "non-members": judged[~members], **groups}
    elif len(job.test_members) and not job.test_members.any():
        gates.append(strangers_alone(job, bundle, score_labelled_test(job, bundle)))
    withheld = [gate.sentence for gate in gates if gate.passed is False]
    return Evaluated(
        detector=describe(detector),
        asked=_asked(job),
        sentence=sentence_of(job, measured),
        withheld="; ".join(withheld) or None,
        gates=tuple(gates),
        headline=headline,
        evaluation=measured.to_dict() if measured else None,
        compared=tuple(compared),
        charts=tuple(draw_charts(job, groups, measured, bundle.operating_point)),
    )


def judge_labelled_test(job: Job, bundle: Bundle, options: JudgeOptions) -> ListVerdicts:
    """Verdicts for labelled-test exactly as `tuni score` would give them for that list.

    Their scores are handed on to `score_labelled_test`.
    """
    judge = Judge(bundle, job.target, job.features.cache, job.progress)
    verdicts = judge_texts(judge, job.sets.labelled_test, options)
    job.test_scores[digest(dict(bundle.settings))] = verdicts.by_row(verdicts.score)
    return verdicts


def score_labelled_test(job: Job, bundle: Bundle) -> Floats:
    """Scores of labelled-test by any bundle of this checkpoint, judged once a process."""
    made_from = digest(dict(bundle.settings))
    if made_from not in job.test_scores:
        # Scores alone: decoys of the list cost more than the list itself; most move no score.
        judge_labelled_test(job, bundle, JudgeOptions(list_decoys=bundle.corrects))
    return job.test_scores[made_from]


def compare(job: Job, bundle: Bundle) -> list[JSON]:
    """The chosen detector, the default H2 and the paper's configuration on the same texts."""
    rows = []
    asked: dict[str, DetectorSpec | None] = {
        "chosen": job.chosen_detector(),
        "default H2 (ours)": default_detector(job.spec),
        "the paper's configuration": paper_detector(job.spec),
    }
    members = job.test_members
    for name, detector in asked.items():
        if detector is None:
            continue
        tables = calibrated_tables(job)
        model = bundle.pair.model if name == "chosen" else tables.fit(detector)
        scores = tables.scores(detector, model, ("labelled_test",))["labelled_test"]
        row: JSON = {
            "name": name,
            "detector": describe(detector),
            "auc": auc(scores[members], scores[~members]),
        }
        at = tpr_at(scores[members], scores[~members], 0.05)
        row["tpr_at_nonmember_fpr_5pct"] = asdict(at) if at else None
        if detector.kind == "vote":
            votes = has_votes(model, scores)
            row["own_rule_found"] = asdict(share(votes[members]))
            row["own_rule_nonmember_fpr"] = asdict(share(votes[~members]))
        rows.append(row)
    return rows


def _measure(
    job: Job, bundle: Bundle, verdicts: ListVerdicts, others: Mapping[str, tuple[Floats, Floats]]
) -> Evaluation:
    keys = [canonical(text) for text in job.sets.labelled_test]
    scores = verdicts.by_row(verdicts.score)
    judged = JudgedTexts(
        texts=job.sets.labelled_test,
        members=job.test_members,
        scores=scores,
        p_decoy=verdicts.by_row(verdicts.p_decoy),
        p_single=conformal_p(scores, bundle.pair.decoy_scores),
        captions=[job.texts.captions.get(key) for key in keys],
        groups=[job.texts.groups.get(key, "") for key in keys],
    )
    return measure(
        judged,
        bundle.pair.decoy_scores,
        kind=job.texts.kind,
        operating_point=bundle.operating_point,
        seed=derive_seed(job.request.compute.seed, "evaluation"),
        list_decoys=verdicts.null.pair.decoy_scores if verdicts.null.pair else (),
        others=others,
    )


def _headline(measured: Evaluation) -> dict[str, float]:
    figures = {
        "test_auc": measured.auc,
        "test_auc_low": measured.auc_interval.low,
        "test_auc_high": measured.auc_interval.high,
        "test_found": measured.found.value,
        "test_found_low": measured.found.low,
        "test_found_high": measured.found.high,
        "nonmember_fpr": measured.nonmember_fpr.value,
        "nonmember_fpr_low": measured.nonmember_fpr.low,
        "nonmember_fpr_high": measured.nonmember_fpr.high,
        "null_validity_p": measured.null.validity_p,
        "test_accuracy": measured.accuracy.value,
        "test_members_at_least": measured.as_list.at_least,
    }
    for at, rate in measured.tpr_at_nonmember_fpr:
        if rate is not None:
            figures[f"tpr_at_nonmember_fpr_{at * 100:g}pct".replace(".", "_")] = rate.value
    if measured.precision is not None:
        figures["test_precision"] = measured.precision.value
    for group in measured.groups:
        word = group.name.replace(" ", "_")
        if not word.isidentifier():
            continue
        figures[f"test_auc_against_{word}"] = group.auc
        if group.name in measured.labelled:
            figures[f"nonmember_fpr_{word}"] = group.accused.value
    for fewest in measured.captions_for_power:
        name = f"captions_for_{fewest.power * 100:.0f}pct_power"
        ends = {name: fewest.captions, f"{name}_low": fewest.low, f"{name}_high": fewest.high}
        figures |= {end: count for end, count in ends.items() if count is not None}
    if measured.blind is not None:
        figures["blind_auc"] = measured.blind.blind_auc
    return figures


def _curves(evaluation: JSON | None) -> dict[str, dict[int, float]]:
    """What MLflow draws as lines: power by captions, and by the rate of false findings."""
    if evaluation is None:
        return {}
    return {
        "test_found_by_captions": {
            row["captions"]: row["found"]["value"] for row in evaluation["by_captions"]
        },
        "test_tpr_by_nonmember_fpr_permille": {
            round(at * 1000): rate["value"]
            for at, rate in evaluation["tpr_at_nonmember_fpr"]
            if rate is not None
        },
    }


def _asked(job: Job) -> str:
    labelled, listed = job.texts.members, job.texts.listed
    labels = sum(labelled.values())
    parts = [f"Asked: does {job.request.checkpoint.name} know names that it was trained on?"]
    if labelled:
        parts.append(f"{told(labels)} known members and {told(len(labelled) - labels)} non-members")
    if listed:
        parts.append(f"an unlabelled list of {len(listed.texts)}")
    given = " and ".join(parts[1:]) or "no labels and no list"
    return f"{parts[0]} Given: {given}; objective of the search: {job.objective}."


def sentence_of(job: Job, measured: Evaluation | None) -> str:
    """What was measured, or why nothing was, in words."""
    if measured is None:
        kinds = set(job.test_members.tolist())
        if not kinds:
            return "Power is unknown: no labelled texts were kept aside to measure it on."
        if len(kinds) == 1:
            kind = "members" if kinds == {True} else "non-members"
            return f"Power is unknown: all labelled texts that were kept aside are {kind}."
        return (
            f"Power is not told: fewer than {SMALLEST_SHARED} members or non-members were kept "
            "aside to measure it on."
        )
    swapped = (
        " Members score below non-members, so the labels look swapped: member is 1 for people in "
        "the training data."
    )
    return (
        f"Of known members {counted(measured.found)} were found at p <= "
        f"{measured.operating_point:g}, of known non-members {counted(measured.nonmember_fpr)} got "
        f"the same finding; AUC {measured.auc:.3f} ({measured.auc_interval.low:.3f} to "
        f"{measured.auc_interval.high:.3f})."
        f"{swapped if measured.auc_interval.high < 0.5 else ''}"
    )


def _evidence(job: Job, evaluated: Evaluated) -> JSON:
    measured = evaluated.evaluation or {}
    return {
        "detector": evaluated.detector,
        "default_detector": job.chosen_detector() == default_detector(job.spec),
        "found": measured.get("found"),
        "nonmember_fpr": measured.get("nonmember_fpr"),
        "nonmember_fpr_by_bundle": measured.get("null", {}).get("rejected"),
        "by_captions": measured.get("by_captions"),
        "gates": {gate.name: gate.passed for gate in evaluated.gates},
        "withheld": evaluated.withheld,
    }


def _params(job: Job, evaluated: Evaluated) -> JSON:
    request = job.request
    return {
        "checkpoint": request.checkpoint.name,
        "objective": job.objective,
        "detector": evaluated.detector,
        "trials": request.search.trials,
        "operating_point": request.operating_point,
        "decoy_source": request.nulls.source,
        "seed": request.compute.seed,
        "families": " ".join(job.spec.families),
        "labelled": len(job.texts.members),
        "listed": len(job.texts.listed.texts) if job.texts.listed else 0,
        "decoys_for_calibration": len(job.sets.decoy_calibration),
    }
